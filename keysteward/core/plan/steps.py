"""Steps and plans: what a run would do, in order. The same list is previewed, reviewed and executed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from keysteward.core.findings import Finding
from keysteward.core.record.ledger import ObjectRecord


class Do(StrEnum):
    """What one step does; the comment says where: at the target (T), in the stores (S), in the ledger only (L)."""

    ADOPT = "adopt"  # L
    MARK = "mark"  # T
    NAME = "name"  # T: our client gets its client_id back; L: the one that others gave to theirs is taken over
    UPDATE = "update"  # T
    PREPARE = "prepare"  # T
    BEGIN = "begin"  # L
    STAGE = "stage"  # S
    CREATE = "create"  # T
    FENCE = "fence"  # L, before SHIFT
    SHIFT = "shift"  # T
    RESTORE = "restore"  # T: the current secret's value is put back into its slot
    ISSUE = "issue"  # T
    RECOVER = "recover"  # L: the store shows what was issued
    RESUME = "resume"  # T
    VERIFY = "verify"  # T
    PROMOTE = "promote"  # S
    SETTLE = "settle"  # L
    ABANDON = "abandon"  # L
    RETIRE = "retire"  # L, the fence before END
    END = "end"  # T, S
    CHECK = "check"  # T
    NOTIFY = "notify"  # the consumer's webhook
    ROLLBACK = "rollback"  # S
    SUSPEND = "suspend"  # T
    RECORD = "record"  # L
    KEEP = "keep"  # L: what was made safer on an adopted client
    DELETE = "delete"  # T
    EMPTY = "empty"  # S
    DISCARD = "discard"  # S: one generation's plaintext at one place
    RELEASE = "release"  # T
    CLOSE = "close"  # L
    MIGRATE = "migrate"  # L: its consumers use a client instead
    REVOKE = "revoke"  # L: the record of a revocation without the ledger store is noted


LEDGER_ONLY = frozenset(
    {
        *(Do.ADOPT, Do.BEGIN, Do.FENCE, Do.RECOVER, Do.SETTLE, Do.ABANDON, Do.RETIRE),
        *(Do.RECORD, Do.KEEP, Do.CLOSE, Do.MIGRATE, Do.REVOKE),
    }
)
ENDS = frozenset({Do.RETIRE, Do.SUSPEND, Do.DELETE, Do.RELEASE, Do.ABANDON, Do.MIGRATE, Do.REVOKE})
"""Steps that take something away; with `Step.widens` they are what a reviewer must have seen."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step: what, to which generation, object or place, in words, and why.

    `headline` steps make up the words of a plan; the others are how it is done. `widens` says that more is allowed
    afterwards than before. `until` is how long an abandoned generation lives on.
    """

    do: Do
    words: str
    why: str = ""
    generation: int | None = None
    object: int | None = None
    place: str | None = None
    headline: bool = False
    widens: bool = False
    record: ObjectRecord | None = None
    secret_id: str | None = None
    suspects: tuple[str, ...] = ()
    until: datetime | None = None

    @property
    def needs_approval(self) -> bool:
        """Say whether a run must not do this unless its plan announced it."""
        return self.headline and (self.widens or self.do in ENDS)


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
    """What a run would do to one credential. `due` is the next time at which something is, as far as is known."""

    identity: str
    steps: tuple[Step, ...] = ()
    findings: tuple[Finding, ...] = ()
    wait: Wait | None = None
    problem: Problem | None = None
    due: datetime | None = None

    @property
    def words(self) -> str:
        """Return the plan as one sentence; empty when nothing is due."""
        headlines = [step.words for step in self.steps if step.headline]
        return "; ".join(headlines or [step.words for step in self.steps[:1]])

    @property
    def by_record(self) -> Step | None:
        """Return the step that notes what was revoked without the ledger store; the rest of the plan carries it out."""
        return next((step for step in self.steps if step.do is Do.REVOKE), None)

    @property
    def approved(self) -> frozenset[str]:
        """Return the words of the steps that need approval."""
        return frozenset(step.words for step in self.steps if step.needs_approval)


def unapproved(words: Iterable[str], approved: str | None, executed: int = 0) -> list[str]:
    """Return which of these steps the words of an approved plan do not have; `approved` None approves all.

    A plan under a run number ("#12 ...") that is not above `executed`, how many plans were carried out, is over.
    """
    if approved is None:
        return []
    number, _, plan = approved.partition(" ") if approved.startswith("#") else ("", "", approved)
    over = number[1:].isdecimal() and int(number[1:]) <= executed
    known = set() if over else set(plan.split("; "))
    return sorted(w for w in words if not set(w.split("; ")) <= known)
