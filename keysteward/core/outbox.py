"""From ledgers into the audit log: entries wait in the ledger they were written with until the log has them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, MutableMapping, Sequence
from dataclasses import replace
from typing import Any

from keysteward.core.errors import OutcomeUnknown, VersionConflict
from keysteward.core.evidence import Entry
from keysteward.core.ledger import Ledger, Logged, dump_ledger
from keysteward.core.ports import LedgerStore
from keysteward.core.servers import ServerLedger, dump_server_ledger
from keysteward.core.snapshot import ledger_key

Record = Callable[[Sequence[Entry]], Logged]
"""Appends entries to the audit log and says where they went."""

_Ledgers = tuple[MutableMapping[str, Any], Callable[[Any], dict[str, Any]]]


def numbered(entries: Iterable[Entry], version: int) -> tuple[Entry, ...]:
    """Give entries their ids: the version of the ledger that they are written over, and which run writes them.

    The run's nonce tells them apart where a ledger store was restored and versions come again.
    """
    return tuple(
        replace(entry, id=f"{entry.identity}@{version}.{n}/{entry.author.runner.rpartition('/')[2]}")
        for n, entry in enumerate(entries)
    )


def flush(
    store: LedgerStore,
    record: Record,
    credentials: MutableMapping[str, Ledger],
    servers: MutableMapping[str, ServerLedger],
    only: Iterable[str] | None = None,
    skip: Iterable[str] = (),
) -> int:
    """Move what waits in these ledgers (of `only` these identities, never of `skip`) into the log; returns how many.

    `skip` is what another run works on now: a write here would take the ledger from under it, and it moves its own
    entries. The log comes first, then the ledgers: a run that dies in between leaves entries that the next one appends
    again under the same ids. A ledger that somebody else changes meanwhile keeps its entries too.
    """
    names, left = None if only is None else set(only), set(skip)
    groups: tuple[_Ledgers, _Ledgers] = ((credentials, dump_ledger), (servers, dump_server_ledger))
    waiting = [
        (known, dump, ledger)
        for known, dump in groups
        for name, ledger in list(known.items())
        if ledger.outbox and name not in left and (names is None or name in names)
    ]
    entries = sorted((entry for _, _, ledger in waiting for entry in ledger.outbox), key=lambda entry: entry.at)
    if not entries:
        return 0
    logged = record(entries)
    for known, dump, ledger in waiting:
        cleared = replace(ledger, outbox=(), logged=logged)
        try:
            version = store.write(ledger_key(ledger.identity), dump(cleared), ledger.version)
        except (VersionConflict, OutcomeUnknown):
            continue
        known[ledger.identity] = replace(cleared, version=version)
    return len(entries)
