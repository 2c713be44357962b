"""Owners and consumers: who answers for credentials and who uses them, with contact and state. Pure.

Both can end: an owner leaves on a date, a consumer is retired on one. Whoever has one of these that is over is to be
handed to somebody else, or revoked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from keysteward.core.declare.schedule import Day

UNASSIGNED = "UNASSIGNED"
"""The owner of what was imported and has none yet: a finding until `unassigned_until`, then an error."""

INCONSISTENT = "inconsistent"
"""The type of the error for what does not fit together; in its context `problems` are pairs of field and sentence."""

HANDLE = r"@{1,2}[A-Za-z0-9][A-Za-z0-9_.-]*(?:/[A-Za-z0-9][A-Za-z0-9_.-]*)*"
"""A user, a team or a role at a forge: "@billing-lead", "@acme/billing", "@@maintainer" (GitLab)."""

MAIL = r"[A-Za-z0-9][A-Za-z0-9._%+-]*@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+"

ForgeName = Annotated[
    str,
    Field(
        pattern=rf"^(?:{HANDLE}|{MAIL})$",
        description='Name at the forge, for CODEOWNERS: "@acme/billing", or a mail address known there.',
    ),
]
Contact = Annotated[str, Field(min_length=3, description="Where to reach them: a mail address, a channel, a page.")]


class Owner(BaseModel):
    """One team or person who answers for credentials.

    `state` is "active", "leaving" on the day in `leaves`, from which on it counts as gone, or "gone". `deputy` is the
    name of the team or person who answers in their place once they are gone. `forge` is their name where pull requests
    are approved.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    contact: Contact
    state: Literal["active", "leaving", "gone"] = "active"
    leaves: Day | None = None
    deputy: str | None = Field(default=None, description="The team or person of this file who answers afterwards.")
    forge: ForgeName | None = None

    @model_validator(mode="after")
    def _dated(self) -> Self:
        if (self.state == "leaving") is not (self.leaves is not None):
            raise ValueError("leaves is the date for state: leaving, and for no other state")
        return self

    def gone(self, on: date) -> bool:
        """Say whether they do not answer any more on that day."""
        return self.state == "gone" or (self.leaves is not None and on >= self.leaves)


class Consumer(BaseModel):
    """One system, partner or integration that uses credentials.

    `state` is "active", "retiring" on the day in `retires`, from which on it counts as retired, or "retired". `owner`
    is the team or person of this file who runs it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    contact: Contact
    kind: Literal["system", "partner", "integration"] = "system"
    owner: str | None = None
    state: Literal["active", "retiring", "retired"] = "active"
    retires: Day | None = None

    @model_validator(mode="after")
    def _dated(self) -> Self:
        if (self.state == "retiring") is not (self.retires is not None):
            raise ValueError("retires is the date for state: retiring, and for no other state")
        return self

    def gone(self, on: date) -> bool:
        """Say whether it uses nothing any more on that day."""
        return self.state == "retired" or (self.retires is not None and on >= self.retires)


class Owners(BaseModel):
    """The owners file: `teams`, `people` and `consumers` by name.

    Without `consumers` a declaration may name any; with it, those that are listed. Credentials may have the owner
    UNASSIGNED until the day in `unassigned_until`. `security` is the team or person who approves API keys and
    exceptions beside their owners.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    teams: Mapping[str, Owner] = Field(default_factory=dict)
    people: Mapping[str, Owner] = Field(default_factory=dict)
    consumers: Mapping[str, Consumer] = Field(default_factory=dict)
    unassigned_until: Day | None = None
    security: str | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        problems = tuple(self._problems())
        if problems:
            words = "; ".join(sentence for _, sentence in problems)
            raise PydanticCustomError(INCONSISTENT, "{words}", {"words": words, "problems": problems})
        return self

    def _problems(self) -> Iterator[tuple[tuple[str, ...], str]]:
        """Yield what does not fit together: the field at which it stands, and a sentence."""
        for name in sorted({*self.teams} & {*self.people}):
            yield ("people", name), f"{name!r} is both a team and a person; rename one of them"
        for section, listed in (("teams", self.teams), ("people", self.people)):
            for name, owner in listed.items():
                if name == UNASSIGNED:
                    yield (section, name), f"{UNASSIGNED} is nobody; it cannot be listed"
                deputy = self.find(owner.deputy) if owner.deputy is not None else None
                words = f"the deputy of {name!r}, {owner.deputy!r},"
                if owner.deputy is not None and (owner.deputy == name or deputy is None):
                    yield (section, name, "deputy"), f"{words} must be another team or person of this file"
                elif deputy is not None and deputy.state == "gone":
                    yield (section, name, "deputy"), f"{words} is gone; name an active one"
        for name, consumer in self.consumers.items():
            if consumer.owner is not None and self.find(consumer.owner) is None:
                words = f"the owner of consumer {name!r}, {consumer.owner!r}, is not in this file"
                yield ("consumers", name, "owner"), words
        approver = self.find(self.security) if self.security is not None else None
        if self.security is not None and (approver is None or approver.state == "gone"):
            yield ("security",), f"security, {self.security!r}, must be an active team or person of this file"

    def find(self, name: str) -> Owner | None:
        """Return the team or person of that name."""
        return self.teams.get(name) or self.people.get(name)

    def deputy_of(self, name: str, on: date) -> str | None:
        """Return who answers for an owner who is gone: the deputy, or that one's; None when nobody does."""
        seen = {name}
        while (owner := self.find(name)) is not None and owner.gone(on):
            if owner.deputy is None or owner.deputy in seen:
                return None
            seen.add(name := owner.deputy)
        return name if owner is not None else None

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of all owners, sorted."""
        return tuple(sorted({*self.teams, *self.people}))
