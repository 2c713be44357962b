"""What a rule of a stack's own rests on, as one digest: whoever changes any of it may have weakened the rule.

That is the text of its function, the arguments that were given to it, what it refers to, and the whole text of its
module and of the project's modules that this one imports. What cannot be read has no digest, and counts as changed.
"""

from __future__ import annotations

import ast
import enum
import functools
import hashlib
import importlib.util
import inspect
import json
import re
import sys
import types
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, time, timedelta
from decimal import Decimal
from pathlib import Path

from keysteward.core.contract.ports import Descriptor

UNREADABLE = ""
"""Stands for the digest of a rule that cannot be read."""

_PLAIN = (type(None), bool, int, float, str, bytes, date, time, timedelta, Decimal, enum.Enum, re.Pattern)


class _UnreadableError(Exception):
    """A value of which nobody can say whether it is the same on both sides."""


def digests(rules: Iterable[object], root: Path) -> dict[str, str]:
    """Return the digest of each rule by its name; `root` is the project's folder."""
    found: dict[str, str] = {}
    for rule in rules:
        name = _name(rule)
        while name in found:
            name += "'"
        found[name] = _digest(rule, root)
    return found


def _name(rule: object) -> str:
    while isinstance(rule, functools.partial):
        rule = rule.func
    return str(getattr(rule, "__qualname__", type(rule).__qualname__))


def _digest(rule: object, root: Path) -> str:
    reader = _Reader(root)
    try:
        told = reader.read(rule)
        modules = {name: reader.text_of(name) for name in reader.imported()}
    except (_UnreadableError, OSError, SyntaxError, UnicodeDecodeError, RecursionError):
        return UNREADABLE
    return hashlib.sha256(json.dumps([told, modules], sort_keys=True).encode()).hexdigest()[:16]


@dataclass
class _Reader:
    """Reads values as JSON, and notes the modules of the project that they come from."""

    root: Path
    modules: set[str] = field(default_factory=set)
    seen: set[int] = field(default_factory=set)

    def read(self, value: object) -> object:
        """Return a value as JSON that is the same in every process. Raises _UnreadableError."""
        if isinstance(value, _PLAIN):
            return [type(value).__qualname__, repr(value)]
        if id(value) in self.seen:
            return ["again", type(value).__qualname__]
        self.seen.add(id(value))
        if isinstance(value, functools.partial):
            return ["partial", self.read(value.func), self.read(value.args), self.read(value.keywords)]
        if isinstance(value, Mapping):
            return ["mapping", sorted((self.read(item) for item in value.items()), key=json.dumps)]
        if isinstance(value, (list, tuple)):
            return ["list", [self.read(part) for part in value]]
        if isinstance(value, (set, frozenset)):
            return ["set", sorted((self.read(part) for part in value), key=json.dumps)]
        return self._read_code(value)

    def _read_code(self, value: object) -> object:
        if isinstance(value, types.FunctionType):
            return ["function", self._source(value), *self._used(value)]
        if isinstance(value, types.MethodType):
            return ["method", self.read(value.__self__), self.read(value.__func__)]
        if isinstance(value, types.BuiltinFunctionType) and isinstance(value.__self__, types.ModuleType):
            return ["built in", value.__module__, value.__qualname__]
        if isinstance(value, type):
            return ["class", value.__module__, value.__qualname__, self._source(value) if self._ours(value) else ""]
        described = getattr(value, "descriptor", None)
        if isinstance(described, Descriptor):
            return ["port", described.kind, self.read(described.settings)]
        if hasattr(value, "__dict__"):
            return ["object", self.read(type(value)), self.read(vars(value))]
        raise _UnreadableError

    def _ours(self, value: object) -> bool:
        """Say whether something is the project's own, and note its module when it is."""
        name = getattr(value, "__module__", None)
        ours = isinstance(name, str) and self.file_of(name) is not None
        if ours:
            self.modules.add(str(name))
        return ours

    def _source(self, value: types.FunctionType | type) -> str:
        """Return the text of a function or class. Raises _UnreadableError where there is none."""
        self._ours(value)
        try:
            return inspect.getsource(value)
        except (OSError, TypeError):
            raise _UnreadableError from None

    def _used(self, function: types.FunctionType) -> Iterator[object]:
        """Yield what a function was made with, and what the names stand for that it uses, as far as they are ours."""
        cells = [cell.cell_contents for cell in function.__closure__ or ()]
        yield self.read([function.__defaults__, function.__kwdefaults__, cells])
        if self._ours(function):
            used = {
                name: function.__globals__[name] for name in _names(function.__code__) if name in function.__globals__
            }
            yield [[name, self._referred(value)] for name, value in sorted(used.items())]

    def _referred(self, value: object) -> object:
        """Return what a name stands for. Its module's text tells of what cannot be read, and of installed code."""
        if isinstance(value, types.ModuleType):
            self.modules.add(value.__name__)
            return ["module", value.__name__]
        if isinstance(value, (types.FunctionType, type)) and not self._ours(value):
            return ["installed", value.__module__, value.__qualname__]
        try:
            return self.read(value)
        except _UnreadableError:
            return ["unreadable", type(value).__qualname__]

    def imported(self) -> list[str]:
        """Return the modules of the project from which something comes, and those that they import in turn."""
        found: set[str] = set()
        todo = {*self.modules}
        while todo:
            name = todo.pop()
            if name not in found and self.file_of(name) is not None:
                found.add(name)
                todo |= {name.rpartition(".")[0], *_imports(name, self.text_of(name))}
        return sorted(found)

    def file_of(self, module: str) -> Path | None:
        """Return the file of a loaded module when it is one of the project; None for installed ones."""
        named = getattr(sys.modules.get(module), "__file__", None)
        if not isinstance(named, str):
            return None
        file = Path(named)
        installed = {Path(one) for one in (sys.prefix, sys.base_prefix)}
        inside = file.is_relative_to(self.root) and not any(file.is_relative_to(one) for one in installed)
        return file if inside else None

    def text_of(self, module: str) -> str:
        """Return the text of a module of the project. Raises OSError, UnicodeDecodeError."""
        file = self.file_of(module)
        return file.read_text(encoding="utf-8") if file is not None else ""


def _names(code: types.CodeType) -> set[str]:
    """Return the names that code and what is defined in it uses."""
    inner = (one for one in code.co_consts if isinstance(one, types.CodeType))
    return {*code.co_names}.union(*(_names(one) for one in inner))


def _imports(module: str, text: str) -> Iterator[str]:
    """Yield the names of what a module's text imports, wherever in it that stands. Raises SyntaxError."""
    package = getattr(sys.modules.get(module), "__package__", None) or module
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (
                ".".join(parts[:at]) for one in node.names if (parts := one.name.split(".")) for at in _ends(parts)
            )
        elif isinstance(node, ast.ImportFrom):
            relative = "." * node.level + (node.module or "")
            base = importlib.util.resolve_name(relative, package) if node.level else relative
            yield base
            yield from (f"{base}.{one.name}" for one in node.names)


def _ends(parts: list[str]) -> range:
    return range(1, len(parts) + 1)
