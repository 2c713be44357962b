"""What a stack's declarations and ledgers say comes, as people, programs and calendars read it. Pure.

JSON (`format: 1`): `format`, `stack`, `at` (the ledger store's time), `from`, `to` (ISO 8601; `from` null: what is
overdue is listed too), `dates[]` (`at`, `occasion`, `name`, `identity` or null for what is no credential, `what`,
`owner`, `overdue`), soonest first. `occasion` is rotation, retirement, expiry, decommission, review, exception,
migration, waiver, allowance, owner or consumer.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from keysteward.core.forecast.calendar import Coming, Occasion
from keysteward.report.run.plan import JSON_FORMAT, when
from keysteward.report.text.plain import line, many, plain

_STYLES = {
    Occasion.ROTATION: "green",
    Occasion.RETIREMENT: "yellow",
    Occasion.EXPIRY: "red",
    Occasion.DECOMMISSION: "red",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One date of one thing. `identity` is None for what is no credential; `owner` "" where nobody is named."""

    name: str
    coming: Coming
    owner: str = ""
    identity: str | None = None


@dataclass(frozen=True, slots=True)
class Calendar:
    """The dates of a stack, soonest first, before `last`; from `first` on, or (None) with what is overdue.

    `at` is the present moment.
    """

    stack: str
    at: datetime
    first: datetime | None
    last: datetime
    entries: tuple[Entry, ...]

    def overdue(self, entry: Entry) -> bool:
        """Say whether the day of an entry is past."""
        return entry.coming.at < self.at


def calendar_of(stack: str, at: datetime, first: datetime | None, last: datetime, entries: Iterable[Entry]) -> Calendar:
    """Return the entries of a period in order; `last` is not in it."""
    inside = (e for e in entries if e.coming.at < last and (first is None or e.coming.at >= first))
    ordered = sorted(inside, key=lambda e: (e.coming.at, e.name, e.coming.what))
    return Calendar(stack, at, first, last, tuple(ordered))


def calendar_lines(calendar: Calendar) -> Iterable[RenderableType]:
    """Write a calendar for a terminal: what is overdue, then by month."""
    begin = calendar.first or calendar.at
    yield line("Calendar of ", (calendar.stack, "bold"), f", {begin:%Y-%m-%d} to {calendar.last:%Y-%m-%d}")

    def month(entry: Entry) -> str:
        overdue = calendar.first is None and calendar.overdue(entry)
        return "Overdue" if overdue else f"{entry.coming.at.astimezone(UTC):%B %Y}"

    for title, entries in groupby(calendar.entries, month):
        yield Text()
        yield line((title, "bold red" if title == "Overdue" else "bold"))
        yield _table(list(entries))
    yield Text()
    yield line(_summary(calendar))


def _table(entries: Sequence[Entry]) -> Table:
    table = Table(box=None, padding=(0, 0, 0, 2), show_header=False)
    for wraps in (False, True, False, True, True):
        table.add_column(no_wrap=not wraps, overflow="fold")
    for entry in entries:
        occasion = entry.coming.occasion
        cells = (
            Text(when(entry.coming.at.astimezone(UTC)), style="dim"),
            Text(plain(entry.name), style="bold"),
            Text(occasion.value, style=_STYLES.get(occasion, "cyan")),
            Text(plain(entry.coming.what)),
            Text(plain(entry.owner), style="dim"),
        )
        table.add_row(*cells)
    return table


def _summary(calendar: Calendar) -> str:
    count = len(calendar.entries)
    overdue = sum(calendar.overdue(entry) for entry in calendar.entries) if calendar.first is None else 0
    text = many(count, "date") if count else "Nothing comes"
    return f"{text}, {overdue} of them overdue." if overdue else f"{text}."


def calendar_json(calendar: Calendar) -> dict[str, Any]:
    """Return a calendar as JSON; see the module for the format."""
    return {
        "format": JSON_FORMAT,
        "stack": calendar.stack,
        "at": calendar.at.isoformat(),
        "from": None if calendar.first is None else calendar.first.isoformat(),
        "to": calendar.last.isoformat(),
        "dates": [
            {
                "at": entry.coming.at.isoformat(),
                "occasion": entry.coming.occasion.value,
                "name": entry.name,
                "identity": entry.identity,
                "what": entry.coming.what,
                "owner": entry.owner,
                "overdue": calendar.overdue(entry),
            }
            for entry in calendar.entries
        ],
    }


def calendar_ics(calendar: Calendar) -> bytes:
    """Return a calendar as iCalendar (RFC 5545): one event without length for each date, known by a lasting UID.

    A date that moved keeps its UID, so that a calendar which reads the file again moves it too.
    """
    import icalendar  # noqa: PLC0415 - a program that writes none does not import it

    made = icalendar.Calendar()
    made.add("prodid", "-//keysteward//calendar//EN")
    made.add("version", "2.0")
    made.add("name", plain(calendar.stack))
    for entry in calendar.entries:
        event = icalendar.Event()
        event.add("uid", _uid(calendar.stack, entry))
        event.add("dtstamp", calendar.at.astimezone(UTC))
        event.add("dtstart", entry.coming.at.astimezone(UTC))
        event.add("summary", plain(f"{entry.name}: {entry.coming.what}"))
        owner = f"; owner: {entry.owner}" if entry.owner else ""
        event.add("description", plain(f"{entry.coming.occasion.value} in {calendar.stack}{owner}"))
        event.add("categories", [entry.coming.occasion.value])
        event.add("transp", "TRANSPARENT")
        made.add_component(event)
    text: bytes = made.to_ical()
    return text


def _uid(stack: str, entry: Entry) -> str:
    coming = entry.coming
    parts = [stack, entry.identity or entry.name, coming.occasion.value, str(coming.generation or "")]
    if coming.generation is None and coming.occasion in {Occasion.WAIVER, Occasion.ALLOWANCE}:
        parts.append(coming.what)
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32] + "@keysteward"
