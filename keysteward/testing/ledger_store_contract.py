"""What every ledger store must do. Subclass `LedgerStoreContract` in a test module and give it a `world` fixture."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any, Protocol

import pytest

from keysteward.core.contract.ports import LedgerStore, Stored
from keysteward.core.errors import AccessDenied, VersionConflict

KEY = "ledgers/acme/prod/billing"
DOCUMENT: dict[str, Any] = {
    "format": 1,
    "identity": "acme/prod/billing",
    "next": 3,
    "big": 9007199254740991,  # RFC 8259, section 6: larger ones may lose digits
    "share": 0.5,
    "generations": [{"number": 1, "state": "current", "baseline": [], "evidence": None}],
    "words": "#12 rotate — “later”",
}


class LedgerWorld(Protocol):
    """A ledger store and another instance on the same data; fresh for every test."""

    @property
    def ledgers(self) -> LedgerStore:
        """The ledger store with the runner's rights."""
        ...

    def again(self) -> LedgerStore:
        """Return what another process would have."""
        ...


class LedgerStoreContract:
    """The contract. Each test is one sentence of it."""

    def test_what_was_never_written_has_version_0(self, world: LedgerWorld) -> None:
        """For runner and reader alike, and nothing is made by looking."""
        for ledgers in (world.ledgers, world.ledgers.as_reader()):
            assert ledgers.read(KEY) == Stored(None, 0)
            assert dict(ledgers.list("ledgers/")) == {}

    def test_a_document_comes_back_as_it_was(self, world: LedgerWorld) -> None:
        """With its version, in this and in another process."""
        assert world.ledgers.write(KEY, DOCUMENT, 0) == 1
        assert world.ledgers.write(KEY, {**DOCUMENT, "next": 4}, 1) == 2
        for ledgers in (world.ledgers, world.again(), world.ledgers.as_reader()):
            assert ledgers.read(KEY) == Stored({**DOCUMENT, "next": 4}, 2)

    def test_text_that_is_no_utf8_stops_no_write(self, world: LedgerWorld) -> None:
        """It comes back, or is replaced as the server does; what stands beside it is whole."""
        assert world.ledgers.write(KEY, {"reason": "caf\udce9", "next": 3}, 0) == 1
        stored = world.again().read(KEY)
        assert stored.document is not None
        assert stored.document["reason"].startswith("caf")
        assert stored.document["next"] == 3

    @pytest.mark.parametrize("expected", [0, 1, 3])
    def test_a_write_that_expects_another_version_loses(self, world: LedgerWorld, expected: int) -> None:
        """And changes nothing."""
        world.ledgers.write(KEY, DOCUMENT, 0)
        world.ledgers.write(KEY, {**DOCUMENT, "next": 4}, 1)
        with pytest.raises(VersionConflict):
            world.again().write(KEY, {"format": 1, "stale": True}, expected)
        assert world.ledgers.read(KEY) == Stored({**DOCUMENT, "next": 4}, 2)

    def test_of_several_writers_one_wins(self, world: LedgerWorld) -> None:
        """Every round, whoever they are."""
        writers = [world.ledgers, world.again(), world.again(), world.again()]

        def write(number: int, version: int) -> int | None:
            try:
                return writers[number].write(KEY, {"winner": number}, version)
            except VersionConflict:
                return None

        with ThreadPoolExecutor(len(writers)) as pool:
            for version in range(10):
                results = list(pool.map(write, range(len(writers)), [version] * len(writers)))
                assert [result for result in results if result is not None] == [version + 1]
                stored = world.ledgers.read(KEY)
                assert stored.document == {"winner": results.index(version + 1)}

    def test_no_update_is_lost(self, world: LedgerWorld) -> None:
        """Writers that read again after losing all get through."""
        world.ledgers.write(KEY, {"count": 0}, 0)

        def add(_number: int) -> None:
            while True:
                stored = world.ledgers.read(KEY)
                assert stored.document is not None
                try:
                    world.ledgers.write(KEY, {"count": stored.document["count"] + 1}, stored.version)
                except VersionConflict:
                    continue
                return

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(add, range(20)))
        assert world.ledgers.read(KEY) == Stored({"count": 20}, 21)

    def test_a_list_has_all_keys_with_the_prefix(self, world: LedgerWorld) -> None:
        """However deep, and no others; a prefix need not end at a slash."""
        keys = ["ledgers/acme/prod/a", "ledgers/acme/prod/b/c", "ledgers/acme/prod/b", "ledgers/acme/test/a", "keys/1"]
        for number, key in enumerate(keys):
            world.ledgers.write(key, {"number": number}, 0)
        for ledgers in (world.ledgers, world.ledgers.as_reader()):
            listed = ledgers.list("ledgers/acme/prod/")
            assert sorted(listed) == sorted(keys[:3])
            assert listed["ledgers/acme/prod/b/c"] == Stored({"number": 1}, 1)
            assert sorted(ledgers.list("ledgers/acme/prod/b")) == ["ledgers/acme/prod/b", "ledgers/acme/prod/b/c"]
            assert sorted(ledgers.list("ledgers/acme/")) == sorted(keys[:4])
            assert sorted(ledgers.list("ledg")) == sorted(keys[:4])
            assert sorted(ledgers.list("")) == sorted(keys)
            assert dict(ledgers.list("ledgers/other/")) == {}

    def test_many_documents_are_listed_at_once(self, world: LedgerWorld) -> None:
        """With their contents."""
        for number in range(150):
            world.ledgers.write(f"ledgers/acme/prod/n{number:03}", {"number": number}, 0)
        listed = world.again().list("ledgers/acme/prod/")
        assert [stored.document for _, stored in sorted(listed.items())] == [{"number": n} for n in range(150)]

    def test_a_large_document_is_kept_whole(self, world: LedgerWorld) -> None:
        """Thousands of words, some of them long, as in the ledger of many rotations or a segment of the audit log."""
        many = {"format": 1, "entries": [{"words": f"generation {n}", "why": "“ok”"} for n in range(3000)]}
        long = {"format": 1, "entries": [{"words": "\U0001f511" * 30_000}]}
        for version, document in enumerate((many, long)):
            assert world.ledgers.write(KEY, document, version) == version + 1
            assert world.again().read(KEY) == Stored(document, version + 1)
            assert world.ledgers.as_reader().list("ledgers/") == {KEY: Stored(document, version + 1)}

    def test_a_reader_may_not_write(self, world: LedgerWorld) -> None:
        """It raises AccessDenied before anything is sent."""
        with pytest.raises(AccessDenied):
            world.ledgers.as_reader().write(KEY, DOCUMENT, 0)
        assert world.ledgers.read(KEY) == Stored(None, 0)

    def test_the_time_is_utc_and_does_not_run_backwards(self, world: LedgerWorld) -> None:
        """For runner and reader, before and after a write."""
        first = world.ledgers.now()
        assert first.utcoffset() == timedelta()
        world.ledgers.write(KEY, DOCUMENT, 0)
        assert world.ledgers.now() >= first
        assert world.ledgers.as_reader().now() >= first

    def test_its_descriptor_is_json(self, world: LedgerWorld) -> None:
        """A class path and plain settings."""
        descriptor = world.ledgers.descriptor
        assert ":" in descriptor.kind
        assert json.loads(json.dumps(dict(descriptor.settings))) == dict(descriptor.settings)

    def test_doctor_finds_nothing_wrong(self, world: LedgerWorld) -> None:
        """A ledger store that works passes its own checks."""
        world.ledgers.write(KEY, DOCUMENT, 0)
        for ledgers in (world.ledgers, world.ledgers.as_reader()):
            checks = list(ledgers.diagnose())
            assert checks
            assert all(check.ok for check in checks), checks
