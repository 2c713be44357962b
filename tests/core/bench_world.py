"""A whole small company in memory: one target, one store, one ledger store, and runs over them."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

from previews import Previewed, previewed

from keysteward.core.contract.capabilities import Capabilities
from keysteward.core.declare.credentials import (
    ApiKey,
    M2MClient,
    PermanentException,
    ResourceServer,
    RotationSchedule,
    Secret,
)
from keysteward.core.declare.delivery import Place
from keysteward.core.declare.spec import Spec, spec_of
from keysteward.core.observe.snapshot import Snapshot, Sources, ledger_key
from keysteward.core.observe.world import Extent
from keysteward.core.record.ledger import Ledger, load_ledger
from keysteward.core.run.executor import News, Tools
from keysteward.core.run.reconciler import Reconciler, Result
from keysteward.testing.memory import Clock, MemoryLedgers, MemoryStore, MemoryTarget, Mint

STOCK = Capabilities(
    methods=("client_secret", "private_key_jwt"),
    secrets=1,
    keys=16,
    chooses="caller",
    readable=True,
    suspends=True,
    one_method_per_client=True,
    tags_objects=True,
)
NATIVE = Capabilities(
    methods=("client_secret", "private_key_jwt"),
    secrets=2,
    keys=16,
    native_slot=True,
    chooses="caller",
    readable=True,
    suspends=True,
    one_method_per_client=True,
    tags_objects=True,
)
MINTING = Capabilities(methods=("client_secret",), secrets=2, suspends=True, tags_objects=True)
ASSIGNING = replace(MINTING, assigns_client_id=True, last_use="secret")
NAMED = Capabilities(methods=("client_secret",), secrets=5, named_keys=True, tags_secrets=True, tags_objects=True)


NAMED_KEYS = Capabilities(
    methods=("api_key",),
    secrets=1_000,
    named_keys=True,
    tags_secrets=True,
    last_use="secret",
    immutable=("scopes", "expires"),
)
TWO_KEYS = Capabilities(methods=("api_key",), secrets=2, suspends=True, last_use="secret")
OWN_KEYS = Capabilities(
    methods=("api_key",), secrets=1_000, tags_secrets=True, chooses="caller", readable=True, suspends=True
)


def fingerprint(text: str) -> str:
    return "k:" + hashlib.sha256(text.encode()).hexdigest()[:12]


@dataclass
class Company:
    """Declare, run, look. `declare` replaces what is declared; each `up` is a new process."""

    can: Capabilities = STOCK
    stack: str = "acme/test"
    clock: Clock = field(default_factory=Clock)
    specs: dict[str, Spec] = field(default_factory=dict)
    extent: Extent = Extent.ALL
    notify: Callable[[Place, News], None] | None = None
    keys: Capabilities | None = None

    def __post_init__(self) -> None:
        self.target = MemoryTarget("idp", self.can, self.clock, self.keys)
        if self.keys is not None:
            self.target.hold("org-1")
        self.store = MemoryStore("store")
        self.ledgers = MemoryLedgers("ledgers", self.clock)
        self.targets = {"idp": self.target}
        self.stores = {"store": self.store}
        self.mint = Mint()
        self.runs = itertools.count(1)
        self.nonces = itertools.count(1)

    def client(self, name: str = "billing", **fields: object) -> M2MClient:
        given: dict[str, object] = {
            "target": self.target,
            "owner": "team-billing",
            "purpose": "Invoices",
            "rotation": RotationSchedule(every="90d", overlap="7d"),
            "deliver_to": self.store.path(f"apps/{name}"),
        }
        given.update(fields)
        return M2MClient(name, **given)  # type: ignore[arg-type]

    def key(self, name: str = "billing", **fields: object) -> ApiKey:
        given: dict[str, object] = {
            "target": self.target,
            "holder": "org-1",
            "owner": "team-billing",
            "purpose": "Invoices",
            "expires": date(2028, 1, 1),
            "classification": PermanentException(
                justification="the partner has no OAuth", risk_accepted_by="security", review_by=date(2027, 6, 1)
            ),
            "rotation": RotationSchedule(every="90d", overlap="7d"),
            "deliver_to": self.store.path(f"apps/{name}"),
        }
        given.update(fields)
        return ApiKey(name, **given)  # type: ignore[arg-type]

    def declare(self, *declared: Secret | ResourceServer) -> None:
        self.specs = {
            spec.identity: spec
            for spec in (spec_of(d, self.stack) for d in declared if not isinstance(d, ResourceServer))
        }

    def reconciler(self, runner: str | None = None) -> Reconciler:
        sources = Sources(self.targets, self.stores, self.ledgers, fingerprint)
        runner = runner or f"run-{next(self.runs)}"
        tools = Tools(
            targets=self.targets,
            stores=self.stores,
            ledgers=self.ledgers,
            fingerprint=fingerprint,
            mint=self.mint,
            nonce=lambda: f"n{next(self.nonces):04d}",
            monotonic=self.clock.monotonic,
            sleep=self.clock.sleep,
            runner=runner,
            notify=self.notify,
        )
        return Reconciler(tools, Snapshot(self.stack, sources, self.specs, runner, self.extent))

    def identities(self) -> list[str]:
        return sorted({*self.specs, *self.reconciler("reader").snapshot.undeclared()})

    def preview(self) -> Mapping[str, Previewed]:
        reconciler = self.reconciler()
        return {name: previewed(reconciler, name, self.specs.get(name)) for name in self.identities()}

    def words(self, name: str = "billing") -> str:
        return self.preview()[f"{self.stack}/{name}"].words

    def up(self) -> Mapping[str, Result]:
        reconciler = self.reconciler()
        return {name: reconciler.run(name, self.specs.get(name)) for name in self.identities()}

    def pass_time(self, **by: float) -> None:
        self.clock.advance(timedelta(**by))

    def ledger(self, name: str = "billing") -> Ledger:
        stored = self.ledgers.read(ledger_key(f"{self.stack}/{name}"))
        assert stored.document is not None
        return load_ledger(stored.document, stored.version)

    def reads(self, name: str = "billing") -> str | None:
        return self.store.reads(f"apps/{name}")

    def consumer_works(self, name: str = "billing") -> bool:
        """What the consumer would find: its client_id and secret as delivered."""
        value = self.reads(name)
        ledger = self.ledger(name)
        if value is None or ledger.current is None:
            return False
        return self.target.works(ledger.object_of(ledger.current).client_id, value)

    def states(self, name: str = "billing") -> list[str]:
        return [f"{g.number} {g.state.value}" for g in self.ledger(name).generations]
