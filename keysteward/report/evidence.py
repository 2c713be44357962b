"""The evidence log for people: its entries, what is wrong with it, and one period as CSV or Markdown.

Names in it come from servers and files, and whoever names a client would like to be read as a formula or as HTML.

JSON (`format: 1`) of `audit verify`: `stack`, `sound`, `segments`, `entries`, `repeated`, `head` (`segment`, `head`,
`key`) or null, `keys[]` (`key`, `segments`, `trusted` or null, `identity` or null), `anchors[]`, `ledgers` (how many
were compared), `unattested`, `waiting`, `waiting_since` (null while no entry waits too long), `defects[]` (`what`,
`segment`, `message`). Of `audit show`: `stack`, `entries[]` (the fields of an entry, and `segment`).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Final

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from keysteward.core.audit.chain import Head, dump_entry
from keysteward.core.audit.period import Period, Row
from keysteward.core.audit.verify_log import Located
from keysteward.core.record.evidence import Entry
from keysteward.core.run.outbox import HOW_TO_MOVE, late_words
from keysteward.operations.audit.examine import Verified
from keysteward.report.run.plan import JSON_FORMAT
from keysteward.report.text.plain import line, plain

COLUMNS: Final = tuple(Row.__dataclass_fields__)

_FORMULA: Final = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")  # and their full-width forms
_SHORT: Final = 12


def verified_lines(verified: Verified) -> Iterable[RenderableType]:
    """Write what an examination found."""
    log = verified.log
    count = len(log.records)
    yield line((f"Audit log of {verified.stack}", "bold"))
    yield Text()
    if log.last is None:
        yield line("  no entries yet" if log.sound and not log.segments else f"  {count} entries can be read")
    else:
        yield line(f"  {count} entries in {log.segments} segments; head {log.last.head}")
    for key, number in sorted(log.keys.items()):
        yield line("  ", *_key_words(verified, key, number))
    if log.repeated:
        yield line(f"  {log.repeated} entries stand in it twice, left by a run that died; each counts once")
    if verified.waiting:
        yield line(f"  {verified.waiting} entries wait in the ledgers; the next run moves them into the log")
    if verified.unattested:
        yield line(
            f"  {verified.unattested} clients and generations in the ledgers were last changed by a version that did "
            "not record them, and were not compared"
        )
    for anchor in verified.anchors:
        yield line(f"  compared with {anchor}")
    yield Text()
    for defect in log.defects:
        yield line("  ", ("✗", "bold red"), f" {defect.what.value}: {defect.message}")
    if verified.late is not None:
        yield line("  ", ("✗", "bold red"), f" waiting: {late_words(verified.waiting, verified.late)}; {HOW_TO_MOVE}")
    if log.sound:
        yield line("  ", ("✓", "green"), f" {_checked(verified)}")
        if verified.trusted is None and not verified.anchors and log.segments:
            yield line(
                ("    → ", "dim"), "against a rewrite of log and ledgers together, compare with --anchor or --trusted"
            )


def _checked(verified: Verified) -> str:
    """Say what was checked, and no more: an empty log proves nothing by itself."""
    what = "every segment is whole and in order" if verified.log.segments else "there is no segment"
    if not verified.ledgers:
        return f"{what}; there is no ledger to compare with"
    agree = "1 ledger agrees" if verified.ledgers == 1 else f"{verified.ledgers} ledgers agree"
    return f"{what}, and {agree} with that"


def _key_words(verified: Verified, key: str, number: int) -> Iterable[str]:
    if not key:
        yield f"{number} segments without a signature that holds"
        return
    yield f"{number} segments signed by {key}"
    if verified.trusted is not None:
        yield " (trusted)" if key in verified.trusted else " (not trusted)"
    claims = verified.identities.get(key)
    if claims:
        told = ", ".join(f"{name} {value}" for name, value in claims.items())
        yield f", which says it is {told}" if verified.trusted is None or key not in verified.trusted else f": {told}"


def verified_json(verified: Verified) -> dict[str, Any]:
    """Return what an examination found as JSON; see the module for the format."""
    log, trusted = verified.log, verified.trusted
    keys = [
        {
            "key": key,
            "segments": number,
            "trusted": None if trusted is None else key in trusted,
            "identity": dict(verified.identities[key]) if key in verified.identities else None,
        }
        for key, number in sorted(log.keys.items())
    ]
    return {
        "format": JSON_FORMAT,
        "stack": verified.stack,
        "sound": verified.sound,
        "segments": log.segments,
        "entries": len(log.records),
        "repeated": log.repeated,
        "head": _head_json(log.last),
        "keys": keys,
        "anchors": list(verified.anchors),
        "ledgers": verified.ledgers,
        "unattested": verified.unattested,
        "waiting": verified.waiting,
        "waiting_since": None if verified.late is None else verified.late.isoformat(),
        "defects": [asdict(defect) for defect in log.defects],
    }


def _head_json(head: Head | None) -> dict[str, Any] | None:
    return None if head is None else {"segment": head.number, "head": head.head, "key": head.key}


def entry_lines(records: Sequence[Located], stack: str) -> Iterable[RenderableType]:
    """Write entries for a terminal, oldest first."""
    if not records:
        yield line("no entries")
        return
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for title in ("when (UTC)", "credential", "gen."):
        table.add_column(title, no_wrap=True)
    table.add_column("what, by whom and why", overflow="fold")
    for record in records:
        entry = record.entry
        table.add_row(
            f"{entry.at.astimezone(UTC):%Y-%m-%d %H:%M}",
            Text(plain(entry.identity.removeprefix(f"{stack}/"))),
            "" if entry.generation is None else str(entry.generation),
            _told(entry),
        )
    yield table


def _told(entry: Entry) -> Text:
    """Write what was done, and below it by whom, from which commit, and on what evidence."""
    commit, _, dirty = entry.author.commit.partition("+")
    marked = commit[:_SHORT] + (f"+{dirty}" if dirty else "")
    outcome = "" if entry.outcome == "done" else f" ({entry.outcome})"
    below = [f"by {entry.author.actor}", f"commit {marked}" if marked else "", entry.evidence]
    return Text.assemble(
        (plain(entry.step), "bold"),
        (plain(outcome), "yellow"),
        f": {plain(entry.words)}\n" if entry.words else "\n",
        (plain("; ".join(part for part in below if part)), "dim"),
    )


def entries_json(records: Iterable[Located], stack: str) -> dict[str, Any]:
    """Return entries as JSON; see the module for the format."""
    entries = [{"segment": record.segment, **dump_entry(record.entry)} for record in records]
    return {"format": JSON_FORMAT, "stack": stack, "entries": entries}


def to_csv(rows: Iterable[Row]) -> str:
    """Write rows as CSV (RFC 4180). A cell that a spreadsheet would compute begins with an apostrophe."""
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_ALL)
    writer.writerow(COLUMNS)
    writer.writerows([csv_cell(value) for value in _cells(row)] for row in rows)
    return out.getvalue()


def csv_cell(text: str) -> str:
    """Return a cell that is no formula: what a spreadsheet would begin to compute at follows an apostrophe."""
    safe = plain(text)
    return f"'{safe}" if safe.lstrip().startswith(_FORMULA) else safe


def to_markdown(rows: Sequence[Row], verified: Verified, period: Period) -> str:
    """Write rows as a Markdown table, with what the log said of itself when it was read."""
    head = verified.log.last
    defects = len(verified.log.defects)
    state = "sound" if verified.log.sound else f"NOT sound: {defects} defects, see `keysteward audit verify`"
    if verified.waiting:
        state += f"; {verified.waiting} entries are not in it yet"
    where = f"segment {head.number}, head {md_cell(head.head)}" if head is not None else "empty"
    return "\n".join(
        (
            f"# Evidence for {md_cell(verified.stack)}, {period.first} to {period.last}",
            "",
            f"Log: {where}; {state}. Times are UTC. Approvals are those in the commits' own trailers.",
            "",
            "| " + " | ".join(COLUMNS) + " |",
            "|" + "---|" * len(COLUMNS),
            *("| " + " | ".join(md_cell(value) for value in _cells(row)) + " |" for row in rows),
            "",
        )
    )


def md_cell(text: str) -> str:
    """Return a cell as a code span, in which no HTML, link, mention or emphasis is read.

    A bar or backtick in it would end cell or span, whatever stands before it; each becomes one that looks alike.
    """
    safe = plain(text).replace("`", "\u02cb").replace("|", "\u00a6").strip()
    return f"`{safe}`" if safe else ""


def _cells(row: Row) -> list[str]:
    return [_text(getattr(row, name)) for name in COLUMNS]


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, tuple):
        return "; ".join(map(str, value))
    return str(value)
