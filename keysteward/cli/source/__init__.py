"""Finds declarations in Python and YAML, and edits them."""
