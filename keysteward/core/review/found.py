"""What a comparison finds, and the comparing that all of them share. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TypeVar

from keysteward.core.declare.schedule import show_duration
from keysteward.core.review.sorts import OPPOSITES, Sort

Size = TypeVar("Size", int, float, date, datetime, timedelta)

LONGEST = 120
"""Characters of one value in a sentence."""


@dataclass(frozen=True, slots=True)
class Noted:
    """One change: its sort, in words what becomes of it, until when what was wider stays valid, and whom it concerns.

    `people` are the owners whose word it needs beside that of what it is about.
    """

    sort: Sort
    message: str
    until: date | None = None
    people: tuple[str, ...] = ()
    rule: str = ""


def listed(values: Iterable[object]) -> str:
    """Return values in words, sorted."""
    return ", ".join(sorted(str(value) for value in values)) or "none"


def shown(value: object) -> str:
    """Return one value in words."""
    if value is None or value == "":
        return "none"
    if isinstance(value, timedelta):
        return show_duration(value)
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d}"
    text = listed(value) if isinstance(value, (tuple, list, frozenset, set)) else str(value)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def more_or_less(
    widens: Sort, what: str, before: Iterable[str], after: Iterable[str], words: tuple[str, str] = ("", "")
) -> Iterator[Noted]:
    """Yield what was added to a set, and what was taken out of it; `words` follow each of them."""
    old, new = frozenset(before), frozenset(after)
    if new - old:
        yield Noted(widens, f"{what}: {listed(new - old)} added{words[0]}")
    if old - new:
        yield Noted(OPPOSITES[widens], f"{what}: {listed(old - new)} removed{words[1]}")


def longer_or_shorter(
    widens: Sort,
    what: str,
    before: Size | None,
    after: Size | None,
    *,
    endless: str = "none",
    words: tuple[str, str] = ("", ""),
) -> Iterator[Noted]:
    """Yield whether a limit grew or shrank; None is `endless`, and larger than anything."""
    if before == after:
        return
    grown = after is None or (before is not None and after > before)
    was, now = (endless if value is None else shown(value) for value in (before, after))
    yield Noted(widens if grown else OPPOSITES[widens], f"{what}: {now} (was {was}){words[0 if grown else 1]}")


def switched(widens: Sort, before: bool, after: bool, words: tuple[str, str]) -> Iterator[Noted]:
    """Yield whether a switch was set or taken back, in its words."""
    if before is not after:
        yield Noted(widens if after else OPPOSITES[widens], words[0 if after else 1])


def changed(sort: Sort, what: str, before: object, after: object, words: str = "") -> Iterator[Noted]:
    """Yield that a value is another one."""
    if before != after:
        yield Noted(sort, f"{what}: {shown(after)} (was {shown(before)}){words}")
