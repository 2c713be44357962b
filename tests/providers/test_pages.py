"""A list that comes in pages ends, whatever the server does: with everything, or with an error, never cut short."""

from __future__ import annotations

import pytest

from keysteward.core.errors import Unavailable
from keysteward.providers.kit.pages import LARGEST_LISTING_BYTES, LONGEST_LISTING, Pages


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_list_of_many_pages_is_read() -> None:
    pages = Pages("corp", "list clients", clock=Clock())
    for number in range(100_000 // 250):
        pages.turn(number, 375_000)


def test_a_page_that_comes_again_ends_the_list() -> None:
    pages = Pages("corp", "list clients", clock=Clock())
    for cursor in "abc":
        pages.turn(cursor)
    with pytest.raises(Unavailable, match=r"repeats a page .*\[target=corp operation=list clients\]"):
        pages.turn("b")


def test_pages_that_are_always_new_end_by_size_or_by_time() -> None:
    pages = Pages("corp", "list clients", clock=Clock())
    pages.turn(1, LARGEST_LISTING_BYTES)
    with pytest.raises(Unavailable, match="no end within 512 MB or 30 minutes"):
        pages.turn(2, 1)
    clock = Clock()
    pages = Pages("corp", "list clients", clock=clock)
    clock.now = LONGEST_LISTING.total_seconds() + 1
    with pytest.raises(Unavailable, match="no end"):
        pages.turn(1)
