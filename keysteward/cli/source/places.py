"""Where a declaration stands in the source, and what is to be changed there; the same for Python and for YAML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Literal

Field = Literal["owner", "reviewed"]
"""The fields that commands change in the source."""


@dataclass(frozen=True, slots=True)
class Value:
    """One value as it stands in a file: its line, what it says, the bytes of its literal and where they are.

    `why` says what stands there in place of a plain literal, which only a person can change.
    """

    line: int
    text: str
    span: tuple[int, int]
    literal: bytes
    why: str = ""


@dataclass(frozen=True, slots=True)
class Insertion:
    """Where a field that is not there can be written: at a byte, between `before` and `after`. `why`: why it cannot."""

    at: int = 0
    before: str = ""
    after: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """Where one name is declared. `day` is how a date is written there; `why` says why the place is in doubt."""

    name: str
    file: Path
    line: int
    kind: str
    values: Mapping[str, Value] = field(default_factory=dict)
    insertion: Insertion = field(default_factory=Insertion)
    day: str = "{0:%Y-%m-%d}"
    why: str = ""


@dataclass(frozen=True, slots=True)
class Written:
    """Where an allowance is written: the names it is for, and what else it `says` as plain texts, by field."""

    file: Path
    line: int
    names: tuple[str, ...]
    says: Mapping[str, str]


@dataclass(frozen=True, slots=True, order=True)
class Edit:
    """These bytes of a file become others. `field` is the one field whose values differ afterwards."""

    file: Path
    span: tuple[int, int]
    literal: bytes
    new: bytes
    field: Field


def written(place: Place, day: date) -> str:
    """Return how a date is written at a place."""
    return place.day.format(day)


def relative(file: Path, root: Path) -> str:
    """Return a file as it is told: relative to the project where it lies in there."""
    resolved = root.resolve()
    return file.relative_to(resolved).as_posix() if file.is_relative_to(resolved) else str(file)
