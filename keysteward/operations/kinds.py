"""Which kinds of targets and stores there are: those that installed packages name, ours among them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Final

from keysteward.core.contract.introduction import Introduced, Introduction
from keysteward.core.errors import DeclarationError

TARGETS: Final = "keysteward.targets"
STORES: Final = "keysteward.stores"
"""The entry point groups in which packages, ours too, name their kinds: a word, and a class."""

OURS: Final = "keysteward"


@cache
def target_kinds() -> Mapping[str, EntryPoint]:
    """Return the kinds of targets by their words, sorted; any other goes by "package.module:Class"."""
    return _kinds(TARGETS)


@cache
def store_kinds() -> Mapping[str, EntryPoint]:
    """Return the kinds of stores by their words, sorted."""
    return _kinds(STORES)


def _kinds(group: str) -> Mapping[str, EntryPoint]:
    """Read one group. A word that two packages have is ours where we have it, and nobody's where we have not."""
    found: dict[str, list[EntryPoint]] = {}
    for point in entry_points(group=group):
        found.setdefault(point.name, []).append(point)
    chosen = {word: _only(points) for word, points in found.items()}
    return {word: point for word, point in sorted(chosen.items()) if point is not None}


def _only(points: Sequence[EntryPoint]) -> EntryPoint | None:
    ours = [point for point in points if distribution(point)[0] == OURS]
    return ours[0] if ours else points[0] if len(points) == 1 else None


def distribution(point: EntryPoint) -> tuple[str, str]:
    """Return name and version of the package that brings a kind."""
    return (point.dist.name, point.dist.version) if point.dist is not None else ("", "")


def class_of(word: str, point: EntryPoint) -> type:
    """Import the class of a kind. Raises DeclarationError when it is not there."""
    try:
        made = point.load()
    except (ImportError, AttributeError):
        made = None
    if not isinstance(made, type):
        raise DeclarationError(f"{word} cannot be imported; install the package that provides it")
    return made


def introduction_of(word: str, point: EntryPoint) -> Introduction:
    """Return how a kind introduces itself; an empty introduction where it does not."""
    made = class_of(word, point)
    return made.introduction() if isinstance(made, Introduced) else Introduction()
