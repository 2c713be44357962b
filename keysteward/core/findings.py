"""Findings: what a person should know about a credential, an object or a target, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How much a finding matters. An `error` stops the credential; a `warning` needs a person; a `note` tells."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class Kind(StrEnum):
    """What kind of trouble it is; the words of docs/findings.md."""

    ALLOWANCE_OVER = "allowance over"
    BLOCKED = "blocked"
    CAP_FILLED = "cap filled"
    CHANGED = "changed"
    CLOCK_OFF = "clock off"
    CONSUMER_GONE = "consumer gone"
    COPIED_MARK = "copied mark"
    DISABLED_ELSEWHERE = "disabled elsewhere"
    ENDED_ELSEWHERE = "ended elsewhere"
    ELSEWHERE = "elsewhere"
    EXPIRING = "expiring"
    EXTRA_SECRET = "extra secret"  # noqa: S105 - no value
    FAILED = "failed"
    GOVERNED = "governed"
    HELD = "held"
    LEASED = "leased"
    LEFT_DISABLED = "left disabled"
    MISDECLARED = "misdeclared"
    MISSING = "missing"
    NEW_VALUE_DUE = "new value due"
    NO_RUN = "no run"
    NOT_RENEWED = "not renewed"
    OUTDATED_GRANT = "outdated grant"
    OVERDUE = "overdue"
    OVERWRITTEN = "overwritten"
    OWNER_GONE = "owner gone"
    POLICY = "policy"
    RETIREMENT_WAITS = "retirement waits"
    REVIEW_OVERDUE = "review overdue"
    REVOKED = "revoked"
    SEVERAL_SECRETS = "several secrets"
    SHARED_SECRET = "shared secret"  # noqa: S105 - no value
    STRAY_DELIVERY = "stray delivery"
    SUSPECT = "suspect"
    SUSPENDED = "suspended"
    TOO_WIDE = "too wide"
    UNASSIGNED = "unassigned"
    UNDECLARED = "undeclared"
    UNDECLARED_SCOPE = "undeclared scope"
    UNDELIVERED = "undelivered"
    UNLOGGED = "unlogged"
    UNMANAGED = "unmanaged"
    UNNOTIFIED = "unnotified"
    UNRECORDED = "unrecorded"
    UNUSED = "unused"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing worth a person's attention: what it is about, what is so, and what mends it.

    `subject` is an identity ("acme/prod/billing"), or for what no stack declares its target and client_id, key id or
    scope ("corp: legacy-etl"). `rule` is the number of the rule it breaks ("KS012"), "" for none; `waived` says that a
    waiver of its declaration stands, whose words are part of the message.
    """

    kind: Kind
    severity: Severity
    subject: str
    message: str
    mend: str = ""
    rule: str = ""
    waived: bool = False
