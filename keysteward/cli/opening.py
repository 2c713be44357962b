"""Opens the stack that a command is asked for, and says where in its source a declaration is wrong."""

from __future__ import annotations

from keysteward.core.errors import DeclarationError
from keysteward.operations import project
from keysteward.operations.loading import load_stack
from keysteward.operations.project import Opened


def open_stack(name: str | None, *, strict: bool = True) -> Opened:
    """Load a stack and check it whole, as `project.opened` does. Raises DeclarationError before any call."""
    stack = load_stack(name)
    try:
        return project.opened(stack, name, strict=strict)
    except DeclarationError as error:
        from keysteward.cli.source.source_places import placed  # noqa: PLC0415 - only when it is wrong

        raise placed(error, stack, name) from None
