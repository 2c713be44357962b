"""The normal form of a declaration: what the planner reads and what Pulumi keeps as inputs. Plain values only."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import cache, lru_cache
from typing import Any

from pydantic import TypeAdapter

from keysteward.core.contract.capabilities import Capabilities
from keysteward.core.contract.facets import key_capabilities
from keysteward.core.contract.observed import Settings
from keysteward.core.contract.ports import Target, document_digest
from keysteward.core.contract.strategy import Strategy
from keysteward.core.declare.credentials import (
    ApiKey,
    Bootstrap,
    Classification,
    ClientSecret,
    M2MClient,
    ManualKey,
    PermanentException,
    ResourceServer,
    Secret,
    Transitional,
)
from keysteward.core.declare.delivery import Place
from keysteward.core.declare.schedule import Duration, parse_duration
from keysteward.core.errors import DeclarationError

KEY_KINDS = frozenset({"ApiKey", "ManualKey"})
"""Kinds whose secrets are keys of a holder, and not of a client of their own."""

NO_KEYS = Capabilities(methods=())
"""What a target that issues no API keys can do with them."""

LONGEST_DESCRIPTION = 255
"""Characters of a client's description: Keycloak's column, the shortest of the targets' limits."""

DECOMMISSION_GRACE = timedelta(days=7)
"""So long after its decommissioning a credential stays suspended before removing its declaration deletes it."""


@dataclass(frozen=True, slots=True)
class Spec:
    """One credential as declared. `kind` is the declaration's class name; names of targets and stores stand for them.

    `method` and `strategy` are resolved against what the target can do; `facts` is the digest of what the target
    cannot change in place; times are aware UTC. `client_id` of a key is its holder. From `renewed_until` on nothing
    new begins, for the reason in `standing`: the words of its classification. `migrates_to` is the client that takes
    over from a transitional key, `silent_for` after how long a silence the key ends. `proven_by` is the target whose
    probe proves a key where its own cannot.
    """

    identity: str
    kind: str
    name: str
    target: str
    owner: str
    purpose: str
    environment: str
    client_id: str
    client_id_given: bool
    method: str
    strategy: Strategy
    every: Duration
    overlap: Duration
    places: tuple[Place, ...]
    windows: tuple[str, ...] = ()
    scopes: frozenset[str] = frozenset()
    optional_scopes: frozenset[str] = frozenset()
    grants: frozenset[str] = frozenset({"client_credentials"})
    audiences: tuple[str, ...] = ()
    token_lifetime: int | None = None
    token_url: str = ""
    consumer: str | None = None
    runbook: str | None = None
    reviewed: date | None = None
    expires: datetime | None = None
    decommission: datetime | None = None
    adopt: str | None = None
    retire_adopted: bool = False
    accept_gap: bool = False
    unused_for: Duration | None = None
    report_after: Duration = timedelta(days=30)
    facts: str = ""
    safeguards: Mapping[str, str] = field(default_factory=dict)
    previously: tuple[str, ...] = ()
    classification: str | None = None
    standing: str = ""
    renewed_until: datetime | None = None
    migrates_to: str | None = None
    silent_for: Duration | None = None
    narrow_now: bool = False
    proven_by: str | None = None

    @property
    def external(self) -> bool:
        """Say whether only the secret is ours."""
        return self.kind == "ClientSecret" or self.key

    @property
    def key(self) -> bool:
        """Say whether its secrets are keys of a holder."""
        return self.kind in KEY_KINDS

    def lapsed(self, now: datetime) -> bool:
        """Say whether the day is past until which its classification lets it be renewed."""
        return self.renewed_until is not None and now >= self.renewed_until

    @property
    def delivery(self) -> tuple[str, ...]:
        """Return the keys of all places, sorted."""
        return (self.places[0].key,) if len(self.places) == 1 else tuple(sorted(place.key for place in self.places))

    def is_kept_as(self, about: Summary | None) -> bool:
        """Say whether `about` is what a ledger keeps of this declaration; most plans ask, and most are."""
        return (
            about is not None
            and about.purpose == self.purpose
            and about.owner == self.owner
            and about.environment == self.environment
            and about.consumer == self.consumer
            and about.runbook == self.runbook
            and about.decommission == self.decommission
            and about.adopted == self._adopted
        )

    @property
    def _adopted(self) -> bool:
        return self.adopt is not None or (self.external and not self.key)

    @property
    def about(self) -> Summary:
        """Return what the ledger keeps of this declaration."""
        return Summary(
            owner=self.owner,
            purpose=self.purpose,
            environment=self.environment,
            consumer=self.consumer,
            runbook=self.runbook,
            decommission=self.decommission,
            adopted=self._adopted,
        )

    @property
    def description(self) -> str:
        """Return what a person at the target's console reads: purpose, owner and identity, shortened to fit."""
        return _description(self.purpose, self.owner, self.identity)

    def settings(self, method: str | None = None) -> Settings:
        """Return the settings the client must have, for its own or another of its methods."""
        return Settings(
            method=method or self.method,
            scopes=self.scopes,
            optional_scopes=self.optional_scopes,
            token_lifetime=self.token_lifetime,
            grants=self.grants,
            description=self.description,
            safeguards=self.safeguards,
        )

    def digest(self) -> str:
        """Return a digest of the whole declaration: a block ends when it changes."""
        return _digest(dump_spec(self))

    def document_digest(self, client_id: str, method: str) -> str:
        """Return a digest of the public fields of the delivered document."""
        return document_digest(self.identity, client_id, method, self.token_url, self.audiences, self.scopes)


@lru_cache(maxsize=4096)
def _description(purpose: str, owner: str, identity: str) -> str:
    whose = f" (owner: {owner}; declared as {identity})"
    room = max(LONGEST_DESCRIPTION - len(whose), 0)
    shortened = purpose if len(purpose) <= room else purpose[: max(room - 1, 0)] + "…"
    return (shortened + whose)[:LONGEST_DESCRIPTION]


def _digest(value: object) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@cache
def _spec() -> TypeAdapter[Spec]:
    """Return what writes and reads specs; a look needs none, and half of its time is what is made at the start."""
    return TypeAdapter(Spec)


def dump_spec(spec: Spec) -> dict[str, Any]:
    """Write a spec as JSON, sets sorted, so that equal declarations give equal text."""
    document: dict[str, Any] = _spec().dump_python(spec, mode="json", exclude_defaults=True)
    for name in ("scopes", "optional_scopes", "grants"):
        if name in document:
            document[name] = sorted(document[name])
    return document


def load_spec(document: Mapping[str, Any]) -> Spec:
    """Read a spec back from JSON."""
    return _spec().validate_python(dict(document))


@dataclass(frozen=True, slots=True)
class ServerSpec:
    """One resource server as declared."""

    identity: str
    name: str
    target: str
    audience: str
    scopes: Mapping[str, str]
    adopt: bool = False
    previously: tuple[str, ...] = ()

    def digest(self) -> str:
        """Return a digest of the whole declaration."""
        return _digest(asdict(self))


@cache
def _server() -> TypeAdapter[ServerSpec]:
    return TypeAdapter(ServerSpec)


def dump_server(spec: ServerSpec) -> dict[str, Any]:
    """Write a resource server's spec as JSON."""
    return dict(asdict(spec))


def load_server(document: Mapping[str, Any]) -> ServerSpec:
    """Read a resource server's spec back from JSON."""
    return _server().validate_python(dict(document))


def midnight(day: date | None) -> datetime | None:
    """Return the beginning of a day in UTC."""
    return None if day is None else datetime.combine(day, time(), tzinfo=UTC)


def capabilities_of(target: Target, kind: str) -> Capabilities:
    """Return what a target can do for one kind of credential."""
    return (key_capabilities(target) or NO_KEYS) if kind in KEY_KINDS else target.capabilities


def strategy_of(declared: Secret, can: Capabilities) -> Strategy:
    """Decide how this credential's secrets are replaced. Raises DeclarationError where a choice is missing."""
    alternate = isinstance(declared, M2MClient) and declared.alternate_clients
    if declared.auth_method not in can.methods:
        raise DeclarationError(_no_method(declared, can))
    if can.by_hand is not isinstance(declared, ManualKey):
        word = "is a system without an API for keys; declare a ManualKey" if can.by_hand else "has an API for its keys"
        raise DeclarationError(f"target: {declared.target.name} {word}")
    if can.by_hand:
        return Strategy.BY_HAND
    if declared.auth_method == "private_key_jwt":
        if alternate:
            raise DeclarationError("alternate_clients: key pairs overlap on one client; remove it")
        return Strategy.KEY_PAIRS
    if alternate:
        if not can.suspends:
            raise DeclarationError(f"alternate_clients: target {declared.target.name} cannot disable a client")
        if can.chooses == "server" or can.adds_values:
            name = declared.target.name
            raise DeclarationError(f"alternate_clients: target {name} adds secrets and replaces none; remove it")
        return Strategy.ALTERNATE
    if can.named_keys:
        return Strategy.NAMED_KEY
    if can.native_slot:
        return Strategy.ROTATED_SLOT
    if can.secrets > 1:
        return Strategy.OWN_VALUE if can.chooses == "caller" else Strategy.MINT
    if declared.accept_gap:
        return Strategy.GAP
    offers = ['auth_method="private_key_jwt" (recommended)', "alternate_clients=True", "accept_gap=True"]
    if isinstance(declared, ClientSecret):
        offers = ["accept_gap=True"]
    raise DeclarationError(
        f"rotation: target {declared.target.name} holds one client secret at a time, so old and new cannot overlap; "
        f"choose {' or '.join(offers)}"
    )


def _no_method(declared: Secret, can: Capabilities) -> str:
    name = declared.target.name
    if isinstance(declared, (ApiKey, ManualKey)):
        return f"target: {name} issues no API keys; declare an M2MClient there, or the key at a target that does"
    if not can.methods:
        return f"target: {name} has no M2M clients; declare an ApiKey there, or the client at an identity provider"
    return f"auth_method: target {name} offers {', '.join(can.methods)}, not {declared.auth_method}"


def spec_of(declared: Secret, stack: str) -> Spec:
    """Bring a declaration into its normal form. Raises DeclarationError where the target cannot do it."""
    can = capabilities_of(declared.target, type(declared).__name__)
    m2m = declared if isinstance(declared, M2MClient) else None
    key = declared if isinstance(declared, ApiKey) else None
    access = _access(declared)
    facts = {"scopes": sorted(access["scopes"]), "audiences": access["audiences"], "expires": declared.expires}
    frozen = {name: facts[name] for name in can.immutable if name in facts}
    standing = _standing(declared.classification if isinstance(declared, (ApiKey, ManualKey)) else None)
    return Spec(
        identity=f"{stack}/{declared.name}",
        kind=type(declared).__name__,
        name=declared.name,
        target=declared.target.name,
        owner=declared.owner,
        purpose=declared.purpose,
        environment=declared.environment,
        client_id=_client_id(declared),
        client_id_given=m2m is None or m2m.client_id is not None,
        method=declared.auth_method,
        strategy=strategy_of(declared, can),
        every=parse_duration(declared.rotation.every),
        overlap=parse_duration(declared.rotation.overlap),
        windows=tuple(declared.rotation.windows),
        places=tuple(delivery.place for delivery in declared.deliveries),
        scopes=frozenset(access["scopes"]),
        optional_scopes=frozenset(access["optional"]),
        audiences=tuple(access["audiences"]),
        token_lifetime=_seconds(m2m.token_lifetime) if m2m else None,
        token_url=declared.target.token_url,
        consumer=declared.consumer,
        runbook=declared.runbook,
        reviewed=declared.reviewed,
        expires=midnight(declared.expires),
        decommission=midnight(declared.decommission),
        adopt=declared.client if isinstance(declared, ClientSecret) else getattr(declared, "adopt", None),
        retire_adopted=declared.retire_adopted,
        unused_for=_duration(declared.rotation.retire_when_unused_for),
        report_after=parse_duration(declared.rotation.report_after),
        accept_gap=declared.accept_gap,
        facts=_digest(frozen) if frozen else "",
        safeguards=dict(can.safeguards),
        previously=tuple(declared.previously),
        narrow_now=key.narrow_now if key else False,
        proven_by=key.proven_by.name if key and key.proven_by is not None else None,
        **standing,
    )


def _client_id(declared: Secret) -> str:
    if isinstance(declared, ClientSecret):
        return declared.client
    if isinstance(declared, ApiKey):
        return declared.holder
    if isinstance(declared, ManualKey):
        return declared.target.name
    return declared.client_id or declared.name


def _standing(why: Classification | None) -> dict[str, Any]:
    """Return the fields that a classification sets: its name, until when the key is renewed, and in words why."""
    match why:
        case Transitional():
            return {
                "classification": "transitional",
                "standing": f"it is transitional: its consumer was to use client {why.client} by {why.by}",
                "renewed_until": midnight(why.by),
                "migrates_to": why.client,
                "silent_for": _duration(why.retire_when_silent_for),
            }
        case PermanentException():
            return {
                "classification": "permanent exception",
                "standing": f"its exception, accepted by {why.risk_accepted_by}, was to be reviewed by {why.review_by}",
                "renewed_until": midnight(why.review_by),
            }
        case Bootstrap():
            return {"classification": "bootstrap", "standing": f"it is exchanged for {why.exchanged_for}"}
        case None:
            return {}


def _duration(duration: timedelta | str | None) -> timedelta | None:
    return None if duration is None else parse_duration(duration)


def _seconds(duration: timedelta | str | None) -> int | None:
    return int(parse_duration(duration).total_seconds()) if duration else None


def _access(declared: Secret) -> dict[str, list[str]]:
    """Collect scopes granted always, scopes on request, and audiences, each once and in a fixed order."""
    if not isinstance(declared, (M2MClient, ApiKey)):
        return {"scopes": [], "optional": [], "audiences": []}
    always = {scope for scopes in declared.access.values() for scope in scopes}
    on_request = declared.optional_access if isinstance(declared, M2MClient) else {}
    optional = {scope for scopes in on_request.values() for scope in scopes} - always
    audiences = {server.audience for server, scopes in declared.access.items() if scopes}
    return {"scopes": sorted(always), "optional": sorted(optional), "audiences": sorted(audiences)}


def server_spec_of(declared: ResourceServer, stack: str) -> ServerSpec:
    """Bring a resource server into its normal form."""
    return ServerSpec(
        identity=f"{stack}/{declared.name}",
        name=declared.name,
        target=declared.target.name,
        audience=declared.audience,
        scopes=dict(declared.scopes),
        adopt=declared.adopt,
        previously=tuple(declared.previously),
    )


@dataclass(frozen=True, slots=True)
class Summary:
    """The last declaration in short, so that ending a credential works after its declaration is gone."""

    owner: str
    purpose: str
    environment: str
    consumer: str | None = None
    runbook: str | None = None
    decommission: datetime | None = None
    adopted: bool = False
