"""Lists that come in pages, in the styles that vendors have, each read to its end.

An end is put to a list that repeats itself, or that never ends. What is deleted or made meanwhile must not cut it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Generic, TypeVar

from keysteward.core.errors import Unavailable
from keysteward.host.http import Reply

T = TypeVar("T")
Cursor = TypeVar("Cursor", bound=Hashable)
Query = Mapping[str, str | int]

LONGEST_LISTING: Final = timedelta(minutes=30)
"""100,000 clients at Keycloak are 400 pages and some minutes; a server that needs half an hour needs help first."""

LARGEST_LISTING_BYTES: Final = 512 * 1024 * 1024
"""Over all pages: 100,000 clients at Keycloak are some 150 MB."""


class Pages:
    """Watches one listing. `clock` returns seconds, monotonic."""

    def __init__(self, target: str, operation: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._target = target
        self._operation = operation
        self._clock = clock
        self._ends = clock() + LONGEST_LISTING.total_seconds()
        self._bytes = 0
        self._seen: set[Hashable] = set()

    def turn(self, page: Hashable, size: int = 0) -> None:
        """Note what the next page is asked for by, and how many bytes the last one had. Raises Unavailable."""
        self._bytes += size
        if page in self._seen:
            raise self._error("the list repeats a page and would never end; check the server, and proxies before it")
        self._seen.add(page)
        if self._bytes > LARGEST_LISTING_BYTES or self._clock() > self._ends:
            minutes = LONGEST_LISTING.total_seconds() / 60
            limits = f"{LARGEST_LISTING_BYTES >> 20} MB or {minutes:.0f} minutes"
            raise self._error(f"the list has no end within {limits}; check the server, and proxies before it")

    def _error(self, message: str) -> Unavailable:
        return Unavailable(message, target=self._target, operation=self._operation)


@dataclass(frozen=True, slots=True)
class Listing(Generic[T]):
    """All entries of a list, and the vendor's time at its start and at its first reply (None: it tells none)."""

    entries: tuple[T, ...]
    started_at: datetime
    clock: datetime | None


@dataclass(frozen=True, slots=True)
class Page(Generic[T, Cursor]):
    """One page: its entries, by what the next is asked for (None: it is the last), and how and when it came."""

    entries: Sequence[T]
    following: Cursor | None
    seconds: float
    clock: datetime | None
    size: int = 0


def read_pages(target: str, operation: str, page: Callable[[Cursor | None], Page[T, Cursor]]) -> Listing[T]:
    """Read a list to its end: `page` gets the first page by None, and any other by what the one before it said."""
    pages = Pages(target, operation)
    got = page(None)
    started = (got.clock or datetime.now(UTC)) - timedelta(seconds=got.seconds)
    clock, entries = got.clock, list(got.entries)
    while got.following is not None:
        pages.turn(got.following, got.size)
        got = page(got.following)
        entries += got.entries
    return Listing(tuple(entries), started, clock)


def by_cursor(
    target: str,
    operation: str,
    get: Callable[[Query], Reply],
    read: Callable[[Reply], tuple[Sequence[T], str | None]],
    *,
    parameter: str,
) -> Listing[T]:
    """Read pages each of which names the next; `parameter` is what the next is asked for by.

    `read` returns the entries of a reply, and the cursor of the next page. An object that is made meanwhile must come
    before the first page, so that none is cut or shown twice.
    """

    def page(cursor: str | None) -> Page[T, str]:
        reply = get({} if cursor is None else {parameter: cursor})
        entries, following = read(reply)
        return Page(entries, following or None, reply.seconds, reply.date, len(reply.body))

    return read_pages(target, operation, page)


@dataclass(frozen=True, slots=True)
class _Place:
    first: int
    last: Hashable


class _Moved(Exception):
    """Something was deleted while pages were read, and the rest moved."""


OFFSET_ATTEMPTS: Final = 3
"""How often a list by offset is read anew that moved while it was read."""


def by_offset(
    target: str,
    operation: str,
    get: Callable[[Query], Reply],
    read: Callable[[Reply], Sequence[T]],
    *,
    key: Callable[[T], Hashable],
    first: str,
    size: tuple[str, int],
    now: Callable[[], datetime | None],
) -> Listing[T]:
    """Read pages by the number of their first entry: `first` and `size` are the parameters, `key` tells entries apart.

    Pages overlap by one entry: where that does not fit, something was deleted meanwhile, and the list is read again.
    `now` is the vendor's time where replies carry none. Raises Unavailable when the list moved three times.
    """

    def page(place: _Place | None) -> Page[T, _Place]:
        begin = 0 if place is None else place.first
        reply = get({first: begin, size[0]: size[1]})
        entries = read(reply)
        if place is not None and (not entries or key(entries[0]) != place.last):
            raise _Moved
        more = len(entries) >= size[1]
        following = _Place(begin + len(entries) - 1, key(entries[-1])) if more else None
        clock = reply.date or now() or datetime.now(UTC)
        return Page(entries if place is None else entries[1:], following, reply.seconds, clock, len(reply.body))

    for _ in range(OFFSET_ATTEMPTS):
        try:
            return read_pages(target, operation, page)
        except _Moved:
            continue
    text = f"{operation}: what is listed was deleted while it was listed; run again"
    raise Unavailable(text, target=target, operation=operation)
