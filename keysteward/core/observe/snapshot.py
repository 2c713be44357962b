"""One process's view of the world: every target listed once, all ledgers and deliveries in bulk, own writes applied.

The snapshot decides what to show. Before a credential's first write its ledger and objects are read fresh.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeVar

from keysteward.core.contract.facets import key_capabilities
from keysteward.core.contract.observed import (
    NOTHING_DELIVERED,
    TOLERATED_SKEW,
    Delivered,
    Observation,
    ObservedObject,
    ObservedScope,
)
from keysteward.core.contract.ports import Fingerprint, LedgerStore, Store, Stored, Target
from keysteward.core.declare.delivery import Place
from keysteward.core.declare.spec import ServerSpec, Spec
from keysteward.core.declare.stack import second_client_id
from keysteward.core.errors import Damaged, KeystewardError
from keysteward.core.identity import in_stack
from keysteward.core.observe.attested import attested, unproven
from keysteward.core.observe.keys import merged
from keysteward.core.observe.world import Extent, Found, Self, View, World
from keysteward.core.record.evidence import Entry
from keysteward.core.record.ledger import Ledger, Revoked, State, load_ledger
from keysteward.core.record.revocation import Recorded
from keysteward.core.record.server_ledger import ServerLedger, load_server_ledger

LEDGERS = "ledgers"
SERVER_KIND = "ResourceServer"

_Built = TypeVar("_Built")


def ledger_key(identity: str) -> str:
    """Return the key of one ledger in the ledger store."""
    return f"{LEDGERS}/{identity}"


def old_identities(stack: str, spec: Spec | ServerSpec) -> tuple[str, ...]:
    """Return the identities that a declaration had under its earlier names."""
    return tuple(f"{stack}/{name}" for name in spec.previously)


def carried_over(old: Ledger, closed: Ledger | None) -> Ledger:
    """Return a ledger that goes on under a name which had one before: no number of that name is given twice."""
    return old if closed is None else replace(old, next=max(old.next, closed.next))


def barred_by(old: Ledger, closed: Ledger | None, identity: str) -> Revoked | None:
    """Return the revocation that a rename to this identity would lift: of another credential that had it before."""
    return None if closed is None or identity in old.names else closed.revoked


@dataclass(frozen=True, slots=True)
class Inherited:
    """What a credential goes on with: its ledger, or that of an earlier name that is still open.

    `names` are the identities it has had. `renamed_from` is the earlier name whose ledger this one continues and that
    is to be closed, `barred` the revocation that the rename would lift. `rival` is a declared earlier name whose open
    ledger is another credential's.
    """

    ledger: Ledger | None
    names: frozenset[str] = frozenset()
    renamed_from: str | None = None
    barred: Revoked | None = None
    rival: str | None = None


def inherited(
    identity: str, own: Ledger | None, declared: Iterable[str], read: Callable[[str], Ledger | None]
) -> Inherited:
    """Find what a credential goes on with.

    `declared` are its earlier identities as its declaration says; `read` returns the ledger of one. Those that only
    its own ledger names give it no right to a ledger that is open again.
    """
    declared = set(declared)
    if not declared and (own is None or not own.names):
        return Inherited(own)
    known = Inherited(own, frozenset(declared.union(own.names if own is not None else ()) - {identity}))
    for name in sorted(known.names):
        old, ledger = read(name), known.ledger
        if old is None or old.closed is not None:
            continue
        if ledger is not None and ledger.closed is None and _continues(ledger, old):
            known = replace(known, renamed_from=name)
        elif name in declared and (ledger is None or ledger.closed is not None):
            barred = barred_by(old, ledger, identity)
            known = replace(known, ledger=carried_over(old, ledger), renamed_from=name, barred=barred)
        else:
            rival = name if name in declared else known.rival
            known = replace(known, names=known.names - {name}, rival=rival)
    former = known.ledger.names if known.ledger is not None and known.ledger is not own else ()
    return replace(known, names=known.names.union(former) - {identity, known.rival or ""}) if former else known


def _continues(ledger: Ledger, old: Ledger) -> bool:
    """Say whether an open ledger is another one under a new name: a rename that died half way left both open.

    A name alone proves nothing, for two credentials can have had it. The nonces of its attempts are one credential's.
    """
    return old.identity in ledger.names and _attempts(old) <= _attempts(ledger)


def _attempts(ledger: Ledger) -> set[str]:
    return {item.nonce for items in (ledger.objects, ledger.generations) for item in items}


def document_of(stored: Stored, identity: str) -> Mapping[str, Any]:
    """Return the document of a ledger. Raises Damaged when it is none."""
    held: Any = stored.document
    if not isinstance(held, Mapping):
        raise Damaged(f"ledger of {identity!r} is no document: restore it from a backup of the ledger store")
    return held


def read_ledger(stored: Stored, identity: str) -> Ledger | ServerLedger:
    """Read a ledger of either kind. Raises Damaged when it is none."""
    document = document_of(stored, identity)
    if document.get("kind") == SERVER_KIND:
        return load_server_ledger(document, stored.version)
    return load_ledger(document, stored.version)


class Once:
    """Builds a value once per key and remembers a failure as the same error for all who ask."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}
        self._values: dict[str, object] = {}
        self._errors: dict[str, KeystewardError] = {}

    def get(self, key: str, build: Callable[[], _Built]) -> _Built:
        """Return the value of a key, building it at the first call. Raises the error of a failed build again."""
        with self._lock:
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:
            if key in self._errors:
                raise self._errors[key].with_traceback(None)
            if key not in self._values:
                try:
                    self._values[key] = build()
                except KeystewardError as error:
                    self._errors[key] = error
                    raise
                except Exception as error:
                    # whatever an adapter raises is met once, and not by every credential anew
                    told = f"internal error ({type(error).__name__}); run again with KEYSTEWARD_DEBUG=1 and report it"
                    self._errors[key] = KeystewardError(f"{key.replace(':', ' ')}: {told}")
                    raise self._errors[key] from error
            return self._values[key]  # type: ignore[return-value]  # built by this very call's `build`

    def has(self, key: str) -> bool:
        """Say whether the value of a key was built."""
        return key in self._values


class TargetView:
    """What is known of one target: indexed, and changed in place by our own writes."""

    def __init__(self, observation: Observation, view: View) -> None:
        self.view = view
        self._lock = threading.RLock()
        self.by_id: dict[str, ObservedObject] = dict(observation.by_id)
        self.by_client_id: dict[str, str] = {o.client_id: o.remote_id for o in observation.objects}
        self.by_mark: dict[str, set[str]] = {}
        self.by_key: dict[str, set[str]] = {}
        self._holders: dict[str, str] | None = None
        for item in observation.objects:
            self._index(item)
        self.scopes: dict[str, ObservedScope] = dict(observation.scope_by_name)

    def relevant(self, names: Iterable[str], refs: Iterable[str]) -> list[ObservedObject]:
        """Return the objects marked with one of these identities, holders of keys so named, and those of these ids."""
        with self._lock:
            ids = {i for name in names for index in (self.by_mark, self.by_key) for i in index.get(name, ())}
            for ref in refs:
                found = ref if ref in self.by_id else self.by_client_id.get(ref)
                if found is not None:
                    ids.add(found)
            return [self.by_id[i] for i in sorted(ids) if i in self.by_id]

    def put(self, changed: ObservedObject) -> None:
        """Enter or replace one object."""
        with self._lock:
            self.remove(changed.remote_id)
            self.by_id[changed.remote_id] = changed
            self.by_client_id[changed.client_id] = changed.remote_id
            self._index(changed)

    def _index(self, item: ObservedObject) -> None:
        """Enter an object under the identities in its mark and in the names of its keys."""
        if item.mark is not None:
            self.by_mark.setdefault(item.mark.identity, set()).add(item.remote_id)
        for identity in item.keys_of:
            self.by_key.setdefault(identity, set()).add(item.remote_id)
        if item.holder and self._holders is not None:
            self._holders.update((secret.id, item.remote_id) for secret in item.secrets)

    def holding(self, key_id: str) -> ObservedObject | None:
        """Return the holder that shows a key, or what stands for the keys that none has; None when nothing does."""
        with self._lock:
            if self._holders is None:
                holders = (item for item in self.by_id.values() if item.holder)
                self._holders = {secret.id: item.remote_id for item in holders for secret in item.secrets}
            found = self.by_id.get(self._holders.get(key_id, ""))
            return found if found is not None and any(secret.id == key_id for secret in found.secrets) else None

    def remove(self, remote_id: str) -> None:
        """Forget one object."""
        with self._lock:
            old = self.by_id.pop(remote_id, None)
            if old is None:
                return
            if self.by_client_id.get(old.client_id) == remote_id:
                del self.by_client_id[old.client_id]
            if old.mark is not None:
                self.by_mark.get(old.mark.identity, set()).discard(remote_id)
            for identity in old.keys_of:
                self.by_key.get(identity, set()).discard(remote_id)

    def users_of(self, scope: str) -> tuple[ObservedObject, ...]:
        """Return the clients that have a scope, always or on request, and holders with a key that has it."""
        with self._lock:
            objects = list(self.by_id.values())
        return tuple(o for o in objects if scope in o.allowed)


@dataclass(frozen=True)
class Sources:
    """Where a snapshot reads from; for a preview these are the readers."""

    targets: Mapping[str, Target]
    stores: Mapping[str, Store]
    ledgers: LedgerStore
    fingerprint: Fingerprint | None
    complete: Callable[[Ledger | ServerLedger], None] = lambda _ledger: None
    """Makes the targets and stores that a ledger names available, where the program does not mention them."""
    is_dead: Callable[[str], bool] = lambda _runner: False
    """Says whether a runner id is of a process of this host that is gone: its lease counts for nothing."""
    entries: Callable[[], Sequence[Entry]] = tuple
    """Reads the audit log; asked only where a client lacks its mark."""


class Snapshot:
    """The lazily built view of one process. Thread-safe.

    With `only`, ledgers of other identities are not looked at, and a store may be down: in an emergency nothing may
    stop what ends a secret at its target. What a store that is down holds is unknown then; so it is with `lenient`, for
    a look that shows all the rest: why stores were not read is in `unread`, why ledgers were not in `damaged`.
    `records` are revocations without the ledger store that wait to be noted, by identity.
    """

    def __init__(
        self,
        stack: str,
        sources: Sources,
        specs: Mapping[str, Spec],
        runner: str,
        extent: Extent = Extent.ALL,
        only: frozenset[str] | None = None,
        records: Mapping[str, Recorded] | None = None,
    ) -> None:
        self.stack = stack
        self.extent = extent
        self.only = only
        self.lenient = only is not None
        self.unread: dict[str, KeystewardError] = {}
        self.damaged: dict[str, KeystewardError] = {}
        self.sources = sources
        self.specs = dict(specs)
        self.records = dict(records or {})
        self.runner = runner
        self._once = Once()
        self._lock = threading.Lock()

    def target(self, name: str) -> TargetView:
        """Return the view of one target, listing it at the first call."""
        return self._once.get(f"target:{name}", lambda: self._observe(name))

    @property
    def listed(self) -> tuple[str, ...]:
        """Return the names of the targets that were listed and answered."""
        return tuple(sorted(name for name in self.sources.targets if self._once.has(f"target:{name}")))

    def objects(self, name: str) -> tuple[ObservedObject, ...]:
        """Return what one target showed, with our own writes applied."""
        return tuple(self.target(name).by_id.values())

    def _observe(self, name: str) -> TargetView:
        target = self.sources.targets[name]
        taken_at = self.now()
        seen = target.observe(self.sources.fingerprint)
        can, keys = target.capabilities, key_capabilities(target)
        view = View(can, seen.started_at, taken_at, seen.clock, seen.secrets_shown, keys)
        return TargetView(seen, view)

    def now(self) -> datetime:
        """Return the ledger store's time, fresh."""
        return self.sources.ledgers.now()

    @property
    def at(self) -> datetime:
        """Return the ledger store's time at which this snapshot began."""
        return self._once.get("at", self.now)

    @property
    def ledgers(self) -> dict[str, Ledger]:
        """Return the ledgers of the stack's credentials by identity."""
        return self._once.get("ledgers", self._read_ledgers)[0]

    @property
    def server_ledgers(self) -> dict[str, ServerLedger]:
        """Return the ledgers of the stack's resource servers by identity."""
        return self._once.get("ledgers", self._read_ledgers)[1]

    def _read_ledgers(self) -> tuple[dict[str, Ledger], dict[str, ServerLedger]]:
        credentials: dict[str, Ledger] = {}
        servers: dict[str, ServerLedger] = {}
        for key, stored in self.sources.ledgers.list(f"{LEDGERS}/{self.stack}/").items():
            identity = key.removeprefix(f"{LEDGERS}/")
            if not in_stack(self.stack, identity):
                continue  # of a stack whose identity begins with ours
            if stored.document is None or (self.only is not None and identity not in self.only):
                continue
            try:
                ledger = read_ledger(stored, identity)
                if isinstance(ledger, ServerLedger):
                    servers[identity] = ledger
                else:
                    credentials[identity] = ledger
            except Damaged as error:
                if not self.lenient or self.only is not None:
                    raise
                self.damaged[identity] = error
        return credentials, servers

    @property
    def delivered(self) -> dict[str, Delivered]:
        """Return what every place of the stack holds, by "store:path"."""
        return self._once.get("delivered", self._read_delivered)

    def _read_delivered(self) -> dict[str, Delivered]:
        places = {p.key: p for spec in self.specs.values() for p in spec.places}
        places.update((p.key, p) for ledger in self.ledgers.values() if not ledger.closed for p in ledger.places)
        return read_delivered(self.sources.stores, places.values(), lenient=self.lenient, unread=self.unread)

    def world(self, identity: str, spec: Spec | None) -> World:
        """Return the world of one credential."""
        return self.world_of(identity, spec, self.inherited(identity, spec, self.ledgers.get))

    def inherited(self, identity: str, spec: Spec | None, read: Callable[[str], Ledger | None]) -> Inherited:
        """Find what a credential goes on with, whose ledgers `read` returns."""
        declared = old_identities(self.stack, spec) if spec is not None else ()
        return inherited(identity, read(identity), declared, read)

    def attest(self, world: World) -> World:
        """Return the world with what the audit log says, where a client lacks its mark; the log is read once."""
        if world.attested is not None or next(unproven(world), None) is None:
            return world
        try:
            entries = self._once.get("entries", self.sources.entries)
        except KeystewardError:
            if self.only is None:
                raise
            return world
        names = {world.identity, *world.names}
        return replace(world, attested=attested(entry for entry in entries if entry.identity in names))

    def world_of(self, identity: str, spec: Spec | None, known: Inherited) -> World:
        """Return the world of one credential with a ledger that was read by itself."""
        ledger = known.ledger
        if ledger is not None:
            self.sources.complete(ledger)
            if ledger.lease is not None and self.sources.is_dead(ledger.lease.runner):
                ledger = replace(ledger, lease=None)
        names = known.names
        targets = {r.target for r in ledger.objects if not r.deleted} if ledger else set()
        refs = (
            {r.client_id for r in ledger.objects} | {r.remote_id or r.client_id for r in ledger.objects}
            if ledger
            else set()
        )
        if spec is not None:
            targets.add(spec.target)
            refs |= {second_client_id(spec.client_id, number) for number in (1, 2, 3)}
            refs |= {spec.adopt} if spec.adopt else set()
        places = {p.key: p for p in (*(spec.places if spec else ()), *(ledger.places if ledger else ()))}
        self._read_missing(places)
        views = {name: self.target(name) for name in sorted(targets) if name in self.sources.targets}
        seen = World(
            identity=identity,
            spec=spec,
            ledger=ledger,
            views={name: view.view for name, view in views.items()},
            now=self.at,
            me=Self(self.runner, self.extent),
            found=tuple(Found(n, o) for n, v in views.items() for o in v.relevant({identity, *names}, refs)),
            delivered={key: self.delivered.get(key, NOTHING_DELIVERED) for key in places},
            names=names,
            rival=known.rival,
            barred=known.barred,
            successor=self._successor(spec) if spec is not None and spec.silent_for is not None else None,
            claimed_by=self._claimed_by(identity, spec) if spec is not None and spec.key and spec.adopt else None,
            catalogue=self._catalogue(spec.target) if spec is not None and spec.adopt else frozenset(),
            recorded=self.recorded(identity, ledger) if self.records else None,
            shown_at=_shown_at(ledger, views) if ledger is not None else {},
        )
        return self.attest(seen)

    def recorded(self, identity: str, ledger: Ledger | None) -> Recorded | None:
        """Return the record that waits for a credential, under its name or under one that it had when it was made."""
        if identity in self.records:
            return self.records[identity]
        if ledger is None:
            return None
        for name in sorted({ledger.identity, *ledger.names} & self.records.keys()):
            own = self.ledgers.get(name)
            if own is None or own.closed is not None or name == ledger.identity:
                return self.records[name]
        return None

    def _catalogue(self, target: str) -> frozenset[str]:
        """Return the scopes at a target that resource servers of the stack have, those they dropped too."""
        known = [s for s in list(self.server_ledgers.values()) if s.target == target and s.closed is None]
        return frozenset(name for server in known for name in (*server.scopes, *server.dropped))

    def _claimed_by(self, identity: str, spec: Spec) -> str | None:
        """Return whose living generation the key is that a declaration adopts, if another credential's."""
        for other, ledger in list(self.ledgers.items()):
            for generation in ledger.generations if other != identity and ledger.closed is None else ():
                known = ledger.object_of(generation)
                if (
                    generation.id == spec.adopt
                    and known.target == spec.target
                    and generation.state is not State.RETIRED
                ):
                    return other
        return None

    def _successor(self, spec: Spec) -> datetime | None:
        """Return when the client was last used that a key's consumers move to, by somebody else than a run of ours.

        What its target shows may be a proof of ours, so that only a use after the last record of its ledger counts.
        """
        ledger = self.ledgers.get(f"{self.stack}/{spec.migrates_to}")
        if ledger is not None:
            self.sources.complete(ledger)
        times: list[datetime | None] = []
        for record in ledger.objects if ledger is not None else ():
            view = self.target(record.target) if record.target in self.sources.targets else None
            found = view.by_id.get(record.remote_id or "") if view is not None else None
            times += [found.last_used, *(s.last_used for s in found.secrets)] if found is not None else []
        since = ledger.latest + TOLERATED_SKEW if ledger is not None and ledger.latest is not None else None
        return max((t for t in times if t is not None and since is not None and t > since), default=None)

    def everywhere(self, world: World) -> World:
        """Return a world that shows what carries this credential's mark at every target of the stack."""
        views = {name: self.target(name) for name in sorted(self.sources.targets) if name not in world.views}
        marked = tuple(Found(n, o) for n, v in views.items() for o in v.relevant({world.identity, *world.names}, ()))
        shown = {**world.views, **{name: view.view for name, view in views.items()}}
        return replace(world, views=shown, found=(*world.found, *marked))

    def _read_missing(self, places: Mapping[str, Place]) -> None:
        """Ask for places that were not known when the others were read in bulk."""
        missing = [place for key, place in places.items() if key not in self.delivered]
        if missing:
            found = read_delivered(self.sources.stores, missing, lenient=self.lenient, unread=self.unread)
            self.delivered.update(found)

    def undeclared(self) -> list[str]:
        """Return credentials with an open ledger that nothing declares; an old name of a declared one is declared."""
        declared = {name for spec in self.specs.values() for name in (spec.identity, *old_identities(self.stack, spec))}
        return sorted(i for i, ledger in list(self.ledgers.items()) if ledger.closed is None and i not in declared)

    def users_of(self, target: str, scope: str) -> tuple[tuple[str, str | None], ...]:
        """Return what has a scope at a target, each with the identity whose it is: by its mark, a key by its ledger."""
        keys = {g.id: name for name, ledger in self.ledgers.items() for g in ledger.generations if g.id is not None}
        users: list[tuple[str, str | None]] = []
        for item in self.target(target).users_of(scope):
            if not item.holder:
                users.append((item.client_id, item.mark.identity if item.mark else None))
                continue
            having = (secret.id for secret in item.secrets if scope in (secret.scopes or ()))
            users.extend((f"key {key} at {item.client_id}", keys.get(key)) for key in having)
        return tuple(users)

    def renamed_halfway(self, world: World) -> bool:
        """Say whether a rename died between opening the new ledger and closing the old one."""
        return any((old := self.ledgers.get(name)) is not None and old.closed is None for name in world.names)

    def add(self, spec: Spec) -> None:
        """Enter a declaration that becomes known after the snapshot was made."""
        self.specs[spec.identity] = spec

    def absorb(self, before: World, after: World) -> None:
        """Apply our own writes, so that what is planned next in this process sees them."""
        with self._lock:
            gone = {(f.target, f.object.remote_id) for f in before.found} - {
                (f.target, f.object.remote_id) for f in after.found
            }
            for target, remote_id in gone:
                self.target(target).remove(remote_id)
            for found in after.found:
                self.target(found.target).put(self._shared(before, found))
            if after.ledger is not None:
                for name in after.names:
                    self.ledgers.pop(name, None)
                self.ledgers[after.identity] = after.ledger
            self.delivered.update(after.delivered)

    def _shared(self, before: World, found: Found) -> ObservedObject:
        """Return an object as it is to be entered: on a holder other credentials may have changed theirs meanwhile."""
        seen = self.target(found.target).by_id.get(found.object.remote_id)
        if not found.object.holder or seen is None:
            return found.object
        old = next((f.object for f in before.found if f.object.remote_id == found.object.remote_id), None)
        return merged(seen, old.secrets if old is not None else (), found.object)


def _shown_at(ledger: Ledger, views: Mapping[str, TargetView]) -> dict[int, ObservedObject]:
    """Find what shows the keys of living generations that their own holders do not show, by generation."""
    found: dict[int, ObservedObject] = {}
    for generation in ledger.generations:
        record = ledger.object_of(generation)
        view = views.get(record.target) if record.holder and generation.live else None
        if view is None or generation.id is None:
            continue
        own = view.by_id.get(record.remote_id or "")
        if own is not None and any(secret.id == generation.id for secret in own.secrets):
            continue
        other = view.holding(generation.id)
        if other is not None:
            found[generation.number] = other
    return found


def read_delivered(
    stores: Mapping[str, Store],
    places: Iterable[Place],
    *,
    lenient: bool = False,
    unread: dict[str, KeystewardError] | None = None,
) -> dict[str, Delivered]:
    """Ask every store in bulk what it holds at these places; places of unknown stores are left out.

    `lenient`: what a store that does not answer holds is unknown, so that a secret can still end at its target; why it
    did not is kept in `unread`, by store.
    """
    by_store: dict[str, list[str]] = {}
    for place in places:
        by_store.setdefault(place.store, []).append(place.path)
    found: dict[str, Delivered] = {}
    for name, paths in by_store.items():
        if name in stores:
            try:
                held = stores[name].delivered(paths)
            except KeystewardError as error:
                if not lenient:
                    raise
                if unread is not None:
                    unread[name] = error
                held = dict.fromkeys(paths, Delivered(unknown=True))
            found.update((f"{name}:{path}", held.get(path, NOTHING_DELIVERED)) for path in paths)
    return found
