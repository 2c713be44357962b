"""Everything the planner may know about one credential at one moment. Plain values; no I/O behind any of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from keysteward.core.contract.capabilities import Capabilities
from keysteward.core.contract.observed import NOTHING_DELIVERED, Delivered, Mark, ObservedObject
from keysteward.core.declare.spec import NO_KEYS, Spec
from keysteward.core.identity import name_of
from keysteward.core.record.ledger import Generation, Ledger, ObjectRecord, Revoked
from keysteward.core.record.revocation import Recorded

MOST_BEGUN = 2
"""A run begins this many generations of one credential at most: a third would be begun for no other reason."""


@dataclass(frozen=True, slots=True)
class View:
    """One target as this run sees it.

    `started_at` and `clock` are in the target's clock, `taken_at` in the ledger store's: when the listing started.
    """

    capabilities: Capabilities
    started_at: datetime
    taken_at: datetime
    clock: datetime | None = None
    secrets_shown: bool = True
    key_capabilities: Capabilities | None = None

    @property
    def skew(self) -> timedelta:
        """Return how far the target's clock is from the ledger store's."""
        return timedelta() if self.clock is None else abs(self.clock - self.taken_at)


@dataclass(frozen=True, slots=True)
class Found:
    """An object at a target that concerns this credential: by id, by mark or by client_id."""

    target: str
    object: ObservedObject


class Extent(StrEnum):
    """How far the plans of a run reach."""

    ALL = "all"
    LIFECYCLE = "lifecycle"  # what time and faults bring: rotation, retirement, repair; no change of a declaration
    REVOKE = "revoke"  # what a person revoked ends; nothing is deleted and nothing begins
    RENAME = "rename"  # identity in marks, ledger and documents only


@dataclass(frozen=True, slots=True)
class Self:
    """This run: its runner id, how far its plans reach, the attempt nonces it may still send, what it found out.

    `begun` is how many generations it has begun.

    `told` are the places whose consumers it already tried to tell of a generation, as (generation, place). `given` is
    the fingerprint of a value that a person hands over, `asked` are the generations of which a person says that they
    have ended.
    """

    runner: str
    extent: Extent = Extent.ALL
    unsent: frozenset[str] = frozenset()
    alive: frozenset[int] = frozenset()
    prepared: frozenset[int] = frozenset()
    told: frozenset[tuple[int, str]] = frozenset()
    given: str | None = None
    asked: frozenset[int] = frozenset()
    begun: int = 0


@dataclass(frozen=True, slots=True)
class Attested:
    """What the audit log says of one credential's clients.

    `clients` is what was recorded of each, at each change: target, client_id, remote_id and nonce. `named` are the
    client_ids in entries of versions that recorded none of this.
    """

    clients: tuple[Mapping[str, str], ...] = ()
    named: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class World:
    """Declared, recorded, observed and delivered, with the time; `now` is the ledger store's.

    `spec` is None when nothing is declared any more. `names` are the identities this credential has had. `barred` is
    the revocation of what had this identity before, when another credential is to be renamed to it; `rival` is a
    declared earlier name whose open ledger is another credential's. `successor` is when the client was last used that
    takes over from this key, as far as its target shows; `claimed_by` whose the key is already that a declaration
    adopts. `catalogue` are the scopes at its target that the stack's resource servers have, for a declaration that
    adopts. `recorded` is what was revoked without the ledger store and waits to be noted. `attested` is
    what the audit log says, None while it was not asked: it is where a client lacks its mark. `shown_at` are, by the
    number of a living generation, the objects that show its key though its own holder did not.
    """

    identity: str
    spec: Spec | None
    ledger: Ledger | None
    views: Mapping[str, View]
    now: datetime
    me: Self
    found: tuple[Found, ...] = ()
    delivered: Mapping[str, Delivered] = field(default_factory=dict)
    names: frozenset[str] = frozenset()
    successor: datetime | None = None
    claimed_by: str | None = None
    barred: Revoked | None = None
    rival: str | None = None
    catalogue: frozenset[str] = frozenset()
    recorded: Recorded | None = None
    attested: Attested | None = None
    shown_at: Mapping[int, ObservedObject] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Return the name without the stack."""
        return name_of(self.identity)

    def object(self, record: ObjectRecord) -> ObservedObject | None:
        """Return what is observed of one recorded object: by remote id, or by our mark and its nonce."""
        for found in self.found:
            if found.target != record.target:
                continue
            if record.remote_id is not None:
                if found.object.remote_id == record.remote_id:
                    return found.object
            elif found.object.mark == Mark(self.identity, record.nonce):
                return found.object
        return None

    def moved_to(self, generation: Generation) -> ObservedObject | None:
        """Return where a key is by now: another holder shows it, or the target says that none has it.

        None while its own holder has it, and where nothing shows it. It has not ended, whatever its own holder says.
        """
        own = self.object(self.ledger.object_of(generation)) if self.ledger is not None else None
        there = own is not None and any(secret.id == generation.id for secret in own.secrets)
        return None if there else self.shown_at.get(generation.number)

    def can(self, record: ObjectRecord) -> Capabilities | None:
        """Return what a target can do with what an object carries: keys of a holder, or secrets of a client."""
        view = self.views.get(record.target)
        if view is None:
            return None
        return (view.key_capabilities or NO_KEYS) if record.holder else view.capabilities

    def by_client_id(self, target: str, client_id: str) -> ObservedObject | None:
        """Return the object that has this client_id (or remote id)."""
        for found in self.found:
            if found.target == target and client_id in {found.object.client_id, found.object.remote_id}:
                return found.object
        return None

    def at(self, place: str) -> Delivered:
        """Return what a place holds."""
        return self.delivered.get(place, NOTHING_DELIVERED)


def still(at: datetime) -> datetime:
    """Return a moment as a plain datetime."""
    if type(at) is datetime:
        return at
    return datetime(at.year, at.month, at.day, at.hour, at.minute, at.second, at.microsecond, at.tzinfo)
