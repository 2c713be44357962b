"""The evidence log, pure: its segments, their hash chain and their signatures. Nothing is read or written here.

A segment holds the entries of one append. Each entry's hash covers the hash before it, so that one hash, the head,
stands for everything up to it; the head is signed. docs/audit.md has the format, field by field.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from typing import Any, Final, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import TypeAdapter, ValidationError

from keysteward.core.errors import Damaged
from keysteward.core.record.evidence import Entry

AUDIT_FORMAT: Final = 1

PURPOSE: Final = "keysteward audit head"
"""Part of what is signed, so that no signature made for something else is one of a head."""


class Position(NamedTuple):
    """A place in the log: a segment's number, and its head, which stands for all entries up to there."""

    segment: int
    head: str


@dataclass(frozen=True, slots=True)
class Head:
    """The signed end of one segment. Everything but `signature` is signed.

    `previous` is the head of the segment before, `count` the number of entries up to here. `public_key` is the raw
    Ed25519 key in base64url and `key` its RFC 7638 thumbprint; `attestation` is the SHA-256 of the CI's identity token
    that binds this key. All four are empty in a log without signer.
    """

    format: int
    stack: str
    number: int
    previous: str
    count: int
    head: str
    key: str = ""
    public_key: str = ""
    attestation: str = ""
    signature: str = ""

    @property
    def position(self) -> Position:
        """Return the place in the log."""
        return Position(self.number, self.head)

    @property
    def statement(self) -> bytes:
        """Return what is signed."""
        plain = asdict(self)
        del plain["signature"]
        return canonical({"purpose": PURPOSE, **plain})

    @property
    def signed(self) -> bool:
        """Say whether the signature is one of the public key, and `key` that key's name."""
        try:
            raw = _decoded(self.public_key)
            Ed25519PublicKey.from_public_bytes(raw).verify(_decoded(self.signature), self.statement)
        except (InvalidSignature, ValueError):
            return False
        return self.key == key_id(raw)


@dataclass(frozen=True, slots=True)
class Line:
    """One entry as it is stored, and the hash that covers it and all before it."""

    entry: Mapping[str, Any]
    hash: str


@dataclass(frozen=True, slots=True)
class Segment:
    """The entries of one append. `token` is the CI's identity token, kept in the first segment that its key signed."""

    head: Head
    lines: tuple[Line, ...]
    token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Signing:
    """A key that signs: its public half, how it signs (base64url), and what binds it to an identity."""

    public_key: bytes
    sign: Callable[[bytes], bytes]
    token: str | None = field(default=None, repr=False)


_HEAD_TYPES: Final = {n: int if n in {"format", "number", "count"} else str for n in Head.__dataclass_fields__}


@cache
def _entries() -> TypeAdapter[Entry]:
    """Return what writes and reads entries; most commands do neither."""
    return TypeAdapter(Entry)


def canonical(value: object) -> bytes:
    """Return JSON as RFC 8785 writes it, for documents of text and whole numbers: sorted, without spaces, UTF-8."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode("utf-8", "surrogatepass")


def key_id(public_key: bytes) -> str:
    """Return the RFC 7638 thumbprint of an Ed25519 key (its JWK is that of RFC 8037, section 2)."""
    return _encoded(hashlib.sha256(canonical({"crv": "Ed25519", "kty": "OKP", "x": _encoded(public_key)})).digest())


def audience(key: str) -> str:
    """Return the audience of the identity token that binds a key: it is good for nothing else."""
    return f"keysteward-audit:{key}"


def genesis(stack: str) -> str:
    """Return what stands for the head before the first segment of a stack."""
    return hashlib.sha256(canonical({"audit": stack, "format": AUDIT_FORMAT})).hexdigest()


def link(previous: str, entry: Mapping[str, Any]) -> str:
    """Return the hash of an entry that follows another hash."""
    return hashlib.sha256(previous.encode("utf-8", "surrogatepass") + b"\n" + canonical(entry)).hexdigest()


def dump_entry(entry: Entry) -> dict[str, Any]:
    """Write an entry as JSON. Halves of characters, which no UTF-8 holds, become question marks."""
    plain: dict[str, Any] = _entries().dump_python(_whole(entry), mode="json", exclude_none=True)
    return plain


def load_entry(plain: Mapping[str, Any]) -> Entry:
    """Read an entry back. Raises Damaged when it is none."""
    try:
        return _entries().validate_python(dict(plain))
    except (ValidationError, ValueError, TypeError):
        raise Damaged("an entry of the audit log cannot be read: run `keysteward audit verify`") from None


def _whole(entry: Entry) -> Entry:
    """Return the entry with every text in whole characters."""

    def mended(item: Any) -> dict[str, Any]:  # noqa: ANN401 - an entry or its author
        texts = {name: getattr(item, name) for name in item.__dataclass_fields__}
        return {n: t.encode("utf-8", "replace").decode() for n, t in texts.items() if isinstance(t, str)}

    return replace(entry, **mended(entry), author=replace(entry.author, **mended(entry.author)))


def make_segment(stack: str, after: Head | None, entries: Sequence[Entry], signing: Signing | None) -> Segment:
    """Make the segment that follows `after` (None: the first one)."""
    previous = head = after.head if after is not None else genesis(stack)
    lines = []
    for entry in entries:
        plain = dump_entry(entry)
        head = link(head, plain)
        lines.append(Line(plain, head))
    number, count = (after.number, after.count) if after is not None else (0, 0)
    made = Head(AUDIT_FORMAT, stack, number + 1, previous, count + len(lines), head)
    token = signing.token if signing is not None else None
    return Segment(_signed(made, signing), tuple(lines), token)


def _signed(head: Head, signing: Signing | None) -> Head:
    if signing is None:
        return head
    named = replace(
        head,
        key=key_id(signing.public_key),
        public_key=_encoded(signing.public_key),
        attestation=attestation_of(signing.token),
    )
    return replace(named, signature=_encoded(signing.sign(named.statement)))


def attestation_of(token: str | None) -> str:
    """Return what a head says of an identity token."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest() if token else ""


def dump_head(head: Head) -> dict[str, Any]:
    """Write a head as JSON: the hint beside the log, and an anchor."""
    return asdict(head)


def load_head(document: object) -> Head:
    """Read a head. Raises Damaged when it is none of a format we know."""
    types = {name: type(value) for name, value in document.items()} if isinstance(document, Mapping) else {}
    if not isinstance(document, Mapping) or types != _HEAD_TYPES:
        raise Damaged("this is no head of an audit log")
    head = Head(**document)
    if head.format != AUDIT_FORMAT or head.number < 1:
        raise Damaged("this is no head of an audit log that this keysteward reads")
    return head


def dump_segment(segment: Segment) -> dict[str, Any]:
    """Write a segment as the JSON document that is stored."""
    token = {} if segment.token is None else {"token": segment.token}
    lines = [{"hash": line.hash, "entry": dict(line.entry)} for line in segment.lines]
    return {**dump_head(segment.head), "entries": lines, **token}


def load_segment(document: Mapping[str, Any]) -> Segment:
    """Read a segment. Raises Damaged when it is none; whether it was altered is not asked here."""
    if not isinstance(document, Mapping):
        raise Damaged("this is no segment of an audit log")
    head = load_head({name: value for name, value in document.items() if name not in {"entries", "token"}})
    lines, token = document.get("entries"), document.get("token")
    if not isinstance(lines, list) or not all(_is_line(line) for line in lines) or not isinstance(token, str | None):
        raise Damaged("this is no segment of an audit log")
    return Segment(head, tuple(Line(line["entry"], line["hash"]) for line in lines), token)


def _is_line(line: object) -> bool:
    if not isinstance(line, Mapping) or set(line) != {"entry", "hash"}:
        return False
    return isinstance(line["entry"], Mapping) and isinstance(line["hash"], str)


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decoded(text: str) -> bytes:
    """Read base64url. Raises ValueError for any other way to write the same bytes."""
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, UnicodeEncodeError):
        raise ValueError(text) from None
    if _encoded(raw) != text:
        raise ValueError(text)
    return raw
