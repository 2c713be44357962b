"""An inventory for people at a terminal: a summary, one table a target, findings by what they are. Pure.

Made for 100 columns; with `WIDE` and more it has the number of secrets and the scopes too, on request ones in brackets.
A long table is folded: the worst rows are shown and the others counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import groupby

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from keysteward.core.drift.inventory import Coverage, Inventory, InventoryEntry, Standing
from keysteward.core.findings import Finding, Kind, Severity
from keysteward.report.drift.drift import percent
from keysteward.report.inventory.selection import SEVERITIES as RANKS
from keysteward.report.inventory.selection import SHORT, Summary, counted, ownerless, summary_of, worst
from keysteward.report.text.findings import LONGEST_NAME, SEVERITIES, finding_lines, named
from keysteward.report.text.plain import line, many, plain, shortened

MOST_ROWS = 40
"""So many rows of one target are shown; `all_rows` shows every one."""

WIDE = 140
WIDEST_NAME = 60
LONGEST_SCOPES = 48
LONGEST_OWNER = 14
FINDINGS = 11
"""Columns of two rules; more of them go on below."""

_STANDING_STYLES = {Standing.UNMANAGED: "yellow", Standing.UNDECLARED: "yellow", Standing.BUILT_IN: "dim"}
_STANDING_OF = {
    finding: standing
    for standing, finding in ((Standing.UNMANAGED, Kind.UNMANAGED), (Standing.ELSEWHERE, Kind.ELSEWHERE))
}


def inventory_lines(
    inventory: Inventory, *, all_rows: bool = False, of: int | None = None, width: int = WIDE
) -> Iterator[RenderableType]:
    """Write an inventory for so many columns; `of` is how many entries there are when these were chosen from more."""
    yield from summary_lines(inventory, of=of)
    targets = sorted({entry.target for entry in inventory.entries} | {c.target for c in inventory.coverage})
    coverage = {covered.target: covered for covered in inventory.coverage}
    for target in targets:
        entries = [entry for entry in inventory.entries if entry.target == target]
        yield Text()
        yield _heading(target, entries, coverage.get(target))
        if entries:
            yield from _table(entries, inventory, all_rows=all_rows, wide=width >= WIDE)
    yield from _findings(inventory)
    for failure in inventory.failures:
        yield line(("not read: ", "bold red"), failure)


def summary_lines(inventory: Inventory, *, of: int | None = None) -> Iterator[Text]:
    """Write the summary in one line, and a second one for what needs a person."""
    summary = summary_of(inventory)
    whose = f"{inventory.stack}: " if inventory.stack is not None else ""
    parts = [f"{count:,} {standing}" for standing, count in summary.standings.items() if count]
    listed = many(summary.entries, "credential")
    if of is not None and of != summary.entries:
        listed = f"{summary.entries:,} of {many(of, 'credential')}"
    yield line((f"{whose}{listed}", "bold"), f": {', '.join(parts)}" if parts else "")
    needs = list(_needs(summary, inventory))
    if needs:
        yield Text("  ").append_text(Text("  ·  ", style="dim").join(needs))


def _needs(summary: Summary, inventory: Inventory) -> Iterator[Text]:
    if inventory.stack is not None and summary.ownerless:
        yield line((f"{summary.ownerless:,} without owner", "yellow"))
    if summary.overdue:
        yield line((f"{summary.overdue:,} overdue", "yellow"))
    if summary.with_errors:
        yield line((f"{summary.with_errors:,} with errors", "bold red"))
    if summary.with_warnings:
        yield line((f"{summary.with_warnings:,} with warnings", "yellow"))
    days = summary.oldest_days(inventory.at)
    if days is not None:
        yield line(f"oldest secret: {many(days, 'day')} ({shortened(summary.oldest_name, LONGEST_NAME)})")


def _heading(target: str, entries: Sequence[InventoryEntry], covered: Coverage | None) -> Text:
    share = ""
    if covered is not None and covered.total:
        share = f"  {covered.declared + covered.governed:,} of {covered.total:,} declared or governed"
        share += f" ({percent(covered.share)})"
    return line((target, "bold"), f"  {len(entries):,} listed", (share, "dim"))


def _table(
    entries: Sequence[InventoryEntry], inventory: Inventory, *, all_rows: bool, wide: bool
) -> Iterator[RenderableType]:
    shown = entries if all_rows else _folded(entries)
    owners = any(entry.owner for entry in shown)
    secrets = wide and any(entry.secrets is not None for entry in shown)
    scoped = wide and any(entry.scopes or entry.optional_scopes for entry in shown)
    planned = any(entry.next_rotation is not None for entry in shown)
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="dim", pad_edge=False)
    table.add_column("", width=1)
    table.add_column("name", max_width=WIDEST_NAME, overflow="ellipsis")
    table.add_column("kind", no_wrap=True)
    table.add_column("standing", no_wrap=True)
    if owners:
        table.add_column("owner", max_width=LONGEST_OWNER, no_wrap=True, overflow="ellipsis")
    if scoped:
        table.add_column("scopes", max_width=LONGEST_SCOPES, no_wrap=True, overflow="ellipsis")
    for name in (*(("secrets",) if secrets else ()), "age", "used", *(("next",) if planned else ())):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("findings", min_width=FINDINGS, overflow="fold")
    for entry in shown:
        owner = [_owner(entry)] if owners else []
        due = [line(_until(entry.next_rotation, inventory.at))] if planned else []
        table.add_row(
            _sign(entry),
            _name(entry),
            line(SHORT.get(entry.kind, entry.kind)),
            _standing(entry),
            *owner,
            *([line(" ".join((*entry.scopes, *(f"({scope})" for scope in entry.optional_scopes))))] if scoped else []),
            *([line("-" if entry.secrets is None else f"{entry.secrets}")] if secrets else []),
            line(_for_days(entry.age(inventory.at))),
            line(_since(entry.last_used, inventory.at)),
            *due,
            _told(entry),
        )
    yield table
    if len(shown) < len(entries):
        more = len(entries) - len(shown)
        yield line((f"  and {more:,} more, with less to say; --all shows them, --html and --csv write them all", "dim"))


def _folded(entries: Sequence[InventoryEntry]) -> Sequence[InventoryEntry]:
    """Return as many as are shown, the worst of them, in the order they came in."""
    if len(entries) <= MOST_ROWS:
        return entries
    ranked = sorted(range(len(entries)), key=lambda i: (-_rank(entries[i]), not counted(entries[i]), i))
    return [entries[i] for i in sorted(ranked[:MOST_ROWS])]


def _rank(entry: InventoryEntry) -> int:
    severity = worst(entry.findings)
    return -1 if severity is None else RANKS.index(severity)


def _sign(entry: InventoryEntry) -> Text:
    severity = worst(entry.findings)
    return line(SEVERITIES[severity]) if severity is not None else Text()


def _name(entry: InventoryEntry) -> Text:
    """Return name and label, parted by what is no space, so that they stay in one line."""
    label = f"·{entry.label}" if entry.label and entry.label != entry.name else ""
    return line((entry.name, "" if entry.enabled else "dim strike"), (label, "dim"))


def _standing(entry: InventoryEntry) -> Text:
    return line((entry.standing.value, _STANDING_STYLES.get(entry.standing, "")))


def _owner(entry: InventoryEntry) -> Text:
    gone = entry.owner_state in {"gone", "unknown"} or ownerless(entry)
    return line((entry.owner or ("nobody" if gone else ""), "yellow" if gone else ""))


def _told(entry: InventoryEntry) -> Text:
    """Say the findings by number or kind, each once; the standing's own finding is told by its column."""
    seen: dict[str, Severity] = {}
    for finding in sorted(entry.findings, key=lambda f: -RANKS.index(f.severity)):
        if _STANDING_OF.get(finding.kind) is not entry.standing:
            seen.setdefault(finding.rule or finding.kind.value, finding.severity)
    text = Text()
    for word, severity in seen.items():
        text.append(" " if text else "").append(plain(word), style=SEVERITIES[severity][1])
    return text


def _for_days(age: timedelta | None) -> str:
    return "" if age is None else f"{age.days:,} d"


def _since(at: datetime | None, now: datetime) -> str:
    return "" if at is None else "today" if now - at < timedelta(days=1) else f"{(now - at).days:,} d"


def _until(at: datetime | None, now: datetime) -> str:
    if at is None:
        return ""
    return f"{(at - now).days:,} d" if at > now else "due"


def _findings(inventory: Inventory) -> Iterator[Text]:
    """Write findings once for all that have the same, the worst first; then those of no single credential."""
    told = [(f, e) for e in inventory.entries for f in e.findings]
    told.sort(key=lambda pair: _what(pair[0]))
    for index, (_, pairs) in enumerate(groupby(told, key=lambda pair: _what(pair[0]))):
        if not index:
            yield Text()
            yield line(("Findings", "bold"))
        yield from _alike(list(pairs))
    if inventory.findings:
        yield Text()
        yield line(("Of no single credential", "bold"))
        yield from finding_lines(inventory.findings, inventory.stack or "")


def _what(finding: Finding) -> tuple[int, str, str, str]:
    """Return what findings must share to be told as one; without a number it is what is to be done."""
    unnumbered = finding.mend if finding.kind is Kind.POLICY and not finding.rule else ""
    return -RANKS.index(finding.severity), finding.rule, finding.kind.value, unnumbered


def _alike(pairs: Sequence[tuple[Finding, InventoryEntry]]) -> Iterable[Text]:
    finding, entry = pairs[0]
    numbered = finding.rule and finding.kind is Kind.POLICY
    word = finding.rule if numbered else " ".join(filter(None, (finding.rule, finding.kind.value)))
    if len(pairs) == 1:
        said = f" {word}  {entry.name}: {finding.message}"
    else:
        names = named(e.name for _, e in pairs)
        said = f" {word}  {len(pairs):,} times: {names}; such as: {finding.message}"
    yield line("  ", SEVERITIES[finding.severity], said)
    if finding.mend:
        mends = {f"{f.mend} ".replace(f" {e.name} ", " NAME ") for f, e in pairs}
        yield line(("    → ", "dim"), finding.mend if len(pairs) == 1 or len(mends) > 1 else mends.pop().strip())
