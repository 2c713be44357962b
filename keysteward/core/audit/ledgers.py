"""Compares ledgers with the audit log, pure: what a ledger says and no entry ever said, a sentence each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from keysteward.core.audit.verify_log import Defect, Wrong
from keysteward.core.observe.attested import facts_of
from keysteward.core.record.evidence import Entry
from keysteward.core.record.ledger import Ledger, Origin
from keysteward.core.record.server_ledger import ServerLedger

_TOLD: Final = ("remote_id", "client_id", "nonce", "current_since", "superseded_at", "ends_at", "ended_at", "issued_at")
"""Facts that a sentence may show, the most telling ones first."""


@dataclass(frozen=True, slots=True)
class Compared:
    """How ledgers compare with the log.

    `ledgers` is how many were compared, `unattested` how many of their clients and generations were last changed by
    versions that did not record them.
    """

    ledgers: int = 0
    unattested: int = 0
    defects: tuple[Defect, ...] = ()


def compare(ledgers: Sequence[Ledger | ServerLedger], logged: Iterable[Entry]) -> Compared:
    """Compare ledgers with the entries of the log, and with those that still wait in the ledgers themselves."""
    by_identity: dict[str, list[Entry]] = {}
    for entry in (*logged, *(waiting for ledger in ledgers for waiting in ledger.outbox)):
        by_identity.setdefault(entry.identity, []).append(entry)
    defects: list[Defect] = []
    unattested = 0
    for ledger in ledgers:
        entries = [entry for name in _names(ledger, ledgers) for entry in by_identity.get(name, ())]
        if not entries:
            defects += _without_entries(ledger)
        elif isinstance(ledger, Ledger):
            found, more = _differing(ledger, entries)
            defects += found
            unattested += more
    return Compared(len(ledgers), unattested, tuple(defects))


def _names(ledger: Ledger | ServerLedger, ledgers: Iterable[Ledger | ServerLedger]) -> set[str]:
    """Return the identities under which a ledger's entries may stand: a renamed server keeps its nonce alone."""
    if isinstance(ledger, Ledger):
        return {ledger.identity, *ledger.names}
    same = (other.identity for other in ledgers if isinstance(other, ServerLedger) and other.nonce == ledger.nonce)
    return {ledger.identity, *same}


def _without_entries(ledger: Ledger | ServerLedger) -> Iterator[Defect]:
    count = ledger.executed.count
    if count or (isinstance(ledger, Ledger) and ledger.generations):
        plans = f"{count} {'plan was' if count == 1 else 'plans were'} carried out"
        message = f"the ledger of {ledger.identity} says that {plans}, and the log has no entry of it"
        yield Defect(Wrong.REMOVED, f"{message}: entries were removed, or the ledger was made up")


def _differing(ledger: Ledger, entries: Sequence[Entry]) -> tuple[list[Defect], int]:
    """Compare each client and generation with what entries said of it; returns too how many they never spoke of."""
    recorded: dict[str, list[Mapping[str, str]]] = {}
    for entry in entries:
        for name, facts in (entry.recorded or {}).items():
            recorded.setdefault(name, []).append(facts)
    spoken_of = {entry.generation for entry in entries}
    adopted = {each.number for each in ledger.generations if each.origin is Origin.ADOPTED}
    defects, unattested = [], 0
    for name, facts in facts_of(ledger).items():
        said = recorded.get(name)
        what, _, number = name.partition(" ")
        if said is not None and facts not in said:
            defects.append(_defect(ledger, name, _difference(facts, said[-1])))
        elif said is None and what == "generation" and int(number) not in spoken_of | adopted:
            defects.append(_defect(ledger, name, "of which the log has no entry"))
        elif said is None:
            unattested += 1
    return defects, unattested


def _defect(ledger: Ledger, name: str, how: str) -> Defect:
    message = f"the ledger of {ledger.identity} has a {name} {how}: the ledger was altered, or entries were removed"
    return Defect(Wrong.LEDGER, message)


def _difference(facts: Mapping[str, str], said: Mapping[str, str]) -> str:
    differing = [name for name in (*_TOLD, *sorted(facts.keys() | said.keys())) if facts.get(name) != said.get(name)]
    name = differing[0]
    words = name.replace("_", " ")
    return f"whose {words} is {facts.get(name, 'missing')}, and was {said.get(name, 'missing')} in its last entry"
