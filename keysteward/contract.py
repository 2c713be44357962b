"""What an adapter implements, for targets and stores that are kept elsewhere: import from here, from nowhere below.

The least target answers these; `capabilities` says what of the rest is asked of it. The port names all; what is not
listed is never called, and may raise:

- `name`, `descriptor`, `capabilities`, `key_capabilities`, `token_url`, `as_reader`: known without a call
- `observe`, `look`: what exists, whoever made it, with fingerprints in place of values
- `create`, `update`, `mark`, `release`, `delete`: clients
- `issue`, `retire`, `verify`: secrets, and the proof that one works
- `diagnose`: the lines of `keysteward doctor`

With more capabilities: `prepare` (`native_slot`), `suspend` and `resume` (`suspends`), `put_scope` and `drop_scope` (a
catalogue of scopes). Facets are small protocols beside the port, for what some targets can tell or do: `LogsIn`,
`Renaming`, `ShowsRights`. `docs/adding-a-target.md` says how each behaves; the suites in `keysteward.testing` judge it.
"""

from __future__ import annotations

from keysteward.core.contract.address import IN_CLEAR, check_address, leaves_in_clear
from keysteward.core.contract.capabilities import MANY, Capabilities, Method
from keysteward.core.contract.observed import (
    Delivered,
    DeliveredEntry,
    Mark,
    Observation,
    ObservedObject,
    ObservedScope,
    ObservedSecret,
    Settings,
)
from keysteward.core.contract.ports import (
    About,
    Action,
    Check,
    Claim,
    Created,
    Descriptor,
    Fingerprint,
    Issued,
    LedgerStore,
    LogsIn,
    Material,
    ObjectRef,
    Order,
    Proof,
    Renaming,
    ScopeWant,
    ShowsRights,
    StageEntry,
    Store,
    Stored,
    Target,
    Verification,
)
from keysteward.core.contract.strategy import Strategy
from keysteward.core.errors import (
    AccessDenied,
    ClockRefused,
    Conflict,
    Damaged,
    DeclarationError,
    KeystewardError,
    NotFound,
    OutcomeUnknown,
    Rejected,
    Unavailable,
    VersionConflict,
)

__all__ = [
    "IN_CLEAR",
    "MANY",
    "About",
    "AccessDenied",
    "Action",
    "Capabilities",
    "Check",
    "Claim",
    "ClockRefused",
    "Conflict",
    "Created",
    "Damaged",
    "DeclarationError",
    "Delivered",
    "DeliveredEntry",
    "Descriptor",
    "Fingerprint",
    "Issued",
    "KeystewardError",
    "LedgerStore",
    "LogsIn",
    "Mark",
    "Material",
    "Method",
    "NotFound",
    "ObjectRef",
    "Observation",
    "ObservedObject",
    "ObservedScope",
    "ObservedSecret",
    "Order",
    "OutcomeUnknown",
    "Proof",
    "Rejected",
    "Renaming",
    "ScopeWant",
    "Settings",
    "ShowsRights",
    "StageEntry",
    "Store",
    "Stored",
    "Strategy",
    "Target",
    "Unavailable",
    "Verification",
    "VersionConflict",
    "check_address",
    "leaves_in_clear",
]
