"""`keysteward explain`: one numbered rule: why, what breaks it, what mends it, how it is waived. Reads nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from keysteward.cli.terminal import show, show_json
from keysteward.core.errors import DeclarationError
from keysteward.core.policy import RULES
from keysteward.report.policy.explain import explain_lines, find_rule, near_rules, rule_json
from keysteward.report.policy.rules import JSON_FORMAT, numbered_lines

EXAMPLE = timedelta(days=90)
"""How long the waiver of the examples stands."""


def command(
    rule: Annotated[
        str | None, typer.Argument(metavar="[RULE]", help="Its number, such as KS016; all when none.")
    ] = None,
    *,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document (format 1) instead of text.")
    ] = False,
) -> None:
    """Explain a numbered rule: why it exists, what breaks it, how to fix it, and how to waive it.

    Without a number it lists all of them.

    Exit code 0: told; 1: there is no such rule.
    """
    until = datetime.now(UTC).date() + EXAMPLE
    if rule is None:
        if as_json:
            show_json({"format": JSON_FORMAT, "rules": [rule_json(each, until) for each in RULES.values()]})
        else:
            show(numbered_lines())
        return
    found = find_rule(rule)
    if found is None:
        raise _unknown(rule)
    if as_json:
        show_json({"format": JSON_FORMAT, **rule_json(found, until)})
    else:
        show(explain_lines(found, until))


def _unknown(asked: str) -> DeclarationError:
    """Return the error for a rule that there is not; what was typed may be a secret, and is not repeated."""
    near = ", ".join(f"{rule.number} ({rule.title})" for rule in near_rules(asked))
    meant = f"; near to it: {near}" if near else f"; they are {min(RULES)} to {max(RULES)}"
    return DeclarationError(f"there is no such rule{meant}; keysteward explain lists all")
