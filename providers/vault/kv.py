"""The calls of a KV version 2 engine, with check-and-set on every write.

Source: Vault API documentation, "KV secrets engine - version 2".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import requests

from keysteward.core.errors import Rejected
from keysteward.providers.vault.client import Absent, VaultClient


@dataclass(frozen=True, slots=True)
class Found:
    """One version of a document. `data` is None when there is none or it was deleted; `version` 0: never written."""

    data: dict[str, Any] | None = None
    version: int = 0
    custom: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Metadata:
    """What Vault says of a document without its data. `live`: its current version can be read."""

    current: int
    live: bool
    custom: Mapping[str, str]
    readable: tuple[int, ...] = ()
    deleted: tuple[int, ...] = ()


class Kv:
    """One KV version 2 engine at `mount`, as one credential sees it."""

    def __init__(self, client: VaultClient, mount: str) -> None:
        self.client = client
        self.mount = mount

    def read(self, path: str, version: int | None = None) -> Found:
        """`GET data/{path}`: the current or another version."""
        params = None if version is None else {"version": version}
        try:
            data = self.client.get(self._data(path), params).json()["data"]
        except Absent as absent:
            data = (absent.document.get("data") or {}) | {"data": None}
        metadata = data.get("metadata") or {}
        return Found(data["data"], int(metadata.get("version", 0)), metadata.get("custom_metadata") or {})

    def write(self, path: str, data: Mapping[str, Any], cas: int) -> int:
        """`POST data/{path}` with check-and-set; returns the new version. Raises VersionConflict when it lost."""
        body = {"data": data, "options": {"cas": cas}}
        capability = "update" if cas else "create"
        answer = self.client.call("POST", self._data(path), capability, body=body)
        try:
            return int(answer.json()["data"]["version"])
        except (ValueError, KeyError, TypeError):
            pass
        raise Rejected(f"{self.client.connection.name}: {self.mount} is no KV engine of version 2: correct mount=")

    def metadata(self, path: str) -> Metadata | None:
        """`GET metadata/{path}`; None when there is no entry."""
        try:
            answer = self.client.get(f"{self.mount}/metadata/{path}")
        except Absent:
            return None
        plain = answer.json()["data"]
        now = _server_time(answer)
        versions = {int(number): version for number, version in (plain.get("versions") or {}).items()}
        readable = tuple(sorted(number for number, version in versions.items() if _readable(version, now)))
        deleted = tuple(sorted(n for n, v in versions.items() if n not in readable and not v.get("destroyed")))
        current = int(plain.get("current_version") or 0)
        return Metadata(current, current in readable, plain.get("custom_metadata") or {}, readable, deleted)

    def create_metadata(self, path: str, custom: Mapping[str, str]) -> None:
        """`POST metadata/{path}` for an entry that is not there yet: POST replaces custom_metadata whole."""
        self.client.call("POST", f"{self.mount}/metadata/{path}", "create", body={"custom_metadata": custom})

    def patch_metadata(self, path: str, custom: Mapping[str, str | None], **settings: int) -> None:
        """`PATCH metadata/{path}`: merges, so that settings and keys of others stay; None removes a key."""
        body = {"custom_metadata": custom, **settings}
        self.client.call("PATCH", f"{self.mount}/metadata/{path}", "patch", body=body)

    def delete(self, path: str) -> None:
        """`DELETE metadata/{path}`: all versions and the metadata. Gone already is success."""
        self.client.call("DELETE", f"{self.mount}/metadata/{path}", "delete")

    def destroy(self, path: str, versions: list[int]) -> None:
        """`PUT destroy/{path}`: removes the data of versions for good."""
        if versions:
            self.client.call("PUT", f"{self.mount}/destroy/{path}", "update", body={"versions": versions})

    def keys(self, folder: str) -> list[str]:
        """`LIST metadata/{folder}`: direct children, folders with a slash behind."""
        try:
            answer = self.client.call("LIST", f"{self.mount}/metadata/{folder}", "list")
        except Absent:
            return []
        return [str(key) for key in answer.json()["data"]["keys"]]

    def _data(self, path: str) -> str:
        return f"{self.mount}/data/{path}"


def _server_time(answer: requests.Response) -> datetime:
    date = answer.headers.get("Date")
    return parsedate_to_datetime(date) if date else datetime.now(UTC)


def _readable(version: Mapping[str, Any], now: datetime) -> bool:
    deletion = version.get("deletion_time") or ""
    if version.get("destroyed"):
        return False
    # nine digits after the point are more than Python reads
    return not deletion or datetime.fromisoformat(f"{deletion[:19]}+00:00") > now
