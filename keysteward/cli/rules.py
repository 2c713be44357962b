"""`keysteward rules`: the two kinds of credentials side by side, with the rules of each. Reads nothing."""

from __future__ import annotations

from typing import Annotated

import typer

from keysteward.cli.terminal import show, show_json
from keysteward.report.rules import rules_json, rules_lines


def command(
    *,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document (format 1) in place of text.")
    ] = False,
) -> None:
    """Show the rules of the two kinds: M2M clients, and API keys, which are treated more strictly.

    What breaks a rule is a note in every preview; see docs/declaration.md.
    """
    if as_json:
        show_json(rules_json())
    else:
        show(rules_lines())
