"""A stack in plain values: what two processes tell of the two sides of a pull request. Pure.

The JSON (`format: 1`) is between processes of one version and no file format: `dump_form`, `load_form`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from pydantic import TypeAdapter

from keysteward.core.contract.capabilities import BroadScopes
from keysteward.core.contract.ports import Descriptor
from keysteward.core.declare.credentials import ApiKey, Bootstrap, Governed, ManualKey, PermanentException, Secret
from keysteward.core.declare.owners import Owners
from keysteward.core.declare.schedule import Duration, parse_duration
from keysteward.core.declare.spec import ServerSpec, Spec, capabilities_of
from keysteward.core.declare.stack import Stack
from keysteward.core.findings import Finding


@dataclass(frozen=True, slots=True)
class WaiverForm:
    """One waiver of a credential."""

    rule: str
    reason: str
    approved_by: str
    until: date


@dataclass(frozen=True, slots=True)
class Declared:
    """One credential: its normal form, its waivers, what its target cannot change, what is sweeping there, and why.

    `accepted_by` is who accepted the risk of a permanent exception.
    """

    spec: Spec
    waivers: tuple[WaiverForm, ...] = ()
    immutable: tuple[str, ...] = ()
    broad_scopes: tuple[BroadScopes, ...] = ()
    reason: str = ""
    accepted_by: str = ""


@dataclass(frozen=True, slots=True)
class SetForm:
    """One governed set."""

    name: str
    target: str
    owner: str
    purpose: str
    holders: tuple[str, ...]
    holder_kind: str | None
    keys: tuple[str, ...]
    ceiling: frozenset[str] | None
    max_age: Duration | None
    max_count: int | None


@dataclass(frozen=True, slots=True)
class AllowedForm:
    """What is left alone at a target."""

    target: str
    names: tuple[str, ...]
    owner: str
    reason: str
    until: date

    @property
    def subject(self) -> str:
        """Return what it is about."""
        return f"{self.target}: {', '.join(self.names)}"


@dataclass(frozen=True, slots=True)
class PortForm:
    """A target, a store or the ledger store: its class and its settings, which hold references and no values."""

    kind: str
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Form:
    """One stack. `credentials`, `servers` and `governed` by name; `rules` are digests of its own rules by name.

    A rule without a digest ("") could not be read.
    """

    identity: str
    owners: Owners
    owners_file: str = ""
    credentials: Mapping[str, Declared] = field(default_factory=dict)
    servers: Mapping[str, ServerSpec] = field(default_factory=dict)
    governed: Mapping[str, SetForm] = field(default_factory=dict)
    allowed: tuple[AllowedForm, ...] = ()
    ports: Mapping[str, PortForm] = field(default_factory=dict)
    rules: Mapping[str, str] = field(default_factory=dict)
    levels: Mapping[str, str] = field(default_factory=dict)
    limit_count: int = 0
    limit_share: float = 0.0
    heartbeat: Duration = timedelta()
    beside: frozenset[str] = frozenset()
    watched: frozenset[str] = frozenset()
    findings: tuple[Finding, ...] = ()


_FORM = TypeAdapter(Form)


def dump_form(form: Form) -> dict[str, Any]:
    """Write a stack's form as JSON."""
    written: dict[str, Any] = _FORM.dump_python(form, mode="json")
    return written


def load_form(document: Mapping[str, Any]) -> Form:
    """Read a stack's form back. Raises pydantic.ValidationError for what is none."""
    return _FORM.validate_python(dict(document))


def form_of(stack: Stack, owners: Owners, findings: tuple[Finding, ...], rules: Mapping[str, str]) -> Form:
    """Bring a stack into its form. Raises DeclarationError where a declaration has no normal form."""
    described = {f"target {t.name}": t.descriptor for t in stack.targets.values()}
    described |= {f"store {s.name}": s.descriptor for s in stack.stores.values()}
    described["ledger store"] = stack.ledgers.descriptor
    return Form(
        identity=stack.identity,
        owners=owners,
        owners_file=stack.owners if isinstance(stack.owners, str) else "",
        credentials={d.name: _declared(d, s) for d, s in zip(stack.credentials, stack.specs.values(), strict=True)},
        servers={spec.name: spec for spec in stack.server_specs.values()},
        governed={g.name: _set(g) for g in stack.governed},
        allowed=tuple(AllowedForm(a.target.name, tuple(a.names), a.owner, a.reason, a.until) for a in stack.allowed),
        ports={name: port_form(descriptor) for name, descriptor in described.items()},
        rules=rules,
        levels=dict(stack.levels),
        limit_count=stack.limit.count,
        limit_share=stack.limit.share,
        heartbeat=parse_duration(stack.heartbeat),
        beside=frozenset(stack.beside),
        watched=frozenset(target.name for target in stack.watched),
        findings=findings,
    )


def _declared(declared: Secret, spec: Spec) -> Declared:
    why = declared.classification if isinstance(declared, (ApiKey, ManualKey)) else None
    reason = why.justification if isinstance(why, PermanentException) else ""
    can = capabilities_of(declared.target, spec.kind)
    return Declared(
        spec=spec,
        waivers=tuple(WaiverForm(w.rule, w.reason, w.approved_by, w.until) for w in declared.waivers),
        immutable=can.immutable,
        broad_scopes=can.broad_scopes,
        reason=why.exchanged_for if isinstance(why, Bootstrap) else reason,
        accepted_by=why.risk_accepted_by if isinstance(why, PermanentException) else "",
    )


def _set(declared: Governed) -> SetForm:
    return SetForm(
        name=declared.name,
        target=declared.target.name,
        owner=declared.owner,
        purpose=declared.purpose,
        holders=tuple(declared.holders),
        holder_kind=declared.holder_kind,
        keys=tuple(declared.keys),
        ceiling=declared.allowed,
        max_age=None if declared.max_age is None else parse_duration(declared.max_age),
        max_count=declared.max_count,
    )


def port_form(descriptor: Descriptor) -> PortForm:
    """Return a descriptor's form, its settings as JSON knows them."""
    return PortForm(descriptor.kind, {name: _plain(value) for name, value in descriptor.settings.items()})


def _plain(value: object) -> object:
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, Mapping):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    if isinstance(value, (set, frozenset)):
        return sorted(str(part) for part in value)
    return str(value)
