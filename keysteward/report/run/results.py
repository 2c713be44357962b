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
from dataclasses import asdict
from typing import Any

from rich.text import Text

from keysteward.operations.stack_plan import Preview
from keysteward.operations.stack_run import BAD, Outcome, RunResult
from keysteward.report.run.plan import JSON_FORMAT, preview_json, when
from keysteward.report.text.findings import finding_lines
from keysteward.report.text.plain import line

SYMBOLS: dict[Outcome, tuple[str, str]] = {
    Outcome.DONE: ("✓", "green"),
    Outcome.WAITING: (".", "cyan"),
    Outcome.LEASED: ("!", "yellow"),
    Outcome.SKIPPED: ("✗", "bold red"),
    Outcome.STOPPED: ("!", "yellow"),
    Outcome.FAILED: ("✗", "bold red"),
}


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
