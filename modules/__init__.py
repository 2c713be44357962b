"""Reusable patterns that build declarations."""
