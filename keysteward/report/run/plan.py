"""A preview as people and programs read it. Pure: built from plans, rendered for a terminal or as JSON.

JSON (`format: 1`; keys may be added, never changed or removed):

- `format`, `stack`, `at` (ISO 8601, the ledger store's time), `prune` (whether undeclared things are planned to end)
- `resource_servers[]`: `name`, `identity`, `declared`, `action`, `words`, `steps[]` (`do`, `words`, `scope`,
  `needs_approval`), `problem` (text or null)
- `credentials[]`: `name`, `identity`, `kind`, `declared`, `action`, `words`, `steps[]` (`do`, `words`, `why`,
  `generation`, `headline`, `needs_approval`), `wait` (`until`, `why`) or null, `problem` (text or null), `due` (ISO
  8601 or null), `status`
- `findings[]`: `kind`, `severity` (error, warning, note), `subject`, `message`, `mend`
- `governed[]`: `name`, `target`, `owner`, `keys`, `holders` (counts): sets of keys that others make
- `failures[]`: `message`, `names[]`: what could not be planned, since a target or store did not answer
- `unapplied`: how many declarations have changes that a lifecycle run leaves alone
- `summary`: a count for each action that occurs, and `next_due` (`at`, `name`) or null

`action` is create, adopt, rotate, update, retire, revoke (what was revoked without the ledger store), end, wait,
problem or unchanged.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime
from typing import Any

from rich.text import Text

from keysteward.core.assess.status import status_of
from keysteward.operations.stack_plan import _PASSIVE, Action, CredentialPlan, Preview, ServerItem
from keysteward.report.text.findings import finding_lines
from keysteward.report.text.plain import line, many

JSON_FORMAT = 1
WIDEST_NAME = 40
"""Characters of a name that the steps behind it are lined up with; a longer one moves its own line only."""


SYMBOLS: dict[Action, tuple[str, str]] = {
    Action.CREATE: ("+", "green"),
    Action.ADOPT: ("+", "green"),
    Action.ROTATE: ("~", "yellow"),
    Action.UPDATE: ("~", "yellow"),
    Action.RETIRE: ("~", "yellow"),
    Action.REVOKE: ("-", "red"),
    Action.END: ("-", "red"),
    Action.WAIT: (".", "cyan"),
    Action.PROBLEM: ("!", "bold red"),
    Action.UNCHANGED: (" ", "dim"),
}


def preview_lines(preview: Preview) -> Iterable[Text]:
    """Write a preview for a terminal: what changes, then findings, then one line that sums up."""
    yield line("Plan for ", (preview.stack, "bold"))
    groups = (("Resource servers", preview.servers), ("Credentials", preview.credentials))
    for title, items in groups:
        shown = [item for item in items if item.action is not Action.UNCHANGED]
        if shown:
            yield Text()
            yield line((title, "bold"))
        width = min(max((len(item.name) for item in shown), default=0), WIDEST_NAME)
        for item in shown:
            yield from _item_lines(item, width)
    if preview.governed:
        yield Text()
        yield line(("Governed: made by others, and never changed here", "bold"))
    width = max((len(item.name) for item in preview.governed), default=0)
    for governed in preview.governed:
        keys = f"{many(len(governed.keys), 'key')} of {many(governed.holders, 'holder')}"
        yield line(f"    {governed.name.ljust(width)}  {keys} at {governed.target}")
    for failure in preview.failures:
        yield Text()
        yield line("  ", ("!", "bold red"), " ", failure.message)
        yield line("    not planned: ", _some(failure.names))
    if preview.findings:
        yield Text()
        yield line(("Findings", "bold"))
        yield from finding_lines(preview.findings, preview.stack)
    if preview.unapplied:
        left = many(preview.unapplied, "declaration has", "declarations have")
        yield Text()
        yield line(f"{left} changes that `up` applies; they are left alone here.")
    yield Text()
    yield line(summary(preview))


def _some(names: tuple[str, ...], most: int = 10) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _item_lines(item: ServerItem | CredentialPlan, width: int) -> Iterable[Text]:
    symbol, style = SYMBOLS[item.action]
    indent = " " * (width + 6)
    words = list(_words(item)) or [("", "")]
    for index, (text, why) in enumerate(words):
        because = (f"  ({why})", "dim") if why and why not in text else ("", "")
        if index == 0:
            yield line("  ", (symbol, style), " ", (item.name.ljust(width), "bold"), "  ", text, because)
        else:
            yield line(indent, text, because)


def _words(item: ServerItem | CredentialPlan) -> Iterable[tuple[str, str]]:
    """Yield what is done and why; then what is waited for, or what stops it."""
    if isinstance(item, ServerItem):
        yield from ((words, "") for words in item.words.split("; ") if words)
    else:
        headlines = [s for s in item.plan.steps if s.headline] or list(item.plan.steps[:1])
        yield from ((step.words, step.why) for step in headlines)
        if item.plan.wait is not None:
            yield f"waits until {when(item.plan.wait.until)}", item.plan.wait.why
        elif item.leased and not headlines:
            yield "another run works on it", ""
    if item.plan.problem is not None:
        yield item.plan.problem.message, ""


def when(moment: datetime) -> str:
    """Write a moment for people: "2026-12-01 09:00 UTC"."""
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def summary(preview: Preview) -> str:
    """Return "3 to create, 1 to rotate, 12 unchanged; next due 2026-12-01 (billing-exporter)"."""
    counts = preview.counts
    parts = [f"{counts[a]} to {a}" for a in Action if counts[a] and a not in _PASSIVE]
    parts += [f"{counts[action]} {word}" for action, word in _PASSIVE.items() if counts[action]]
    if preview.failures:
        parts.append(f"{sum(len(f.names) for f in preview.failures)} not planned")
    text = ", ".join(parts) or "nothing is declared"
    if not preview.due and not preview.stopped:
        text = f"Nothing {'else ' if preview.open else ''}is due: {text}"
    if preview.next_due is not None:
        moment, name = preview.next_due
        text += f"; next due {moment:%Y-%m-%d} ({name})"
    return f"{text}."


def preview_json(preview: Preview) -> dict[str, Any]:
    """Return a preview as JSON; see the module for the format."""
    due = preview.next_due
    return {
        "format": JSON_FORMAT,
        "stack": preview.stack,
        "at": preview.at.isoformat(),
        "prune": preview.prune,
        "resource_servers": [_server_json(item) for item in preview.servers],
        "credentials": [_credential_json(item) for item in preview.credentials],
        "governed": [
            {"name": g.name, "target": g.target, "owner": g.owner, "keys": len(g.keys), "holders": g.holders}
            for g in preview.governed
        ],
        "findings": [asdict(finding) for finding in preview.findings],
        "unapplied": preview.unapplied,
        "failures": [{"message": f.message, "names": list(f.names)} for f in preview.failures],
        "summary": {
            **{action.value: count for action, count in sorted(preview.counts.items())},
            "next_due": None if due is None else {"at": due[0].isoformat(), "name": due[1]},
        },
    }


def _server_json(item: ServerItem) -> dict[str, Any]:
    steps = [
        {"do": s.do.value, "words": s.words, "scope": s.scope, "needs_approval": s.needs_approval}
        for s in item.plan.steps
    ]
    return {
        "name": item.name,
        "identity": item.identity,
        "declared": item.spec is not None,
        "action": item.action.value,
        "words": item.words,
        "steps": steps,
        "problem": None if item.plan.problem is None else item.plan.problem.message,
    }


def _credential_json(item: CredentialPlan) -> dict[str, Any]:
    plan = item.plan
    steps = [
        {
            "do": s.do.value,
            "words": s.words,
            "why": s.why,
            "generation": s.generation,
            "headline": s.headline,
            "needs_approval": s.needs_approval,
        }
        for s in plan.steps
    ]
    return {
        "name": item.name,
        "identity": item.identity,
        "kind": item.spec.kind if item.spec is not None else item.ledger.kind if item.ledger is not None else None,
        "declared": item.spec is not None,
        "action": item.action.value,
        "words": plan.words,
        "steps": steps,
        "wait": None if plan.wait is None else {"until": plan.wait.until.isoformat(), "why": plan.wait.why},
        "problem": None if plan.problem is None else plan.problem.message,
        "due": None if plan.due is None else plan.due.isoformat(),
        "status": status_of(item.ledger),
    }
