"""How a kind of target or store is introduced to people: a row of the documentation, and what `keysteward init` writes.

A package names its kinds in the entry point groups `keysteward.targets` and `keysteward.stores`; each kind's class may
have an `introduction`. Nothing of keysteward lists them elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable


@dataclass(frozen=True, slots=True, kw_only=True)
class Starter:
    """What a new repository has of one kind.

    `declaration` is the Python that declares it, under the variable and name `called` (a store's is always "secrets");
    `credentials` is a catalog with one example, for targets. Both are templates of Jinja in square brackets, which know
    `organisation`, `environment` and the days `today`, `in_half_a_year` and `in_a_year`. A comment "# yours" marks what
    a person fills in. `classes` are imported from the entry point's module. `reader` and `runner` name the variables
    with their credentials; `login` says for whom a job's own identity does in their place. `extras` are those it
    needs of keysteward. `ledgers` is the expression for a ledger store, for stores; `one_machine` says that the
    store lies on one.
    """

    called: str
    declaration: str
    classes: tuple[str, ...]
    credentials: str = ""
    reader: tuple[str, ...] = ()
    runner: tuple[str, ...] = ()
    login: Literal["vault", "aws"] | None = None
    extras: tuple[str, ...] = ()
    ledgers: str = 'secrets.ledgers("keysteward")'
    one_machine: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Introduction:
    """`shown` are the ways to declare it that change what it can do: settings by what the documentation calls each."""

    shown: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    starter: Starter | None = None


@runtime_checkable
class Introduced(Protocol):
    """A class of targets or stores that introduces itself."""

    @classmethod
    def introduction(cls) -> Introduction:
        """Return its introduction, without a call."""
        ...
