"""The keys of a client, as Keycloak keeps them: one JSON text with all of them, ours and others'.

Entries that cannot be read are kept as they are: a document that holds several keys is read, changed and written.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from keysteward.host.material import thumbprint

_ALGORITHMS = {
    "RSA": ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    "P-256": ("ES256",),
    "P-384": ("ES384",),
    "P-521": ("ES512",),
    "Ed25519": ("EdDSA", "Ed25519"),
    "Ed448": ("EdDSA", "Ed448"),
}
"""Signatures that keys of a type, or on a curve, can check (RFC 7518 section 3.1, RFC 8037 section 3.1)."""

LONGEST_TEXT = 1_000_000
"""A longer text is nobody's key set and is not parsed: 1 MB is a thousand RSA keys."""


@dataclass(frozen=True, slots=True)
class Key:
    """One entry. `id` is its `kid`, else says that it has none; `thumbprint` is None when it checks no signature."""

    id: str
    thumbprint: str | None
    entry: Any

    @property
    def text(self) -> str:
        """Return what tells it from others: its thumbprint, or all of it when it is no key for signatures."""
        return self.thumbprint or json.dumps(self.entry, sort_keys=True)


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


def with_key(text: str, public: Mapping[str, Any], instead: Collection[str] = ()) -> str | None:
    """Return the key set with one key more, None when it has that key already and none that gives way to it.

    Entries whose ids are in `instead` give way to it. Raises ValueError when the text is no key set, or holds another
    key under this `kid`.
    """
    keys = read_keys(text)
    if keys is None:
        raise ValueError("not a key set")
    new = _key(dict(public), len(keys))
    others = [key for key in keys if key.text != new.text]
    left = [key for key in others if key.id not in instead]
    if any(key.id == new.id for key in left):
        raise ValueError("another key has this kid")
    if left == others and any((key.id, key.text) == (new.id, new.text) for key in keys):
        return None
    return _write(text, [*(key.entry for key in left), dict(public)])


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
        usable = _checks_signatures(entry)
    except (KeyError, TypeError, ValueError):
        name, usable = None, False
    kid = entry.get("kid")
    nameless = malformed if name is None else f"no kid: {name}"
    return Key(kid if isinstance(kid, str) and kid else nameless, name if usable else None, entry)


def _checks_signatures(entry: Mapping[str, Any]) -> bool:
    """Say whether Keycloak takes a key for signatures: `use` must say so, `alg` must fit or be absent (26.7.5)."""
    fitting = _ALGORITHMS.get(entry.get("crv", entry["kty"]), ())
    return entry.get("use") == "sig" and entry.get("alg") in {None, *fitting}
