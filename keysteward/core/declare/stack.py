"""A stack: a set of declarations with one identity, its targets, stores and ledger store. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from typing import Literal

from keysteward.core.contract.ports import LedgerStore, Store, Target
from keysteward.core.declare.credentials import (
    Allowed,
    ApiKey,
    Declaration,
    Governed,
    ResourceServer,
    Secret,
)
from keysteward.core.declare.owners import Owners
from keysteward.core.declare.spec import ServerSpec, Spec, server_spec_of, spec_of
from keysteward.core.errors import DeclarationError
from keysteward.core.findings import Finding

IDENTITY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*(?:/[A-Za-z0-9][A-Za-z0-9_.-]*)*")


HEARTBEAT = timedelta(days=7)
"""A stack to which no run came for longer is a finding, unless it says otherwise."""


@dataclass(frozen=True)
class Limit:
    """The blast radius: a run that would end more than `count` credentials *and* more than `share` of them stops."""

    count: int = 3
    share: float = 0.3

    def exceeded(self, ending: int, of: int) -> bool:
        """Say whether ending so many out of so many is too much at once."""
        return ending > self.count and ending > self.share * of


Level = Literal["off", "note", "warning", "error"]
"""What a numbered rule counts as."""

OwnRule = Callable[["Stack"], Iterable[Finding]]
"""A policy rule: looks at a whole stack and yields findings; an ERROR stops both doors before any call."""


@dataclass(frozen=True)
class Stack:
    """Declarations under one identity ("acme/prod").

    `owners` is the path of the owners file, relative to the project, or the owners themselves. `ledgers` is the one
    ledger store. `limit` is its blast radius. `rules` are policy rules of its own, `levels` what the numbered rules
    count as here ({"KS016": "error"}; "off": not at all). `allowed` is what is knowingly left alone at its targets.
    When no run came by for longer than `heartbeat`, that is a finding. `beside` are the identities of other stacks of
    yours at its targets: whatever carries the mark of one of these is theirs to watch. `watched` are targets that are
    looked at, whether anything is declared there or not.
    """

    identity: str
    owners: str | Owners
    ledgers: LedgerStore
    declarations: Sequence[Declaration]
    rules: Sequence[OwnRule] = ()
    limit: Limit = field(default_factory=Limit)
    levels: Mapping[str, Level] = field(default_factory=dict)
    allowed: Sequence[Allowed] = ()
    heartbeat: timedelta | str = HEARTBEAT
    beside: Sequence[str] = ()
    watched: Sequence[Target] = ()

    def __post_init__(self) -> None:
        if not IDENTITY.fullmatch(self.identity):
            raise DeclarationError(f'Stack {self.identity!r}: identity: write it as "organisation/environment"')
        if any(not isinstance(target, Target) for target in self.watched):
            raise DeclarationError(f"Stack {self.identity!r}: watched: write a list of targets")
        if isinstance(self.beside, str):
            raise DeclarationError(f"Stack {self.identity!r}: beside: write a list, [{self.beside!r}]")
        for other in self.beside:
            if not IDENTITY.fullmatch(other) or other == self.identity:
                raise DeclarationError(
                    f"Stack {self.identity!r}: beside: {other!r} is no identity of another stack; "
                    'write it as "organisation/environment"'
                )

    @cached_property
    def credentials(self) -> tuple[Secret, ...]:
        """Return the declared credentials."""
        return tuple(d for d in self.declarations if isinstance(d, Secret))

    @cached_property
    def servers(self) -> tuple[ResourceServer, ...]:
        """Return the declared resource servers."""
        return tuple(d for d in self.declarations if isinstance(d, ResourceServer))

    @cached_property
    def governed(self) -> tuple[Governed, ...]:
        """Return the governed sets: keys that others make."""
        return tuple(d for d in self.declarations if isinstance(d, Governed))

    @cached_property
    def targets(self) -> dict[str, Target]:
        """Return the targets by name: watched, of what is left alone, of declarations, and what proves for others."""
        used = (target for declared in self.declarations for target in targets_of(declared))
        return {target.name: target for target in (*self.watched, *(entry.target for entry in self.allowed), *used)}

    @cached_property
    def stores(self) -> dict[str, Store]:
        """Return the stores in use by name."""
        return {delivery.store.name: delivery.store for c in self.credentials for delivery in c.deliveries}

    @cached_property
    def specs(self) -> dict[str, Spec]:
        """Return the credentials in normal form by identity. Raises DeclarationError."""
        specs = {}
        for declared in self.credentials:
            try:
                spec = spec_of(declared, self.identity)
            except DeclarationError as error:
                raise DeclarationError(f"{_subject(declared)}: {error.message}") from None
            specs[spec.identity] = spec
        return specs

    @cached_property
    def server_specs(self) -> dict[str, ServerSpec]:
        """Return the resource servers in normal form by identity."""
        return {spec.identity: spec for spec in (server_spec_of(s, self.identity) for s in self.servers)}


def targets_of(declared: Declaration) -> tuple[Target, ...]:
    """Return the targets that a declaration needs: its own, and the one that proves it."""
    prover = declared.proven_by if isinstance(declared, ApiKey) else None
    return (declared.target,) if prover is None else (declared.target, prover)


def _subject(declared: Declaration) -> str:
    return f"{type(declared).__name__} {declared.name!r}"


def second_client_id(client_id: str, number: int) -> str:
    """Return the client_id of the n-th client of one credential: the name itself, then "<name>-2", "<name>-3"..."""
    return client_id if number == 1 else f"{client_id}-{number}"
