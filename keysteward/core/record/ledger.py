"""The ledger: the durable record of one credential's generations. It never holds a secret.

One document per credential, written by compare-and-set. Every change is a pure function from ledger to ledger, so
that a preview, a run and a simulation go through the same transitions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from keysteward.core.contract.observed import Settings
from keysteward.core.contract.strategy import Strategy
from keysteward.core.declare.delivery import Place
from keysteward.core.declare.spec import Summary
from keysteward.core.errors import Damaged
from keysteward.core.identity import name_of
from keysteward.core.record.evidence import Entry
from keysteward.core.record.fast_replace import replace

LEDGER_FORMAT = 1

LEASE = timedelta(minutes=5)
"""How long a lease runs from the last ledger write: longer than any call with its retries."""


class State(StrEnum):
    """Where a generation stands; see docs/life-of-a-credential.md."""

    INTENT = "intent"
    ISSUED = "issued"
    VERIFIED = "verified"
    CURRENT = "current"
    PREVIOUS = "previous"
    RETIRING = "retiring"
    ABANDONED = "abandoned"
    RETIRED = "retired"


UNFINISHED = frozenset({State.INTENT, State.ISSUED, State.VERIFIED})
LIVE = frozenset({State.CURRENT, State.PREVIOUS, State.RETIRING, State.VERIFIED, State.ISSUED})
"""States in which the secret authenticates, or may."""


_CURRENT = State.CURRENT
"""Asked for a score of times for each credential; Python 3.11 is slow to find a member through its class."""

RELEASED = "released, not ended"
"""Evidence of a generation that was left to others with its client or holder: it is not ours any more."""


class Origin(StrEnum):
    """How a generation came to us."""

    ISSUED = "issued"
    ADOPTED = "adopted"


@dataclass(frozen=True, slots=True)
class Lease:
    """Who works on a credential: runner id, until when (ledger store's clock), and the plan it carries out."""

    runner: str
    until: datetime
    words: str = ""


@dataclass(frozen=True, slots=True)
class ObjectRecord:
    """One object (client, application) at a target that carries this credential's secrets.

    `nonce` marks the attempt that creates it; until `remote_id` is known, an object with our mark and this nonce is
    the one we made. `external` objects are managed by somebody else: only their secret is ours. A `holder` is one of
    them that carries API keys, ours beside those of others; `off` are the ids of those that we have disabled. `kept` is
    what an adopted client was set to when it was adopted.
    """

    key: int
    target: str
    client_id: str
    method: str
    nonce: str
    remote_id: str | None = None
    external: bool = False
    holder: bool = False
    adopted: bool = False
    marked: bool = True
    suspended: bool = False
    off: tuple[str, ...] = ()
    deleted: bool = False
    kept: Settings | None = None

    @property
    def noun(self) -> str:
        """Return what of this object is ours, in words."""
        return f"the key at {self.client_id}" if self.holder else f"client {self.client_id}"


@dataclass(frozen=True, slots=True)
class Generation:
    """One issued secret of a credential. Times are aware UTC; `*_target` times are in the target's clock.

    `due_by` is when a secret that was taken over is first to be replaced, where that is before its interval ends.
    `ends_at` is a person's word on when it ends, which outranks its overlap: of a previous generation after a reissue,
    of an abandoned one after a rollback. `notified` are the places whose consumers were told of it. `confirmed` is how
    it is known that a person ended what only a person can end.
    """

    number: int
    state: State
    object: int
    target: str
    method: str
    strategy: Strategy
    delivery: tuple[str, ...]
    nonce: str
    facts: str
    asked_at: datetime
    origin: Origin = Origin.ISSUED
    fingerprint: str | None = None
    id: str | None = None
    asked_at_target: datetime | None = None
    baseline: tuple[str, ...] = ()
    regen_at: datetime | None = None
    issued_at: datetime | None = None
    current_since: datetime | None = None
    due_by: datetime | None = None
    superseded_at: datetime | None = None
    ends_at: datetime | None = None
    ended_at: datetime | None = None
    evidence: str | None = None
    suspects: tuple[str, ...] = ()
    notified: tuple[str, ...] = ()
    confirmed: str | None = None

    @property
    def in_use_since(self) -> datetime:
        """Return from when its interval counts: since it is current, and before that since it was asked for."""
        return self.current_since or self.asked_at

    @property
    def endable(self) -> bool:
        """Say whether it may be recorded as ended: what a person issued by hand only once its end is known."""
        return not self.strategy.by_person or self.confirmed is not None

    @property
    def live(self) -> bool:
        """Say whether its secret authenticates, or may."""
        return self.state in LIVE


@dataclass(frozen=True, slots=True)
class Blocked:
    """Why no further attempt is made, and the digest of the declaration it was blocked under."""

    reason: str
    digest: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Failed:
    """When and why the last run could not do what was due."""

    at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Held:
    """A person's word that no rotation begins and no overlap ends until a date; expiry and revocation go on."""

    until: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Revoked:
    """An emergency stop: these generations (None: all, now and later) stay ended until a person lifts it."""

    at: datetime
    reason: str
    generations: tuple[int, ...] | None = None

    def covers(self, number: int) -> bool:
        """Say whether a generation is among those revoked."""
        return self.generations is None or number in self.generations


@dataclass(frozen=True, slots=True)
class Suspended:
    """A person's word that the credential is disabled until it is resumed."""

    at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Logged:
    """Where in the audit log this ledger's entries went last: number of the segment and hash of its head."""

    segment: int
    head: str


@dataclass(frozen=True, slots=True)
class Executed:
    """The words of the last plan carried out, and how many plans have been."""

    count: int = 0
    words: str = ""


@dataclass(frozen=True, slots=True)
class Ledger:
    """The record of one credential. `version` is the store's compare-and-set version, 0 when never written.

    `reissue` is the reason of a reissue that was asked for, `grace` how long older generations live after it (None:
    their overlap); `rollback` the generation a person wants back; `names` are earlier identities. `migrated` is when
    a transitional key was found silent and its client in use. `failed` stands until a run gets through. `outbox` holds
    entries on their way into the audit log. `recorded` are the ids of the records that revoked it without the ledger
    store, `lifted` when a person last lifted a revocation.
    """

    identity: str
    incarnation: str
    kind: str
    names: tuple[str, ...] = ()
    format: int = LEDGER_FORMAT
    version: int = 0
    next: int = 1
    lease: Lease | None = None
    latest: datetime | None = None
    about: Summary | None = None
    targets: Mapping[str, Any] = field(default_factory=dict)
    stores: Mapping[str, Any] = field(default_factory=dict)
    places: tuple[Place, ...] = ()
    objects: tuple[ObjectRecord, ...] = ()
    generations: tuple[Generation, ...] = ()
    blocked: Blocked | None = None
    failed: Failed | None = None
    revoked: Revoked | None = None
    recorded: tuple[str, ...] = ()
    lifted: datetime | None = None
    held: Held | None = None
    suspended: Suspended | None = None
    reissue: str | None = None
    grace: timedelta | None = None
    rollback: int | None = None
    ended_elsewhere: int | None = None
    adopted_by: str | None = None
    migrated: datetime | None = None
    executed: Executed = field(default_factory=Executed)
    closed: datetime | None = None
    outbox: tuple[Entry, ...] = ()
    logged: Logged | None = None

    @property
    def name(self) -> str:
        """Return the name without the stack."""
        return name_of(self.identity)

    @property
    def current(self) -> Generation | None:
        """Return the generation that consumers are meant to use."""
        for generation in reversed(self.generations):
            if generation.state is _CURRENT:
                return generation
        return None

    @property
    def unfinished(self) -> Generation | None:
        """Return the generation whose making is under way."""
        for generation in reversed(self.generations):
            if generation.state in UNFINISHED:
                return generation
        return None

    @property
    def wholly_revoked(self) -> Revoked | None:
        """Return a person's word that ends the credential as a whole, and not only some of its generations."""
        return self.revoked if self.revoked is not None and self.revoked.generations is None else None

    def in_state(self, state: State) -> tuple[Generation, ...]:
        """Return the generations in one state, oldest first."""
        for generation in self.generations:
            if generation.state is state:
                return tuple([g for g in self.generations if g.state is state])
        return ()

    def generation(self, number: int) -> Generation:
        """Return one generation. Raises KeyError when there was none of that number."""
        for generation in self.generations:
            if generation.number == number:
                return generation
        raise KeyError(number)

    def object(self, key: int) -> ObjectRecord:
        """Return one object record. Raises KeyError when there is none."""
        for record in self.objects:
            if record.key == key:
                return record
        raise KeyError(key)

    def object_of(self, generation: Generation) -> ObjectRecord:
        """Return the object that carries this generation's secret."""
        key = generation.object
        for record in self.objects:
            if record.key == key:
                return record
        raise KeyError(key)

    def shares_object(self, generation: Generation) -> bool:
        """Say whether another generation that may work lives on the same object."""
        return any(g.live and g.object == generation.object and g.number != generation.number for g in self.generations)

    @property
    def only_released(self) -> bool:
        """Say whether ending this credential takes nothing away at any target."""
        keys = any(g.live and g.origin is Origin.ISSUED and self.object_of(g).holder for g in self.generations)
        return not keys and all(r.adopted or r.external or r.deleted for r in self.objects)

    def place(self, key: str) -> Place:
        """Return one place by "store:path". Raises KeyError when this credential was never delivered there."""
        for place in self.places:
            if place.key == key:
                return place
        raise KeyError(key)

    def with_generation(self, number: int, **changes: Any) -> Ledger:  # noqa: ANN401 - forwarded to changed
        """Return the ledger with one generation changed."""
        return replace(
            self,
            generations=tuple([replace(g, **changes) if g.number == number else g for g in self.generations]),
        )

    def with_object(self, key: int, **changes: Any) -> Ledger:  # noqa: ANN401 - forwarded to changed
        """Return the ledger with one object record changed."""
        return replace(self, objects=tuple([replace(o, **changes) if o.key == key else o for o in self.objects]))

    def with_places(self, places: Iterable[Place]) -> Ledger:
        """Return the ledger that also remembers these places; what it knew of them is replaced."""
        known = {place.key: place for place in self.places}
        known.update((place.key, place) for place in places)
        return replace(self, places=tuple(known.values()))


@cache
def _ledgers() -> TypeAdapter[Ledger]:
    """Return what reads and writes ledgers; made by the first use, when a run already waits for its targets."""
    return TypeAdapter(Ledger)


def dump_ledger(ledger: Ledger) -> dict[str, Any]:
    """Write a ledger as the JSON document that is stored; `version` is the store's and left out."""
    document: dict[str, Any] = _ledgers().dump_python(ledger, mode="json", exclude_defaults=True)
    document.pop("version", None)
    return {"format": LEDGER_FORMAT, **document}


def load_ledger(document: Mapping[str, Any], version: int) -> Ledger:
    """Read a stored document. Raises Damaged when it is not a ledger of a format we know."""
    if document.get("format") != LEDGER_FORMAT:
        raise Damaged(
            f"ledger of {document.get('identity', 'unknown')!r} has format {document.get('format')!r}, "
            f"this keysteward reads format {LEDGER_FORMAT}: use the version of keysteward that wrote it"
        )
    try:
        return _ledgers().validate_python({**document, "version": version})
    except ValidationError as error:
        raise Damaged(
            f"ledger of {document.get('identity', 'unknown')!r} cannot be read "
            f"({error.error_count()} fields are wrong): restore it from a backup of the ledger store"
        ) from None


def age(ledger: Ledger, by: timedelta) -> Ledger:
    """Return the ledger as if everything in it had happened `by` earlier: time passing, for servers without a clock."""

    def back(value: datetime | None) -> datetime | None:
        return None if value is None else value - by

    aged = tuple(
        replace(
            g,
            asked_at=g.asked_at - by,
            asked_at_target=back(g.asked_at_target),
            regen_at=back(g.regen_at),
            issued_at=back(g.issued_at),
            current_since=back(g.current_since),
            superseded_at=back(g.superseded_at),
            ends_at=back(g.ends_at),
            ended_at=back(g.ended_at),
        )
        for g in ledger.generations
    )
    lease = None if ledger.lease is None else replace(ledger.lease, until=ledger.lease.until - by)
    return replace(
        ledger,
        generations=aged,
        lease=lease,
        latest=back(ledger.latest),
        lifted=back(ledger.lifted),
        closed=back(ledger.closed),
    )
