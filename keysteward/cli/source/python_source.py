"""Reads where declarations stand in a Python file: calls with a literal name, `M2MClient("name", ..., owner="...")`."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import get_args

from keysteward.cli.source.places import Field, Insertion, Place, Value, Written
from keysteward.core.declare.credentials import Allowed, Declaration
from keysteward.operations.loading import FOLDER

CLASSES = frozenset(cls.__name__ for cls in (*get_args(Declaration), Allowed))
_QUOTES = (b'"', b"'")
_DATE = ("year", "month", "day")
_BLANKS = re.compile(rb"\s*")


def places(file: Path) -> Iterator[Place]:
    """Yield the place of each declaration in a file; none in one that is no Python."""
    source = file.read_bytes()
    tree = _parsed(source)
    if tree is None:
        return
    starts, day = _line_starts(source), _day(tree)
    ending = "" if not day else "\r\n" if b"\r\n" in source else "\n"
    for node in ast.walk(tree):
        name = _name_of(node) if isinstance(node, ast.Call) else None
        if not isinstance(node, ast.Call) or name is None:
            continue
        kind = _callee(node)
        given = {k.arg: k.value for k in node.keywords if k.arg in {"owner", "reviewed"}}
        if kind not in CLASSES and "owner" not in given:
            continue
        values = {field: _value(field, value, source, starts) for field, value in given.items() if field is not None}
        insertion = _insertion(node, kind, source, starts, ending)
        yield Place(name, file, node.lineno, kind, values, insertion, f"{day}({{0.year}}, {{0.month}}, {{0.day}})")


def stack_lines(file: Path, identity: str) -> Iterator[int]:
    """Yield the lines at which a file makes the stack of an identity: `Stack("acme/prod", ...)`."""
    source = file.read_bytes()
    tree = _parsed(source) if identity.encode() in source else None
    for node in ast.walk(tree) if tree is not None else ():
        if isinstance(node, ast.Call) and _callee(node) == "Stack" and _text(_given(node, "identity")) == identity:
            yield node.lineno


def allowances(file: Path) -> Iterator[Written]:
    """Yield where a file writes allowances whose names are literal: `Allowed(["legacy-*"], ...)`."""
    source = file.read_bytes()
    tree = _parsed(source) if b"Allowed" in source else None
    for node in ast.walk(tree) if tree is not None else ():
        names = _texts(_given(node, "names")) if isinstance(node, ast.Call) and _callee(node) == "Allowed" else None
        if isinstance(node, ast.Call) and names is not None:
            texts = {k.arg: _text(k.value) for k in node.keywords if k.arg in {"owner", "reason"}}
            texts |= {k.arg: _day_text(k.value) for k in node.keywords if k.arg == "until"}
            yield Written(file, node.lineno, names, {f: t for f, t in texts.items() if f is not None and t is not None})


def folders_named_in(root: Path, sources: Iterable[Path]) -> list[Path]:
    """Return the folders that Python files read as catalogs; `stacks` where one computes the name of its folder."""
    named = [FOLDER if folder is None else folder for source in sources for folder in catalog_folders(source)]
    folders = [(root / folder).resolve() for folder in dict.fromkeys(named)]
    return [folder for folder in folders if folder.is_relative_to(root)]


def catalog_folders(file: Path) -> list[str | None]:
    """Return the folders that a file reads by `catalog("...")`, None for one that is computed."""
    source = file.read_bytes()
    tree = _parsed(source) if b"catalog" in source else None
    found: list[str | None] = []
    for node in ast.walk(tree) if tree is not None else ():
        if isinstance(node, ast.Call) and _callee(node) == "catalog":
            given = _given(node, "folder")
            literal = isinstance(given, ast.Constant) and isinstance(given.value, str)
            found.append(given.value if literal else None)  # type: ignore[union-attr]  # that it is one, literal says
    return found


def as_written(value: Value, text: str) -> bytes:
    """Return a text as it is written in place of a value."""
    quote = value.literal[:1]
    return quote + text.encode() + quote


def same_but(before: bytes, after: bytes, field: Field) -> bool:
    """Say whether two sources are the same program but for one field of its declarations."""
    old, new = _parsed(before), _parsed(after)
    return old is not None and new is not None and _without(old, field) == _without(new, field)


def _without(tree: ast.AST, field: Field) -> str:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            node.keywords = [keyword for keyword in node.keywords if keyword.arg != field]
    return ast.dump(tree)


def _parsed(source: bytes) -> ast.Module | None:
    try:
        source.decode("utf-8")
        return ast.parse(source)
    except (SyntaxError, ValueError):
        return None


def _name_of(call: ast.Call) -> str | None:
    return _text(_given(call, "name"))


def _given(call: ast.Call, first: str) -> ast.expr | None:
    """Return the first argument of a call, which may be written by its name."""
    return call.args[0] if call.args else next((k.value for k in call.keywords if k.arg == first), None)


def _text(given: ast.expr | None) -> str | None:
    return given.value if isinstance(given, ast.Constant) and isinstance(given.value, str) else None


def _texts(given: ast.expr | None) -> tuple[str, ...] | None:
    items = given.elts if isinstance(given, (ast.List, ast.Tuple)) else [given]
    texts = [text for item in items if (text := _text(item)) is not None]
    return tuple(texts) if len(texts) == len(items) else None


def _day_text(given: ast.expr) -> str | None:
    """Return a literal `date(2027, 3, 1)` as 2027-03-01."""
    if not isinstance(given, ast.Call) or not _is_date(given):
        return None
    numbers = [each.value for each in given.args if isinstance(each, ast.Constant) and isinstance(each.value, int)]
    return "-".join(f"{number:02}" for number in numbers) if len(numbers) == len(_DATE) else None


def _callee(call: ast.Call) -> str:
    function = call.func
    return (
        function.id if isinstance(function, ast.Name) else function.attr if isinstance(function, ast.Attribute) else ""
    )


def _day(tree: ast.Module) -> str:
    """Return what the file calls `datetime.date`; "" when it knows no dates."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "datetime":
            names = [alias.asname or alias.name for alias in node.names if alias.name == "date"]
            if names:
                return names[0]
        if isinstance(node, ast.Import):
            names = [alias.asname or alias.name for alias in node.names if alias.name == "datetime"]
            if names:
                return f"{names[0]}.date"
    return ""


def _value(field: str, given: ast.expr, source: bytes, starts: list[int]) -> Value:
    span = _span(given, starts)
    literal = source[slice(*span)]
    if field == "reviewed":
        why = "" if _is_date(given) else f"is {ast.unparse(given)}, no date of its own"
        return Value(given.lineno, ast.unparse(given), span, literal, why)
    if not isinstance(given, ast.Constant):
        return Value(given.lineno, "", span, literal, f"is {ast.unparse(given)}, no text of its own")
    text = str(given.value)
    plain = literal[:1] in _QUOTES and literal == literal[:1] + text.encode() + literal[:1]
    return Value(given.lineno, text, span, literal, "" if plain else "is not written as one plain text")


def _is_date(given: ast.expr) -> bool:
    if not isinstance(given, ast.Call) or _callee(given) != "date" or given.keywords:
        return False
    return all(isinstance(argument, ast.Constant) and isinstance(argument.value, int) for argument in given.args)


def _insertion(call: ast.Call, kind: str, source: bytes, starts: list[int], ending: str) -> Insertion:
    """Return where `reviewed=` can be written: after the owner, on a line of its own where that has one.

    `ending` is that of the file's lines, "" where it imports no date.
    """
    if kind not in CLASSES:
        return Insertion(why=f"it is declared by {kind}(...), which may not take it")
    if not ending:
        return Insertion(why="the file imports no date: write `from datetime import date` there")
    keyword = next((k for k in call.keywords if k.arg == "owner"), None)
    if keyword is None:
        return Insertion(why="it does not say its owner there")
    start = starts[keyword.lineno - 1] + keyword.col_offset
    end = _span(keyword.value, starts)[1]
    follows = _BLANKS.match(source, end)
    after = follows.end() if follows is not None else end
    if source[after : after + 1] != b"," and after != _span(call, starts)[1] - 1:
        return Insertion(why="what stands around its owner is not understood")
    line = source[starts[keyword.lineno - 1] : start]
    before = ", " if line.strip() else f",{ending}{line.decode()}"
    return Insertion(end, f"{before}reviewed=")


def _span(node: ast.expr, starts: list[int]) -> tuple[int, int]:
    end_line, end_column = node.end_lineno or node.lineno, node.end_col_offset or node.col_offset
    return starts[node.lineno - 1] + node.col_offset, starts[end_line - 1] + end_column


def _line_starts(source: bytes) -> list[int]:
    """Return where each line begins, by the rule of Python's tokenizer; a byte order mark is no column."""
    bom = 3 if source.startswith(b"\xef\xbb\xbf") else 0
    starts, at = [bom], 0
    for text in source.splitlines(keepends=True):
        at += len(text)
        starts.append(at)
    return starts
