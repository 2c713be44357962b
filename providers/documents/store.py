"""The life of delivered documents, the same in every store: staged, promoted, taken over, discarded.

A store is a backend of this: how one document is read and changed there, and what is said of it without its values.
"""

from __future__ import annotations

import copy
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Generic, Self, TypeVar

from keysteward.core.contract.ports import About, Material, StageEntry
from keysteward.core.declare.delivery import Delivery, Webhook
from keysteward.core.errors import AccessDenied, DeclarationError
from keysteward.providers.documents import document as documents
from keysteward.providers.documents import staging as stagings
from keysteward.providers.documents.document import Document
from keysteward.providers.documents.staging import Staging

log = logging.getLogger(__name__)

STAGING = "keysteward/staged"
"""Where staged values are kept unless a store says otherwise: outside every consumer's read right."""

Seen = TypeVar("Seen")
"""What a backend remembers of a staging document that it read, for the change that follows."""


class DocumentStore(ABC, Generic[Seen]):
    """The port's writes and `read` over a backend's documents.

    `name` is the store's; `staging` the folder of staged values in it ("": they lie elsewhere).
    """

    name: str
    staging: str = ""
    _reading = False

    # What a backend is

    @abstractmethod
    def _document(self, path: str) -> Document:
        """Read a delivered document."""

    @abstractmethod
    def _staged_at(self, path: str) -> tuple[Staging, Seen | None]:
        """Read the staging document of a path; None where there is none to drop a value from."""

    @abstractmethod
    def _change_document(
        self, path: str, identity: str, change: Callable[[Document], Document], *, discarding: bool = False
    ) -> Document | None:
        """Change a delivered document in one step; returns what is left, None when nothing is.

        `identity` is for whom. When `discarding`, what was left over of theirs may be removed, and nothing comes back.
        """

    @abstractmethod
    def _change_staging(
        self,
        path: str,
        identity: str,
        change: Callable[[Staging], Staging],
        *,
        seen: Seen | None = None,
        discarding: bool = False,
    ) -> Staging | None:
        """Change the staging document of a path in one step; `seen` is what `_staged_at` remembered."""

    def _forget(self, path: str, generation: int, secret: Material | None) -> None:
        """Destroy what old versions of a document hold of a generation; nothing where none are kept."""

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Do one write. Raises AccessDenied for a reader."""
        self._refuse_reader("write")
        yield

    # What all stores do with it

    def path(
        self,
        path: str,
        *,
        fields: Mapping[str, str] | None = None,
        take_over: bool = False,
        webhook: Webhook | None = None,
    ) -> Delivery:
        """Return a place for `deliver_to`; `fields` gives fields of the document the names its consumer reads."""
        return Delivery(self, path, fields or {}, take_over, webhook)  # type: ignore[arg-type]  # a store is one whole

    def check_path(self, path: str) -> None:
        """Raise DeclarationError for a path at which this store delivers nothing."""
        if self.staging and f"{path}/".startswith(f"{self.staging}/"):
            text = f"deliver_to: {path} lies in {self.staging}, where values are staged; choose another"
            raise DeclarationError(text)

    def as_reader(self) -> Self:
        """Return the same store with the reader's rights: it sees no value and writes nothing."""
        reader = copy.copy(self)
        reader._reading = True  # noqa: SLF001 - a copy of ourselves
        return reader

    def stage(self, path: str, entry: StageEntry, material: Material) -> None:
        """Keep a value in the staging document of its path."""
        with self._writing():
            where = self._where(path)
            self._change_staging(path, entry.identity, lambda held: stagings.add(held, entry, material, where=where))
        self._log("stage", path, entry.generation)

    def read(self, path: str, generation: int) -> Material | None:
        """Read the value of one generation with the runner's rights."""
        self._refuse_reader("read a value")
        return self._document(path).material(generation) or self._staged_at(path)[0].material(generation)

    def promote(
        self, path: str, entry: StageEntry, about: About, fields: Mapping[str, str], *, rollback: bool = False
    ) -> None:
        """Write the document in one step, then drop the staged copy."""
        with self._writing():
            staged, seen = self._staged_at(path)
            material = staged.material(entry.generation) if staged.identity == entry.identity else None
            where = self._where(path)

            def change(document: Document) -> Document:
                return documents.promote(document, entry, about, fields, material, rollback=rollback, where=where)

            self._change_document(path, entry.identity, change)
            if seen is not None:
                self._drop_staged(path, entry.identity, entry.generation, seen)
        self._log("promote", path, entry.generation)

    def take_over(self, path: str, identity: str, *, renamed: bool = False) -> None:
        """Make a document ours. With `renamed` (the identity's own new name) its generations stay known."""
        with self._writing():
            self._change_staging(path, identity, lambda held: stagings.take_over(held, identity, renamed=renamed))
            self._change_document(path, identity, lambda held: documents.take_over(held, identity, renamed=renamed))
        log.info("store=%s path=%s operation=take_over outcome=done", self.name, path)

    def discard(self, path: str, identity: str, generation: int) -> None:
        """Drop one generation from staging and document, then what old versions hold of it."""
        self._refuse_reader("discard a value")
        dropped: list[Material | None] = []

        def change(document: Document) -> Document:
            dropped.append(document.material(generation))
            return documents.discard(document, identity, generation)

        with self._writing():
            self._drop_staged(path, identity, generation)
            left = self._change_document(path, identity, change, discarding=True)
            if left is not None and left.identity == identity:
                self._forget(path, generation, dropped[-1])
        self._log("discard", path, generation)

    def _drop_staged(self, path: str, identity: str, generation: int, seen: Seen | None = None) -> None:
        def change(held: Staging) -> Staging:
            return stagings.drop(held, identity, generation)

        self._change_staging(path, identity, change, seen=seen, discarding=True)

    def _refuse_reader(self, operation: str) -> None:
        if self._reading:
            raise AccessDenied(f"{self.name}: a reader may not {operation}; use the runner", operation=operation)

    def _where(self, path: str) -> str:
        return f"{self.name}:{path}"

    def _log(self, operation: str, path: str, generation: int) -> None:
        log.info("store=%s path=%s operation=%s generation=%d outcome=done", self.name, path, operation, generation)
