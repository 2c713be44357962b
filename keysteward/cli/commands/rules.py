"""`keysteward rules`: the two kinds of credentials side by side, and the numbered rules. Reads a stack when asked."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.text import Text

from keysteward.cli.options import StackOption
from keysteward.cli.terminal import show, show_json
from keysteward.core.declare.stack import Stack
from keysteward.core.errors import DeclarationError
from keysteward.core.policy import mistakes
from keysteward.operations.loading import load_stack
from keysteward.report.policy.rules import numbered_lines, rules_json, rules_lines, waiver_lines


def command(
    stack: StackOption = None,
    *,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document (format 1) instead of text.")
    ] = False,
) -> None:
    """Show the limits for M2M clients and for API keys (which are stricter), and the numbered rules.

    With --stack: as that stack sets their levels, and its waivers. See docs/rules.md.

    Exit code 0: shown; 1: the stack does not load.
    """
    loaded, today = None if stack is None else _loaded(stack), datetime.now(UTC).date()
    if as_json:
        show_json(rules_json(loaded, today))
        return
    show([*rules_lines(), Text(), *numbered_lines(loaded)])
    if loaded is not None:
        show([Text(), *waiver_lines(loaded, today)])


def _loaded(name: str) -> Stack:
    """Load a stack whose levels and waivers can be meant. Raises DeclarationError."""
    stack = load_stack(name)
    wrong = list(mistakes(stack))
    if wrong:
        raise DeclarationError("\n".join(wrong))
    return stack
