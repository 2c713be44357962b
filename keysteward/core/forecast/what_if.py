"""What a forecast supposes of a whole stack: an owner who is gone, a rule that stops runs, a limit on endings. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime

from pydantic import ValidationError

from keysteward.core.assess.blast_radius import DAY
from keysteward.core.declare.owners import Owner, Owners
from keysteward.core.declare.stack import Limit, Stack
from keysteward.core.errors import DeclarationError
from keysteward.core.findings import Finding
from keysteward.core.forecast.forecast import Outlook
from keysteward.core.forecast.moving_clock import Turns, moving
from keysteward.core.identity import name_of
from keysteward.core.policy import cases, judge_one, judge_sets, may_stop, stopping
from keysteward.core.policy.check import sentence_of


def as_if_gone(owners: Owners, name: str) -> Owners:
    """Return the owners with one of them gone. Raises DeclarationError for a name that is not in the file."""
    owner = owners.find(name)
    if owner is None:
        known = ", ".join(owners.names) or "nobody"
        raise DeclarationError(f"{name!r} is not in the owners file (it lists {known}); correct the name")
    left = {name: owner.model_copy(update={"state": "gone", "leaves": None})}

    def without(listed: Mapping[str, Owner]) -> dict[str, Owner]:
        return {known: left.get(known, kept) for known, kept in listed.items()}

    return owners.model_copy(update={"teams": without(owners.teams), "people": without(owners.people)})


@dataclass(frozen=True, slots=True)
class Gone:
    """An owner who is taken to be gone: who answers then (None: nobody), and for which credentials, by name."""

    owner: str
    deputy: str | None
    credentials: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Halt:
    """From when on every run stops before its first call, and why: the sentences that it would say then."""

    at: datetime
    sentences: tuple[str, ...]


def suppose_gone(stack: Stack, owners: Owners, name: str, on: date) -> tuple[Owners, Gone]:
    """Return the owners without one of them, and whom that leaves. Raises DeclarationError for an unknown name."""
    supposed = as_if_gone(owners, name)
    mine = tuple(sorted(spec.name for spec in stack.specs.values() if spec.owner == name))
    return supposed, Gone(name, supposed.deputy_of(name, on), mine)


def halt(stack: Stack, owners: Owners, begin: datetime, end: datetime) -> Halt | None:
    """Return from when on a rule stops every run of a stack, if it stays as it is; None when none does by `end`."""
    try:
        Owners.model_validate(owners.model_dump())
    except ValidationError as error:
        wrong = [problem["msg"].removeprefix("Value error, ") for problem in error.errors(include_url=False)]
        return Halt(begin, tuple(f"owners file: {sentence}" for sentence in wrong))
    rules = {key: may_stop(stack, key=key) for key in (False, True)}
    found: dict[datetime, list[Finding]] = {}

    def look(judged: Callable[[datetime], Iterable[Finding]]) -> None:
        at: datetime | None = begin
        while at is not None and at <= end:
            turns = Turns(at)
            broken = stopping(judged(moving(at, turns)))
            if broken:
                found.setdefault(at, []).extend(broken)
                return
            at = at + DAY if turns.unclear else turns.soonest

    for case in cases(stack, owners, begin, {}):
        look(lambda now, case=case: judge_one(replace(case, now=now), rules[case.spec.key]))  # type: ignore[misc]
    look(lambda now: judge_sets(stack, owners, now))
    if not found:
        return None
    at = min(found)
    return Halt(at, tuple(sentence_of(finding, stack) for finding in found[at]))


@dataclass(frozen=True, slots=True)
class Stop:
    """A run that the limit stops as a whole: it would leave `ending` of `of` credentials without a working secret.

    `held_up` counts the other credentials for which the run has something to do, and does not.
    """

    at: datetime
    ending: int
    of: int
    names: tuple[str, ...]
    held_up: int


def stops(outlooks: Iterable[Outlook], limit: Limit, open_ledgers: int) -> tuple[Stop, ...]:
    """Return the runs that the limit would stop, each as if a person had allowed those before it.

    `open_ledgers` counts those that are open when the forecast begins.
    """
    kept = list(outlooks)
    ending: dict[datetime, list[str]] = {}
    for outlook in kept:
        for at in outlook.endings:
            ending.setdefault(at, []).append(name_of(outlook.identity))
    found = []
    for at in sorted(ending):
        names = sorted(ending[at])
        of = open_ledgers + sum(1 for o in kept if o.opened is not None and o.opened < at)
        if limit.exceeded(len(names), of):
            busy = sum(1 for o in kept if any(w.at == at for w in o.writes))
            found.append(Stop(at, len(names), of, tuple(names), max(busy - len(names), 0)))
    return tuple(found)
