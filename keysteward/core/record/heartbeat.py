"""The heartbeat of a stack: when a run last came by, what it was, how it ended. Pure; for those who watch the job."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

HEARTBEAT_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """One run that could write. `at` is the ledger store's time; `door` "keysteward" or "pulumi".

    `command` is what was asked for ("up", "rotate", ...), `counts` says how many credentials ended with each outcome,
    `outcome` is "done", "failed" or "stopped".
    """

    at: datetime
    runner: str
    door: str
    command: str
    outcome: str
    counts: Mapping[str, int] = field(default_factory=dict)


def heartbeat_key(stack: str) -> str:
    """Return the key of a stack's heartbeat in the ledger store."""
    return f"heartbeat/{stack}"


def last_beat(document: Mapping[str, Any] | None) -> datetime | None:
    """Return when the last run came by; None where the document does not say, or says what is no time."""
    try:
        at = datetime.fromisoformat((document or {})["at"])
        return at.astimezone(UTC) if at.tzinfo is not None else None
    except (KeyError, TypeError, ValueError, OverflowError):
        return None


def note_run(document: Mapping[str, Any] | None, beat: Heartbeat) -> dict[str, Any]:
    """Return the document to write: this run, and when each command last ran and how that ended."""
    at = beat.at.isoformat()
    known = (document or {}).get("last")
    last = {**(known if isinstance(known, Mapping) else {}), beat.command: {"at": at, "outcome": beat.outcome}}
    return {
        "format": HEARTBEAT_FORMAT,
        "at": at,
        "runner": beat.runner,
        "door": beat.door,
        "command": beat.command,
        "counts": dict(sorted(beat.counts.items())),
        "outcome": beat.outcome,
        "last": dict(sorted(last.items())),
    }
