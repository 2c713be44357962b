"""Where Pulumi programs that earlier versions wrote look for `placing`: since then `from keysteward import` it."""

from keysteward.cli.source.source_places import placing

__all__ = ["placing"]
