"""Governed sets: keys that others make, counted and held against what was agreed for them. Pure; nothing is changed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase

from keysteward.core.contract.observed import ObservedObject, ObservedSecret
from keysteward.core.declare.credentials import Governed
from keysteward.core.declare.schedule import parse_duration, show_duration
from keysteward.core.findings import Finding, Kind, Severity

MOST_NAMED = 5
"""So many keys are named in one finding; the rest is counted."""


@dataclass(frozen=True, slots=True)
class GovernedKey:
    """One key of a governed set, with its holder."""

    holder: ObservedObject
    secret: ObservedSecret

    def __str__(self) -> str:
        name = f" {self.secret.name!r}" if self.secret.name else ""
        return f"{self.secret.id}{name} of {self.holder.named}"


@dataclass(frozen=True, slots=True)
class GovernedSet:
    """What a governed set comes to now."""

    name: str
    target: str
    owner: str
    keys: tuple[GovernedKey, ...]
    holders: int
    findings: tuple[Finding, ...]


def members(declared: Governed, objects: Iterable[ObservedObject], ours: Collection[str]) -> Iterator[GovernedKey]:
    """Yield the keys that a set selects; `ours` are the ids of keys that ledgers know."""
    for item in objects:
        if not item.holder or (declared.holder_kind is not None and item.holder != declared.holder_kind):
            continue
        names = {item.client_id, item.remote_id, item.label, item.within or item.client_id}
        if not any(fnmatchcase(name, pattern) for name in names for pattern in declared.holders):
            continue
        for secret in item.secrets:
            wanted = any(fnmatchcase(secret.name or "", pattern) for pattern in declared.keys)
            if secret.slot == "key" and secret.id not in ours and wanted:
                yield GovernedKey(item, secret)


def judge_set(
    declared: Governed, stack: str, objects: Iterable[ObservedObject], ours: Collection[str], now: datetime
) -> GovernedSet:
    """Count a set and hold it against its ceiling, its age and its number; expired keys do not count."""
    living = [
        key for key in members(declared, objects, ours) if key.secret.expires_at is None or key.secret.expires_at > now
    ]
    return GovernedSet(
        declared.name,
        declared.target.name,
        declared.owner,
        tuple(living),
        len({key.holder.remote_id for key in living}),
        tuple(_findings(declared, f"{stack}/{declared.name}", living, now)),
    )


def _findings(declared: Governed, identity: str, living: list[GovernedKey], now: datetime) -> Iterator[Finding]:
    beyond: dict[str, list[GovernedKey]] = {}
    for key in living:
        for scope in sorted((key.secret.scopes or frozenset()) - (declared.allowed or frozenset())):
            if declared.allowed is not None:
                beyond.setdefault(scope, []).append(key)
    for scope, keys in sorted(beyond.items()):
        message = f"{_count(keys)} may {scope}, beyond the ceiling: {_named(keys)}"
        yield _finding(
            identity, message, "let its holder replace it by a narrower one, or raise the ceiling in a commit"
        )
    if declared.max_age is not None:
        longest = parse_duration(declared.max_age)
        old = [key for key in living if key.secret.created_at is not None and now - key.secret.created_at > longest]
        if old:
            message = f"{_count(old)} older than {show_duration(longest)}: {_named(old)}"
            yield _finding(identity, message, "ask their holders to replace them")
    if declared.max_count is not None and len(living) > declared.max_count:
        message = f"has {len(living)} keys, and {declared.max_count} were agreed"
        yield _finding(identity, message, "see who makes them, or raise max_count in a commit")


def _count(keys: list[GovernedKey]) -> str:
    return "1 key" if len(keys) == 1 else f"{len(keys)} keys"


def _named(keys: list[GovernedKey]) -> str:
    more = len(keys) - MOST_NAMED
    return ", ".join(str(key) for key in keys[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _finding(identity: str, message: str, mend: str) -> Finding:
    return Finding(Kind.GOVERNED, Severity.WARNING, identity, message, mend)
