"""A KV engine of its own on a Vault, stand-in or real, for the tests of this folder."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
import requests

from keysteward.providers.vault import Vault, policy
from keysteward.providers.vault.policy import Kind
from keysteward.testing.store_world import PATH

ROOT = "sandbox-root"


class Server:
    """A KV engine of its own on one server, with a token per policy."""

    def __init__(self, url: str, root: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.url, self.root, self.monkeypatch = url, root, monkeypatch
        self.mount = f"kv-{uuid.uuid4().hex[:8]}"
        self.call("POST", f"sys/mounts/{self.mount}", {"type": "kv", "options": {"version": "2"}})
        for kind in ("READER", "RUNNER"):
            self.give(kind, self.token(kind.lower()))  # type: ignore[arg-type]

    def token(self, kind: Kind, delivered: str = "apps/*") -> str:
        return self.token_with(policy(kind, mount=self.mount, delivered=delivered))

    def token_with(self, text: str) -> str:
        name = f"test-{uuid.uuid4().hex[:8]}"
        self.call("PUT", f"sys/policies/acl/{name}", {"policy": text})
        made: str = self.call("POST", "auth/token/create", {"policies": [name]}).json()["auth"]["client_token"]
        return made

    def give(self, kind: str, value: str) -> None:
        self.monkeypatch.setenv(f"TEST_{kind}", value)

    def store(self, **settings: Any) -> Vault:  # noqa: ANN401 - whatever Vault takes
        defaults = {"url": self.url, "mount": self.mount, "admin": "env:TEST_RUNNER", "reader": "env:TEST_READER"}
        return Vault("secrets", **{**defaults, **settings})

    def call(self, method: str, path: str, body: object = None, token: str | None = None) -> requests.Response:
        headers = {"X-Vault-Token": token or self.root}
        return requests.request(method, f"{self.url}/v1/{path}", headers=headers, json=body, timeout=10)

    def metadata(self, path: str = PATH) -> dict[str, Any]:
        found: dict[str, Any] = self.call("GET", f"{self.mount}/metadata/{path}").json()["data"]
        return found

    def may(self, token: str, method: str, path: str, body: object = None) -> bool:
        return self.call(method, path.replace("kv/", f"{self.mount}/", 1), body, token).status_code != 403
