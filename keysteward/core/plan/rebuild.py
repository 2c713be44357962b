"""Ledgers from what is there, after a ledger store was lost or restored from a backup. Pure.

What carries our mark and what our documents name is entered; nothing is ended, and no number is given twice. See
docs/life-of-a-credential.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from keysteward.core.contract.observed import DeliveredEntry, Mark, ObservedSecret
from keysteward.core.contract.ports import Strategy
from keysteward.core.declare.spec import Spec
from keysteward.core.declare.stack import second_client_id
from keysteward.core.observe.keys import KeyName, read_name
from keysteward.core.observe.world import Found, World
from keysteward.core.plan.adopt import age_of, entered, marked_as_adopted
from keysteward.core.plan.issue import shown
from keysteward.core.plan.placement import holder_record
from keysteward.core.record.ledger import UNFINISHED, Blocked, Generation, Ledger, ObjectRecord, State

PERHAPS_REVOKED = "its clients were disabled when its ledger was lost, so it may have been revoked"

_PROMISED = frozenset({State.INTENT, State.ISSUED})
"""States of a generation that no store can deliver yet."""


def unrecorded(w: World) -> tuple[Found, ...]:
    """Return the objects that are this credential's and that its ledger does not know, oldest first.

    A mark can be copied with everything else of a client, so that it counts only together with a client_id which the
    declaration, the ledger or a delivered document names, and once for each attempt. One that was gone and is there
    again, as in a restored target, is not known either.
    """
    return tuple(sorted(_named_once(w).values(), key=_age))


def copies(w: World) -> tuple[Found, ...]:
    """Return the objects that carry this credential's mark and are not its: copies, or what nothing names any more."""
    if not _strange(w):
        return ()
    entered = _named_once(w).values()
    return tuple(sorted((found for found in _strange(w) if found not in entered), key=_age))


def _named_once(w: World) -> dict[str, Found]:
    """Return the likeliest of the unknown objects for each attempt's nonce, among those that have a name of ours."""
    best: dict[str, Found] = {}
    strange = _strange(w)
    if not strange:
        return best
    known = {r.nonce for r in _known(w)}
    for found in sorted(strange, key=lambda item: _likeliness(w, item)):
        mark = found.object.mark
        if mark is not None and mark.nonce not in known and (_delivered_as(w, found) or _has_name(w, found)):
            best.setdefault(mark.nonce, found)
    return best


def _strange(w: World) -> list[Found]:
    """Return what carries this credential's mark and is not an object that its ledger knows."""
    known, strange = _known(w), []
    for found in w.found:
        mark = found.object.mark
        if mark is None or not (mark.identity == w.identity or mark.identity in w.names):
            continue
        for record in known:
            if _is(record, found, mark):
                break
        else:
            strange.append(found)
    return strange


def _is(record: ObjectRecord, found: Found, mark: Mark) -> bool:
    """Say whether a record is of this object: by its id, or while it has none by what it was to be made as."""
    if record.target != found.target:
        return False
    if record.remote_id is not None:
        return record.remote_id == found.object.remote_id
    return (record.client_id, record.nonce) == (found.object.client_id, mark.nonce)


def _known(w: World) -> list[ObjectRecord]:
    return [r for r in w.ledger.objects if not r.deleted or _just_deleted(w, r)] if w.ledger is not None else []


def _likeliness(w: World, found: Found) -> tuple[bool, bool, bool, tuple[float, str]]:
    """Return what sorts the likeliest of several objects with one nonce first."""
    elsewhere = w.spec is not None and found.target != w.spec.target
    return not _delivered_as(w, found), elsewhere, found.object.client_id not in _client_ids(w), _age(found)


def _delivered_as(w: World, found: Found) -> bool:
    """Say whether a delivered document names this client: its digest covers the client_id."""
    if w.spec is None:
        return False
    digest = w.spec.document_digest(found.object.client_id, found.object.settings.method)
    return any(entry.about == digest for _, entry, _ in _entries(w))


def _has_name(w: World, found: Found) -> bool:
    """Say whether the declaration or the ledger names this client, or its twin where two clients take turns."""
    names = _client_ids(w)
    if w.spec is not None and w.spec.strategy is Strategy.ALTERNATE:
        names |= {second_client_id(name, 2) for name in names}
    return found.object.client_id in names or (w.spec is not None and w.spec.adopt == found.object.remote_id)


def _client_ids(w: World) -> set[str]:
    """Return the client_ids that the ledger and the declaration name; one that is not given stays what it was."""
    names = {record.client_id for record in w.ledger.objects} if w.ledger is not None else set()
    if w.spec is None:
        return names
    names |= {w.spec.client_id, *(() if w.spec.client_id_given else w.spec.previously)}
    adopted = w.by_client_id(w.spec.target, w.spec.adopt) if w.spec.adopt is not None else None
    return names if adopted is None else names | {adopted.client_id}


def _just_deleted(w: World, record: ObjectRecord) -> bool:
    """Say whether a list may still show what was deleted before its ledger was closed."""
    closed, view = w.ledger.closed if w.ledger is not None else None, w.views.get(record.target)
    can = w.can(record)
    if closed is None or view is None or can is None:
        return False
    return view.taken_at < closed + can.list_lag + can.call_timeout


def _age(found: Found) -> tuple[float, str]:
    made = found.object.created_at
    return made.timestamp() if made is not None else 0.0, found.object.client_id


def behind(w: World) -> str | None:
    """Say what shows that a ledger is lost, or older than the world; None when nothing does."""
    ledger = w.ledger
    if ledger is None and w.spec is None:
        return None
    following = ledger.next if ledger is not None else 1
    promised = [g.number for g in ledger.generations if g.state in _PROMISED] if ledger is not None else []
    for key, entry, staged in _entries(w) if _unknown(w, following, promised) else ():
        if entry.generation >= following or (entry.generation in promised and not staged):
            return f"{key} holds generation {entry.generation}, of which its ledger does not know"
    for target, holder, secret, number in _named_keys(w):
        if number >= following:
            return f"key {secret.id} of {holder} at target {target} is generation {number}, of which no ledger knows"
    if w.spec is not None and (ledger is None or ledger.closed is not None):
        for found in unrecorded(w):
            return f"{found.object.named} at target {found.target} carries its mark and is in no ledger"
    return None


def _unknown(w: World, following: int, promised: list[int]) -> bool:
    """Say whether any place holds a generation that the ledger may not know, whosever it is: mostly none does."""
    for held in w.delivered.values():
        for entry in (held.current, held.previous):
            if entry is not None and (entry.generation >= following or entry.generation in promised):
                return True
        for entry in held.staged:
            if entry.generation >= following:
                return True
    return False


def _named_keys(w: World) -> Iterator[tuple[str, str, ObservedSecret, int]]:
    """Yield the keys of holders that are this credential's by their names, with target, holder and number.

    A name alone gives no right, for anybody can write one: it counts together with the nonce of an attempt that a
    delivered document or the ledger knows, and where a document names a key of that attempt by its id, only that key.
    """
    if not _holders(w):
        return
    ids = {e.nonce: e.remote_id for _, e, _ in _entries(w)}
    if w.ledger is not None:
        ids = {**{g.nonce: g.id for g in w.ledger.generations}, **ids}
    for target, holder, secret, name in _keys_named_so(w):
        if name.nonce in ids and ids[name.nonce] in {None, secret.id}:
            yield target, holder, secret, name.number


def _holders(w: World) -> bool:
    return any(found.object.holder for found in w.found)


def _keys_named_so(w: World) -> Iterator[tuple[str, str, ObservedSecret, KeyName]]:
    for found in w.found:
        for identity in (w.identity, *w.names):
            for secret in found.object.keys_of.get(identity, ()):
                name = read_name(secret)
                if name is not None:
                    yield found.target, found.object.named, secret, name


def copied_names(w: World) -> Iterator[tuple[str, str, ObservedSecret]]:
    """Yield the keys that are named as this credential's and that nothing else knows, with target and holder."""
    if not _holders(w):
        return
    known: set[tuple[str, str | None]] = {(target, secret.id) for target, _, secret, _ in _named_keys(w)}
    if w.ledger is not None:
        known |= {(g.target, g.id) for g in w.ledger.generations}
        known |= {(g.target, s) for g in w.ledger.generations for s in g.suspects}
    for target, holder, secret, name in _keys_named_so(w):
        if (target, secret.id) not in known and name.identity == w.identity:
            yield target, holder, secret


def _entries(w: World) -> Iterator[tuple[str, DeliveredEntry, bool]]:
    """Yield what the places hold of this credential, and whether it is only staged."""
    for key, held in sorted(w.delivered.items()):
        if held.identity in {w.identity, *w.names}:
            yield from ((key, entry, False) for entry in (held.current, held.previous) if entry is not None)
        if held.identity in {w.identity, *w.names, None}:
            yield from ((key, entry, True) for entry in held.staged)


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
    delivered = {e.generation for _, e, staged in _entries(w) if not staged}
    secrets = [
        (record, secret)
        for record in (ledger.objects if old else fresh)
        for secret in _secrets(w, record)
        if not _named(ledger, record, secret, delivered)
    ]
    made = _generations(w, spec, ledger, secrets, read)
    numbers = {g.number for g in made}
    kept = (g for g in ledger.generations if g.number not in numbers)
    named = [number for _, _, _, number in _named_keys(w)]
    following = max([ledger.next, *(n + 1 for n in (*numbers, *named, *(e.generation for _, e, _ in _entries(w))))])
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
    entries = [entry for _, entry, _ in _entries(w)]
    ids = {*(key.id for _, _, key, _ in _named_keys(w)), *(e.remote_id for e in entries)}
    if w.spec is not None:
        ids.add(w.spec.adopt)
    values = {e.fingerprint for e in entries}
    return [s for s in secrets if s.id in ids or (s.fingerprint is not None and s.fingerprint in values)]


def _named(ledger: Ledger, record: ObjectRecord, secret: ObservedSecret, delivered: set[int]) -> bool:
    """Say whether a generation has this secret already, or a person is still to say whose it is.

    One that a store delivers while the ledger still promises it is behind, and is entered anew.
    """
    mine = [
        g for g in ledger.generations if g.object == record.key and not (g.state in _PROMISED and g.number in delivered)
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
    by_fingerprint = {e.fingerprint: e.generation for _, e, _ in _entries(w)}
    by_fingerprint |= {fingerprint: number for number, fingerprint in read.items()}
    by_id = {e.remote_id: e.generation for _, e, _ in _entries(w) if e.remote_id is not None}
    taken = {g.number for g in ledger.generations if g.state not in UNFINISHED}
    by_id |= {secret.id: number for _, _, secret, number in _named_keys(w)}
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
        held = {key for key, entry, _ in _entries(w) if entry.generation == number}
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
