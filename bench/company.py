"""A company with N machine clients on one realm: what every bench declares, and runs over it through sessions."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from counting import Counted

from keysteward import Limit, M2MClient, Owners, ResourceServer, RotationSchedule, Stack
from keysteward.core.assess.examine import Assessed, assess
from keysteward.core.contract.ports import LedgerStore, Store
from keysteward.core.declare.spec import Spec
from keysteward.core.errors import KeystewardError
from keysteward.core.policy.check import check
from keysteward.operations.session import Access, Session
from keysteward.providers.keycloak import Keycloak
from keysteward.providers.local import LocalStore

CHECKED_ON = datetime(2026, 12, 1, tzinfo=UTC)

STACK = "acme/bench"
REALM = "bench"
THREADS = 4
"""As many as Pulumi's plugin for dynamic providers has, and `keysteward up`."""

ADMINISTRATOR = "master/sandbox-admin:sandbox-admin-secret"
ROOT_TOKEN = "sandbox-root"  # noqa: S105 - the stand-in's well-known token, on loopback
OWNERS = Owners.model_validate({"teams": {"team-billing": {"contact": "billing@example.com"}}})


@dataclass(frozen=True)
class Company:
    """What is declared and where it lives. `vault` is the address of a Vault; without one, all is local files."""

    keycloak: str
    folder: str
    clients: int
    vault: str = ""

    @property
    def environment(self) -> dict[str, str]:
        """Return what a process needs that declares or runs this company."""
        return {
            "BENCH_KEYCLOAK": self.keycloak,
            "BENCH_FOLDER": self.folder,
            "BENCH_CLIENTS": str(self.clients),
            "BENCH_VAULT": self.vault,
            "BENCH_READER": ADMINISTRATOR,
            "BENCH_ADMIN": ADMINISTRATOR,
            "BENCH_VAULT_TOKEN": ROOT_TOKEN,
        }

    @classmethod
    def from_environment(cls) -> Company:
        """Return the company that `environment` described."""
        given = os.environ
        return cls(given["BENCH_KEYCLOAK"], given["BENCH_FOLDER"], int(given["BENCH_CLIENTS"]), given["BENCH_VAULT"])

    def stack(self) -> Stack:
        """Declare one API and its clients: key pairs, one scope, delivered to one place each."""
        realm = Keycloak("corp", url=self.keycloak, realm=REALM, reader="env:BENCH_READER", admin="env:BENCH_ADMIN")
        store, ledgers = self._vault() if self.vault else self._local()
        api = ResourceServer(
            "billing-api",
            target=realm,
            audience="https://billing.example.com",
            scopes={"invoices:read": "Read invoices", "invoices:write": "Create invoices"},
        )
        clients = [
            M2MClient(
                f"client-{number:05}",
                target=realm,
                owner="team-billing",
                purpose=f"Export number {number}",
                access={api: ["invoices:read"]},
                auth_method="private_key_jwt",
                rotation=RotationSchedule(every="90d", overlap="7d"),
                deliver_to=store.path(f"apps/client-{number:05}"),
            )
            for number in range(self.clients)
        ]
        return Stack(STACK, owners=OWNERS, ledgers=ledgers, declarations=[api, *clients], limit=Limit())

    def _local(self) -> tuple[Any, LedgerStore]:
        store = LocalStore("store", root=self.folder, key=Path(self.folder) / "age.key")
        return store, store.ledgers()

    def _vault(self) -> tuple[Any, LedgerStore]:
        from keysteward.providers.vault import Vault  # noqa: PLC0415 - a program that uses none does not import it

        store = Vault("store", url=self.vault, mount="secret", admin="env:BENCH_VAULT_TOKEN")
        return store, store.ledgers("keysteward")


@dataclass(frozen=True)
class Tally:
    """Calls to the stores and to the ledger store, by name."""

    store: Counter[str] = field(default_factory=Counter)
    ledgers: Counter[str] = field(default_factory=Counter)


def session(stack: Stack, access: Access, tally: Tally | None = None) -> Session:
    """Open a session as the command line does; with a tally, over ports that count."""
    ledgers = Counted(stack.ledgers, tally.ledgers) if tally else stack.ledgers
    stores = {name: Counted(store, tally.store) if tally else store for name, store in stack.stores.items()}
    opened = Session(stack.identity, cast("LedgerStore", ledgers), access=access, specs=stack.specs, limit=stack.limit)
    opened.add_ports(stack.targets, cast("Mapping[str, Store]", stores))
    return opened


def preview(stack: Stack) -> Mapping[str, Assessed]:
    """Check the declarations and plan every one of them through a reader's session."""
    check(stack, OWNERS, CHECKED_ON)
    reader = session(stack, "reader")
    for identity, server in stack.server_specs.items():
        reader.servers.preview(identity, server)
    return {identity: assess(reader.snapshot.world(identity, spec)) for identity, spec in stack.specs.items()}


def open_runner(stack: Stack, tally: Tally | None = None) -> Session:
    """Open a runner's session, bring the resource servers up, and read what all clients share."""
    runner = session(stack, "runner", tally)
    runner.open()
    for identity, server in stack.server_specs.items():
        runner.servers.run(identity, server)
    first = next(iter(stack.specs.values()))
    assess(runner.snapshot.world(first.identity, first))
    return runner


def create(runner: Session, specs: Iterable[Spec], made: Callable[[], int], *, threads: int = THREADS) -> list[int]:
    """Run credentials until nothing is due; returns for each by how much `made` went up in its thread.

    Raises KeystewardError when one of them was not created.
    """

    def run(spec: Spec) -> int:
        before = made()
        result = runner.credentials.run(spec.identity, spec)
        if result.wait is not None or result.ledger is None or result.ledger.current is None:
            raise KeystewardError("the bench's client was not created", credential=spec.identity)
        return made() - before

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(run, specs))
