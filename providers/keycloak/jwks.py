"""The keys of a client, as Keycloak keeps them: one JSON text with all of them, ours and others'.

Entries that cannot be read are kept as they are: a document that holds several keys is read, changed and written.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from keysteward.providers.material import thumbprint

LONGEST_TEXT = 1_000_000
"""A longer text is nobody's key set and is not parsed: 1 MB is a thousand RSA keys."""


@dataclass(frozen=True, slots=True)
class Key:
    """One entry. `id` is its `kid`, else its thumbprint, else its place; `thumbprint` is None when it is malformed."""

    id: str
    thumbprint: str | None
    entry: Any


def read_keys(text: str) -> tuple[Key, ...] | None:
    """Return the entries of a key set, malformed ones too; None when the text is no key set."""
    if not text.strip():
        return ()
    if len(text) > LONGEST_TEXT:
        return None
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return None
    entries = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        return None
    return tuple(_key(entry, place) for place, entry in enumerate(entries))


def with_key(text: str, public: Mapping[str, Any]) -> str | None:
    """Return the key set with one key more, None when it has that key already.

    Raises ValueError when the text is no key set, or holds another key under this `kid`.
    """
    keys = read_keys(text)
    if keys is None:
        raise ValueError("not a key set")
    new = _key(dict(public), len(keys))
    same = [key for key in keys if key.id == new.id]
    if any(key.thumbprint == new.thumbprint for key in same):
        return None
    if same:
        raise ValueError("another key has this kid")
    return _write(text, [*(key.entry for key in keys), dict(public)])


def without_key(text: str, key_id: str) -> str | None:
    """Return the key set without one key, None when it is not there. Raises ValueError when it is no key set."""
    keys = read_keys(text)
    if keys is None:
        raise ValueError("not a key set")
    left = [key.entry for key in keys if key.id != key_id]
    return None if len(left) == len(keys) else _write(text, left)


def _write(text: str, entries: list[Any]) -> str:
    document = json.loads(text) if text.strip() else {}
    return json.dumps({**document, "keys": entries})


def _key(entry: object, place: int) -> Key:
    malformed = f"entry {place + 1}"
    if not isinstance(entry, dict):
        return Key(malformed, None, entry)
    try:
        name: str | None = thumbprint(entry)
    except (KeyError, TypeError, ValueError):
        name = None
    kid = entry.get("kid")
    return Key(kid if isinstance(kid, str) and kid else name or malformed, name, entry)
