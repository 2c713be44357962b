"""The one way to change a document of the ledger store: read, make it anew, compare and set, and try again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from keysteward.core.contract.ports import LedgerStore, Stored
from keysteward.core.errors import VersionConflict

TRIES = 5


def change(
    ledgers: LedgerStore, key: str, anew: Callable[[Stored], Mapping[str, Any] | None], in_the_end: VersionConflict
) -> Stored:
    """Write what `anew` makes of the stored document, or leave it where that is None; returns what is stored then.

    Raises `in_the_end` when others were faster each time, and whatever `anew` raises.
    """
    for _ in range(TRIES):
        stored = ledgers.read(key)
        document = anew(stored)
        if document is None:
            return stored
        try:
            version = ledgers.write(key, document, stored.version)
        except VersionConflict:
            continue
        return Stored(document, version)
    raise in_the_end
