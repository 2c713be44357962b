"""The rules of the two kinds as people and programs read them. Pure.

JSON (`format: 1`): `kinds[]`: `kind`, `rotation_interval`, `overlap`, `age_of_a_secret`, `life` (null: none),
`review_every` (all in days, the longest allowed), `owner_leaves`, `approvers`.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from rich.text import Text

from keysteward.core.rules import CLIENT_RULES, KEY_RULES, KindRules
from keysteward.core.schedule import show_duration
from keysteward.report.plain import line

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


def rules_json() -> dict[str, Any]:
    """Return the rules as JSON; see the module for the format."""
    return {"format": JSON_FORMAT, "kinds": [_kind_json(kind) for kind in KINDS]}


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
