"""Everything known of one credential or resource server: who owns it, how is it scoped, how is it revoked. Pure.

JSON (`format: 1`) of a credential: `format`, `name`, `identity`, `kind`, `declared`, `status`, `owner` (`name`,
`contact`, `state`), `purpose`, `consumer`, `environment`, `runbook`, `reviewed`, `target`, `clients[]` (`client_id`,
`target`, `method`, `remote_id`, `state`, `holder`: whether it is one of API keys), `method`, `strategy`, `scopes[]`,
`optional_scopes[]`, `audiences[]`, `token_lifetime` (seconds), `delivered_to[]`, `rotation` (`every`, `overlap`,
`windows[]`) or null, `expires`, `decommission`, `classification` (of an API key) and `renewed_until`, each null where
there is none, `held` (`until`, `reason`), `suspended` (`at`, `reason`), `revoked` (`at`, `reason`, `generations[]` or
null for all) and `rollback` (number of a generation), each null where no person said so, `due_now` (words or null),
`next[]` (`at`, `what`), `generations[]` (`number`, `state`, `origin`, `client_id`, `key_id`, `fingerprint`, `since`,
`ends`, `evidence`), `revoke[]` (sentences), `findings[]`. What the ledger alone does not tell is null or empty once
the declaration is gone. Of a resource server: `format`, `name`, `identity`, `kind`, `declared`, `status`, `target`,
`audience`, `scopes[]` (`name`, `description`, `remote_id`, `dropped`), `used_by[]`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from keysteward.core.assess.status import status_of
from keysteward.core.declare.owners import UNASSIGNED, Owner
from keysteward.core.declare.schedule import show_duration
from keysteward.core.declare.spec import Spec
from keysteward.core.findings import Finding
from keysteward.core.forecast.calendar import scheduled
from keysteward.core.identity import name_of
from keysteward.core.plan.retire import retirement_at
from keysteward.core.plan.rotate import rotation_at
from keysteward.core.record.ledger import Generation, Ledger, ObjectRecord, Origin, State
from keysteward.report.credential.revoking import how_to_revoke
from keysteward.report.run.emergency import place_of, where
from keysteward.report.run.plan import JSON_FORMAT, when
from keysteward.report.text.findings import finding_lines
from keysteward.report.text.plain import line, plain

_LABEL = 13


@dataclass(frozen=True, slots=True)
class Record:
    """One credential: its declaration, its ledger (at least one of both), its owner, and what a person should know.

    `at` is when it was looked at; `suspends` says whether its target can disable it.
    """

    stack: str
    identity: str
    at: datetime
    spec: Spec | None
    ledger: Ledger | None
    owner: Owner | None = None
    reviewed: date | None = None
    due_now: str = ""
    findings: tuple[Finding, ...] = ()
    suspends: bool = True

    @property
    def name(self) -> str:
        """Return the name without the stack."""
        return name_of(self.identity)

    @property
    def coming(self) -> list[tuple[datetime, str]]:
        """Return what is due by schedule, soonest first."""
        return [(coming.at, coming.what) for coming in scheduled(self.spec, self.ledger, self.at)]


def ends_at(record: Record, generation: Generation) -> datetime | None:
    """Return when a generation ended, or is to end by schedule; None when nothing says so."""
    if generation.ended_at is not None:
        return generation.ended_at
    if generation.ends_at is not None and generation.state in {State.PREVIOUS, State.ABANDONED}:
        return generation.ends_at
    spec = record.spec
    if spec is None or spec.decommission is not None:
        return spec.decommission if spec is not None and generation.live else None
    if generation.state is State.PREVIOUS:
        return retirement_at(spec, generation)
    return rotation_at(spec, generation) + spec.overlap if generation.state is State.CURRENT else None


def since(generation: Generation) -> datetime:
    """Return since when a generation has been current, or else issued, or else asked for."""
    return generation.current_since or generation.issued_at or generation.asked_at


def _object_state(record: ObjectRecord) -> str:
    """Say in one word what is recorded of a client."""
    cases = ((record.deleted, "deleted"), (record.suspended, "disabled"), (record.remote_id is None, "pending"))
    return next((word for holds, word in cases if holds), "adopted" if record.adopted else "in use")


def record_lines(record: Record) -> Iterable[RenderableType]:
    """Write a record for a terminal."""
    status = status_of(record.ledger) + ("" if record.spec is not None else ", not declared any more")
    yield line((record.identity, "bold"), f"  ({status})")
    yield Text()
    for label, value in _facts(record):
        if value:
            yield line("  ", (label.ljust(_LABEL), "dim"), value)
    if record.ledger is not None and record.ledger.generations:
        yield Text()
        yield line(("Generations", "bold"))
        yield _generations(record, record.ledger)
    yield Text()
    yield line(("How to revoke it", "bold"))
    for sentence in how_to_revoke(record.name, record.spec, record.ledger, suspends=record.suspends):
        yield line(("  • ", "dim"), sentence)
    if record.findings:
        yield Text()
        yield line(("Findings", "bold"))
        yield from finding_lines(record.findings, record.stack)


def _facts(record: Record) -> Iterable[tuple[str, str]]:
    document = record_json(record)
    owner = document["owner"]
    unlisted = ": nobody answers for it yet" if owner["name"] == UNASSIGNED else ", who is not in the owners file"
    contact = f" ({owner['contact']})" if owner["contact"] else unlisted
    yield "owner", f"{owner['name'] or ''}{contact}" + (", gone" if owner["state"] == "gone" else "")
    for field in ("purpose", "consumer", "environment", "runbook", "reviewed"):
        yield field, document[field] or ""
    yield "kind", document["kind"]
    yield "why a key", _why(record.spec)
    yield "target", document["target"] or ""
    for client in document["clients"]:
        yield (
            "holder" if client["holder"] else "client",
            f"{client['client_id']} at {client['target']}, {client['method']} ({client['state']})",
        )
    if record.spec is not None:
        yield "method", f"{record.spec.method}; replaced by: {record.spec.strategy.value}"
        yield "scopes", ", ".join(document["scopes"]) or "none"
        yield "on request", ", ".join(document["optional_scopes"])
        yield "audience", ", ".join(document["audiences"])
        lifetime = f"{record.spec.token_lifetime} s" if record.spec.token_lifetime else "the target's default"
        yield "token lives", "" if record.spec.key else lifetime
        windows = f", in {', '.join(record.spec.windows)}" if record.spec.windows else ""
        every, overlap = show_duration(record.spec.every), show_duration(record.spec.overlap)
        yield "rotation", f"every {every}, overlap {overlap}{windows}"
    yield "delivered to", ", ".join(document["delivered_to"])
    yield from _said(record.ledger)
    yield "due now", record.due_now
    for at, what in record.coming:
        yield "due", f"{when(at)}: {what}"


def _why(spec: Spec | None) -> str:
    """Say what a key is classified as, and until when it is renewed."""
    if spec is None or spec.classification is None:
        return ""
    until = f", renewed until {spec.renewed_until:%Y-%m-%d}" if spec.renewed_until is not None else ""
    client = f", its consumer moves to client {spec.migrates_to}" if spec.migrates_to else ""
    return f"{spec.classification}{until}{client}"


def _said(ledger: Ledger | None) -> Iterable[tuple[str, str]]:
    """Yield what a person asked of this credential and what still holds."""
    if ledger is None:
        return
    if ledger.held is not None:
        yield "held", f"until {when(ledger.held.until)}: {ledger.held.reason}"
    if ledger.suspended is not None:
        yield "suspended", f"since {when(ledger.suspended.at)}: {ledger.suspended.reason}"
    if ledger.revoked is not None:
        numbers = ledger.revoked.generations
        which = "" if numbers is None else f", generation {', '.join(map(str, numbers))}"
        yield "revoked", f"on {when(ledger.revoked.at)}{which}: {ledger.revoked.reason}"
    if ledger.rollback is not None:
        yield "asked for", f"a rollback to generation {ledger.rollback}"
    if ledger.reissue:
        yield "asked for", f"a new secret: {ledger.reissue}"


def _generations(record: Record, ledger: Ledger) -> Table:
    table = Table(box=None, padding=(0, 0, 0, 2), header_style="dim")
    for title in ("no.", "state", where(ledger), "fingerprint", "since", "ends", "evidence"):
        table.add_column(title, overflow="fold", no_wrap=title in {"no.", "state", "since", "ends"})
    for generation in ledger.generations:
        ends = ends_at(record, generation)
        adopted = " (adopted)" if generation.origin is Origin.ADOPTED else ""
        cells = (
            str(generation.number),
            f"{generation.state.value}{adopted}",
            place_of(ledger, generation),
            generation.fingerprint or "not known",
            f"{since(generation):%Y-%m-%d %H:%M}",
            f"{ends:%Y-%m-%d %H:%M}" if ends else "",
            generation.evidence or "",
        )
        table.add_row(*(Text(plain(cell)) for cell in cells))
    return table


def record_json(record: Record) -> dict[str, Any]:
    """Return a record as JSON; see the module for the format."""
    spec, ledger = record.spec, record.ledger
    about = ledger.about if ledger is not None else None
    said: Mapping[str, Any] = asdict(spec) if spec is not None else asdict(about) if about is not None else {}
    current = ledger.current if ledger is not None else None
    places = spec.delivery if spec is not None else current.delivery if current is not None else ()
    owner = {"contact": record.owner.contact if record.owner else None}
    return {
        "format": JSON_FORMAT,
        "name": record.name,
        "identity": record.identity,
        "kind": spec.kind if spec is not None else ledger.kind if ledger is not None else None,
        "declared": spec is not None,
        "status": status_of(ledger),
        "owner": {"name": said.get("owner"), **owner, "state": record.owner.state if record.owner else None},
        **{name: said.get(name) for name in ("purpose", "consumer", "environment", "runbook")},
        "reviewed": record.reviewed.isoformat() if record.reviewed else None,
        "target": spec.target if spec is not None else None,
        "clients": [_client_json(o) for o in ledger.objects] if ledger is not None else [],
        "method": spec.method if spec is not None else current.method if current is not None else None,
        "strategy": spec.strategy.value if spec is not None else current.strategy.value if current else None,
        "scopes": sorted(spec.scopes) if spec is not None else [],
        "optional_scopes": sorted(spec.optional_scopes) if spec is not None else [],
        "audiences": list(spec.audiences) if spec is not None else [],
        "token_lifetime": spec.token_lifetime if spec is not None else None,
        "delivered_to": list(places),
        "rotation": _rotation_json(spec),
        "expires": _iso(spec.expires if spec is not None else None),
        "decommission": _iso(said.get("decommission")),
        "classification": spec.classification if spec is not None else None,
        "renewed_until": _iso(spec.renewed_until if spec is not None else None),
        **_said_json(ledger),
        "due_now": record.due_now or None,
        "next": [{"at": at.isoformat(), "what": what} for at, what in record.coming],
        "generations": [_generation_json(record, ledger, g) for g in ledger.generations] if ledger is not None else [],
        "revoke": how_to_revoke(record.name, spec, ledger, suspends=record.suspends),
        "findings": [asdict(finding) for finding in record.findings],
    }


def _said_json(ledger: Ledger | None) -> dict[str, Any]:
    if ledger is None:
        return dict.fromkeys(("held", "suspended", "revoked", "rollback"))
    held, suspended, revoked = ledger.held, ledger.suspended, ledger.revoked
    return {
        "held": {"until": held.until.isoformat(), "reason": held.reason} if held else None,
        "suspended": {"at": suspended.at.isoformat(), "reason": suspended.reason} if suspended else None,
        "revoked": {
            "at": revoked.at.isoformat(),
            "reason": revoked.reason,
            "generations": None if revoked.generations is None else list(revoked.generations),
        }
        if revoked
        else None,
        "rollback": ledger.rollback,
    }


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _rotation_json(spec: Spec | None) -> dict[str, Any] | None:
    if spec is None:
        return None
    return {"every": show_duration(spec.every), "overlap": show_duration(spec.overlap), "windows": list(spec.windows)}


def _client_json(record: ObjectRecord) -> dict[str, Any]:
    return {
        "client_id": record.client_id,
        "target": record.target,
        "method": record.method,
        "remote_id": record.remote_id,
        "state": _object_state(record),
        "holder": record.holder,
    }


def _generation_json(record: Record, ledger: Ledger, generation: Generation) -> dict[str, Any]:
    return {
        "number": generation.number,
        "state": generation.state.value,
        "origin": generation.origin.value,
        "client_id": ledger.object_of(generation).client_id,
        "key_id": generation.id,
        "fingerprint": generation.fingerprint,
        "since": since(generation).isoformat(),
        "ends": _iso(ends_at(record, generation)),
        "evidence": generation.evidence,
    }
