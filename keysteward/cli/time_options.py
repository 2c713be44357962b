"""Days and durations as options take them: out of reach, or not what they should be, is one sentence for each."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from keysteward.core.declare.schedule import check_day, parse_duration
from keysteward.core.errors import DeclarationError


def duration_of(option: str, text: str) -> timedelta:
    """Read a duration. Raises DeclarationError."""
    try:
        return parse_duration(text)
    except ValueError as error:
        raise DeclarationError(f"{option}: {error}") from None


def day_of(option: str, day: date) -> date:
    """Return the day of an option, which may be its first moment. Raises DeclarationError for one out of reach."""
    try:
        return check_day(day.date() if isinstance(day, datetime) else day)
    except ValueError as error:
        raise DeclarationError(f"{option}: {error}") from None
