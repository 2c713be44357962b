"""A ledger store in a KV version 2 engine of Vault or OpenBao.

A document is kept as JSON text in `parts`, not as JSON of Vault's own: servers refuse requests with many strings or
entries, long strings or much nesting, and one that keeps its secrets must not stop at a ledger of many generations.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final, Self

from keysteward.core.contract.ports import Check, Descriptor, Stored
from keysteward.core.errors import AccessDenied, Unavailable
from keysteward.host.json_text import json_text
from keysteward.host.pool import in_pool
from keysteward.providers.vault.client import Auth, Connection, VaultClient
from keysteward.providers.vault.diagnosis import diagnose_ledgers
from keysteward.providers.vault.kv import Kv

PARTS: Final = "parts"

PART_CHARACTERS: Final = 32 * 1024
"""Characters in one part. Vault takes strings of 1 MiB (max_json_string_value_length) where nobody set it lower."""

DEEPEST = 32
"""Folders inside of folders: keys of ledgers have fewer than ten parts."""


class VaultLedgers:
    """Ledgers as documents under `prefix`; KV's own version is the compare-and-set version, time is the server's."""

    def __init__(
        self,
        name: str,
        *,
        url: str,
        admin: str,
        reader: str | None = None,
        mount: str = "secret",
        prefix: str = "keysteward",
        auth: Auth = "token",
        auth_mount: str | None = None,
        role: str | None = None,
        namespace: str | None = None,
        ca: str | None = None,
        allow_http: bool = False,
    ) -> None:
        self.name = name
        self.mount = mount.strip("/")
        self.prefix = prefix.strip("/")
        self._connection = Connection(name, url.rstrip("/"), auth, auth_mount, role, namespace, ca, allow_http)
        self._admin = VaultClient(self._connection, admin, field="admin")
        self._reader = VaultClient(self._connection, reader, field="reader") if reader else self._admin
        self._reading = False

    def __repr__(self) -> str:
        return f"VaultLedgers({self.name!r}, url={self._connection.url!r}, prefix={self.prefix!r})"

    @property
    def descriptor(self) -> Descriptor:
        """How to make this ledger store again."""
        settings: dict[str, Any] = {**self._connection.settings, "admin": self._admin.reference}
        if self._reader is not self._admin:
            settings["reader"] = self._reader.reference
        return Descriptor(
            "keysteward.providers.vault:VaultLedgers", {**settings, "mount": self.mount, "prefix": self.prefix}
        )

    def as_reader(self) -> Self:
        """Return the same ledger store with the reader's credential."""
        reader = copy.copy(self)
        reader._reading = True  # noqa: SLF001 - a copy of ourselves
        return reader

    def now(self) -> datetime:
        """Return the time in the server's Date header, to the second."""
        return self._kv.client.health()[1]

    def read(self, key: str) -> Stored:
        """Read one document."""
        found = self._kv.read(self._path(key))
        return Stored(_unpacked(found.data), found.version)

    def write(self, key: str, document: Mapping[str, Any], expected: int) -> int:
        """Write one document under check-and-set."""
        if self._reading:
            raise AccessDenied(f"{self.name}: a reader may not write ledgers; use the runner", operation="write")
        return self._kv.write(self._path(key), _packed(document), expected)

    def list(self, prefix: str) -> Mapping[str, Stored]:
        """Walk the folders under a prefix, level by level, and read the documents found, a few at a time."""
        kv = self._kv
        folders = [prefix.rpartition("/")[0]]
        found: list[str] = []
        depth = 0
        while folders:
            depth += 1
            if depth > DEEPEST:
                text = "its folders never end; check the server, and proxies before it"
                raise Unavailable(f"{self.name}: {text}", operation="list ledgers")
            keys: list[str] = []
            for folder, names in zip(folders, in_pool(lambda f: kv.keys(self._path(f)), folders), strict=True):
                keys += [f"{folder}/{name}" if folder else name for name in names]
            found += [key for key in keys if not key.endswith("/") and key.startswith(prefix)]
            folders = [key.rstrip("/") for key in keys if key.endswith("/") and _may_hold(key, prefix)]
        documents = zip(found, in_pool(self.read, found), strict=True)
        return {key: stored for key, stored in sorted(documents) if stored.document is not None}

    def diagnose(self) -> Iterable[Check]:
        """Say whether Vault answers, is unsealed, and gives the rights needed."""
        return diagnose_ledgers(self._kv, self.prefix, reading=self._reading)

    @property
    def _kv(self) -> Kv:
        return Kv(self._reader if self._reading else self._admin, self.mount)

    def _path(self, key: str) -> str:
        return f"{self.prefix}/{key}" if key else self.prefix


def _may_hold(folder: str, prefix: str) -> bool:
    return folder.startswith(prefix) or prefix.startswith(folder)


def _packed(document: Mapping[str, Any]) -> dict[str, list[str]]:
    text = json_text(document)
    return {PARTS: [text[at : at + PART_CHARACTERS] for at in range(0, len(text), PART_CHARACTERS)]}


def _unpacked(data: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return the document that was written; one of an earlier version, or that is none of ours, as it is there."""
    parts = (data or {}).get(PARTS)
    if not isinstance(parts, list) or not all(isinstance(part, str) for part in parts):
        return data
    try:
        document: dict[str, Any] = json.loads("".join(parts))
    except (ValueError, RecursionError):
        return data
    return document
