"""What steps and findings mean to people who look ahead: events in words, and which steps write to a target. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from keysteward.core.contract.ports import Action
from keysteward.core.findings import Finding, Kind, Severity
from keysteward.core.observe.keys import shown
from keysteward.core.observe.world import World
from keysteward.core.plan.effects import action_for
from keysteward.core.plan.steps import Step
from keysteward.core.record.ledger import State
from keysteward.core.record.steps import Also, Do


class What(StrEnum):
    """What happens, in one word."""

    ISSUED = "issued"  # a generation is made, proven and delivered
    RETIRED = "retired"  # a generation is ended by a run
    SUSPENDED = "suspended"  # a client or key is disabled by a run
    CHANGED = "changed"  # anything else that a run does: settings, marks, an adoption, a rollback
    EXPIRED = "expired"  # it ends by a date of its declaration or of its target, or is found dead
    MISSED = "missed"  # due, and no run comes
    LATE = "late"  # a rotation is overdue by a tenth of its interval
    BLOCKED = "blocked"  # something stops it until a person mends it
    PERSON = "person needed"  # only a person can do it: a key made by hand, a classification to renew
    WAITS = "waits"  # for another run, or for a list that can prove an absence


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happens to one credential. `generation` and `target` are None where it is about neither."""

    at: datetime
    identity: str
    what: What
    words: str
    generation: int | None = None
    target: str | None = None


@dataclass(frozen=True, slots=True)
class Writes:
    """How many writing calls one run makes to one target for one credential."""

    at: datetime
    target: str
    count: int


_MEANINGS: dict[Kind, What] = {
    Kind.OVERDUE: What.LATE,
    Kind.BLOCKED: What.BLOCKED,
    Kind.CAP_FILLED: What.BLOCKED,
    Kind.CLOCK_OFF: What.BLOCKED,
    Kind.DISABLED_ELSEWHERE: What.BLOCKED,
    Kind.ENDED_ELSEWHERE: What.BLOCKED,
    Kind.UNRECORDED: What.BLOCKED,
    Kind.LEASED: What.WAITS,
    Kind.NEW_VALUE_DUE: What.PERSON,
    Kind.NOT_RENEWED: What.PERSON,
    Kind.RETIREMENT_WAITS: What.PERSON,
    Kind.SUSPECT: What.PERSON,
}


def means(world: World, finding: Finding) -> What | None:
    """Return what kind of event a finding is that comes up; None for one that is no event."""
    if finding.kind is Kind.EXPIRING:
        spec = world.spec
        return What.EXPIRED if spec is not None and spec.expires is not None and world.now >= spec.expires else None
    if finding.kind is Kind.CAP_FILLED and finding.severity is Severity.NOTE:
        return None
    return _MEANINGS.get(finding.kind)


def writes_to(world: World, step: Step) -> bool:
    """Say whether a step writes to its target: what is there already is not issued, and what is gone not ended."""
    if Also.WRITES in step.do.also:
        return True
    ledger = world.ledger
    if step.do not in {Do.ISSUE, Do.END} or ledger is None or step.generation is None:
        return False
    generation = ledger.generation(step.generation)
    record = ledger.object_of(generation)
    found = world.object(record)
    if step.do is Do.ISSUE and action_for(generation) is Action.MINT:
        return True
    if step.do is Do.ISSUE:
        return found is not None and found.secret(generation.fingerprint) is None
    if record.holder:
        return generation.id is not None
    if found is None:
        return False
    alternate = generation.strategy.twins and generation.state is State.RETIRING
    return (alternate and not ledger.shares_object(generation)) or shown(found, generation) is not None


def target_of(world: World, step: Step) -> str | None:
    """Return the target at which a step does something; None for one in the stores alone, or that names none."""
    ledger = world.ledger
    if step.record is not None:
        return step.record.target
    if ledger is None or (step.object is None and step.generation is None):
        return None
    if step.object is not None:
        return ledger.object(step.object).target
    known = next((g for g in ledger.generations if g.number == step.generation), None)
    return known.target if known is not None else None


def happens(world: World, step: Step, begun: dict[int | None, str]) -> Iterator[tuple[What, str]]:
    """Yield what a step means to people; most are only how something is done."""
    because = f" ({step.why})" if step.why else ""
    if step.do is Do.SETTLE:
        yield What.ISSUED, begun.get(step.generation, f"deliver generation {step.generation}")
    elif step.do is Do.END:
        known = world.ledger.generation(step.generation) if world.ledger is not None and step.generation else None
        why = f" ({known.evidence})" if known is not None and known.evidence else because
        yield What.RETIRED, f"end generation {step.generation}{why}"
    elif step.do is Do.SUSPEND:
        yield What.SUSPENDED, f"{step.words}{because}"
    elif step.do is Do.CHECK and (world.ledger is None or world.ledger.rollback != step.generation):
        yield What.EXPIRED, f"generation {step.generation} does not work any more{because}"
    elif Also.EVENT in step.do.also and (step.headline or step.do is Do.RESTORE):
        yield What.CHANGED, f"{step.words}{because}"
