"""What the tests of the rules declare: sound declarations with some fields changed, and what the rules say of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from keysteward import (
    ApiKey,
    ClientSecret,
    Consumer,
    M2MClient,
    Owner,
    Owners,
    PermanentException,
    ResourceServer,
    RotationSchedule,
    Stack,
    Transitional,
    Waiver,
)
from keysteward.core.contract.capabilities import Capabilities
from keysteward.core.declare.credentials import Declaration
from keysteward.core.findings import Finding
from keysteward.core.policy import Life, judge
from keysteward.core.policy.check import check
from keysteward.testing.memory import Clock, MemoryLedgers, MemoryStore, MemoryTarget

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)
TODAY = NOW.date()
CLOCK = Clock()

CLIENTS = Capabilities(methods=("client_secret", "private_key_jwt"), secrets=2, keys=16, chooses="caller")
ONE_SECRET = Capabilities(methods=("client_secret",), secrets=1, chooses="caller")
KEYS = Capabilities(("api_key",), secrets=100, named_keys=True, tags_secrets=True)

CORP = MemoryTarget("corp", CLIENTS, CLOCK)
PLAIN = MemoryTarget("plain", ONE_SECRET, CLOCK)
SAAS = MemoryTarget("saas", Capabilities(methods=()), CLOCK, KEYS)
BOTH = MemoryTarget("both", CLIENTS, CLOCK, KEYS)
CLOUD = MemoryTarget(
    "cloud", Capabilities(methods=()), CLOCK, Capabilities(("api_key",), 2, federation="OIDC federation")
)
SECRETS, SECOND, LABORATORY = MemoryStore("secrets"), MemoryStore("second"), MemoryStore("vault-dev")


def in_days(days: int) -> date:
    return TODAY + timedelta(days=days)


OWNERS = Owners(
    teams={
        "team-billing": Owner(contact="billing@example.com"),
        "team-sold": Owner(contact="sold@example.com", state="gone"),
        "team-moved": Owner(contact="moved@example.com", state="gone", deputy="team-billing"),
    },
    people={
        "billing-lead": Owner(contact="billing-lead@example.com", state="leaving", leaves=in_days(10)),
        "orders-lead": Owner(contact="orders-lead@example.com", state="leaving", leaves=in_days(200)),
    },
    consumers={
        "warehouse-etl": Consumer(contact="#warehouse"),
        "old-shop": Consumer(contact="#shop", state="retired"),
        "new-shop": Consumer(contact="#shop", state="retiring", retires=in_days(20)),
        "late-shop": Consumer(contact="#shop", state="retiring", retires=in_days(300)),
        "search, suggest": Consumer(contact="#search"),
    },
    unassigned_until=in_days(60),
)
NO_LIST = OWNERS.model_copy(update={"consumers": {}})


def server(*scopes: str, name: str = "billing-api", target: MemoryTarget = CORP, audience: str = "") -> ResourceServer:
    return ResourceServer(
        name,
        target=target,
        audience=audience or f"https://{name}.example.com",
        scopes={scope: f"Allows {scope}" for scope in scopes or ("invoices:read",)},
    )


API = server()


def every(interval: str, overlap: str = "7d") -> RotationSchedule:
    return RotationSchedule(every=interval, overlap=overlap)


def client(name: str = "exporter", **fields: object) -> M2MClient:
    """Return a client that no rule finds fault with."""
    given: dict[str, object] = {
        "target": CORP,
        "owner": "team-billing",
        "purpose": "Nightly invoice export",
        "consumer": "warehouse-etl",
        "auth_method": "private_key_jwt",
        "access": {API: "invoices:read"},
        "rotation": every("90d"),
        "deliver_to": SECRETS.path(f"apps/{name}"),
    }
    return M2MClient(name, **{**given, **fields})  # type: ignore[arg-type]


def key(name: str = "partner", **fields: object) -> ApiKey:
    """Return an API key that no rule finds fault with."""
    given: dict[str, object] = {
        "target": SAAS,
        "holder": f"org-{name}",
        "owner": "team-billing",
        "purpose": "Order feed of the partner",
        "consumer": "warehouse-etl",
        "access": {server("orders:read", name="feed-api", target=SAAS): "orders:read"},
        "classification": exception(90),
        "expires": in_days(365),
        "reviewed": in_days(-30),
        "runbook": "https://wiki.example.com/partner",
        "rotation": every("60d"),
        "deliver_to": SECRETS.path(f"apps/{name}"),
    }
    return ApiKey(name, **{**given, **fields})  # type: ignore[arg-type]


def secret(name: str = "web-login", **fields: object) -> ClientSecret:
    """Return the secret of a client that others manage."""
    given: dict[str, object] = {
        "client": name,
        "target": CORP,
        "owner": "team-billing",
        "purpose": "Login of the web shop",
        "consumer": "warehouse-etl",
        "rotation": every("90d"),
        "deliver_to": SECRETS.path(f"apps/{name}"),
    }
    return ClientSecret(name, **{**given, **fields})  # type: ignore[arg-type]


def exception(days: int) -> PermanentException:
    return PermanentException(justification="No OAuth there", risk_accepted_by="security", review_by=in_days(days))


def transition(days: int) -> Transitional:
    return Transitional(migrate_to="exporter", by=in_days(days))


def waiver(rule: str, days: int = 90) -> Waiver:
    return Waiver(rule, reason="A migration is under way", approved_by="security", until=in_days(days))


def used(*, last: int | None = None, since: int = 10, begun: int | None = None, shows: bool = True) -> Life:
    """Return a life, in days before now."""
    ago = [None if days is None else NOW - timedelta(days=days) for days in (since, last, begun)]
    return Life(ago[0], ago[1], shows, ago[2])


@dataclass(frozen=True)
class Scene:
    """Declarations (servers they use are added), under owners, at a stack's levels, with the lives of some."""

    declared: tuple[Declaration, ...]
    owners: Owners = OWNERS
    lives: Mapping[str, Life] = field(default_factory=dict)
    levels: Mapping[str, str] = field(default_factory=dict)
    rest: Mapping[str, object] = field(default_factory=dict)

    @property
    def stack(self) -> Stack:
        access = [getattr(d, name, {}) for d in self.declared for name in ("access", "optional_access")]
        servers = {server.name: server for servers in access for server in servers}
        given = {"declarations": [*servers.values(), *self.declared], "levels": self.levels, **self.rest}
        return Stack("acme/prod", self.owners, MemoryLedgers("ledgers", CLOCK), **given)  # type: ignore[arg-type]

    def judged(self) -> tuple[Finding, ...]:
        lives = {f"acme/prod/{name}": life for name, life in self.lives.items()}
        return judge(self.stack, self.owners, NOW, lives)

    def checked(self, *, strict: bool = True) -> tuple[Finding, ...]:
        return check(self.stack, self.owners, NOW, strict=strict)

    def found(self, rule: str) -> list[Finding]:
        return [finding for finding in self.judged() if finding.rule == rule]


def scene(*declared: Declaration, owners: Owners = OWNERS, life: Life | None = None, **fields: object) -> Scene:
    """Return a scene; `life` is that of the first declaration."""
    lives = {} if life is None else {declared[0].name: life}
    return Scene(declared, owners, lives, fields.pop("levels", {}), fields)  # type: ignore[arg-type]
