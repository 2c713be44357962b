"""Targets, stores and ledger stores of the simulation: the in-memory ports, with a gate at every call.

The gate is where the simulation strikes: it may let another runner go first, raise before the work, or take the answer
away after it. `sim_world.Simulation` is the gate.
"""

from __future__ import annotations

import copy
import itertools
import json
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random
from typing import Any, Protocol

from keysteward.core.contract.capabilities import Capabilities
from keysteward.core.contract.observed import Mark, Observation, ObservedObject, ObservedSecret, Settings
from keysteward.core.contract.ports import About, Created, Fingerprint, Issued, Material, Order, StageEntry, Stored
from keysteward.core.errors import Rejected, VersionConflict
from keysteward.testing.memory import Clock, MemoryLedgers, MemoryObject, MemorySecret, MemoryStore, MemoryTarget


class Gate(Protocol):
    """What every call of every port goes through."""

    def enter(self, port: str, operation: str, about: str) -> None:
        """Come before the work: may raise, and may let somebody else act first."""

    def leave(self, port: str, operation: str, about: str) -> None:
        """Come after the work: may raise, so that the answer is lost."""

    def doubled(self) -> bool:
        """Say whether the network delivers this request twice."""

    def caller(self) -> str:
        """Name who calls now; "" for somebody who is no runner."""


@dataclass(frozen=True)
class UnderWay:
    """One runner's call: how it would be done again, and what it is about."""

    again: Callable[[], object] | None = None
    order: Order | None = None
    ending: tuple[str, MemorySecret] | None = None


class Seen(Protocol):
    """Who looks at single calls."""

    def minting(self, target: SimTarget, name: str) -> None:
        """See a secret being minted."""

    def retiring(self, target: SimTarget, remote_id: str, secret: MemorySecret) -> None:
        """See a secret being ended."""

    def written(self, old: dict[str, Any] | None, new: dict[str, Any]) -> None:
        """See a ledger being written."""


class SimTarget(MemoryTarget):
    """A target with list lag, propagation, last use, and secrets it may not show."""

    def __init__(self, name: str, capabilities: Capabilities, clock: Clock, gate: Gate, rng: Random) -> None:
        super().__init__(name, capabilities, clock)
        self.gate = gate
        self.rng = rng
        self.history: deque[tuple[datetime, dict[str, MemoryObject]]] = deque(maxlen=24)
        self._ids = itertools.count(1 if name == "idp" else 50_001)  # no id and no value stands at both
        self.doubles: set[str] = set()
        self.mine: dict[str, set[str]] = {}
        self.quiet = False
        self.slot_retired = False
        self.seen: Seen
        self._under_way: dict[str, UnderWay] = {}

    def _call(self, operation: str) -> None:
        if not self.quiet:
            self.gate.enter(self.name, operation, "")

    def _done(self, operation: str) -> None:
        if self.quiet:
            self.remember()
            return
        call = self._under_way.pop(self.gate.caller(), UnderWay())
        if call.again is not None and self.gate.doubled():
            with self.silently(), suppress(Rejected):
                self.doubles |= self._values_after(call.again)
        self.remember()
        self._report(operation, call)
        self.gate.leave(self.name, operation, "")

    def remember(self) -> None:
        """Keep what a list may still show for a while."""
        if self.capabilities.list_lag:
            self.history.append((self.clock.now, copy.deepcopy(self.objects)))

    def _values_after(self, again: Callable[[], object]) -> set[str]:
        """Let a request arrive a second time; returns the values that nobody was told."""
        before = self._values()
        again()
        return {value for value in self._values() - before if value.startswith("minted")}

    def _values(self) -> set[str]:
        return {s.value for item in self.objects.values() for s in item.secrets}

    def _report(self, operation: str, call: UnderWay) -> None:
        """Tell the simulation what was minted or ended by this very call."""
        if operation == "issue mint" and call.order is not None:
            self.seen.minting(self, call.order.name or "")
        self.slot_retired = call.ending is not None and call.ending[1].slot != "key"
        if operation == "retire" and call.ending is not None:
            self.seen.retiring(self, *call.ending)

    @contextmanager
    def silently(self) -> Iterator[None]:
        """Act without the gate: what a stranger does, or a request that arrives twice."""
        self.quiet = True
        try:
            yield
        finally:
            self.quiet = False

    def _show(self, item: MemoryObject, fingerprint: Fingerprint | None) -> ObservedObject:
        shown = super()._show(item, fingerprint if self.capabilities.readable else None)
        if self.capabilities.last_use == "client":
            used = max((s.last_used for s in item.secrets if s.last_used), default=None)
            shown = replace(shown, last_used=used)
        if self.capabilities.last_use != "secret":
            shown = replace(shown, secrets=tuple(replace(s, last_used=None) for s in shown.secrets))
        if not self.capabilities.readable:
            # A public key is shown whoever asks; its fingerprint is that of its thumbprint.
            keys = {s.id: s.canonical or s.value for s in item.secrets if s.id.startswith("kid-")}
            secrets = tuple(
                replace(s, fingerprint=fingerprint(keys[s.id])) if fingerprint and s.id in keys else s
                for s in shown.secrets
            )
            shown = replace(shown, secrets=secrets)
        return shown

    def observe(self, fingerprint: Fingerprint | None) -> Observation:
        """List, possibly from before the last writes, as far back as the capabilities admit."""
        self._call("observe")
        now, lag = self.clock.now, self.capabilities.list_lag
        objects = self.objects
        if lag and self.history and self.rng.random() < 0.5:
            old = now - lag * self.rng.random()
            earlier = [state for at, state in self.history if at <= old]
            objects = earlier[-1] if earlier else (objects if len(self.history) < 24 else self.history[0][1])
        shown = tuple(self._show(o, fingerprint) for o in objects.values())
        return Observation(self.name, now + self.skew, now + self.skew, shown, tuple(self.scopes.values()))

    def create(self, client_id: str, want: Settings, mark: Mark, material: Material | None) -> Created:
        """Create; a request that arrives twice finds what the first one made."""
        again = lambda: super(SimTarget, self).create(client_id, want, mark, material)  # noqa: E731
        self._under_way[self.gate.caller()] = UnderWay(again)
        return super().create(client_id, want, mark, material)

    def issue(self, remote_id: str, order: Order) -> Issued:
        """Issue; a request that arrives twice mints or shifts twice, and only one answer comes back."""
        again = lambda: super(SimTarget, self).issue(remote_id, order)  # noqa: E731
        self._under_way[self.gate.caller()] = UnderWay(again, order)
        return super().issue(remote_id, order)

    def retire(self, remote_id: str, secret: ObservedSecret) -> None:
        """End a secret, under the eyes of the simulation."""
        item = self.objects.get(remote_id)
        ending = next(((remote_id, s) for s in item.secrets if s.id == secret.id), None) if item else None
        self._under_way[self.gate.caller()] = UnderWay(ending=ending)
        super().retire(remote_id, secret)

    def edit_settings(self, item: MemoryObject) -> None:
        """Change something by hand."""
        item.settings = replace(item.settings, token_lifetime=86_400, description="by hand")

    def works(self, client_id: str, value: str) -> bool:
        """Say whether a value authenticates now, once it has spread."""
        now, needed = self.clock.now + self.skew, self.capabilities.propagation / 2
        return any(
            item.enabled
            and item.client_id == client_id
            and any(
                s.value == value and self._alive(s) and not timedelta() <= now - s.created_at < needed
                for s in item.secrets
            )
            for item in self.objects.values()
        )

    def use(self, client_id: str, value: str) -> None:
        """Note a use by a consumer."""
        for item in self.objects.values():
            if item.enabled and item.client_id == client_id:
                for secret in item.secrets:
                    if secret.value == value:
                        secret.last_used = self.clock.now + self.skew


class SimStore(MemoryStore):
    """A store that remembers what else a document says, so that a consumer can use it."""

    def __init__(self, name: str, gate: Gate) -> None:
        super().__init__(name)
        self.about: dict[str, About] = {}
        self.before = lambda operation: gate.enter(name, operation, "")
        self.after = lambda operation: gate.leave(name, operation, "")

    def promote(
        self, path: str, entry: StageEntry, about: About, fields: Mapping[str, str], *, rollback: bool = False
    ) -> None:
        """Deliver; which document it was is remembered before the answer can be lost."""
        known, self.about = self.about, {**self.about, path: about}
        staged = self.staging.get(path, {}).get(entry.generation)
        current = (self.documents.get(path) or {}).get("current")
        try:
            super().promote(path, entry, about, fields, rollback=rollback)
        except BaseException:
            if staged is not None:  # struck between the document and the end of the staged copy
                self.staging.setdefault(path, {})[entry.generation] = staged
            raise
        finally:
            now = (self.documents.get(path) or {}).get("current")
            if now is current:
                self.about = known

    def held(self, path: str) -> tuple[int, str, About] | None:
        """Return what a consumer reads: generation, value and the public fields."""
        current = (self.documents.get(path) or {}).get("current")
        if current is None:
            return None
        return current[0].generation, current[1].value.get_secret_value(), self.about[path]

    def numbers(self, path: str) -> set[int]:
        """Return the generations of which this path holds a value."""
        document = self.documents.get(path) or {}
        return {held[0].generation for held in document.values() if held} | set(self.staging.get(path, {}))


class SimLedgers(MemoryLedgers):
    """A ledger store whose bulk read goes through the gate as well, and whose clock may be off."""

    def __init__(self, name: str, clock: Clock, gate: Gate) -> None:
        super().__init__(name, clock)
        self.skew = timedelta()
        self.seen: Seen
        self.gate = gate
        self.before = lambda operation: gate.enter(name, operation, "")
        self.after = lambda operation: gate.leave(name, operation, "")

    def now(self) -> datetime:
        """Return the server's time."""
        return self.clock.now + self.skew

    def list(self, prefix: str) -> Mapping[str, Stored]:
        """Read in bulk."""
        self.before("list")
        return super().list(prefix)

    def write(self, key: str, document: Mapping[str, object], expected: int) -> int:
        """Write by compare-and-set, under the eyes of the simulation."""
        self.gate.enter(self.name, "write", key)
        text, version = self.documents.get(key, ("null", 0))
        if version != expected:
            raise VersionConflict(f"{key} has version {version}, not {expected}")
        self.documents[key] = (json.dumps(document), version + 1)
        self.seen.written(json.loads(text), dict(document))
        self.gate.leave(self.name, "write", key)
        return version + 1

    def peek(self, key: str) -> dict[str, Any] | None:
        """Return a document past the gate."""
        text = self.documents.get(key)
        return None if text is None else json.loads(text[0])
