"""Lists that come in pages: an end is put to one that repeats itself, or that never ends."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from datetime import timedelta
from typing import Final

from keysteward.core.errors import Unavailable

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
