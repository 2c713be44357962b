"""Objects with our mark that no ledger knows: what a lost reply or a lost ledger left behind. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from keysteward.core.contract.observed import DeliveredEntry, Mark, ObservedSecret
from keysteward.core.declare.stack import second_client_id
from keysteward.core.observe.keys import KeyName, read_name
from keysteward.core.observe.world import Found, World
from keysteward.core.record.ledger import ObjectRecord, State

PROMISED = frozenset({State.INTENT, State.ISSUED})
"""States of a generation that no store can deliver yet."""


def unrecorded(w: World) -> tuple[Found, ...]:
    """Return the objects that are this credential's and that its ledger does not know, oldest first.

    A mark can be copied with everything else of a client, so that it counts only together with a client_id which the
    declaration, the ledger or a delivered document names, and once for each attempt. One that was gone and is there
    again, as in a restored target, is not known either.
    """
    return strange_objects(w)[0]


def strange_objects(w: World) -> tuple[tuple[Found, ...], tuple[Found, ...]]:
    """Return what carries this credential's mark and is in no ledger: what is its, and what is not, oldest first.

    What is not its is a copy, or what nothing names any more.
    """
    strange = _strange(w)
    if not strange:
        return (), ()
    ours = sorted(_named_once(w, strange).values(), key=_age)
    return tuple(ours), tuple(sorted((found for found in strange if found not in ours), key=_age))


def _named_once(w: World, strange: list[Found]) -> dict[str, Found]:
    """Return the likeliest of the unknown objects for each attempt's nonce, among those that have a name of ours."""
    best: dict[str, Found] = {}
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
            if is_of(record, found, mark):
                break
        else:
            strange.append(found)
    return strange


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
    return any(entry.about == digest for _, entry, _ in delivered_entries(w))


def _has_name(w: World, found: Found) -> bool:
    """Say whether the declaration or the ledger names this client, or its twin where two clients take turns."""
    names = _client_ids(w)
    if w.spec is not None and w.spec.strategy.twins:
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
    promised = [g.number for g in ledger.generations if g.state in PROMISED] if ledger is not None else []
    for key, entry, staged in delivered_entries(w) if _unknown(w, following, promised) else ():
        if entry.generation >= following or (entry.generation in promised and not staged):
            return f"{key} holds generation {entry.generation}, of which its ledger does not know"
    for target, holder, secret, number in named_keys(w):
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


def named_keys(w: World) -> Iterator[tuple[str, str, ObservedSecret, int]]:
    """Yield the keys of holders that are this credential's by their names, with target, holder and number.

    A name alone gives no right, for anybody can write one: it counts together with the nonce of an attempt that a
    delivered document or the ledger knows, and where a document names a key of that attempt by its id, only that key.
    """
    if not has_holders(w):
        return
    ids = {e.nonce: e.remote_id for _, e, _ in delivered_entries(w)}
    if w.ledger is not None:
        ids = {**{g.nonce: g.id for g in w.ledger.generations}, **ids}
    for target, holder, secret, name in _keys_named_so(w):
        if name.nonce in ids and ids[name.nonce] in {None, secret.id}:
            yield target, holder, secret, name.number


def _keys_named_so(w: World) -> Iterator[tuple[str, str, ObservedSecret, KeyName]]:
    for found in w.found:
        for identity in (w.identity, *w.names):
            for secret in found.object.keys_of.get(identity, ()):
                name = read_name(secret)
                if name is not None:
                    yield found.target, found.object.named, secret, name


def copied_names(w: World) -> Iterator[tuple[str, str, ObservedSecret]]:
    """Yield the keys that are named as this credential's and that nothing else knows, with target and holder."""
    if not has_holders(w):
        return
    known: set[tuple[str, str | None]] = {(target, secret.id) for target, _, secret, _ in named_keys(w)}
    if w.ledger is not None:
        known |= {(g.target, g.id) for g in w.ledger.generations}
        known |= {(g.target, s) for g in w.ledger.generations for s in g.suspects}
    for target, holder, secret, name in _keys_named_so(w):
        if (target, secret.id) not in known and name.identity == w.identity:
            yield target, holder, secret


def delivered_entries(w: World) -> Iterator[tuple[str, DeliveredEntry, bool]]:
    """Yield what the places hold of this credential, and whether it is only staged."""
    for key, held in sorted(w.delivered.items()):
        if held.identity in {w.identity, *w.names}:
            yield from ((key, entry, False) for entry in (held.current, held.previous) if entry is not None)
        if held.identity in {w.identity, *w.names, None}:
            yield from ((key, entry, True) for entry in held.staged)


def is_of(record: ObjectRecord, found: Found, mark: Mark) -> bool:
    """Say whether a record is of this object: by its id, or while it has none by what it was to be made as."""
    if record.target != found.target:
        return False
    if record.remote_id is not None:
        return record.remote_id == found.object.remote_id
    return (record.client_id, record.nonce) == (found.object.client_id, mark.nonce)


def has_holders(w: World) -> bool:
    """Say whether a target of the credential keeps keys under holders, which carry the marks."""
    for found in w.found:  # noqa: SIM110 - asked three times a plan, and a generator costs more than it looks at
        if found.object.holder:
            return True
    return False
