"""Ledgers in one SQLite file: the clock, kills, damage, several processes."""

from __future__ import annotations

import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from keysteward.core.errors import AccessDenied, ClockRefused, Damaged, Unavailable, VersionConflict
from keysteward.providers.local import LocalLedgers
from keysteward.providers.local import ledgers as ledgers_module

KEY = "ledgers/acme/prod/billing"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledgers.sqlite3"


def test_looking_makes_no_file(path: Path) -> None:
    ledgers = LocalLedgers("ledgers", path=path)
    ledgers.now()
    list(ledgers.diagnose())
    assert list(path.parent.iterdir()) == []


def test_the_file_is_its_owners(path: Path) -> None:
    ledgers = LocalLedgers("ledgers", path=path)
    ledgers.write(KEY, {}, 0)
    assert {mode(file) for file in path.parent.iterdir()} == {0o600}
    ledgers.close()


def test_every_commit_is_synced(path: Path) -> None:
    ledgers = LocalLedgers("ledgers", path=path)
    ledgers.write(KEY, {}, 0)
    with ledgers._connection.use() as db:
        assert db is not None
        assert db.execute("PRAGMA synchronous").fetchone() == (2,)
        assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    ledgers.close()


def test_a_clock_that_went_back_is_refused(path: Path) -> None:
    at_noon = datetime(2026, 5, 1, 12, tzinfo=UTC)
    times = [at_noon]
    ledgers = LocalLedgers("ledgers", path=path, clock=lambda: times[-1])
    ledgers.write(KEY, {"a": 1}, 0)
    times.append(at_noon - timedelta(seconds=4))
    assert ledgers.now() == at_noon
    ledgers.write(KEY, {"a": 2}, 1)
    times.append(at_noon - timedelta(hours=1))
    for call in (ledgers.now, lambda: ledgers.write(KEY, {"a": 3}, 2), ledgers.as_reader().now):
        with pytest.raises(ClockRefused, match=r"says 2026-05-01 11:00:00 UTC.*written at 2026-05-01 12:00:00"):
            call()
    assert ledgers.read(KEY).version == 2
    assert not all(check.ok for check in ledgers.diagnose())
    times.append(at_noon + timedelta(hours=1))
    assert ledgers.now() == at_noon + timedelta(hours=1)
    ledgers.close()


def test_a_file_cut_short_is_damaged(path: Path) -> None:
    ledgers = LocalLedgers("ledgers", path=path)
    for number in range(200):
        ledgers.write(f"ledgers/{number}", {"text": "x" * 400}, 0)
    ledgers.close()
    whole = path.read_bytes()
    for content in (whole[: len(whole) // 2], whole[:50], b"", b"not a database" * 500):
        path.write_bytes(content)
        for call in (lambda: ledgers.read("ledgers/1"), lambda: ledgers.write("ledgers/1", {}, 1), ledgers.now):
            with pytest.raises(Damaged, match="restore it"):
                call()
        assert [check.ok for check in ledgers.diagnose()] == [False]
    path.write_bytes(whole)
    assert ledgers.read("ledgers/1").version == 1
    ledgers.close()


def test_overwritten_pages_are_damaged(path: Path) -> None:
    ledgers = LocalLedgers("ledgers", path=path)
    for number in range(200):
        ledgers.write(f"ledgers/{number}", {"text": "x" * 400}, 0)
    ledgers.close()
    content = bytearray(path.read_bytes())
    content[4096 * 2 :] = b"\xff" * (len(content) - 4096 * 2)
    path.write_bytes(content)
    with pytest.raises(Damaged, match="restore it from a backup"):
        ledgers.list("ledgers/")


def test_another_programs_file_is_refused(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE t (x)")
    with pytest.raises(Damaged, match="no ledger file of keysteward"):
        LocalLedgers("ledgers", path=path).read(KEY)


def test_a_newer_format_is_refused(path: Path) -> None:
    ledgers = LocalLedgers("ledgers", path=path)
    ledgers.write(KEY, {}, 0)
    ledgers.close()
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version=2")
    with pytest.raises(Damaged, match="format 2"):
        ledgers.read(KEY)


def test_a_document_that_is_not_json_is_named(path: Path) -> None:
    ledgers = LocalLedgers("ledgers", path=path)
    ledgers.write(KEY, {}, 0)
    with ledgers._connection.use() as db:
        assert db is not None
        db.execute("UPDATE documents SET document = '{'")
    with pytest.raises(Damaged, match=KEY):
        ledgers.read(KEY)
    ledgers.close()


def test_a_write_lock_of_another_process_is_unavailable(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("keysteward.providers.local.ledgers.BUSY_TIMEOUT_SECONDS", 0.0)
    ledgers = LocalLedgers("ledgers", path=path)
    ledgers.write(KEY, {}, 0)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unavailable, match="in use by another process"):
            ledgers.write(KEY, {}, 1)
        assert ledgers.read(KEY).version == 1
        other.execute("ROLLBACK")
    assert ledgers.write(KEY, {}, 1) == 2
    ledgers.close()


def test_of_two_processes_one_wins(path: Path) -> None:
    program = (
        "import sys\n"
        "from keysteward.core.errors import VersionConflict\n"
        "from keysteward.providers.local import LocalLedgers\n"
        "ledgers, wins = LocalLedgers('ledgers', path=sys.argv[1]), 0\n"
        "for version in range(100):\n"
        "    try:\n"
        "        ledgers.write('k', {'by': sys.argv[2]}, version)\n"
        "        wins += 1\n"
        "    except VersionConflict:\n"
        "        while ledgers.read('k').version <= version:\n"
        "            pass\n"
        "ledgers.close()\n"
        "print(wins)\n"
    )
    runs = [
        subprocess.Popen([sys.executable, "-c", program, str(path), name], stdout=subprocess.PIPE, text=True)
        for name in ("a", "b")
    ]
    wins = [int(run.communicate(timeout=60)[0]) for run in runs]
    assert sum(wins) == 100
    ledgers = LocalLedgers("ledgers", path=path)
    assert ledgers.read("k").version == 100
    ledgers.close()


def test_a_kill_in_a_transaction_leaves_the_old_document(path: Path) -> None:
    ledgers = LocalLedgers("ledgers", path=path)
    ledgers.write("k", {"a": 1}, 0)
    program = (
        "import os, sys\n"
        "from keysteward.providers.local import LocalLedgers\n"
        "ledgers = LocalLedgers('ledgers', path=sys.argv[1])\n"
        "ledgers._record_time = lambda db: (db.execute(\"UPDATE documents SET document = '{}'\"), os._exit(9))\n"
        "ledgers.write('k', {'a': 2}, 1)\n"
    )
    assert subprocess.run([sys.executable, "-c", program, str(path)], check=False).returncode == 9
    assert ledgers.read("k").document == {"a": 1}
    assert ledgers.write("k", {"a": 2}, 1) == 2
    ledgers.close()


def test_a_reader_works_in_a_folder_it_may_not_write(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledgers = LocalLedgers("ledgers", path=path)
    ledgers.write(KEY, {"a": 1}, 0)
    ledgers.close()
    connect, asked = ledgers_module._connect, []

    def refusing(uri: str) -> sqlite3.Connection:
        """Do as SQLite does where the index of the log can neither be found nor made."""
        asked.append(uri.rpartition("?")[2])
        if "immutable" not in uri:
            raise sqlite3.OperationalError("unable to open database file")
        return connect(uri)

    monkeypatch.setattr(ledgers_module, "_connect", refusing)
    reader = ledgers.as_reader()
    assert reader.read(KEY).document == {"a": 1}
    assert asked == ["mode=ro", "mode=ro&immutable=1"]
    reader.close()


def test_a_stale_version_is_refused_before_the_clock_is_asked(path: Path) -> None:
    ledgers = LocalLedgers("ledgers", path=path)
    ledgers.write(KEY, {}, 0)
    with pytest.raises(VersionConflict, match="has version 1, not 0"):
        ledgers.write(KEY, {}, 0)
    with pytest.raises(AccessDenied):
        ledgers.as_reader().write(KEY, {}, 1)
    ledgers.close()
