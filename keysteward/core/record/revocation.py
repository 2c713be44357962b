"""The record of a revocation that was made without the ledger store, and what it means once a ledger hears of it. Pure.

A record acts once: its id is noted in the ledger that took it. What a person lifted since is not revoked again by it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime

from keysteward.core.record.ledger import Ledger


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a person revoked without the ledger store: whose, why, when, and which clients were disabled for it.

    `disabled` are remote ids by target. `actor` is who says so; nothing proves it.
    """

    identity: str
    reason: str
    at: datetime
    actor: str
    disabled: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """Return what tells this record from every other: a digest of all that it says."""
        said = json.dumps(asdict(self), sort_keys=True, default=datetime.isoformat)
        return hashlib.sha256(said.encode()).hexdigest()[:16]

    @property
    def words(self) -> str:
        """Return who made it and when, for plans and the audit log."""
        return f"without the ledger store, by {self.actor} at {self.at:%Y-%m-%d %H:%M} UTC"


def is_over(record: Recorded, ledger: Ledger) -> bool:
    """Say whether a record has nothing to say to a ledger any more: it was carried out, or the ledger was closed."""
    return record.id in ledger.recorded or ledger.closed is not None


def outdated(record: Recorded, ledger: Ledger) -> bool:
    """Say whether a person lifted what was revoked after this record was made, so that it may be about old secrets."""
    return ledger.lifted is not None and record.at <= ledger.lifted
