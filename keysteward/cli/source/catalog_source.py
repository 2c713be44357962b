"""Reads where declarations stand in a catalog file, and which files a stack's Python reads as catalogs."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

from keysteward.cli.source.places import Field, Insertion, Place, Value, Written
from keysteward.core.errors import DeclarationError
from keysteward.host.strict_yaml import Document, read_file, read_text
from keysteward.modules.catalog import DEFAULTS, read_entries
from keysteward.modules.catalog_form import FORMS

_ONE_LINE = (None, "", "'", '"')
"""Styles of scalars that stand in one line; a plain one is None to PyYAML and "" to libyaml."""
_CHANGED = ("owner", "reviewed")


def places(file: Path) -> Iterator[Place]:
    """Yield the place of each declaration in a file; none in one that cannot be read."""
    try:
        document = read_file(file, file.name)
    except DeclarationError:
        return
    top = dict(_pairs(document.root))
    inherited = {key: node for key, node in _pairs(top.get(DEFAULTS)) if key == "owner"}
    for section in FORMS:
        for key, node in _keys(top.get(section)):
            nodes = {**inherited, **{name: value for name, value in _pairs(node) if name in _CHANGED}}
            values = {name: _value(value, document) for name, value in nodes.items()}
            yield Place(key.value, file, key.start_mark.line + 1, section, values, _insertion(node, document))


def allowances(file: Path) -> Iterator[Written]:
    """Yield where a file writes allowances; none in one that cannot be read."""
    if b"allowed" not in file.read_bytes():
        return
    with suppress(DeclarationError):
        for entry in read_entries(read_file(file, file.name), []):
            if entry.section == "allowed":
                names = entry.fields["names"]
                says = {field: str(entry.fields[field]) for field in ("target", "owner", "reason", "until")}
                yield Written(file, entry.line(), (names,) if isinstance(names, str) else tuple(names), says)


def as_written(value: Value, text: str) -> bytes:
    """Return a text as it is written in place of a value: in its quotes, or in quotes where it needs them."""
    quote = value.literal[:1] if value.literal[:1] in {b'"', b"'"} else b""
    if not quote:
        try:
            plain = read_text(f"a: {{b: {text}}}", "").value == {"a": {"b": text}}
        except DeclarationError:
            plain = False
        quote = b"" if plain else b'"'
    return quote + text.encode() + quote


def same_but(before: bytes, after: bytes, field: Field) -> bool:
    """Say whether two files declare the same but for one field."""
    try:
        old, new = (read_text(text.decode(), "").value for text in (before, after))
    except (DeclarationError, UnicodeDecodeError):
        return False
    return bool(_without(old, field) == _without(new, field))


def _without(value: Any, field: Field) -> Any:  # noqa: ANN401 - plain values
    made = copy.deepcopy(value)
    for name, section in made.items():
        for entry in [section] if name == DEFAULTS else section.values():
            entry.pop(field, None)
    return made


def _keys(node: Any) -> list[tuple[yaml.ScalarNode, yaml.Node]]:  # noqa: ANN401 - a node, or none
    return list(node.value) if isinstance(node, yaml.MappingNode) else []


def _pairs(node: Any) -> list[tuple[str, yaml.Node]]:  # noqa: ANN401 - a node, or none
    return [(key.value, value) for key, value in _keys(node)]


def _value(node: yaml.Node, document: Document) -> Value:
    start, end = node.start_mark.index, node.end_mark.index
    literal = document.text[start:end]
    text = node.value if isinstance(node, yaml.ScalarNode) else ""
    plain = isinstance(node, yaml.ScalarNode) and node.style in _ONE_LINE
    plain = plain and literal in {text, f"'{text}'", f'"{text}"'}
    span = (_byte(document, start), _byte(document, end))
    why = "" if plain else "is not written as one plain text"
    return Value(node.start_mark.line + 1, text, span, literal.encode(), why)


def _insertion(node: yaml.Node, document: Document) -> Insertion:
    """Return where `reviewed:` can be written: after the line of the owner, or before the first field."""
    if not isinstance(node, yaml.MappingNode) or not node.value:
        return Insertion(why="it has no field there")
    text = document.text
    if node.flow_style:
        return Insertion(_byte(document, node.start_mark.index + 1), "reviewed: ", ", ")
    first: yaml.Node = node.value[0][0]
    indent = " " * first.start_mark.column
    ending = "\r\n" if "\r\n" in text else "\n"
    owner = next((value for name, value in _pairs(node) if name == "owner"), None)
    if isinstance(owner, yaml.ScalarNode) and owner.style in _ONE_LINE:
        at = text.find(ending, owner.end_mark.index)
        at = len(text) if at < 0 else at
        return Insertion(_byte(document, at), f"{ending}{indent}reviewed: ")
    return Insertion(_byte(document, first.start_mark.index), "reviewed: ", f"{ending}{indent}")


def _byte(document: Document, character: int) -> int:
    """Return the byte of the file at which a character begins."""
    first = len(document.before.encode())
    return first + (character if document.text.isascii() else len(document.text[:character].encode()))
