"""Carries out single steps of one credential through the ports. It decides nothing: each step says what to do.

Secrets are held in memory only, in `Material`, and go from target to store or from store to target.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import ClassVar

from keysteward.core.contract.capabilities import Capabilities
from keysteward.core.contract.facets import (
    ManagesClients,
    PreparesOverlap,
    Renaming,
    ShowsRights,
    Suspends,
    facet,
)
from keysteward.core.contract.observed import OVERWRITTEN, Mark, ObservedObject, ObservedSecret
from keysteward.core.contract.ports import (
    About,
    Action,
    Claim,
    Fingerprint,
    LedgerStore,
    Material,
    ObjectRef,
    Order,
    Proof,
    StageEntry,
    Store,
    Target,
    Verification,
)
from keysteward.core.declare.delivery import Place
from keysteward.core.declare.spec import Spec
from keysteward.core.errors import Damaged, KeystewardError, OutcomeUnknown, Rejected, Unavailable
from keysteward.core.observe.keys import KeyName, expired, intruder, is_off, keys_elsewhere, shown, switched_off
from keysteward.core.observe.world import Found, World
from keysteward.core.plan.adopt import wanted
from keysteward.core.plan.effects import Outcome, action_for
from keysteward.core.plan.issue import comes_back_to
from keysteward.core.plan.retire import replaces
from keysteward.core.plan.steps import Step
from keysteward.core.record.evidence import Author, Entry
from keysteward.core.record.ledger import Generation, Ledger, Logged, ObjectRecord, Origin, State
from keysteward.core.record.steps import Do

_log = logging.getLogger(__name__)

TRY = "try"
"""Operation of the errors which say that a key made by hand could not be tried, so that nobody knows if it works."""

STAGING_PAUSES = (1.0, 2.0, 4.0)
"""Seconds between attempts to stage a secret that was just minted."""


@dataclass(frozen=True, slots=True)
class News:
    """What a consumer is told: which generation its place holds now. `nonce` is that of the attempt, so each is new."""

    identity: str
    generation: int
    place: str
    nonce: str
    at: datetime


@dataclass(frozen=True)
class Tools:
    """All that a run needs from outside: ports, randomness, time. `sleep` takes seconds.

    `notify` calls a consumer's webhook, `record` appends to the audit log; `author` is who the entries name. Without a
    `fingerprint` (its key cannot be read, in an emergency) secrets are known by their ids alone, and none is made.
    """

    targets: Mapping[str, Target]
    stores: Mapping[str, Store]
    ledgers: LedgerStore
    fingerprint: Fingerprint | None
    mint: Callable[[str], Material]
    nonce: Callable[[], str]
    monotonic: Callable[[], float]
    sleep: Callable[[float], None]
    runner: str
    author: Author | None = None
    notify: Callable[[Place, News], None] | None = None
    record: Callable[[Sequence[Entry]], Logged] | None = None
    tell: Callable[[str, str], None] = field(default=lambda _identity, _words: None)


class Worker:
    """One credential in one run. `world` is renewed by fresh looks; `material` holds values of this run.

    `given` is the value that a person hands over, for a generation that is made by hand.
    """

    def __init__(
        self, tools: Tools, world: World, clock: Callable[[], datetime], given: Material | None = None
    ) -> None:
        self.tools = tools
        self.world = world
        self.clock = clock
        self.given = given
        self.material: dict[int, Material] = {}

    def act(self, step: Step) -> Outcome | None:
        """Do one step. None when a fresh look showed another world, which must be planned again."""
        act = self.ACTS.get(step.do)
        return Outcome(at=self.clock()) if act is None else act(self, step)

    def look(self, record: ObjectRecord) -> ObservedObject | None:
        """Read one object fresh and enter it into the world."""
        old = self.world.object(record)
        ref = ObjectRef(record.client_id, record.remote_id or (old.remote_id if old else None))
        found = self._target(record).look(ref, self.tools.fingerprint)
        # Of one that is gone, or called otherwise, the name may be another's by now.
        name = found.client_id if found is not None else record.client_id if ref.remote_id is None else None
        others = tuple(
            f
            for f in self.world.found
            if f.target != record.target or (f.object.remote_id != ref.remote_id and f.object.client_id != name)
        )
        seen = others if found is None else (*others, Found(record.target, found))
        self.world = replace(self.world, found=seen)
        return found

    @property
    def ledger(self) -> Ledger:
        """Return the ledger; every step but the first has one."""
        if self.world.ledger is None:
            raise AssertionError("no step but the first runs without a ledger")
        return self.world.ledger

    @property
    def spec(self) -> Spec:
        """Return the declaration; steps that make something have one."""
        if self.world.spec is None:
            raise AssertionError("only a declared credential is made or changed")
        return self.world.spec

    def _target(self, record: ObjectRecord) -> Target:
        return self.tools.targets[record.target]

    def _record(self, step: Step) -> ObjectRecord:
        if step.object is not None:
            return self.ledger.object(step.object)
        return self.ledger.object_of(self._generation(step))

    def _generation(self, step: Step) -> Generation:
        return self.ledger.generation(step.generation or 0)

    def _clients(self, record: ObjectRecord) -> ManagesClients:
        return facet(self._target(record), ManagesClients)

    def _remote_id(self, record: ObjectRecord) -> str:
        found = self.world.object(record)
        remote_id = record.remote_id or (found.remote_id if found else None)
        if remote_id is None:
            raise AssertionError("this step is only planned for an object that exists")
        return remote_id

    def _mark(self, step: Step) -> Outcome:
        record = self._record(step)
        self._clients(record).mark(self._remote_id(record), Mark(self.world.identity, record.nonce))
        return Outcome(at=self.clock())

    def _name(self, step: Step) -> Outcome:
        record = self._record(step)
        target = self._target(record)
        if record.external:
            return Outcome(at=self.clock())
        if not isinstance(target, Renaming):
            raise Rejected(
                f"target {record.target} has no way to change a client_id: have {record.client_id!r} renamed there",
                credential=self.world.identity,
                operation="rename",
            )
        target.rename(self._remote_id(record), record.client_id)
        return Outcome(at=self.clock())

    def _update(self, step: Step) -> Outcome:
        record = self._record(step)
        mark = Mark(self.world.identity, record.nonce)
        self._clients(record).update(self._remote_id(record), wanted(self.world, self.spec, record), mark)
        return Outcome(at=self.clock())

    def _prepare(self, step: Step) -> Outcome:
        record = self._record(step)
        facet(self._target(record), PreparesOverlap).prepare(self._remote_id(record), self.spec.overlap)
        return Outcome(at=self.clock())

    def _begin(self, step: Step) -> Outcome:
        """Fix the attempt: a nonce, and for values the server mints, what was there before (by a fresh look).

        Raises Damaged where no fingerprint can be made: nothing is minted that could not be delivered.
        """
        _ = self._hash()
        record = step.record
        baseline: tuple[str, ...] = ()
        asked: datetime | None = None
        if record is not None and record.remote_id is not None and self.spec.strategy.found_by_absence:
            found = self.look(record)
            baseline = tuple(s.id for s in found.secrets) if found is not None else ()
        if record is not None:
            view = self.world.views[record.target]
            asked = None if view.clock is None else self.clock() + (view.clock - view.taken_at)
        return Outcome(
            at=self.clock(),
            nonce=self.tools.nonce(),
            incarnation=self.tools.nonce(),
            baseline=baseline,
            asked_at_target=asked,
        )

    def _adopt(self, _step: Step) -> Outcome:
        return Outcome(at=self.clock(), nonce=self.tools.nonce(), incarnation=self.tools.nonce())

    def _stage(self, step: Step) -> Outcome:
        generation = self._generation(step)
        material = self._value(generation)
        if material is None:
            by_hand = generation.strategy.by_person
            material = self.given if by_hand else self.tools.mint(generation.method)
        if material is None:
            raise Damaged(
                f"the value of generation {generation.number} was not kept; deliver it again",
                credential=self.world.identity,
            )
        self.material[generation.number] = material
        return self._stage_at(generation, material, missing_only=True)

    def _stage_at(self, generation: Generation, material: Material, *, missing_only: bool) -> Outcome:
        fingerprint = self._fingerprint(material)
        secret_id = material.kid or generation.id
        entry = self._entry(generation, fingerprint, secret_id)
        for place in self._places(generation):
            if not missing_only or self.world.at(place.key).stage(generation.number) is None:
                self.tools.stores[place.store].stage(place.path, entry, material)
        return Outcome(at=self.clock(), fingerprint=fingerprint, secret_id=secret_id, remote_id=secret_id)

    def _entry(self, generation: Generation, fingerprint: str | None, secret_id: str | None) -> StageEntry:
        return StageEntry(
            self.world.identity, generation.number, fingerprint or "", generation.nonce, secret_id or generation.id
        )

    def _places(self, generation: Generation) -> list[Place]:
        return [self.ledger.place(key) for key in generation.delivery]

    def _hash(self) -> Fingerprint:
        """Return the stack's keyed hash. Raises Damaged where its key cannot be read."""
        if self.tools.fingerprint is None:
            words = "the stack's fingerprint key cannot be read: restore the ledger store from a backup, then run again"
            raise Damaged(words, credential=self.world.identity)
        return self.tools.fingerprint

    def _fingerprint(self, material: Material) -> str:
        return self._hash()(material.canonical.get_secret_value())

    def _value(self, generation: Generation) -> Material | None:
        """Return a generation's value from memory or from any of its places; checked against its fingerprint."""
        known = self.material.get(generation.number)
        if known is not None:
            return known
        for place in self._places(generation):
            store = self.tools.stores.get(place.store)
            material = store.read(place.path, generation.number) if store is not None else None
            if material is None:
                continue
            fingerprint = self._fingerprint(material)
            if generation.fingerprint not in {None, fingerprint}:
                raise Damaged(
                    f"{place.key} holds another value for generation {generation.number} than the ledger knows; "
                    "restore the store, or run `keysteward reissue`",
                    credential=self.world.identity,
                )
            self.material[generation.number] = material
            return material
        return None

    def _must_value(self, generation: Generation) -> Material:
        material = self._value(generation)
        if material is None:
            raise Damaged(
                f"no store holds the value of generation {generation.number} any more; restore the store, "
                "or run `keysteward reissue`",
                credential=self.world.identity,
            )
        return material

    def _create(self, step: Step) -> Outcome:
        generation, record = self._generation(step), self._record(step)
        chosen = None if action_for(generation) is Action.MINT else self._must_value(generation)
        created = self._clients(record).create(
            record.client_id, wanted(self.world, self.spec, record), Mark(self.world.identity, record.nonce), chosen
        )
        secret_id = created.secret_id or generation.id
        if chosen is not None and self.world.object(record) is not None:
            secret_id = self._repair_made_before(record, generation, created.remote_id, chosen) or secret_id
        return Outcome(
            at=self.clock(),
            remote_id=created.remote_id,
            client_id=created.client_id,
            secret_id=secret_id,
            fingerprint=generation.fingerprint,
        )

    def _repair_made_before(
        self, record: ObjectRecord, generation: Generation, remote_id: str, material: Material
    ) -> str | None:
        """Make sure that an object which an earlier attempt made carries this generation's value; returns its id."""
        found = self.look(replace(record, remote_id=remote_id))
        if found is None:
            return None
        there = found.secret(generation.fingerprint)
        if there is not None:
            return there.id if there.slot == "key" else None
        return self._target(record).issue(remote_id, self._order(generation, material)).id

    def _shift(self, step: Step) -> Outcome | None:
        """Regenerate, which cannot be repeated: only if a look just before shows our current in the primary slot."""
        record, current = self._record(step), self.ledger.current
        found = self.look(record)
        primary = found.slot("primary") if found else None
        if current is None or primary is None or primary.fingerprint != current.fingerprint:
            return None
        self._target(record).issue(self._remote_id(record), Order(Action.SHIFT))
        self.look(record)
        return Outcome(at=self.clock())

    def _restore(self, step: Step) -> Outcome:
        generation, record = self._generation(step), self._record(step)
        instead = () if generation.id is None else (generation.id,)
        order = Order(action_for(generation), self._must_value(generation), instead=instead)
        self._target(record).issue(self._remote_id(record), order)
        return Outcome(at=self.clock())

    def _issue(self, step: Step) -> Outcome | None:
        generation, record = self._generation(step), self._record(step)
        action = action_for(generation)
        if action is Action.MINT:
            return self._mint(generation, record)
        found = self.look(record) if generation.strategy.one_slot else self.world.object(record)
        there = found.secret(generation.fingerprint) if found is not None else None
        secret_id = there.id if there is not None and there.slot == "key" else generation.id
        if found is not None and there is None:
            if not self._slot_is_ours(generation, found):
                return None
            order = self._order(generation, self._must_value(generation))
            secret_id = self._target(record).issue(self._remote_id(record), order).id or generation.id
        return Outcome(at=self.clock(), secret_id=secret_id, fingerprint=generation.fingerprint)

    def _order(self, generation: Generation, material: Material | None = None) -> Order:
        """Return what a target needs to know of a generation to put it on an object or holder."""
        spec = self.spec
        return Order(
            action_for(generation),
            material,
            name=str(KeyName(self.world.identity, generation.number, generation.nonce)),
            scopes=spec.scopes if spec.key else frozenset(),
            expires=spec.expires if spec.key else None,
            known=generation.baseline,
            instead=self._giving_way(generation),
        )

    def _giving_way(self, generation: Generation) -> tuple[str, ...]:
        """Return where a client takes its keys from until a person asks for one of ours."""
        found = self.world.object(self.ledger.object_of(generation))
        if found is None or not generation.strategy.public_keys or not self.ledger.reissue:
            return ()
        source = keys_elsewhere(found)
        return () if source is None else (source,)

    def _slot_is_ours(self, generation: Generation, found: ObservedObject) -> bool:
        """With one slot and no overlap, the look just before must show our current secret in it."""
        current, primary = self.ledger.current, found.slot("primary")
        if generation.strategy.overlaps or current is None or self.ledger.reissue:
            return True
        if current.object != generation.object or current.method != generation.method or primary is None:
            return True
        rotated = found.slot("rotated")
        moved = rotated is not None and rotated.fingerprint == current.fingerprint
        return moved or primary.fingerprint in {None, current.fingerprint}

    def _mint(self, generation: Generation, record: ObjectRecord) -> Outcome:
        """Ask once. The nonce is spent before the call: whatever happens to the answer, it is never asked again."""
        me = self.world.me
        self.world = replace(self.world, me=replace(me, unsent=me.unsent - {generation.nonce}))
        issued = self._target(record).issue(self._remote_id(record), self._order(generation))
        if issued.material is None:
            raise Rejected(
                f"target {record.target} minted a secret and did not show it",
                credential=self.world.identity,
                operation="issue",
            )
        self.material[generation.number] = issued.material
        return self._stage_minted(replace(generation, id=issued.id), issued.material)

    def _stage_minted(self, generation: Generation, material: Material) -> Outcome:
        """Stage what nobody can show again: patiently, since staging can be repeated and minting cannot.

        Raises Unavailable in the end; the next run finds out from the store and the target's list what there is.
        """
        for pause in STAGING_PAUSES:
            try:
                return self._stage_at(generation, material, missing_only=False)
            except (OutcomeUnknown, Unavailable):
                self.tools.sleep(pause)
        try:
            return self._stage_at(generation, material, missing_only=False)
        except OutcomeUnknown as error:
            raise Unavailable(error.message, credential=self.world.identity, operation="stage") from None

    def _resume(self, step: Step) -> Outcome:
        record = self._record(step)
        target, keys = facet(self._target(record), Suspends), switched_off(record, self.world.object(record))
        target.resume(self._remote_id(record), keys)
        return Outcome(at=self.clock())

    def _suspend(self, step: Step) -> Outcome:
        record = self._record(step)
        target, keys = facet(self._target(record), Suspends), switched_off(record, self.world.object(record))
        target.suspend(self._remote_id(record), keys)
        return Outcome(at=self.clock())

    def _verify(self, step: Step) -> Outcome | None:
        generation = self._generation(step)
        verification = self._prove(generation, self._must_value(generation))
        lost = self._rights_lost(generation, verification)
        if lost:
            verification = Verification(Proof.WRONG, lost)
        refused = verification.proof is Proof.REFUSED
        if refused and self._disabled_elsewhere(self._record(step), generation):
            return None
        evidence = f"{verification.proof} by {self._record(step).client_id}" if verification.good else ""
        return Outcome(at=self.clock(), good=verification.good, reason=evidence or verification.reason, refused=refused)

    def _rights_lost(self, generation: Generation, verification: Verification) -> str:
        """Say what a consumer could not do any more as the client that it is about to move to; "" for nothing."""
        current, rights = self.ledger.current, verification.rights
        if current is None or rights is None:
            return ""
        if current.target != generation.target or current.object == generation.object:
            return ""
        before, after = self.ledger.object_of(current), self.ledger.object_of(generation)
        lost = self._rights_of(current, before) - rights
        if not lost:
            return ""
        return (
            f"client {after.client_id} lacks what {before.client_id} has beyond its scopes: {', '.join(sorted(lost))}; "
            f"give it these at target {after.target}"
        )

    def _rights_of(self, generation: Generation, record: ObjectRecord) -> frozenset[str]:
        target, material = self._target(record), self._value(generation)
        if material is not None:
            return target.verify(self._claim(generation, material)).rights or frozenset()
        if isinstance(target, ShowsRights) and record.remote_id is not None:
            return target.rights(record.remote_id)
        return frozenset()

    def _can(self, record: ObjectRecord) -> Capabilities:
        return self.world.can(record) or self._target(record).capabilities

    def _prove(self, generation: Generation, material: Material) -> Verification:
        """Ask the target, patiently: a secret may need its propagation time before it works everywhere."""
        record = self.ledger.object_of(generation)
        target, spec = self._target(record), self.world.spec
        claim = self._claim(generation, material)
        if generation.strategy.by_person:
            verification = self._try(generation, target, claim)
        else:
            verification = self._verified(target, claim, self._can(record).propagation)
        if verification.proof is Proof.CANNOT and spec is not None and spec.proven_by is not None:
            verification = self._try(generation, self.tools.targets[spec.proven_by], claim)
        _log.info(
            "operation=verify credential=%s generation=%d outcome=%s",
            self.world.identity,
            generation.number,
            verification.proof,
        )
        return verification

    def _claim(self, generation: Generation, material: Material) -> Claim:
        record, spec = self.ledger.object_of(generation), self.world.spec
        return Claim(
            client_id=record.client_id,
            material=material,
            audiences=spec.audiences if spec else (),
            scopes=spec.scopes if spec else frozenset(),
            optional_scopes=spec.optional_scopes if spec else frozenset(),
            token_lifetime=spec.token_lifetime if spec else None,
            token=not record.external,
            secret_id=generation.id,
        )

    def _verified(self, target: Target, claim: Claim, patience: timedelta) -> Verification:
        pause = timedelta(seconds=1)
        verification = target.verify(claim)
        while not verification.good and verification.proof is not Proof.CANNOT and pause <= patience:
            self.tools.sleep(pause.total_seconds())
            patience -= pause
            pause *= 2
            verification = target.verify(claim)
        return verification

    def _try(self, generation: Generation, target: Target, claim: Claim) -> Verification:
        """Try a value by a declared probe, once. An answer that tells nothing is an error: nothing follows from it."""
        facts = {"target": target.name, "credential": self.world.identity, "operation": TRY}
        try:
            verification = target.verify(claim)
        except KeystewardError as error:
            raise type(error)(f"generation {generation.number} cannot be tried: {error.message}", **facts) from None
        if not verification.good and verification.proof is not Proof.REFUSED:
            raise Rejected(f"generation {generation.number} cannot be tried: {verification.reason}", **facts)
        return verification

    def _promote(self, step: Step) -> Outcome:
        return self._deliver(self._generation(step), rollback=False)

    def _rollback(self, step: Step) -> Outcome:
        generation = self._generation(step)
        self.world = replace(self.world, ledger=self.ledger.with_places(self.spec.places))
        self._must_value(generation)
        return self._deliver(replace(generation, delivery=comes_back_to(self.spec, generation)), rollback=True)

    def _deliver(self, generation: Generation, *, rollback: bool) -> Outcome:
        """Make a generation current at each of its places, bringing its value along where a place lacks it."""
        about = self._about(generation)
        entry = self._entry(generation, generation.fingerprint, generation.id)
        for place in self._places(generation):
            store, held = self.tools.stores[place.store], self.world.at(place.key)
            renamed = held.identity in self.world.names
            if (place.take_over or renamed) and held.exists and held.identity != self.world.identity:
                store.take_over(place.path, self.world.identity, renamed=renamed)
            entries = (held.current, held.previous, *held.staged)
            here = {e.generation for e in entries if e is not None and e.fingerprint != OVERWRITTEN}
            if generation.number not in here:
                store.stage(place.path, entry, self._must_value(generation))
            newer = held.current is not None and held.current.generation > generation.number
            store.promote(place.path, entry, about, dict(place.fields), rollback=rollback or newer)
        return Outcome(at=self.clock(), reason=about.digest)

    def _about(self, generation: Generation) -> About:
        record, spec = self.ledger.object_of(generation), self.spec
        return About(
            identity=self.world.identity,
            client_id=record.client_id,
            method=generation.method,
            token_url=self._target(record).token_url,
            audience=spec.audiences,
            scopes=tuple(sorted(spec.scopes)),
        )

    def _end(self, step: Step) -> Outcome | None:
        """End one generation at the target, then destroy its plaintext. The current one is proven once more before."""
        generation, record = self._generation(step), self._record(step)
        current = self.ledger.current
        if generation.state is State.RETIRING and current is not None and replaces(self.world, current, generation):
            refused = self._current_refused(current)
            if refused is not None and self._disabled_elsewhere(self.ledger.object_of(current), current):
                return None
            if refused is not None:
                return Outcome(at=self.clock(), good=False, reason=refused)
        if not record.deleted or self.world.object(record) is not None:
            self._end_at_target(generation, record)
        for place in self._places(generation):
            store = self.tools.stores.get(place.store)
            if store is not None:
                store.discard(place.path, self._owner(place), generation.number)
        self.material.pop(generation.number, None)
        return Outcome(at=self.clock())

    def _owner(self, place: Place) -> str:
        """Return under which of this credential's names a place was delivered."""
        held = self.world.at(place.key).identity
        return held if held is not None and held in self.world.names else self.world.identity

    def _disabled_elsewhere(self, record: ObjectRecord, generation: Generation) -> bool:
        """Look whether somebody disabled the client or key: it is refused, which says nothing about its value."""
        found = self.look(record)
        return found is not None and is_off(record, found, generation) and not record.suspended

    def _current_refused(self, current: Generation) -> str | None:
        """Prove the store's current value; returns why the target refuses it. Anything unclear raises."""
        material = self._value(current)
        if material is None and current.origin is Origin.ADOPTED:
            return None
        verification = self._prove(current, material or self._must_value(current))
        if verification.proof is Proof.REFUSED:
            return verification.reason
        if verification.proof is Proof.WRONG:
            raise Rejected(
                f"generation {current.number} works, but not as declared ({verification.reason}); nothing is ended "
                "before that is fixed",
                credential=self.world.identity,
                operation="verify",
            )
        return None

    def _ends_with_client(self, generation: Generation) -> bool:
        alternate = generation.strategy.twins and generation.state is State.RETIRING
        return alternate and not self.ledger.shares_object(generation)

    def _end_at_target(self, generation: Generation, record: ObjectRecord) -> None:
        found = self.look(record)
        if record.holder:
            self._end_key(generation, record, found)
            return
        if found is None:
            return
        target, remote_id = self._target(record), found.remote_id
        if self._ends_with_client(generation):
            facet(target, Suspends).suspend(remote_id)
            return
        secret = shown(found, generation) or intruder(found, generation)
        if secret is not None:
            target.retire(remote_id, secret)
        elif self.tools.fingerprint is None:
            self._end_unseen(generation, record, found)

    def _end_unseen(self, generation: Generation, record: ObjectRecord, found: ObservedObject) -> None:
        """End a secret in a slot that cannot be told from others: with all in the slots of a client that ends wholly.

        Raises Damaged where another secret may be meant to live.
        """
        slots = [secret for secret in found.secrets if secret.slot != "key"]
        revoked = self.ledger.revoked
        if slots and (record.external or revoked is None or revoked.generations is not None):
            raise Damaged(
                f"which secret of client {record.client_id} is generation {generation.number} cannot be told, since "
                "the stack's fingerprint key cannot be read: restore the ledger store from a backup, or revoke --all",
                credential=self.world.identity,
            )
        for secret in slots:
            self._target(record).retire(found.remote_id, secret)

    def _end_key(self, generation: Generation, record: ObjectRecord, found: ObservedObject | None) -> None:
        """End a key by its id, also when its holder does not show it: what we issued must not live on unseen."""
        secret = shown(found, generation) if found is not None else None
        if secret is None and generation.id is not None:
            secret = ObservedSecret(generation.id, "key")
        target = self._target(record)
        if secret is not None:
            target.retire(record.remote_id or record.client_id, secret)
        material = self._value(generation) if found is None else None
        if material is None or not self._prove(generation, material).good:
            return
        raise Rejected(
            f"key {generation.id} still works, and target {record.target} does not show {record.client_id!r} any more; "
            "end the key there, or let keysteward see its holder",
            credential=self.world.identity,
            operation="end",
        )

    def _check(self, step: Step) -> Outcome:
        """Find out whether a secret that the list does not show is dead: look again, then use it."""
        generation, record = self._generation(step), self._record(step)
        found = self.look(record)
        secret = found.secret(generation.fingerprint) if found is not None else None
        there = secret is not None and not expired(secret, self.world.now)
        if found is not None and (is_off(record, found, generation) or there):
            return Outcome(at=self.clock(), good=True)
        material = self._value(generation)
        if material is None and generation.strategy.by_person:
            raise Rejected(
                f"generation {generation.number} cannot be tried: no store holds its value any more",
                credential=self.world.identity,
                operation=TRY,
            )
        if material is None:
            return Outcome(at=self.clock(), good=False, reason=step.why)
        verification = self._prove(generation, material)
        dead = verification.proof is Proof.REFUSED
        return Outcome(at=self.clock(), good=not dead, reason=verification.reason or step.why)

    def _notify(self, step: Step) -> Outcome:
        """Tell one consumer. It is no fault of the credential when that fails: the next run tries again."""
        generation, place = self._generation(step), self.ledger.place(step.place or "")
        place = next((p for p in self.spec.places if p.key == place.key), place)
        news = News(self.world.identity, generation.number, place.key, generation.nonce, self.clock())
        if self.tools.notify is None:
            return Outcome(at=self.clock(), good=False, reason="this run cannot call webhooks")
        try:
            self.tools.notify(place, news)
        except KeystewardError as error:
            _log.warning("operation=notify credential=%s place=%s outcome=failed", self.world.identity, place.key)
            return Outcome(at=self.clock(), good=False, reason=error.message)
        return Outcome(at=self.clock(), reason="the consumer took it")

    def _delete(self, step: Step) -> Outcome:
        record = self._record(step)
        self._clients(record).delete(self._remote_id(record))
        return Outcome(at=self.clock())

    def _empty(self, step: Step) -> Outcome:
        place = self.ledger.place(step.place or "")
        held = self.world.at(place.key)
        for entry in (*held.staged, held.previous, held.current):
            if entry is not None:
                self.tools.stores[place.store].discard(place.path, self._owner(place), entry.generation)
        return Outcome(at=self.clock())

    def _discard(self, step: Step) -> Outcome:
        place = self.ledger.place(step.place or "")
        self.tools.stores[place.store].discard(place.path, self._owner(place), step.generation or 0)
        return Outcome(at=self.clock())

    def _release(self, step: Step) -> Outcome:
        record = self._record(step)
        self._clients(record).release(self._remote_id(record))
        return Outcome(at=self.clock())

    def undo_mint(self, generation: Generation) -> None:
        """Delete what was just minted, after the ledger turned out to have given this generation up."""
        record = self.ledger.object_of(generation)
        found = self.look(record)
        secret = next((s for s in found.secrets if s.id == generation.id), None) if found else None
        if found is not None and secret is not None:
            self._target(record).retire(found.remote_id, secret)

    ACTS: ClassVar[Mapping[Do, Callable[[Worker, Step], Outcome | None]]] = {
        Do.MARK: _mark,
        Do.NAME: _name,
        Do.UPDATE: _update,
        Do.PREPARE: _prepare,
        Do.BEGIN: _begin,
        Do.ADOPT: _adopt,
        Do.STAGE: _stage,
        Do.CREATE: _create,
        Do.SHIFT: _shift,
        Do.RESTORE: _restore,
        Do.ISSUE: _issue,
        Do.RESUME: _resume,
        Do.SUSPEND: _suspend,
        Do.VERIFY: _verify,
        Do.PROMOTE: _promote,
        Do.ROLLBACK: _rollback,
        Do.END: _end,
        Do.CHECK: _check,
        Do.NOTIFY: _notify,
        Do.DELETE: _delete,
        Do.EMPTY: _empty,
        Do.DISCARD: _discard,
        Do.RELEASE: _release,
    }
    """What each kind of step does through the ports; one that is not here acts in the ledger alone."""
