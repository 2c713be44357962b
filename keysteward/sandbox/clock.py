"""A clock that can be set: the one source of time for all stand-ins of a sandbox."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta


class Clock:
    """Real time plus an offset; setting the clock changes the offset only, so it runs on from there.

    Safe to share between threads and between stand-ins. Nothing is kept when the process ends.
    """

    def __init__(self) -> None:
        self._offset = timedelta()
        self._lock = threading.Lock()

    def now(self) -> datetime:
        """Return the present moment as an aware UTC datetime."""
        with self._lock:
            return datetime.now(UTC) + self._offset

    def epoch_seconds(self) -> int:
        """Return the present moment as whole seconds since 1970."""
        return int(self.now().timestamp())

    def set(self, now: datetime) -> None:
        """Make ``now`` the present moment; it must be aware."""
        if now.tzinfo is None:
            raise ValueError("the clock is set to an aware datetime: give a time zone")
        with self._lock:
            self._offset = now.astimezone(UTC) - datetime.now(UTC)

    def advance(self, step: timedelta) -> None:
        """Move the present moment by ``step``; a negative one moves it back."""
        with self._lock:
            self._offset += step
