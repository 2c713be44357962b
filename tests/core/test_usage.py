"""Last use is kept from run to run: the latest day that was ever seen, also when the target's log has forgotten."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from keysteward.core.contract.observed import ObservedObject, ObservedSecret, Settings
from keysteward.core.record.last_use import Usage, later, note_usage, read_usage, seen_days, shard_of

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
DAYS = st.dates(date(2020, 1, 1), date(2030, 1, 1))
NOTED = st.dictionaries(st.text(min_size=1, max_size=12), DAYS, max_size=30)


def written(noted: dict[str, date]) -> Usage:
    """What a run that saw these days leaves behind."""
    documents = {shard: note_usage(None, days) for shard, days in later(Usage(), noted.items()).items()}
    return read_usage(documents.values())


def test_a_client_is_noted_by_its_id_and_a_key_of_a_holder_by_its_own() -> None:
    used = ObservedSecret("s1", "primary", last_used=NOON)
    client = ObservedObject("id-1", "billing", True, Settings("client_secret"), (used,))
    quiet = ObservedObject("id-2", "mailer", True, Settings("client_secret"), last_used=NOON - timedelta(days=9))
    keys = (ObservedSecret("k1", "key", last_used=NOON), ObservedSecret("k2", "key"))
    holder = ObservedObject("org", "org", True, Settings("api_key"), keys, holder="organization")
    assert sorted(seen_days("corp", [client, quiet, holder])) == [
        ("corp:id-1", date(2026, 5, 1)),
        ("corp:id-2", date(2026, 4, 22)),
        ("corp:k1", date(2026, 5, 1)),
    ]


@given(NOTED)
def test_what_was_noted_is_read_again(noted: dict[str, date]) -> None:
    assert written(noted).days == noted


@given(NOTED, NOTED)
def test_the_latest_day_stays(before: dict[str, date], now: dict[str, date]) -> None:
    usage = written(before)
    documents = {shard: note_usage(None, days) for shard, days in later(Usage(), before.items()).items()}
    for shard, days in later(usage, now.items()).items():
        documents[shard] = note_usage(documents.get(shard), days)
    expected = {key: max(d for d in (before.get(key), now.get(key)) if d) for key in {*before, *now}}
    assert read_usage(documents.values()).days == expected


@given(NOTED)
def test_a_look_that_sees_nothing_new_writes_nothing(noted: dict[str, date]) -> None:
    assert later(written(noted), noted.items()) == {}


def test_what_is_damaged_is_left_out() -> None:
    assert read_usage([None, {}, {"days": 3}, {"days": {"corp:a": "soon", "corp:b": "2026-05-01"}}]) == Usage(
        {"corp:b": date(2026, 5, 1)}
    )


def test_ten_thousand_clients_are_spread_over_small_documents() -> None:
    spread = later(Usage(), ((f"corp:{number}", NOON.date()) for number in range(10_000)))
    assert len(spread) == 16
    assert max(len(days) for days in spread.values()) < 800
    assert {shard_of(key) for key in spread["a"]} == {"a"}
