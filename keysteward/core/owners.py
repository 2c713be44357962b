"""Owners: the teams and people who answer for credentials, with contact and state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Owner(BaseModel):
    """One team or person. `state`: "active", or "gone" when nobody answers any more."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    contact: str = Field(min_length=3)
    state: Literal["active", "gone"] = "active"


class Owners(BaseModel):
    """The owners file: `teams` and `people` by name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    teams: Mapping[str, Owner] = Field(default_factory=dict)
    people: Mapping[str, Owner] = Field(default_factory=dict)

    def find(self, name: str) -> Owner | None:
        """Return the team or person of that name."""
        return self.teams.get(name) or self.people.get(name)

    @property
    def names(self) -> tuple[str, ...]:
        """Return all names, sorted."""
        return tuple(sorted({*self.teams, *self.people}))
