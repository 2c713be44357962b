"""`keysteward lift`: lets a revoked credential live again, with a new generation."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from keysteward.cli.loading import StackOption
from keysteward.cli.noting import Request, ask_and_do, planned_alone, reason_of
from keysteward.cli.opening import Opened, open_stack, unknown_name
from keysteward.cli.planning import plan_of
from keysteward.cli.preview import JsonOption
from keysteward.cli.up import YesOption
from keysteward.core import handles
from keysteward.core.errors import DeclarationError
from keysteward.report.plan import Preview


def command(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of a declared credential that was revoked.")],
    *,
    reason: Annotated[str, typer.Option("--reason", "-r", help="Why it may live again: kept in the audit log.")],
    stack: StackOption = None,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Lift a revocation: show what comes then, ask, and issue a new secret. What was ended stays ended.

    Exit code 0: lifted and issued; 1: an error, or declined.
    """
    why = reason_of(reason)
    opened = open_stack(stack)
    opened.note_revocations()
    planned = _planned(opened, opened.identity(name))
    request = Request("lift", why, lambda ledger, _runner, _now: handles.lift(ledger), "Lift the revocation?")
    ask_and_do(opened, request, planned, yes=yes, as_json=as_json)


def _planned(opened: Opened, identity: str) -> Preview:
    """Plan the credential as if it had been lifted already. Raises DeclarationError where it cannot be."""
    session, spec = opened.session("reader"), opened.stack.specs.get(identity)
    if spec is None:
        if identity in session.snapshot.ledgers:
            raise DeclarationError(f"{identity} is not declared any more; declare it again, then lift it")
        raise unknown_name(identity, opened.stack.specs)
    world = session.snapshot.world(identity, spec)
    if world.ledger is None:
        raise DeclarationError(f"{spec.name!r} was never issued, so it is not revoked; `keysteward up` issues it")
    ledger = world.ledger if world.barred is not None else handles.lift(world.ledger)
    item = plan_of(replace(world, ledger=ledger, barred=None))
    return planned_alone(opened, item, world.now)
