r"""Picks out of text what may be a secret: values by where they begin and end, and key pairs by their form.

Written for large texts, so it reads bytes and lets regular expressions do the work. What is looked for in a text: at
least 16 characters of `A-Za-z0-9_-+/.~` with up to two `=` behind, as vendors and keysteward make them, that begin and
end where such characters do, or beside one of `_-+/.~` (then of at least 24 characters, unless all are letters and
digits; in words of more than 100, or with more than 16 of these signs, of 43); also behind percent-encoding,
backslashes (JSON, `\u003d`) and base64. A value that runs into further letters or digits, or is broken over lines, is
not found. Nothing here logs or keeps what it reads. The work grows with the text and not faster, whoever wrote it.
"""

from __future__ import annotations

import binascii
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import unquote_to_bytes

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_der_private_key, load_der_public_key
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from keysteward.host.material import thumbprint

SHORTEST = 16
"""Characters of the shortest value that is looked for in a text."""

OWN_LENGTH = 43
"""Characters of a client secret that keysteward made, and of a thumbprint: 256 bits as base64url."""

SHORTEST_PART = 24
"""Characters of the shortest value that is looked for beside one of `_-+/.~`."""

LONGEST_WORD = 100
"""Words up to so long are tried between all of `_-+/.~`; of longer ones (tokens) only pieces as long as ours."""

MOST_SEPARATORS = 16
"""Words with more of `_-+/.~` are taken as longer ones are: the pieces between all of them are too many."""

KEY_SPAN = 16_384
"""Characters within which a key's text must end."""

MOST_LAYERS = 3
"""Encodings inside of encodings that are undone."""

_RUN = re.compile(rb"[A-Za-z0-9_\-+/.~]{16,}={0,2}")
_AFTER_CODE = re.compile(rb"(?:\x1b\[[0-9;]*[A-Za-z]|=3D)([A-Za-z0-9_\-+/.~]{16,}={0,2})")
_ENCODED = re.compile(rb"[A-Za-z0-9_\-+/.~=%\\]{16,}")
_HAS_CODE = re.compile(rb"%[0-9A-Fa-f]{2}|\\")
_ESCAPE = re.compile(rb"\\+(?:u00([0-9A-Fa-f]{2})|x([0-9A-Fa-f]{2})|(.)|$)")
_ALNUM = re.compile(rb"[A-Za-z0-9]{16,}")
_SOFT = re.compile(rb"[_\-.~]")
_DOT = re.compile(rb"[.~]")
_SLASH = re.compile(rb"[+/]")
_BASE64 = re.compile(rb"(?<![A-Za-z0-9])(?:[A-Za-f][A-Za-z0-9+/_\-]{3}){5,}[A-Za-z0-9+/_\-]{0,3}(?![A-Za-z0-9])")
_URLSAFE = bytes.maketrans(b"-_", b"+/")
_TEXT = bytes(range(32, 127)) + b"\t\r\n"
_KTY = re.compile(rb"\bkty\\*[\"']\s*:\s*\\*[\"'](?:EC|RSA|OKP)\b")
_MEMBER = re.compile(rb"[\"'](kty|crv|x|y|n|e|d)[\"']\s*:\s*[\"']([A-Za-z0-9_-]+)[\"']")
_WHITE = re.compile(rb"\\+[nrt]")
_PEM = re.compile(rb"-----BEGIN [A-Z ]{0,16}(PRIVATE|PUBLIC) KEY-----")
_PEM_BEGIN = b"-----BEGIN"
_PEM_END = b"-----END"
_NAMED = re.compile(rb"^[^=:\s]{1,64}\s*[=:]\s*")


def words(text: bytes) -> set[bytes]:
    """Return every run of characters of secrets in a text, each once, also behind colours and `=3D`."""
    found = set(_RUN.findall(text))
    if b"\x1b[" in text or b"=3D" in text:
        found.update(_AFTER_CODE.findall(text))
    return found


def encoded(text: bytes) -> set[bytes]:
    """Return every word of a text that holds percent-encoding or backslashes, each once."""
    if b"%" not in text and b"\\" not in text:
        return set()
    return {word for word in set(_ENCODED.findall(text)) if _HAS_CODE.search(word)}


def candidates(word: bytes) -> list[bytes]:
    """Return what a run of secret characters may hold: itself, and its parts between `_-+/.~`."""
    body = word.rstrip(b"=")
    found = [body] if len(body) == len(word) else [body, word]
    if body.isalnum():
        return found
    found += _ALNUM.findall(body)
    if b"/" not in body and b"+" not in body:
        _add_parts(body, _SOFT, found)
        return found
    for part in _SLASH.split(body):
        if len(part) >= SHORTEST:
            found.append(part)
            _add_parts(part, _SOFT, found)
    for part in _SOFT.split(body):
        if len(part) >= SHORTEST and part != part.lower() and part != part.upper():
            found.append(part)
            _add_parts(part, _SLASH, found)
    return found


def _add_parts(part: bytes, separator: re.Pattern[bytes], found: list[bytes]) -> None:
    """Add what stands in a part between two separators, or one and an end."""
    length = len(part)
    if length <= SHORTEST_PART:
        return
    ends = [m.start() for m in separator.finditer(part)]
    if not ends:
        return
    if length > OWN_LENGTH and separator is _SOFT:
        _add_own(part, ends, found)
    if length > LONGEST_WORD or len(ends) > MOST_SEPARATORS:
        dotted = [p for p in _DOT.split(part) if SHORTEST <= len(p) < length]
        found += dotted
        for piece in dotted:
            if len(piece) <= LONGEST_WORD and len(separator.findall(piece)) <= MOST_SEPARATORS:
                _add_parts(piece, separator, found)
        return
    starts = [0, *[i + 1 for i in ends]]
    ends.append(length)
    for number, start in enumerate(starts):
        if length - start < SHORTEST_PART:
            break
        found += [part[start:end] for end in ends[number:] if SHORTEST_PART <= end - start < length]


def _add_own(part: bytes, separators: list[int], found: list[bytes]) -> None:
    """Add each piece as long as ours that begins and ends at or beside `-` or `_`, which may belong to it."""
    edges = {0, len(part), *separators, *[i + 1 for i in separators]}
    found += [part[start : start + OWN_LENGTH] for start in edges if start + OWN_LENGTH in edges]


def inner_texts(word: bytes) -> Iterator[bytes]:
    """Yield what a word says when one encoding of it is undone: percent, backslashes, base64."""
    if b"%" in word:
        yield unquote_to_bytes(word)
    if b"\\" in word:
        yield _ESCAPE.sub(_unescape, word)
    for part in base64_parts(word):
        text = _from_base64(part)
        if text is not None:
            yield text


def base64_parts(text: bytes) -> set[bytes]:
    """Return what may be text in base64: no byte of text is above 127, so each four begin with `A-Z` or `a-f`."""
    return set(_BASE64.findall(text))


def _unescape(match: re.Match[bytes]) -> bytes:
    code = match.group(1) or match.group(2)
    if code is not None:
        return bytes([int(code, 16)])
    letter = match.group(3)
    return b" " if letter is None or letter in b"nrtbf0" else bytes(letter)


def _from_base64(part: bytes) -> bytes | None:
    """Return what a word says in base64 when that is text."""
    try:
        text = binascii.a2b_base64(part.translate(_URLSAFE) + b"=" * (-len(part) % 4))
    except binascii.Error:
        return None
    return text if text.isascii() and not text.translate(None, _TEXT) else None


@dataclass
class Unpacked:
    """What stood behind encodings: candidates for values, and thumbprints of key pairs, each private or not."""

    values: set[bytes] = field(default_factory=set)
    keys: dict[bytes, bool] = field(default_factory=dict)


def unpack(word: bytes) -> Unpacked:
    """Undo the encodings of a word, and those inside of them."""
    found = Unpacked()
    _unpack(word, found, MOST_LAYERS)
    return found


def _unpack(word: bytes, found: Unpacked, layers: int) -> None:
    for text in inner_texts(word):
        if b":" in text:
            found.values.add(unquote_to_bytes(text.partition(b":")[2]))  # Basic, RFC 6749 section 2.3.1
        for _, mark, private in keys(text):
            found.keys[mark] = private or found.keys.get(mark, False)
        inside = words(text)
        for run in inside:
            found.values.update(candidates(run))
        if layers > 1:
            for inner in inside | encoded(text):
                _unpack(inner, found, layers - 1)


def whole(text: bytes, layers: int = MOST_LAYERS) -> set[bytes]:
    """Return what a short text may mean as one value, of any characters: bare, quoted, named, encoded, in JSON."""
    found: set[bytes] = set()
    for piece in {text, *text.splitlines()}:
        bare = piece.strip()
        named = _NAMED.sub(b"", bare)
        for value in (bare, named, bare.rpartition(b" ")[2]):
            stripped = value.strip(b" \t\"'`,;")
            found.update((value, stripped, unquote_to_bytes(stripped), unquote_to_bytes(stripped.replace(b"+", b" "))))
            found.update(part for field in re.split(rb"[&?]", stripped) for part in _field(field))
            decoded = _from_base64(stripped.rstrip(b"="))
            if decoded is not None and layers > 1:
                found.update(whole(decoded, layers - 1), _field(decoded))
    found.update(value.encode() for value in _json_texts(text))
    return {value for value in found if value}


def _field(text: bytes) -> set[bytes]:
    """Return what stands behind the first `=`, or behind a `:` and before a last `@`, as in URLs; bare and decoded."""
    values = {text.partition(b"=")[2], text.partition(b":")[2], text.rpartition(b"@")[0].rpartition(b":")[2]}
    return values | {unquote_to_bytes(value) for value in values}


def _json_texts(text: bytes) -> set[str]:
    """Return every text in a JSON document, and in JSON inside of it."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return set()
    found: set[str] = set()
    left: list[object] = [document]
    while left:
        item = left.pop()
        if isinstance(item, str):
            if item not in found and item[:1] in {"{", "["}:
                found |= _json_texts(item.encode(errors="replace"))
            found.add(item.encode(errors="replace").decode())
        elif isinstance(item, dict):
            left.extend(item.values())
        elif isinstance(item, list):
            left.extend(item)
    return found


def keys(text: bytes) -> Iterator[tuple[int, bytes, bool]]:
    """Yield each JWK and PEM key of a text: where it begins, its RFC 7638 thumbprint, and whether it is private.

    No part of a text is read for two keys, however often one seems to begin in it.
    """
    if b"kty" in text:
        read = -1
        for match in _KTY.finditer(text):
            start, end = _object_around(text, match.start())
            if start <= read:
                continue
            read = start
            found = _jwk(text[start:end])
            if found is not None:
                yield (match.start(), *found)
    if b"-----BEGIN" in text:
        for match in _PEM.finditer(text):
            end = text.find(_PEM_END, match.end(), match.end() + KEY_SPAN)
            if text.find(_PEM_BEGIN, match.end(), end) >= 0:
                continue
            found = _pem(text[match.end() : end], private=match.group(1) == b"PRIVATE") if end > 0 else None
            if found is not None:
                yield (match.start(), *found)


def _object_around(text: bytes, at: int) -> tuple[int, int]:
    """Return where the object around a place begins and how far it can be a JWK, which holds no other; else -1, -1."""
    start = text.rfind(b"{", max(0, at - KEY_SPAN), at)
    ends = (text.find(brace, at, at + KEY_SPAN) for brace in (b"{", b"}"))
    end = min((end for end in ends if end >= 0), default=-1)
    return (start, end) if start >= 0 and end >= 0 else (-1, -1)


def _jwk(object_text: bytes) -> tuple[bytes, bool] | None:
    """Read what may be a JWK; None when it is none."""
    body = _WHITE.sub(b" ", object_text).replace(b"\\", b"")
    members = {name.decode(): value.decode() for name, value in _MEMBER.findall(body)}
    try:
        return thumbprint(members).encode(), "d" in members
    except KeyError:
        return None


def _pem(body: bytes, *, private: bool) -> tuple[bytes, bool] | None:
    """Read the base64 between two lines of PEM, also when it is quoted, indented, escaped or in a diff."""
    lines = [line.strip(b" \t\r\"',") for line in _WHITE.sub(b"\n", body).splitlines()]
    lines = [line for line in lines if line and b":" not in line]
    if lines and all(line[:1] == lines[0][:1] and line[:1] in b"+-" for line in lines):
        lines = [line[1:] for line in lines]
    try:
        der = binascii.a2b_base64(b"".join(lines))
        public = load_der_private_key(der, None).public_key() if private else load_der_public_key(der)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None
    if isinstance(public, ec.EllipticCurvePublicKey):
        jwk = ECAlgorithm.to_jwk(public, as_dict=True)
    elif isinstance(public, rsa.RSAPublicKey):
        jwk = RSAAlgorithm.to_jwk(public, as_dict=True)
    elif isinstance(public, (ed25519.Ed25519PublicKey, ed448.Ed448PublicKey)):
        jwk = OKPAlgorithm.to_jwk(public, as_dict=True)
    else:
        return None
    return thumbprint(jwk).encode(), private
