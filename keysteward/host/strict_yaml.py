"""Reads YAML as configuration needs it: YAML 1.2, plain values, and where each of them stands.

Refused are tags, anchors and aliases, directives, several documents, keys given twice, and files that are too large or
too deep: none of it belongs into a list of credentials, and some of it is there to be misused. Days stay text.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeAlias

import yaml
from yaml.resolver import BaseResolver

from keysteward.core.errors import DeclarationError

BYTE_ORDER_MARK: Final = "\ufeff"

LARGEST_FILE: Final = 2_000_000
"""Bytes of one file: some thousands of credentials."""

DEEPEST: Final = 16
"""Levels of mappings and lists; a declaration needs six."""

LONGEST_NUMBER: Final = 30
"""Characters of a whole number; a longer one is text, so that nothing can be kept busy by reading it."""

INTEGER: Final = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
FLOAT: Final = re.compile(
    r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)
BEYOND: Final = re.compile(r"\\U(?!000|0010)[0-9A-Fa-f]{8}")
"""An escape of a number that Unicode does not have."""

PLAIN_TAGS: Final = (
    ("null", re.compile(r"~|null|Null|NULL|"), ["~", "n", "N", ""]),
    ("bool", re.compile(r"true|True|TRUE|false|False|FALSE"), list("tTfF")),
    ("int", INTEGER, list("-+0123456789")),
    ("float", FLOAT, list("-+.0123456789")),
)
"""The core schema of YAML 1.2.2, section 10.3.2: what is written without quotes and is no text."""

_PREFIX = "tag:yaml.org,2002:"

Value: TypeAlias = "bool | int | float | str | list[Value] | dict[str, Value] | None"
Path_: TypeAlias = "tuple[str | int, ...]"


class Slow(yaml.reader.Reader, yaml.scanner.Scanner, yaml.parser.Parser, yaml.composer.Composer, BaseResolver):
    """Reads YAML without libyaml."""

    def __init__(self, text: str) -> None:
        yaml.reader.Reader.__init__(self, text)
        yaml.scanner.Scanner.__init__(self)
        yaml.parser.Parser.__init__(self)
        yaml.composer.Composer.__init__(self)
        BaseResolver.__init__(self)


def _fast() -> Any:  # noqa: ANN401 - a class of PyYAML
    """Return what reads YAML with libyaml, ten times as fast; the other one where it is not there."""
    try:
        parser: Any = importlib.import_module("yaml.cyaml").CParser
    except ImportError:
        return Slow

    class Fast(parser, BaseResolver):  # type: ignore[misc]
        def __init__(self, text: str) -> None:
            parser.__init__(self, text)
            BaseResolver.__init__(self)

    return Fast


_Loader = _fast()
for _name, _pattern, _first in PLAIN_TAGS:
    for _reader in {_Loader, Slow}:
        _reader.add_implicit_resolver(_PREFIX + _name, re.compile(f"(?:{_pattern.pattern})\\Z"), _first)


@dataclass(frozen=True)
class Document:
    """One file as it was read: its plain value, the text, its tree with marks, and the line of each key and item.

    `lines` are by path: ("m2m_clients", "exporter", "owner"). Lines count from 1. `before` is a byte order mark, where
    the file begins with one; marks of the tree are places in `text`, without it.
    """

    name: str
    text: str
    value: Value
    root: Any
    lines: Mapping[Path_, int] = field(default_factory=dict)
    before: str = ""

    def line(self, path: Path_) -> int:
        """Return the line of a value, or of the nearest that holds it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


def read_file(path: Path, name: str) -> Document:
    """Read one file; `name` is what errors call it. Raises DeclarationError with file and line."""
    try:
        with path.open("rb") as opened:
            raw = opened.read(LARGEST_FILE + 1)
    except OSError as error:
        raise DeclarationError(f"{name}: it cannot be read ({error.strerror})") from None
    if len(raw) > LARGEST_FILE:
        raise DeclarationError(f"{name}: it is larger than {LARGEST_FILE // 1_000_000} MB; split it")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise DeclarationError(f"{name}, line {line}: it is not UTF-8; save it as UTF-8") from None
    return read_text(text, name)


def read_text(text: str, name: str) -> Document:
    """Read the text of one file. Raises DeclarationError with file and line."""
    before = BYTE_ORDER_MARK if text.startswith(BYTE_ORDER_MARK) else ""
    text = text.removeprefix(before)
    try:
        _refuse(text, name)
        root = _Loader(text).get_single_node()
    except yaml.MarkedYAMLError as error:
        raise DeclarationError(_sentence(error, text, name)) from None
    except yaml.YAMLError as error:
        line = text.count("\n", 0, getattr(error, "position", 0)) + 1
        raise DeclarationError(f"{name}, line {line}: a character stands there that YAML does not allow") from None
    except (OverflowError, ValueError):  # as the scanner meets an escape beyond Unicode
        found = BEYOND.search(text)
        line = text.count("\n", 0, found.start() if found else 0) + 1
        raise DeclarationError(f"{name}, line {line}: an escape there is of no character that there is") from None
    lines: dict[Path_, int] = {}
    value = None if root is None else _value(root, (), lines, name)
    return Document(name, text, value, root, lines, before)


def _refuse(text: str, name: str) -> None:
    """Go through the events first: what is refused here is never built."""
    depth = documents = 0
    parser = _Loader(text)
    while parser.check_event():
        event = parser.get_event()
        where = f"{name}, line {event.start_mark.line + 1}"
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if event.version is not None or event.tags:
                raise DeclarationError(f"{where}: remove the directive; this is YAML 1.2 without any")
            if documents > 1:
                raise DeclarationError(f"{where}: a second document begins there; give it a file of its own")
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise DeclarationError(f"{where}: anchors and aliases (& and *) are not taken; write the value out")
        if getattr(event, "tag", None) is not None:
            raise DeclarationError(f"{where}: tags (!) are not taken; write the plain value")
        if not _is_text(getattr(event, "value", None) or ""):
            raise DeclarationError(f"{where}: half a character stands there (\\ud800 to \\udfff); write it whole")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise DeclarationError(f"{where}: it is nested more than {DEEPEST} levels deep; that is no declaration")


def _is_text(value: str) -> bool:
    """Say whether a text can be written anywhere: an escape can make half of a surrogate pair."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _sentence(error: yaml.MarkedYAMLError, text: str, name: str) -> str:
    mark = error.problem_mark or error.context_mark
    number = mark.line if mark is not None else 0
    lines = text.splitlines()
    here = lines[number] if number < len(lines) else ""
    where = f"{name}, line {number + 1}"
    if "\t" in here[: len(here) - len(here.lstrip())]:
        return f"{where}: a tab stands there; YAML is indented with spaces"
    return f"{where}: it is not YAML ({error.problem or error.context})"


def _value(node: Any, path: Path_, lines: dict[Path_, int], name: str) -> Value:  # noqa: ANN401 - a node of PyYAML
    lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        return dict(_pairs(node, path, lines, name))
    if isinstance(node, yaml.SequenceNode):
        return [_value(item, (*path, index), lines, name) for index, item in enumerate(node.value)]
    return plain_value(node)


def _pairs(node: yaml.MappingNode, path: Path_, lines: dict[Path_, int], name: str) -> Iterator[tuple[str, Value]]:
    for key, item in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode):
            raise DeclarationError(f"{name}, line {line}: a key must be plain text")
        here = (*path, key.value)
        if here in lines:
            raise DeclarationError(
                f"{name}, line {line}: {'.'.join(map(str, here))}: stands there a second time (first: line "
                f"{lines[here]}); remove one"
            )
        lines[here] = line
        yield key.value, _value(item, here, lines, name)


def plain_value(node: yaml.ScalarNode) -> bool | int | float | str | None:
    """Return what a scalar says by the core schema of YAML 1.2."""
    text: str = node.value
    match node.tag.removeprefix(_PREFIX):
        case "null":
            return None
        case "bool":
            return text.lower() == "true"
        case "int":
            base = {"0o": 8, "0x": 16}.get(text[:2], 10)
            return int(text.removeprefix("0o"), base) if len(text) < LONGEST_NUMBER else text
        case "float":
            return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
        case _:
            return text
