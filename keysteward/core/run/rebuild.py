"""Ledgers from what is there, after a ledger store was lost or restored from a backup. Pure.

What carries our mark and what our documents name is entered; nothing is ended, and no number is given twice. See
docs/life-of-a-credential.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from keysteward.core.contract.observed import ObservedSecret
from keysteward.core.declare.spec import Spec
from keysteward.core.observe.keys import shown
from keysteward.core.observe.unrecorded import PROMISED, behind, delivered_entries, named_keys, unrecorded
from keysteward.core.observe.world import Found, World
from keysteward.core.plan.adopt import age_of, entered, marked_as_adopted
from keysteward.core.plan.placement import holder_record
from keysteward.core.record.ledger import UNFINISHED, Blocked, Generation, Ledger, ObjectRecord, State

PERHAPS_REVOKED = "its clients were disabled when its ledger was lost, so it may have been revoked"


def rebuild(w: World, spec: Spec, incarnation: str, read: Mapping[int, str]) -> Ledger:
    """Return the ledger completed by what is there.

    `w` shows every target of the stack. `read` has the fingerprint, under the present key, of each generation whose
    value a runner could read from the stores. A ledger that is not behind gets unrecorded objects only.
    """
    old = behind(w) is not None
    ledger = _opened(w, spec, incarnation)
    fresh = _fresh_records(w, spec, ledger)
    keys = {record.key for record in fresh}
    ledger = replace(ledger, objects=(*(r for r in ledger.objects if r.key not in keys), *fresh))
    delivered = {e.generation for _, e, staged in delivered_entries(w) if not staged}
    secrets = [
        (record, secret)
        for record in (ledger.objects if old else fresh)
        for secret in _secrets(w, record)
        if not _named(ledger, record, secret, delivered)
    ]
    made = _generations(w, spec, ledger, secrets, read)
    numbers = {g.number for g in made}
    kept = (g for g in ledger.generations if g.number not in numbers)
    named = [number for _, _, _, number in named_keys(w)]
    following = max(
        [ledger.next, *(n + 1 for n in (*numbers, *named, *(e.generation for _, e, _ in delivered_entries(w))))]
    )
    everything = tuple(sorted((*kept, *made), key=lambda g: g.number))
    return _settled(w, replace(ledger, generations=everything, next=following), made, fresh)


def _opened(w: World, spec: Spec, incarnation: str) -> Ledger:
    if w.ledger is not None and w.ledger.closed is None:
        return w.ledger.with_places(spec.places)
    ledger = w.ledger or Ledger(w.identity, incarnation, spec.kind)
    opened = replace(ledger, closed=None, incarnation=incarnation, kind=spec.kind, about=spec.about)
    return opened.with_places(spec.places)


def _fresh_records(w: World, spec: Spec, ledger: Ledger) -> tuple[ObjectRecord, ...]:
    """Return records of the marked objects that are in none, and of the client of which only the secret is ours."""
    found = list(unrecorded(w))
    if spec.key:
        recorded = {(record.target, record.remote_id) for record in ledger.objects if not record.deleted}
        holders = (item for item in w.found if item.object.holder and _ours(w, item.object.secrets))
        found += [item for item in holders if (item.target, item.object.remote_id) not in recorded]
    elif spec.external and all(record.deleted for record in ledger.objects):
        client = w.by_client_id(spec.target, spec.client_id)
        found += [] if client is None else [Found(spec.target, client)]
    first = max((record.key for record in ledger.objects), default=0) + 1
    return tuple(_known_before(ledger, item) or _record_for(spec, item, key) for key, item in enumerate(found, first))


def _record_for(spec: Spec, found: Found, key: int) -> ObjectRecord:
    """Return a record of a found object; one that others made stays adopted, whatever is declared by now."""
    item = found.object
    if item.holder:
        return replace(holder_record(item, spec, key), target=found.target)
    nonce = item.mark.nonce if item.mark is not None else ""
    return ObjectRecord(
        key=key,
        target=found.target,
        client_id=item.client_id,
        method=item.settings.method,
        nonce=nonce,
        remote_id=item.remote_id,
        external=spec.external,
        adopted=marked_as_adopted(nonce) or spec.adopt in {item.client_id, item.remote_id},
        kept=item.settings if spec.adopt in {item.client_id, item.remote_id} and not spec.external else None,
    )


def _known_before(ledger: Ledger, found: Found) -> ObjectRecord | None:
    """Return the record of an object that was thought to be gone, as of one that is there."""
    item = found.object
    for record in ledger.objects:
        marked = item.mark is not None and record.nonce == item.mark.nonce and record.client_id == item.client_id
        same = record.remote_id == item.remote_id or marked
        if record.deleted and record.target == found.target and same:
            return replace(record, deleted=False, remote_id=item.remote_id)
    return None


def _secrets(w: World, record: ObjectRecord) -> list[ObservedSecret]:
    found = None if record.deleted else w.object(record)
    secrets = sorted(found.secrets, key=age_of) if found is not None else []
    return _ours(w, secrets) if record.holder else secrets


def _ours(w: World, secrets: Iterable[ObservedSecret]) -> list[ObservedSecret]:
    """Return the keys of a holder that are this credential's: by their name, by a delivered document, or as adopted."""
    entries = [entry for _, entry, _ in delivered_entries(w)]
    ids = {*(key.id for _, _, key, _ in named_keys(w)), *(e.remote_id for e in entries)}
    if w.spec is not None:
        ids.add(w.spec.adopt)
    values = {e.fingerprint for e in entries}
    return [s for s in secrets if s.id in ids or (s.fingerprint is not None and s.fingerprint in values)]


def _named(ledger: Ledger, record: ObjectRecord, secret: ObservedSecret, delivered: set[int]) -> bool:
    """Say whether a generation has this secret already, or a person is still to say whose it is.

    One that a store delivers while the ledger still promises it is behind, and is entered anew.
    """
    mine = [
        g for g in ledger.generations if g.object == record.key and not (g.state in PROMISED and g.number in delivered)
    ]
    return any(
        (secret.fingerprint is not None and g.fingerprint == secret.fingerprint)
        or (secret.slot == "key" and g.id == secret.id)
        or secret.id in g.suspects
        for g in mine
    )


def _generations(
    w: World,
    spec: Spec,
    ledger: Ledger,
    secrets: list[tuple[ObjectRecord, ObservedSecret]],
    read: Mapping[int, str],
) -> list[Generation]:
    """Return generations for these secrets: numbered as a store names them, else above every number known."""
    by_fingerprint = {e.fingerprint: e.generation for _, e, _ in delivered_entries(w)}
    by_fingerprint |= {fingerprint: number for number, fingerprint in read.items()}
    by_id = {e.remote_id: e.generation for _, e, _ in delivered_entries(w) if e.remote_id is not None}
    taken = {g.number for g in ledger.generations if g.state not in UNFINISHED}
    by_id |= {secret.id: number for _, _, secret, number in named_keys(w)}
    following = max([ledger.next, *(number + 1 for number in (*by_fingerprint.values(), *by_id.values()))])
    made = []
    for record, secret in secrets:
        number = by_fingerprint.get(secret.fingerprint or "")
        if number is None and secret.slot == "key":
            number = by_id.get(secret.id)
        if number is None or number in taken:
            number, following = following, following + 1
        taken.add(number)
        generation = entered(secret, record, spec, number=number, nonce=record.nonce, at=w.now, current=False)
        held = {key for key, entry, _ in delivered_entries(w) if entry.generation == number}
        made.append(replace(generation, delivery=tuple(sorted({*generation.delivery, *held}))))
    return made


def _settled(w: World, ledger: Ledger, made: list[Generation], fresh: tuple[ObjectRecord, ...]) -> Ledger:
    """Make the delivered generation current; what is left on clients that are disabled already counts as retired."""
    delivered = _delivered(w)
    current = next((g for g in made if g.number == delivered), None)
    if current is None and ledger.current is None and made:
        current = made[-1]
    if current is not None:
        old = ledger.current
        if old is not None:
            ledger = ledger.with_generation(old.number, state=State.PREVIOUS, superseded_at=w.now)
        ledger = ledger.with_generation(current.number, state=State.CURRENT, current_since=w.now, superseded_at=None)
    ledger = _without_lost(w, ledger)
    living = None if ledger.current is None else ledger.current.object
    for record in fresh:
        found = w.object(record)
        if found is None or found.enabled or record.key == living or record.external:
            continue
        ledger = ledger.with_object(record.key, suspended=True)
        for generation in made:
            if generation.object == record.key:
                ledger = ledger.with_generation(
                    generation.number, state=State.RETIRED, ended_at=w.now, evidence="found on a disabled client"
                )
    if living is None and any(record.suspended for record in ledger.objects) and w.spec is not None:
        ledger = replace(ledger, blocked=Blocked(PERHAPS_REVOKED, w.spec.digest(), w.now))
    return ledger


def _delivered(w: World) -> int | None:
    """Return the generation that consumers read: the newest at the declared places, else at any."""
    ours = {key: held for key, held in w.delivered.items() if held.identity in {w.identity, *w.names}}
    numbers = {key: held.current.generation for key, held in ours.items() if held.current is not None}
    declared = [number for key, number in numbers.items() if w.spec is not None and key in w.spec.delivery]
    return max(declared or numbers.values(), default=None)


def _without_lost(w: World, ledger: Ledger) -> Ledger:
    """Retire what the ledger takes for alive and its client, which shows all its secrets, does not have."""
    for generation in ledger.generations:
        found = w.object(ledger.object_of(generation))
        shows_all = found is not None and all(s.fingerprint is not None for s in found.secrets)
        if generation.state is State.PREVIOUS and found is not None and shows_all and shown(found, generation) is None:
            ledger = ledger.with_generation(
                generation.number, state=State.RETIRED, ended_at=w.now, evidence="not at its target any more"
            )
    return ledger


def words_of(before: Ledger | None, after: Ledger) -> tuple[str, ...]:
    """Say what a rebuilt ledger has more than the one before it."""
    known = {record.key for record in before.objects if not record.deleted} if before is not None else set()
    old = {g.number: g for g in before.generations} if before is not None else {}
    said = [f"enter client {r.client_id} at target {r.target}" for r in after.objects if r.key not in known]
    for generation in after.generations:
        if generation == old.get(generation.number):
            continue
        verb = "enter" if generation.number not in old else "correct"
        client = after.object_of(generation).client_id
        said.append(f"{verb} generation {generation.number} on client {client} ({generation.state.value})")
    if not said:
        said.append(f"the next generation is {after.next}")
    return tuple(said)
