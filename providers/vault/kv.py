"""The calls of a KV version 2 engine, with check-and-set on every write.

Source: Vault API documentation, "KV secrets engine - version 2".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from keysteward.core.errors import Rejected
from keysteward.providers.vault.client import Absent, VaultClient
from keysteward.providers.vault.models import ListedKeys, OfVersion, ReadMetadata, ReadVersion, WrittenVersion


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
            found = self.client.get(self._data(path), params).read(ReadVersion).data
        except Absent as absent:
            about = absent.metadata
            return Found() if about is None else Found(None, about.version, about.custom_metadata or {})
        return Found(found.data, found.metadata.version, found.metadata.custom_metadata or {})

    def write(self, path: str, data: Mapping[str, Any], cas: int) -> int:
        """`POST data/{path}` with check-and-set; returns the new version. Raises VersionConflict when it lost."""
        body = {"data": data, "options": {"cas": cas}}
        capability = "update" if cas else "create"
        reply = self.client.call("POST", self._data(path), capability, body=body)
        if not reply.body:
            raise Rejected(f"{self.client.connection.name}: {self.mount} is no KV engine of version 2: correct mount=")
        return reply.read(WrittenVersion).data.version

    def metadata(self, path: str) -> Metadata | None:
        """`GET metadata/{path}`; None when there is no entry."""
        try:
            reply = self.client.get(f"{self.mount}/metadata/{path}")
        except Absent:
            return None
        about = reply.read(ReadMetadata).data
        now = reply.date or datetime.now(UTC)
        versions = about.versions or {}
        readable = tuple(sorted(number for number, version in versions.items() if _readable(version, now)))
        deleted = tuple(sorted(n for n, version in versions.items() if n not in readable and not version.destroyed))
        current = about.current_version
        return Metadata(current, current in readable, about.custom_metadata or {}, readable, deleted)

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
            reply = self.client.call("LIST", f"{self.mount}/metadata/{folder}", "list")
        except Absent:
            return []
        return reply.read(ListedKeys).data.keys

    def _data(self, path: str) -> str:
        return f"{self.mount}/data/{path}"


def _readable(version: OfVersion, now: datetime) -> bool:
    """Say whether a version can be read; `now` comes from a Date header, which has whole seconds."""
    ends = version.deletion_time
    return not version.destroyed and (ends is None or ends.replace(microsecond=0) > now)
