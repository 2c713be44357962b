"""Last use as it was seen: what targets show of it, kept from run to run, since their logs forget. Pure.

Kept by day in documents of the ledger store, sixteen to a stack, so that none grows beyond what a store takes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from typing import Any

from keysteward.core.contract.observed import ObservedObject

USAGE_FORMAT = 1
SHARDS = tuple("0123456789abcdef")


@dataclass(frozen=True, slots=True)
class Usage:
    """The last day on which each client or key was seen to be used, by "target:id"."""

    days: Mapping[str, date] = field(default_factory=dict)

    def last(self, target: str, remote_id: str) -> datetime | None:
        """Return the beginning of the last day of use that was noted, None when none was."""
        day = self.days.get(f"{target}:{remote_id}")
        return None if day is None else datetime.combine(day, time(), tzinfo=UTC)


def usage_prefix(stack: str) -> str:
    """Return what the keys of a stack's documents begin with in the ledger store."""
    return f"usage/{stack}/"


def shard_of(key: str) -> str:
    """Return which document a client or key is noted in."""
    return hashlib.sha256(key.encode()).hexdigest()[0]


def read_usage(documents: Iterable[Mapping[str, Any] | None]) -> Usage:
    """Read what was noted; what is no date is left out."""
    days: dict[str, date] = {}
    for document in documents:
        noted = (document or {}).get("days")
        for key, day in noted.items() if isinstance(noted, Mapping) else ():
            try:
                days[key] = date.fromisoformat(day)
            except (TypeError, ValueError):
                continue
    return Usage(days)


def seen_days(target: str, objects: Iterable[ObservedObject]) -> Iterator[tuple[str, date]]:
    """Yield the last day of use that a target shows of each client and key."""
    for item in objects:
        if item.last_used is not None:
            yield f"{target}:{item.remote_id}", item.last_used.date()
        used = [secret for secret in item.secrets if secret.last_used is not None]
        for secret in used:
            if secret.last_used is not None:
                yield f"{target}:{secret.id if item.holder else item.remote_id}", secret.last_used.date()


def later(noted: Usage, seen: Iterable[tuple[str, date]]) -> dict[str, dict[str, date]]:
    """Return, for each document that has to be written, the days that are later than those noted."""
    changed: dict[str, dict[str, date]] = {}
    for key, day in seen:
        known = changed.get(shard_of(key), {}).get(key) or noted.days.get(key)
        if known is None or day > known:
            changed.setdefault(shard_of(key), {})[key] = day
    return changed


def note_usage(document: Mapping[str, Any] | None, days: Mapping[str, date]) -> dict[str, Any]:
    """Return the document to write: what it holds, with these days where they are later."""
    held = dict(read_usage([document]).days)
    for key, day in days.items():
        held[key] = max(day, held.get(key, day))
    return {"format": USAGE_FORMAT, "days": {key: held[key].isoformat() for key in sorted(held)}}
