"""The inventory: one list of all credentials at the targets of a stack, or of one target alone. Pure.

Whatever exists is in it, once, and what is declared too: who owns it, how it is scoped, how it is revoked.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from keysteward.core.findings import Finding


class Standing(StrEnum):
    """How a credential stands to the stack."""

    DECLARED = "declared"
    GOVERNED = "governed"  # made by others, counted and judged as a set
    ALLOWED = "allowed"  # knowingly left alone until a day
    UNDECLARED = "undeclared"  # ours by ledger or mark, and not declared any more
    ELSEWHERE = "elsewhere"  # carries another stack's mark
    UNMANAGED = "unmanaged"  # nobody's as far as is known
    BUILT_IN = "built-in"  # the target's own


@dataclass(frozen=True, slots=True)
class InventoryEntry:
    """One credential. Times are aware UTC; None and "" where it is not known or there is none.

    `name` is the declaration's, or what the target calls it; `kind` in words ("M2M client", "client secret", "API key",
    "manual key"). `clients` are client_ids, of a key its holder; `key_ids` are the ids of keys. `interactive` says that
    people log in through it. `secrets` counts what lives at the target (None: not shown). `secret_since` is since when
    the present secret is valid, `reaches` what it gets at ("billing-api (https://...): invoices:read"), `revoke` what
    to do to take it away, `status` what the ledger says.
    """

    name: str
    kind: str
    standing: Standing
    target: str
    identity: str | None = None
    label: str = ""
    clients: tuple[str, ...] = ()
    key_ids: tuple[str, ...] = ()
    owner: str = ""
    owner_state: str = ""
    contact: str = ""
    purpose: str = ""
    consumer: str = ""
    environment: str = ""
    runbook: str = ""
    method: str = ""
    scopes: tuple[str, ...] = ()
    optional_scopes: tuple[str, ...] = ()
    reaches: tuple[str, ...] = ()
    grants: tuple[str, ...] = ()
    interactive: bool = False
    enabled: bool = True
    secrets: int | None = None
    created_at: datetime | None = None
    secret_since: datetime | None = None
    last_used: datetime | None = None
    next_rotation: datetime | None = None
    expires: datetime | None = None
    reviewed: date | None = None
    delivered_to: tuple[str, ...] = ()
    status: str = ""
    revoke: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()

    def age(self, now: datetime) -> timedelta | None:
        """Return how old its present secret is, or else the credential itself; None when nothing says so."""
        since = self.secret_since or self.created_at
        return None if since is None else now - since


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of what exists at one target is declared or governed; built-ins and clients without secret do not count.

    `others` are those of other stacks, `allowed` those left alone knowingly.
    """

    target: str
    declared: int
    governed: int
    allowed: int
    others: int
    unmanaged: int

    @property
    def total(self) -> int:
        """Return how many exist."""
        return self.declared + self.governed + self.allowed + self.others + self.unmanaged

    @property
    def share(self) -> float:
        """Return the share that is declared or governed, 1.0 when nothing exists."""
        return (self.declared + self.governed) / self.total if self.total else 1.0


@dataclass(frozen=True, slots=True)
class Inventory:
    """All credentials, sorted by target and name. `stack` is None for a look at one target without a stack.

    `failures` are the targets that could not be read, with why: what they hold is not in here.
    """

    at: datetime
    entries: tuple[InventoryEntry, ...]
    stack: str | None = None
    coverage: tuple[Coverage, ...] = ()
    findings: tuple[Finding, ...] = ()
    failures: tuple[str, ...] = ()
