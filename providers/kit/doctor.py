"""The frame of a target's doctor: questions in order; the first failure that hides the rest ends the list."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta

from keysteward.core.contract.address import IN_CLEAR, leaves_in_clear
from keysteward.core.contract.observed import TOLERATED_SKEW
from keysteward.core.contract.ports import Check
from keysteward.core.errors import KeystewardError


def diagnosed(subject: str, questions: Iterable[Callable[[], Iterable[Check]]]) -> Iterator[Check]:
    """Ask one question after the other; an error of ours is the last line."""
    try:
        for question in questions:
            yield from question()
    except KeystewardError as problem:
        yield Check(subject, ok=False, detail=problem.message)


def asked(subject: str, ask: Callable[[], object], detail: str) -> Callable[[], Iterable[Check]]:
    """Return a question whose answer is that it could be asked."""

    def question() -> Iterator[Check]:
        ask()
        yield Check(subject, ok=True, detail=detail)

    return question


def transport_check(name: str, url: str) -> Iterator[Check]:
    """Warn of an address that is spoken to in clear text."""
    if leaves_in_clear(url):
        yield Check(f"{name}: url", ok=False, detail=IN_CLEAR, warning=True)


def clock_check(name: str, there: datetime | None) -> Check:
    """Compare the server's clock with ours; one that it does not tell counts as ours."""
    off = timedelta() if there is None else abs(there - datetime.now(UTC))
    words = f"clocks differ by {off.total_seconds():.0f} s"
    if off > TOLERATED_SKEW:
        words += "; correct one of them, nothing is ended until then"
    return Check(f"{name}: clock", ok=off <= TOLERATED_SKEW, detail=words)
