"""Stacks: one module each, exporting one `stack`."""
