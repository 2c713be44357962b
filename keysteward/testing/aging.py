"""Time passing, for servers whose clock cannot be set: a stack's ledgers are made older instead."""

from __future__ import annotations

from datetime import timedelta

from keysteward.core.contract.ports import LedgerStore
from keysteward.core.observe.snapshot import LEDGERS, SERVER_KIND
from keysteward.core.record.ledger import age, dump_ledger, load_ledger


def age_ledgers(ledgers: LedgerStore, stack: str, by: timedelta) -> int:
    """Subtract a period from all times of a stack's ledgers; returns how many were made older."""
    count = 0
    for key, stored in ledgers.list(f"{LEDGERS}/{stack}/").items():
        if stored.document is None or stored.document.get("kind") == SERVER_KIND:
            continue
        aged = age(load_ledger(stored.document, stored.version), by)
        ledgers.write(key, dump_ledger(aged), stored.version)
        count += 1
    return count
