"""`keysteward suspend` and `resume`: a credential is disabled at its target, reversibly, until a person says so."""

from __future__ import annotations

from typing import Annotated

import typer

from keysteward.cli.opening import open_stack
from keysteward.cli.options import CredentialArgument, JsonOption, ReasonOption, StackOption, YesOption
from keysteward.cli.requests import Request, note_and_do, reason_of, written
from keysteward.cli.terminal import say
from keysteward.core.errors import DeclarationError
from keysteward.core.observe.world import World
from keysteward.core.record import requests
from keysteward.core.record.ledger import Ledger


def suspend(
    name: CredentialArgument,
    *,
    reason: ReasonOption,
    stack: StackOption = None,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Disable a credential at its target now, reversibly: none of it works until `resume`.

    Its secrets stay as they are; nothing is rotated, retired or delivered meanwhile. Works for what is not declared
    any more, from its ledger.

    Exit code 0: disabled; 1: an error, or declined.
    """
    why = reason_of(reason)
    request = Request("suspend", why, lambda ledger, _runner, now: requests.suspend(ledger, now, why), "Disable it?")
    note_and_do(open_stack(stack), name, request, _can_be_suspended, yes=yes, as_json=as_json)


def resume(
    name: CredentialArgument,
    *,
    reason: Annotated[str, typer.Option("--reason", "-r", help="Why, for the audit log.")] = "",
    stack: StackOption = None,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Re-enable a credential that `suspend` disabled, unless its expiry or decommissioning keeps it disabled.

    Exit code 0: enabled, or noted; 1: an error, or declined.
    """
    request = Request("resume", written(reason), lambda ledger, _runner, _now: requests.resume(ledger), "Enable it?")
    ledger = note_and_do(open_stack(stack), name, request, _declared, yes=yes, as_json=as_json)
    if any(record.suspended for record in ledger.objects if not record.deleted and _in_use(ledger, record.key)):
        say("it is no longer suspended by hand, and stays disabled: its declaration has expired or is decommissioned")


def _in_use(ledger: Ledger, key: int) -> bool:
    return any(generation.object == key and generation.live for generation in ledger.generations)


def _declared(world: World) -> None:
    if world.spec is None:
        raise DeclarationError(f"{world.identity} is not declared any more; declare it again, then resume it")


def _can_be_suspended(world: World) -> None:
    """Refuse where the target cannot disable a client, and say what to do instead."""
    ledger = world.ledger
    for record in ledger.objects if ledger is not None else ():
        if record.deleted or ledger is None or not _in_use(ledger, record.key):
            continue
        name, can = world.name, world.can(record)
        if record.external and not record.holder:
            raise DeclarationError(
                f"client {record.client_id} is managed by somebody else and only its secret is ours; disable it where "
                f"it is managed, or end the secret: keysteward revoke {name} --all --reason TEXT"
            )
        if can is None or not can.suspends:
            raise DeclarationError(
                f"target {record.target} cannot disable {record.noun}; its secrets can be ended, for good: "
                f"keysteward revoke {name} --all --reason TEXT"
            )
