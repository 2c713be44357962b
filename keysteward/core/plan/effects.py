"""What each step does to the world, as a pure function. A preview, a run and a simulation share these transitions.

A run passes what really happened as an `Outcome`; a preview passes what is expected.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from keysteward.core.contract.observed import Delivered, DeliveredEntry, Mark, ObservedObject, ObservedSecret
from keysteward.core.contract.ports import Action
from keysteward.core.contract.strategy import Room
from keysteward.core.declare.spec import Spec
from keysteward.core.observe.keys import enabled_keys, intruder, keys_elsewhere, narrowed, shown, switched, switched_off
from keysteward.core.observe.world import MOST_BEGUN, Found, World, still
from keysteward.core.plan.adopt import adopted_nonce, age_of, entered, kept_now, wanted
from keysteward.core.plan.issue import comes_back_to, held_anywhere, strategy_for
from keysteward.core.plan.steps import Step
from keysteward.core.record import requests
from keysteward.core.record.fast_replace import replace
from keysteward.core.record.ledger import (
    RELEASED,
    UNFINISHED,
    Blocked,
    Generation,
    Ledger,
    ObjectRecord,
    State,
)
from keysteward.core.record.steps import Do


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a step brought about: the nonce of a new attempt, ids and fingerprints, and whether a proof succeeded.

    `client_id` is what an object that was made authenticates with (None: as it was asked for). `refused` says that a
    proof failed because the secret does not work at all.
    """

    at: datetime
    good: bool = True
    reason: str = ""
    nonce: str = ""
    incarnation: str = ""
    fingerprint: str | None = None
    secret_id: str | None = None
    remote_id: str | None = None
    client_id: str | None = None
    baseline: tuple[str, ...] = ()
    asked_at_target: datetime | None = None
    refused: bool = False


def predict(world: World, step: Step) -> World:
    """Return the world as it is expected after a step.

    A check of a missing secret is expected to find it dead, one before a rollback to find it alive.
    """
    name = step.generation if step.generation is not None else step.object
    asked = world.ledger is not None and world.ledger.rollback == step.generation
    expected = Outcome(
        at=still(world.now),
        good=step.do is not Do.CHECK or asked,
        nonce=f"planned-{name}",
        incarnation="planned",
        fingerprint=f"planned:{name}",
        remote_id=f"planned-{step.object}",
        secret_id=f"planned-{name}",
    )
    return apply(world, step, expected)


def apply(world: World, step: Step, outcome: Outcome) -> World:
    """Return the world after a step that had this outcome."""
    return EFFECTS[step.do](world, step, outcome)


def action_for(generation: Generation) -> Action:
    """Return how a generation's secret gets to its object."""
    if generation.strategy.by_server:
        return Action.MINT
    added = generation.strategy.room is Room.BESIDE
    return Action.ADD if added or generation.method == "private_key_jwt" else Action.SET


def _ledger(w: World) -> Ledger:
    if w.ledger is None:
        raise AssertionError("this step is only planned for a ledger that exists")
    return w.ledger


def _spec(w: World) -> Spec:
    if w.spec is None:
        raise AssertionError("this step is only planned for a credential that is declared")
    return w.spec


def _opened(w: World, out: Outcome) -> Ledger:
    """Return the open ledger: the present one, a reopened one with a new incarnation, or a new one."""
    spec = _spec(w)
    if w.ledger is None:
        ledger = Ledger(w.identity, out.incarnation, spec.kind)
    elif w.ledger.closed is not None:
        ledger = replace(w.ledger, closed=None, incarnation=out.incarnation, kind=spec.kind)
    else:
        ledger = w.ledger
    return replace(ledger.with_places(spec.places), about=spec.about)


def _with(w: World, ledger: Ledger, found: tuple[Found, ...] | None = None) -> World:
    return replace(w, ledger=ledger, found=w.found if found is None else found)


def _see(w: World, record: ObjectRecord, changed: ObservedObject | None) -> tuple[Found, ...]:
    """Return what is found, with one object changed, added, or (None) gone."""
    old = w.object(record)
    others = tuple(f for f in w.found if old is None or f.object is not old)
    return others if changed is None else (*others, Found(record.target, changed))


def _object_changed(w: World, step: Step, **changes: str | Mark | None) -> World:
    record = _record_of(w, step)
    found = w.object(record)
    if found is None:
        return w
    return replace(w, found=_see(w, record, replace(found, **changes)))


def _record_of(w: World, step: Step) -> ObjectRecord:
    ledger = _ledger(w)
    if step.object is not None:
        return ledger.object(step.object)
    return ledger.object_of(_generation(w, step))


def _generation(w: World, step: Step) -> Generation:
    if step.generation is None:
        raise AssertionError("this step is only planned for a generation")
    return _ledger(w).generation(step.generation)


def _adopt(w: World, step: Step, out: Outcome) -> World:
    spec, record = _spec(w), step.record
    if record is None:
        raise AssertionError("adoption names the object")
    found = w.by_client_id(record.target, record.client_id)
    secrets = sorted(found.secrets, key=age_of) if found else []
    secrets = [s for s in secrets if not record.holder or s.id == spec.adopt]
    ledger = _opened(w, out)
    key = max((o.key for o in ledger.objects), default=0) + 1
    record = replace(record, key=key, nonce=adopted_nonce(out.nonce))
    delivered = {e.fingerprint for d in w.delivered.values() if (e := d.current) is not None}
    matching = [s for s in secrets if s.fingerprint is not None and s.fingerprint in delivered]
    current = matching[-1] if matching else (secrets[-1] if secrets else None)
    generations = tuple(
        entered(secret, record, spec, number=ledger.next + index, nonce=out.nonce, at=out.at, current=secret is current)
        for index, secret in enumerate(secrets)
    )
    ledger = replace(
        ledger,
        objects=(*ledger.objects, record),
        generations=(*ledger.generations, *generations),
        next=ledger.next + len(generations),
        adopted_by=w.me.runner,
    )
    return _with(w, ledger)


def _mark(w: World, step: Step, _out: Outcome) -> World:
    record = _record_of(w, step)
    marked = _object_changed(w, step, mark=Mark(w.identity, record.nonce))
    return replace(marked, ledger=_ledger(w).with_object(record.key, marked=True))


def _name(w: World, step: Step, _out: Outcome) -> World:
    record = _record_of(w, step)
    if not record.external:
        return _object_changed(w, step, client_id=record.client_id)
    found = w.object(record)
    return w if found is None else _with(w, _ledger(w).with_object(record.key, client_id=found.client_id))


def _update(w: World, step: Step, _out: Outcome) -> World:
    record, spec = _record_of(w, step), _spec(w)
    found = w.object(record)
    if found is None:
        return w
    return replace(w, found=_see(w, record, replace(found, settings=wanted(w, spec, record))))


def _prepare(w: World, step: Step, _out: Outcome) -> World:
    return replace(w, me=replace(w.me, prepared=w.me.prepared | {step.object or 0}))


def _begin(w: World, step: Step, out: Outcome) -> World:
    spec, ledger, record = _spec(w), _opened(w, out), step.record
    if record is None:
        raise AssertionError("a new generation names its object")
    strategy = strategy_for(spec, ledger, record)
    if all(o.key != record.key for o in ledger.objects):
        ledger = replace(ledger, objects=(*ledger.objects, replace(record, nonce=out.nonce)))
    generation = Generation(
        number=ledger.next,
        state=State.INTENT,
        object=record.key,
        target=record.target,
        method=spec.method,
        strategy=strategy,
        delivery=spec.delivery,
        nonce=out.nonce,
        facts=spec.facts,
        asked_at=out.at,
        asked_at_target=out.asked_at_target,
        baseline=out.baseline,
    )
    ledger = replace(ledger, generations=(*ledger.generations, generation), next=ledger.next + 1)
    me = replace(w.me, unsent=w.me.unsent | {out.nonce}, given=None, begun=w.me.begun + 1)
    return replace(_with(w, ledger), me=me)


def _stage(w: World, step: Step, out: Outcome) -> World:
    generation = _generation(w, step)
    ledger = _ledger(w).with_generation(generation.number, fingerprint=out.fingerprint, id=out.secret_id)
    return replace(_with(w, ledger), delivered=_staged(w, generation, out))


def _staged(w: World, generation: Generation, out: Outcome) -> dict[str, Delivered]:
    entry = DeliveredEntry(generation.number, out.fingerprint or "", generation.nonce, out.remote_id)
    delivered = dict(w.delivered)
    for key in generation.delivery:
        held = w.at(key)
        others = tuple(e for e in held.staged if e.generation != generation.number)
        delivered[key] = replace(held, staged=(*others, entry))
    return delivered


def _refused(w: World, step: Step, out: Outcome) -> World:
    """Give up a generation that its target refuses to make, and try no more until something changes."""
    generation = _generation(w, step)
    ledger = _ledger(w).with_generation(generation.number, state=State.ABANDONED, evidence=f"refused: {out.reason}")
    blocked = Blocked(out.reason, _spec(w).digest(), out.at)
    refused = _with(w, replace(ledger, blocked=blocked, reissue=None, grace=None))
    return replace(refused, me=replace(w.me, unsent=w.me.unsent - {generation.nonce}))


def _create(w: World, step: Step, out: Outcome) -> World:
    if not out.good:
        return _refused(w, step, out)
    spec, record, generation = _spec(w), _record_of(w, step), _generation(w, step)
    secrets: tuple[ObservedSecret, ...] = ()
    client_id = out.client_id or record.client_id
    ledger = _ledger(w).with_object(record.key, remote_id=out.remote_id, client_id=client_id)
    if action_for(generation) is not Action.MINT:
        known = replace(out, fingerprint=generation.fingerprint or out.fingerprint)  # on paper it would be made up
        secrets = (_secret_of(w, generation, known),)
        ledger = ledger.with_generation(
            generation.number, state=State.ISSUED, issued_at=out.at, id=out.secret_id or generation.id
        )
    made = ObservedObject(
        remote_id=out.remote_id or "",
        client_id=client_id,
        enabled=True,
        settings=wanted(w, spec, record),
        secrets=secrets,
        mark=Mark(w.identity, record.nonce),
        created_at=out.at,
    )
    return _with(w, ledger, _see(w, record, made))


def _secret_of(w: World, generation: Generation, out: Outcome) -> ObservedSecret:
    slot = "primary" if action_for(generation) is Action.SET else "key"
    name = f"keysteward {generation.number} {generation.nonce}"
    identifier = out.secret_id or generation.id or slot
    fingerprint = out.fingerprint or generation.fingerprint
    scopes = w.spec.scopes if w.spec is not None and w.spec.key else None
    return ObservedSecret(
        identifier,
        slot,
        fingerprint,
        created_at=out.at,
        expires_at=_expiry(w, generation),
        name=name,
        scopes=scopes,
    )


def _expiry(w: World, generation: Generation) -> datetime | None:
    """Return the day by which a target ends a new key by itself: what it is told and cannot change later."""
    can = w.can(_ledger(w).object_of(generation)) if w.spec is not None and w.spec.key else None
    return w.spec.expires if w.spec is not None and can is not None and "expires" in can.immutable else None


def _fence(w: World, step: Step, out: Outcome) -> World:
    return _with(w, _ledger(w).with_generation(_generation(w, step).number, regen_at=out.at))


def _shift(w: World, step: Step, out: Outcome) -> World:
    record = _record_of(w, step)
    found = w.object(record)
    primary = found.slot("primary") if found else None
    if found is None or primary is None:
        return w
    current = _ledger(w).current
    old = replace(primary, id="rotated", slot="rotated", fingerprint=current.fingerprint if current else None)
    unknown = ObservedSecret("primary", "primary", "shifted", created_at=out.at)
    return replace(w, found=_see(w, record, replace(found, secrets=(unknown, old))))


def _restore(w: World, step: Step, out: Outcome) -> World:
    record, generation = _record_of(w, step), _generation(w, step)
    found = w.object(record)
    if found is None:
        return w
    back = ObservedSecret("primary", "primary", generation.fingerprint, created_at=out.at)
    if generation.method == "private_key_jwt":
        back = ObservedSecret(generation.id or "", "key", generation.fingerprint, created_at=out.at)
    same = generation.method == found.settings.method
    others = tuple(s for s in found.secrets if s.slot == "rotated" or (same and s.slot == "key" and s.id != back.id))
    changed = replace(found, secrets=(back, *others), settings=replace(found.settings, method=generation.method))
    ledger = _ledger(w).with_object(record.key, method=generation.method)
    return _with(w, ledger, _see(w, record, changed))


def _issue(w: World, step: Step, out: Outcome) -> World:
    if not out.good:
        return _refused(w, step, out)
    record, generation = _record_of(w, step), _generation(w, step)
    ledger = _ledger(w).with_generation(
        generation.number,
        state=State.ISSUED,
        issued_at=out.at,
        fingerprint=out.fingerprint or generation.fingerprint,
        id=out.secret_id or generation.id,
    )
    ledger = ledger.with_object(record.key, method=generation.method)
    found = w.object(record)
    changed = w.found
    if found is not None:
        new = _secret_of(w, generation, out)
        switched = found.settings.method != generation.method
        gone = keys_elsewhere(found) if generation.strategy.public_keys else None
        others = tuple(
            s
            for s in found.secrets
            if not switched and (s.slot != "primary" or new.slot != "primary") and (gone is None or s.id != gone)
        )
        settings = replace(found.settings, method=generation.method)
        changed = _see(w, record, replace(found, secrets=(*others, new), settings=settings))
    made = replace(_with(w, ledger, changed), me=replace(w.me, unsent=w.me.unsent - {generation.nonce}))
    if action_for(generation) is Action.MINT:
        return replace(made, delivered=_staged(w, generation, out))
    return made


def _recover(w: World, step: Step, out: Outcome) -> World:
    generation = _generation(w, step)
    entry = next((e for key in generation.delivery if (e := w.at(key).stage(generation.number))), None)
    ledger = _ledger(w).with_generation(
        generation.number,
        state=State.ISSUED,
        issued_at=out.at,
        fingerprint=entry.fingerprint if entry else out.fingerprint,
        id=entry.remote_id if entry else out.secret_id,
    )
    return _with(w, ledger)


def _resume(w: World, step: Step, _out: Outcome) -> World:
    return _switched(w, step, on=True)


def _suspend(w: World, step: Step, _out: Outcome) -> World:
    return _switched(w, step, on=False)


def about_to_disable(w: World, step: Step) -> World:
    """Note what a run is about to disable, before it does: else nobody would know, after a kill, whose step it was."""
    record, ledger = _record_of(w, step), _ledger(w)
    found = w.object(record)
    keys = enabled_keys(ledger, record, found) if found is not None else ()
    off = tuple(sorted({*switched_off(record, found), *keys}))
    return _with(w, ledger.with_object(record.key, suspended=True, off=off))


def _switched(w: World, step: Step, *, on: bool) -> World:
    noted = w if on else about_to_disable(w, step)
    record, ledger = _record_of(noted, step), _ledger(noted)
    found = w.object(record)
    seen = w.found if found is None else _see(w, record, switched(record, found, on=on))
    return _with(w, ledger.with_object(record.key, suspended=not on, off=() if on else record.off), seen)


def _verify(w: World, step: Step, out: Outcome) -> World:
    generation, ledger = _generation(w, step), _ledger(w)
    if out.good:
        return _with(w, ledger.with_generation(generation.number, state=State.VERIFIED, evidence=out.reason or None))
    failed = {g.number for g in ledger.generations if g.evidence and g.evidence.startswith("not proven")}
    why = f"not proven: {out.reason}"
    dead = why if out.refused else None
    ledger = ledger.with_generation(generation.number, state=State.ABANDONED, evidence=why, confirmed=dead)
    if generation.number - 1 in failed and not generation.strategy.by_person:
        ledger = replace(ledger, blocked=Blocked(out.reason, _spec(w).digest(), out.at), reissue=None)
    return _with(w, ledger)


def _promote(w: World, step: Step, out: Outcome) -> World:
    """Deliver; consumers that were told of this generation before are told again."""
    generation = _generation(w, step)
    ledger = _ledger(w).with_generation(generation.number, notified=()) if generation.notified else _ledger(w)
    return replace(_with(w, ledger), delivered=_promoted(w, generation, out, rollback=False))


def _notify(w: World, step: Step, out: Outcome) -> World:
    generation, place = _generation(w, step), step.place or ""
    told = replace(w, me=replace(w.me, told=w.me.told | {(generation.number, place)}))
    if not out.good:
        return told
    return _with(told, _ledger(w).with_generation(generation.number, notified=(*generation.notified, place)))


def _promoted(w: World, generation: Generation, out: Outcome, *, rollback: bool) -> dict[str, Delivered]:
    record = _ledger(w).object_of(generation)
    about = w.spec.document_digest(record.client_id, generation.method) if w.spec else out.reason
    entry = DeliveredEntry(generation.number, generation.fingerprint or "", generation.nonce, generation.id, about)
    delivered = dict(w.delivered)
    for key in generation.delivery:
        held = w.at(key)
        same = held.current is not None and held.current.generation == generation.number
        previous = held.previous if same else (None if rollback else held.current)
        staged = tuple(e for e in held.staged if e.generation != generation.number)
        delivered[key] = Delivered(exists=True, identity=w.identity, current=entry, previous=previous, staged=staged)
    return delivered


def _settle(w: World, step: Step, out: Outcome) -> World:
    generation, ledger = _generation(w, step), _ledger(w)
    old = ledger.current
    if old is not None:
        in_place = not generation.strategy.overlaps and old.object == generation.object
        ledger = ledger.with_generation(
            old.number,
            state=State.RETIRING if in_place else State.PREVIOUS,
            superseded_at=out.at,
            evidence="replaced in place" if in_place else old.evidence,
        )
    if _spec(w).narrow_now:
        wider = [g for g in ledger.in_state(State.PREVIOUS) if narrowed(w, _spec(w), g)]
        for previous in wider:
            ledger = ledger.with_generation(previous.number, ends_at=out.at)
    ledger = ledger.with_generation(generation.number, state=State.CURRENT, current_since=out.at)
    if ledger.reissue and ledger.grace is not None:
        for previous in ledger.in_state(State.PREVIOUS):
            ledger = ledger.with_generation(previous.number, ends_at=previous.ends_at or out.at + ledger.grace)
    return _with(w, replace(ledger, reissue=None, grace=None, blocked=None, ended_elsewhere=None, rollback=None))


def _without_gone(w: World, ledger: Ledger, generation: Generation) -> Ledger:
    """Return the ledger without hope in a client that is gone from its target: the next generation gets a new one."""
    record = ledger.object_of(generation)
    gone = record.remote_id is not None and record.target in w.views and w.object(record) is None
    return ledger.with_object(record.key, deleted=True) if gone else ledger


def _abandon(w: World, step: Step, out: Outcome) -> World:
    """Give up a generation; the second in one run that came to nothing is the last one until something changes."""
    generation = _generation(w, step)
    ledger = _without_gone(w, _ledger(w), generation).with_generation(
        generation.number,
        state=State.ABANDONED,
        evidence=step.why,
        suspects=step.suspects,
        id=step.secret_id or generation.id,
        ends_at=step.until,
        confirmed=step.why if generation.fingerprint is None else generation.confirmed,
    )
    if w.me.begun >= MOST_BEGUN and generation.state in UNFINISHED and w.spec is not None:
        ledger = replace(ledger, blocked=Blocked(step.why, w.spec.digest(), out.at), reissue=None, grace=None)
    return _with(w, ledger)


def _retire(w: World, step: Step, _out: Outcome) -> World:
    return _with(w, _ledger(w).with_generation(_generation(w, step).number, state=State.RETIRING, evidence=step.why))


def _end(w: World, step: Step, out: Outcome) -> World:
    """End a generation; when the last look showed a dead current, it goes back to previous and the current dies."""
    generation, ledger = _generation(w, step), _ledger(w)
    if not out.good:
        ledger = ledger.with_generation(generation.number, state=State.PREVIOUS)
        current = ledger.current
        if current is not None:
            ledger = ledger.with_generation(
                current.number, state=State.ABANDONED, evidence=f"ended elsewhere: {out.reason}"
            )
        return _with(w, ledger)
    ledger = ledger.with_generation(generation.number, state=State.RETIRED, ended_at=out.at)
    record = ledger.object_of(generation)
    found = w.object(record)
    seen = w.found
    alternate = generation.strategy.twins and generation.state is State.RETIRING
    if alternate and not ledger.shares_object(generation):
        ledger = ledger.with_object(record.key, suspended=True)
        seen = w.found if found is None else _see(w, record, replace(found, enabled=False))
    elif found is not None:
        ended = (shown(found, generation), intruder(found, generation))
        seen = _see(w, record, replace(found, secrets=tuple(s for s in found.secrets if s not in ended)))
    delivered = {key: _without(held, generation.number) for key, held in w.delivered.items()}
    return replace(_with(w, ledger, seen), delivered=delivered)


def _without(held: Delivered, number: int) -> Delivered:
    """Return what a place holds without one generation; a document of which nothing is left is gone."""
    staged = tuple(e for e in held.staged if e.generation != number)
    current = held.current if held.current and held.current.generation != number else None
    previous = held.previous if held.previous and held.previous.generation != number else None
    exists = held.exists and (current is not None or held.current is None or previous is not None)
    return replace(held, current=current, previous=previous, staged=staged, exists=exists)


def _check(w: World, step: Step, out: Outcome) -> World:
    generation, ledger = _generation(w, step), _ledger(w)
    if out.good:
        return replace(w, me=replace(w.me, alive=w.me.alive | {generation.number}))
    if ledger.rollback == generation.number:
        ledger = replace(ledger, rollback=None)
    why = f"ended elsewhere: {out.reason or step.why}"
    ledger = ledger.with_generation(generation.number, state=State.ABANDONED, evidence=why, confirmed=why)
    if generation.strategy.by_person:
        return _with(w, ledger)
    ledger = _without_gone(w, ledger, generation)
    if ledger.current is None and not any(held_anywhere(w, g) for g in ledger.in_state(State.PREVIOUS)):
        ledger = replace(ledger, ended_elsewhere=generation.number)
    return _with(w, ledger)


def _rollback(w: World, step: Step, out: Outcome) -> World:
    generation, ledger = _generation(w, step), _ledger(w)
    dead = max((g for g in ledger.generations if g.number > generation.number), key=lambda g: g.number, default=None)
    since = dead.current_since if dead is not None and dead.current_since is not None else out.at
    back = replace(generation, delivery=comes_back_to(_spec(w), generation))
    ledger = replace(ledger.with_places(_spec(w).places), rollback=None).with_generation(
        generation.number,
        state=State.CURRENT,
        delivery=back.delivery,
        current_since=since,
        superseded_at=None,
        ends_at=None,
        notified=(),
    )
    return replace(_with(w, ledger), delivered=_promoted(w, back, out, rollback=True))


def _migrate(w: World, _step: Step, out: Outcome) -> World:
    return _with(w, replace(_ledger(w), migrated=out.at))


def _revoke(w: World, _step: Step, out: Outcome) -> World:
    return w if w.recorded is None else _with(w, requests.note_record(_ledger(w), w.recorded, out.at))


def _record(w: World, _step: Step, _out: Outcome) -> World:
    return _with(w, replace(_ledger(w), about=_spec(w).about))


def _keep(w: World, step: Step, _out: Outcome) -> World:
    record = _record_of(w, step)
    return _with(w, _ledger(w).with_object(record.key, kept=kept_now(w, record)))


def _delete(w: World, step: Step, out: Outcome) -> World:
    record, ledger = _record_of(w, step), _ledger(w).with_object(step.object or 0, deleted=True)
    for generation in ledger.generations:
        if generation.object == record.key and generation.state is not State.RETIRED:
            ledger = ledger.with_generation(
                generation.number, state=State.RETIRED, ended_at=out.at, evidence="client deleted"
            )
    return _with(w, ledger, _see(w, record, None))


def _empty(w: World, step: Step, _out: Outcome) -> World:
    delivered = {key: held for key, held in w.delivered.items() if key != step.place}
    return replace(w, delivered=delivered)


def _discard(w: World, step: Step, _out: Outcome) -> World:
    held = w.at(step.place or "")
    return replace(w, delivered={**w.delivered, step.place or "": _without(held, step.generation or 0)})


def _release(w: World, step: Step, _out: Outcome) -> World:
    record = _record_of(w, step)
    released = _object_changed(w, step, mark=None)
    return replace(released, ledger=_ledger(w).with_object(record.key, marked=False))


def _close(w: World, _step: Step, out: Outcome) -> World:
    ledger = _ledger(w)
    for generation in ledger.generations:
        if generation.state is not State.RETIRED:
            ledger = ledger.with_generation(generation.number, state=State.RETIRED, ended_at=out.at, evidence=RELEASED)
    for record in ledger.objects:
        ledger = ledger.with_object(record.key, deleted=not record.holder, suspended=False, off=())
    closed = replace(
        ledger,
        closed=out.at,
        lease=None,
        blocked=None,
        held=None,
        suspended=None,
        reissue=None,
        grace=None,
        rollback=None,
        ended_elsewhere=None,
        migrated=None,
        executed=replace(ledger.executed, words=""),
    )
    return _with(w, closed)


EFFECTS: dict[Do, Callable[[World, Step, Outcome], World]] = {
    Do.ADOPT: _adopt,
    Do.MARK: _mark,
    Do.NAME: _name,
    Do.UPDATE: _update,
    Do.PREPARE: _prepare,
    Do.BEGIN: _begin,
    Do.STAGE: _stage,
    Do.CREATE: _create,
    Do.FENCE: _fence,
    Do.SHIFT: _shift,
    Do.RESTORE: _restore,
    Do.ISSUE: _issue,
    Do.RECOVER: _recover,
    Do.RESUME: _resume,
    Do.VERIFY: _verify,
    Do.PROMOTE: _promote,
    Do.SETTLE: _settle,
    Do.ABANDON: _abandon,
    Do.RETIRE: _retire,
    Do.END: _end,
    Do.CHECK: _check,
    Do.NOTIFY: _notify,
    Do.ROLLBACK: _rollback,
    Do.SUSPEND: _suspend,
    Do.RECORD: _record,
    Do.KEEP: _keep,
    Do.DELETE: _delete,
    Do.EMPTY: _empty,
    Do.DISCARD: _discard,
    Do.RELEASE: _release,
    Do.CLOSE: _close,
    Do.MIGRATE: _migrate,
    Do.REVOKE: _revoke,
}
