"""In-memory ports with a clock that is set: a target of any kind, a store and a ledger store.

They implement the contract and nothing of any vendor. A test sets what the target can do by its `Capabilities`.
"""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from pydantic import SecretStr

from keysteward.core.contract.capabilities import Capabilities
from keysteward.core.contract.observed import (
    OVERWRITTEN,
    Delivered,
    DeliveredEntry,
    Mark,
    Observation,
    ObservedObject,
    ObservedScope,
    ObservedSecret,
    Settings,
)
from keysteward.core.contract.ports import (
    About,
    Action,
    Check,
    Claim,
    Created,
    Descriptor,
    Fingerprint,
    Issued,
    Material,
    ObjectRef,
    Order,
    Proof,
    ScopeWant,
    StageEntry,
    Stored,
    Verification,
)
from keysteward.core.declare.delivery import Delivery, Webhook
from keysteward.core.errors import Conflict, NotFound, Rejected, VersionConflict

DEFAULT_LIFETIME_SECONDS = 300
START = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)


class Clock:
    """A clock that is set. `sleep` moves it, so that waiting costs no time."""

    def __init__(self, start: datetime = START) -> None:
        self.now = start

    def advance(self, by: timedelta) -> None:
        """Let time pass."""
        self.now += by

    def sleep(self, seconds: float) -> None:
        """Let seconds pass."""
        self.now += timedelta(seconds=seconds)

    def monotonic(self) -> float:
        """Return seconds since the start."""
        return (self.now - START).total_seconds()


def material(value: str, method: str = "client_secret", kid: str | None = None) -> Material:
    """Make a value whose canonical text is itself; a key pair when `kid` is given."""
    return Material(method, SecretStr(value), SecretStr(value), kid, {"kid": kid, "x": value} if kid else None)


class Mint:
    """Makes recognisable values: "secret-1", "secret-2", ... and key pairs "key-1"."""

    def __init__(self) -> None:
        self._count = itertools.count(1)

    def __call__(self, method: str) -> Material:
        """Make the next value."""
        number = next(self._count)
        if method == "private_key_jwt":
            return material(f"key-{number}", method, f"kid-{number}")
        return material(f"secret-{number}")


@dataclass
class MemorySecret:
    """A secret as the target knows it."""

    id: str
    value: str
    slot: str
    created_at: datetime
    name: str | None = None
    last_used: datetime | None = None
    canonical: str = ""
    enabled: bool = True
    scopes: frozenset[str] | None = None
    expires_at: datetime | None = None


@dataclass
class MemoryObject:
    """A client, or a holder of keys, as the target knows it."""

    remote_id: str
    client_id: str
    settings: Settings
    mark: Mark | None
    enabled: bool = True
    secrets: list[MemorySecret] = field(default_factory=list)
    native: bool = False
    holder: str = ""
    label: str = ""
    built_in: bool = False
    loose: bool = False


Fault = Callable[[str], None]


class MemoryTarget:
    """A target of any kind, for many threads.

    `calls` counts operations; `fault(op)` may raise before, `after(op)` after the work.
    A secret that cannot be read back is shown without its fingerprint, by its id alone; public keys always have one.
    `beyond` is what clients may do beyond their scopes, by client_id; while it is empty no proof tells.
    """

    def __init__(
        self, name: str, capabilities: Capabilities, clock: Clock, key_capabilities: Capabilities | None = None
    ) -> None:
        self.name = name
        self.capabilities = capabilities
        self.key_capabilities = key_capabilities
        self.clock = clock
        self.objects: dict[str, MemoryObject] = {}
        self.scopes: dict[str, ObservedScope] = {}
        self.calls: list[str] = []
        self.before: Fault = lambda _operation: None
        self.after: Fault = lambda _operation: None
        self.refuse: Callable[[Claim], str | None] = lambda _claim: None
        self.skew = timedelta()
        self.beyond: dict[str, frozenset[str]] = {}
        self._ids = itertools.count(1)

    @property
    def token_url(self) -> str:
        """See the port."""
        return f"memory://{self.name}/token"

    @property
    def descriptor(self) -> Descriptor:
        """See the port."""
        return Descriptor("keysteward.testing.memory:MemoryTarget", {"name": self.name})

    def as_reader(self) -> MemoryTarget:
        """See the port."""
        return self

    def _call(self, operation: str) -> None:
        self.calls.append(operation)
        self.before(operation)

    def _done(self, operation: str) -> None:
        self.after(operation)

    def _get(self, remote_id: str) -> MemoryObject:
        if remote_id not in self.objects:
            raise NotFound(f"no client {remote_id}", target=self.name)
        return self.objects[remote_id]

    def _show(self, item: MemoryObject, fingerprint: Fingerprint | None) -> ObservedObject:
        shown = fingerprint if self._can(item).readable or item.settings.method == "private_key_jwt" else None
        secrets = tuple(
            ObservedSecret(
                s.id,
                s.slot,
                shown(s.canonical or s.value) if shown else None,
                created_at=s.created_at,
                expires_at=s.expires_at,
                last_used=s.last_used,
                name=s.name,
                enabled=s.enabled,
                scopes=s.scopes,
            )
            for s in item.secrets
        )
        return ObservedObject(
            item.remote_id,
            item.client_id,
            item.enabled,
            item.settings,
            secrets,
            item.mark,
            created_at=START,
            holder=item.holder,
            label=item.label,
            built_in=item.built_in,
            loose=item.loose,
        )

    def hold(self, name: str) -> MemoryObject:
        """Make a holder of keys, as somebody else would."""
        item = MemoryObject(name, name, Settings("api_key", grants=frozenset()), None, holder="account")
        self.objects[name] = item
        return item

    def _can(self, item: MemoryObject) -> Capabilities:
        return (self.key_capabilities or self.capabilities) if item.holder else self.capabilities

    def observe(self, fingerprint: Fingerprint | None) -> Observation:
        """See the port."""
        self._call("observe")
        now = self.clock.now + self.skew
        objects = tuple(self._show(o, fingerprint) for o in list(self.objects.values()))
        return Observation(self.name, now, now, objects, tuple(self.scopes.values()))

    def look(self, ref: ObjectRef, fingerprint: Fingerprint | None) -> ObservedObject | None:
        """See the port."""
        self._call("look")
        for item in list(self.objects.values()):
            if ref.remote_id == item.remote_id or (ref.remote_id is None and ref.client_id == item.client_id):
                return self._show(item, fingerprint)
        return None

    def create(self, client_id: str, want: Settings, mark: Mark, material: Material | None) -> Created:
        """See the port."""
        self._call("create")
        assigned = self.capabilities.assigns_client_id
        for item in list(self.objects.values()):
            if item.mark == mark and (assigned or item.client_id == client_id):
                return Created(item.remote_id, item.client_id)
            if item.client_id == client_id:
                raise Conflict(f"client_id {client_id!r} is taken", target=self.name)
        number = next(self._ids)
        item = MemoryObject(f"obj-{number}", f"client-{number}" if assigned else client_id, want, mark, label=client_id)
        self.objects[item.remote_id] = item
        beside = self.capabilities.adds_values and material is not None and material.kid is None
        first = None
        if material is not None:
            first = self._add(item, Order(Action.ADD), material) if beside else self._set(item, material)
        self._done("create")
        return Created(item.remote_id, item.client_id, first.id if beside and first else None)

    def update(self, remote_id: str, want: Settings, mark: Mark | None) -> None:
        """See the port."""
        self._call("update")
        item = self._get(remote_id)
        item.settings, item.mark = want, mark or item.mark
        self._done("update")

    def mark(self, remote_id: str, mark: Mark) -> None:
        """See the port."""
        self._call("mark")
        self._get(remote_id).mark = mark
        self._done("mark")

    def release(self, remote_id: str) -> None:
        """See the port."""
        self._call("release")
        self._get(remote_id).mark = None
        self._done("release")

    def rename(self, remote_id: str, client_id: str) -> None:
        """See the port."""
        self._call("rename")
        if any(o.client_id == client_id and i != remote_id for i, o in list(self.objects.items())):
            raise Conflict(f"client_id {client_id!r} is taken", target=self.name)
        self._get(remote_id).client_id = client_id
        self._done("rename")

    def prepare(self, remote_id: str, overlap: timedelta) -> None:
        """See the port."""
        self._call("prepare")
        self._get(remote_id).native = overlap > timedelta()
        self._done("prepare")

    def _set(self, item: MemoryObject, value: Material) -> MemorySecret:
        slot = "key" if value.kid else "primary"
        secret = MemorySecret(value.kid or slot, value.value.get_secret_value(), slot, self.clock.now + self.skew)
        secret.canonical = value.canonical.get_secret_value()
        if item.settings.method != value.method:
            item.secrets = []
            item.settings = replace(item.settings, method=value.method)
        item.secrets = [s for s in item.secrets if s.id != secret.id]
        item.secrets.append(secret)
        return secret

    def issue(self, remote_id: str, order: Order) -> Issued:
        """See the port."""
        self._call(f"issue {order.action}")
        item = self._get(remote_id)
        issued = Issued()
        if order.action is Action.MINT:
            made = material(f"minted-{next(self._ids)}", item.settings.method)
            issued = Issued(self._add(item, order, made).id, made)
        elif order.action is Action.SHIFT:
            old = next((s for s in item.secrets if s.slot == "primary"), None)
            item.secrets = []
            if old is not None and item.native:
                item.secrets.append(replace(old, id="rotated", slot="rotated"))
            self._set(item, material(f"random-{next(self._ids)}"))
        elif order.material is not None and order.action is Action.ADD and order.material.kid is None:
            issued = Issued(self._add(item, order, order.material).id, None)
        elif order.material is not None:
            item.secrets = [s for s in item.secrets if s.id not in order.instead]
            issued = Issued(self._set(item, order.material).id)
        self._done(f"issue {order.action}")
        return issued

    def _add(self, item: MemoryObject, order: Order, value: Material) -> MemorySecret:
        """Put one more secret beside the others; a value of ours that is there already is found again."""
        can, text = self._can(item), value.value.get_secret_value()
        there = next((s for s in item.secrets if s.value == text), None)
        if there is not None:
            return there
        if len(item.secrets) >= can.secrets:
            raise Rejected(f"{item.client_id} has all its secrets", target=self.name)
        name = order.name if can.named_keys or can.tags_secrets else None
        made = MemorySecret(f"sec-{next(self._ids)}", text, "key", self.clock.now + self.skew, name)
        if item.holder:
            made.scopes = order.scopes if "scopes" in can.immutable else None
            made.expires_at = order.expires if "expires" in can.immutable else None
        item.secrets.append(made)
        return made

    def retire(self, remote_id: str, secret: ObservedSecret) -> None:
        """See the port."""
        self._call("retire")
        item = self._holding(remote_id, secret)
        if item is None:
            self._done("retire")
            return
        item.secrets = [s for s in item.secrets if s.id != secret.id]
        if secret.slot == "primary":
            self._set(item, material(f"random-{next(self._ids)}"))
        self._done("retire")

    def _holding(self, remote_id: str, secret: ObservedSecret) -> MemoryObject | None:
        """Return the object, or the holder that has the key by now: a key ends by its id alone, and may be gone."""
        own = self.objects.get(remote_id)
        if secret.slot != "key" or (own is not None and not own.holder):
            return self._get(remote_id)
        held = (o for o in list(self.objects.values()) if o.holder and any(s.id == secret.id for s in o.secrets))
        return next(held, own)

    def suspend(self, remote_id: str, keys: Sequence[str] = ()) -> None:
        """See the port."""
        self._call("suspend")
        self._switch(remote_id, keys, on=False)
        self._done("suspend")

    def resume(self, remote_id: str, keys: Sequence[str] = ()) -> None:
        """See the port."""
        self._call("resume")
        self._switch(remote_id, keys, on=True)
        self._done("resume")

    def _switch(self, remote_id: str, keys: Sequence[str], *, on: bool) -> None:
        item = self._get(remote_id)
        if not item.holder:
            item.enabled = on
        for secret in item.secrets:
            secret.enabled = on if secret.id in keys else secret.enabled

    def delete(self, remote_id: str) -> None:
        """See the port."""
        self._call("delete")
        self.objects.pop(remote_id, None)
        self._done("delete")

    def works(self, client_id: str, value: str) -> bool:
        """Say whether a value authenticates a client now: what its consumer would find."""
        return any(
            o.enabled and o.client_id == client_id and any(s.value == value and self._alive(s) for s in o.secrets)
            for o in list(self.objects.values())
        )

    def _alive(self, secret: MemorySecret) -> bool:
        return secret.enabled and (secret.expires_at is None or self.clock.now + self.skew < secret.expires_at)

    def verify(self, claim: Claim) -> Verification:
        """See the port."""
        self._call("verify")
        if not self.works(claim.client_id, claim.material.value.get_secret_value()):
            return Verification(Proof.REFUSED, "the secret is refused")
        item = next(o for o in list(self.objects.values()) if o.client_id == claim.client_id)
        wrong = self.refuse(claim) or self._defect(claim, item.settings)
        rights = self.beyond.get(claim.client_id, frozenset()) if self.beyond else None
        return Verification(Proof.WRONG, wrong, rights) if wrong else Verification(Proof.PROVEN, rights=rights)

    def rights(self, remote_id: str) -> frozenset[str]:
        """See the port."""
        self._call("rights")
        item = self.objects.get(remote_id)
        return self.beyond.get(item.client_id, frozenset()) if item is not None else frozenset()

    def _defect(self, claim: Claim, settings: Settings) -> str | None:
        """Say what a token of this client, or a key, would lack."""
        if claim.material.method == "api_key":
            value = claim.material.value.get_secret_value()
            key = next(s for o in list(self.objects.values()) for s in o.secrets if s.value == value)
            missing = sorted(claim.scopes - key.scopes) if key.scopes is not None else []
            return f"it may not {', '.join(missing)}" if missing else None
        granted = settings.scopes | (claim.optional_scopes & settings.optional_scopes)
        audiences = {self.scopes[name].audience for name in granted if name in self.scopes}
        if not set(claim.audiences) <= audiences:
            return "the audience is missing"
        if not (claim.scopes | claim.optional_scopes) <= granted:
            return "a scope is missing"
        lifetime = settings.token_lifetime or DEFAULT_LIFETIME_SECONDS
        return None if claim.token_lifetime is None or lifetime <= claim.token_lifetime else "it lives too long"

    def put_scope(self, want: ScopeWant, remote_id: str | None) -> str:
        """See the port."""
        self._call("put_scope")
        known = self.scopes.get(want.name)
        identifier = remote_id or (known.remote_id if known else f"scope-{next(self._ids)}")
        self.scopes[want.name] = ObservedScope(identifier, want.name, want.description, want.audience, want.mark)
        return identifier

    def drop_scope(self, remote_id: str) -> None:
        """See the port."""
        self._call("drop_scope")
        self.scopes = {name: s for name, s in list(self.scopes.items()) if s.remote_id != remote_id}

    def diagnose(self) -> Iterable[Check]:
        """See the port."""
        return [Check(self.name, ok=True, detail="in memory")]


class MemoryStore:
    """A store in memory; `documents` is what consumers read, `staging` what they may not."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.documents: dict[str, dict[str, tuple[StageEntry, Material, str] | None]] = {}
        self.owners: dict[str, str | None] = {}
        self.staging: dict[str, dict[int, tuple[StageEntry, Material]]] = {}
        self.before: Fault = lambda _operation: None
        self.after: Fault = lambda _operation: None

    @property
    def descriptor(self) -> Descriptor:
        """See the port."""
        return Descriptor("keysteward.testing.memory:MemoryStore", {"name": self.name})

    def as_reader(self) -> MemoryStore:
        """See the port."""
        return self

    def path(
        self,
        path: str,
        *,
        fields: Mapping[str, str] | None = None,
        take_over: bool = False,
        webhook: Webhook | None = None,
    ) -> Delivery:
        """Declare a place in this store."""
        return Delivery(self, path, fields or {}, take_over, webhook)

    def neighbours(self, paths: Iterable[str]) -> Iterable[str]:
        """See the port."""
        self.before("neighbours")
        folders = {path.rpartition("/")[0] for path in paths}
        return sorted(path for path in list(self.documents) if path.rpartition("/")[0] in folders)

    def reads(self, path: str) -> str | None:
        """Return the current value as a consumer reads it."""
        held = self.documents.get(path, {}).get("current")
        return held[1].value.get_secret_value() if held else None

    def delivered(self, paths: Iterable[str]) -> Mapping[str, Delivered]:
        """See the port."""
        self.before("delivered")
        found = {}
        for path in paths:
            document = self.documents.get(path)
            staged = tuple(self._entry(e, None) for e, _ in self.staging.get(path, {}).values())
            if document is None:
                found[path] = Delivered(path in self.owners, self.owners.get(path), staged=staged)
                continue
            current, previous = document.get("current"), document.get("previous")
            found[path] = Delivered(
                exists=True,
                identity=self.owners.get(path),
                current=self._entry(current[0], current[2]) if current else None,
                previous=self._entry(previous[0], previous[2]) if previous else None,
                staged=staged,
            )
        return found

    @staticmethod
    def _entry(entry: StageEntry, about: str | None) -> DeliveredEntry:
        return DeliveredEntry(entry.generation, entry.fingerprint, entry.nonce, entry.remote_id, about)

    def stage(self, path: str, entry: StageEntry, material: Material) -> None:
        """See the port."""
        self.before("stage")
        staged = self.staging.setdefault(path, {})
        known = staged.get(entry.generation)
        if known is not None and known[0].fingerprint != entry.fingerprint:
            raise Conflict(f"another value is staged at {path}")
        staged[entry.generation] = (entry, material)
        self.after("stage")

    def read(self, path: str, generation: int) -> Material | None:
        """See the port."""
        self.before("read")
        return self._held(path, generation)

    def _held(self, path: str, generation: int) -> Material | None:
        if generation in self.staging.get(path, {}):
            return self.staging[path][generation][1]
        for held in list(self.documents.get(path, {}).values()):
            if held is not None and held[0].generation == generation and held[0].fingerprint != OVERWRITTEN:
                return held[1]
        return None

    def promote(
        self, path: str, entry: StageEntry, about: About, fields: Mapping[str, str], *, rollback: bool = False
    ) -> None:
        """See the port."""
        self.before("promote")
        if self.owners.get(path, about.identity) != about.identity:
            raise Conflict(f"{path} belongs to {self.owners[path]}")
        del fields
        document = self.documents.get(path, {"current": None, "previous": None})
        current = document["current"]
        if current is not None and current[0].generation > entry.generation and not rollback:
            raise Conflict(f"{path} holds a newer generation")
        value = self._held(path, entry.generation)
        if value is None:
            raise Conflict(f"{path} holds no value of generation {entry.generation}")
        self.documents[path] = document
        if current is None or current[0].generation != entry.generation:
            document["previous"] = None if rollback else current
        document["current"] = (entry, value, about.digest)
        self.owners[path] = about.identity
        self.staging.get(path, {}).pop(entry.generation, None)
        self.after("promote")

    def take_over(self, path: str, identity: str, *, renamed: bool = False) -> None:
        """See the port."""
        self.owners[path] = identity
        if not renamed:
            self.documents.pop(path, None)

    def discard(self, path: str, identity: str, generation: int) -> None:
        """See the port."""
        self.before("discard")
        self.staging.get(path, {}).pop(generation, None)
        document = self.documents.get(path)
        if document is None or self.owners.get(path) != identity:
            return
        for slot, held in list(document.items()):
            if held is not None and held[0].generation == generation:
                document[slot] = None
        if not any(document.values()):
            del self.documents[path]
            self.owners.pop(path, None)
        self.after("discard")

    def diagnose(self, paths: Iterable[str]) -> Iterable[Check]:
        """See the port."""
        return [Check(self.name, ok=True, detail=f"in memory, {len(list(paths))} paths")]


class MemoryLedgers:
    """A ledger store in memory, for many threads; documents are copied through JSON, as a real one would."""

    def __init__(self, name: str, clock: Clock) -> None:
        self.name = name
        self.clock = clock
        self.documents: dict[str, tuple[str, int]] = {}
        self.writes = 0
        self.before: Fault = lambda _operation: None
        self.after: Fault = lambda _operation: None
        self._comparing = threading.Lock()

    def __getstate__(self) -> dict[str, object]:
        """Leave the lock out: a copy has one of its own."""
        return {name: held for name, held in self.__dict__.items() if name != "_comparing"}

    def __setstate__(self, state: dict[str, object]) -> None:
        """Take over what was kept, with a new lock."""
        self.__dict__.update(state, _comparing=threading.Lock())

    @property
    def descriptor(self) -> Descriptor:
        """See the port."""
        return Descriptor("keysteward.testing.memory:MemoryLedgers", {"name": self.name})

    def as_reader(self) -> MemoryLedgers:
        """See the port."""
        return self

    def now(self) -> datetime:
        """See the port."""
        return self.clock.now

    def read(self, key: str) -> Stored:
        """See the port."""
        self.before("read")
        text, version = self.documents.get(key, ("null", 0))
        return Stored(json.loads(text), version)

    def write(self, key: str, document: Mapping[str, object], expected: int) -> int:
        """See the port."""
        self.before("write")
        text = json.dumps(dict(document))
        with self._comparing:
            version = self.documents.get(key, ("", 0))[1]
            if version != expected:
                raise VersionConflict(f"{key} has version {version}, not {expected}")
            self.documents[key] = (text, version + 1)
            self.writes += 1
        self.after("write")
        return version + 1

    def list(self, prefix: str) -> Mapping[str, Stored]:
        """See the port."""
        return {
            key: Stored(json.loads(text), version)
            for key, (text, version) in list(self.documents.items())
            if key.startswith(prefix)
        }

    def diagnose(self) -> Iterable[Check]:
        """See the port."""
        return [Check(self.name, ok=True, detail="in memory")]
