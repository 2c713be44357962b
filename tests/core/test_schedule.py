"""Durations, windows and due dates: what must hold for every interval, identity and moment."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keysteward.core.declare.schedule import (
    MAX_SPREAD,
    due_at,
    first_due,
    may_begin,
    next_opening,
    parse_duration,
    parse_window,
    show_duration,
    spread,
)

MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis wants naive bounds
INTERVALS = st.timedeltas(timedelta(hours=1), timedelta(days=800))
DAYS = st.sampled_from(["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun", "daily"])
ZONES = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"])
WINDOWS = st.builds(
    "{} {:02d}:{:02d}-{:02d}:{:02d} {}".format,
    DAYS,
    st.integers(0, 23),
    st.integers(0, 59),
    st.integers(0, 23),
    st.integers(0, 59),
    ZONES,
)


@given(st.integers(0, 10**9))
def test_a_duration_is_read_as_it_is_written(seconds: int) -> None:
    duration = timedelta(seconds=seconds)
    assert parse_duration(show_duration(duration)) == duration


@pytest.mark.parametrize("text", ["", "90", "d90", "-3d", "9 d", "9y", None, 9, timedelta(seconds=-1)])
def test_what_is_not_a_duration_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="duration"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["Sun", "Sun 2:00-4:00 UTC", "Sun 25:00-04:00 UTC", "Sun 02:00-04:00 Mars/Olympus"])
def test_what_is_not_a_window_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="maintenance window"):
        parse_window(text)


@given(st.text(min_size=1), INTERVALS)
def test_the_spread_is_fixed_and_small(identity: str, every: timedelta) -> None:
    shift = spread(identity, every)
    assert shift == spread(identity, every)
    assert timedelta() <= shift < max(min(every / 10, MAX_SPREAD), timedelta(seconds=1))


@given(st.text(min_size=1), MOMENTS, INTERVALS)
def test_the_first_rotation_of_what_was_taken_over_comes_within_its_interval_and_not_at_once(
    identity: str, at: datetime, every: timedelta
) -> None:
    due = first_due(identity, at, every)
    assert due == first_due(identity, at, every)
    assert at + every / 10 <= due <= at + every


def test_what_is_taken_over_together_is_not_due_together() -> None:
    now, every = datetime(2026, 12, 1, tzinfo=UTC), timedelta(days=90)
    days = Counter((first_due(f"acme/prod/job-{n}", now, every) - now).days for n in range(300))
    assert min(days) >= 9
    assert max(days) < 90
    assert max(days.values()) < 15, "some four a day, and never a crowd"


@given(MOMENTS, WINDOWS)
def test_the_latest_start_is_the_last_one_and_begins_the_window(at: datetime, text: str) -> None:
    window = parse_window(text)
    start = window.latest_start(at)
    assert start <= at
    assert at - start <= timedelta(days=8)
    assert window.contains(start)


@given(MOMENTS, INTERVALS, st.lists(WINDOWS, max_size=2))
def test_a_rotation_is_never_due_late_and_always_gets_its_turn(
    since: datetime, every: timedelta, windows: list[str]
) -> None:
    given_windows = tuple(windows)
    due = due_at("acme/prod/x", since, every, given_windows)
    assert since <= due <= since + every
    begin = next_opening(due, due, every, given_windows)
    assert may_begin(begin, due, every, given_windows)
    assert due <= begin <= due + every / 10 + timedelta(seconds=1)
    assert not may_begin(due - timedelta(seconds=1), due, every, given_windows)


@given(MOMENTS, INTERVALS, st.lists(WINDOWS, max_size=2))
def test_a_secret_is_never_due_in_the_moment_it_began(since: datetime, every: timedelta, windows: list[str]) -> None:
    assert due_at("acme/prod/x", since, every, tuple(windows)) > since


def test_windows_that_open_less_often_than_it_rotates_move_nothing_back() -> None:
    sunday = datetime(2026, 1, 18, 2, tzinfo=UTC)
    due = due_at("acme/prod/x", sunday, timedelta(days=5), ("Sun 02:00-04:00 UTC",))
    assert sunday + timedelta(days=4) < due <= sunday + timedelta(days=5)
