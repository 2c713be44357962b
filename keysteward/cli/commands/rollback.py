"""`keysteward rollback`: the previous generation, which still lives, becomes current again."""

from __future__ import annotations

from typing import Annotated

import typer

from keysteward.cli.opening import open_stack
from keysteward.cli.options import CredentialArgument, JsonOption, StackOption, YesOption
from keysteward.cli.requests import Request, note_and_do, written
from keysteward.cli.terminal import say
from keysteward.core.errors import DeclarationError
from keysteward.core.observe.world import World
from keysteward.core.record import requests


def command(
    name: CredentialArgument,
    *,
    reason: Annotated[str, typer.Option("--reason", "-r", help="Why, for the audit log.")] = "",
    stack: StackOption = None,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Give consumers the previous secret again, after proving that it works. Nothing new is issued.

    Its retirement is stopped. The newer secret lives on for the overlap, then it ends; the next rotation comes when
    it would have come.

    Exit code 0: rolled back; 1: an error, declined, or the previous secret does not work any more.
    """
    request = Request("rollback", written(reason), requests.rollback, "Roll back?")
    ledger = note_and_do(open_stack(stack), name, request, _declared, yes=yes, as_json=as_json)
    newer = [g for g in ledger.generations if ledger.current is not None and g.number > ledger.current.number]
    if not newer and ledger.rollback is None:
        say("not rolled back: the previous secret does not work any more, and the current one is left as it is")
        raise typer.Exit(1)


def _declared(world: World) -> None:
    if world.spec is None:
        raise DeclarationError(
            f"{world.identity} is not declared any more, so nothing is delivered for it; declare it again first"
        )
