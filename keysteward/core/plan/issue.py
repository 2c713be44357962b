"""Rules for making a generation: from intent over issue and proof to its consumers. Pure; called by the planner."""

from __future__ import annotations

from datetime import timedelta

from keysteward.core.contract.capabilities import Capabilities
from keysteward.core.contract.observed import OVERWRITTEN, Delivered, DeliveredEntry, ObservedObject, ObservedSecret
from keysteward.core.contract.strategy import Room, Strategy
from keysteward.core.declare.spec import Spec
from keysteward.core.observe.keys import keys_elsewhere
from keysteward.core.observe.world import Extent, View, World
from keysteward.core.plan.placement import at_home
from keysteward.core.plan.steps import Problem, Step, Wait
from keysteward.core.record.ledger import LEASE, Generation, Ledger, ObjectRecord, Origin, State
from keysteward.core.record.steps import Do

TAKES_KEYS_FROM = "its client now takes its keys from"
CLIENT_GONE = "its client is gone from the target"
CREATION_SLACK = timedelta(seconds=2)
"""How much earlier than asked a target may date what we asked for: its times are whole seconds."""


def strategy_for(spec: Spec, ledger: Ledger | None, record: ObjectRecord) -> Strategy:
    """Return the strategy of the next generation; switching the method of a living client in place has a gap."""
    switching = ledger is not None and record.remote_id is not None and record.method != spec.method
    return Strategy.GAP if switching else spec.strategy


def still_wanted(spec: Spec, generation: Generation, record: ObjectRecord) -> bool:
    """Say whether an unfinished generation is still what the declaration asks for."""
    return (
        generation.target == spec.target
        and generation.method == spec.method
        and generation.delivery == spec.delivery
        and generation.facts == spec.facts
        and at_home(spec, record)
        and not record.deleted
    )


def obstacle(w: World, spec: Spec) -> Problem | None:
    """Find a place that holds somebody else's document: an error before the first write for this credential."""
    for place in spec.places:
        held = w.at(place.key)
        if not held.exists or held.unknown or place.take_over or held.identity in {w.identity, *w.names}:
            continue
        whose = f"delivered by {held.identity}" if held.identity else "not delivered by keysteward"
        return Problem(
            f"deliver_to: {place.key} holds a document {whose}; "
            "choose another path, or write take_over=True to let keysteward add its fields to it"
        )
    return None


def cap_filled(w: World, ledger: Ledger | None, record: ObjectRecord, found: ObservedObject) -> bool:
    """Say whether the target would refuse one more secret; what a list shows of those just retired does not count."""
    view, can = w.views.get(record.target), w.can(record)
    if view is None or can is None or can.secrets <= 1 or can.native_slot or len(found.secrets) < can.secrets:
        return False
    retired = ledger.in_state(State.RETIRED) if ledger else ()
    ended = {g.id for g in retired if g.object == record.key and not proves_presence(view, can, g)}
    return sum(1 for secret in found.secrets if secret.id not in ended) >= can.secrets


def proves_presence(view: View, can: Capabilities, generation: Generation) -> bool:
    """Say whether a retired secret that a list shows is really there again, and not just still in an old list."""
    ended = generation.ended_at
    return ended is not None and view.taken_at >= ended + can.list_lag + can.call_timeout


def would_cut_off(w: World, spec: Spec, ledger: Ledger) -> bool:
    """Say whether a gap would end an adopted secret that no store of ours holds: whoever uses it reads no successor."""
    current = ledger.current
    if spec.strategy.overlaps or spec.retire_adopted or current is None:
        return False
    taken_over = current.origin is Origin.ADOPTED and ledger.object_of(current).adopted
    return taken_over and not held_anywhere(w, current)


def needs_preparation(w: World, spec: Spec, ledger: Ledger | None, record: ObjectRecord) -> bool:
    """Say whether the target must first be set up for a native overlap on this client."""
    return (
        ledger is not None
        and strategy_for(spec, ledger, record).room is Room.SHIFTED
        and ledger.current is not None
        and ledger.current.object == record.key
        and record.key not in w.me.prepared
    )


def button_pressed(w: World, ledger: Ledger, current: Generation) -> bool:
    """Say whether somebody regenerated the secret by hand, so that ours sits in the rotated slot."""
    if current.method == "private_key_jwt":
        return False
    found = w.object(ledger.object_of(current))
    rotated = found.slot("rotated") if found else None
    primary = found.slot("primary") if found else None
    return _holds(rotated, current) and not _holds(primary, current)


def make(w: World, ledger: Ledger, spec: Spec, generation: Generation) -> Step | Wait | None:
    """Carry an intent forward: by a value of ours that is staged first, or by one the server mints."""
    if generation.strategy.by_server:
        return _make_minted(w, ledger, generation)
    return _make_chosen(w, ledger, spec, generation)


def verify_step(generation: Generation) -> Step:
    """Prove a generation by using it."""
    number = generation.number
    how = "by using it" if generation.method == "api_key" else "with a real token"
    return Step(Do.VERIFY, f"prove generation {number} {how}", "nothing unproven is delivered", number)


def _make_chosen(w: World, ledger: Ledger, spec: Spec, generation: Generation) -> Step | None:
    number = generation.number
    record, found = ledger.object_of(generation), w.object(ledger.object_of(generation))
    held = [w.at(key) for key in generation.delivery]
    if generation.fingerprint is None or not all(d.unknown or d.stage(number) for d in held):
        if _never_kept(w, generation):
            return _abandon(generation, "no value of it was kept; deliver it again")
        lost = generation.fingerprint is not None and not any(d.unknown or d.stage(number) for d in held)
        if lost:
            return _abandon(generation, "its staged value is gone from the store")
        return Step(Do.STAGE, f"stage generation {number} in {', '.join(generation.delivery)}", "", number)
    if record.remote_id is None:
        return Step(Do.CREATE, f"create client {record.client_id}", "", number, object=record.key)
    if found is None:
        return _abandon(generation, CLIENT_GONE)
    if generation.strategy.room is Room.SHIFTED:
        return _make_in_slot(ledger, generation, found)
    source = keys_elsewhere(found) if generation.strategy.public_keys and not ledger.reissue else None
    replaced = _replaced_by_somebody(ledger, spec, generation, found) or (source and f"{TAKES_KEYS_FROM} {source}")
    if replaced:
        return _abandon(generation, replaced)
    return _issue(generation)


def _never_kept(w: World, generation: Generation) -> bool:
    """Say whether a value that a person handed over died with the run that had it."""
    if not generation.strategy.by_person or generation.nonce in w.me.unsent:
        return False
    return not any(w.at(key).stage(generation.number) for key in generation.delivery)


def _make_in_slot(ledger: Ledger, generation: Generation, found: ObservedObject) -> Step:
    """Move the current secret to the rotated slot, then put ours in the primary; look before every call."""
    number, current = generation.number, ledger.current
    primary, rotated = found.slot("primary"), found.slot("rotated")
    if (
        current is None
        or current.object != generation.object
        or current.fingerprint is None
        or _holds(primary, generation)
    ):
        return _issue(generation)
    if _holds(rotated, current):
        return _issue(generation)
    shown = primary is not None and primary.fingerprint is not None
    if shown and not _holds(primary, current):
        return Step(
            Do.RESTORE, f"put generation {current.number} back into its slot", "somebody replaced it", current.number
        )
    if generation.regen_at is None:
        return Step(Do.FENCE, f"note that generation {number} is about to shift the slots", "", number)
    return Step(Do.SHIFT, f"move generation {current.number} to the rotated slot", "so that both stay valid", number)


def _replaced_by_somebody(ledger: Ledger, spec: Spec, generation: Generation, found: ObservedObject) -> str | None:
    """With one slot and a gap: notice that the slot holds neither the current secret nor ours."""
    current = ledger.current
    primary = found.slot("primary")
    if generation.strategy.overlaps or current is None or ledger.reissue or spec.method != current.method:
        return None
    if current.object != generation.object:
        return None
    if primary is None or primary.fingerprint in {None, current.fingerprint, generation.fingerprint}:
        return None
    if _holds(found.slot("rotated"), current):
        return None  # the target moved it there when the button was pressed: ours is due in the primary
    return "somebody replaced the secret at the target meanwhile"


def _make_minted(w: World, ledger: Ledger, generation: Generation) -> Step | Wait:
    """Let the server mint; an attempt whose answer was lost is resolved from the list, never sent twice."""
    number = generation.number
    record = ledger.object_of(generation)
    if record.remote_id is None:
        return Step(Do.CREATE, f"create client {record.client_id}", "", number, object=record.key)
    if generation.nonce not in w.me.unsent:
        return resolve_lost(w, ledger, generation)
    return _issue(generation) if w.object(record) is not None else _abandon(generation, CLIENT_GONE)


def answer_lost(w: World, ledger: Ledger, generation: Generation) -> bool:
    """Say whether a secret may have been minted that nobody recorded."""
    asked = generation.strategy.by_server and ledger.object_of(generation).remote_id is not None
    return asked and generation.nonce not in w.me.unsent


def resolve_lost(w: World, ledger: Ledger, generation: Generation) -> Step | Wait:
    """Take what the store holds of an attempt whose answer was lost; else give it up, once a list can show its rest."""
    number, record = generation.number, ledger.object_of(generation)
    staged = next((e for key in generation.delivery if (e := w.at(key).stage(number))), None)
    if staged is not None and staged.nonce == generation.nonce:
        return Step(Do.RECOVER, f"record generation {number}", "the store holds it", number)
    view, found = w.views[record.target], w.object(record)
    can = w.can(record) or view.capabilities
    asked = generation.asked_at_target or generation.asked_at
    proof_at = asked + can.call_timeout + can.list_lag
    if view.started_at < proof_at:
        return Wait(proof_at, f"an answer of {record.target} was lost; a list can show what became of it by then")
    return _give_up(ledger, generation, record, found, can)


def _give_up(
    ledger: Ledger, generation: Generation, record: ObjectRecord, found: ObservedObject | None, can: Capabilities
) -> Step:
    """Give up an attempt with what it may have left; a process that stood still may have asked as late as its lease."""
    known = {g.id for g in ledger.generations if g.id and g.object == record.key} | set(generation.baseline)
    strangers = [s for s in found.secrets if s.id not in known] if found else []
    named = [s for s in strangers if s.name and generation.nonce in s.name]
    if named:
        return Step(
            Do.ABANDON,
            f"abandon generation {generation.number}",
            "its value was lost on the way; the key it left behind is found by its name",
            generation.number,
            secret_id=named[0].id,
        )
    asked = generation.asked_at_target or generation.asked_at
    suspects = tuple(
        s.id
        for s in strangers
        if not can.tags_secrets
        and s.created_at is not None
        and asked - CREATION_SLACK <= s.created_at <= asked + LEASE + can.call_timeout
        and (s.last_used is None)
    )
    why = "no answer came" + (f"; it may have left {', '.join(suspects)} on {record.client_id}" if suspects else "")
    return Step(Do.ABANDON, f"abandon generation {generation.number}", why, generation.number, suspects=suspects)


def deliver(w: World, ledger: Ledger, spec: Spec, generation: Generation) -> Step:
    """Promote a verified generation at every place, then record it: the store first, then the ledger."""
    number = generation.number
    missing = [key for key in generation.delivery if not _is_current(w, key, generation) or w.at(key).stage(number)]
    if missing:
        places = ", ".join(missing)
        return Step(Do.PROMOTE, f"deliver generation {number} to {places}", "once it is proven", number, headline=True)
    overlap = f"after {_days(spec.overlap)}" if generation.strategy.overlaps else "at once"
    old = ledger.current
    why = f"generation {old.number} ends {overlap}" if old else ""
    return Step(Do.SETTLE, f"record generation {number} as current", why, number)


def redeliver(w: World, ledger: Ledger, spec: Spec, current: Generation) -> Step | None:
    """Mend places that do not hold the current generation, as far as its value is held anywhere."""
    record = ledger.object_of(current)
    digest = spec.document_digest(record.client_id, current.method)
    if all(_as_delivered(w.at(key), current, digest) for key in current.delivery):
        return None
    wrong = [key for key in current.delivery if not w.at(key).unknown and not _is_current(w, key, current)]
    stale = [
        key
        for key in current.delivery
        if not w.at(key).unknown and _is_current(w, key, current) and _about(w, key) != digest
    ]
    unclear = [key for key in current.delivery if w.at(key).unknown]
    left = [key for key in current.delivery if _is_current(w, key, current) and w.at(key).stage(current.number)]
    if left and not wrong:
        words = f"drop the staged copy of generation {current.number} at {', '.join(left)}"
        return Step(Do.PROMOTE, words, "it is delivered", current.number, headline=True)
    wrong += [key for key in overwritten(w, current) if key not in wrong]
    if wrong and held_anywhere(w, current):
        words = f"deliver generation {current.number} to {', '.join(wrong)} again"
        return Step(Do.PROMOTE, words, "the store holds another one", current.number, headline=True)
    touched = [key for key in current.delivery if _is_current(w, key, current) and fields_changed(w.at(key))]
    if touched and held_anywhere(w, current) and at_home(spec, record):
        words = f"write the document at {', '.join(touched)} again"
        return Step(Do.PROMOTE, words, "somebody else changed its fields", current.number, headline=True)
    same = current.facts == spec.facts  # else the document would speak of a key that is still to come
    if stale and same and at_home(spec, record) and w.me.extent is not Extent.LIFECYCLE:
        words = f"refresh the document at {', '.join(stale)}"
        return Step(Do.PROMOTE, words, "scopes, audience or token URL changed", current.number, headline=True)
    if unclear:
        words = f"look at the document at {', '.join(unclear)}"
        return Step(
            Do.PROMOTE, words, "somebody else wrote to it; only a run may read it", current.number, headline=True
        )
    return None


def _as_delivered(held: Delivered, current: Generation, digest: str) -> bool:
    """Say whether a place holds what was delivered, and nothing beside it; most do."""
    entry, previous = held.current, held.previous
    if held.unknown or held.staged or entry is None or entry.generation != current.number or entry.about != digest:
        return False
    return entry.fingerprint != OVERWRITTEN and (previous is None or previous.about != OVERWRITTEN)


def comes_back_to(spec: Spec, generation: Generation) -> tuple[str, ...]:
    """Return where a generation is delivered by a rollback: where it was, and where consumers read by now."""
    return tuple(sorted({*generation.delivery, *spec.delivery}))


def held_anywhere(w: World, generation: Generation) -> bool:
    """Say whether any of its places still holds this generation's value."""
    for key in generation.delivery:
        held = w.at(key)
        if held.current is not None and held.current.fingerprint == generation.fingerprint:
            return True
        entries = (held.previous, held.stage(generation.number))
        if any(e is not None and e.fingerprint == generation.fingerprint for e in entries):
            return True
    return False


def overwritten(w: World, generation: Generation) -> list[str]:
    """Return the places that hold another value under the number of a generation: not the one that was delivered."""
    return [key for key in generation.delivery if _value_changed(w.at(key).current, generation)]


def _value_changed(entry: DeliveredEntry | None, generation: Generation) -> bool:
    return entry is not None and entry.generation == generation.number and entry.fingerprint == OVERWRITTEN


def fields_changed(held: Delivered) -> bool:
    """Say whether somebody changed the fields beside the values of a delivered document."""
    return any(entry is not None and entry.about == OVERWRITTEN for entry in (held.current, held.previous))


def _is_current(w: World, key: str, generation: Generation) -> bool:
    current = w.at(key).current
    return current is not None and current.generation == generation.number


def _about(w: World, key: str) -> str | None:
    current = w.at(key).current
    return current.about if current is not None else None


def _holds(secret: ObservedSecret | None, generation: Generation) -> bool:
    return secret is not None and secret.fingerprint is not None and secret.fingerprint == generation.fingerprint


def _issue(generation: Generation) -> Step:
    return Step(Do.ISSUE, f"issue generation {generation.number} ({generation.strategy})", "", generation.number)


def _abandon(generation: Generation, why: str) -> Step:
    return Step(Do.ABANDON, f"abandon generation {generation.number}", why, generation.number)


def _days(duration: timedelta) -> str:
    return f"{duration.days} days" if duration >= timedelta(days=2) else str(duration)
