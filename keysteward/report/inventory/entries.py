"""The inventory of a stack, put together from one look: what is declared, and whatever else exists. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import TypedDict

from keysteward.core.assess.status import status_of
from keysteward.core.contract.facets import key_capabilities
from keysteward.core.contract.observed import ObservedObject
from keysteward.core.declare.spec import Spec, capabilities_of
from keysteward.core.drift.drift import drift
from keysteward.core.drift.inventory import Inventory, InventoryEntry, Standing
from keysteward.core.drift.survey import Examined, Seen, Thing
from keysteward.core.drift.unmanaged import judge_thing
from keysteward.core.findings import Finding
from keysteward.core.identity import name_of
from keysteward.core.plan.rotate import next_rotation
from keysteward.report.credential.revoking import how_to_revoke
from keysteward.report.inventory.existing import allowed, existing, last_shown

KINDS: Mapping[str, str] = {
    "M2MClient": "M2M client",
    "ClientSecret": "client secret",
    "ApiKey": "API key",
    "ManualKey": "manual key",
}
"""Kinds of declarations in words."""


class _Answering(TypedDict):
    """Who answers for a credential, as an entry has it."""

    owner: str
    owner_state: str
    contact: str


def inventory_of(seen: Seen) -> Inventory:
    """List all credentials that one look saw, each with its findings; those of no single one stand beside them."""
    found = drift(seen)
    by_subject: dict[str, list[Finding]] = {}
    for finding in found.findings:
        by_subject.setdefault(finding.subject, []).append(finding)
    everything = seen.things
    entries = [*_recorded(seen, everything, by_subject), *_others(seen, everything, by_subject)]
    told = {id(finding) for entry in entries for finding in entry.findings}
    return Inventory(
        at=seen.at,
        entries=tuple(sorted(entries, key=lambda entry: (entry.target, entry.name.casefold(), entry.name))),
        stack=seen.stack.identity,
        coverage=found.coverage,
        findings=tuple(finding for finding in found.findings if id(finding) not in told),
        failures=found.failures,
    )


def _recorded(
    seen: Seen, everything: Iterable[Thing], findings: Mapping[str, list[Finding]]
) -> Iterator[InventoryEntry]:
    """Yield one entry for each credential that is declared or recorded, with what exists of it."""
    existing: dict[str, list[Thing]] = {}
    for thing in everything:
        if thing.identity in seen.credentials:
            existing.setdefault(str(thing.identity), []).append(thing)
    for item in seen.credentials.values():
        if item.spec is not None or (item.ledger is not None and item.ledger.closed is None):
            yield _entry(seen, item, existing.get(item.identity, []), tuple(findings.get(item.identity, ())))


def _entry(seen: Seen, item: Examined, existing: list[Thing], findings: tuple[Finding, ...]) -> InventoryEntry:
    spec, ledger = item.spec, item.ledger
    name = name_of(item.identity)
    current = ledger.current if ledger is not None else None
    about = ledger.about if ledger is not None else None
    said = spec if spec is not None else about
    owner = said.owner if said is not None else ""
    records = [r for r in ledger.objects if not r.deleted] if ledger is not None else []
    kind = spec.kind if spec is not None else ledger.kind if ledger is not None else ""
    target = spec.target if spec is not None else records[-1].target if records else ""
    found = [t.object for t in existing if t.key is None]
    keys = [t.key for t in existing if t.key is not None]
    says = spec if spec is not None and spec.kind != "ClientSecret" else None  # what others may do their target shows
    suspends = spec is None or capabilities_of(seen.stack.targets[spec.target], kind).suspends
    return InventoryEntry(
        name=name,
        kind=KINDS.get(kind, kind),
        standing=Standing.DECLARED if spec is not None else Standing.UNDECLARED,
        target=target,
        identity=item.identity,
        clients=tuple(dict.fromkeys(r.client_id for r in records)) or ((spec.client_id,) if spec is not None else ()),
        key_ids=tuple(key.id for key in keys),
        **_answering(seen, owner),
        purpose=said.purpose if said is not None else "",
        consumer=(said.consumer or "") if said is not None else "",
        environment=said.environment if said is not None else "",
        runbook=(said.runbook or "") if said is not None else "",
        method=current.method if current is not None else spec.method if spec is not None else "",
        scopes=tuple(sorted(says.scopes)) if says is not None else allowed(found, keys),
        optional_scopes=tuple(sorted(says.optional_scopes if says is not None else _optional(found))),
        reaches=tuple(_reaches(seen, says) if says is not None else dict.fromkeys(_all_reached(seen, existing))),
        grants=tuple(sorted({grant for o in found for grant in o.settings.grants})),
        interactive=any(o.interactive for o in found),
        enabled=all(o.enabled for o in found) and all(key.enabled for key in keys),
        secrets=len(keys) + sum(len(o.secrets) for o in found) if existing else None,
        created_at=min((g.asked_at for g in ledger.generations), default=None) if ledger is not None else None,
        secret_since=current.current_since if current is not None else None,
        last_used=item.life.last_used,
        next_rotation=next_rotation(spec, ledger, seen.at),
        expires=spec.expires if spec is not None else None,
        reviewed=spec.reviewed if spec is not None else None,
        delivered_to=current.delivery if current is not None else spec.delivery if spec is not None else (),
        status=status_of(ledger),
        revoke=tuple(how_to_revoke(name, spec, ledger, suspends=suspends)),
        findings=findings,
    )


def _answering(seen: Seen, owner: str) -> _Answering:
    known, today = seen.owners.find(owner), seen.at.date()
    state = "unknown" if known is None else "gone" if known.gone(today) else known.state
    return {"owner": owner, "owner_state": state if owner else "", "contact": known.contact if known else ""}


def _reaches(seen: Seen, spec: Spec) -> Iterator[str]:
    """Yield each API that a credential gets at, with its audience and scopes."""
    for server in seen.stack.server_specs.values():
        scopes = sorted((spec.scopes | spec.optional_scopes) & set(server.scopes))
        if server.target == spec.target and scopes:
            yield f"{server.name} ({server.audience}): {', '.join(scopes)}"


def _optional(found: Iterable[ObservedObject]) -> frozenset[str]:
    return frozenset(scope for item in found for scope in item.settings.optional_scopes)


def _all_reached(seen: Seen, things: Iterable[Thing]) -> Iterator[str]:
    for thing in things:
        yield from _reached(seen, thing)


def _others(seen: Seen, everything: Iterable[Thing], findings: Mapping[str, list[Finding]]) -> Iterator[InventoryEntry]:
    """Yield what exists and is no credential of the stack's ledgers and declarations."""
    for thing in everything:
        if thing.identity in seen.credentials:
            continue
        used = _last_use(seen, thing)
        yield replace(
            existing(thing, used),
            **_answering(seen, _owner_of(thing)),
            purpose=_why(thing),
            reaches=tuple(_reached(seen, thing)),
            findings=(*findings.get(f"{thing.target}: {thing.id}", ()), *_at_sight(seen, thing, used)),
        )


def _at_sight(seen: Seen, thing: Thing, used: datetime | None) -> tuple[Finding, ...]:
    """Return what is wrong with something that nobody has declared yet, beside that."""
    target = seen.stack.targets.get(thing.target)
    if target is None or thing.standing is not Standing.UNMANAGED:
        return ()
    keys = key_capabilities(target) if thing.key is not None else None
    catalogue = {scope.name: scope for scope in seen.targets[thing.target].scopes}
    return judge_thing(thing, keys or target.capabilities, seen.at, used, catalogue)


def _owner_of(thing: Thing) -> str:
    if thing.set is not None:
        return thing.set.owner
    return thing.allowance.owner if thing.allowance is not None else ""


def _why(thing: Thing) -> str:
    """Return what is known of its purpose: the vendor's description, or why it is left alone."""
    if thing.allowance is not None:
        return f"left alone until {thing.allowance.until}: {thing.allowance.reason}"
    if thing.set is not None:
        return f"one of the governed set {thing.set.name}"
    return "" if thing.key is not None else thing.object.settings.description or ""


def _reached(seen: Seen, thing: Thing) -> Iterator[str]:
    """Yield what it gets at by the declared resource servers, as far as its scopes are known there."""
    allowed = (thing.key.scopes or frozenset()) if thing.key is not None else thing.object.allowed
    for server in seen.stack.server_specs.values():
        scopes = sorted(allowed & set(server.scopes))
        if server.target == thing.target and scopes:
            yield f"{server.name} ({server.audience}): {', '.join(scopes)}"


def _last_use(seen: Seen, thing: Thing) -> datetime | None:
    """Return the last use that the target shows or an earlier run saw."""
    noted = seen.usage.last(thing.target, thing.key.id if thing.key is not None else thing.object.remote_id)
    return max((t for t in (last_shown(thing), noted) if t is not None), default=None)
