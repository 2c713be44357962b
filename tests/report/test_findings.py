"""Findings in a preview: a few one by one, many that are alike as one, errors always by themselves."""

from __future__ import annotations

from dataclasses import replace

from keysteward.core.findings import Finding, Kind, Severity
from keysteward.report.text.findings import finding_lines

LOST = Finding(
    Kind.UNDELIVERED, Severity.WARNING, "acme/prod/job-0", "no store holds it", "run: reissue job-0 --grace 7d"
)


def told(count: int, severity: Severity) -> str:
    findings = [
        replace(LOST, severity=severity, subject=f"acme/prod/job-{n:03}", mend=f"run: reissue job-{n:03} --grace 7d")
        for n in range(count)
    ]
    return "".join(f"{text.plain}\n" for text in finding_lines(findings, "acme/prod"))


def test_a_few_are_told_one_by_one() -> None:
    assert told(5, Severity.WARNING).count("→ run: reissue job-") == 5


def test_many_that_are_alike_are_told_once() -> None:
    assert told(800, Severity.WARNING) == (
        "  ! 800 times: job-000, job-001, job-002, job-003, job-004 and 795 more; such as: no store holds it\n"
        "    → run: reissue NAME --grace 7d\n"
    )


def test_an_error_stands_by_itself() -> None:
    assert told(8, Severity.ERROR).count("✗ job-") == 8
