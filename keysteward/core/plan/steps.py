"""Steps and plans: what a run would do, in order. The same list is previewed, reviewed and executed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Final

from keysteward.core.observe.world import World
from keysteward.core.record.ledger import Lease, ObjectRecord
from keysteward.core.record.steps import Also, Do


@dataclass(frozen=True, slots=True)
class Step:
    """One step: what, to which generation, object or place, in words, and why.

    `headline` steps make up the words of a plan; the others are how it is done. `changes` are what it changes, one by
    one, where its kind and place do not say that; `widens` says that more is allowed afterwards than before. `until` is
    how long an abandoned generation lives on.
    """

    do: Do
    words: str
    why: str = ""
    generation: int | None = None
    object: int | None = None
    place: str | None = None
    headline: bool = False
    widens: bool = False
    changes: tuple[str, ...] = ()
    record: ObjectRecord | None = None
    secret_id: str | None = None
    suspects: tuple[str, ...] = ()
    until: datetime | None = None

    @property
    def keys(self) -> frozenset[str]:
        """Return what this step is, whatever its words: itself, and each change that it makes."""
        where = (("generation", self.generation), ("object", self.object), ("place", self.place))
        itself = " ".join([self.do, *(f"{name} {value}" for name, value in where if value is not None)])
        return frozenset({itself, *(f"{itself}: {change}" for change in self.changes)})

    @property
    def needs_approval(self) -> bool:
        """Say whether a run must not do this unless its plan announced it."""
        return self.headline and (self.widens or Also.ENDS in self.do.also)


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing can be done before a moment, and why."""

    until: datetime
    why: str


@dataclass(frozen=True, slots=True)
class Problem:
    """What stops this credential before its first write: a sentence with what to do."""

    message: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run would do to one credential. `due` is the next time at which something is, as far as is known.

    `leased` is the lease of another run that works on it: nothing is planned then.
    """

    identity: str
    steps: tuple[Step, ...] = ()
    wait: Wait | None = None
    problem: Problem | None = None
    due: datetime | None = None
    leased: Lease | None = None

    @property
    def words(self) -> str:
        """Return the plan as one sentence; empty when nothing is due."""
        headlines = [step.words for step in self.steps if step.headline]
        return "; ".join(headlines or [step.words for step in self.steps[:1]])

    @property
    def by_record(self) -> Step | None:
        """Return the step that notes what was revoked without the ledger store; the rest of the plan carries it out."""
        return next((step for step in self.steps if step.do is Do.REVOKE), None)


class Nothing(Enum):
    """A rule's word that nothing further may be done."""

    STOP = "stop"


NOTHING: Final = Nothing.STOP


Decision = Step | Wait | Problem | Nothing | None


PlanRule = Callable[[World], Decision]
