"""A store in a KV version 2 engine of Vault or OpenBao."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from keysteward.core.contract.introduction import Introduction, Starter
from keysteward.core.contract.observed import Delivered
from keysteward.core.contract.ports import Check, Descriptor, Material
from keysteward.core.errors import Damaged, VersionConflict
from keysteward.host.pool import in_pool
from keysteward.providers.documents import document as documents
from keysteward.providers.documents import staging as stagings
from keysteward.providers.documents.description import NOBODYS, Description, delivered
from keysteward.providers.documents.store import STAGING, DocumentStore
from keysteward.providers.kit.templates import template
from keysteward.providers.vault import marks
from keysteward.providers.vault.client import Auth, Connection, VaultClient
from keysteward.providers.vault.diagnosis import diagnose
from keysteward.providers.vault.kv import Found, Kv
from keysteward.providers.vault.ledgers import VaultLedgers

log = logging.getLogger(__name__)

ATTEMPTS = 4
"""How often a change is made anew on what another writer left; each is decided afresh from what is there."""


class _Held(Protocol):
    """A delivered or staging document, taken apart."""

    @property
    def exists(self) -> bool: ...
    @property
    def empty(self) -> bool: ...
    @property
    def description(self) -> Description: ...


Held = TypeVar("Held", bound=_Held)


@dataclass(frozen=True)
class _Kind(Generic[Held]):
    """How documents of one kind are taken apart and put together, and what Vault is told about them."""

    parse: Callable[[Mapping[str, Any] | None], Held]
    compose: Callable[[Held], dict[str, Any]]
    settings: Mapping[str, int]
    announced: bool


_DOCUMENT = _Kind(documents.parse, documents.compose, {}, announced=True)
# one version: what is staged no longer is not kept
_STAGING = _Kind(stagings.parse, stagings.compose, {"max_versions": 1}, announced=False)


class Vault(DocumentStore[Found]):
    """Documents in a KV version 2 engine; what they hold, without values, stands in their `custom_metadata`.

    `reader` and `admin` are references to a token (`auth="token"`), to "role_id:secret_id" (`"approle"`) or to a JWT
    (`"jwt"`, with `role`). The policies both need are those of `keysteward.providers.vault.policy`. Without `reader`,
    previews use `admin` and read no values with it. `allow_http=True` takes an http:// address of another machine, for
    a mesh or a sidecar that encrypts on the way.
    """

    def __init__(
        self,
        name: str,
        *,
        url: str,
        admin: str,
        reader: str | None = None,
        mount: str = "secret",
        auth: Auth = "token",
        auth_mount: str | None = None,
        role: str | None = None,
        namespace: str | None = None,
        staging: str = STAGING,
        ca: str | None = None,
        allow_http: bool = False,
    ) -> None:
        self.name = name
        self.mount = mount.strip("/")
        self.staging = staging.strip("/")
        self._connection = Connection(name, url.rstrip("/"), auth, auth_mount, role, namespace, ca, allow_http)
        self._admin = VaultClient(self._connection, admin, field="admin")
        self._reader = VaultClient(self._connection, reader, field="reader") if reader else self._admin

    def __repr__(self) -> str:
        return f"Vault({self.name!r}, url={self._connection.url!r}, mount={self.mount!r})"

    @classmethod
    def introduction(cls) -> Introduction:
        """How it is shown in the documentation, and what a new repository has of it."""
        return Introduction(
            starter=Starter(
                declaration=template(__package__, "vault.py"),
                classes=("Vault",),
                called="secrets",
                login="vault",
            ),
        )

    @property
    def descriptor(self) -> Descriptor:
        """How to make this store again."""
        settings = {**self._credentials, "mount": self.mount, "staging": self.staging}
        return Descriptor("keysteward.providers.vault:Vault", settings)

    def ledgers(self, prefix: str = "keysteward") -> VaultLedgers:
        """Return a ledger store under a prefix of the same engine, with the same credentials."""
        return VaultLedgers(**self._credentials, mount=self.mount, prefix=prefix)

    def delivered(self, paths: Iterable[str]) -> Mapping[str, Delivered]:
        """Say what each path holds: one LIST, and one metadata read per path and per staging document.

        Where metadata does not describe the current version a reader answers `unknown`; the runner reads the value
        and repairs the metadata.
        """
        wanted = list(dict.fromkeys(paths))
        staged = set(self._kv.keys(self.staging)) if wanted else set()
        return dict(zip(wanted, in_pool(lambda path: self._delivered(path, staged), wanted), strict=True))

    def neighbours(self, paths: Iterable[str]) -> Iterable[str]:
        """`LIST metadata/{folder}`, once for each folder of these paths."""
        folders = sorted({path.rpartition("/")[0] for path in paths})
        listed = zip(folders, in_pool(self._kv.keys, folders), strict=True)
        found = [f"{folder}/{name}".lstrip("/") for folder, names in listed for name in names if name[-1:] != "/"]
        return [path for path in found if not f"{path}/".startswith(f"{self.staging}/")]

    def diagnose(self, paths: Iterable[str]) -> Iterable[Check]:
        """Say whether Vault answers, is unsealed, has the engine, and gives the rights needed and no others."""
        return diagnose(self._kv, self.staging, list(paths), reading=self._reading)

    @property
    def _credentials(self) -> dict[str, Any]:
        credentials = {"admin": self._admin.reference}
        if self._reader is not self._admin:
            credentials["reader"] = self._reader.reference
        return {**self._connection.settings, **credentials}

    @property
    def _kv(self) -> Kv:
        return Kv(self._reader if self._reading else self._admin, self.mount)

    def _delivered(self, path: str, staged: set[str]) -> Delivered:
        document, document_fits = self._described(_DOCUMENT, path)
        flat = self._staged(path)
        if flat.rpartition("/")[2] not in staged:
            return delivered(document, None, unknown=not document_fits)
        staging, staging_fits = self._described(_STAGING, flat)
        return delivered(document, staging, unknown=not (document_fits and staging_fits))

    def _document(self, path: str) -> documents.Document:
        return documents.parse(self._kv.read(path).data)

    def _staged_at(self, path: str) -> tuple[stagings.Staging, Found | None]:
        found = self._kv.read(self._staged(path))
        return stagings.parse(found.data), found if found.version else None

    def _change_document(
        self,
        path: str,
        identity: str,
        change: Callable[[documents.Document], documents.Document],
        *,
        discarding: bool = False,
    ) -> documents.Document | None:
        return self._change(_DOCUMENT, path, change, identity=identity if discarding else None)

    def _change_staging(
        self,
        path: str,
        identity: str,
        change: Callable[[stagings.Staging], stagings.Staging],
        *,
        seen: Found | None = None,
        discarding: bool = False,
    ) -> stagings.Staging | None:
        del seen  # it is read again: a check-and-set fails otherwise where somebody wrote meanwhile
        return self._change(_STAGING, self._staged(path), change, identity=identity if discarding else None)

    def _described(self, kind: _Kind[Held], path: str) -> tuple[Description | None, bool]:
        metadata = self._kv.metadata(path)
        if metadata is None or not metadata.live:
            return None, True
        said = marks.unpack(metadata.custom)
        fits = said.description if said is not None and said.version == metadata.current else None
        removing = kind.announced and fits is not None and not fits.entries
        if fits is not None and (self._reading or not removing):
            return fits, True
        if self._reading:
            return (NOBODYS, True) if said is None else (Description(said.description.identity), False)
        found = self._kv.read(path)
        if removing and found.data == {}:
            self._kv.delete(path)
            log.info("store=%s path=%s operation=remove outcome=done", self.name, path)
            return None, True
        held = kind.parse(found.data)
        if said is not None or held.description.identity is not None:
            self._describe(kind, path, held.description, found)
            log.info("store=%s path=%s operation=repair outcome=done", self.name, path)
        return (held.description if held.exists else None), True

    def _describe(self, kind: _Kind[Held], path: str, description: Description, found: Found) -> None:
        patch = marks.pack(description, found.version, found.custom)
        if patch:
            self._kv.patch_metadata(path, patch, **kind.settings)

    def _change(
        self, kind: _Kind[Held], path: str, change: Callable[[Held], Held], *, identity: str | None = None
    ) -> Held | None:
        """Read, change and write a document under check-and-set; returns what is left, None when nothing is.

        `identity` is whose leftovers may be removed: a document that its owner emptied or somebody deleted.
        """
        for attempt in range(1, ATTEMPTS + 1):
            found = self._kv.read(path)
            before = kind.parse(found.data)
            after = change(before)
            try:
                if after.empty:
                    self._remove(kind, path, before, found, identity)
                    return None
                raw = kind.compose(after)
                self._announce(kind, path, after, found)
                if raw != found.data:
                    found = Found(raw, self._kv.write(path, raw, found.version), found.custom)
            except VersionConflict:
                if attempt == ATTEMPTS:
                    raise
                continue
            if after.description.identity is not None:
                self._describe(kind, path, after.description, found)
            return after
        raise AssertionError("the last attempt returns or raises")

    def _announce(self, kind: _Kind[Held], path: str, after: Held, found: Found) -> None:
        """Mark a document before its first version, so that a kill in between leaves no stranger's."""
        identity = after.description.identity
        if kind.announced and found.version == 0 and identity is not None and self._kv.metadata(path) is None:
            self._kv.create_metadata(path, marks.announcement(identity))

    def _remove(self, kind: _Kind[Held], path: str, before: Held, found: Found, identity: str | None) -> None:
        """Delete a document with all its versions, after a check-and-set that proves nobody else wrote to it.

        A delivered one is first marked as about to be empty: where a kill leaves it so, the next run deletes it with
        its old versions, which hold secrets. What somebody else emptied has no such mark and stays.
        """
        if before.exists:
            ours = before.description.identity
            if kind.announced and ours is not None:
                self._describe(kind, path, Description(ours), Found(found.data, found.version + 1, found.custom))
            self._kv.write(path, {}, found.version)
        else:
            said = marks.unpack(found.custom)
            if found.version == 0 or said is None or said.description.identity != identity:
                return
        self._kv.delete(path)

    def _forget(self, path: str, generation: int, secret: Material | None) -> None:
        """Destroy old versions that held a generation, and those that somebody deleted but that can be restored."""
        metadata = self._kv.metadata(path)
        if metadata is None:
            return
        older = [version for version in metadata.readable if version < metadata.current]
        held = in_pool(lambda version: self._held_in(path, version, generation, secret), older)
        doomed = {version for version, found in zip(older, held, strict=True) if found}
        doomed.update(version for version in metadata.deleted if version < metadata.current)
        self._kv.destroy(path, sorted(doomed))

    def _held_in(self, path: str, version: int, generation: int, secret: Material | None) -> bool:
        try:
            old = documents.parse(self._kv.read(path, version).data)
        except Damaged:
            return False
        return documents.holds(old, generation, secret)

    def _staged(self, path: str) -> str:
        # "~" stands in no path, so that two paths never share a staging document
        return f"{self.staging}/{path.replace('/', '~')}"
