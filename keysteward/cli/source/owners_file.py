"""Notes in the owners file until when imported credentials may be without owner, one line and no more."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import yaml

from keysteward.core.declare.owners import Owners
from keysteward.core.errors import DeclarationError
from keysteward.host.strict_yaml import read_file, read_text

FIELD = "unassigned_until"


@dataclass(frozen=True, slots=True)
class Note:
    """One line for the owners file; `words` tell of it. Without a file a person has to write it."""

    words: str
    file: Path | None = None
    text: str = ""

    def write(self) -> None:
        """Write the file with its new line."""
        if self.file is not None:
            self.file.write_bytes(self.text.encode())


def note_unassigned(owners: str | Owners, until: date, root: Path) -> Note:
    """Return the note that an owners file gets. Raises DeclarationError where it cannot get one safely."""
    if isinstance(owners, Owners):
        return Note(f"write {FIELD}=date({until.year}, {until.month}, {until.day}) into Owners(...) of the stack")
    file = root / owners
    document = read_file(file, owners)
    ending = "\r\n" if "\r\n" in document.text else "\n"
    line = f"{FIELD}: {until}"
    before = document.before + document.text
    joint = "" if not before or before.endswith("\n") else ending
    text = f"{before}{joint}{line}{ending}"
    flow = isinstance(document.root, yaml.MappingNode) and document.root.flow_style
    value = document.value or {}
    try:
        same = not flow and isinstance(value, dict) and read_text(text, owners).value == {**value, FIELD: str(until)}
    except DeclarationError:
        same = False
    if not same:
        raise DeclarationError(f"{owners}: write {line} into it by hand, then run again")
    return Note(f"{owners} says {line}; until then a missing owner is a finding, and from then on an error", file, text)
