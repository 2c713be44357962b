"""Opens a stack for a command: loads it, checks it whole, and opens sessions on it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from keysteward.core.declare.owners import Owners
from keysteward.core.declare.stack import Stack
from keysteward.core.errors import DeclarationError, KeystewardError
from keysteward.core.findings import Finding
from keysteward.core.identity import name_of
from keysteward.core.observe.world import Extent
from keysteward.core.policy import Life
from keysteward.core.policy.check import check, check_form, judged
from keysteward.core.record.revocation import Recorded
from keysteward.operations.loading import module_name
from keysteward.operations.meant import meant
from keysteward.operations.notices import warn
from keysteward.operations.offline.revocations import of_stack
from keysteward.operations.offline.stack_card import card_path, write_card
from keysteward.operations.owners import owners_of
from keysteward.operations.session import Access, Session

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Opened:
    """A stack that passed its checks, with its owners, and what was revoked of it without its ledger store."""

    stack: Stack
    owners: Owners
    records: Mapping[str, Recorded] = field(default_factory=dict)

    def judged(self, now: datetime, lives: Mapping[str, Life] | None = None) -> tuple[Finding, ...]:
        """Hold the stack against its rules, numbered and own, at a time of the ledger store's clock."""
        return judged(self.stack, self.owners, now, lives)

    @cached_property
    def renamed(self) -> frozenset[str]:
        """Return the identities that a declaration names as its own old names: these are moved, never ended."""
        return frozenset(
            self.identity(old) for d in (*self.stack.credentials, *self.stack.servers) for old in d.previously
        )

    def session(
        self,
        access: Access,
        tell: Callable[[str, str], None] | None = None,
        extent: Extent = Extent.ALL,
        *,
        approval: str = "",
    ) -> Session:
        """Open a session with the reader's or the runner's credentials, whose plans reach as far as `extent` says.

        `approval` is the digest of an approved plan.
        """
        stack = self.stack
        session = Session(
            stack.identity,
            stack.ledgers,
            access=access,
            specs=stack.specs,
            limit=stack.limit,
            extent=extent,
            approval=approval,
            records=self.records,
            tell=tell,
        )
        session.add_ports(stack.targets, stack.stores)
        return session

    def identity(self, name: str) -> str:
        """Return the full identity of a name, which may be given with its stack."""
        prefix = f"{self.stack.identity}/"
        return name if name.startswith(prefix) else prefix + name

    def undeclared(self, session: Session) -> tuple[list[str], list[str]]:
        """Return the identities of open ledgers that nothing declares: credentials, and resource servers."""
        known = {*self.stack.specs, *self.stack.server_specs, *self.renamed}
        ledgers, servers = session.snapshot.ledgers, session.snapshot.server_ledgers
        return (
            sorted(i for i, ledger in ledgers.items() if ledger.closed is None and i not in known),
            sorted(i for i, ledger in servers.items() if ledger.closed is None and i not in known),
        )

    def asked(self, session: Session, names: Iterable[str]) -> frozenset[str] | None:
        """Return the identities of names, None for all of them. Raises DeclarationError for one nobody knows."""
        wanted = frozenset(self.identity(name) for name in names)
        credentials, servers = self.undeclared(session)
        known = {*self.stack.specs, *self.stack.server_specs, *credentials, *servers}
        for identity in sorted(wanted - known):
            raise unknown_name(identity, known)
        return wanted or None

    def servers_used(self, identity: str) -> frozenset[str]:
        """Return the identities of the resource servers that one declared client uses."""
        declared = next((d for d in self.stack.credentials if self.identity(d.name) == identity), None)
        access = {**getattr(declared, "access", {}), **getattr(declared, "optional_access", {})}
        return frozenset(self.identity(server.name) for server in access)


def opened(stack: Stack, name: str | None, *, strict: bool = True) -> Opened:
    """Check a stack whole that was loaded by this name. Raises DeclarationError before any call.

    Without `strict` a rule that is broken stops nothing and is a finding, and records of revocations that are refused
    are left out with a warning: for commands that only show.
    """
    owners = owners_of(stack)
    if strict:
        check(stack, owners, datetime.now(UTC))
    else:
        check_form(stack)
    keep_card(name, stack)
    return Opened(stack, owners, read_records(stack.identity, strict=strict))


def read_records(stack: str, *, strict: bool) -> dict[str, Recorded]:
    """Return what was revoked without the ledger store and waits to be noted, and say so.

    Raises Damaged or DeclarationError for a record that cannot be taken; without `strict` none is then, with a warning.
    """
    try:
        records = of_stack(Path.cwd(), stack)
    except KeystewardError as error:
        if strict:
            raise
        warn(f"{error}")
        return {}
    for record in records.values():
        warn(
            f"{record.identity} was revoked {record.words}; `keysteward up` shows that as a step of its plan; "
            f"at once: keysteward revoke {name_of(record.identity)} --all --reason TEXT"
        )
    return records


def keep_card(name: str | None, stack: Stack) -> None:
    """Keep the stack card up to date, with which `revoke` works when the stack does not load."""
    path = card_path(Path.cwd(), module_name(name, Path.cwd()))
    try:
        write_card(path, stack)
    except OSError as error:
        _log.info("operation=card file=%s outcome=failed reason=%s", path, error.strerror)


def unknown_name(identity: str, known: Iterable[str]) -> DeclarationError:
    """Return the error for a name nobody knows, with those that may have been meant."""
    name = name_of(identity)
    hint = meant(name, {name_of(i) for i in known}, has="it has", none="the stack is empty")
    return DeclarationError(f"{name!r} is neither declared nor in the ledgers of this stack; {hint}")
