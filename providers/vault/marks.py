"""Our keys in a document's `custom_metadata`: what it holds, and which version that describes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from keysteward.core.contract.observed import DeliveredEntry
from keysteward.core.errors import Damaged
from keysteward.providers.documents.description import Description, read_entry, write_entry

PREFIX = "keysteward-"
VALUE_BYTES = 512
"""Longest value of a custom_metadata key (KV version 2 API documentation); longer ones go on in `<key>+1`, …"""

_IDENTITY, _VERSION = "identity", "version"
_CURRENT, _PREVIOUS, _STAGED = "current", "previous", "staged-"


@dataclass(frozen=True, slots=True)
class Marks:
    """What the metadata says. `version` is the document's version it speaks of."""

    description: Description
    version: int


def announcement(identity: str) -> dict[str, str]:
    """Return the mark of a document that is about to be written."""
    return _split(f"{PREFIX}{_IDENTITY}", identity)


def pack(description: Description, version: int, present: Mapping[str, str]) -> dict[str, str | None]:
    """Return the patch that makes the metadata say this; keys of ours that no longer hold are removed."""
    wanted: dict[str, str] = {}
    if description.identity is not None:
        wanted |= announcement(description.identity)
        wanted[f"{PREFIX}{_VERSION}"] = str(version)
    entries = {_CURRENT: description.current, _PREVIOUS: description.previous}
    entries |= {f"{_STAGED}{entry.generation}": entry for entry in description.staged}
    for name, entry in entries.items():
        if entry is not None:
            wanted |= _split(f"{PREFIX}{name}", json.dumps(write_entry(entry), separators=(",", ":")))
    patch: dict[str, str | None] = {key: None for key in present if key.startswith(PREFIX) and key not in wanted}
    return patch | {key: value for key, value in wanted.items() if present.get(key) != value}


def unpack(custom: Mapping[str, str]) -> Marks | None:
    """Read our keys; None when there is no mark of ours. What cannot be read describes version -1, so none."""
    joined = _join({key.removeprefix(PREFIX): text for key, text in custom.items() if key.startswith(PREFIX)})
    identity = joined.get(_IDENTITY)
    if identity is None:
        return None
    try:
        entries = {name: _entry(text) for name, text in joined.items() if name not in {_IDENTITY, _VERSION}}
        version = int(joined.get(_VERSION, -1))
    except (ValueError, RecursionError, Damaged):
        return Marks(Description(identity), -1)
    staged = sorted(
        (entry for name, entry in entries.items() if name.startswith(_STAGED)), key=lambda entry: entry.generation
    )
    return Marks(Description(identity, entries.get(_CURRENT), entries.get(_PREVIOUS), tuple(staged)), version)


def _entry(text: str) -> DeliveredEntry:
    return read_entry(json.loads(text))


def _split(key: str, text: str) -> dict[str, str]:
    """Cut a text, ASCII but for identities, into values of the length allowed."""
    size = VALUE_BYTES if text.isascii() else VALUE_BYTES // 4
    parts = [text[start : start + size] for start in range(0, len(text), size)]
    return {key if number == 0 else f"{key}+{number}": part for number, part in enumerate(parts)}


def _join(parts: Mapping[str, str]) -> dict[str, str]:
    whole = {key: text for key, text in parts.items() if "+" not in key}
    for key in whole:
        number = 1
        while (more := parts.get(f"{key}+{number}")) is not None:
            whole[key] += more
            number += 1
    return whole
