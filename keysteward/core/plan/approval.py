"""Approval: which steps a person saw in a plan. It goes by keys; the words of a plan are for people alone. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol


class Approvable(Protocol):
    """A step, as far as its approval goes."""

    @property
    def words(self) -> str:
        """Return what a person reads."""

    @property
    def keys(self) -> frozenset[str]:
        """Return what the step is, whatever its words: itself, and each change that it makes."""

    @property
    def needs_approval(self) -> bool:
        """Say whether a run must not do it unless its plan announced it."""


@dataclass(frozen=True, slots=True)
class Approval:
    """What a plan announced: the keys of its steps, and the number of the run that was to carry them out.

    Without a number they are good for whatever run comes.
    """

    keys: frozenset[str]
    run: int | None = None


def keys_to_approve(steps: Iterable[Approvable]) -> frozenset[str]:
    """Return the keys of the steps that need approval."""
    return frozenset(key for step in steps if step.needs_approval for key in step.keys)


def unapproved(steps: Iterable[Approvable], approval: Approval | None, executed: int = 0) -> list[str]:
    """Return the words of the steps that need approval and do not have it; None approves everything.

    `executed` is how many plans were carried out: what was announced for one of those runs is over.
    """
    if approval is None:
        return []
    over = approval.run is not None and approval.run <= executed
    known = frozenset[str]() if over else approval.keys
    return sorted(step.words for step in steps if step.needs_approval and not step.keys <= known)
