"""A folder of small YAML files that declare what Python can: `catalog("stacks/prod", ...)`, in one line of a stack.

    stack = Stack(..., declarations=[*catalog("stacks/prod", targets=[corp], stores=[secrets]), M2MClient(...)])

Every file is a mapping of sections, each from names to the fields of the Python class; targets, stores and resource
servers are named. docs/catalog.md describes the format, `keysteward schema catalog` prints it for an editor.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import ValidationError

from keysteward.core.contract.ports import Store, Target
from keysteward.core.declare.credentials import (
    NAME,
    Allowed,
    Bootstrap,
    Classification,
    Declaration,
    PermanentException,
    ResourceServer,
    RotationSchedule,
    Transitional,
    Waiver,
)
from keysteward.core.declare.delivery import Delivery, Webhook
from keysteward.core.errors import DeclarationError
from keysteward.host.strict_yaml import Document, read_file
from keysteward.modules.catalog_form import FORMS, KINDS, NAME_IN_PATH, NAME_RULE, DefaultsForm

SUFFIXES: Final = (".yaml", ".yml")
DEFAULTS: Final = "defaults"
CLASSES: Final[Mapping[str, Any]] = {
    "transitional": Transitional,
    "permanent_exception": PermanentException,
    "bootstrap": Bootstrap,
}

_Named = TypeVar("_Named", Target, Store)
_Place = tuple[str | int, ...]

PROBLEMS: Final[Mapping[str, str]] = {
    "missing": "is required",
    "bool_type": "must be true or false",
    "int_type": "must be a whole number",
    "string_type": "must be text; put it in quotes",
    "list_type": "must be a list",
    "dict_type": "must be a mapping",
    "model_type": "must be a mapping",
    "too_short": "must not be empty",
}
"""What pydantic finds, in words; for the rest its own do."""


@dataclass(frozen=True)
class Catalog:
    """What a folder declares; unpack it into a stack's declarations. `allowed` is for `Stack(allowed=...)`."""

    declarations: tuple[Declaration, ...] = ()
    allowed: tuple[Allowed, ...] = ()

    def __iter__(self) -> Iterator[Declaration]:
        """Yield what a stack declares, resource servers first."""
        return iter(self.declarations)

    def __len__(self) -> int:
        """Return how many declarations there are."""
        return len(self.declarations)


def catalog(
    folder: str,
    *,
    targets: Sequence[Target],
    stores: Sequence[Store] = (),
    servers: Sequence[ResourceServer] = (),
    root: Path | None = None,
) -> Catalog:
    """Read every YAML file of a folder, at any depth, in the order of their paths.

    `folder` is relative to the project (`root`, by default the working folder). Files name the `targets`, `stores` and
    `servers` given here, and the resource servers of all files. Raises DeclarationError with one sentence for each
    problem of all files, each naming file, line and field.
    """
    base = root or Path.cwd()
    known = _Known(
        {target.name: target for target in targets},
        {store.name: store for store in stores},
        {server.name: server for server in servers},
    )
    for what, ports in (("target", targets), ("store", stores)):
        first: dict[str, object] = {}
        known.problems += [
            f"catalog: two different {what}s are called {port.name!r}; rename one of them"
            for port in ports
            if first.setdefault(port.name, port.descriptor) != port.descriptor
        ]
    entries: list[Entry] = []
    for path in catalog_files(base, folder):
        try:
            document = read_file(path, path.relative_to(base).as_posix())
        except DeclarationError as error:
            known.problems += error.message.splitlines()
        else:
            entries += read_entries(document, known.problems)
            known.unsound |= set(_section(document, "resource_servers"))
    made = [*_made(entries, known)]
    if known.problems:
        raise DeclarationError("\n".join(dict.fromkeys(known.problems)))
    declarations = tuple(d for d in made if not isinstance(d, Allowed))
    return Catalog(declarations, tuple(d for d in made if isinstance(d, Allowed)))


def catalog_files(base: Path, folder: str) -> list[Path]:
    """Return the YAML files of a folder, sorted. Raises DeclarationError where there is no such folder."""
    place = base / folder
    if not place.is_dir():
        raise DeclarationError(f"catalog: there is no folder {folder} in {base}; correct it, or make it")
    return sorted(path for path in place.rglob("*") if path.suffix in SUFFIXES and path.is_file())


@dataclass(frozen=True)
class Entry:
    """One name of one section: its fields with the file's defaults, and which of them are defaults."""

    document: Document
    section: str
    name: str
    fields: Mapping[str, Any]
    inherited: frozenset[str] = frozenset()

    def line(self, *place: str | int) -> int:
        """Return the line of one of its fields, of the default it comes from, or of the entry."""
        start = (DEFAULTS,) if place and place[0] in self.inherited else (self.section, self.name)
        return _line(self.document, start, place)

    def problem(self, text: str, *place: str | int) -> str:
        """Return a sentence that names file, line, entry and field; of one that it begins with, the line."""
        where = f"{self.section}.{self.name}"
        names = "".join(f"{part}: " for part in [".".join(str(p) for p in place if isinstance(p, str))] if part)
        first, second, *_ = [*text.split(" ", 2), ""]
        inner = (first.removesuffix(":"), second) if first.endswith(":") else (first,)
        return f"{self.document.name}, line {self.line(*place, *inner)}: {where}: {names}{text}"


def _line(document: Document, start: _Place, place: _Place) -> int:
    """Return the line of what stands below a start, or of the nearest that holds it; one item needs no list."""
    path = start
    for part in place:
        if (*path, part) in document.lines:
            path = (*path, part)
        elif isinstance(part, str):
            break
    return document.line(path)


@dataclass(frozen=True)
class _Defaults:
    """The sound defaults of a file, and the names of the others."""

    fields: Mapping[str, Any]
    unsound: frozenset[str]

    @property
    def known_missing(self) -> frozenset[tuple[str, ...]]:
        """Return the places of which it was said already what is wrong."""
        return frozenset((name,) for name in self.unsound)


@dataclass
class _Known:
    """What entries may name, the problems found so far, and servers that may be missing because of one."""

    targets: Mapping[str, Target]
    stores: Mapping[str, Store]
    servers: dict[str, ResourceServer]
    problems: list[str] = field(default_factory=list)
    unsound: set[str] = field(default_factory=set)


def _section(document: Document, name: str) -> Mapping[str, Any]:
    """Return a section of a file as it stands there; empty where there is none."""
    found = document.value.get(name) if isinstance(document.value, dict) else None
    return found if isinstance(found, dict) else {}


def read_entries(document: Document, problems: list[str]) -> list[Entry]:
    """Return the sound entries of one file; what is wrong with the others is added to `problems`."""
    value = document.value
    if value is None:
        return []
    if not isinstance(value, dict):
        problems.append(f"{document.name}, line 1: must be a mapping with {', '.join((DEFAULTS, *FORMS))}")
        return []
    for key in value:
        if key not in {DEFAULTS, *FORMS}:
            text = f"is no section of a catalog{_meant(key, (DEFAULTS, *FORMS))}"
            problems.append(f"{document.name}, line {document.line((key,))}: {key}: {text}")
    defaults = _defaults(document, problems)
    found = []
    for section in (key for key in FORMS if key in value):
        entries = value[section]
        if not isinstance(entries, dict):
            problems.append(f"{document.name}, line {document.line((section,))}: {section}: must be a mapping of names")
            continue
        found += [
            e for name, given in entries.items() if (e := _entry(document, section, name, given, defaults, problems))
        ]
    return found


def _defaults(document: Document, problems: list[str]) -> _Defaults:
    """Return the defaults of a file; what is wrong with one is said once, and not of every entry."""
    given = document.value.get(DEFAULTS, {}) if isinstance(document.value, dict) else {}
    unsound = set()
    try:
        DefaultsForm.model_validate(given)
    except ValidationError as error:
        for place, text in _found(error, DefaultsForm.model_fields):
            line = _line(document, (DEFAULTS,), place)
            problems.append(f"{document.name}, line {line}: {DEFAULTS}: {_dotted(place)}{text}")
            unsound.add(str(place[0]) if place else DEFAULTS)
    fields = given if isinstance(given, dict) and DEFAULTS not in unsound else {}
    return _Defaults({key: value for key, value in fields.items() if key not in unsound}, frozenset(unsound))


def _entry(
    document: Document, section: str, name: str, given: object, defaults: _Defaults, problems: list[str]
) -> Entry | None:
    form = FORMS[section]
    if not NAME.fullmatch(name):
        problems.append(Entry(document, section, name, {}).problem(NAME_RULE))
        return None
    if not isinstance(given, dict):
        problems.append(Entry(document, section, name, {}).problem("must be a mapping of its fields"))
        return None
    added = {key: value for key, value in defaults.fields.items() if key in form.model_fields and key not in given}
    entry = Entry(document, section, name, {**added, **given}, frozenset(added))
    try:
        read = form.model_validate(entry.fields)
    except ValidationError as error:
        found = sorted(_found(error, form.model_fields), key=lambda each: entry.line(*each[0]))
        problems += [entry.problem(text, *place) for place, text in found if place[:1] not in defaults.known_missing]
        return None
    return Entry(document, section, name, read.model_dump(exclude_unset=True), entry.inherited)


def _found(error: ValidationError, fields: Iterable[str]) -> Iterator[tuple[_Place, str]]:
    """Yield where each problem is, and what it is, in our words; values are never repeated."""
    for problem in error.errors(include_url=False, include_input=False):
        place = tuple(part for part in problem["loc"] if part != "[key]")
        text = PROBLEMS.get(problem["type"], problem["msg"].removeprefix("Value error, "))
        if problem["type"] == "extra_forbidden":
            text = f"is not a field here{_meant(str(place[-1]), fields if len(place) == 1 else ())}"
        yield place, text


def _dotted(place: _Place) -> str:
    text = ".".join(str(part) for part in place if isinstance(part, str))
    return f"{text}: " if text else ""


def _meant(given: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(given, list(known), 1)
    return f"; did you mean {close[0]}?" if close else "; remove or correct it"


def _made(entries: Sequence[Entry], known: _Known) -> Iterator[Declaration | Allowed]:
    """Make the declarations, resource servers first, since others name them."""
    seen: dict[str, Entry] = {}
    for entry in entries:
        first = seen.setdefault(entry.name, entry) if entry.section != "allowed" else entry
        if first is not entry:
            where = f"{first.document.name}, line {first.line()}"
            known.problems.append(entry.problem(f"{where}, has the same name; rename one of them"))
    ordered = sorted(entries, key=lambda entry: entry.section != "resource_servers")
    for entry in ordered:
        before = len(known.problems)
        fields = _Fields(entry, known).made()
        if len(known.problems) > before:
            continue
        try:
            declared = _declared(entry, fields)
        except DeclarationError as error:
            known.problems += _told(entry, error)
            continue
        if isinstance(declared, ResourceServer):
            known.servers[declared.name] = declared
        yield declared


def _declared(entry: Entry, fields: dict[str, Any]) -> Any:  # noqa: ANN401 - one of KINDS
    cls = KINDS[entry.section]
    return cls(**fields) if cls is Allowed else cls(entry.name, **fields)


def _told(entry: Entry, error: DeclarationError) -> Iterator[str]:
    """Turn the sentences of a declaration's class into those of its place in the file."""
    for sentence in error.message.splitlines():
        subject, parted, text = sentence.partition(": ")
        name, more, rest = text.partition(": ")
        if not parted:
            yield entry.problem(subject)
        elif more and name.split(".")[0] in entry.fields:
            yield entry.problem(rest, *name.split("."))
        else:
            yield entry.problem(text)


@dataclass
class _Fields:
    """Turns the fields of one entry into what its class takes."""

    entry: Entry
    known: _Known

    def made(self) -> dict[str, Any]:
        """Return the fields; what names something unknown is noted as a problem."""
        return {name: self._value(name, value) for name, value in self.entry.fields.items()}

    def _value(self, name: str, value: Any) -> Any:  # noqa: ANN401 - fields of all kinds
        if name in {"target", "proven_by"}:
            return self._named(value, self.known.targets, "target", name)
        if name in {"access", "optional_access", "ceiling"}:
            return {server: scopes for key, scopes in value.items() if (server := self._server(name, key)) is not None}
        if name == "deliver_to":
            return [place for index, given in enumerate(value) if (place := self._place(given, index)) is not None]
        if name == "rotation":
            return self._nested(RotationSchedule, value, name)
        if name == "waivers":
            return [self._nested(Waiver, given, name, index) for index, given in enumerate(value)]
        if name == "classification":
            return self._classification(value)
        return value

    def _named(self, given: str, known: Mapping[str, _Named], what: str, *place: str | int) -> _Named | None:
        found = known.get(given)
        if found is None:
            names = ", ".join(sorted(known)) or "none"
            text = f"{given!r} is no {what} that the stack gives to this catalog; it gives {names}"
            self.known.problems.append(self.entry.problem(text, *place))
        return found

    def _server(self, name: str, given: str) -> ResourceServer | None:
        found = self.known.servers.get(given)
        if found is None and given not in self.known.unsound:
            names = ", ".join(sorted(self.known.servers)) or "none"
            text = f"no file of this catalog declares it, nor is it among servers=[...]; known: {names}"
            self.known.problems.append(self.entry.problem(text, name, given))
        return found

    def _place(self, given: Mapping[str, Any], index: int) -> Delivery | None:
        store = self._named(given["store"], self.known.stores, "store", "deliver_to", index)
        if store is None:
            return None
        try:
            made = Delivery(
                store,
                given["path"].replace(NAME_IN_PATH, self.entry.name),
                fields=given.get("fields", {}),
                take_over=given.get("take_over", False),
                webhook=Webhook(**given["webhook"]) if "webhook" in given else None,
            )
        except DeclarationError as error:
            sentences = [text.removeprefix("deliver_to: ") for text in error.message.splitlines()]
            self.known.problems += [self.entry.problem(text, "deliver_to", index) for text in sentences]
            return None
        return made

    def _nested(self, cls: Any, given: Mapping[str, Any], *place: str | int) -> Any:  # noqa: ANN401 - a class of declarations
        try:
            return cls(**given)
        except DeclarationError as error:
            for sentence in error.message.splitlines():
                text = sentence.removeprefix(f"{cls.__name__}: ")
                name, parted, rest = text.partition(": ")
                inner = (name,) if parted and name in given else ()
                self.known.problems.append(self.entry.problem(rest if inner else text, *place, *inner))
            return None

    def _classification(self, given: Mapping[str, Any]) -> Classification | None:
        [(kind, fields)] = given.items()
        made: Classification | None = self._nested(CLASSES[kind], fields, "classification", kind)
        return made
