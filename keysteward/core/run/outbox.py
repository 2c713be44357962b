"""From ledgers into the audit log: entries wait in the ledger they were written with until the log has them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, MutableMapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from keysteward.core.contract.ports import LedgerStore
from keysteward.core.errors import OutcomeUnknown, VersionConflict
from keysteward.core.observe.snapshot import ledger_key
from keysteward.core.record.evidence import Entry
from keysteward.core.record.ledger import Ledger, Logged, dump_ledger
from keysteward.core.record.server_ledger import ServerLedger, dump_server_ledger

WAITS: Final = timedelta(hours=1)
"""How long entries may wait in a ledger: longer than a run takes. What a killed run left, the next one moves."""

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
    runner: str,
    only: Iterable[str] | None = None,
) -> int:
    """Move what waits in these ledgers (of `only` these identities) into the log; returns how many entries.

    The log comes first, then the ledgers: a run that dies in between leaves entries that the next one appends again
    under the same ids. A ledger that somebody else changes meanwhile keeps its entries too, and so does one that
    another run than `runner` works on: a write there would make that run fail.
    """
    names = None if only is None else set(only)
    groups: tuple[_Ledgers, _Ledgers] = ((credentials, dump_ledger), (servers, dump_server_ledger))
    waiting = [
        (known, dump, ledger)
        for known, dump in groups
        for name, ledger in list(known.items())
        if ledger.outbox and (names is None or name in names) and not _leased(ledger, runner, store)
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


def _leased(ledger: Ledger | ServerLedger, runner: str, store: LedgerStore) -> bool:
    lease = ledger.lease if isinstance(ledger, Ledger) else None
    return lease is not None and lease.runner != runner and lease.until > store.now()


def oldest_late(ledgers: Iterable[Ledger | ServerLedger], now: datetime) -> datetime | None:
    """Return of when the oldest entry is that waits longer than it may; None when none does."""
    return min((entry.at for ledger in ledgers for entry in ledger.outbox if now - entry.at > WAITS), default=None)


def late_words(waiting: int, since: datetime) -> str:
    """Say that entries wait too long."""
    what = "1 entry waits" if waiting == 1 else f"{waiting} entries wait"
    return f"{what} for the audit log, the oldest since {since:%Y-%m-%d %H:%M} UTC: it lacks them"


HOW_TO_MOVE: Final = (
    "run keysteward rotate --due or up, which moves them into the log and says why where the log does not take them"
)
