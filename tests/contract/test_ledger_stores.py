"""The ledger store contract over SQLite, the Vault stand-in, a real Vault or OpenBao, and DynamoDB."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests
from aws_server import REGION, AwsServer

from keysteward.core.contract.ports import LedgerStore
from keysteward.providers.aws import DynamoLedgers
from keysteward.providers.local import LocalLedgers
from keysteward.providers.vault import VaultLedgers, policy
from keysteward.providers.vault.policy import Kind
from keysteward.sandbox import VaultStandIn
from keysteward.testing.ledger_store_contract import LedgerStoreContract, LedgerWorld

if TYPE_CHECKING:
    from real_servers import RealVault


class LocalWorld:
    def __init__(self, folder: Path) -> None:
        self.path = folder / "new folder" / "ledgers.sqlite3"
        self.opened: list[LocalLedgers] = []
        self.ledgers: LedgerStore = self.again()

    def again(self) -> LedgerStore:
        self.opened.append(LocalLedgers("ledgers", path=self.path))
        return self.opened[-1]


@dataclass
class VaultWorld:
    url: str
    mount: str

    @property
    def ledgers(self) -> LedgerStore:
        return self.again()

    def again(self) -> LedgerStore:
        credentials = {"admin": "env:CONTRACT_RUNNER", "reader": "env:CONTRACT_READER"}
        return VaultLedgers("ledgers", url=self.url, mount=self.mount, **credentials)


def vault_world(url: str, root: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[VaultWorld]:
    def call(method: str, path: str, body: object = None) -> Any:  # noqa: ANN401 - JSON
        answer = requests.request(method, f"{url}/v1/{path}", headers={"X-Vault-Token": root}, json=body, timeout=10)
        assert answer.ok, answer.text
        return answer.json() if answer.content else None

    mount = f"kv-{uuid.uuid4().hex[:8]}"
    call("POST", f"sys/mounts/{mount}", {"type": "kv", "options": {"version": "2"}})
    kinds: tuple[Kind, ...] = ("reader", "runner")
    for kind in kinds:
        text = policy(kind, mount=mount, delivered="apps/*")
        call("PUT", f"sys/policies/acl/{mount}-{kind}", {"policy": text})
        token = call("POST", "auth/token/create", {"policies": [f"{mount}-{kind}"]})["auth"]["client_token"]
        monkeypatch.setenv(f"CONTRACT_{kind.upper()}", token)
    yield VaultWorld(url, mount)
    call("DELETE", f"sys/mounts/{mount}")


class AwsWorld:
    def __init__(self, aws: AwsServer, monkeypatch: pytest.MonkeyPatch) -> None:
        self.url = aws.url
        aws.make_table()
        monkeypatch.setenv("CONTRACT_RUNNER", aws.grant("AKIARUNNER0000000000", "runner", delivered="apps/*"))
        monkeypatch.setenv("CONTRACT_READER", aws.grant("AKIAREADER0000000000", "reader", delivered="apps/*"))
        self.ledgers = self.again()

    def again(self) -> LedgerStore:
        credentials = {"admin": "env:CONTRACT_RUNNER", "reader": "env:CONTRACT_READER"}
        return DynamoLedgers("ledgers", region=REGION, endpoint_url=self.url, **credentials)


class TestLocal(LedgerStoreContract):
    @pytest.fixture
    def world(self, tmp_path: Path) -> Iterator[LedgerWorld]:
        world = LocalWorld(tmp_path)
        yield world
        for ledgers in world.opened:
            ledgers.close()


class TestVaultStandIn(LedgerStoreContract):
    @pytest.fixture
    def world(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[LedgerWorld]:
        with VaultStandIn() as vault:
            yield from vault_world(vault.url, "sandbox-root", monkeypatch)


class TestDynamoDB(LedgerStoreContract):
    @pytest.fixture
    def world(self, aws: AwsServer, monkeypatch: pytest.MonkeyPatch) -> LedgerWorld:
        return AwsWorld(aws, monkeypatch)


@pytest.mark.real("vault")
class TestRealVault(LedgerStoreContract):
    @pytest.fixture
    def world(self, real_vault: RealVault, monkeypatch: pytest.MonkeyPatch) -> Iterator[LedgerWorld]:
        yield from vault_world(real_vault.url, real_vault.token, monkeypatch)
