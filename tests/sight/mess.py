"""A company whose credentials are in order: what a look at it finds was planted in it before (see `plants`).

Three targets in memory hold about 500 objects: one that gives tokens for key pairs, one that mints secrets and keys of
organizations, one that takes keys of our choice and shows them. All that is declared was made by the embedded door's
own runs, over six weeks. The same seed makes the same company, but for its secrets.
"""

from __future__ import annotations

import os
import random
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import NamedTuple
from unittest import mock

from keysteward import Allowed, ApiKey, Governed, M2MClient, ResourceServer, RotationSchedule, Stack
from keysteward.core.assess.blast_radius import ALLOW_ENDING
from keysteward.core.contract.capabilities import Capabilities
from keysteward.core.contract.observed import Mark, Settings
from keysteward.core.declare.credentials import Declaration, PermanentException, Transitional
from keysteward.core.declare.owners import Consumer, Owner, Owners
from keysteward.core.drift.drift import Drift, drift
from keysteward.core.findings import Kind
from keysteward.core.observe.snapshot import ledger_key
from keysteward.core.policy.check import check
from keysteward.core.record.ledger import Ledger, State, dump_ledger, load_ledger
from keysteward.core.record.requests import reissue
from keysteward.operations.look import look
from keysteward.operations.project import Opened
from keysteward.operations.stack_plan import preview
from keysteward.operations.stack_run import BAD, carry_out
from keysteward.testing.memory import START, Clock, MemoryLedgers, MemoryObject, MemorySecret, MemoryStore, MemoryTarget

STACK, NEIGHBOUR = "acme/prod", "acme/staging"
DAY = timedelta(days=1)

REALM = Capabilities(
    methods=("client_secret", "private_key_jwt"),
    keys=16,
    chooses="caller",
    readable=True,
    suspends=True,
    one_method_per_client=True,
    tags_objects=True,
    scopes_global=True,
)
MINTING = Capabilities(methods=("client_secret",), secrets=5, suspends=True, tags_objects=True, last_use="secret")
NAMED_KEYS = Capabilities(
    methods=("api_key",),
    secrets=1_000,
    named_keys=True,
    tags_secrets=True,
    last_use="secret",
    immutable=("scopes", "expires"),
)
NO_CLIENTS = Capabilities(methods=(), lacks=frozenset({"catalogue"}))
OWN_KEYS = Capabilities(
    methods=("api_key",),
    secrets=1_000,
    tags_secrets=True,
    chooses="caller",
    readable=True,
    suspends=True,
    last_use="secret",
    lacks=frozenset({"catalogue"}),
)

MONTHLY = RotationSchedule(every="30d", overlap="7d")
QUARTERLY = RotationSchedule(every="90d", overlap="7d")
HALF_YEARLY = RotationSchedule(every="180d", overlap="7d")

EXCEPTION = PermanentException(
    justification="the partner has no OAuth", risk_accepted_by="security", review_by=START.date() + 150 * DAY
)
MOVING = Transitional(migrate_to="partner-interface", by=START.date() + 400 * DAY)


class Expected(NamedTuple):
    """A finding, by its kind and what it is about."""

    kind: Kind
    subject: str


@dataclass
class Mess:
    """The company. `declared`, `allowed` and `owners` may be changed before `stack` is asked for."""

    seed: int
    clock: Clock = field(default_factory=Clock)
    declared: dict[str, Declaration] = field(default_factory=dict)
    allowed: list[Allowed] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)  # noqa: S311 - which of many equals, no secret
        self.corp = MemoryTarget("corp", REALM, self.clock)
        self.saas = MemoryTarget("saas", MINTING, self.clock, NAMED_KEYS)
        self.cloud = MemoryTarget("cloud", NO_CLIENTS, self.clock, OWN_KEYS)
        self.vault, self.files = MemoryStore("vault"), MemoryStore("files")
        self.ledgers = MemoryLedgers("ledgers", self.clock)
        self.owners = _owners()
        self._names = self.chance.sample(range(1_000, 10_000), 1_000)
        self._declare()
        self._strangers()
        self._live()
        self._untouched = {kind: self._shuffled(kind) for kind in ("corp", "saas", "slow", "saas key", "cloud key")}

    @property
    def stack(self) -> Stack:
        """The declarations as they are now."""
        return Stack(
            STACK,
            self.owners,
            self.ledgers,
            list(self.declared.values()),
            allowed=tuple(self.allowed),
            beside=(NEIGHBOUR,),
        )

    @property
    def neighbours(self) -> set[Expected]:
        """What any look tells, as notes: clients that carry the mark of a stack that is run elsewhere."""
        return {
            Expected(Kind.ELSEWHERE, f"{target.name}: {item.client_id}")
            for target in self.targets
            for item in target.objects.values()
            if item.mark is not None and item.mark.identity.startswith(f"{NEIGHBOUR}/")
        }

    @property
    def targets(self) -> tuple[MemoryTarget, ...]:
        return (self.corp, self.saas, self.cloud)

    @property
    def today(self) -> date:
        return self.clock.now.date()

    @property
    def objects(self) -> int:
        """How many clients, keys and holders there are."""
        every = [item for target in self.targets for item in target.objects.values()]
        return len(every) + sum(len(item.secrets) for item in every if item.holder)

    def up(self, *names: str) -> None:
        """Run the embedded door as a person would, for all or for these, and see that it failed at nothing."""
        opened = Opened(self.stack, self.owners)
        reader = opened.session("reader")
        planned = preview(opened, reader, names)
        results = carry_out(opened, reader, planned, "up", 1)
        assert [result for result in results if result.outcome in BAD] == []
        assert planned.failures == ()

    def reissue(self, name: str) -> None:
        """Give a credential another secret, and end the present one at once."""
        self.rewrite(name, reissue(self.ledger(name), "leaked", at=self.clock.now))
        self.up(name)
        assert self.ledger(name).generations[-2].state is State.RETIRED

    def prune(self) -> None:
        """End what is not declared any more, and see that it failed at nothing."""
        opened = Opened(self.stack, self.owners)
        reader = opened.session("reader")
        with mock.patch.dict(os.environ, {ALLOW_ENDING: "9"}):
            results = carry_out(opened, reader, preview(opened, reader, prune=True), "up", 1)
        assert [result for result in results if result.outcome in BAD] == []

    def look(self) -> Drift:
        """Look at everything, in a new process with the reader's rights."""
        opened = Opened(self.stack, self.owners)
        return drift(look(opened, opened.session("reader")))

    def ledger(self, name: str) -> Ledger:
        stored = self.ledgers.read(ledger_key(f"{STACK}/{name}"))
        assert stored.document is not None
        return load_ledger(stored.document, stored.version)

    def rewrite(self, name: str, changed: Ledger) -> None:
        """Change a ledger behind everybody's back."""
        self.ledgers.write(ledger_key(f"{STACK}/{name}"), dump_ledger(changed), changed.version)

    def held(self, name: str) -> MemoryObject:
        """The client of a declared credential, or the holder of its key."""
        ledger = self.ledger(name)
        assert ledger.current is not None
        record = ledger.object_of(ledger.current)
        target = next(t for t in self.targets if t.name == record.target)
        return target.objects[record.remote_id or record.client_id]

    def secret(self, name: str) -> MemorySecret:
        """The current secret of a declared credential."""
        ledger = self.ledger(name)
        assert ledger.current is not None
        return next(s for s in self.held(name).secrets if s.id == ledger.current.id)

    def pick(self, kind: str) -> str:
        """Choose a declared credential that nothing was done to yet."""
        return self._untouched[kind].pop()

    def _shuffled(self, kind: str) -> list[str]:
        """Return those of one kind that were rotated by no run yet, in an order of the seed's."""
        target, _, key = kind.partition(" ")
        target, schedule = ("saas", HALF_YEARLY) if kind == "slow" else (target, QUARTERLY)
        wanted = [
            name
            for name, declared in self.declared.items()
            if isinstance(declared, ApiKey if key else M2MClient)
            and (declared.target.name, declared.rotation) == (target, schedule)
        ]
        self.chance.shuffle(wanted)
        return wanted

    def name(self, what: str) -> str:
        return f"{what}-{self._names.pop()}"

    def declare(self, *declarations: Declaration) -> None:
        self.declared |= {declared.name: declared for declared in declarations}

    def change(self, name: str, **fields: object) -> None:
        """Declare something of a credential otherwise."""
        declared = self.declared[name]
        assert isinstance(declared, (M2MClient, ApiKey))
        self.declared[name] = replace(declared, **fields)  # type: ignore[arg-type]

    def _declare(self) -> None:
        self.billing = ResourceServer(
            "billing-api",
            target=self.corp,
            audience="https://billing.example.com",
            scopes={"invoices:read": "Read invoices", "invoices:write": "Create invoices"},
        )
        self.orders = ResourceServer(
            "orders-api",
            target=self.saas,
            audience="https://orders.example.com",
            scopes={"orders:read": "Read orders", "orders:write": "Create orders"},
        )
        self.declare(self.billing, self.orders)
        for server, scope, count in ((self.billing, "invoices:read", 100), (self.orders, "orders:read", 50)):
            self.declare(*(self._client(server, scope, number) for number in range(count)))
        self.declare(self._client(self.orders, "orders:read", 0, "partner-interface"))
        self.declare(*(self._key("saas", f"org-{number % 20:02}", number) for number in range(60)))
        self.declare(*(self._key("cloud", f"user-{number:02}", number) for number in range(40)))
        self.declare(
            Governed(
                "customer-keys",
                target=self.saas,
                owner="team-sales",
                purpose="Keys that customers make for their shops",
                keys="customer-*",
                ceiling={self.orders: ["orders:read"]},
                max_age="365d",
                max_count=100,
            )
        )

    def _client(self, server: ResourceServer, scope: str, number: int, name: str = "") -> M2MClient:
        name = name or self.name("job")
        rotations = {0: MONTHLY, 1: HALF_YEARLY}
        return M2MClient(
            name,
            target=server.target,
            owner=f"team-{('billing', 'sales', 'stock')[number % 3]}",
            purpose=f"Nightly export number {number}",
            consumer=f"system-{number % 10}",
            access={server: [scope]},
            auth_method="private_key_jwt" if server.target is self.corp else "client_secret",
            token_lifetime="10m",
            runbook="https://wiki.example.com/jobs",
            reviewed=START.date(),
            rotation=rotations.get(number % 10, QUARTERLY),
            deliver_to=(self.vault, self.files)[number % 2].path(f"apps/{name}"),
        )

    def _key(self, target: str, holder: str, number: int) -> ApiKey:
        name = self.name("key")
        home = {"saas": self.saas, "cloud": self.cloud}[target]
        if holder not in home.objects:
            home.hold(holder)
        return ApiKey(
            name,
            target=home,
            holder=holder,
            owner=f"team-{('billing', 'sales', 'stock')[number % 3]}",
            purpose=f"Partner interface number {number}",
            consumer=f"partner-{number % 5}",
            access={self.orders: ["orders:read"]} if home is self.saas else {},
            runbook="https://wiki.example.com/keys",
            reviewed=START.date(),
            expires=START.date() + timedelta(days=500),
            classification=EXCEPTION if home is self.cloud else MOVING,
            rotation=MONTHLY if number % 10 == 0 else QUARTERLY,
            deliver_to=self.vault.path(f"apps/{name}"),
        )

    def _strangers(self) -> None:
        """Make what others have: customers' keys, web logins, a neighbour's clients. All of it is known."""
        for number in range(80):
            self.key(self.saas, f"org-{number % 20:02}", self.name("customer"), "orders:read")
        for number in range(30):
            self.client(self.corp, self.name("web"), grants="authorization_code")
            self.client(self.corp, self.name("staging"), mark=f"{NEIGHBOUR}/job-{number}")
        for number in range(20):
            self.key(self.saas, f"org-{number:02}", self.name("legacy"), "orders:read")
            self.key(self.cloud, self.name("robot"), self.name("AKIA"))
        for target, names in ((self.corp, "web-*"), (self.saas, "legacy-*"), (self.cloud, "AKIA-*")):
            self.allow(target, names)

    def allow(self, target: MemoryTarget, names: str, *, days: int = 150) -> None:
        until = self.today + days * DAY
        entry = Allowed(names, target=target, owner="team-sales", reason="moves next year", until=until)
        self.allowed.append(entry)

    def client(
        self, target: MemoryTarget, client_id: str, *, mark: str | None = None, grants: str = "client_credentials"
    ) -> MemoryObject:
        """Make a client as somebody else would."""
        made = MemoryObject(
            f"id-{client_id}",
            client_id,
            Settings(target.capabilities.methods[0], grants=frozenset({grants})),
            Mark(mark, f"nonce-{client_id}") if mark else None,
            secrets=[MemorySecret("primary", f"value-of-{client_id}", "primary", self.clock.now)],
        )
        made.secrets[0].last_used = self.clock.now
        target.objects[made.remote_id] = made
        return made

    def key(self, target: MemoryTarget, holder: str, name: str, *scopes: str) -> MemorySecret:
        """Make a key of a holder as somebody else would."""
        item = target.objects.get(holder) or target.hold(holder)
        made = MemorySecret(name, f"value-of-{name}", "key", self.clock.now, name, self.clock.now)
        made.scopes = frozenset(scopes) or None
        item.secrets.append(made)
        return made

    def _live(self) -> None:
        """Six weeks: some secrets are replaced, and all are used."""
        assert check(self.stack, self.owners, self.clock.now) == ()
        self.up()
        for days in (30, 8, 4):
            self.clock.advance(days * DAY)
            self.up()
        for target in self.targets:
            for item in target.objects.values():
                for secret in item.secrets:
                    secret.last_used = self.clock.now - timedelta(hours=self.chance.randrange(1, 20))


def _owners() -> Owners:
    consumers = [*(f"system-{n}" for n in range(10)), *(f"partner-{n}" for n in range(5))]
    return Owners(
        teams={f"team-{name}": Owner(contact=f"{name}@example.com") for name in ("billing", "sales", "stock")},
        consumers={name: Consumer(contact="integration@example.com") for name in consumers},
    )
