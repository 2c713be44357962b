"""`keysteward reissue`: a new secret for one credential now; the old ones end at once, or after a grace."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Annotated

import typer

from keysteward.cli.opening import open_stack
from keysteward.cli.options import JsonOption, StackOption, YesOption
from keysteward.cli.requests import Request, ask_and_do, planned_alone, reason_of
from keysteward.cli.terminal import say
from keysteward.cli.time_options import duration_of
from keysteward.core.errors import DeclarationError
from keysteward.core.record import requests
from keysteward.core.record.ledger import Ledger
from keysteward.core.record.steps import Do
from keysteward.operations.emergency import ledgers_needed, scene_of
from keysteward.operations.project import Opened, unknown_name
from keysteward.operations.stack_plan import Preview, plan_of


def command(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of a declared credential.")],
    *,
    reason: Annotated[str, typer.Option("--reason", "-r", help="The reason: kept in the ledger and shown in plans.")],
    grace: Annotated[str, typer.Option("--grace", help='How long the old secret lives on, such as "7d".')] = "0s",
    stack: StackOption = None,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Issue a new secret for one credential now, whatever ended or blocked the last one.

    The old secrets end as soon as the new one is proven and delivered, or after --grace.

    Exit code 0: issued, or noted for the next run that may begin it; 1: an error, or declined.
    """
    why = reason_of(reason)
    opened = open_stack(stack)
    period = duration_of("--grace", grace)
    planned = _planned(opened, opened.identity(name), why, period)

    def change(ledger: Ledger, _runner: str, at: datetime) -> Ledger:
        return requests.reissue(ledger, why, at=at, grace=period)

    result = ask_and_do(opened, Request("reissue", why, change, "Issue it?"), planned, yes=yes, as_json=as_json)
    if not any(step.do is Do.BEGIN for step in result.done):
        say("it is asked for, but nothing new may begin yet; the first run that may begin it does")


def _planned(opened: Opened, identity: str, reason: str, grace: timedelta) -> Preview:
    """Plan the credential as if it had been asked for already. Raises DeclarationError where it cannot be."""
    spec = opened.stack.specs.get(identity)
    session = opened.session("reader")
    with ledgers_needed(scene_of(opened.stack, opened.records), identity):
        _ = session.snapshot.ledgers
    if spec is None:
        if identity in session.snapshot.ledgers:
            raise DeclarationError(f"{identity} is not declared any more, so nothing new is issued; declare it again")
        raise unknown_name(identity, opened.stack.specs)
    if spec.strategy.by_person:
        how = f"make a new one at {spec.target}, then run: keysteward deliver {spec.name}"
        raise DeclarationError(f"{spec.name!r} is a key that only a person can make: {how}")
    world = session.snapshot.world(identity, spec)
    if world.ledger is None:
        raise DeclarationError(f"{spec.name!r} was never issued; `keysteward up` issues its first secret")
    item = plan_of(replace(world, ledger=requests.reissue(world.ledger, reason, at=world.now, grace=grace)))
    return planned_alone(opened, item, world.now)
