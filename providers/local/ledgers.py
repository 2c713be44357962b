"""A ledger store in one SQLite file, for runs on one machine."""

from __future__ import annotations

import copy
import json
import logging
import os
import sqlite3
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

from keysteward.core.contract.ports import Check, Descriptor, Stored
from keysteward.core.errors import (
    AccessDenied,
    ClockRefused,
    Damaged,
    KeystewardError,
    OutcomeUnknown,
    Unavailable,
    VersionConflict,
)
from keysteward.host.files import create_file, file_errors
from keysteward.host.json_text import json_text

log = logging.getLogger(__name__)

CLOCK_TOLERANCE = timedelta(seconds=5)
"""How far a clock may step back (NTP) before its time is refused."""

BUSY_TIMEOUT_SECONDS = 30.0
"""How long a write waits for another process; writes take milliseconds."""

_APPLICATION_ID = 0x6B737477  # "kstw": tells our file from any other SQLite file
_FORMAT = 1
_LOG_VERSIONS = slice(18, 20)
"""Where a database says that it has a write-ahead log, as none in memory does; sqlite.org/fileformat2, 1.3.3."""

_LAST_CHARACTER = "\U0010ffff"
_SCHEMA = f"""
PRAGMA application_id={_APPLICATION_ID};
PRAGMA user_version={_FORMAT};
CREATE TABLE documents (key TEXT PRIMARY KEY, version INTEGER NOT NULL, document TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE clock (latest TEXT NOT NULL);
"""


def system_clock() -> datetime:
    """Return the machine's time in UTC."""
    return datetime.now(UTC)


class LocalLedgers:
    """Ledgers in one SQLite file (write-ahead log, every commit synced to disk); threads and processes may share it.

    The file is made by the first write. There is no server whose time could be asked: `clock` is, and it is refused
    once it is earlier than the latest time at which something was written.
    """

    def __init__(self, name: str, *, path: str | Path, clock: Callable[[], datetime] = system_clock) -> None:
        self.name = name
        self._given = str(path)
        self._path = Path(path).expanduser()
        self._clock = clock
        self._reading = False
        self._connection = _Connection(self._path, reading=False)

    def __repr__(self) -> str:
        return f"LocalLedgers({self.name!r}, path={self._given!r})"

    @property
    def descriptor(self) -> Descriptor:
        """How to make this ledger store again."""
        return Descriptor("keysteward.providers.local:LocalLedgers", {"name": self.name, "path": self._given})

    def as_reader(self) -> Self:
        """Return the same ledger store, opened for reading only."""
        reader = copy.copy(self)
        reader._reading = True  # noqa: SLF001 - a copy of ourselves
        reader._connection = _Connection(self._path, reading=True)  # noqa: SLF001
        return reader

    def close(self) -> None:
        """Close the file; the next call opens it again."""
        self._connection.close()

    def now(self) -> datetime:
        """Return the clock's time, never earlier than the latest recorded one. Raises ClockRefused when it is off."""
        with self._connection.use() as db:
            latest = None if db is None else _latest(db)
        return self._checked(latest)

    def read(self, key: str) -> Stored:
        """Read one document."""
        with self._connection.use() as db:
            row = db and db.execute("SELECT version, document FROM documents WHERE key = ?", (key,)).fetchone()
        return self._stored(key, *row) if row else Stored(None, 0)

    def write(self, key: str, document: Mapping[str, Any], expected: int) -> int:
        """Write one document in a transaction that checks its version, and record the time."""
        if self._reading:
            raise AccessDenied(f"{self.name}: a reader may not write ledgers; use the runner", operation="write")
        text = json_text(document)
        with self._connection.use(create=True) as db:
            if db is None:
                raise Unavailable(f"{self._path} could not be made; fix the folder")
            with _transaction(db, self._path):
                row = db.execute("SELECT version FROM documents WHERE key = ?", (key,)).fetchone()
                found = row[0] if row else 0
                if found != expected:
                    raise VersionConflict(
                        f"{key} has version {found}, not {expected}: another run wrote it; read it again",
                        operation="write",
                    )
                self._record_time(db)
                db.execute("REPLACE INTO documents VALUES (?, ?, ?)", (key, expected + 1, text))
        return expected + 1

    def list(self, prefix: str) -> Mapping[str, Stored]:
        """Read all documents under a prefix in one query."""
        with self._connection.use() as db:
            if db is None:
                return {}
            query = "SELECT key, version, document FROM documents WHERE key >= ? AND key < ? ORDER BY key"
            rows = db.execute(query, (prefix, prefix + _LAST_CHARACTER)).fetchall()
        return {key: self._stored(key, version, text) for key, version, text in rows}

    def diagnose(self) -> Iterable[Check]:
        """Say whether the file is whole and the clock credible."""
        subject = f"{self.name} ledgers"
        try:
            with self._connection.use() as db:
                problem = None if db is None else db.execute("PRAGMA quick_check(1)").fetchone()[0]
                count = 0 if db is None else db.execute("SELECT count(*) FROM documents").fetchone()[0]
            self.now()
        except KeystewardError as error:
            yield Check(subject, ok=False, detail=error.message)
            return
        whole = problem in {None, "ok"}
        state = f"{count} documents" if whole else f"damaged ({problem}): restore it from a backup"
        yield Check(subject, whole, f"{self._path}: {state}")

    def _checked(self, latest: datetime | None) -> datetime:
        now = self._clock()
        if latest is None or now >= latest:
            return now
        if latest - now > CLOCK_TOLERANCE:
            raise ClockRefused(
                f"this machine's clock says {now:%Y-%m-%d %H:%M:%S} UTC, but {self._path} was last written at "
                f"{latest:%Y-%m-%d %H:%M:%S} UTC: set the clock right before any secret is ended by mistake; if it is "
                "right, a clock that was ahead wrote the file: put back its last backup, as docs/emergency.md says"
            )
        return latest

    def _record_time(self, db: sqlite3.Connection) -> None:
        latest = _latest(db)
        now = self._checked(latest)
        if latest is None:
            db.execute("INSERT INTO clock VALUES (?)", (now.isoformat(),))
        elif now > latest:
            db.execute("UPDATE clock SET latest = ?", (now.isoformat(),))

    def _stored(self, key: str, version: int, text: str) -> Stored:
        try:
            return Stored(json.loads(text), version)
        except (ValueError, RecursionError):
            raise Damaged(f"{key} in {self._path} is not JSON: restore the file from a backup") from None


class _Connection:
    """One SQLite connection, opened when it is first needed, used by one thread at a time, never across a fork."""

    def __init__(self, path: Path, *, reading: bool) -> None:
        self._path = path
        self._reading = reading
        self._lock = threading.RLock()
        self._db: sqlite3.Connection | None = None
        self._process = 0
        self._closer: Callable[[], object] | None = None

    @contextmanager
    def use(self, *, create: bool = False) -> Iterator[sqlite3.Connection | None]:
        """Lend the connection; None when there is no file yet. SQLite's errors leave as ours."""
        failure: KeystewardError
        with self._lock:
            try:
                with file_errors(str(self._path)):
                    yield self._opened(create=create)
            except sqlite3.Error as error:
                failure = self._translated(error)
            else:
                return
            self.close()
        raise failure

    def close(self) -> None:
        """Close it, unless it belongs to the parent of a fork."""
        with self._lock:
            if self._closer is not None and self._process == os.getpid():
                self._closer()
            self._db = self._closer = None

    def _opened(self, *, create: bool) -> sqlite3.Connection | None:
        if self._db is not None and self._process == os.getpid():
            return self._db
        if not self._path.exists():
            if not create:
                return None
            _create(self._path)
        _check_length(self._path)
        mode = "ro" if self._reading else "rw"
        db = self._connect(f"{self._path.absolute().as_uri()}?mode={mode}")
        try:
            db.execute("PRAGMA synchronous=FULL")
            self._check_format(db)
        except BaseException:
            db.close()
            raise
        self._db, self._process = db, os.getpid()
        self._closer = weakref.finalize(self, db.close)
        return db

    def _connect(self, uri: str) -> sqlite3.Connection:
        """Open the file; where a reader may not make the index of the log and there is no log, the file is all."""
        try:
            return _connect(uri)
        except sqlite3.OperationalError:
            if not self._reading or self._path.with_name(f"{self._path.name}-wal").exists():
                raise
        return _connect(f"{uri}&immutable=1")

    def _check_format(self, db: sqlite3.Connection) -> None:
        application = db.execute("PRAGMA application_id").fetchone()[0]
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if application != _APPLICATION_ID:
            raise Damaged(f"{self._path} is no ledger file of keysteward: restore it, or name another file")
        if version != _FORMAT:
            raise Damaged(f"{self._path} has format {version}, not {_FORMAT}: use the version that wrote it")

    def _translated(self, error: sqlite3.Error) -> KeystewardError:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code == sqlite3.SQLITE_BUSY:
            return Unavailable(f"{self._path} is in use by another process: run again when it is done")
        if code in {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH}:
            return AccessDenied(f"{self._path}: no right to write; run as its owner, or give the right")
        if code in {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN}:
            return Unavailable(f"{self._path} cannot be used ({error}): fix the disk or folder, then run again")
        return Damaged(f"{self._path} is damaged ({error}): restore it from a backup")


def _connect(uri: str) -> sqlite3.Connection:
    db = sqlite3.connect(uri, uri=True, timeout=BUSY_TIMEOUT_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        db.execute("PRAGMA schema_version").fetchone()  # opens the file
    except BaseException:
        db.close()
        raise
    return db


@contextmanager
def _transaction(db: sqlite3.Connection, path: Path) -> Iterator[None]:
    """Hold SQLite's write lock; a commit that fails half-way raises OutcomeUnknown."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        db.rollback()
        raise
    failed = False
    try:
        db.commit()
    except sqlite3.Error:
        failed = True
        with suppress(sqlite3.Error):
            db.rollback()
    if failed:
        raise OutcomeUnknown(f"{path}: a write could not be finished; free or fix the disk, then run again")


def _create(path: Path) -> None:
    """Make an empty ledger file in memory and put it there whole, so that a kill leaves no half file."""
    with closing(sqlite3.connect(":memory:")) as db:
        db.executescript(_SCHEMA)
        empty = bytearray(db.serialize())
    empty[_LOG_VERSIONS] = b"\2\2"
    if create_file(path, bytes(empty)):
        log.info("file=%s operation=create outcome=done", path)


def _check_length(path: Path) -> None:
    """Refuse a file shorter than its header says. Pages that are still in the log may be missing from it."""
    with suppress(FileNotFoundError):  # another process that closes the file folds its log in and removes it
        if path.with_name(f"{path.name}-wal").stat().st_size > 0:
            return
    with path.open("rb") as file:
        header = file.read(32)
    page_size = int.from_bytes(header[16:18], "big")
    expected = (1 << 16 if page_size == 1 else page_size) * int.from_bytes(header[28:32], "big")
    if len(header) < 32 or path.stat().st_size < expected:  # noqa: PLR2004 - sqlite.org/fileformat2.html, 1.3
        raise Damaged(f"{path} is cut short: restore it from a backup")


def _latest(db: sqlite3.Connection) -> datetime | None:
    row = db.execute("SELECT latest FROM clock").fetchone()
    return datetime.fromisoformat(row[0]) if row else None
