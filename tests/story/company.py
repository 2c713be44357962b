"""The sandbox with administrators, and sessions on it as both doors open them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from previews import Previewed, previewed

from keysteward import M2MClient, Owners, ResourceServer, RotationSchedule, Stack
from keysteward.core.declare.credentials import Declaration
from keysteward.core.policy.check import check
from keysteward.core.run.reconciler import Result
from keysteward.operations.owners import owners_of
from keysteward.operations.session import Access, Session
from keysteward.providers.keycloak import Keycloak
from keysteward.providers.local import LocalStore
from keysteward.providers.vault import Vault
from keysteward.sandbox import Sandbox

CHECKED_ON = datetime(2026, 12, 1, tzinfo=UTC)

OWNERS = Owners.model_validate({"teams": {"team-billing": {"contact": "billing@example.com"}}})


class Office:
    """One company on the sandbox: targets and stores with good credentials, and runs over what is declared."""

    def __init__(self, sandbox: Sandbox, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.sandbox, self.folder, self.patch = sandbox, folder, patch
        sandbox.keycloak.add_admin("demo", "runner", "runner-secret", roles={"manage-clients"})
        sandbox.keycloak.add_admin("demo", "reader", "reader-secret", roles={"view-clients"})
        patch.setenv("KC_ADMIN", "runner:runner-secret")
        patch.setenv("KC_READER", "reader:reader-secret")
        patch.setenv("VAULT_RUNNER", "sandbox-root")
        self.corp = self.keycloak()
        self.vault = self.vault_store()
        self.local = LocalStore("local", root=folder / "store", key=folder / "age.key")
        self.ledgers = self.vault.ledgers("keysteward")
        self.billing = ResourceServer(
            "billing-api", target=self.corp, audience="https://billing.example.com", scopes={"invoices:read": "Read"}
        )

    def keycloak(self, **fields: object) -> Keycloak:
        given: dict[str, object] = {
            "url": self.sandbox.keycloak.url,
            "realm": "demo",
            "reader": "env:KC_READER",
            "admin": "env:KC_ADMIN",
        }
        return Keycloak("corp", **{**given, **fields})  # type: ignore[arg-type]

    def vault_store(self, **fields: object) -> Vault:
        given: dict[str, object] = {"url": self.sandbox.vault.url, "admin": "env:VAULT_RUNNER"}
        return Vault("vault", **{**given, **fields})  # type: ignore[arg-type]

    def client(self, name: str = "exporter", **fields: object) -> M2MClient:
        given: dict[str, object] = {
            "target": self.corp,
            "owner": "team-billing",
            "environment": "test",
            "purpose": "Invoices",
            "access": {self.billing: ["invoices:read"]},
            "auth_method": "private_key_jwt",
            "rotation": RotationSchedule(every="90d", overlap="7d"),
            "deliver_to": self.vault.path(f"apps/{name}"),
        }
        return M2MClient(name, **{**given, **fields})  # type: ignore[arg-type]

    def stack(self, *declared: Declaration, **fields: object) -> Stack:
        given: dict[str, object] = {"owners": OWNERS, "ledgers": self.ledgers}
        declarations: Sequence[Declaration] = declared or (self.billing, self.client())
        return Stack("acme/test", declarations=declarations, **{**given, **fields})  # type: ignore[arg-type]

    def session(self, stack: Stack, access: Access = "runner") -> Session:
        check(stack, owners_of(stack), CHECKED_ON)
        session = Session(stack.identity, stack.ledgers, access=access, specs=stack.specs, limit=stack.limit)
        session.add_ports(stack.targets, stack.stores)
        return session

    def preview(self, stack: Stack) -> dict[str, Previewed]:
        session = self.session(stack, "reader")
        return {name: previewed(session.credentials, name, spec) for name, spec in stack.specs.items()}

    def up(self, stack: Stack) -> dict[str, Result]:
        session = self.session(stack)
        for name, server in stack.server_specs.items():
            session.servers.run(name, server)
        return {name: session.credentials.run(name, spec) for name, spec in stack.specs.items()}

    def pass_time(self, **by: float) -> None:
        self.sandbox.clock.advance(timedelta(**by))

    def ours(self) -> set[str]:
        clients = self.sandbox.keycloak.realms["demo"].clients.values()
        return {c.client_id for c in clients if "keysteward.identity" in c.attributes}


@contextmanager
def open_office(folder: Path) -> Iterator[Office]:
    with Sandbox() as sandbox, pytest.MonkeyPatch.context() as patch:
        yield Office(sandbox, folder, patch)
