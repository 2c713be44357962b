"""Finds declarations in the project's source files, Python and YAML, and changes single values there, no other byte.

What reads YAML is imported where a stack has catalog files, and not before.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from keysteward.cli.source import python_source
from keysteward.cli.source.places import Edit, Field, Place, Value, relative
from keysteward.core.errors import DeclarationError
from keysteward.core.identity import name_of

OWNER = "owner"


class Source(Protocol):
    """What a module does for one language in which declarations are written."""

    def places(self, file: Path) -> Iterator[Place]:
        """Yield the place of each declaration in a file; none in one that cannot be read."""

    def as_written(self, value: Value, text: str) -> bytes:
        """Return a text as it is written in place of a value."""

    def same_but(self, before: bytes, after: bytes, field: Field) -> bool:
        """Say whether two files declare the same but for one field."""


def _source(file: Path) -> Source:
    if file.suffix == ".py":
        return python_source
    from keysteward.cli.source import catalog_source  # noqa: PLC0415 - only where there are catalog files

    return catalog_source


@dataclass(frozen=True, slots=True)
class Owned:
    """Where a declaration says who owns it; `edit` is what to change there, None where a person must (`why`)."""

    name: str
    file: Path
    line: int
    why: str = ""
    value: Value | None = None

    @property
    def span(self) -> tuple[int, int] | None:
        """Return the characters of the value that can be changed, None where a person must do it."""
        return self.value.span if self.value is not None and not self.why else None


def project_files(root: Path, module: str) -> list[Path]:
    """Return the files that declare a stack: its module first, what that imports, then its catalog files.

    Installed packages are left out, also those in an environment inside the project's folder.
    """
    outside = {Path(prefix).resolve() for prefix in (sys.prefix, sys.base_prefix)}
    installed = tuple(f"{prefix}/" for prefix in {sys.prefix, sys.base_prefix, *map(str, outside)})
    project = root.resolve()
    files: dict[Path, None] = {}
    named = sorted(sys.modules.items(), key=lambda item: item[0] != module)
    for _, loaded in named:
        file = getattr(loaded, "__file__", None)
        path = Path(file).resolve() if file and not file.startswith(installed) else None
        if path is None or path.suffix != ".py" or not path.is_relative_to(project):
            continue
        if "site-packages" not in path.parts and not any(path.is_relative_to(folder) for folder in outside):
            files[path] = None
    return [*files, *_catalog_files(project, files)]


def _catalog_files(project: Path, sources: Iterable[Path]) -> list[Path]:
    """Return the catalog files that Python files read; all below `stacks` where one computes the name of its folder."""
    folders = [folder for folder in python_source.folders_named_in(project, sources) if folder.is_dir()]
    if not folders:
        return []
    from keysteward.modules.catalog import catalog_files  # noqa: PLC0415 - only where there are catalog files

    found = [file for folder in folders for file in catalog_files(project, str(folder.relative_to(project)))]
    return list(dict.fromkeys(found))


def find_places(files: Iterable[Path], names: Iterable[str]) -> Mapping[str, Place]:
    """Return where each of these names is declared; of a name that stands in several places, the first, `why` says so.

    Names that no file declares literally (they are computed) are left out.
    """
    wanted = set(names)
    found: dict[str, Place] = {}
    for file in files:
        for place in _source(file).places(file):
            if place.name not in wanted:
                continue
            first = found.setdefault(place.name, place)
            if first is not place and not first.why:
                why = f"{place.file.name}, line {place.line}, declares that name too"
                found[place.name] = replace(first, why=why)
    return found


def lines_by_identity(root: Path, files: Iterable[Path], identities: Iterable[str]) -> dict[str, tuple[str, int]]:
    """Return path (relative to the project) and line of each declaration by its identity, where they can be known."""
    names = {name_of(identity): identity for identity in identities}
    found = find_places(files, names)
    return {names[name]: (relative(place.file, root), place.line) for name, place in found.items()}


def find_owners(files: Iterable[Path], names: Iterable[str], owner: str) -> list[Owned]:
    """Return where each of these credentials says that this is its owner; those not found by name have line 0."""
    listed, wanted = list(files), list(names)
    found = find_places(listed, wanted)
    nowhere = Owned("", listed[0] if listed else Path(), 0, "no declaration says this name in the source")
    return [_owned(found[name], owner) if name in found else replace(nowhere, name=name) for name in wanted]


def _owned(place: Place, owner: str) -> Owned:
    value = place.values.get(OWNER)
    if value is None:
        return Owned(place.name, place.file, place.line, "it does not say its owner there")
    where = Owned(place.name, place.file, value.line, value=value)
    if place.why:
        return replace(where, why=place.why)
    if value.why:
        return replace(where, why=f"its owner {value.why}")
    if value.text != owner:
        return replace(where, why=f"its owner reads {value.text!r} there")
    return where


def change_owners(places: Iterable[Owned], owner: str) -> list[Path]:
    """Write another owner in each of these places and change no other byte; returns the files that were changed.

    Raises DeclarationError, before any file is written, where a file was edited since it was read, or where the result
    would not be the same otherwise.
    """
    if not owner.isprintable() or set(owner) & set("\"'\\"):
        raise DeclarationError(f"--to: {owner!r} cannot be written as a plain text; edit the owners by hand")
    edits = {}
    for place in places:
        if place.span is not None and place.value is not None:
            new = _source(place.file).as_written(place.value, owner)
            edits[place.file, place.span] = Edit(place.file, place.span, place.value.literal, new, "owner")
    return change(edits.values())


def change(edits: Iterable[Edit]) -> list[Path]:
    """Carry out edits; returns the files that were changed.

    Raises DeclarationError, before any file is written, where a file was edited since it was read, or where anything
    else would change.
    """
    by_file: dict[Path, list[Edit]] = {}
    for edit in edits:
        by_file.setdefault(edit.file, []).append(edit)
    changed = {file: _changed(file, listed) for file, listed in by_file.items()}
    for file, text in changed.items():
        file.write_bytes(text)
    return list(changed)


def _changed(file: Path, edits: Iterable[Edit]) -> bytes:
    before = text = file.read_bytes()
    source = _source(file)
    for edit in sorted(edits, reverse=True):
        start, end = edit.span
        if text[start:end] != edit.literal:
            raise DeclarationError(f"{file} was edited meanwhile; nothing was changed, run again")
        text = text[:start] + edit.new + text[end:]
    for field in {edit.field for edit in edits}:
        if not source.same_but(before, text, field):
            raise DeclarationError(f"{file} would not say the same any more; nothing was changed, edit it by hand")
    return text
