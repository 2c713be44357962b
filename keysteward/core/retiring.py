"""Rules for ending: retirement after the overlap, sweeping, suspension, revocation, deletion. Pure; for the planner."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from keysteward.core.ledger import LIVE, UNFINISHED, Generation, Ledger, ObjectRecord, Origin, State
from keysteward.core.making import ONE_SLOT
from keysteward.core.schedule import may_begin
from keysteward.core.spec import Spec
from keysteward.core.steps import Do, Step
from keysteward.core.world import TOLERATED_SKEW, World

_Stop = TypeVar("_Stop")


def retirement_at(spec: Spec, generation: Generation) -> datetime | None:
    """Return when a previous generation may end; None when only evidence or a person's word can end it."""
    if generation.superseded_at is None or (generation.origin is Origin.ADOPTED and not spec.retire_adopted):
        return None
    return generation.superseded_at + spec.overlap


def retire_due(w: World, spec: Spec, ledger: Ledger) -> Step | None:
    """Retire the oldest previous generation whose overlap is over, if a proven current one is delivered everywhere."""
    current = ledger.current
    if current is None or (ledger.held is not None and ledger.held.until > w.now):
        return None
    for generation in ledger.in_state(State.PREVIOUS):
        due = retirement_at(spec, generation)
        if due is None or not may_begin(w.now, due, spec.every, spec.windows):
            continue
        if clock_off(w, generation.target) or not _delivered(w, current):
            continue
        return Step(
            Do.RETIRE,
            f"retire generation {generation.number}",
            f"its overlap ended on {due:%Y-%m-%d}",
            generation.number,
            headline=True,
        )
    return None


def clock_off(w: World, target: str) -> bool:
    """Say whether a target's clock is too far off for anything to be ended there."""
    view = w.views.get(target)
    return view is not None and view.skew > TOLERATED_SKEW


def _delivered(w: World, current: Generation) -> bool:
    for key in current.delivery:
        held = w.at(key)
        if not held.unknown and (held.current is None or held.current.generation != current.number):
            return current.origin is Origin.ADOPTED
    return True


def sweep(w: World, ledger: Ledger) -> Step | None:
    """End abandoned generations; where they took the one slot, the current secret is put back first."""
    for generation in ledger.in_state(State.ABANDONED):
        at_store = any(
            (entry := w.at(key).current) is not None and entry.generation == generation.number
            for key in generation.delivery
        )
        if at_store and ledger.current is None:
            continue
        found = w.object(ledger.object_of(generation))
        current = ledger.current
        if (
            generation.strategy in ONE_SLOT
            and current is not None
            and current.object == generation.object
            and found is not None
            and found.secret(generation.fingerprint) is not None
        ):
            words = f"put generation {current.number} back into its slot"
            return Step(Do.RESTORE, words, f"generation {generation.number} is abandoned", current.number)
        return _end(generation, "it was abandoned")
    return None


def suspend_idle(w: World, ledger: Ledger) -> Step | None:
    """Disable clients on which nothing of ours works any more."""
    if ledger.ended_elsewhere:
        return None
    for record in ledger.objects:
        used = [g for g in ledger.generations if g.object == record.key]
        if not used or any(g.state in LIVE | UNFINISHED for g in used):
            continue
        step = _suspend(w, record, "none of its secrets is in use")
        if step is not None:
            return replace(step, headline=False)
    return None


def stop_working(w: World, ledger: Ledger, why: str) -> Step | None:
    """Suspend a credential where the target can, reversibly; else retire its generations."""
    for generation in ledger.generations:
        if generation.state in UNFINISHED - {State.VERIFIED}:
            return _abandon(generation, why)
    for record in ledger.objects:
        step = _suspend(w, record, why)
        if step is not None:
            return step
    for generation in ledger.generations:
        record = ledger.object_of(generation)
        if record.suspended or record.deleted:
            continue
        if generation.state is State.RETIRING:
            return _end(generation, why)
        if generation.live:
            return _retire(generation, why)
    return None


def revoke(w: World, stop: _Stop) -> Step | _Stop | None:
    """End what was revoked, windows and overlaps regardless; a wholly revoked credential gets nothing new."""
    ledger = w.ledger
    if ledger is None or ledger.revoked is None:
        return None
    why = f"revoked: {ledger.revoked.reason}"
    numbers = ledger.revoked.generations
    if numbers is None:
        for record in ledger.objects:
            step = _suspend(w, record, why)
            if step is not None:
                return step
    for generation in ledger.generations:
        if numbers is not None and generation.number not in numbers:
            continue
        if generation.state in UNFINISHED:
            return _abandon(generation, why)
        if generation.state in {State.RETIRING, State.ABANDONED}:
            return _end(generation, why)
        if generation.live:
            return _retire(generation, why)
    return stop if numbers is None else None


def end_all(w: World, ledger: Ledger) -> Step | None:
    """End what is not declared any more: delete what we made, release what we adopted, empty its places."""
    if ledger.closed:
        return None
    for record in ledger.objects:
        if record.deleted:
            continue
        if record.adopted or record.external:
            if record.marked and not record.external:
                words = f"release client {record.client_id}"
                return Step(Do.RELEASE, words, "it was adopted; nothing is deleted", object=record.key, headline=True)
            continue
        found = w.object(record)
        if record.remote_id is None and found is None:
            continue
        if found is not None and found.mark is not None and found.mark.identity != w.identity:
            continue
        words = f"delete client {record.client_id}"
        return Step(Do.DELETE, words, "not declared any more", object=record.key, headline=True)
    kept = any((r.adopted or r.external) for r in ledger.objects)
    for place in ledger.places:
        held = w.at(place.key)
        entries = [e for e in (held.current, held.previous, *held.staged) if e is not None]
        if entries and held.identity in {w.identity, None} and not kept:
            words = f"empty {place.key}"
            return Step(Do.EMPTY, words, "not declared any more", place=place.key, headline=True)
    return Step(Do.CLOSE, "close the ledger", "nothing of it is left", headline=not ledger.objects)


def _suspend(w: World, record: ObjectRecord, why: str) -> Step | None:
    found, view = w.object(record), w.views.get(record.target)
    if found is None or view is None or record.deleted or record.external or not view.capabilities.suspends:
        return None
    if not found.enabled:
        return None
    return Step(Do.SUSPEND, f"disable client {record.client_id}", why, object=record.key, headline=True)


def _abandon(generation: Generation, why: str) -> Step:
    return Step(Do.ABANDON, f"abandon generation {generation.number}", why, generation.number)


def _retire(generation: Generation, why: str) -> Step:
    return Step(Do.RETIRE, f"retire generation {generation.number}", why, generation.number, headline=True)


def _end(generation: Generation, why: str) -> Step:
    return Step(Do.END, f"end generation {generation.number}", why, generation.number)
