"""What a forecast is asked to suppose: that an owner is gone, and that the limit on endings is another. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime

from pydantic import ValidationError

from keysteward.core.errors import DeclarationError
from keysteward.core.forecast import Outlook
from keysteward.core.owners import Owner, Owners
from keysteward.core.stack import Limit, Stack, check


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
    """What it means that an owner is gone: who answers then, for what, and what refuses every run (nothing: none).

    Credentials are those of the owner, by name. `deputy` None: nobody stands in, so that they are to be revoked.
    """

    owner: str
    deputy: str | None
    credentials: tuple[str, ...]
    refused: tuple[str, ...]


def suppose_gone(stack: Stack, owners: Owners, name: str, on: date) -> Gone:
    """Hold the stack against its owners without one of them, as every command does before its first call."""
    gone = as_if_gone(owners, name)
    refused: list[str] = []
    try:
        Owners.model_validate(gone.model_dump())
    except ValidationError as error:
        refused += [problem["msg"].removeprefix("Value error, ") for problem in error.errors(include_url=False)]
    try:
        check(stack, gone)
    except DeclarationError as error:
        refused += str(error).splitlines()
    mine = tuple(sorted(spec.name for spec in stack.specs.values() if spec.owner == name))
    return Gone(name, gone.deputy_of(name, on), mine, tuple(refused))


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
            ending.setdefault(at, []).append(outlook.identity.rsplit("/", 1)[-1])
    found = []
    for at in sorted(ending):
        names = sorted(ending[at])
        of = open_ledgers + sum(1 for o in kept if o.opened is not None and o.opened < at)
        if limit.exceeded(len(names), of):
            busy = sum(1 for o in kept if any(w.at == at for w in o.writes))
            found.append(Stop(at, len(names), of, tuple(names), max(busy - len(names), 0)))
    return tuple(found)
