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

    BLOCKED = "blocked"
    CAP_FILLED = "cap filled"
    CLOCK_OFF = "clock off"
    COPIED_MARK = "copied mark"
    DISABLED_ELSEWHERE = "disabled elsewhere"
    ENDED_ELSEWHERE = "ended elsewhere"
    EXPIRING = "expiring"
    GOVERNED = "governed"
    HELD = "held"
    LEASED = "leased"
    NEW_VALUE_DUE = "new value due"
    NOT_RENEWED = "not renewed"
    OVERDUE = "overdue"
    POLICY = "policy"
    RETIREMENT_WAITS = "retirement waits"
    REVOKED = "revoked"
    SUSPECT = "suspect"
    SUSPENDED = "suspended"
    UNDECLARED = "undeclared"
    UNDELIVERED = "undelivered"
    UNNOTIFIED = "unnotified"
    UNRECORDED = "unrecorded"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing worth a person's attention: what it is about, what is so, and what mends it."""

    kind: Kind
    severity: Severity
    subject: str
    message: str
    mend: str = ""
