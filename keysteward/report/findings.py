"""Findings as lines for a terminal: the worst first, each with what mends it."""

from __future__ import annotations

from collections.abc import Iterable

from rich.text import Text

from keysteward.core.findings import Finding, Severity
from keysteward.report.plain import line

SEVERITIES: dict[Severity, tuple[str, str]] = {
    Severity.ERROR: ("✗", "bold red"),
    Severity.WARNING: ("!", "yellow"),
    Severity.NOTE: ("·", "cyan"),
}
_ORDER = list(SEVERITIES)


def finding_lines(findings: Iterable[Finding], stack: str) -> Iterable[Text]:
    """Write findings, names without their stack."""
    for finding in sorted(findings, key=lambda f: (_ORDER.index(f.severity), f.subject)):
        subject = finding.subject.removeprefix(f"{stack}/")
        yield line("  ", SEVERITIES[finding.severity], f" {subject}: {finding.message}")
        if finding.mend:
            yield line(("    → ", "dim"), finding.mend)
