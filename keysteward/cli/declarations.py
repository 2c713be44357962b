"""Finds the declaration of a credential in the project's source files and changes its owner, one string and no more."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from keysteward.core.errors import DeclarationError

_QUOTES = (b'"', b"'")


@dataclass(frozen=True, slots=True)
class Place:
    """Where the owner of one declaration stands; `span` are the bytes of its literal, None where a person must edit.

    `why` says then what stands there in place of a literal; `literal` is what was read there.
    """

    name: str
    file: Path
    line: int
    span: tuple[int, int] | None = None
    why: str = ""
    literal: bytes = b""


def project_files(root: Path, module: str) -> list[Path]:
    """Return the files of the project that were loaded with a stack's module: the module first, then what it imports.

    Installed packages are left out, also those in an environment inside the project's folder.
    """
    outside = {Path(prefix).resolve() for prefix in (sys.prefix, sys.base_prefix)}
    files: dict[Path, None] = {}
    named = sorted(sys.modules.items(), key=lambda item: item[0] != module)
    for _, loaded in named:
        file = getattr(loaded, "__file__", None)
        path = Path(file).resolve() if file else None
        if path is None or path.suffix != ".py" or not path.is_relative_to(root.resolve()):
            continue
        if "site-packages" not in path.parts and not any(path.is_relative_to(folder) for folder in outside):
            files[path] = None
    return list(files)


def find_owners(files: Iterable[Path], names: Iterable[str], owner: str) -> list[Place]:
    """Return where each of these credentials says that this is its owner; those not found by name have line 0."""
    listed = list(files)
    found: dict[str, list[Place]] = {}
    for place in (place for file in listed for place in _places(file, owner)):
        found.setdefault(place.name, []).append(place)
    unknown = Place("", listed[0] if listed else Path(), 0, why="no declaration says this name in the source")
    return [_only(found.get(name, [replace(unknown, name=name)])) for name in names]


def _only(places: list[Place]) -> Place:
    """Return the one place that can be changed; of several none, since the name may mean two things."""
    sure = [place for place in places if place.span is not None]
    if len(sure) > 1:
        why = f"so is {sure[1].file.name}, line {sure[1].line}, under the same name"
        return replace(sure[0], span=None, why=why)
    return (sure or places)[0]


def _places(file: Path, owner: str) -> Iterator[Place]:
    """Yield what each call with a literal name says about its owner: `M2MClient("name", ..., owner="...")`."""
    source = file.read_bytes()
    try:
        source.decode("utf-8")
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return
    starts = _line_starts(source)
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = _name_of(node)
        given = next((k.value for k in node.keywords if k.arg == "owner"), None)
        if name is not None and given is not None:
            yield _place(name, file, given, source, starts, owner)


def _name_of(call: ast.Call) -> str | None:
    given = call.args[0] if call.args else next((k.value for k in call.keywords if k.arg == "name"), None)
    return given.value if isinstance(given, ast.Constant) and isinstance(given.value, str) else None


def _place(name: str, file: Path, given: ast.expr, source: bytes, starts: list[int], owner: str) -> Place:
    start = starts[given.lineno - 1] + given.col_offset
    end = starts[(given.end_lineno or given.lineno) - 1] + (given.end_col_offset or given.col_offset)
    literal = source[start:end]
    if not isinstance(given, ast.Constant):
        return Place(name, file, given.lineno, why=f"its owner is {ast.unparse(given)}, no text of its own")
    if given.value != owner:
        return Place(name, file, given.lineno, why=f"its owner reads {given.value!r} there")
    if literal[:1] not in _QUOTES or literal != literal[:1] + owner.encode() + literal[:1]:
        return Place(name, file, given.lineno, why="its owner is not written as one plain text")
    return Place(name, file, given.lineno, (start, end), literal=literal)


def _line_starts(source: bytes) -> list[int]:
    """Return where each line begins, by the rule of Python's tokenizer; a byte order mark is no column."""
    bom = 3 if source.startswith(b"\xef\xbb\xbf") else 0
    starts, at = [bom], 0
    for text in source.splitlines(keepends=True):
        at += len(text)
        starts.append(at)
    return starts


def change_owners(places: Iterable[Place], owner: str) -> list[Path]:
    """Write another owner into each of these literals and change no other byte; returns the files that were changed.

    Raises DeclarationError, before any file is written, where a file was edited since it was read, or where the result
    would not be the same program otherwise.
    """
    by_file: dict[Path, list[tuple[int, int, bytes]]] = {}
    for place in places:
        if place.span is not None:
            by_file.setdefault(place.file, []).append((*place.span, place.literal))
    if not owner.isprintable() or set(owner) & set("\"'\\"):
        raise DeclarationError(f"--to: {owner!r} cannot be written as a plain text; edit the owners by hand")
    changed: dict[Path, bytes] = {}
    for file, spans in by_file.items():
        text = file.read_bytes()
        for start, end, literal in sorted(spans, reverse=True):
            if text[start:end] != literal:
                raise DeclarationError(f"{file} was edited meanwhile; nothing was changed, run again")
            text = text[: start + 1] + owner.encode() + text[end - 1 :]
        try:
            ast.parse(text)
        except (SyntaxError, ValueError):
            raise DeclarationError(f"{file} would not be Python any more; edit its owners by hand") from None
        changed[file] = text
    for file, text in changed.items():
        file.write_bytes(text)
    return list(changed)
