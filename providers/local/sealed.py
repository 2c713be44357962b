"""One encrypted document and, beside it, the description that a reader may see."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keysteward.core.errors import Damaged
from keysteward.host.files import read_file, remove_file, replace_file
from keysteward.host.json_text import json_text
from keysteward.providers.documents.description import NOBODYS, Description, read_description, write_description
from keysteward.providers.local.key import AgeKey

NOTE_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Seen:
    """What can be said of a document without decrypting it.

    `description` is None when there is no document; `fits` is False when the note beside it describes another one.
    """

    description: Description | None
    fits: bool
    noted: bool


@dataclass(frozen=True, slots=True)
class Sealed:
    """The files `<path>.age` (the document) and `<path>.json` (the note: description and SHA-256 of the document).

    The note is written first. After a kill in between it does not fit the document, and whoever has the key mends it.
    """

    document: Path
    note: Path
    where: str

    def look(self) -> Seen:
        """Say what is there without the key."""
        blob = read_file(self.document)
        if blob is None:
            return Seen(None, fits=True, noted=False)
        try:
            note = json.loads(read_file(self.note) or b"{}")
            if note.get("format") != NOTE_FORMAT:
                return Seen(NOBODYS, fits=not note, noted=bool(note))
            fits = note.get("sha256") == hashlib.sha256(blob).hexdigest()
            return Seen(read_description(note), fits=fits, noted=True)
        except (ValueError, AttributeError, RecursionError, Damaged):
            return Seen(NOBODYS, fits=False, noted=True)

    def open(self, key: AgeKey) -> dict[str, Any] | None:
        """Decrypt the document; None when it is not there. Raises Damaged when it cannot be decrypted or read."""
        blob = read_file(self.document)
        if blob is None:
            return None
        plain = key.decrypt(blob, where=self.where)
        try:
            document = json.loads(plain)
        except (ValueError, RecursionError):
            document = None
        if not isinstance(document, dict):
            raise Damaged(f"{self.where} is encrypted, but holds no JSON object: move {self.document} away")
        return document

    def save(self, key: AgeKey, document: Mapping[str, Any], description: Description) -> None:
        """Replace document and note."""
        blob = key.encrypt(json_text(document, indent=1).encode())
        self._write_note(blob, description)
        replace_file(self.document, blob)

    def mend(self, description: Description) -> None:
        """Write the note anew for the document that is there."""
        blob = read_file(self.document)
        if blob is not None:
            self._write_note(blob, description)

    def remove(self) -> None:
        """Remove document and note; gone already is success."""
        remove_file(self.document)
        remove_file(self.note)

    def _write_note(self, blob: bytes, description: Description) -> None:
        note = {
            "format": NOTE_FORMAT,
            "sha256": hashlib.sha256(blob).hexdigest(),
            **write_description(description),
        }
        replace_file(self.note, json.dumps(note, indent=1).encode())
