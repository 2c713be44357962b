"""What a run did, as people and programs read it. Pure.

JSON (`format: 1`): `format`, `stack`, `plan` (a preview, see `keysteward.report.run.plan`), `results[]` and `summary`
(a count for each outcome that occurs). A result has `name`, `identity`, `kind` (credential or resource server),
`outcome`, `done[]` (words of the steps), `error` (text or null), `wait` (`until`, `why`) or null, `generation`,
`fingerprint`, `client_id` and `delivered_to[]` (null or empty where there is none), and `findings[]`.

`outcome` is done, waiting (the rest is due later), leased (another run works on it), skipped (not begun, `error` says
why), stopped (by Ctrl-C) or failed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Literal

from rich.text import Text

from keysteward.core.findings import Finding
from keysteward.core.identity import name_of
from keysteward.core.plan.steps import Wait
from keysteward.core.record.ledger import Ledger
from keysteward.core.run.reconciler import Result
from keysteward.report.run.plan import JSON_FORMAT, Preview, preview_json, when
from keysteward.report.text.findings import finding_lines
from keysteward.report.text.plain import line


class Outcome(StrEnum):
    """How one run ended."""

    DONE = "done"
    WAITING = "waiting"
    LEASED = "leased"
    SKIPPED = "skipped"
    STOPPED = "stopped"
    FAILED = "failed"


BAD = frozenset({Outcome.FAILED, Outcome.SKIPPED})
"""Outcomes that make the whole run one that failed."""

SYMBOLS: dict[Outcome, tuple[str, str]] = {
    Outcome.DONE: ("✓", "green"),
    Outcome.WAITING: (".", "cyan"),
    Outcome.LEASED: ("!", "yellow"),
    Outcome.SKIPPED: ("✗", "bold red"),
    Outcome.STOPPED: ("!", "yellow"),
    Outcome.FAILED: ("✗", "bold red"),
}


@dataclass(frozen=True, slots=True)
class RunResult:
    """What became of one credential or resource server: words of the steps done, headlines first, and what is left."""

    identity: str
    kind: Literal["credential", "resource server"]
    outcome: Outcome
    done: tuple[str, ...] = ()
    headlines: tuple[str, ...] = ()
    error: str = ""
    wait: Wait | None = None
    ledger: Ledger | None = None
    findings: tuple[Finding, ...] = ()

    @property
    def name(self) -> str:
        """Return the name without the stack."""
        return name_of(self.identity)


def result_of(result: Result) -> RunResult:
    """Return what a run of one credential did, in words."""
    return RunResult(
        identity=result.identity,
        kind="credential",
        outcome=Outcome.DONE if result.wait is None else Outcome.WAITING,
        done=tuple(step.words for step in result.done),
        headlines=tuple(step.words for step in result.done if step.headline),
        wait=result.wait,
        ledger=result.ledger,
        findings=result.findings,
    )


def result_lines(results: Sequence[RunResult], planned: Preview) -> Iterable[Text]:
    """Write results for a terminal; findings that the plan showed already are not repeated."""
    width = max((len(result.name) for result in results), default=0)
    yield Text()
    for result in results:
        yield line("  ", SYMBOLS[result.outcome], " ", (result.name.ljust(width), "bold"), "  ", _words(result))
    known = {(f.subject, f.message) for f in planned.findings}
    findings = [f for result in results for f in result.findings if (f.subject, f.message) not in known]
    if findings:
        yield Text()
        yield line(("Findings", "bold"))
        yield from finding_lines(findings, planned.stack)
    yield Text()
    yield line(_summary(results, planned))


def _words(result: RunResult) -> str:
    parts = list(result.headlines or result.done[:1])
    if result.wait is not None:
        parts.append(f"waits until {when(result.wait.until)}: {result.wait.why}")
    if result.error:
        parts = [result.error]
    return "; ".join(parts) or "nothing was due any more"


def _summary(results: Sequence[RunResult], planned: Preview) -> str:
    counts = Counter(result.outcome for result in results)
    text = ", ".join(f"{counts[outcome]} {outcome}" for outcome in Outcome if counts[outcome]) or "nothing to do"
    if planned.next_due is not None and not any(result.outcome in BAD for result in results):
        moment, name = planned.next_due
        text += f"; next due {moment:%Y-%m-%d} ({name})"
    return f"{text}."


def results_json(results: Sequence[RunResult], planned: Preview) -> dict[str, Any]:
    """Return plan and results as JSON; see the module for the format."""
    counts = Counter(result.outcome.value for result in results)
    return {
        "format": JSON_FORMAT,
        "stack": planned.stack,
        "plan": preview_json(planned),
        "results": [_result_json(result) for result in results],
        "summary": dict(sorted(counts.items())),
    }


def _result_json(result: RunResult) -> dict[str, Any]:
    current = result.ledger.current if result.ledger is not None else None
    wait = None if result.wait is None else {"until": result.wait.until.isoformat(), "why": result.wait.why}
    return {
        "name": result.name,
        "identity": result.identity,
        "kind": result.kind,
        "outcome": result.outcome.value,
        "done": list(result.done),
        "error": result.error or None,
        "wait": wait,
        "generation": current.number if current else None,
        "fingerprint": current.fingerprint if current else None,
        "client_id": result.ledger.object_of(current).client_id if result.ledger and current else None,
        "delivered_to": list(current.delivery) if current else [],
        "findings": [asdict(finding) for finding in result.findings],
    }
