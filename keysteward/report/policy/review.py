"""A review as a pull request's comment and as JSON. Pure.

JSON (`format: 1`; keys may be added, never changed or removed):

- `format`, `base` (the commit compared with), `stacks` (identities of the head)
- `changes[]`, the highest risk first: `sort` (the words of docs/review.md), `risk` (high, medium, low), `subject` (an
  identity, "owner NAME", "consumer NAME", "owners file", or a part of a stack), `message`, `rule` (a number or null),
  `approvers[]` (names of the owners file, all of whom have to agree), `until` (ISO 8601 day or null: until when what
  was wider stays valid, or what is waived or left alone stays so)
- `new_findings[]`, `gone_findings[]`: `kind`, `severity`, `subject`, `message`, `mend`, `rule` (or null)
- `summary`: `high`, `medium`, `low` (counts)
- `live` (only with `--live`): `plans[]` (`identity`, `action`, `words`) and `failures[]` (`message`, `names[]`)

The comment begins with a line that no reader sees, by which a job finds its own comment again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from keysteward.core.findings import Finding
from keysteward.core.policy import RULES
from keysteward.core.review import Change, Review, Risk
from keysteward.operations.stack_plan import Failure
from keysteward.report.text.markdown import code, codes, escape, row, table

JSON_FORMAT = 1
MARKER = "<!-- keysteward review -->"

LONGEST_COMMENT = 65_536
"""Characters of a comment at GitHub; counted here in bytes, of which there are never fewer."""

_ROOM = 4_000
"""Bytes kept free for what follows the table."""

_CELL = 600
"""Characters of one sentence."""

_MOST_NAMES = 50
"""Approvers that are named below the table; all of them stand in it."""

_HEADS = ("risk", "where", "what changes", "rule", "must approve")


@dataclass(frozen=True, slots=True)
class Live:
    """What the next run would do to what a review names: identity, action and words; and what could not be planned."""

    plans: tuple[tuple[str, str, str], ...] = ()
    failures: tuple[Failure, ...] = ()


@dataclass(frozen=True, slots=True)
class Comment:
    """What is written: a review against a ref and its commit, of stacks by identity."""

    review: Review
    ref: str
    commit: str
    stacks: tuple[str, ...] = ()
    live: Live | None = None


def review_markdown(made: Comment) -> str:
    """Write the comment; what does not fit is left out from the lowest risk upwards, and counted."""
    told, stacks = made.review, made.stacks
    lines = [MARKER, f"### keysteward review: {_summary(told)}", "", _against(made), ""]
    after = [*_approvals(told.changes), *_rules(told.changes)]
    tail = [*_findings("New findings", told.new, stacks), *_gone(told.gone, stacks), *_live(made.live, stacks)]
    room = LONGEST_COMMENT - _ROOM - _size([*lines, *after])
    if told.changes:
        heads = table(_HEADS, ())
        fits = _fitting((_row(change, stacks) for change in told.changes), room - _size(heads))
        lines += [*heads, *fits, ""]
        left = told.changes[len(fits) :]
        lines += [f"**{_counts(left)} left out, since a comment is no longer.** {_see(made.ref)}", ""] if left else []
        room -= _size(heads) + _size(fits)
    fits = _fitting(tail, room)
    cut = ["", f"*{len(tail) - len(fits)} more lines left out.* {_see(made.ref)}"] if len(fits) < len(tail) else []
    return "\n".join([*lines, *after, *fits, *cut]).rstrip() + "\n"


def _size(lines: Iterable[str]) -> int:
    return sum(len(line.encode()) + 1 for line in lines)


def _fitting(lines: Iterable[str], room: int) -> list[str]:
    """Return as many lines, from the first on, as there is room for."""
    fits: list[str] = []
    for line in lines:
        room -= len(line.encode()) + 1
        if room < 0:
            break
        fits.append(line)
    return fits


def _see(ref: str) -> str:
    return f"See all with {code(f'keysteward review --base {ref}')}."


def _summary(told: Review) -> str:
    return _counts(told.changes) if told.changes else "no credential changes"


def _counts(changes: Iterable[Change]) -> str:
    listed = list(changes)
    counts = {risk: sum(change.risk is risk for change in listed) for risk in Risk}
    return ", ".join(f"{count} {risk}" for risk, count in counts.items() if count) or "none"


def _against(made: Comment) -> str:
    against = f"Compared with {code(made.ref)} at {code(made.commit[:12])}"
    return f"{codes(made.stacks)}. {against}." if made.stacks else f"{against}."


def _row(change: Change, stacks: tuple[str, ...]) -> str:
    risk = f"**{change.risk}**" if change.risk is Risk.HIGH else str(change.risk)
    where = code(_short(change.subject, stacks))
    message = f"*{change.sort}*<br>{escape(change.message, _CELL)}"
    return row((risk, where, message, escape(change.rule), codes(change.approvers, none="")))


def _short(subject: str, stacks: tuple[str, ...]) -> str:
    """Return a subject without its stack, where there is only one."""
    return subject.removeprefix(f"{stacks[0]}/").removeprefix(f"{stacks[0]}: ") if len(stacks) == 1 else subject


def _approvals(changes: Iterable[Change]) -> list[str]:
    names = list(dict.fromkeys(name for change in changes for name in change.approvers))
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return [f"Approval needed from: {codes(names[:_MOST_NAMES])}{more}.", ""] if names else []


def _rules(changes: Iterable[Change]) -> list[str]:
    numbers = sorted({change.rule for change in changes if change.rule in RULES})
    words = [f"{number} {escape(RULES[number].title)}" for number in numbers]
    return [f"<sub>Rules: {'; '.join(words)}.</sub>", ""] if words else []


def _findings(title: str, findings: Sequence[Finding], stacks: tuple[str, ...]) -> list[str]:
    if not findings:
        return []
    order = ["error", "warning", "note"]
    by_severity = sorted(findings, key=lambda f: (order.index(f.severity), f.subject, f.message))
    return [f"#### {title}: {len(findings)}", "", *(_finding(finding, stacks) for finding in by_severity), ""]


def _finding(finding: Finding, stacks: tuple[str, ...]) -> str:
    severity = f"**{finding.severity}**" if finding.severity == "error" else str(finding.severity)
    about = ", ".join(filter(None, (escape(finding.rule), code(_short(finding.subject, stacks)))))
    mend = f" → {escape(finding.mend, _CELL)}" if finding.mend else ""
    return f"- {severity} ({about}): {escape(finding.message, _CELL)}{mend}"


def _gone(findings: Sequence[Finding], stacks: tuple[str, ...]) -> list[str]:
    return _findings("Findings that are gone", findings, stacks)


def _live(live: Live | None, stacks: tuple[str, ...]) -> list[str]:
    if live is None:
        return []
    plans = [
        f"- {code(_short(i, stacks))}: {escape(action)}; {escape(words, _CELL)}" for i, action, words in live.plans
    ]
    failures = [
        f"- could not be planned ({codes(_short(n, stacks) for n in f.names)}): {escape(f.message, _CELL)}"
        for f in live.failures
    ]
    nothing = [] if plans or failures else ["Nothing, as things are now."]
    return ["#### What the next run would do", "", *plans, *failures, *nothing, ""]


def review_json(made: Comment) -> dict[str, Any]:
    """Return the review as JSON; see the module for the format."""
    told = made.review
    document: dict[str, Any] = {
        "format": JSON_FORMAT,
        "base": made.commit,
        "stacks": list(made.stacks),
        "changes": [_change_json(change) for change in told.changes],
        "new_findings": [_finding_json(finding) for finding in told.new],
        "gone_findings": [_finding_json(finding) for finding in told.gone],
        "summary": {str(risk): told.count(risk) for risk in Risk},
    }
    if made.live is not None:
        plans = [dict(zip(("identity", "action", "words"), plan, strict=True)) for plan in made.live.plans]
        failures = [{"message": f.message, "names": list(f.names)} for f in made.live.failures]
        document["live"] = {"plans": plans, "failures": failures}
    return document


def _change_json(change: Change) -> Mapping[str, Any]:
    return {
        "sort": str(change.sort),
        "risk": str(change.risk),
        "subject": change.subject,
        "message": change.message,
        "rule": change.rule or None,
        "approvers": list(change.approvers),
        "until": change.until.isoformat() if change.until is not None else None,
    }


def _finding_json(finding: Finding) -> Mapping[str, Any]:
    return {
        "kind": str(finding.kind),
        "severity": str(finding.severity),
        "subject": finding.subject,
        "message": finding.message,
        "mend": finding.mend,
        "rule": finding.rule or None,
    }
