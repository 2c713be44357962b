"""What an adapter implements, for targets and stores that are kept elsewhere: import from here, from nowhere below.

Every target answers these:

    name, descriptor, capabilities, token_url    known without a call
    as_reader()                                  itself, with the reader's credential
    observe(fingerprint)                         all that exists, whoever made it; fingerprints in place of values
    look(ref, fingerprint)                       one object
    issue(remote_id, order)                      one more secret on an object
    retire(remote_id, secret)                    the end of one
    verify(claim)                                the proof that one works
    diagnose()                                   the lines of `keysteward doctor`

What it can do besides it says by its capabilities, and does by facets, small protocols beside the port:

    ManagesClients     create, update, mark, release, delete    clients of ours; its capabilities name `methods`
    IssuesKeys         key_capabilities                         API keys, at holders that exist
    ManagesScopes      put_scope, drop_scope                    a catalogue of scopes
    Suspends           suspend, resume                          a reversible end (`suspends`)
    PreparesOverlap    prepare                                  a rotated slot to be set up (`native_slot`)
    Renaming           rename                                   client_ids that can be changed
    ShowsRights        rights                                   what a client may do beyond its scopes
    LogsIn             logs_in_as                               the clients that keysteward itself is

`docs/adding-a-target.md` says how each behaves, with a whole small one; the suites in `keysteward.testing` judge it.
"""

from __future__ import annotations

from keysteward.core.contract.address import IN_CLEAR, check_address, leaves_in_clear
from keysteward.core.contract.capabilities import MANY, BroadScopes, Capabilities, Method
from keysteward.core.contract.facets import (
    ChecksPaths,
    IssuesKeys,
    LogsIn,
    ManagesClients,
    ManagesScopes,
    PreparesOverlap,
    Renaming,
    ShowsRights,
    Suspends,
)
from keysteward.core.contract.introduction import Introduced, Introduction, Starter
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
    Material,
    ObjectRef,
    Order,
    Proof,
    ScopeWant,
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
    "BroadScopes",
    "Capabilities",
    "Check",
    "ChecksPaths",
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
    "Introduced",
    "Introduction",
    "Issued",
    "IssuesKeys",
    "KeystewardError",
    "LedgerStore",
    "LogsIn",
    "ManagesClients",
    "ManagesScopes",
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
    "PreparesOverlap",
    "Proof",
    "Rejected",
    "Renaming",
    "ScopeWant",
    "Settings",
    "ShowsRights",
    "StageEntry",
    "Starter",
    "Store",
    "Stored",
    "Strategy",
    "Suspends",
    "Target",
    "Unavailable",
    "Verification",
    "VersionConflict",
    "check_address",
    "leaves_in_clear",
]
