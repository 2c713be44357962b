"""The rules of the two kinds, and the numbered ones, as people and programs read them. Pure.

JSON (`format: 1`): `kinds[]`: `kind`, `rotation_interval`, `overlap`, `age_of_a_secret`, `life` (null: none),
`review_every` (all in days, the longest allowed), `owner_leaves`, `approvers`. `rules[]`: `number`, `title`, `level`
(by kind; null: does not apply). Of a stack also `stack`, `levels` (its own, by rule), and `waivers[]`: `credential`,
`rule`, `until`, `approved_by`, `reason`, `stands`; `level` is then what counts there ("off": not at all).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from typing import Any

from rich.text import Text

from keysteward.core.declare.credentials import Waiver
from keysteward.core.declare.limits import CLIENT_RULES, KEY_RULES, KindRules
from keysteward.core.declare.schedule import show_duration
from keysteward.core.declare.stack import Stack
from keysteward.core.findings import Severity
from keysteward.core.policy import RULES, Rule, level_of
from keysteward.report.text.plain import line

JSON_FORMAT = 1
KINDS = (CLIENT_RULES, KEY_RULES)


def rules_rows() -> list[tuple[str, list[str]]]:
    """Return each rule with its words for each kind."""
    return [
        ("rotation interval, at most", [show_duration(k.longest_interval) for k in KINDS]),
        ("overlap, at most", [show_duration(k.longest_overlap) for k in KINDS]),
        ("age of one secret, at most", [show_duration(k.longest_age) for k in KINDS]),
        ("life, at most", [_life(k.longest_life) for k in KINDS]),
        ("reviewed every", [show_duration(k.review_every) for k in KINDS]),
        (
            "must say why it is there",
            ["its purpose", "its purpose, and transitional, permanent exception or bootstrap"],
        ),
        ("when its owner leaves", [k.owner_leaves for k in KINDS]),
        ("approved by", [k.approvers for k in KINDS]),
    ]


def _life(life: timedelta | None) -> str:
    return "need not expire" if life is None else f"{show_duration(life)}, `expires` is required"


def rules_lines() -> Iterable[Text]:
    """Write the rules for a terminal, one block a kind."""
    rows = rules_rows()
    width = max(len(name) for name, _ in rows)
    for index, kind in enumerate(KINDS):
        if index:
            yield Text()
        yield line((kind.kind, "bold"))
        for name, words in rows:
            yield line(f"  {name.ljust(width)}  {words[index]}")


def numbered_lines(stack: Stack | None = None) -> Iterator[Text]:
    """Write the numbered rules, one a line, with what they count as for each kind; of a stack, as it sets them."""
    yield line((f"{'rule':7}{CLIENT_RULES.kind:13}{KEY_RULES.kind:11}", "bold"))
    for rule in RULES.values():
        own = stack is not None and rule.number in stack.levels
        levels = [_level(rule, given, stack) or "-" for given in (rule.client, rule.key)]
        yield line(
            f"{rule.number:7}{levels[0]:13}{levels[1]:11}", rule.title, (" (set by the stack)" if own else "", "dim")
        )
    yield line(("keysteward explain RULE says why, what breaks it, how to fix it, and how to waive it.", "dim"))


def _level(rule: Rule, given: Severity | None, stack: Stack | None) -> str | None:
    """Return what breaking a rule counts as, as a word; None where it does not apply."""
    if given is None or stack is None:
        return None if given is None else given.value
    level = level_of(rule, stack, given)
    return "off" if level is None else level.value


def waivers_of(stack: Stack) -> list[tuple[str, Waiver]]:
    """Return the waivers of a stack, each with the credential that has it."""
    return [(declared.name, waiver) for declared in stack.credentials for waiver in declared.waivers]


def waiver_lines(stack: Stack, today: date) -> Iterator[Text]:
    """Write the waivers of a stack."""
    given = waivers_of(stack)
    yield line(("waivers", "bold"), "" if given else ": none")
    for name, waiver in given:
        until = ("until " if waiver.until > today else "over since ") + str(waiver.until)
        yield line(f"  {name}: {waiver.rule} {until}, approved by {waiver.approved_by}: {waiver.reason}")


def rules_json(stack: Stack | None = None, today: date = date.min) -> dict[str, Any]:
    """Return the rules as JSON; see the module for the format."""
    document: dict[str, Any] = {
        "format": JSON_FORMAT,
        "kinds": [_kind_json(kind) for kind in KINDS],
        "rules": [
            {
                "number": rule.number,
                "title": rule.title,
                "level": {
                    CLIENT_RULES.kind: _level(rule, rule.client, stack),
                    KEY_RULES.kind: _level(rule, rule.key, stack),
                },
            }
            for rule in RULES.values()
        ],
    }
    if stack is not None:
        document |= {
            "stack": stack.identity,
            "levels": dict(stack.levels),
            "waivers": [_waiver_json(name, waiver, today) for name, waiver in waivers_of(stack)],
        }
    return document


def _waiver_json(name: str, waiver: Waiver, today: date) -> dict[str, Any]:
    return {
        "credential": name,
        "rule": waiver.rule,
        "until": waiver.until.isoformat(),
        "approved_by": waiver.approved_by,
        "reason": waiver.reason,
        "stands": waiver.until > today,
    }


def _kind_json(kind: KindRules) -> dict[str, Any]:
    return {
        "kind": kind.kind,
        "rotation_interval": kind.longest_interval.days,
        "overlap": kind.longest_overlap.days,
        "age_of_a_secret": kind.longest_age.days,
        "life": None if kind.longest_life is None else kind.longest_life.days,
        "review_every": kind.review_every.days,
        "owner_leaves": kind.owner_leaves,
        "approvers": kind.approvers,
    }
