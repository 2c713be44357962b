"""Durations, maintenance windows and due dates. Pure functions of declaration and ledger; no clock is read."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, PlainSerializer

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_DURATION = re.compile(r"(?:\d+[smhdw])+")
_PART = re.compile(r"(\d+)([smhdw])")
_WINDOW = re.compile(r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun|daily) (\d\d):(\d\d)-(\d\d):(\d\d) ([A-Za-z0-9_+\-/]+)")
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")

MAX_SPREAD = timedelta(days=3)
"""Rotations of one interval are spread over at most this long, so that they do not all fall on one night."""

LONGEST = timedelta(days=36_500)
"""A hundred years. What is longer is a slip of the pen, and with a date it would pass the end of the calendar."""

FIRST_DAY, LAST_DAY = date(1970, 1, 1), date(2999, 12, 31)
"""Days that can be declared and asked for: from each, the longest duration leads to another day of the calendar."""

LATE_SHARE = 10
"""A step later than a tenth of the interval no longer waits for its maintenance window."""


def parse_duration(value: object) -> timedelta:
    """Read "90d", "12h", "1h30m" (units s, m, h, d, w) or pass a positive `timedelta` through.

    Raises ValueError with a sentence for anything else.
    """
    if isinstance(value, timedelta):
        duration = value
    elif isinstance(value, str) and _DURATION.fullmatch(value):
        try:
            duration = sum(
                (timedelta(**{_UNITS[unit]: int(number)}) for number, unit in _PART.findall(value)),
                start=timedelta(),
            )
        except (OverflowError, ValueError):
            duration = timedelta.max
    else:
        raise ValueError(f'{_short(value)} is not a duration; write for example "90d", "12h" or "1h30m"')
    if duration < timedelta():
        raise ValueError(f"{_short(value)} is negative; a duration must not be")
    if duration > LONGEST:
        raise ValueError(f"{_short(value)} is longer than a duration can be; {LONGEST.days}d are the most")
    return duration


def check_day(day: date) -> date:
    """Return a day that can be reckoned with. Raises ValueError with a sentence for any other."""
    if not FIRST_DAY <= day <= LAST_DAY:
        raise ValueError(f"{day} is too far away to be reckoned with; name a day from {FIRST_DAY} to {LAST_DAY}")
    return day


def _short(value: object) -> str:
    return repr(value[:40] if isinstance(value, str) else value)


def show_duration(duration: timedelta) -> str:
    """Write a duration as people read it: "90d", "1h30m"; the inverse of `parse_duration` to the second."""
    seconds = int(duration.total_seconds())
    parts = []
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m"), (1, "s")):
        number, seconds = divmod(seconds, size)
        if number:
            parts.append(f"{number}{unit}")
    return "".join(parts) or "0s"


Duration = Annotated[timedelta, BeforeValidator(parse_duration), PlainSerializer(show_duration, return_type=str)]
"""A field that takes "90d" or a timedelta and is written as "90d"."""

Day = Annotated[date, AfterValidator(check_day)]
"""A declared day."""

DeclaredDuration = Annotated[timedelta | str, BeforeValidator(parse_duration)]
"""The same as people write it in declarations: a type checker accepts both; `parse_duration` reads it."""


@dataclass(frozen=True, slots=True)
class Window:
    """One maintenance window: a weekday (or None for every day), local start and end, and a time zone."""

    weekday: int | None
    start: time
    end: time
    zone: str

    def latest_start(self, at: datetime) -> datetime:
        """Return the start of the window that began last at or before `at` (aware UTC in, aware UTC out)."""
        zone = _zone(self.zone)
        local = at.astimezone(zone)
        for days in range(9):
            day = (local - timedelta(days=days)).date()
            start = datetime.combine(day, self.start, tzinfo=zone)
            if (self.weekday is None or day.weekday() == self.weekday) and start <= local:
                return start.astimezone(at.tzinfo)
        raise AssertionError("a week has every weekday")

    def contains(self, at: datetime) -> bool:
        """Say whether `at` lies inside the window."""
        start = self.latest_start(at)
        local = start.astimezone(_zone(self.zone))
        end = datetime.combine(local.date(), self.end, tzinfo=local.tzinfo)
        if self.end <= self.start:
            end += timedelta(days=1)
        return at < end


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


@lru_cache(maxsize=1024)
def parse_window(text: str) -> Window:
    """Read "Sun 02:00-04:00 Europe/Berlin" or "daily 22:00-02:00 UTC". Raises ValueError with a sentence."""
    match = _WINDOW.fullmatch(text)
    if match is None:
        raise ValueError(f'{text!r} is not a maintenance window; write for example "Sun 02:00-04:00 Europe/Berlin"')
    day, start_hour, start_minute, end_hour, end_minute, zone = match.groups()
    try:
        _zone(zone)
        start, end = time(int(start_hour), int(start_minute)), time(int(end_hour), int(end_minute))
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(f"{text!r} is not a maintenance window: {error}") from None
    return Window(None if day == "daily" else _DAYS.index(day), start, end, zone)


@lru_cache(maxsize=256)
def spread(identity: str, every: timedelta) -> timedelta:
    """Return how much earlier than its interval this credential rotates: fixed per identity, under every/10 and 3 d."""
    bound = int(min(every / LATE_SHARE, MAX_SPREAD).total_seconds())
    if bound <= 0:
        return timedelta()
    digest = hashlib.sha256(identity.encode()).digest()
    return timedelta(seconds=int.from_bytes(digest[:8], "big") % bound)


def due_at(identity: str, since: datetime, every: timedelta, windows: tuple[str, ...]) -> datetime:
    """Return when the next rotation is due: since + every - spread, moved back to the last window start before it.

    Not to one before the present secret began: where no window opens in between, it is due when its interval says.
    """
    return in_window(since + every - spread(identity, every), since, windows)


def in_window(due: datetime, since: datetime, windows: tuple[str, ...]) -> datetime:
    """Return the last start of a window before a due date, but none before `since`; without windows the date itself."""
    if not windows:
        return due
    starts = (parse_window(text).latest_start(due) for text in windows)
    return max((start for start in starts if start > since), default=due)


def first_due(identity: str, at: datetime, every: timedelta) -> datetime:
    """Return when a secret that was taken over `at` is first due: fixed per identity, spread over its interval.

    What is imported together would else be due together, a whole interval later. A tenth of it passes at least.
    """
    digest = hashlib.sha256(f"first {identity}".encode()).digest()
    share = int.from_bytes(digest[:8], "big") / 2**64
    return at + every / LATE_SHARE + (every - every / LATE_SHARE) * share


def due_before(at: datetime, since: datetime, every: timedelta, windows: tuple[str, ...]) -> bool:
    """Say whether `due_at` can be at or before a moment: most are asked about long before their day."""
    return bool(windows) or at >= since + every - MAX_SPREAD


def may_begin(at: datetime, due: datetime, every: timedelta, windows: tuple[str, ...]) -> bool:
    """Say whether something due may begin now: in a window, or late by more than a tenth of the interval."""
    if at < due:
        return False
    return not windows or at > due + every / LATE_SHARE or any(parse_window(text).contains(at) for text in windows)


def next_opening(at: datetime, due: datetime, every: timedelta, windows: tuple[str, ...]) -> datetime:
    """Return the first time at or after `at` at which `may_begin` holds."""
    begin = max(at, due)
    if may_begin(begin, due, every, windows):
        return begin
    late = due + every / LATE_SHARE + timedelta(seconds=1)
    starts = (parse_window(text).latest_start(begin + timedelta(days=days)) for text in windows for days in range(1, 9))
    return min([late, *(start for start in starts if start >= begin)])
