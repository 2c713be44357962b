"""`keysteward lift`: lets a revoked credential live again, with a new generation."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Annotated

import typer

from keysteward.cli.opening import open_stack
from keysteward.cli.options import JsonOption, StackOption, YesOption
from keysteward.cli.requests import Request, ask_and_do, planned_alone, reason_of
from keysteward.core.errors import DeclarationError
from keysteward.core.observe.world import World
from keysteward.core.record import requests
from keysteward.core.record.ledger import Ledger
from keysteward.operations.project import Opened, unknown_name
from keysteward.operations.stack_plan import plan_of


def command(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of a declared credential that was revoked.")],
    *,
    reason: Annotated[str, typer.Option("--reason", "-r", help="Why it may be used again: kept in the audit log.")],
    stack: StackOption = None,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Lift a revocation: show what would follow, ask, and issue a new secret. What was ended stays ended.

    Exit code 0: lifted and issued; 1: an error, or declined.
    """
    why = reason_of(reason)
    opened = open_stack(stack)
    world = _world(opened, opened.identity(name))
    record = world.recorded

    def change(ledger: Ledger, _runner: str, at: datetime) -> Ledger:
        return requests.lift(ledger if record is None else requests.note_record(ledger, record, at), at)

    ledger = world.ledger
    if world.barred is None and ledger is not None:
        ledger = change(ledger, "", world.now)
    planned = planned_alone(opened, plan_of(replace(world, ledger=ledger, barred=None)), world.now)
    ask_and_do(opened, Request("lift", why, change, "Lift the revocation?"), planned, yes=yes, as_json=as_json)


def _world(opened: Opened, identity: str) -> World:
    """Return the world of a credential that may be lifted. Raises DeclarationError where it cannot be."""
    session, spec = opened.session("reader"), opened.stack.specs.get(identity)
    if spec is None:
        if identity in session.snapshot.ledgers:
            raise DeclarationError(f"{identity} is not declared any more; declare it again, then lift it")
        raise unknown_name(identity, opened.stack.specs)
    world = session.snapshot.world(identity, spec)
    if world.ledger is None:
        raise DeclarationError(f"{spec.name!r} was never issued, so it is not revoked; `keysteward up` issues it")
    return world
