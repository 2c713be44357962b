"""Searches texts for known secrets by fingerprint: bytes in, lines and fingerprints out, never a value.

The hash is that of `material.fingerprinter`, spelt out for speed: the key is mixed in once, and each candidate that was
not seen before costs two short hashes.
"""

from __future__ import annotations

import hashlib
import os
import re
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from keysteward.host.material import FINGERPRINT_CHARACTERS
from keysteward.operations.search.candidates import base64_parts, candidates, encoded, keys, unpack, whole, words

CHUNK = 4 * 1024 * 1024
"""Bytes that are searched at a time."""

OVERLAP = 64 * 1024
"""Bytes read beyond a chunk, so that what lies across its end is seen whole."""

WHOLE = 64 * 1024
"""A text up to this size is also taken as one value of any characters, alone or line by line."""

NOWHERE = -1
"""The line of what is in a text and on no one line of it."""

HELD_BACK = "(a file whose name holds the secret)"

MOST_PLACES = 1000
"""Places of one word in one chunk that are told; the others are the same secret again."""

_REMEMBERED, _LONGEST_REMEMBERED = 400_000, 256
_BYTES = FINGERPRINT_CHARACTERS // 2
_BLOCK = 64


class Form(StrEnum):
    """As what a secret was found."""

    VALUE = "secret"
    PRIVATE = "private key"
    PUBLIC = "public key"
    KEY_ID = "key id"


@dataclass(frozen=True, slots=True, order=True)
class Hit:
    """A known secret in a text: its line, from 0 (or NOWHERE), its fingerprint without the key's id, and its form."""

    line: int
    fingerprint: str
    form: Form


@dataclass(frozen=True, slots=True)
class Piece:
    """What is searched at a time: `data`, or so much of a file; `beyond` of it belongs to the next piece."""

    name: str
    path: Path | None = None
    data: bytes = field(default=b"", repr=False)
    offset: int = 0
    size: int = 0
    alone: bool = False

    def read(self) -> bytes:
        """Return its bytes with the overlap. Raises OSError."""
        if self.path is None:
            return self.data
        with self.path.open("rb") as file:
            file.seek(self.offset)
            return file.read(self.size + OVERLAP)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a piece holds; `lines` are those that end in it, `problem` is why it could not be read."""

    name: str
    hits: tuple[Hit, ...] = ()
    lines: int = 0
    problem: str = ""


class Searcher:
    """Knows the fingerprints of one stack, and which are of key pairs. `recipe` makes the same one again elsewhere."""

    def __init__(self, key: bytes, values: Iterable[str], pairs: Iterable[str] = ()) -> None:
        self.recipe = (key, frozenset(values), frozenset(pairs))
        padded = (hashlib.sha256(key).digest() if len(key) > _BLOCK else key).ljust(_BLOCK, b"\0")
        self._inner = hashlib.sha256(bytes(b ^ 0x36 for b in padded))
        self._outer = hashlib.sha256(bytes(b ^ 0x5C for b in padded))
        _, known, self._pairs = self.recipe
        self._known = frozenset(bytes.fromhex(fingerprint) for fingerprint in known | self._pairs)
        self._seen: set[bytes] = set()

    def answer(self, piece: Piece) -> Answer:
        """Search one piece; a file that cannot be read is a problem in words, and no name that holds a secret is told.

        A bare key id is told of a text that stands alone; elsewhere it is public, and usual.
        """
        name, hits = piece.name, set[Hit]()
        named = self._values(os.fsencode(name))
        if named:
            name, hits = HELD_BACK, {Hit(NOWHERE, fingerprint, form) for fingerprint, form in named}
        try:
            text = piece.read()
        except OSError as error:
            return Answer(name, tuple(sorted(hits)), problem=error.strerror or type(error).__name__)
        hits |= self._search(text, piece)
        if named:  # a file without name has no lines either
            hits = {Hit(NOWHERE, hit.fingerprint, hit.form) for hit in hits}
        if piece.alone:
            with_key = {hit.fingerprint for hit in hits if hit.form is not Form.KEY_ID}
            hits = {hit for hit in hits if hit.form is not Form.KEY_ID or hit.fingerprint not in with_key}
        else:
            hits = {hit for hit in hits if hit.form is not Form.KEY_ID}
        return Answer(name, tuple(sorted(hits)), text.count(b"\n", 0, piece.size))

    def _search(self, text: bytes, piece: Piece) -> set[Hit]:
        places = Places(text, piece.size)
        found: set[Hit] = set()
        for at, mark, private in keys(text):
            form = Form.PRIVATE if private else Form.PUBLIC
            found.update(Hit(line, name, form) for name in self._recognised([mark]) for line in places.of(at))
        for word, told in self._words(text).items():
            found.update(Hit(line, *one) for line in places.each(word) for one in told)
        if piece.alone and piece.size <= WHOLE:
            known = {hit.fingerprint for hit in found}
            found.update(Hit(NOWHERE, *one) for one in self._values(text, whole(text)) if one[0] not in known)
        return found

    def _words(self, text: bytes) -> dict[bytes, set[tuple[str, Form]]]:
        """Return what of a text holds known secrets, with these. A text without is remembered, to be passed over."""
        if len(self._seen) > _REMEMBERED:
            self._seen.clear()
        found: dict[bytes, set[tuple[str, Form]]] = {}
        plain = words(text) - self._seen
        values = {word for word in plain if word.isalnum()}
        for word in plain - values:
            values.update(candidates(word))
        for value, name in self._known_of(values):
            found.setdefault(value, set()).add((name, self._form(name)))
        coded = (encoded(text) | base64_parts(b"\n".join(plain))) - self._seen
        for word in coded:
            told = self._inside(word)
            if told:
                found.setdefault(word, set()).update(told)
        if not found:
            self._seen.update(word for word in plain | coded if len(word) <= _LONGEST_REMEMBERED)
        return found

    def _inside(self, word: bytes) -> set[tuple[str, Form]]:
        """Return the known secrets behind the encodings of a word."""
        inner = unpack(word)
        told = {(name, self._form(name)) for name in self._recognised(inner.values)}
        for mark, private in inner.keys.items():
            told.update((name, Form.PRIVATE if private else Form.PUBLIC) for name in self._recognised([mark]))
        return told

    def _values(self, text: bytes, more: Iterable[bytes] = ()) -> set[tuple[str, Form]]:
        told = {(name, self._form(name)) for name in self._recognised(more)}
        return told.union(*self._words(text).values())

    def _form(self, name: str) -> Form:
        """Return as what a value was found: the canonical text of a key pair is its thumbprint, which is no secret."""
        return Form.KEY_ID if name in self._pairs else Form.VALUE

    def _recognised(self, values: Iterable[bytes]) -> set[str]:
        """Return the fingerprints of those values that are known."""
        return {name for _, name in self._known_of(values)}

    def _known_of(self, values: Iterable[bytes]) -> list[tuple[bytes, str]]:
        """Return the values that are known, with their fingerprints: HMAC-SHA-256 (RFC 2104), shortened."""
        inner_copy, outer_copy, known = self._inner.copy, self._outer.copy, self._known
        found = []
        for value in values:
            inner, outer = inner_copy(), outer_copy()
            inner.update(value)
            outer.update(inner.digest())
            short = outer.digest()[:_BYTES]
            if short in known:
                found.append((value, short.hex()))
        return found


class Places:
    """Says on which lines of a chunk something stands; what begins beyond the chunk belongs to the next one."""

    def __init__(self, text: bytes, size: int) -> None:
        self._text = text
        self._size = size
        self._ends: list[int] | None = None

    def of(self, at: int) -> list[int]:
        """Return the line of one place, or nothing when it is beyond the chunk."""
        if at >= self._size:
            return []
        if self._ends is None:
            self._ends = [m.start() for m in re.finditer(rb"\n", self._text)]
        return [bisect_left(self._ends, at)]

    def each(self, word: bytes) -> set[int]:
        """Return the lines on which a word stands."""
        found: set[int] = set()
        at = self._text.find(word)
        while at >= 0 and len(found) < MOST_PLACES:
            found.update(self.of(at))
            at = self._text.find(word, at + len(word))
        return found
