"""The delivered document: what consumers read, and how one becomes the next. Pure; shared by all stores.

Its format is public, see docs/stores.md. Our own notes stand in the field `keysteward`; a document without it is
somebody else's. Fields that are not ours survive every change.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import SecretStr

from keysteward.core.contract.observed import OVERWRITTEN, DeliveredEntry
from keysteward.core.contract.ports import About, Material, StageEntry, document_digest
from keysteward.core.declare.delivery import (
    DOCUMENT_FIELDS,
    DOCUMENT_FORMAT,
    NOTES,
    ONLY_CLIENTS,
    ONLY_KEYS,
    check_fields,
)
from keysteward.core.errors import Conflict, Damaged, NotFound
from keysteward.host.material import material_of
from keysteward.providers.documents.description import NOBODYS, Description, read_entry, write_entry

_SECRET_FIELD = {"client_secret": "client_secret", "private_key_jwt": "private_jwk", "api_key": "api_key"}
_CLIENT_FIELDS = ("generation", "client_id", "token_url", "audience", "scopes")
_KEY_FIELDS = ("generation", "holder", "key_id", "audience", "scopes")
_CHECK_CHARACTERS = 32


@dataclass(frozen=True, slots=True)
class Held:
    """One generation in a document. `value` is what stands there now, `check` tells whether it is what we wrote.

    `touched` says that one of the fields beside the value is not what we wrote.
    """

    entry: DeliveredEntry
    method: str
    value: SecretStr | None
    check: str
    public: Mapping[str, Any]
    touched: bool = False

    @property
    def changed(self) -> bool:
        """Say whether somebody removed or overwrote the value."""
        return self.value is None or _check(self.value.get_secret_value()) != self.check

    @property
    def shown(self) -> DeliveredEntry:
        """Return the entry as a planner may see it."""
        fingerprint = OVERWRITTEN if self.changed else self.entry.fingerprint
        about = OVERWRITTEN if self.touched else self.entry.about
        return replace(self.entry, fingerprint=fingerprint, about=about)


@dataclass(frozen=True, slots=True)
class Document:
    """A delivered document, taken apart. `identity` None: nobody's we know; `others`: the fields that are not ours."""

    exists: bool = False
    identity: str | None = None
    fields: Mapping[str, str] = field(default_factory=dict)
    current: Held | None = None
    previous: Held | None = None
    others: Mapping[str, Any] = field(default_factory=dict)

    @property
    def empty(self) -> bool:
        """Say whether nothing is left that anybody could miss."""
        return self.current is None and self.previous is None and not self.others

    @property
    def description(self) -> Description:
        """Return what may be said of it without its values."""
        if self.identity is None:
            return NOBODYS
        return Description(
            self.identity,
            self.current.shown if self.current else None,
            self.previous.shown if self.previous else None,
        )

    def material(self, generation: int) -> Material | None:
        """Return the value of one generation; None when it is not here, or was overwritten."""
        held = self.held(generation)
        if held is None or held.value is None or held.changed:
            return None
        return material_of(held.method, held.value.get_secret_value())

    def held(self, generation: int) -> Held | None:
        """Return one generation, current or previous."""
        return next((h for h in (self.current, self.previous) if h and h.entry.generation == generation), None)


def parse(raw: Mapping[str, Any] | None) -> Document:
    """Take a stored document apart. Raises Damaged for one of a format we do not know."""
    if not raw:
        return Document()
    notes = raw.get(NOTES)
    if not isinstance(notes, Mapping) or "identity" not in notes:
        return Document(exists=True, others=dict(raw))
    if notes.get("format") != DOCUMENT_FORMAT:
        raise Damaged(
            f"the delivered document of {notes['identity']!r} has format {notes.get('format')!r}, this keysteward "
            f"reads format {DOCUMENT_FORMAT}: use the version of keysteward that wrote it"
        )
    try:
        return _parse(raw, notes)
    except (KeyError, TypeError, ValueError, AttributeError):
        pass
    raise Damaged(
        f"the delivered document of {notes['identity']!r} cannot be read: restore its last version in the store, or "
        "move it away, and the next run delivers anew"
    )


def _parse(raw: Mapping[str, Any], notes: Mapping[str, Any]) -> Document:
    identity = notes["identity"]
    if not isinstance(identity, str):
        raise TypeError
    names = _names(notes.get("fields", {}))
    current = _read_held(notes.get("current"), raw, names, identity)
    if current is not None and raw.get(names["identity"]) != identity:
        current = replace(current, touched=True)
    inner = raw.get(names["previous"])
    previous = _read_held(notes.get("previous"), inner if isinstance(inner, Mapping) else {}, names, identity)
    ours = _owned(names, current, previous)
    return Document(
        exists=True,
        identity=identity,
        fields=dict(notes.get("fields", {})),
        current=current,
        previous=previous,
        others={name: value for name, value in raw.items() if name not in ours},
    )


def compose(document: Document) -> dict[str, Any]:
    """Put a document together as it is stored. The inverse of `parse`."""
    if document.identity is None:
        return dict(document.others)
    names = _names(document.fields)
    ours = _owned(names, document.current, document.previous)
    raw = {name: value for name, value in document.others.items() if name not in ours}
    notes: dict[str, Any] = {"format": DOCUMENT_FORMAT, "identity": document.identity}
    if document.fields:
        notes["fields"] = dict(document.fields)
    if document.current or document.previous:
        raw[names["identity"]] = document.identity
    if document.current:
        raw.update(_write_held(document.current, names))
        notes["current"] = _write_notes(document.current)
    if document.previous:
        raw[names["previous"]] = _write_held(document.previous, names)
        notes["previous"] = _write_notes(document.previous)
    raw[NOTES] = notes
    return raw


def promote(
    document: Document,
    entry: StageEntry,
    about: About,
    fields: Mapping[str, str],
    staged: Material | None,
    *,
    rollback: bool,
    where: str,
) -> Document:
    """Make one generation current; `staged` is its value where it is staged.

    Raises Conflict and NotFound as the port says, with `where` ("secrets:apps/billing") in the sentence.
    """
    _check_owner(document, entry.identity, where)
    current, previous = document.current, document.previous
    number = entry.generation
    lower = current is not None and number < current.entry.generation
    if lower and not rollback:
        raise Conflict(
            f"{where} holds generation {current.entry.generation if current else 0}, and generation {number} is older: "
            "it is not made current again except by a rollback"
        )
    held = document.held(number)
    if held and held.entry.fingerprint != entry.fingerprint:
        raise Conflict(
            f"{where} holds generation {number} with fingerprint {held.entry.fingerprint}, not {entry.fingerprint}: "
            "another run issued it; read the ledger again"
        )
    chosen = _chosen(held, entry, about, staged, where)
    if current is None or number == current.entry.generation:
        kept = None if previous is held else previous
    else:
        kept = None if lower else current
    if kept is not None and kept.touched:
        kept = None  # nobody can say any more where its fields would send it
    return replace(
        document, exists=True, identity=entry.identity, fields=check_fields(fields), current=chosen, previous=kept
    )


def take_over(document: Document, identity: str, *, renamed: bool = False) -> Document:
    """Make a document ours; every field survives.

    What another identity's document holds is no generation of ours; with `renamed` it is, under the same numbers.
    """
    if not document.exists or document.identity == identity:
        return document
    if renamed and document.identity is not None:
        current, previous = (_renamed(held, identity) for held in (document.current, document.previous))
        return replace(document, identity=identity, current=current, previous=previous)
    raw = compose(document)
    return Document(exists=True, identity=identity, others={n: v for n, v in raw.items() if n != NOTES})


def _renamed(held: Held | None, identity: str) -> Held | None:
    """Return a generation under the new name of its document, whose digest covers the name."""
    if held is None or held.touched or held.entry.about is None:
        return held
    about = _digest_of(held.public, held.method, identity)
    return replace(held, entry=replace(held.entry, about=about))


def discard(document: Document, identity: str, generation: int) -> Document:
    """Drop one generation wherever the document holds it; another identity's document stays as it is."""
    if document.identity != identity:
        return document
    current, previous = (
        None if held and held.entry.generation == generation else held for held in (document.current, document.previous)
    )
    return replace(document, current=current, previous=previous)


def holds(document: Document, generation: int, secret: Material | None) -> bool:
    """Say whether an old version of a document holds a generation, or its value under any name."""
    if document.held(generation) is not None:
        return True
    text = None if secret is None else _text(secret.value.get_secret_value(), secret.method)
    return text is not None and text in _texts(compose(document))


def _check_owner(document: Document, identity: str, where: str) -> None:
    if not document.exists or document.identity == identity:
        return
    owner = f"belongs to {document.identity}" if document.identity else "holds a document that is not keysteward's"
    raise Conflict(f"{where} {owner}: deliver elsewhere, or set take_over=True to keep its other fields and write here")


def _chosen(held: Held | None, entry: StageEntry, about: About, staged: Material | None, where: str) -> Held:
    if held and not held.changed:
        value, method = held.value, held.method
    elif staged is not None:
        value, method = SecretStr(_text(staged.value.get_secret_value(), staged.method)), staged.method
    else:
        value, method = None, ""
    if value is None:
        raise NotFound(f"{where} holds no value of generation {entry.generation}, staged or delivered: issue a new one")
    remote_id = entry.remote_id or (held.entry.remote_id if held else None)
    public = {
        "generation": entry.generation,
        "client_id": about.client_id,
        "token_url": about.token_url,
        "holder": about.client_id,
        "key_id": remote_id,
        "audience": list(about.audience),
        "scopes": list(about.scopes),
    }
    public = {name: public[name] for name in _public_fields(method)}
    noted = DeliveredEntry(entry.generation, entry.fingerprint, entry.nonce, remote_id, about.digest)
    return Held(noted, method, value, _check(value.get_secret_value()), public)


def _public_fields(method: str) -> tuple[str, ...]:
    return _KEY_FIELDS if method == "api_key" else _CLIENT_FIELDS


def _names(fields: Mapping[str, str]) -> dict[str, str]:
    return {name: fields.get(name, name) for name in DOCUMENT_FIELDS}


def _owned(names: Mapping[str, str], current: Held | None, previous: Held | None) -> set[str]:
    if current is not None:
        others = ONLY_CLIENTS if current.method == "api_key" else ONLY_KEYS
        return {NOTES, *(name for ours, name in names.items() if ours not in others)}
    return {NOTES, names["identity"], names["previous"]} if previous is not None else {NOTES}


def _read_held(
    notes: Mapping[str, Any] | None, raw: Mapping[str, Any], names: Mapping[str, str], identity: str
) -> Held | None:
    if notes is None:
        return None
    method = str(notes.get("method", "client_secret"))
    found = raw.get(names[_SECRET_FIELD.get(method, "client_secret")])
    entry = read_entry(notes)
    public = {name: raw[names[name]] for name in _public_fields(method) if names[name] in raw}
    return Held(
        entry=entry,
        method=method,
        value=None if found is None else SecretStr(_text(found, method)),
        check=str(notes.get("check", "")),
        public=public,
        touched=not _as_written(public, entry, method, identity),
    )


def _as_written(public: Mapping[str, Any], entry: DeliveredEntry, method: str, identity: str) -> bool:
    """Say whether the fields beside a value are those of its entry, whose digest is computed anew from them."""
    if public.get("generation") != entry.generation:
        return False
    if method == "api_key" and public.get("key_id") != entry.remote_id:
        return False
    digest = _digest_of(public, method, identity)
    return digest is not None and entry.about in {None, digest}


def _digest_of(public: Mapping[str, Any], method: str, identity: str) -> str | None:
    """Return the digest of the fields beside a value; None where one is not of its type."""
    name, url = public.get("holder" if method == "api_key" else "client_id"), public.get("token_url", "")
    audience, scopes = public.get("audience"), public.get("scopes")
    if not (isinstance(name, str) and isinstance(url, str) and isinstance(audience, list) and isinstance(scopes, list)):
        return None
    if not all(isinstance(item, str) for item in (*audience, *scopes)) or len(set(scopes)) != len(scopes):
        return None
    return document_digest(identity, name, method, url, tuple(audience), frozenset(scopes))


def _write_held(held: Held, names: Mapping[str, str]) -> dict[str, Any]:
    raw = {names[name]: value for name, value in held.public.items()}
    if held.value is not None:
        name = names[_SECRET_FIELD.get(held.method, "client_secret")]
        raw[name] = _plain(held.value.get_secret_value(), held.method)
    return raw


def _write_notes(held: Held) -> dict[str, Any]:
    return {**write_entry(held.entry), "method": held.method, "check": held.check}


def _text(value: object, method: str) -> str:
    """Return a secret as text; a private JWK in one order of members, however it was written."""
    if method != "private_key_jwt":
        return value if isinstance(value, str) else json.dumps(value)
    try:
        return json.dumps(json.loads(value) if isinstance(value, str) else value, sort_keys=True)
    except (ValueError, RecursionError):
        return str(value)


def _plain(text: str, method: str) -> object:
    """Return a secret as it stands in a document: text, or a private JWK as an object."""
    if method != "private_key_jwt":
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _texts(value: object) -> set[str]:
    """Return every text in a document, and every object in it as text."""
    if isinstance(value, str):
        return {value}
    if isinstance(value, Mapping):
        inner = (_texts(item) for item in value.values())
        return {json.dumps(value, sort_keys=True)}.union(*inner)
    return set().union(*(_texts(item) for item in value)) if isinstance(value, list) else set()


def _check(text: str) -> str:
    """Return what tells an overwritten value from ours. It stands beside the value, so it need not be keyed."""
    return hashlib.sha256(text.encode()).hexdigest()[:_CHECK_CHARACTERS]
