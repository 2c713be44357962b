"""What the audit log attests of a credential's clients and generations, so that an altered ledger shows. Pure.

An entry says what the ledger says since, of each client and generation that its step changed. A ledger that says
something no entry ever said was altered by somebody else than a run. Entries of versions that recorded nothing of this
attest a client by its name alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Final

from keysteward.core.contract.observed import ObservedObject
from keysteward.core.observe.world import Attested, World
from keysteward.core.record.evidence import Entry
from keysteward.core.record.ledger import Generation, Ledger, ObjectRecord
from keysteward.core.record.steps import Do

Facts = Mapping[str, Mapping[str, str]]
"""What is recorded, by "client 1" (the key of an object record) and "generation 2"."""

_OF_CLIENT: Final = ("target", "client_id", "remote_id", "nonce")
_OF_GENERATION: Final = (
    "state",
    "object",
    "id",
    "fingerprint",
    "issued_at",
    "current_since",
    "superseded_at",
    "ends_at",
    "ended_at",
)


def facts_of(ledger: Ledger) -> dict[str, dict[str, str]]:
    """Return what entries record of a ledger's clients and generations."""
    clients = {f"client {record.key}": _told(record, _OF_CLIENT) for record in ledger.objects}
    return clients | {f"generation {each.number}": _told(each, _OF_GENERATION) for each in ledger.generations}


def _told(value: ObjectRecord | Generation, names: Iterable[str]) -> dict[str, str]:
    return {name: _text(held) for name in names if (held := getattr(value, name)) is not None}


def _text(value: object) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return str(value).encode("utf-8", "replace").decode()


def changed_facts(before: Ledger | None, after: Ledger | None) -> Facts | None:
    """Return what a step's entry records: what it changed, as it is now; None where that is nothing."""
    if after is None:
        return None
    known = facts_of(before) if before is not None else {}
    return {name: facts for name, facts in facts_of(after).items() if known.get(name) != facts} or None


def attested(entries: Iterable[Entry]) -> Attested:
    """Return what a credential's entries say of its clients."""
    clients: list[Mapping[str, str]] = []
    named: set[str] = set()
    for entry in entries:
        if entry.recorded is None:
            named |= _named(entry)
        else:
            clients += [facts for name, facts in entry.recorded.items() if name.startswith("client ")]
    return Attested(tuple(clients), frozenset(named))


def _named(entry: Entry) -> set[str]:
    """Return the client that an entry names by which nothing was recorded: one that was made, adopted or proven."""
    if entry.outcome != "done":
        return set()
    for step in (Do.CREATE, Do.ADOPT):
        words = f"{step} client "
        if entry.step == step and entry.words.startswith(words):
            return {entry.words.removeprefix(words)}
    _, by, client_id = entry.evidence.rpartition(" by ")
    return {client_id} if entry.step == Do.VERIFY and by else set()


def unproven(w: World) -> Iterator[tuple[ObjectRecord, ObservedObject]]:
    """Yield the clients that the ledger calls ours and that do not carry our mark with the nonce it knows.

    What a declaration adopts is left out, by a person's word, and so is what carries the mark of another identity.
    """
    ledger, adopt = w.ledger, w.spec.adopt if w.spec is not None else None
    for record in ledger.objects if ledger is not None and ledger.closed is None else ():
        found = w.object(record)
        if found is None or record.deleted or record.external:
            continue
        mark = found.mark
        if mark is not None and (mark.nonce == record.nonce or mark.identity not in {w.identity, *w.names}):
            continue
        adopted = adopt is not None and adopt in {found.client_id, found.remote_id}
        if not adopted and not (w.spec is None and record.adopted and not record.marked):
            yield record, found


def contradicts(record: ObjectRecord, found: ObservedObject, log: Attested) -> str | None:
    """Say what speaks against a client that the ledger calls ours, by what the audit log recorded; None: nothing."""
    attempt = [facts for facts in log.clients if facts.get("nonce") == _text(record.nonce)]
    if not attempt:
        named = found.client_id == record.client_id and found.client_id in log.named
        return None if named else f"the audit log knows of {_known(log)}"
    ids = {facts.get("remote_id") for facts in attempt} - {None}
    if ids != {_text(record.remote_id)}:
        return f"the audit log knows it as {_known(log)}"
    if _text(found.client_id) not in {facts.get("client_id") for facts in attempt}:
        return f"the audit log knows it as {_known(log)}"
    return None


def _known(log: Attested) -> str:
    ids = {f"{facts.get('client_id')!r} ({facts['remote_id']})" for facts in log.clients if "remote_id" in facts}
    return ", ".join(sorted(ids | {repr(name) for name in log.named})) or "no client of it"
