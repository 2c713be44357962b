"""A list that comes in pages ends, whatever the server does: with everything, or with an error, never cut short."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from keysteward.core.errors import Unavailable
from keysteward.host.http import Reply
from keysteward.providers.kit.pages import (
    LARGEST_LISTING_BYTES,
    LONGEST_LISTING,
    Listing,
    Pages,
    Query,
    by_cursor,
    by_offset,
)

NOON = "Tue, 01 Sep 2026 12:00:00 GMT"


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


# The styles


def answer(body: object) -> Reply:
    return Reply("corp", "list clients", 200, 2.0, {"date": NOON}, json.dumps(body).encode())


def test_a_cursor_is_followed_to_the_page_that_names_no_other() -> None:
    asked: list[Query] = []
    pages = {None: {"data": [1, 2], "after": "b"}, "b": {"data": [3], "after": ""}}

    def get(query: Query) -> Reply:
        asked.append(query)
        return answer(pages[query.get("after")])  # type: ignore[index]

    def read(reply: Reply) -> tuple[list[int], str | None]:
        page = json.loads(reply.body)
        return page["data"], page["after"]

    found = by_cursor("corp", "list clients", get, read, parameter="after")
    assert found.entries == (1, 2, 3)
    assert asked == [{}, {"after": "b"}]
    assert found.clock == datetime(2026, 9, 1, 12, tzinfo=UTC)
    assert found.started_at == datetime(2026, 9, 1, 11, 59, 58, tzinfo=UTC)


def by_number(get: Callable[[Query], Reply]) -> Listing[int]:
    return by_offset(
        "corp",
        "list clients",
        get,
        lambda reply: list(json.loads(reply.body)),
        key=lambda entry: entry,
        first="first",
        size=("max", 3),
        now=lambda: None,
    )


@pytest.mark.parametrize("count", range(9))
def test_pages_by_number_overlap_by_one_and_show_each_entry_once(count: int) -> None:
    there = list(range(count))

    def get(query: Query) -> Reply:
        first = int(query["first"])
        return answer(there[first : first + int(query["max"])])

    assert by_number(get).entries == tuple(there)


def test_what_is_deleted_meanwhile_has_the_list_read_again_and_three_times_at_most() -> None:
    there, deletions = list(range(8)), [1]

    def get(query: Query) -> Reply:
        first = int(query["first"])
        if first and deletions:
            there.remove(deletions.pop())
        return answer(there[first : first + int(query["max"])])

    assert by_number(get).entries == (0, 2, 3, 4, 5, 6, 7)
    deletions[:] = [0, 2, 3]
    with pytest.raises(Unavailable, match="deleted while it was listed; run again"):
        by_number(get)
