"""Findings as lines for a terminal: the worst first, each with what mends it; many that are alike as one."""

from __future__ import annotations

from collections.abc import Iterable

from rich.text import Text

from keysteward.core.findings import Finding, Kind, Severity
from keysteward.report.text.plain import line, shortened

SEVERITIES: dict[Severity, tuple[str, str]] = {
    Severity.ERROR: ("✗", "bold red"),
    Severity.WARNING: ("!", "yellow"),
    Severity.NOTE: ("·", "cyan"),
}
MOST_NAMED = 5
"""Names that are told of those with the same finding, and so many are told one by one."""

LONGEST_NAME = 36
"""Characters of a name in a sentence that has others."""

_ORDER = list(SEVERITIES)


def finding_lines(findings: Iterable[Finding], stack: str) -> Iterable[Text]:
    """Write findings, names without their stack. Errors are never put together: each stops something."""
    alike: dict[object, list[Finding]] = {}
    for finding in sorted(findings, key=lambda f: (_ORDER.index(f.severity), f.subject)):
        alike.setdefault(_what(finding, stack), []).append(finding)
    told = [[f] for same in alike.values() if len(same) <= MOST_NAMED for f in same]
    told += [same for same in alike.values() if len(same) > MOST_NAMED]
    for same in sorted(told, key=lambda group: (_ORDER.index(group[0].severity), group[0].subject)):
        yield from _lines(same, stack)


def named(names: Iterable[str]) -> str:
    """Return "a, b, c, d, e and 3 more"; names are shortened, and each is told once."""
    all_names = list(dict.fromkeys(shortened(name, LONGEST_NAME) for name in names))
    more = f" and {len(all_names) - MOST_NAMED:,} more" if len(all_names) > MOST_NAMED else ""
    return f"{', '.join(all_names[:MOST_NAMED])}{more}"


def _name(finding: Finding, stack: str) -> str:
    return finding.subject.removeprefix(f"{stack}/")


def mend_of_any(finding: Finding, stack: str) -> str:
    """Return what is to be done to any credential of that finding."""
    return f"{finding.mend} ".replace(f" {_name(finding, stack)} ", " NAME ").strip()


def _what(finding: Finding, stack: str) -> tuple[Severity, Kind, str, str]:
    """Return what findings share that are told as one."""
    alone = finding.subject + finding.message if finding.severity is Severity.ERROR else ""
    return finding.severity, finding.kind, finding.rule + alone, mend_of_any(finding, stack)


def _lines(same: list[Finding], stack: str) -> Iterable[Text]:
    finding = same[0]
    said, mend = f" {_name(finding, stack)}: {finding.message}", finding.mend
    if len(same) > 1:
        said = f" {len(same):,} times: {named(_name(f, stack) for f in same)}; such as: {finding.message}"
        mend = mend_of_any(finding, stack)
    yield line("  ", SEVERITIES[finding.severity], said)
    if mend:
        yield line(("    → ", "dim"), mend)
