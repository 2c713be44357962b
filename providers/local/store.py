"""A store of age-encrypted files under one folder; the `age` tool reads them too."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from keysteward.core.contract.introduction import Introduction, Starter
from keysteward.core.contract.observed import Delivered
from keysteward.core.contract.ports import Check, Descriptor, Material
from keysteward.core.errors import Damaged
from keysteward.host.files import file_errors, locked, make_folder, read_file, replace_file
from keysteward.providers.documents import document as documents
from keysteward.providers.documents import staging as stagings
from keysteward.providers.documents.description import NOBODYS, Description, delivered
from keysteward.providers.documents.store import DocumentStore
from keysteward.providers.kit.templates import template
from keysteward.providers.local.key import AgeKey, default_key_path
from keysteward.providers.local.ledgers import LocalLedgers
from keysteward.providers.local.sealed import Sealed

log = logging.getLogger(__name__)

LEDGER_FILE = "ledgers.sqlite3"


class LocalStore(DocumentStore[stagings.Staging]):
    """Documents as `<root>/<path>.age`, each with a note `<path>.json` that says what it holds, without values.

    `key` is an X25519 identity file as `age-keygen` writes it (default: `age.key` in the user's configuration folder
    for keysteward); it is made by the first write. One process or thread writes at a time, others wait.
    """

    def __init__(self, name: str, *, root: str | Path, key: str | Path | None = None) -> None:
        self.name = name
        self._settings: dict[str, Any] = {"name": name, "root": str(root)}
        if key is not None:
            self._settings["key"] = str(key)
        self._root = Path(root).expanduser()
        self._key = AgeKey(Path(key).expanduser() if key is not None else default_key_path())

    def __repr__(self) -> str:
        return f"LocalStore({self.name!r}, root={str(self._root)!r})"

    @classmethod
    def introduction(cls) -> Introduction:
        """How it is shown in the documentation, and what a new repository has of it."""
        return Introduction(
            starter=Starter(
                declaration=template(__package__, "local.py"),
                classes=("LocalStore",),
                called="secrets",
                ledgers="secrets.ledgers()",
                one_machine=True,
            ),
        )

    @property
    def descriptor(self) -> Descriptor:
        """How to make this store again."""
        return Descriptor("keysteward.providers.local:LocalStore", dict(self._settings))

    def ledgers(self, folder: str | Path | None = None) -> LocalLedgers:
        """Return a ledger store in one SQLite file, in this store's folder or another."""
        base = self._settings["root"] if folder is None else folder
        return LocalLedgers(self.name, path=Path(base) / LEDGER_FILE)

    def delivered(self, paths: Iterable[str]) -> Mapping[str, Delivered]:
        """Say what each path holds. A reader answers `unknown` where a note does not fit; the runner mends it."""
        with file_errors(self.name):
            return {path: self._delivered(path) for path in paths}

    def neighbours(self, paths: Iterable[str]) -> Iterable[str]:
        """List the folders of these paths."""
        folders = sorted({path.rpartition("/")[0] for path in paths})
        with file_errors(self.name):
            found = (file for folder in folders for file in sorted((self._root / folder).glob("*.age")))
            return [str(file.relative_to(self._root).with_suffix("")) for file in found]

    def read(self, path: str, generation: int) -> Material | None:
        """Decrypt the value of one generation."""
        with file_errors(self.name):
            return super().read(path, generation)

    def discard(self, path: str, identity: str, generation: int) -> None:
        """See the base; where there is no file, not even the key is asked for."""
        self._refuse_reader("discard a value")
        if self._sealed(path).document.exists() or self._staged(path).document.exists():
            super().discard(path, identity, generation)

    def diagnose(self, paths: Iterable[str]) -> Iterable[Check]:
        """Say whether the folder can be used, and whether the key is there, private and the right one."""
        yield self._check_root()
        if self._reading:
            return
        if not self._key.exists:
            used = any(self._root.rglob("*.age"))
            detail = "is gone: restore it from a backup" if used else "will be made by the first write"
            yield Check(f"{self.name} key", not used, f"{self._key.path} {detail}")
            return
        private = self._key.private
        advice = "only its owner may read it" if private else f"others may read it: chmod 600 {self._key.path}"
        yield Check(f"{self.name} key", ok=True, warning=not private, detail=f"{self._key.path}: {advice}")
        try:
            for path in paths:
                self._sealed(path).open(self._key)
        except Damaged as error:
            yield Check(f"{self.name} documents", ok=False, detail=error.message)

    def _check_root(self) -> Check:
        place = self._root
        while not place.exists():
            place = place.parent
        right = os.R_OK if self._reading else os.R_OK | os.W_OK
        word = "read" if self._reading else "written"
        able = os.access(place, right)
        return Check(self.name, able, f"{self._root} can {'' if able else 'not '}be {word}")

    def _delivered(self, path: str) -> Delivered:
        document, document_fits = self._described(self._sealed(path), _document_description)
        staging, staging_fits = self._described(self._staged(path), _staging_description)
        return delivered(document, staging, unknown=not (document_fits and staging_fits))

    def _described(
        self, sealed: Sealed, describe: Callable[[Mapping[str, Any]], Description | None]
    ) -> tuple[Description | None, bool]:
        seen = sealed.look()
        if seen.description is None or (seen.fits and (seen.noted or self._reading)):
            return seen.description, True
        if self._reading:
            return Description(seen.description.identity), False
        with locked(self._lock):
            try:
                found = describe(sealed.open(self._key) or {})
            except Damaged:
                if seen.noted:
                    raise
                return NOBODYS, True
            if found is not None and found.identity is not None:
                sealed.mend(found)
                log.info("store=%s file=%s operation=repair outcome=done", self.name, sealed.note)
            return found, True

    def _document(self, path: str) -> documents.Document:
        return documents.parse(self._sealed(path).open(self._key))

    def _staged_at(self, path: str) -> tuple[stagings.Staging, stagings.Staging | None]:
        staged = stagings.parse(self._staged(path).open(self._key))
        return staged, staged

    def _change_document(
        self,
        path: str,
        identity: str,
        change: Callable[[documents.Document], documents.Document],
        *,
        discarding: bool = False,
    ) -> documents.Document | None:
        del identity, discarding  # a removed file leaves nothing over
        sealed = self._sealed(path)
        raw = sealed.open(self._key)
        before = documents.parse(raw)
        after = change(before)
        if after.empty:
            if before.exists:
                self._remove(sealed)
            return None
        composed = documents.compose(after)
        seen = sealed.look()
        if composed != raw:
            sealed.save(self._key, composed, after.description)
        elif after.identity is not None and not (seen.noted and seen.fits):
            sealed.mend(after.description)
        return after

    def _change_staging(
        self,
        path: str,
        identity: str,
        change: Callable[[stagings.Staging], stagings.Staging],
        *,
        seen: stagings.Staging | None = None,
        discarding: bool = False,
    ) -> stagings.Staging | None:
        del identity, discarding  # what was seen still holds: one process at a time writes
        sealed = self._staged(path)
        before = seen or stagings.parse(sealed.open(self._key))
        after = change(before)
        if after.empty:
            self._remove(sealed)
            return None
        if after != before:
            sealed.save(self._key, stagings.compose(after), after.description)
        return after

    def _remove(self, sealed: Sealed) -> None:
        sealed.remove()
        folder = sealed.document.parent
        while folder != self._root and folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
            folder = folder.parent

    @contextmanager
    def _writing(self) -> Iterator[None]:
        self._refuse_reader("write")
        with file_errors(self.name):
            make_folder(self._root)
            with locked(self._lock):
                self._check_key()
                yield

    def _check_key(self) -> None:
        """Make the key for a new store; refuse a key that is not the one the documents were encrypted to."""
        note = self._root / ".recipient"
        noted = (read_file(note) or b"").decode().strip()
        if not self._key.exists and not any(self._root.rglob("*.age")):
            self._key.create()
        recipient = self._key.recipient
        if not noted:
            replace_file(note, f"{recipient}\n".encode())
        elif recipient != noted and any(self._root.rglob("*.age")):
            raise Damaged(
                f"{self._key.path} is not the key that the documents under {self._root} were encrypted to ({noted}): "
                "restore that key from a backup, or name it with key="
            )
        elif recipient != noted:
            replace_file(note, f"{recipient}\n".encode())

    @property
    def _lock(self) -> Path:
        return self._root / ".lock"

    def _sealed(self, path: str) -> Sealed:
        return Sealed(self._root / f"{path}.age", self._root / f"{path}.json", self._where(path))

    def _staged(self, path: str) -> Sealed:
        # "~" stands in no path, so that two paths never share a file
        folder, name = self._root / ".staged", path.replace("/", "~")
        return Sealed(folder / f"{name}.age", folder / f"{name}.json", self._where(path))


def _document_description(raw: Mapping[str, Any]) -> Description | None:
    document = documents.parse(raw)
    return document.description if document.exists else None


def _staging_description(raw: Mapping[str, Any]) -> Description | None:
    return stagings.parse(raw).description
