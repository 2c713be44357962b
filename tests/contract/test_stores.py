"""The store contract over every store: local files, the Vault stand-in, a real Vault or OpenBao, Secrets Manager."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pyrage
import pytest
import requests
from aws_server import REGION, AwsServer

from keysteward.core.contract.ports import Store
from keysteward.providers.aws import SecretsManager
from keysteward.providers.local import LocalStore
from keysteward.providers.vault import Vault, policy
from keysteward.providers.vault.policy import Kind
from keysteward.sandbox import VaultStandIn
from keysteward.testing.store_contract import StoreContract
from keysteward.testing.store_world import StoreWorld

if TYPE_CHECKING:
    from real_servers import RealVault


class LocalWorld:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.key = folder / "age.key"
        self.store: Store = LocalStore("files", root=folder / "root", key=self.key)

    def document(self, path: str) -> dict[str, Any] | None:
        file = self.folder / "root" / f"{path}.age"
        return json.loads(self._decrypt(file)) if file.exists() else None

    def put(self, path: str, document: dict[str, Any]) -> None:
        if not self.key.exists():
            self.key.write_text(f"{pyrage.x25519.Identity.generate()}\n")
        file = self.folder / "root" / f"{path}.age"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(pyrage.encrypt(json.dumps(document).encode(), [self._identity().to_public()]))

    def everything(self) -> str:
        files = [file for file in (self.folder / "root").rglob("*") if file.is_file()]
        return "".join(self._decrypt(f) if f.suffix == ".age" else f.read_text() for f in files)

    def _decrypt(self, file: Path) -> str:
        return pyrage.decrypt(file.read_bytes(), [self._identity()]).decode()

    def _identity(self) -> pyrage.x25519.Identity:
        return pyrage.x25519.Identity.from_str(self.key.read_text().splitlines()[-1])


class VaultWorld:
    """A KV engine of its own; runner and reader hold tokens with the policies that are shipped."""

    def __init__(self, url: str, root: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.url, self.root = url, root
        self.mount = f"kv-{uuid.uuid4().hex[:8]}"
        self.call("POST", f"sys/mounts/{self.mount}", {"type": "kv", "options": {"version": "2"}})
        monkeypatch.setenv("CONTRACT_READER", self.token("reader"))
        monkeypatch.setenv("CONTRACT_RUNNER", self.token("runner"))
        credentials = {"admin": "env:CONTRACT_RUNNER", "reader": "env:CONTRACT_READER"}
        self.store: Store = Vault("secrets", url=url, mount=self.mount, **credentials)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.call("DELETE", f"sys/mounts/{self.mount}")

    def token(self, kind: Kind) -> str:
        name = f"{self.mount}-{kind}"
        # the paths of the contract lie in apps/ and a…
        text = policy(kind, mount=self.mount, delivered="a*")
        self.call("PUT", f"sys/policies/acl/{name}", {"policy": text})
        made: str = self.call("POST", "auth/token/create", {"policies": [name]}).json()["auth"]["client_token"]
        return made

    def document(self, path: str) -> dict[str, Any] | None:
        answer = self.call("GET", f"{self.mount}/data/{path}")
        return answer.json()["data"]["data"] if answer.ok else None

    def put(self, path: str, document: dict[str, Any]) -> None:
        assert self.call("POST", f"{self.mount}/data/{path}", {"data": document}).ok

    def everything(self) -> str:
        texts = []
        for path in self.walk():
            metadata = self.call("GET", f"{self.mount}/metadata/{path}").json()["data"]
            versions = [self.call("GET", f"{self.mount}/data/{path}?version={v}") for v in metadata["versions"]]
            texts += [metadata, [version.json() for version in versions]]
        return json.dumps(texts)

    def walk(self, folder: str = "") -> Iterator[str]:
        answer = self.call("LIST", f"{self.mount}/metadata/{folder}")
        for key in answer.json()["data"]["keys"] if answer.ok else []:
            if key.endswith("/"):
                yield from self.walk(f"{folder}{key}")
            else:
                yield f"{folder}{key}"

    def call(self, method: str, path: str, body: object = None) -> requests.Response:
        headers = {"X-Vault-Token": self.root}
        return requests.request(method, f"{self.url}/v1/{path}", headers=headers, json=body, timeout=10)


class AwsWorld:
    """Secrets of one account; runner and reader hold access keys with the policies that are shipped."""

    def __init__(self, aws: AwsServer, monkeypatch: pytest.MonkeyPatch) -> None:
        self.aws = aws
        self.client = aws.client("secretsmanager")
        # the paths of the contract lie in apps/ and a…
        monkeypatch.setenv("CONTRACT_RUNNER", aws.grant("AKIARUNNER0000000000", "runner", delivered="a*"))
        monkeypatch.setenv("CONTRACT_READER", aws.grant("AKIAREADER0000000000", "reader", delivered="a*"))
        names = {"Effect": "Allow", "Action": ["secretsmanager:ListSecrets"], "Resource": "*"}
        aws.policies["AKIAREADER0000000000"]["Statement"].append(names)  # not shipped: it cannot be bounded to some
        credentials = {"admin": "env:CONTRACT_RUNNER", "reader": "env:CONTRACT_READER"}
        self.store: Store = SecretsManager("secrets", region=REGION, endpoint_url=aws.url, **credentials)

    def document(self, path: str) -> dict[str, Any] | None:
        try:
            return json.loads(self.client.get_secret_value(SecretId=path)["SecretString"])
        except (self.client.exceptions.ResourceNotFoundException, self.client.exceptions.InvalidRequestException):
            return None

    def put(self, path: str, document: dict[str, Any]) -> None:
        text = json.dumps(document)
        if path in self.aws.secrets():
            self.client.put_secret_value(SecretId=path, SecretString=text)
        else:
            self.client.create_secret(Name=path, SecretString=text)

    def everything(self) -> str:
        return self.aws.everything()


class TestLocal(StoreContract):
    @pytest.fixture
    def world(self, tmp_path: Path) -> StoreWorld:
        return LocalWorld(tmp_path)


class TestVaultStandIn(StoreContract):
    @pytest.fixture
    def world(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[StoreWorld]:
        with VaultStandIn() as vault, VaultWorld(vault.url, "sandbox-root", monkeypatch) as world:
            yield world


class TestSecretsManager(StoreContract):
    @pytest.fixture
    def world(self, aws: AwsServer, monkeypatch: pytest.MonkeyPatch) -> StoreWorld:
        return AwsWorld(aws, monkeypatch)


@pytest.mark.real("vault")
class TestRealVault(StoreContract):
    @pytest.fixture
    def world(self, real_vault: RealVault, monkeypatch: pytest.MonkeyPatch) -> Iterator[StoreWorld]:
        with VaultWorld(real_vault.url, real_vault.token, monkeypatch) as world:
            yield world
