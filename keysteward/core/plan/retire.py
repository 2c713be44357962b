"""Rules for ending: retirement after the overlap, sweeping, suspension, revocation, deletion. Pure; for the planner."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeVar

from keysteward.core.contract.observed import TOLERATED_SKEW
from keysteward.core.declare.schedule import may_begin, next_opening
from keysteward.core.declare.spec import Spec
from keysteward.core.observe.keys import shown, suspendable
from keysteward.core.observe.world import World
from keysteward.core.plan.issue import answer_lost, proves_presence, resolve_lost
from keysteward.core.plan.steps import Problem, Step, Wait
from keysteward.core.record.ledger import LIVE, RELEASED, UNFINISHED, Generation, Ledger, ObjectRecord, Origin, State
from keysteward.core.record.steps import Do

_Stop = TypeVar("_Stop")

_IN_USE = LIVE | UNFINISHED


def retirement_at(spec: Spec, generation: Generation) -> datetime | None:
    """Return when a previous generation may end; None when only evidence or a person's word can end it."""
    if generation.ends_at is not None:
        return generation.ends_at
    if generation.superseded_at is None or (generation.origin is Origin.ADOPTED and not spec.retire_adopted):
        return None
    return generation.superseded_at + spec.overlap


def next_retirement(spec: Spec, ledger: Ledger, generation: Generation) -> datetime | None:
    """Return when a previous generation is due to be retired; None while only evidence or a person's word ends it.

    Nor while the credential is suspended, and one that is revoked as a whole ends at once, on no day of a schedule. A
    hold moves it to where it may begin once the hold is over.
    """
    at = retirement_at(spec, generation)
    if at is None or ledger.wholly_revoked or ledger.suspended is not None:
        return None
    if ledger.held is None or ledger.held.until <= at:
        return at
    asked = generation.ends_at is not None
    return ledger.held.until if asked else next_opening(ledger.held.until, at, spec.every, spec.windows)


def retire_due(w: World, spec: Spec, ledger: Ledger) -> Step | None:
    """Retire the oldest previous generation whose overlap is over, if a proven current one is delivered everywhere."""
    current = ledger.current
    if current is None or (ledger.held is not None and ledger.held.until > w.now):
        return None
    for generation in ledger.in_state(State.PREVIOUS):
        if not generation.endable:
            continue
        why = _may_end(w, spec, ledger, generation)
        if why is None or clock_off(w, generation.target) or not _delivered(w, current):
            continue
        return _retire(generation, why)
    return None


def _may_end(w: World, spec: Spec, ledger: Ledger, generation: Generation) -> str | None:
    """Say why a previous generation may end now; None while it may not."""
    if generation.confirmed is not None:
        return generation.confirmed
    if generation.ends_at is not None:
        return "a person asked for it" if w.now >= generation.ends_at else None
    silent = silence(w, ledger, generation) if spec.unused_for is not None else None
    due = retirement_at(spec, generation)
    if due is None:
        # Adopted: nobody promised to have changed over, so that only disuse for a whole overlap speaks for its end.
        needed, due = max(spec.overlap, spec.unused_for or spec.overlap), generation.superseded_at or w.now
        silent = silence(w, ledger, generation)
    elif spec.unused_for is None:
        return f"its overlap ended on {due:%Y-%m-%d}" if may_begin(w.now, due, spec.every, spec.windows) else None
    else:
        needed = spec.unused_for
    if silent is None or silent < needed or not may_begin(w.now, due, spec.every, spec.windows):
        return None
    return f"unused for {silent.days} days"


def silence(w: World, ledger: Ledger, generation: Generation) -> timedelta | None:
    """Return for how long a delivered generation was not used, at least; None where its target does not tell."""
    record = ledger.object_of(generation)
    can, found, since = w.can(record), w.object(record), generation.superseded_at or generation.current_since
    if can is None or found is None or since is None or can.last_use is None:
        return None
    if can.last_use == "client":
        alone = all(g.object != generation.object or g is generation or not g.live for g in ledger.generations)
        return w.now - max(since, found.last_used or since) if alone else None
    secret = shown(found, generation)
    return None if secret is None else w.now - max(since, secret.last_used or since)


def replaces(w: World, current: Generation, generation: Generation) -> bool:
    """Say whether a generation ends because the current one took its place, which must then be seen to work.

    What expired, was revoked or is not declared any more ends whatever else works.
    """
    spec, ledger = w.spec, w.ledger
    if spec is None or ledger is None or generation.number == current.number:
        return False
    if ledger.revoked is not None and ledger.revoked.covers(generation.number):
        return False
    return not any(when is not None and w.now >= when for when in (spec.expires, spec.decommission))


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
        if lives_on(w, generation):
            continue
        if not generation.endable:
            continue
        found = w.object(ledger.object_of(generation))
        primary, current = found.slot("primary") if found else None, ledger.current
        if (
            generation.strategy.one_slot
            and current is not None
            and current.object == generation.object
            and primary is not None
            and primary.fingerprint is not None
            and primary.fingerprint == generation.fingerprint
        ):
            words = f"put generation {current.number} back into its slot"
            return Step(Do.RESTORE, words, f"generation {generation.number} is abandoned", current.number)
        return _end(generation, "it was abandoned")
    return None


def lives_on(w: World, generation: Generation) -> bool:
    """Say whether an abandoned generation still works for those who have it, after a rollback."""
    until = generation.ends_at
    return generation.state is State.ABANDONED and until is not None and w.now < until


def suspend_idle(w: World, ledger: Ledger) -> Step | None:
    """Disable clients on which nothing of ours works any more."""
    if ledger.ended_elsewhere:
        return None
    for record in ledger.objects:
        used = [g for g in ledger.generations if g.object == record.key]
        if not used or used[-1].state in _IN_USE or any(g.state in _IN_USE or lives_on(w, g) for g in used):
            continue
        step = _suspend(w, record, "none of its secrets is in use")
        if step is not None:
            return replace(step, headline=False)
    return None


def suspend_all(w: World, ledger: Ledger, why: str) -> Step | None:
    """Disable every client of a credential, reversibly."""
    return next((step for record in ledger.objects if (step := _suspend(w, record, why)) is not None), None)


def give_up(w: World, ledger: Ledger, generation: Generation, why: str) -> Step | Wait:
    """Abandon an unfinished generation; one whose answer was lost only with what it may have left behind."""
    if generation.state is State.INTENT and answer_lost(w, ledger, generation):
        return resolve_lost(w, ledger, generation)
    return _abandon(generation, why)


def stop_working(w: World, ledger: Ledger, why: str) -> Step | Wait | None:
    """Suspend a credential where the target can, reversibly; else retire its generations."""
    for generation in ledger.generations:
        if generation.state in UNFINISHED - {State.VERIFIED}:
            return give_up(w, ledger, generation, why)
        if generation.state is State.ABANDONED and generation.endable:
            return _end(generation, why)
    step = suspend_all(w, ledger, why)
    if step is not None:
        return step
    for generation in ledger.generations:
        record = ledger.object_of(generation)
        if record.suspended or record.deleted:
            continue
        if generation.state is State.RETIRING:
            if generation.endable:
                return _end(generation, why)
        elif generation.live:
            return _retire(generation, why)
    return None


def revoke(w: World, stop: _Stop) -> Step | Wait | _Stop | None:
    """End what was revoked, windows and overlaps regardless; a wholly revoked credential gets nothing new.

    An attempt whose answer was lost is resolved last, since that may have to wait for a list.
    """
    ledger = w.ledger
    if ledger is None or ledger.revoked is None:
        return None
    why = f"revoked: {ledger.revoked.reason}"
    numbers = ledger.revoked.generations
    step = suspend_all(w, ledger, why) if numbers is None else None
    if step is not None:
        return step
    lost: Generation | None = None
    for generation in ledger.generations:
        if not ledger.revoked.covers(generation.number):
            continue
        if generation.state is State.INTENT and answer_lost(w, ledger, generation):
            lost = lost or generation
            continue
        if generation.state in UNFINISHED:
            return _abandon(generation, why)
        if generation.state in {State.RETIRING, State.ABANDONED}:
            if generation.endable:
                return _end(generation, why)
            continue
        if generation.live:
            return _retire(generation, why)
        again = came_back(w, ledger, generation)
        if again is not None:
            return again
    idle = suspend_idle(w, ledger)
    if idle is not None:
        return idle
    if lost is not None:
        return resolve_lost(w, ledger, lost)
    return stop if numbers is None and w.spec is not None else None


def came_back(w: World, ledger: Ledger, generation: Generation) -> Step | None:
    """End again what came back from the dead: a retired secret that a restored target shows once more."""
    if generation.state is not State.RETIRED or generation.evidence == RELEASED:
        return None
    record = ledger.object_of(generation)
    found = w.object(record)
    disabled_anyway = generation.strategy.twins and not record.deleted
    if found is None or not found.enabled or disabled_anyway or shown(found, generation) is None:
        return None
    view, can = w.views.get(record.target), w.can(record)
    if view is None or can is None:
        return None
    if not proves_presence(view, can, generation):
        return None
    words, why = f"end generation {generation.number} again", "it was retired, and its target has it again"
    return Step(Do.ABANDON, words, why, generation.number, headline=True)


def _end_keys(w: World, ledger: Ledger) -> Step | Wait | Problem | None:
    """End the keys of a holder that we issued; those that were adopted are left, and the holder always is."""
    why = "not declared any more"
    for generation in ledger.generations:
        if not ledger.object_of(generation).holder or ledger.object_of(generation).deleted:
            continue
        if generation.origin is Origin.ADOPTED or generation.state is State.RETIRED:
            continue
        if not generation.endable:
            system, name = generation.target, ledger.name
            return Problem(
                f"generation {generation.number} may still work at {system}, where only a person can end it; declare "
                f"it again, end it there, run: keysteward deliver {name} --ended {generation.number}, then remove it"
            )
        if generation.state in UNFINISHED:
            return give_up(w, ledger, generation, why)
        if generation.state in {State.RETIRING, State.ABANDONED}:
            return _end(generation, why)
        return _retire(generation, why)
    return _undecided(ledger)


def _undecided(ledger: Ledger) -> Problem | None:
    """Keep a ledger open while a key may be an orphan of ours: the holder stays, and nobody else would know of it."""
    for generation in ledger.generations:
        if generation.suspects and ledger.object_of(generation).holder:
            return Problem(
                f"key {generation.suspects[0]} may be an orphan of generation {generation.number}, or somebody else's; "
                f"decide first: keysteward resolve {ledger.name} {generation.suspects[0]} --ours | --theirs"
            )
    return None


def end_all(w: World, ledger: Ledger) -> Step | Wait | Problem | None:
    """End what is not declared any more: delete what we made, release what we adopted, empty its places."""
    if ledger.closed:
        return None
    keys = _end_keys(w, ledger)
    if keys is not None:
        return keys
    ours = {w.identity, *w.names}
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
        if found is not None and found.mark is not None and found.mark.identity not in ours:
            continue
        words = f"delete client {record.client_id}"
        return Step(Do.DELETE, words, "not declared any more", object=record.key, headline=True)
    kept = any(r.adopted or (r.external and not r.holder) for r in ledger.objects) or any(
        g.origin is Origin.ADOPTED and g.live for g in ledger.generations
    )
    for place in ledger.places:
        held = w.at(place.key)
        entries = [e for e in (held.current, held.previous, *held.staged) if e is not None]
        if entries and held.identity in {*ours, None} and not kept:
            words = f"empty {place.key}"
            return Step(Do.EMPTY, words, "not declared any more", place=place.key, headline=True)
    return Step(Do.CLOSE, "close the ledger", "nothing of it is left", headline=not ledger.objects)


def _suspend(w: World, record: ObjectRecord, why: str) -> Step | None:
    found, can = w.object(record), w.can(record)
    if found is None or can is None or w.ledger is None or record.deleted or not can.suspends:
        return None
    theirs = (record.external and not record.holder) or (
        found.mark is not None and found.mark.identity not in {w.identity, *w.names}
    )
    if theirs or not suspendable(w.ledger, record, found):
        return None
    return Step(Do.SUSPEND, f"disable {record.noun}", why, object=record.key, headline=True)


def _abandon(generation: Generation, why: str) -> Step:
    return Step(Do.ABANDON, f"abandon generation {generation.number}", why, generation.number)


def _retire(generation: Generation, why: str) -> Step:
    return Step(Do.RETIRE, f"retire generation {generation.number}", why, generation.number, headline=True)


def _end(generation: Generation, why: str) -> Step:
    return Step(Do.END, f"end generation {generation.number}", why, generation.number)
