"""Where Pulumi programs that earlier versions wrote look for `load_stack`: since then `from keysteward import` it."""

from keysteward.operations.loading import load_stack

__all__ = ["load_stack"]
