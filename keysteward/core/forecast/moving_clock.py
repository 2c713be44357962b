"""A moment that moves on: it tells at what time the answer of a rule that compares with it would change. Pure.

Rules compare "now" with dates of declarations and ledgers. Given a moving now, `Turns` learns from these comparisons
which of them come out otherwise later, and when, so that nobody has to know the rules to look ahead. A use that it
cannot follow is noted as such, never missed: whoever looks ahead then looks again as soon as may be.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Any

from keysteward.core.observe.world import still

INSTANT = timedelta(microseconds=1)
"""By so much a strict comparison turns later than one that holds at the moment itself."""


FARTHEST = timedelta(days=36_525)
"""Nobody looks further ahead; a date of a distant century would lead out of the calendar."""


@dataclass(slots=True)
class Turns:
    """What was learned: the soonest moment after `now` at which a comparison comes out otherwise (None: none does).

    `zoned` says that local time was asked for, as maintenance windows do; `unclear` that a use could not be followed.
    """

    now: datetime
    soonest: datetime | None = None
    zoned: bool = False
    unclear: bool = False

    def forget(self) -> None:
        """Begin anew, for another question at the same moment."""
        self.soonest, self.zoned, self.unclear = None, False, False

    def note(self, ahead: timedelta, *, after: bool) -> None:
        """Note a comparison that turns `ahead` from now, or just after that; one that has turned is no news."""
        ahead = ahead + INSTANT if after else ahead
        if not timedelta() < ahead < FARTHEST:
            return
        moment = self.now + ahead
        if self.soonest is None or moment < self.soonest:
            self.soonest = moment


class Moving(datetime):
    """A datetime that is now, or now and a fixed duration, while time passes. Make it with `moving`."""

    __slots__ = ("turns",)
    turns: Turns

    def _ahead(self, other: datetime, *, after: bool) -> None:
        if not isinstance(other, Moving):
            self.turns.note(datetime.__sub__(other, self), after=after)

    def __lt__(self, other: datetime) -> bool:  # type: ignore[override]
        """Compare; turns when this reaches the other."""
        self._ahead(other, after=False)
        return datetime.__lt__(self, other)

    def __ge__(self, other: datetime) -> bool:  # type: ignore[override]
        """Compare; turns when this reaches the other."""
        self._ahead(other, after=False)
        return datetime.__ge__(self, other)

    def __le__(self, other: datetime) -> bool:  # type: ignore[override]
        """Compare; turns when this passes the other."""
        self._ahead(other, after=True)
        return datetime.__le__(self, other)

    def __gt__(self, other: datetime) -> bool:  # type: ignore[override]
        """Compare; turns when this passes the other."""
        self._ahead(other, after=True)
        return datetime.__gt__(self, other)

    def __add__(self, other: timedelta) -> Moving:
        """Return what is later by a fixed duration and moves as well."""
        return moving(datetime.__add__(self, other), self.turns)

    __radd__ = __add__

    def __sub__(self, other: Any) -> Any:  # noqa: ANN401 - a moment or a span, as datetime
        """Return the growing time since a moment, or what is earlier by a fixed duration."""
        if isinstance(other, timedelta):
            return moving(datetime.__sub__(self, other), self.turns)
        difference = datetime.__sub__(self, other)
        return difference if isinstance(other, Moving) else _span(difference, self.turns, growing=True)

    def __rsub__(self, other: datetime) -> timedelta:
        """Return the shrinking time until a moment."""
        return _span(datetime.__sub__(still(other), still(self)), self.turns, growing=False)

    def astimezone(self, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
        """Return local time, which is not followed."""
        self.turns.zoned = True
        return still(self).astimezone(tz)

    def date(self) -> MovingDay:
        """Return the day, whose comparisons with others turn at midnight."""
        day = MovingDay(self.year, self.month, self.day)
        day.turns, day.of = self.turns, still(self)
        return day

    def __format__(self, form: str) -> str:
        """Write it, which is not followed."""
        self.turns.unclear = True
        return still(self).__format__(form)


def _unclear(operation: Callable[..., Any]) -> Any:  # noqa: ANN401 - whatever timedelta has
    """Return an operation of a span or a day whose result is not followed, which is noted."""

    def noted(self: Span | MovingDay, *others: object) -> Any:  # noqa: ANN401 - whatever timedelta returns
        self.turns.unclear = True
        return operation(self, *others)

    return noted


class MovingDay(date):
    """The day of a moving moment, in the moment's own zone."""

    __slots__ = ("of", "turns")
    of: datetime
    turns: Turns

    def _ahead(self, other: date, *, days: int) -> None:
        """Note that this turns at the beginning of another day, or so many days later."""
        if not isinstance(other, MovingDay):
            begins = datetime.combine(other, time(), tzinfo=self.of.tzinfo) + timedelta(days=days)
            self.turns.note(begins - self.of, after=False)

    def __lt__(self, other: date) -> bool:
        """Compare; turns when the other day begins."""
        self._ahead(other, days=0)
        return date.__lt__(self, other)

    def __ge__(self, other: date) -> bool:
        """Compare; turns when the other day begins."""
        self._ahead(other, days=0)
        return date.__ge__(self, other)

    def __le__(self, other: date) -> bool:
        """Compare; turns when the other day is over."""
        self._ahead(other, days=1)
        return date.__le__(self, other)

    def __gt__(self, other: date) -> bool:
        """Compare; turns when the other day is over."""
        self._ahead(other, days=1)
        return date.__gt__(self, other)

    __add__ = __radd__ = _unclear(date.__add__)
    __sub__ = _unclear(date.__sub__)


class Span(timedelta):
    """The time since a moment, which grows, or until one, which shrinks."""

    __slots__ = ("growing", "turns")
    growing: bool
    turns: Turns

    def _note(self, other: timedelta, *, reached: bool) -> None:
        """Note when this reaches the other; `reached`: the answer turns there, else just after."""
        if isinstance(other, Span):
            self.turns.unclear |= other.growing is not self.growing
            return
        ahead = timedelta.__sub__(_length(other), _length(self))
        self.turns.note(ahead if self.growing else -ahead, after=not reached)

    def __lt__(self, other: timedelta) -> bool:
        """Compare; what grows turns when it reaches the other, what shrinks just after."""
        self._note(other, reached=self.growing)
        return timedelta.__lt__(self, other)

    def __ge__(self, other: timedelta) -> bool:
        """Compare; what grows turns when it reaches the other, what shrinks just after."""
        self._note(other, reached=self.growing)
        return timedelta.__ge__(self, other)

    def __le__(self, other: timedelta) -> bool:
        """Compare; what shrinks turns when it reaches the other, what grows just after."""
        self._note(other, reached=not self.growing)
        return timedelta.__le__(self, other)

    def __gt__(self, other: timedelta) -> bool:
        """Compare; what shrinks turns when it reaches the other, what grows just after."""
        self._note(other, reached=not self.growing)
        return timedelta.__gt__(self, other)

    @property
    def days(self) -> int:
        """Return whole days, whose change is not followed."""
        self.turns.unclear = True
        return _length(self).days

    total_seconds = _unclear(timedelta.total_seconds)
    __add__ = __radd__ = _unclear(timedelta.__add__)
    __sub__ = _unclear(timedelta.__sub__)
    __rsub__ = _unclear(timedelta.__rsub__)
    __neg__ = _unclear(timedelta.__neg__)
    __abs__ = _unclear(timedelta.__abs__)
    __mul__ = __rmul__ = _unclear(timedelta.__mul__)
    __truediv__ = _unclear(timedelta.__truediv__)
    __floordiv__ = _unclear(timedelta.__floordiv__)


def moving(at: datetime, turns: Turns) -> Moving:
    """Return a moment that moves on from `at`, and tells `turns` of it."""
    made = Moving(at.year, at.month, at.day, at.hour, at.minute, at.second, at.microsecond, at.tzinfo)
    made.turns = turns
    return made


def _span(length: timedelta, turns: Turns, *, growing: bool) -> Span:
    made = Span(days=length.days, seconds=length.seconds, microseconds=length.microseconds)
    made.turns, made.growing = turns, growing
    return made


def _length(span: timedelta) -> timedelta:
    """Return a span as a plain timedelta."""
    return timedelta(seconds=span.seconds, microseconds=span.microseconds) + timedelta(
        days=timedelta.days.__get__(span)
    )
