"""What one look at everything of a stack saw, and how each thing that exists stands to the stack. Pure.

Drift and inventory are made from the same look, so that they never disagree.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any

from keysteward.core.contract.observed import Delivered, ObservedObject, ObservedScope, ObservedSecret
from keysteward.core.declare.credentials import Allowed
from keysteward.core.declare.owners import Owners
from keysteward.core.declare.spec import Spec
from keysteward.core.declare.stack import Stack
from keysteward.core.drift.governed import GovernedSet
from keysteward.core.drift.inventory import Coverage, Standing
from keysteward.core.findings import Finding
from keysteward.core.identity import in_stack
from keysteward.core.observe.keys import credentials_of, read_name
from keysteward.core.policy import Life
from keysteward.core.record.last_use import Usage
from keysteward.core.record.ledger import RELEASED, Ledger, ObjectRecord
from keysteward.core.record.server_ledger import ServerLedger

MACHINE_GRANT = "client_credentials"


@dataclass(frozen=True, slots=True)
class TargetSight:
    """What one target showed."""

    objects: tuple[ObservedObject, ...]
    scopes: tuple[ObservedScope, ...]


@dataclass(frozen=True, slots=True)
class Examined:
    """One credential, declared or recorded: what the planner says of it, what is due now in words, and when next."""

    identity: str
    spec: Spec | None
    ledger: Ledger | None
    findings: tuple[Finding, ...] = ()
    words: str = ""
    next_due: datetime | None = None
    life: Life = field(default_factory=Life)


@dataclass(frozen=True)
class Seen:
    """One look. `delivered` is what every known place holds, `strays` what places hold that nothing names.

    `findings` are those that no single credential has (undeclared servers, governed sets), `policy` those of the rules;
    `targets` holds those that answered; `heartbeat` is the stack's document of that name, None when there is none, and
    `failures` what could not be read, with why. `logins` are the client_ids, by target, with which the stack's own runs
    log in.
    """

    stack: Stack
    owners: Owners
    at: datetime
    targets: Mapping[str, TargetSight]
    credentials: Mapping[str, Examined]
    servers: Mapping[str, ServerLedger] = field(default_factory=dict)
    governed: tuple[GovernedSet, ...] = ()
    delivered: Mapping[str, Delivered] = field(default_factory=dict)
    strays: Mapping[str, Delivered] = field(default_factory=dict)
    policy: tuple[Finding, ...] = ()
    findings: tuple[Finding, ...] = ()
    heartbeat: Mapping[str, Any] | None = None
    usage: Usage = field(default_factory=Usage)
    failures: tuple[str, ...] = ()
    logins: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @cached_property
    def things(self) -> tuple[Thing, ...]:
        """Everything that exists at the targets, once, with its standing; keys that are over are left out."""
        return tuple(_things(self))

    @cached_property
    def owners_of_objects(self) -> Mapping[tuple[str, str], str]:
        """Identities by target and remote id of the clients that open ledgers name."""
        found: dict[tuple[str, str], str] = {}
        for item in self.credentials.values():
            for record in _records(item):
                if record.remote_id is not None:
                    found[record.target, record.remote_id] = item.identity
        return found

    @cached_property
    def owners_of_names(self) -> Mapping[tuple[str, str], str]:
        """Identities by target and client_id, or other id, of clients whose remote id no ledger knows yet.

        They are under way, or to be adopted. Once a ledger names a client by its id, its client_id says nothing: who
        can delete a client can make another of that name.
        """
        found: dict[tuple[str, str], str] = {}
        for item in self.credentials.values():
            records = _records(item)
            found.update({(r.target, r.client_id): item.identity for r in records if r.remote_id is None})
            spec = item.spec
            if spec is None or spec.adopt is None or spec.key:
                continue
            if not any(r.target == spec.target and r.remote_id is not None for r in records):
                found.setdefault((spec.target, spec.adopt), item.identity)
        return found

    @cached_property
    def owners_of_keys(self) -> Mapping[tuple[str, str], str]:
        """Identities by target and id of the keys that open ledgers name, and of those that are to be adopted."""
        found: dict[tuple[str, str], str] = {}
        for item in self.credentials.values():
            for known in item.ledger.generations if item.ledger is not None and item.ledger.closed is None else ():
                if known.id is not None and known.evidence != RELEASED:
                    found[known.target, known.id] = item.identity
            if item.spec is not None and item.spec.adopt is not None and item.spec.key:
                found.setdefault((item.spec.target, item.spec.adopt), item.identity)
        return found

    @cached_property
    def declared_holders(self) -> frozenset[tuple[str, str]]:
        """Targets and client_ids of the holders that have a declared key."""
        return frozenset((spec.target, spec.client_id) for spec in self.stack.specs.values() if spec.key)

    @cached_property
    def governed_keys(self) -> Mapping[tuple[str, str], GovernedSet]:
        """Governed sets by target and id of their keys."""
        return {(each.target, key.secret.id): each for each in self.governed for key in each.keys}

    @cached_property
    def declared_scopes(self) -> frozenset[tuple[str, str]]:
        """Targets and names of the scopes that are declared, or that our ledgers still know as dropped."""
        declared = {(s.target, name) for s in self.stack.server_specs.values() for name in s.scopes}
        kept = {(s.target, name) for s in self.servers.values() if s.closed is None for name in (*s.scopes, *s.dropped)}
        return frozenset(declared | kept)

    @cached_property
    def standing_allowances(self) -> tuple[Allowed, ...]:
        """Return the allowances that still stand."""
        return tuple(entry for entry in self.stack.allowed if self.at.date() < entry.until)

    def allowed(self, target: str, names: Iterable[str | None]) -> Allowed | None:
        """Return the allowance that names something at a target, if one still stands."""
        given = [name for name in names if name]
        for entry in self.standing_allowances:
            if entry.target.name == target and any(fnmatchcase(n, pattern) for pattern in entry.names for n in given):
                return entry
        return None


@dataclass(frozen=True, slots=True)
class Thing:
    """One credential that exists: a client, or a key of a holder (`key`). `identity` is whose it is, as far as known.

    `set` is the governed set, `allowance` the entry by which it is left alone.
    """

    target: str
    object: ObservedObject
    key: ObservedSecret | None
    standing: Standing
    identity: str | None = None
    set: GovernedSet | None = None
    allowance: Allowed | None = None

    @property
    def id(self) -> str:
        """Return what the target calls it."""
        return self.key.id if self.key is not None else self.object.client_id

    @property
    def machine(self) -> bool:
        """Say whether it is a credential of a machine: it has a secret, or gets tokens for itself."""
        return self.key is not None or bool(self.object.secrets) or MACHINE_GRANT in self.object.settings.grants

    @property
    def counted(self) -> bool:
        """Say whether it counts for the coverage."""
        return self.machine and self.standing is not Standing.BUILT_IN


def part_of_target(item: ObservedObject) -> bool:
    """Say whether a client came with its target, and nobody gave it a service account."""
    return item.built_in and MACHINE_GRANT not in item.settings.grants


def _things(seen: Seen) -> Iterator[Thing]:
    for target, sight in seen.targets.items():
        for item, key in credentials_of(sight.objects, seen.at):
            yield _client(seen, target, item) if key is None else _key(seen, target, item, key)


def _client(seen: Seen, target: str, item: ObservedObject) -> Thing:
    names = seen.owners_of_names
    identity = seen.owners_of_objects.get((target, item.remote_id))
    identity = identity or names.get((target, item.client_id)) or names.get((target, item.remote_id))
    if identity is not None:
        return Thing(target, item, None, _ours(seen, identity), identity)
    if item.mark is not None:
        return _marked(seen, target, item, item.mark.identity)
    if part_of_target(item):
        return Thing(target, item, None, Standing.BUILT_IN)
    allowance = seen.allowed(target, (item.client_id, item.remote_id))
    return Thing(target, item, None, Standing.ALLOWED if allowance else Standing.UNMANAGED, allowance=allowance)


def _marked(seen: Seen, target: str, item: ObservedObject, identity: str) -> Thing:
    """Return what carries a mark and is named by no ledger: beside one that is open it is a copy, and nobody's."""
    known = seen.credentials.get(identity)
    if known is not None and known.ledger is not None and known.ledger.closed is None:
        return Thing(target, item, None, Standing.UNDECLARED)
    own = known is not None or in_stack(seen.stack.identity, identity)
    return Thing(target, item, None, _ours(seen, identity) if own else Standing.ELSEWHERE, identity)


def _key(seen: Seen, target: str, item: ObservedObject, secret: ObservedSecret) -> Thing:
    identity = seen.owners_of_keys.get((target, secret.id))
    if identity is not None:
        return Thing(target, item, secret, _ours(seen, identity), identity)
    governed = seen.governed_keys.get((target, secret.id))
    if governed is not None:
        return Thing(target, item, secret, Standing.GOVERNED, f"{seen.stack.identity}/{governed.name}", governed)
    allowance = seen.allowed(target, (secret.id, secret.name, item.client_id, item.label))
    if allowance is not None:
        return Thing(target, item, secret, Standing.ALLOWED, allowance=allowance)
    name = read_name(secret)
    if name is not None:
        own = in_stack(seen.stack.identity, name.identity)
        return Thing(target, item, secret, Standing.UNDECLARED if own else Standing.ELSEWHERE, name.identity)
    return Thing(target, item, secret, Standing.UNMANAGED)


def _records(item: Examined) -> list[ObjectRecord]:
    """Return the clients of a credential, as its open ledger has them."""
    ledger = item.ledger
    if ledger is None or ledger.closed is not None:
        return []
    return [record for record in ledger.objects if not record.deleted and not record.holder]


def _ours(seen: Seen, identity: str) -> Standing:
    known = seen.credentials.get(identity)
    return Standing.DECLARED if known is not None and known.spec is not None else Standing.UNDECLARED


def coverage(target: str, found: Iterable[Thing]) -> Coverage:
    """Count what exists at one target by how it stands to the stack; what nobody declares any more is unmanaged."""
    counts = dict.fromkeys(Standing, 0)
    for thing in found:
        counts[thing.standing] += thing.counted
    return Coverage(
        target,
        declared=counts[Standing.DECLARED],
        governed=counts[Standing.GOVERNED],
        allowed=counts[Standing.ALLOWED],
        others=counts[Standing.ELSEWHERE],
        unmanaged=counts[Standing.UNMANAGED] + counts[Standing.UNDECLARED],
    )
