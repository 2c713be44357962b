"""Drift: what differs between what is declared and what is there, at all targets and stores of a stack. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from keysteward.core.findings import Finding, Severity
from keysteward.core.inventory import Coverage

_RANK = (Severity.NOTE, Severity.WARNING, Severity.ERROR)


@dataclass(frozen=True, slots=True)
class Drift:
    """What one look found. `failures` are what could not be read, with why: an error, never "clean".

    `findings` are sorted, the worst first, then by subject; each appears once.
    """

    stack: str
    at: datetime
    findings: tuple[Finding, ...]
    coverage: tuple[Coverage, ...] = ()
    failures: tuple[str, ...] = ()

    def at_or_above(self, severity: Severity) -> tuple[Finding, ...]:
        """Return the findings of this severity or a worse one; what is waived is a note."""
        return tuple(f for f in self.findings if _RANK.index(f.severity) >= _RANK.index(severity))
