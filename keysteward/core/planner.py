"""The one planner: decides everything a preview shows and a run does. Pure.

`decide` names the first step that is due; `plan` plays the steps through on paper until nothing is. The order of the
rules is the order of a run: finish what was begun, mend, retire, rotate. Each rule is one function from the world to a
step, a wait, a problem, NOTHING (stop here) or None (the next rule decides).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Final

from keysteward.core import making, retiring
from keysteward.core.adoption import wanted
from keysteward.core.diff import METHOD, differences, show_differences
from keysteward.core.effects import predict
from keysteward.core.examine import examine
from keysteward.core.handover import new_value
from keysteward.core.holders import expired, is_off, narrowed, read_name, resumable
from keysteward.core.homes import at_home, holder_record, home_of, new_home
from keysteward.core.ledger import UNFINISHED, Generation, Ledger, ObjectRecord, State
from keysteward.core.observed import Mark
from keysteward.core.ports import Strategy
from keysteward.core.rebuild import behind
from keysteward.core.schedule import due_at, may_begin, next_opening, show_duration
from keysteward.core.spec import Spec
from keysteward.core.steps import Do, Plan, Problem, Step, Wait
from keysteward.core.world import Extent, World


class Nothing(Enum):
    """A rule's word that nothing further may be done."""

    STOP = "stop"


NOTHING: Final = Nothing.STOP
Decision = Step | Wait | Problem | Nothing | None

LONGEST_PLAN = 60
"""Steps after which a plan is cut: no sound sequence for one credential is that long."""

IN_USE = frozenset({State.CURRENT, State.PREVIOUS})

SLOT_STRATEGIES = frozenset({Strategy.ROTATED_SLOT, Strategy.ALTERNATE})
"""Strategies with exactly two places for a secret: nothing new begins while the previous one still lives."""


def plan(world: World) -> Plan:
    """Plan one credential: the steps that are due now, what waits or stops it, findings, and the next due time."""
    return plan_from(world, play(world))


@dataclass(frozen=True, slots=True)
class Played:
    """The steps that are due now, and the world before each of them and after the last.

    `cut` says that more would have come: see LONGEST_PLAN.
    """

    steps: list[Step]
    worlds: list[World]
    wait: Wait | None = None
    problem: Problem | None = None
    cut: bool = False

    @property
    def after(self) -> World:
        """Return the world after the last step."""
        return self.worlds[-1]


def plan_from(world: World, played: Played) -> Plan:
    """Return the plan of a world that was played."""
    ahead = played.after
    return Plan(world.identity, tuple(played.steps), examine(ahead), played.wait, played.problem, next_due(ahead))


def play(world: World, ask: Callable[[World], Step | Wait | Problem | None] | None = None) -> Played:
    """Play on paper everything that is due now. `ask` puts the questions to `decide`, where not as they are."""
    ask = decide if ask is None else ask
    steps: list[Step] = []
    worlds = [world]
    while len(steps) < LONGEST_PLAN:
        decision = ask(worlds[-1])
        if isinstance(decision, Step):
            steps.append(decision)
            worlds.append(predict(worlds[-1], decision))
        elif isinstance(decision, Wait):
            return Played(steps, worlds, wait=decision)
        elif isinstance(decision, Problem):
            return Played(steps, worlds, problem=decision)
        else:
            return Played(steps, worlds)
    return Played(steps, worlds, cut=True)


def decide(world: World) -> Step | Wait | Problem | None:
    """Name what to do first, or why to wait or stop; None when nothing is due."""
    for rule in RULES[world.me.extent]:
        decision = rule(world)
        if decision is NOTHING:
            return None
        if decision is not None:
            return decision
    return None


def next_due(world: World) -> datetime | None:
    """Return when the next rotation or retirement is due, None when neither will come."""
    ledger, spec = world.ledger, world.spec
    if ledger is None or spec is None or ledger.closed or (ledger.revoked and ledger.revoked.generations is None):
        return None
    times = [retiring.retirement_at(spec, g) for g in ledger.in_state(State.PREVIOUS)]
    times.append(next_rotation(spec, ledger, world.now))
    return min((t for t in times if t is not None), default=None)


def next_rotation(spec: Spec | None, ledger: Ledger | None, now: datetime) -> datetime | None:
    """Return when the present secret is due for replacement by its schedule, past days too; None when it never will be.

    Nor while only a person's word brings it: after a revocation, a suspension or a block. A hold moves it to where it
    may begin once the hold is over. Of a key that is made by hand it is the day by which somebody is to make another.
    """
    if spec is None or ledger is None or ledger.closed is not None or ledger.current is None:
        return None
    revoked = ledger.revoked is not None and ledger.revoked.generations is None
    migrated = ledger.migrated is not None and spec.migrates_to is not None
    if revoked or migrated or ledger.suspended is not None or _blocked(spec, ledger):
        return None
    at = rotation_at(spec, ledger.current)
    if ledger.held is not None and ledger.held.until > at:
        at = next_opening(ledger.held.until, at, spec.every, spec.windows)
    return None if ending(spec, max(at, now)) else at


def rotation_at(spec: Spec, current: Generation) -> datetime:
    """Return when the current generation is due for replacement by its schedule."""
    return due_at(spec.identity, current.current_since or current.asked_at, spec.every, spec.windows)


def _leased(w: World) -> Decision:
    lease = w.ledger.lease if w.ledger else None
    return NOTHING if lease is not None and lease.runner != w.me.runner and lease.until > w.now else None


def _closed(w: World) -> Decision:
    gone = w.ledger is None or w.ledger.closed is not None
    return NOTHING if gone and w.spec is None else None


def _renamed(w: World) -> Decision:
    """Leave a credential alone whose declaration has another name than its ledger; for a run of the lifecycle alone."""
    return NOTHING if w.ledger is not None and w.ledger.identity != w.identity else None


def _barred(w: World) -> Decision:
    """Rename nothing to what a person revoked: its revocation would be lifted by nobody's word."""
    if w.barred is None:
        return None
    return Problem(
        f"{w.identity} was revoked before it was closed ({w.barred.reason}), and another one would get its name; "
        f"choose another name, or run: keysteward lift {w.name} --reason TEXT"
    )


def _asked(w: World) -> Decision:
    """Try what only a person can end, once a person says that it has ended."""
    for generation in w.ledger.generations if w.ledger is not None and w.me.asked else ():
        tried = generation.number not in w.me.asked or generation.number in w.me.alive
        if tried or generation.endable or generation.state in UNFINISHED | {State.RETIRED}:
            continue
        words = f"check whether generation {generation.number} still works"
        return Step(Do.CHECK, words, "a person says that it has ended", generation.number, headline=True)
    return None


def _revoked(w: World) -> Decision:
    return retiring.revoke(w, NOTHING) if w.ledger and w.ledger.revoked else None


def _removed(w: World) -> Decision:
    return retiring.end_all(w, w.ledger) or NOTHING if w.spec is None and w.ledger is not None else None


def _suspended(w: World) -> Decision:
    """Disable what a person suspended; nothing begins or ends until it is resumed."""
    ledger = w.ledger
    if ledger is None or ledger.closed or ledger.suspended is None:
        return None
    why = f"suspended: {ledger.suspended.reason}"
    return retiring.suspend_all(w, ledger, why) or retiring.sweep(w, ledger) or NOTHING


def _resume(w: World) -> Decision:
    """Enable what we disabled, once nothing speaks for that any more."""
    ledger = w.ledger
    if w.spec is None or ledger is None or ledger.closed:
        return None
    for record in ledger.objects:
        if not record.suspended or record.deleted:
            continue
        found = w.object(record)
        used = any(g.object == record.key and g.state in IN_USE for g in ledger.generations)
        if not used or found is None:
            continue
        if not resumable(record, found):
            continue
        words = f"enable {record.noun}"
        return Step(Do.RESUME, words, "it may work again", object=record.key, headline=True, widens=True)
    return None


def _behind(w: World) -> Decision:
    """Do nothing under a ledger that is lost or older than the world: it would issue twice, or end what is in use."""
    why = behind(w)
    if why is None:
        return None
    return Problem(f"{why}; restore the ledger store, or run: keysteward rebuild {w.name}")


def _disabled(w: World) -> Decision:
    """While somebody else has disabled the client, nothing can be proven: nothing begins and nothing ends.

    What is over already is destroyed in the stores all the same.
    """
    ledger = w.ledger
    if w.spec is None or ledger is None or ledger.closed:
        return None
    for generation in (ledger.unfinished, ledger.current):
        record = ledger.object_of(generation) if generation is not None else None
        found = w.object(record) if record is not None else None
        if generation is None or record is None or found is None or record.suspended:
            continue
        if is_off(record, found, generation):
            return _tidy(w) or NOTHING
    return None


def _places(w: World) -> Decision:
    return making.obstacle(w, w.spec) if w.spec else None


def _adopt(w: World) -> Decision:
    spec, ledger = w.spec, w.ledger
    if spec is None or spec.adopt is None or (ledger and not ledger.closed and ledger.objects):
        return None
    if spec.key:
        return _adopt_key(w, spec, spec.adopt)
    found = w.by_client_id(spec.target, spec.adopt)
    if found is None:
        return Problem(f"adopt: target {spec.target} has no client {spec.adopt!r}; correct the name or remove adopt")
    if found.mark is not None and found.mark.identity not in {spec.identity, *w.names}:
        return Problem(
            f"adopt: client {found.client_id!r} at target {spec.target} belongs to {found.mark.identity}; "
            "it must be released there first"
        )
    if found.settings.method != spec.method:
        return Problem(
            f"auth_method: client {found.client_id!r} authenticates by {found.settings.method}; "
            "adopt it with that method first, adoption changes nothing but the mark"
        )
    record = ObjectRecord(
        1,
        spec.target,
        found.client_id,
        found.settings.method,
        "",
        found.remote_id,
        external=spec.external,
        adopted=True,
        marked=spec.external,
        kept=None if spec.external else found.settings,
    )
    noun = f"the secret of client {found.client_id}" if spec.external else f"client {found.client_id}"
    return Step(Do.ADOPT, f"adopt {noun}", "declared with adopt", object=1, record=record, headline=True)


def _adopt_key(w: World, spec: Spec, key_id: str) -> Decision:
    """Enter one living key of a holder as ours; nothing is written to it."""
    found = w.by_client_id(spec.target, spec.client_id)
    secret = next((s for s in found.secrets if s.id == key_id), None) if found is not None else None
    if found is None or secret is None:
        return Problem(f"adopt: {spec.client_id!r} at target {spec.target} has no key {key_id!r}; correct its id")
    name = read_name(secret)
    named = name.identity if name is not None and name.identity not in {spec.identity, *w.names} else None
    owner = w.claimed_by or named
    if owner is not None:
        return Problem(f"adopt: key {key_id!r} belongs to {owner}; it must be released there first")
    record = holder_record(found, spec, 1)
    return Step(Do.ADOPT, f"adopt key {key_id}", "declared with adopt", object=1, record=record, headline=True)


def _mark(w: World) -> Decision:
    if w.ledger is None or w.ledger.closed:
        return None
    for record in w.ledger.objects:
        found = w.object(record)
        if found is None or record.deleted or record.external:
            continue
        if found.mark == Mark(w.identity, record.nonce):
            continue
        if found.mark is not None and found.mark.identity not in {w.identity, *w.names}:
            return Problem(
                f"client {found.client_id!r} at target {record.target} now carries the mark of "
                f"{found.mark.identity}; decide whose it is and remove the other declaration"
            )
        return Step(Do.MARK, f"mark client {found.client_id}", "its mark is missing", object=record.key, headline=True)
    return NOTHING if w.ledger.adopted_by == w.me.runner else None


def _unfinished(w: World) -> Decision:
    ledger, spec = w.ledger, w.spec
    if ledger is None or spec is None or ledger.closed or ledger.unfinished is None:
        return None
    generation = ledger.unfinished
    record = ledger.object_of(generation)
    if generation.state in UNFINISHED - {State.VERIFIED} and not making.still_wanted(spec, generation, record):
        return retiring.give_up(w, ledger, generation, "the declaration changed")
    if generation.state is State.INTENT:
        return making.make(w, ledger, spec, generation)
    if record.suspended:
        return Step(Do.RESUME, f"enable client {record.client_id}", "its new secret is set", object=record.key)
    if generation.state is State.ISSUED:
        return _settings(w) or making.verify_step(generation)
    return making.deliver(w, ledger, spec, generation)


def _sweep(w: World) -> Decision:
    return retiring.sweep(w, w.ledger) if w.ledger and not w.ledger.closed else None


def _revived(w: World) -> Decision:
    ledger = w.ledger
    if ledger is None or ledger.closed:
        return None
    seen = {name for found in w.found for secret in found.object.secrets for name in (secret.id, secret.fingerprint)}
    for generation in ledger.generations:
        if generation.state is not State.RETIRED or not (generation.id in seen or generation.fingerprint in seen):
            continue
        step = retiring.came_back(w, ledger, generation)
        if step is not None:
            return step
    return None


def _retiring(w: World) -> Decision:
    for generation in w.ledger.in_state(State.RETIRING) if w.ledger else ():
        if generation.endable:
            return Step(Do.END, f"end generation {generation.number}", "its retirement has begun", generation.number)
    return None


def _rollback(w: World) -> Decision:
    """Roll back to a living predecessor: at once from a dead current, and when a person asks, once it is proven."""
    ledger, spec = w.ledger, w.spec
    if ledger is None or spec is None or ledger.closed or ledger.unfinished is not None:
        return None
    previous = [g for g in ledger.in_state(State.PREVIOUS) if making.held_anywhere(w, g)]
    back = next((g for g in previous if g.number == ledger.rollback), previous[-1] if previous else None)
    if back is None or (ledger.current is not None and ledger.rollback is None):
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


def _dead_current(w: World) -> Decision:
    """Ask before believing that the current secret is gone: a list may be old."""
    ledger = w.ledger
    current = ledger.current if ledger and not ledger.closed else None
    if ledger is None or current is None or current.fingerprint is None or current.number in w.me.alive:
        return None
    record = ledger.object_of(current)
    view, found = w.views.get(record.target), w.object(record)
    if view is None or record.remote_id is None:
        return None
    secret = making.shown(found, current) if found is not None else None
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


def _settings(w: World) -> Decision:
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
            )
    return None


def _redeliver(w: World) -> Decision:
    ledger, spec = w.ledger, w.spec
    if ledger is None or spec is None or ledger.closed or ledger.current is None:
        return None
    return making.redeliver(w, ledger, spec, ledger.current)


def _decommissioned(w: World) -> Decision:
    """On the day of its end a credential is suspended where the target can, else its generations are retired."""
    spec, ledger = w.spec, w.ledger
    if spec is None or ledger is None or ledger.closed:
        return None
    mistaken = _expired_before_issue(spec, ledger)
    if mistaken is not None:
        return mistaken
    for when, what in ((spec.decommission, "decommissioned"), (spec.expires, "expired")):
        if when is not None and w.now >= when:
            return retiring.stop_working(w, ledger, f"{what} on {when:%Y-%m-%d}") or _tidy(w) or NOTHING
    return None


def _expired_before_issue(spec: Spec, ledger: Ledger) -> Problem | None:
    """Refuse a day of expiry that was over before the living secret was issued: nobody can have meant that."""
    current = ledger.current
    issued = (current.issued_at or current.asked_at) if current is not None else None
    if current is None or issued is None or spec.expires is None or spec.expires > issued:
        return None
    return Problem(
        f"expires: {spec.expires:%Y-%m-%d} is before generation {current.number} was issued ({issued:%Y-%m-%d}); "
        f"correct the day, or end it now: keysteward revoke {spec.name} --all --reason TEXT"
    )


def _migrated(w: World) -> Decision:
    """End a transitional key once its consumers use the client instead and nobody uses the key."""
    spec, ledger = w.spec, w.ledger
    if spec is None or ledger is None or ledger.closed or spec.migrates_to is None:
        return None
    why = f"its consumers use client {spec.migrates_to}"
    if ledger.migrated is not None:
        return retiring.stop_working(w, ledger, why) or _tidy(w) or NOTHING
    current = ledger.current
    if spec.silent_for is None or current is None or ledger.unfinished is not None or w.successor is None:
        return None
    silences = [retiring.silence(w, ledger, g) for g in ledger.generations if g.live]
    known = [silent for silent in silences if silent is not None]
    silent = min(known) if len(known) == len(silences) else None
    if silent is None or silent < spec.silent_for or w.successor < w.now - spec.silent_for:
        return None
    words, why = f"end the key: {why}", f"nobody used the key for {silent.days} days"
    return Step(Do.MIGRATE, words, why, current.number, headline=True)


def _past(w: World) -> Decision:
    """Refuse a new declaration whose dates leave no time for anything to be issued."""
    spec, ledger = w.spec, w.ledger
    if spec is None or not (ledger is None or ledger.closed is not None):
        return None
    if spec.expires is not None and w.now + spec.overlap >= spec.expires:
        room = "is past" if w.now >= spec.expires else f"leaves no room for an overlap of {show_duration(spec.overlap)}"
        return Problem(f"expires: {spec.expires:%Y-%m-%d} {room}, so nothing would be issued; give a later date")
    if spec.lapsed(w.now):
        return Problem(f"classification: {spec.standing}, and that day is past, so nothing is issued; renew it first")
    return None


def _notify(w: World) -> Decision:
    """Tell consumers with a webhook of the generation that was delivered to them."""
    ledger, spec = w.ledger, w.spec
    current = ledger.current if ledger is not None and not ledger.closed else None
    if spec is None or current is None:
        return None
    for place in spec.places:
        told = place.key in current.notified or (current.number, place.key) in w.me.told
        if place.webhook is None or told or place.key not in current.delivery:
            continue
        words = f"tell the consumer of {place.key} about generation {current.number}"
        return Step(Do.NOTIFY, words, "so that it reloads", current.number, place=place.key, headline=True)
    return None


def _retire(w: World) -> Decision:
    return retiring.retire_due(w, w.spec, w.ledger) if w.spec and w.ledger and not w.ledger.closed else None


def _idle(w: World) -> Decision:
    return retiring.suspend_idle(w, w.ledger) if w.spec and w.ledger and not w.ledger.closed else None


def _tidy(w: World) -> Decision:
    """Destroy what a place still holds of a generation that is over, whatever kept it from being discarded."""
    ledger = w.ledger
    if w.spec is None or ledger is None or ledger.closed:
        return None
    over = {g.number for g in ledger.generations if g.state is State.RETIRED}
    known = {g.number for g in ledger.generations}
    for place in ledger.places:
        held = w.at(place.key)
        left = ledger.current is not None and place.key not in ledger.current.delivery
        entries = (held.previous, *held.staged, held.current if left else None)
        for entry in entries if held.identity in {w.identity, *w.names} else ():
            if entry is not None and (entry.generation in over or entry.generation not in known):
                words = f"destroy what is left of generation {entry.generation} at {place.key}"
                return Step(Do.DISCARD, words, "it is over", entry.generation, place=place.key)
    return None


def _begin(w: World) -> Decision:
    """Begin a new generation when one is due and nothing forbids it."""
    spec, ledger = w.spec, w.ledger
    if spec is None or may_not_begin(w, spec, ledger) or (spec.strategy is Strategy.BY_HAND and not new_value(w)):
        return None
    why = due_because(w, spec, ledger)
    if why is None:
        return None
    if w.me.extent is Extent.LIFECYCLE:
        unapplied = _unapplied(w, spec, ledger)
        if unapplied is not None:
            return unapplied
    record = home_of(spec, ledger) or new_home(w, spec, ledger)
    if isinstance(record, Problem):
        return record
    view = w.views.get(record.target)
    if view is None:
        return None
    found = w.object(record) if record.remote_id else None
    if found is not None and making.cap_filled(w, ledger, record, found):
        return None
    if making.needs_preparation(w, spec, ledger, record):
        return Step(Do.PREPARE, f"prepare native overlap on client {record.client_id}", why, object=record.key)
    number = ledger.next if ledger else 1
    first = ledger is None or ledger.closed is not None or ledger.current is None
    words = (
        f"issue generation {number} ({making.strategy_for(spec, ledger, record).value})"
        if first
        else (f"rotate to generation {number} ({why})")
    )
    current = ledger.current if ledger is not None else None
    wider = narrowed(w, spec, current) if current is not None else frozenset()
    if wider and not spec.narrow_now:
        words += f", while the one that also allows {', '.join(sorted(wider))} ends {show_duration(spec.overlap)} later"
    if record.remote_id is None:
        words = f"create client {record.client_id}; {words}"
    return Step(
        Do.BEGIN, words, why, number, object=record.key, record=record, headline=True, widens=record.remote_id is None
    )


def _unapplied(w: World, spec: Spec, ledger: Ledger | None) -> Decision:
    """Leave what is new or was changed in the declaration to a run that applies declarations."""
    if ledger is None or ledger.closed is not None or not ledger.generations:
        return NOTHING
    current = ledger.current
    if current is not None and why_moved(spec, ledger, current) is not None and not ledger.reissue:
        return NOTHING
    update = _settings(w)
    if isinstance(update, Step):
        return Problem(f"a rotation is due, but first comes: {update.words}; `keysteward up` or `pulumi up` does both")
    return None


def ending(spec: Spec, at: datetime) -> bool:
    """Say whether a declaration lets nothing new begin at a moment: it ends, or its classification lapsed."""
    if spec.decommission is not None or (spec.expires is not None and at + spec.overlap >= spec.expires):
        return True
    return spec.lapsed(at)


def may_not_begin(w: World, spec: Spec, ledger: Ledger | None) -> bool:
    """Say whether no new generation may begin, whatever is due."""
    if ending(spec, w.now):
        return True
    if ledger is None or ledger.closed is not None:
        return False
    if _blocked(spec, ledger):
        return True
    if making.would_cut_off(w, spec, ledger) and not ledger.reissue:
        return True
    held = ledger.held is not None and ledger.held.until > w.now
    waiting = any(g.endable for g in ledger.in_state(State.RETIRING)) or (
        spec.strategy in SLOT_STRATEGIES
        and ledger.current is not None
        and any(g.state is State.PREVIOUS or retiring.lives_on(w, g) for g in ledger.generations)
    )
    return held or waiting


def _blocked(spec: Spec, ledger: Ledger) -> bool:
    """Say whether no further attempt is made until the declaration changes or a person asks for one."""
    return ledger.blocked is not None and ledger.blocked.digest == spec.digest() and not ledger.reissue


def due_because(w: World, spec: Spec, ledger: Ledger | None) -> str | None:
    """Say why a new generation is due now; None when none is."""
    if ledger is None or ledger.closed is not None:
        return "newly declared"
    if ledger.reissue:
        return f"reissue: {ledger.reissue.replace(';', ',')}"  # a semicolon parts the steps of a plan
    if new_value(w):
        return "a new value was handed over"
    current = ledger.current
    if current is None:
        return None if ledger.ended_elsewhere else "no generation works yet"
    moved = why_moved(spec, ledger, current)
    if moved:
        return moved
    if making.button_pressed(w, ledger, current):
        return "somebody regenerated the secret; the delivered one now ends with the server's overlap"
    ends = _ends_at_target(w, spec, ledger, current)
    if ends is not None and w.now + spec.overlap >= ends:
        return f"its target ends the present key on {ends:%Y-%m-%d}"
    due = rotation_at(spec, current)
    if may_begin(w.now, due, spec.every, spec.windows):
        return f"due {due:%Y-%m-%d}"
    return None


def _ends_at_target(w: World, spec: Spec, ledger: Ledger, current: Generation) -> datetime | None:
    """Return when the target will end a key by itself, earlier than declared; None when it will not."""
    record = ledger.object_of(current)
    found = w.object(record) if record.holder else None
    secret = making.shown(found, current) if found is not None else None
    ends = secret.expires_at if secret is not None else None
    return ends if ends is not None and (spec.expires is None or ends < spec.expires) else None


def why_moved(spec: Spec, ledger: Ledger, current: Generation) -> str | None:
    """Say which part of the declaration the current generation was not made for."""
    record = ledger.object_of(current)
    if current.target != spec.target:
        return f"moved from target {current.target} to {spec.target}"
    if current.method != spec.method:
        return f"method changes from {current.method} to {spec.method}"
    if current.delivery != spec.delivery:
        return f"delivery moves to {', '.join(spec.delivery)}"
    if not at_home(spec, record):
        return f"client_id changes from {record.client_id} to {spec.client_id}"
    if current.facts != spec.facts:
        return "scopes, audience or expiry changed, which this target cannot change on a living secret"
    return None


def _record(w: World) -> Decision:
    """Keep in the ledger what ending a credential needs after its declaration is gone."""
    spec, ledger = w.spec, w.ledger
    if spec is None or ledger is None or ledger.closed or not ledger.generations or ledger.about == spec.about:
        return None
    return Step(Do.RECORD, "record the changed declaration", "owner, purpose or dates changed", headline=True)


Rule = Callable[[World], Decision]

ALL_RULES: tuple[Rule, ...] = (
    _leased,
    _closed,
    _barred,
    _asked,
    _revoked,
    _behind,
    _removed,
    _suspended,
    _places,
    _adopt,
    _mark,
    _decommissioned,
    _migrated,
    _resume,
    _disabled,
    _unfinished,
    _revived,
    _sweep,
    _retiring,
    _rollback,
    _dead_current,
    _settings,
    _redeliver,
    _notify,
    _retire,
    _idle,
    _tidy,
    _past,
    _begin,
    _record,
)

DECLARATION_RULES = frozenset({_removed, _adopt, _settings, _record})
"""Rules that apply what a declaration changed; a run of the lifecycle alone leaves them out."""

RULES: dict[Extent, tuple[Rule, ...]] = {
    Extent.ALL: ALL_RULES,
    Extent.LIFECYCLE: (_renamed, *(rule for rule in ALL_RULES if rule not in DECLARATION_RULES)),
    Extent.REVOKE: (_leased, _closed, _revoked),
    Extent.RENAME: (_leased, _closed, _barred, _behind, _places, _mark, _redeliver),
}
