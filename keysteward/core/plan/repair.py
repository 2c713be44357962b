"""Rules for what was begun and what lives: finish it, mend it, deliver it, tell of it, retire and tidy. Pure."""

from __future__ import annotations

from keysteward.core.observe.diff import METHOD, changes_of, differences, show_differences
from keysteward.core.observe.keys import expired, intruder, nameless, shown
from keysteward.core.observe.world import World
from keysteward.core.plan import issue, retire
from keysteward.core.plan.adopt import kept_now, wanted
from keysteward.core.plan.steps import Decision, Step
from keysteward.core.record.ledger import UNFINISHED, Generation, State
from keysteward.core.record.steps import Do


def asked(w: World) -> Decision:
    """Try what only a person can end, once a person says that it has ended."""
    for generation in w.ledger.generations if w.ledger is not None and w.me.asked else ():
        tried = generation.number not in w.me.asked or generation.number in w.me.alive
        if tried or generation.endable or generation.state in UNFINISHED | {State.RETIRED}:
            continue
        words = f"check whether generation {generation.number} still works"
        return Step(Do.CHECK, words, "a person says that it has ended", generation.number, headline=True)
    return None


def unfinished(w: World) -> Decision:
    """Take the generation that was begun to its delivery, or give it up when the declaration changed since."""
    ledger, spec = w.ledger, w.spec
    if ledger is None or spec is None or ledger.closed or ledger.unfinished is None:
        return None
    generation = ledger.unfinished
    record = ledger.object_of(generation)
    if generation.state in UNFINISHED - {State.VERIFIED} and not issue.still_wanted(spec, generation, record):
        return retire.give_up(w, ledger, generation, "the declaration changed")
    if generation.state is State.INTENT:
        return issue.make(w, ledger, spec, generation)
    if record.suspended:
        return Step(Do.RESUME, f"enable client {record.client_id}", "its new secret is set", object=record.key)
    if generation.state is State.ISSUED:
        return settings(w) or issue.verify_step(generation)
    return issue.deliver(w, ledger, spec, generation)


def revived(w: World) -> Decision:
    """End again what was retired and came back, as on a restored target."""
    ledger = w.ledger
    if ledger is None or ledger.closed:
        return None
    seen = {name for found in w.found for secret in found.object.secrets for name in (secret.id, secret.fingerprint)}
    for generation in ledger.generations:
        if generation.state is not State.RETIRED or not (generation.id in seen or generation.fingerprint in seen):
            continue
        step = retire.came_back(w, ledger, generation)
        if step is not None:
            return step
    return None


def sweep(w: World) -> Decision:
    """End what a lost answer left behind."""
    return retire.sweep(w, w.ledger) if w.ledger and not w.ledger.closed else None


def finish_ending(w: World) -> Decision:
    """End what was fenced off for its end by a run before."""
    for generation in w.ledger.in_state(State.RETIRING) if w.ledger else ():
        if generation.endable:
            return Step(Do.END, f"end generation {generation.number}", "its retirement has begun", generation.number)
    return None


def rollback(w: World) -> Decision:
    """Roll back to a living predecessor: at once from a dead current, and when a person asks, once it is proven."""
    ledger, spec = w.ledger, w.spec
    if ledger is None or spec is None or ledger.closed or ledger.unfinished is not None:
        return None
    if ledger.current is not None and ledger.rollback is None:
        return None
    previous = [g for g in ledger.in_state(State.PREVIOUS) if issue.held_anywhere(w, g)]
    back = next((g for g in previous if g.number == ledger.rollback), previous[-1] if previous else None)
    if back is None:
        return None
    number, current = back.number, ledger.current
    if current is None:
        why = "a person asked for it" if ledger.rollback else "the current generation is dead"
        return Step(Do.ROLLBACK, f"roll back to generation {number}", why, number, headline=True)
    if number not in w.me.alive:
        words = f"check whether generation {number} still works"
        return Step(Do.CHECK, words, "before consumers go back to it", number, headline=True)
    return Step(
        Do.ABANDON,
        f"give up generation {current.number}, after its overlap",
        f"rolled back to generation {number}",
        current.number,
        headline=True,
        until=w.now + spec.overlap,
    )


def dead_current(w: World) -> Decision:
    """Ask before believing that the current secret is gone: a list may be old."""
    ledger = w.ledger
    current = ledger.current if ledger and not ledger.closed else None
    if ledger is None or current is None or current.fingerprint is None or current.number in w.me.alive:
        return None
    if w.moved_to(current) is not None:
        return None
    record = ledger.object_of(current)
    view, found = w.views.get(record.target), w.object(record)
    if view is None or record.remote_id is None:
        return None
    secret = shown(found, current) if found is not None else None
    forged = found is not None and (intruder(found, current) is not None or nameless(secret, current))
    if forged and issue.held_anywhere(w, current):
        return _put_back(current)
    over = secret is not None and expired(secret, w.now)
    if (
        found is not None
        and not over
        and (
            secret is not None
            or any(s.fingerprint is None and s.slot != "key" for s in found.secrets)
            or (current.id is None and any(s.fingerprint is None for s in found.secrets))
        )
    ):
        return None
    gone = f"{'its holder' if record.holder else 'its client'} is gone"
    why = gone if found is None else "its secret is not at the target any more"
    if over:
        why = "its target has ended it by a day of its own"
    return Step(
        Do.CHECK,
        f"check whether generation {current.number} still works",
        f"{why}, without a step of ours",
        current.number,
        headline=True,
    )


def _put_back(current: Generation) -> Step:
    """Put our key back under its `kid` in place of another, in one write.

    Nobody ended our key: who means that, takes it away. A key is looked up by its `kid`, so that whoever has the other
    one passes for our consumer, and our consumer is refused. The private half of ours is in our store as before, and to
    show its public half again is no new secret.
    """
    words = f"put the key of generation {current.number} back under its kid"
    return Step(Do.RESTORE, words, "somebody changed the keys by hand", current.number, headline=True)


def safer(w: World) -> Decision:
    """Take over into the ledger what somebody made safer on an adopted client, so that it never becomes wider again."""
    if w.spec is None or w.spec.adopt is None or w.ledger is None or w.ledger.closed:
        return None
    for record in w.ledger.objects:
        kept = record.kept
        now = kept_now(w, record) if kept is not None and not record.deleted else None
        if kept is None or now is None or now == kept:
            continue
        differing = differences(now, kept)
        words = f"keep client {record.client_id} as it was made safer: {show_differences(differing)}"
        why = "what an adoption kept only becomes safer"
        return Step(Do.KEEP, words, why, object=record.key, headline=True, changes=changes_of(differing))
    return None


def settings(w: World) -> Decision:
    """Write settings that differ, on every client whose secret works or is about to."""
    spec, ledger = w.spec, w.ledger
    if spec is None or ledger is None or ledger.closed or spec.external:
        return None
    busy = {g.object for g in ledger.generations if g.live}
    for record in ledger.objects:
        found = w.object(record)
        if record.key not in busy or record.deleted or record.holder or found is None or record.target != spec.target:
            continue
        differing = differences(wanted(w, spec, record), found.settings)
        changes = tuple(change for change in differing if change.field != METHOD)
        if changes:
            return Step(
                Do.UPDATE,
                f"update client {found.client_id}: {show_differences(changes)}",
                "it differs from the declaration",
                object=record.key,
                headline=True,
                widens=any(change.widens for change in changes),
                changes=changes_of(changes),
            )
    return None


def redeliver(w: World) -> Decision:
    """Deliver the present secret again to a place that holds something else."""
    ledger, spec = w.ledger, w.spec
    if ledger is None or spec is None or ledger.closed or ledger.current is None:
        return None
    return issue.redeliver(w, ledger, spec, ledger.current)


def notify(w: World) -> Decision:
    """Tell consumers with a webhook of the generation that was delivered to them."""
    ledger, spec = w.ledger, w.spec
    current = ledger.current if ledger is not None and not ledger.closed else None
    if spec is None or current is None:
        return None
    for place in spec.places:
        if place.webhook is None:
            continue
        told = place.key in current.notified or (current.number, place.key) in w.me.told
        if told or place.key not in current.delivery:
            continue
        words = f"tell the consumer of {place.key} about generation {current.number}"
        return Step(Do.NOTIFY, words, "so that it reloads", current.number, place=place.key, headline=True)
    return None


def retire_previous(w: World) -> Decision:
    """End the previous generation once its overlap is over."""
    return retire.retire_due(w, w.spec, w.ledger) if w.spec and w.ledger and not w.ledger.closed else None


def idle(w: World) -> Decision:
    """Disable a client of ours that nothing living uses."""
    return retire.suspend_idle(w, w.ledger) if w.spec and w.ledger and not w.ledger.closed else None


def tidy(w: World) -> Decision:
    """Destroy what a place still holds of a generation that is over, whatever kept it from being discarded."""
    ledger = w.ledger
    if w.spec is None or ledger is None or ledger.closed:
        return None
    for place in ledger.places:
        key = place.key
        held = w.at(key)
        left = held.current if ledger.current is not None and key not in ledger.current.delivery else None
        if held.previous is None and left is None and not held.staged:
            continue
        states = {g.number: g.state for g in ledger.generations}
        entries = (held.previous, *held.staged, left) if held.identity in {w.identity, *w.names} else ()
        for entry in entries:
            if entry is not None and states.get(entry.generation, State.RETIRED) is State.RETIRED:
                words = f"destroy what is left of generation {entry.generation} at {key}"
                return Step(Do.DISCARD, words, "it is over", entry.generation, place=key)
    return None


def record_changes(w: World) -> Decision:
    """Keep in the ledger what ending a credential needs after its declaration is gone."""
    spec, ledger = w.spec, w.ledger
    if spec is None or ledger is None or ledger.closed or not ledger.generations or spec.is_kept_as(ledger.about):
        return None
    return Step(Do.RECORD, "record the changed declaration", "owner, purpose or dates changed", headline=True)
