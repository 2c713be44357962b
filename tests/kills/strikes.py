"""A process that ends itself by SIGKILL at one of its own writes to the disk: before it, or after it."""

from __future__ import annotations

import os
import signal
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

Moment = Literal["before", "after"]
MOMENTS: tuple[Moment, ...] = ("before", "after")

NEW = os.O_CREAT | getattr(os, "O_TMPFILE", 0) & ~os.O_DIRECTORY
"""Flags of a file that is made by being opened."""

WRITES: tuple[tuple[Any, str], ...] = (
    (os, "mkdir"),
    (os, "rmdir"),
    (os, "link"),
    (os, "replace"),
    (os, "unlink"),
    (os, "fsync"),
)
"""All calls by which the local store and ledger store change what is on the disk, beside those of SQLite and those that
make a file.
"""


@dataclass
class Strike:
    """The end of this process at its write number `at`, counted over files, folders and SQLite's statements."""

    at: int
    moment: Moment
    count: int = field(default=0, init=False)

    def arm(self) -> None:
        """Count from now on."""
        for module, name in WRITES:
            setattr(module, name, self.counted(getattr(module, name)))
        strike, connect, plain_open = self, sqlite3.connect, os.open

        def opening(path: Any, flags: int, *rest: Any, **named: Any) -> int:  # noqa: ANN401 - the signature of os.open
            return (strike.counted(plain_open) if flags & NEW else plain_open)(path, flags, *rest, **named)

        os.open = opening

        class Connection(sqlite3.Connection):
            """One whose writes count."""

            def commit(self) -> None:
                strike.counted(super().commit)()

            def execute(self, sql: str, *arguments: Any) -> sqlite3.Cursor:  # noqa: ANN401 - sqlite3's own signature
                plain = super().execute
                reads = sql.startswith(("SELECT", "PRAGMA"))
                return plain(sql, *arguments) if reads else strike.counted(plain)(sql, *arguments)

            def executescript(self, sql: str) -> sqlite3.Cursor:
                return strike.counted(super().executescript)(sql)

        sqlite3.connect = lambda *given, **named: connect(*given, **{**named, "factory": Connection})

    def counted(self, write: Callable[..., Any]) -> Callable[..., Any]:
        """Return the write with the strike around it."""

        def struck(*given: Any, **named: Any) -> Any:  # noqa: ANN401 - the write's own signature
            self.count += 1
            number = self.count
            if (number, self.moment) == (self.at, "before"):
                os.kill(os.getpid(), signal.SIGKILL)
            done = write(*given, **named)
            if (number, self.moment) == (self.at, "after"):
                os.kill(os.getpid(), signal.SIGKILL)
            return done

        return struck
