"""A numbered rule as people and programs read it. Pure.

JSON of a rule: `number`, `title`, `reason`, `breaks`, `mend`, `severity` (`M2M client`, `API key`; null: not for that
kind), `finding` (its kind), `live` (needs a look at ledger and target), `mandatory`, `owasp[]`, `frameworks[]`
(`framework`, `document`, `items[]`), `waiver` (`python`, `yaml`; null for a mandatory one).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date
from typing import Any

from rich.text import Text

from keysteward.core.declare.limits import CLIENT_RULES, KEY_RULES
from keysteward.core.findings import Severity
from keysteward.core.policy import RULES, Rule
from keysteward.report.policy.frameworks import OWASP, answered
from keysteward.report.text.findings import SEVERITIES
from keysteward.report.text.plain import line

NEAR = 3
"""So many rules are offered in place of one that there is not."""


def find_rule(asked: str) -> Rule | None:
    """Return the rule of a number, which may be written "KS016", "ks16" or "16"."""
    number = re.fullmatch(r"(?:KS)?0*([0-9]{1,3})", asked.strip(), re.IGNORECASE)
    return RULES.get(f"KS{int(number.group(1)):03}") if number else None


def near_rules(asked: str) -> list[Rule]:
    """Return the rules that may have been meant: of near numbers, or that speak of the words given."""
    digits = re.search(r"[0-9]{1,6}", asked)
    if digits is not None:
        wanted = int(digits.group())
        return sorted(sorted(RULES.values(), key=lambda rule: abs(int(rule.number[2:]) - wanted))[:NEAR], key=_number)
    words = set(re.findall(r"[a-z]{5,}", asked.casefold()))
    spoken = [rule for rule in RULES.values() if any(w in f"{rule.title} {rule.breaks}".casefold() for w in words)]
    return spoken[:NEAR]


def _number(rule: Rule) -> str:
    return rule.number


def severity_words(severity: Severity | None) -> str:
    """Return what breaking a rule counts as, "-" where it is not for that kind."""
    return "-" if severity is None else severity.value


def python_waiver(rule: Rule, until: date) -> list[str]:
    """Return how a rule is waived in a Python declaration."""
    day = f"date({until.year}, {until.month}, {until.day})"
    return [f'waivers=[Waiver("{rule.number}", reason="...", approved_by="...", until={day})],']


def yaml_waiver(rule: Rule, until: date) -> list[str]:
    """Return how a rule is waived in a YAML declaration."""
    return [
        "waivers:",
        f"  - rule: {rule.number}",
        '    reason: "..."',
        '    approved_by: "..."',
        f"    until: {until}",
    ]


def explain_lines(rule: Rule, until: date) -> Iterable[Text]:
    """Write all there is to say of one rule; `until` is the day in its examples of a waiver."""
    yield line((f"{rule.number}  {rule.title}", "bold"))
    yield Text()
    yield line(("  why         ", "dim"), rule.reason)
    yield line(("  broken by   ", "dim"), _unmarked(rule.breaks))
    for kind, severity in ((CLIENT_RULES.kind, rule.client), (KEY_RULES.kind, rule.key)):
        words = "does not apply" if severity is None else f"{severity.value}{_stops(rule, severity)}"
        sign = ("-", "dim") if severity is None else SEVERITIES[severity]
        yield line((f"  {kind.ljust(12)}", "dim"), sign, f" {words}")
    yield line(("  fix         ", "dim"), rule.mend)
    for framework, items in answered(rule.number):
        numbers = ", ".join(item.number for item in items)
        yield line(
            (f"  {'OWASP' if framework is OWASP else 'answers'}".ljust(14), "dim"), f"{framework.name}: {numbers}"
        )
    yield Text()
    if not rule.waivable:
        yield line("  It is mandatory: it can be neither waived nor lowered by a level.")
        return
    yield line("  To waive it for one credential until a day, in Python:")
    yield from (line(f"      {text}") for text in python_waiver(rule, until))
    yield line("  in YAML:")
    yield from (line(f"      {text}") for text in yaml_waiver(rule, until))
    yield line(f'  For a whole stack: Stack(..., levels={{"{rule.number}": "note"}}) (or off, warning, error).')


def _stops(rule: Rule, severity: Severity) -> str:
    return ": stops a run before any call" if severity is Severity.ERROR and not rule.live else ""


def _unmarked(text: str) -> str:
    return text.replace("`", "")


def rule_json(rule: Rule, until: date) -> dict[str, Any]:
    """Return one rule as JSON; see the module for the format."""
    return {
        "number": rule.number,
        "title": rule.title,
        "reason": rule.reason,
        "breaks": _unmarked(rule.breaks),
        "mend": rule.mend,
        "severity": {CLIENT_RULES.kind: rule.client, KEY_RULES.kind: rule.key},
        "finding": rule.kind,
        "live": rule.live,
        "mandatory": not rule.waivable,
        "owasp": [item.number for item in OWASP.items if rule.number in item.rules],
        "frameworks": [
            {"framework": f.name, "document": f.document, "items": [item.number for item in items]}
            for f, items in answered(rule.number)
        ],
        "waiver": {"python": "\n".join(python_waiver(rule, until)), "yaml": "\n".join(yaml_waiver(rule, until))}
        if rule.waivable
        else None,
    }
