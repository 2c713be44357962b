"""An inventory for programs: JSON and CSV. Pure.

JSON (`format: 1`; schema: `keysteward/schemas/inventory.schema.json`): `stack` (null: a first look), `at`,
`summary` (`entries`, `standings` by word, `ownerless`, `overdue`, `with_errors`, `with_warnings`, `oldest_secret`,
`oldest_secret_days`), `entries[]`, `coverage[]` (`target`, `declared`, `governed`, `allowed`, `others`, `unmanaged`,
`total`, `share` from 0 to 1), `findings[]` (of no single credential) and `failures[]` (sentences: what could not be
read, so that it is not in here). An entry has the fields of `keysteward.core.drift.inventory.Entry`, and `age_days`,
`ownerless`, `overdue` and `severity` (of its worst finding, or null); times that are not known are null. A finding has
`kind`, `severity`, `subject`, `message`, `mend`, `rule` ("" for none) and `waived`.

CSV: one line an entry, the columns of `COLUMNS`, RFC 4180 with every cell in quotes, UTF-8. Lists are joined by "; ".
Cells are one line without control characters; one that a spreadsheet would take for a formula begins with an apostrophe
(OWASP, CSV Injection).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from datetime import date, datetime
from typing import Any

from keysteward.core.drift.inventory import Coverage, Inventory, InventoryEntry
from keysteward.core.findings import Finding
from keysteward.report.inventory.selection import overdue, ownerless, summary_of, worst
from keysteward.report.run.plan import JSON_FORMAT
from keysteward.report.text.plain import plain

FORMULA_STARTS = frozenset("=+-@＝＋－＠\t\r\n|%")  # noqa: RUF001 - full-width forms work in some spreadsheets
"""Characters by which a spreadsheet takes a cell for a formula or a command."""


def inventory_json(inventory: Inventory) -> dict[str, Any]:
    """Return an inventory as JSON; see the module for the format."""
    summary = summary_of(inventory)
    return {
        "format": JSON_FORMAT,
        "stack": inventory.stack,
        "at": _time(inventory.at),
        "summary": {
            "entries": summary.entries,
            "standings": {standing.value: count for standing, count in summary.standings.items()},
            "ownerless": summary.ownerless,
            "overdue": summary.overdue,
            "with_errors": summary.with_errors,
            "with_warnings": summary.with_warnings,
            "oldest_secret": _time(summary.oldest),
            "oldest_secret_days": summary.oldest_days(inventory.at),
        },
        "entries": [entry_json(entry, inventory.at) for entry in inventory.entries],
        "coverage": [coverage_json(covered) for covered in inventory.coverage],
        "findings": [finding_json(finding) for finding in inventory.findings],
        "failures": list(inventory.failures),
    }


def entry_json(entry: InventoryEntry, now: datetime) -> dict[str, Any]:
    """Return one entry as JSON."""
    severity = worst(entry.findings)
    return {
        "name": entry.name,
        "kind": entry.kind,
        "standing": entry.standing.value,
        "target": entry.target,
        "identity": entry.identity,
        "label": entry.label,
        "clients": list(entry.clients),
        "key_ids": list(entry.key_ids),
        "owner": entry.owner,
        "owner_state": entry.owner_state,
        "contact": entry.contact,
        "ownerless": ownerless(entry),
        "purpose": entry.purpose,
        "consumer": entry.consumer,
        "environment": entry.environment,
        "runbook": entry.runbook,
        "method": entry.method,
        "scopes": list(entry.scopes),
        "optional_scopes": list(entry.optional_scopes),
        "reaches": list(entry.reaches),
        "grants": list(entry.grants),
        "interactive": entry.interactive,
        "enabled": entry.enabled,
        "secrets": entry.secrets,
        "created_at": _time(entry.created_at),
        "secret_since": _time(entry.secret_since),
        "age_days": age_days(entry, now),
        "last_used": _time(entry.last_used),
        "next_rotation": _time(entry.next_rotation),
        "expires": _time(entry.expires),
        "reviewed": None if entry.reviewed is None else entry.reviewed.isoformat(),
        "overdue": overdue(entry),
        "delivered_to": list(entry.delivered_to),
        "status": entry.status,
        "revoke": list(entry.revoke),
        "severity": None if severity is None else severity.value,
        "findings": [finding_json(finding) for finding in entry.findings],
    }


def age_days(entry: InventoryEntry, now: datetime) -> int | None:
    """Return how many whole days old its present secret is, or else the credential itself."""
    age = entry.age(now)
    return None if age is None else age.days


def finding_json(finding: Finding) -> dict[str, Any]:
    """Return one finding as JSON."""
    return {**asdict(finding), "kind": finding.kind.value, "severity": finding.severity.value}


def coverage_json(covered: Coverage) -> dict[str, Any]:
    """Return the coverage of one target as JSON."""
    return {**asdict(covered), "total": covered.total, "share": round(covered.share, 4)}


def _time(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()


def _findings(entry: InventoryEntry) -> list[str]:
    return [f"{f.severity}: {f.rule or f.kind}: {f.message}" for f in entry.findings]


_Cell = Callable[[InventoryEntry, datetime], object]
COLUMNS: Mapping[str, _Cell] = {
    "target": lambda e, _: e.target,
    "name": lambda e, _: e.name,
    "kind": lambda e, _: e.kind,
    "standing": lambda e, _: e.standing.value,
    "owner": lambda e, _: e.owner,
    "owner state": lambda e, _: e.owner_state,
    "contact": lambda e, _: e.contact,
    "environment": lambda e, _: e.environment,
    "purpose": lambda e, _: e.purpose,
    "consumer": lambda e, _: e.consumer,
    "identity": lambda e, _: e.identity,
    "label": lambda e, _: e.label,
    "clients": lambda e, _: e.clients,
    "keys": lambda e, _: e.key_ids,
    "method": lambda e, _: e.method,
    "grants": lambda e, _: e.grants,
    "people log in": lambda e, _: e.interactive,
    "enabled": lambda e, _: e.enabled,
    "scopes": lambda e, _: e.scopes,
    "optional scopes": lambda e, _: e.optional_scopes,
    "reaches": lambda e, _: e.reaches,
    "secrets": lambda e, _: e.secrets,
    "created": lambda e, _: e.created_at,
    "secret since": lambda e, _: e.secret_since,
    "age in days": age_days,
    "last used": lambda e, _: e.last_used,
    "next rotation": lambda e, _: e.next_rotation,
    "expires": lambda e, _: e.expires,
    "reviewed": lambda e, _: e.reviewed,
    "delivered to": lambda e, _: e.delivered_to,
    "status": lambda e, _: e.status,
    "runbook": lambda e, _: e.runbook,
    "revoke": lambda e, _: e.revoke,
    "findings": lambda e, _: _findings(e),
}
"""The columns of the CSV, and what stands in each."""


def inventory_csv(inventory: Inventory) -> str:
    """Return an inventory as CSV; see the module for the format."""
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL)
    writer.writerow(COLUMNS)
    for entry in inventory.entries:
        writer.writerow([cell(column(entry, inventory.at)) for column in COLUMNS.values()])
    return text.getvalue()


def cell(value: object) -> str:
    """Return one cell: what is not known is empty, and nothing is a formula."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case datetime() | date():
            return value.isoformat()
        case str():
            text = plain(value)
        case Iterable():
            text = "; ".join(plain(part) for part in value)
        case _:
            text = plain(value)
    return f"'{text}" if text.strip()[:1] in FORMULA_STARTS and text.strip() else text
