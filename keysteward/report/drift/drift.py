"""Drift as people and programs read it: a terminal, JSON, and Markdown for one issue. Pure.

The formats take what one look found and where subjects are declared, and return text with a line break at its end.

JSON (`format: 1`; its schema is `keysteward/schemas/drift.schema.json`):

- `stack`, `at` (ISO 8601)
- `complete`: everything could be read; `clean`: so it was, and there is no error and no warning
- `findings[]`: `kind`, `severity` (error, warning, note), `subject`, `message`, `mend`, `rule` ("KS012", or ""),
  `waived`, `place` (`file`, relative to the repository, `line`) or null; the worst first
- `coverage[]`, one for each target: `target`, `declared`, `governed`, `allowed`, `others`, `unmanaged`, `total`, and
  `share`, the part of them that is declared or governed, 0 to 1
- `failures[]`: what could not be read, with why
- `summary`: `error`, `warning`, `note`, `waived` (among the notes), `failures`: counts
"""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from typing import Any

from rich.text import Text

from keysteward.core.drift.drift import Drift
from keysteward.core.drift.inventory import Coverage
from keysteward.core.findings import Finding, Severity
from keysteward.report.drift.sarif import NOWHERE, Places
from keysteward.report.run.plan import JSON_FORMAT, when
from keysteward.report.text.findings import MOST_NAMED, SEVERITIES, mend_of_any, named
from keysteward.report.text.markdown import code, escape, row, table
from keysteward.report.text.plain import line, many, plain

MARKER = "<!-- keysteward drift -->"
"""The first line of the issue, by which the next look finds it."""

LONGEST_ISSUE = 65_536
"""Characters that GitHub takes for an issue or comment; counted in bytes here, which are never fewer."""

_ORDER = list(SEVERITIES)
_ROOM = 12_000
"""Bytes of an issue for what could not be read, and as many for coverage; the findings have the rest."""

_FEW = 40
"""So many findings of a stack are told by credential, each of which is one thing; more are put together by kind."""

_COUNTS = ("declared", "governed", "allowed", "others", "unmanaged")


def drift_lines(drift: Drift, places: Places = NOWHERE, *, every: bool = False) -> Iterator[Text]:
    """Write drift for a terminal: what could not be read, findings by stack and target, coverage, what comes next.

    Many that are alike are told as one, unless `every` one is asked for; errors always one by one.
    """
    yield line("Drift of ", (drift.stack, "bold"), f", {when(drift.at)}")
    if drift.failures:
        yield Text()
        yield line(("Could not be read", "bold"))
        yield from (line("  ", SEVERITIES[Severity.ERROR], f" {failure}") for failure in drift.failures)
    for group, findings in _groups(drift):
        yield Text()
        yield line((group, "bold"))
        yield from _finding_lines(drift.stack, group, findings, places, every=every)
    if drift.coverage:
        yield Text()
        yield from _coverage_lines(drift.coverage)
    yield Text()
    yield line(summary(drift))
    yield line(_next(drift))


def drift_text(drift: Drift, places: Places = NOWHERE) -> str:
    """Return what `drift_lines` writes of every finding, without colours."""
    return "".join(f"{text.plain}\n" for text in drift_lines(drift, places, every=True))


def _groups(drift: Drift) -> list[tuple[str, list[Finding]]]:
    """Return findings by what they are about, the stack or a target or store; the group with the worst one first."""
    groups: dict[str, list[Finding]] = {}
    for finding in sorted(drift.findings, key=lambda f: (_ORDER.index(f.severity), f.subject)):
        ours = finding.subject == drift.stack or finding.subject.startswith(f"{drift.stack}/")
        group = drift.stack if ours else finding.subject.partition(":")[0]
        groups.setdefault(group, []).append(finding)
    few = {drift.stack} if len(groups.get(drift.stack, ())) <= _FEW else set()
    return [
        (group, found if group in few else sorted(found, key=lambda f: _alike(f, drift.stack)))
        for group, found in groups.items()
    ]


def _alike(finding: Finding, stack: str) -> tuple[int, str, str, str]:
    """Return what findings share that are put together: strangers are mended alike, and so are many of ours."""
    return _ORDER.index(finding.severity), finding.kind.value, finding.rule, mend_of_any(finding, stack)


def _finding_lines(
    stack: str, group: str, findings: Iterable[Finding], places: Places, *, every: bool
) -> Iterator[Text]:
    """Write findings: many that are alike as one, and under those in a row that share it what is to be done."""
    told = list(findings)
    if not every:
        alike = Counter(_alike(f, stack) for f in told if f.severity is not Severity.ERROR)
        many_times = {what for what, count in alike.items() if count > MOST_NAMED}
        for what in sorted(many_times):
            same = [f for f in told if _alike(f, stack) == what]
            yield from _as_one(stack, group, same)
        told = [f for f in told if _alike(f, stack) not in many_times]
    shared_by = [_alike(f, stack) if len(told) > _FEW else (f.severity, f.kind, f.mend) for f in told]
    for index, finding in enumerate(told):
        details = [finding.rule, _place_words(places, finding.subject)]
        where = ", ".join(detail for detail in details if detail)
        yield line(
            "  ",
            SEVERITIES[finding.severity],
            f" {_name(finding, stack, group)}: {finding.kind.value}: {finding.message}",
            (f"  ({where})" if where else "", "dim"),
        )
        if finding.mend and shared_by[index : index + 1] != shared_by[index + 1 : index + 2]:
            shared = index > 0 and shared_by[index - 1] == shared_by[index]
            yield line(("    → ", "dim"), mend_of_any(finding, stack) if shared else finding.mend)


def _as_one(stack: str, group: str, same: list[Finding]) -> Iterator[Text]:
    first = same[0]
    yield line(
        "  ",
        SEVERITIES[first.severity],
        f" {len(same):,} times: {named(_name(f, stack, group) for f in same)}: {first.kind.value}, such as: ",
        first.message,
        (f"  ({first.rule})" if first.rule else "", "dim"),
    )
    if first.mend:
        yield line(("    → ", "dim"), mend_of_any(first, stack))


def _name(finding: Finding, stack: str, group: str) -> str:
    return finding.subject.removeprefix(f"{stack}/").removeprefix(f"{group}:").strip() or finding.subject


def _place_words(places: Places, subject: str) -> str:
    found = places.get(subject)
    return "" if found is None else f"{found[0]}:{found[1]}"


def _coverage_lines(coverage: Iterable[Coverage]) -> Iterator[Text]:
    heads = ["Coverage", *_COUNTS, "of", "covered"]
    rows = [
        [f"  {plain(c.target)}", *(str(getattr(c, name)) for name in _COUNTS), str(c.total), percent(c.share)]
        for c in coverage
    ]
    widths = [max(len(cells[column]) for cells in (heads, *rows)) for column in range(len(heads))]
    for index, cells in enumerate((heads, *rows)):
        first, *others = zip(cells, widths, strict=True)
        text = "  ".join([first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)])
        yield line((text, "bold")) if index == 0 else line(text)


def percent(share: float) -> str:
    """Write a share, rounded down: what is not whole is never "100 %"."""
    return f"{int(share * 100 + 1e-9)} %"


def _counts(drift: Drift) -> dict[str, int]:
    return {
        **{severity.value: sum(f.severity is severity for f in drift.findings) for severity in _ORDER},
        "waived": sum(f.waived for f in drift.findings),
        "failures": len(drift.failures),
    }


def _clean(drift: Drift) -> bool:
    return not drift.failures and not drift.at_or_above(Severity.WARNING)


def summary(drift: Drift) -> str:
    """Return "2 errors, 1 warning, 3 notes (1 waived); 80 % of 120 credentials are declared or governed."."""
    counts = _counts(drift)
    parts = [many(counts[word], word) for word in ("error", "warning", "note") if counts[word]]
    text = ", ".join(parts) or "Nothing drifted"
    if counts["waived"]:
        text += f" ({counts['waived']} waived)"
    if drift.failures:
        text = f"{text if parts else 'Nothing else was found'}; {counts['failures']} could not be read"
    total = sum(c.total for c in drift.coverage)
    if total:
        covered = sum(c.declared + c.governed for c in drift.coverage)
        text += f"; {percent(covered / total)} of {many(total, 'credential')} declared or governed"
    return f"{text}."


def _next(drift: Drift) -> str:
    if drift.failures:
        return "Next: fix what could not be read and look again; whatever is there is not in this report."
    if drift.at_or_above(Severity.WARNING):
        return "Next: do what stands behind each →, errors first; what stays on purpose is allowed or waived in review."
    return "Next: nothing; the notes only tell." if drift.findings else "Next: nothing."


def drift_document(drift: Drift, places: Places = NOWHERE) -> dict[str, Any]:
    """Return drift as JSON; see the module for the format."""
    return {
        "format": JSON_FORMAT,
        "stack": drift.stack,
        "at": drift.at.isoformat(),
        "complete": not drift.failures,
        "clean": _clean(drift),
        "findings": [{**asdict(finding), "place": _place_json(places, finding.subject)} for finding in drift.findings],
        "coverage": [{**asdict(c), "total": c.total, "share": round(c.share, 4)} for c in drift.coverage],
        "failures": list(drift.failures),
        "summary": _counts(drift),
    }


def _place_json(places: Places, subject: str) -> dict[str, Any] | None:
    found = places.get(subject)
    return None if found is None else {"file": found[0], "line": found[1]}


def drift_json(drift: Drift, places: Places = NOWHERE) -> str:
    """Return one JSON document."""
    return json.dumps(drift_document(drift, places), indent=2) + "\n"


def drift_markdown(drift: Drift, places: Places = NOWHERE) -> str:
    """Return Markdown for one issue or comment, whose first line is a marker; what has no room there is counted."""
    head = [MARKER, f"# Drift of {code(drift.stack)}", "", f"**{escape(summary(drift))}** Seen {when(drift.at)}.", ""]
    head += list(_failure_rows(drift))
    tail = list(_coverage_rows(drift))
    room = LONGEST_ISSUE - _size(head) - _size(tail) - _size([_left_out(len(drift.findings)), ""])
    body, shown = _finding_rows(drift, places, room)
    if shown < len(drift.findings):
        body += [_left_out(len(drift.findings) - shown), ""]
    return "\n".join([*head, *body, *tail]) + "\n"


def _size(lines: Iterable[str]) -> int:
    return sum(len(text.encode()) + 1 for text in lines)


def _fitting(rows: Iterable[str], room: int) -> int:
    """Return how many rows, from the first on, have room in so many bytes."""
    sizes = itertools.accumulate(_size([text]) for text in rows)
    return sum(1 for _ in itertools.takewhile(lambda size: size <= room, sizes))


def _left_out(count: int) -> str:
    return f"There is no room here for {count} more, none of them worse: `keysteward drift` shows all."


def _failure_rows(drift: Drift) -> Iterator[str]:
    if not drift.failures:
        return
    rows = [f"- {escape(failure, 600)}" for failure in drift.failures]
    shown = _fitting(rows, _ROOM)
    yield from ("## Could not be read", "", "What these hold is not in this report.", "", *rows[:shown])
    if shown < len(rows):
        yield f"- and {len(rows) - shown} more"
    yield ""


def _finding_rows(drift: Drift, places: Places, room: int) -> tuple[list[str], int]:
    """Return tables of findings, one for each severity, no larger than the room; and how many are in them."""
    lines: list[str] = []
    shown = 0
    for severity in _ORDER:
        rows = [_finding_row(drift.stack, f, places) for f in drift.findings if f.severity is severity]
        begun = [f"## {severity.value.capitalize()}s ({len(rows)})", "", *table(_HEADS, [])]
        fitting = _fitting(rows, room - _size([*begun, ""]))
        if fitting:
            lines += [*begun, *rows[:fitting], ""]
            room -= _size([*begun, *rows[:fitting], ""])
            shown += fitting
        if fitting < len(rows):
            break
    return lines, shown


_HEADS = ("what", "about", "seen", "what to do", "declared in")


def _finding_row(stack: str, finding: Finding, places: Places) -> str:
    what = finding.kind.value + (f", {code(finding.rule)}" if finding.rule else "")
    what += ", waived" if finding.waived else ""
    name = code(finding.subject.removeprefix(f"{stack}/"))
    return row((what, name, escape(finding.message), escape(finding.mend), code(_place_words(places, finding.subject))))


def _coverage_rows(drift: Drift) -> Iterator[str]:
    if not drift.coverage:
        return
    shown = _fitting([_coverage_row(c) for c in drift.coverage], _ROOM)
    rows = [_coverage_row(c) for c in drift.coverage[:shown]]
    if shown < len(drift.coverage):
        rows.append(_coverage_row(_together(drift.coverage[shown:])))
    yield from ("## Coverage", "", *table(("target", *_COUNTS, "of", "covered"), []), *rows, "")
    yield "Covered is what is declared or governed. Others are those of other stacks."


def _coverage_row(c: Coverage) -> str:
    return row((code(c.target), *(str(getattr(c, name)) for name in _COUNTS), str(c.total), percent(c.share)))


def _together(coverage: Iterable[Coverage]) -> Coverage:
    rest = Coverage("all others", 0, 0, 0, 0, 0)
    for each in coverage:
        rest = replace(rest, **{name: getattr(rest, name) + getattr(each, name) for name in _COUNTS})
    return rest
