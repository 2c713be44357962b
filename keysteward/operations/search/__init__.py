"""Looks for text in files: where a secret stands that should not, and who uses a credential."""
