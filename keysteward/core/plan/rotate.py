"""Rules for a new generation: whether one is due, why, and whether it may begin. Pure; for the planner."""

from __future__ import annotations

from datetime import datetime

from keysteward.core.contract.observed import ObservedObject
from keysteward.core.declare.schedule import due_at, due_before, in_window, may_begin, next_opening, show_duration
from keysteward.core.declare.spec import Spec
from keysteward.core.observe.keys import keys_elsewhere, narrowed, shown
from keysteward.core.observe.world import MOST_BEGUN, Extent, World
from keysteward.core.plan import issue, retire
from keysteward.core.plan.by_hand import new_value
from keysteward.core.plan.placement import at_home, home_of, new_home
from keysteward.core.plan.repair import settings
from keysteward.core.plan.steps import NOTHING, Decision, Problem, Step
from keysteward.core.record.ledger import Generation, Ledger, ObjectRecord, State
from keysteward.core.record.steps import Do


def begin(w: World) -> Decision:
    """Begin a new generation when one is due and nothing forbids it."""
    spec, ledger = w.spec, w.ledger
    if spec is None or may_not_begin(w, spec, ledger) or (spec.strategy.by_person and not new_value(w)):
        return None
    why = due_because(w, spec, ledger)
    if why is None:
        return None
    if w.me.extent is Extent.LIFECYCLE:
        unapplied = _unapplied(w, spec, ledger)
        if unapplied is not None:
            return unapplied
    if w.me.begun >= MOST_BEGUN:
        return Problem(f"{w.me.begun} generations were begun, and one is still due ({why}); please report this")
    record = home_of(spec, ledger) or new_home(w, spec, ledger)
    if isinstance(record, Problem):
        return record
    view = w.views.get(record.target)
    if view is None:
        return None
    found = w.object(record) if record.remote_id else None
    if found is not None and issue.cap_filled(w, ledger, record, found):
        return None
    problem = _moved_away(w, ledger, record) if found is None else _takes_keys_elsewhere(w, spec, ledger, record)
    if problem is not None:
        return problem
    if issue.needs_preparation(w, spec, ledger, record):
        return Step(Do.PREPARE, f"prepare native overlap on client {record.client_id}", why, object=record.key)
    return _begin(w, spec, ledger, record, why)


def _takes_keys_elsewhere(w: World, spec: Spec, ledger: Ledger | None, record: ObjectRecord) -> Problem | None:
    """Refuse to add a key of ours where none counts; only a person's word ends what is in the way."""
    source = _foreign_keys(w, spec, record)
    if source is None or (ledger is not None and ledger.reissue):
        return None
    return Problem(
        f"client {record.client_id!r} takes its keys from {source}, beside which it can have none of ours; have "
        f"them put into the client itself, or end them: keysteward reissue {w.name} --reason TEXT"
    )


def _moved_away(w: World, ledger: Ledger | None, record: ObjectRecord) -> Problem | None:
    """Say where the key is of a holder that is gone, which takes no other: most often it was renamed."""
    known = ledger.generations if ledger is not None else ()
    for generation in known:
        there = w.moved_to(generation) if generation.object == record.key and generation.live else None
        if there is None:
            continue
        gone = f"holder: {record.client_id!r} is not at target {record.target} any more"
        return Problem(f"{gone}, and its key {generation.id} is at {there.named} now; {home_again(record, there)}")
    return None


def home_again(record: ObjectRecord, there: ObservedObject) -> str:
    """Say what to do about a key whose holder is gone."""
    if there.loose:
        return "make another holder there and declare that, or remove the declaration"
    return f'have it called {record.client_id!r} again, or write holder="{there.client_id}"'


def _begin(w: World, spec: Spec, ledger: Ledger | None, record: ObjectRecord, why: str) -> Step:
    """Return the step that begins a generation, with all that its consumers should know of before."""
    number = ledger.next if ledger else 1
    current = ledger.current if ledger is not None and ledger.closed is None else None
    if current is None:
        words = f"issue generation {number} ({issue.strategy_for(spec, ledger, record).value})"
    else:
        words = f"rotate to generation {number} ({why})"
    wider = narrowed(w, spec, current) if current is not None else frozenset()
    if wider and not spec.narrow_now:
        words += f", while the one that also allows {', '.join(sorted(wider))} ends {show_duration(spec.overlap)} later"
    changes = []
    source = _foreign_keys(w, spec, record)
    if source is not None:
        words += f", in place of what {source} gives out"
        changes.append(f"instead of {source}")
    if ledger is not None and issue.would_cut_off(w, spec, ledger):
        changes.append("consumers cut off")
        words += "; whoever uses the present secret is cut off, for no store delivers it"
    if current is not None and current.object != record.key and not record.holder:
        words += f"; consumers then log in as client {record.client_id}"
    if record.remote_id is None:
        words = f"create client {record.client_id}; {words}"
        changes.append(f"new client {record.client_id}")
    return Step(
        Do.BEGIN,
        words,
        why,
        number,
        object=record.key,
        record=record,
        headline=True,
        widens=record.remote_id is None,
        changes=tuple(changes),
    )


def _foreign_keys(w: World, spec: Spec, record: ObjectRecord) -> str | None:
    """Say from where a client takes its keys, if not from itself."""
    found = w.object(record) if record.remote_id and spec.method == "private_key_jwt" else None
    return keys_elsewhere(found) if found is not None else None


def _unapplied(w: World, spec: Spec, ledger: Ledger | None) -> Decision:
    """Leave what is new or was changed in the declaration to a run that applies declarations."""
    if ledger is None or ledger.closed is not None or not ledger.generations:
        return NOTHING
    current = ledger.current
    if current is not None and why_moved(spec, ledger, current) is not None and not ledger.reissue:
        return NOTHING
    update = settings(w)
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
    if issue.would_cut_off(w, spec, ledger) and not ledger.reissue:
        return True
    held = ledger.held is not None and ledger.held.until > w.now
    waiting = any(g.endable for g in ledger.in_state(State.RETIRING)) or (
        spec.strategy.two_places
        and ledger.current is not None
        and any(g.state is State.PREVIOUS or retire.lives_on(w, g) for g in ledger.generations)
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
        return f"reissue: {ledger.reissue}"
    if new_value(w):
        return "a new value was handed over"
    current = ledger.current
    if current is None:
        return None if ledger.ended_elsewhere else "no generation works yet"
    moved = why_moved(spec, ledger, current)
    if moved:
        return moved
    if issue.button_pressed(w, ledger, current):
        return "somebody regenerated the secret; the delivered one now ends with the server's overlap"
    if _lost_to_consumers(w, spec, current):
        return f"somebody overwrote generation {current.number} where its consumers read, and nothing holds it"
    ends = _ends_at_target(w, spec, ledger, current)
    if ends is not None and w.now + spec.overlap >= ends:
        return f"its target ends the present key on {ends:%Y-%m-%d}"
    due = rotation_near(spec, current, w.now)
    return f"due {due:%Y-%m-%d}" if due is not None and may_begin(w.now, due, spec.every, spec.windows) else None


def _lost_to_consumers(w: World, spec: Spec, current: Generation) -> bool:
    """Say whether consumers read what somebody wrote over the secret, which only a new one mends.

    A new one that ends the present at once waits for a person: whoever has read it already goes on with it.
    """
    if not spec.strategy.overlaps or not issue.overwritten(w, current):
        return False
    return not issue.held_anywhere(w, current)


def _ends_at_target(w: World, spec: Spec, ledger: Ledger, current: Generation) -> datetime | None:
    """Return when the target will end a key by itself, earlier than declared; None when it will not."""
    record = ledger.object_of(current)
    if not record.holder:
        return None
    found = w.object(record)
    secret = shown(found, current) if found is not None else None
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


def next_rotation(spec: Spec | None, ledger: Ledger | None, now: datetime) -> datetime | None:
    """Return when the present secret is due for replacement by its schedule, past days too; None when it never will be.

    Nor while only a person's word brings it: after a revocation, a suspension or a block. A hold moves it to where it
    may begin once the hold is over. Of a key that is made by hand it is the day by which somebody is to make another.
    """
    if spec is None or ledger is None or ledger.closed is not None or ledger.current is None:
        return None
    migrated = ledger.migrated is not None and spec.migrates_to is not None
    if ledger.wholly_revoked or migrated or ledger.suspended is not None or _blocked(spec, ledger):
        return None
    at = rotation_at(spec, ledger.current)
    if ledger.held is not None and ledger.held.until > at:
        at = next_opening(ledger.held.until, at, spec.every, spec.windows)
    return None if ending(spec, max(at, now)) else at


def rotation_at(spec: Spec, current: Generation) -> datetime:
    """Return when the current generation is due for replacement by its schedule."""
    due = due_at(spec.identity, current.in_use_since, spec.every, spec.windows)
    if current.due_by is None or current.due_by >= due:
        return due
    return in_window(current.due_by, current.in_use_since, spec.windows)


def rotation_near(spec: Spec, current: Generation, now: datetime) -> datetime | None:
    """Return the same; None long before that day, when most are asked about."""
    near = current.due_by is not None or due_before(now, current.in_use_since, spec.every, spec.windows)
    return rotation_at(spec, current) if near else None
