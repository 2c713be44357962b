"""`keysteward lift`: lets a revoked credential live again, with a new generation."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from keysteward.cli.loading import StackOption
from keysteward.cli.opening import Opened, open_stack, unknown_name
from keysteward.cli.planning import plan_of
from keysteward.cli.preview import JsonOption
from keysteward.cli.progress import Display
from keysteward.cli.revoke import REASON_EMPTY
from keysteward.cli.running import move_entries
from keysteward.cli.terminal import confirm_or_stop, show, show_json
from keysteward.cli.up import YesOption
from keysteward.core import handles
from keysteward.core.errors import DeclarationError, KeystewardError
from keysteward.report.plan import Preview, preview_lines
from keysteward.report.results import result_lines, result_of, results_json


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
    reason = reason.strip()
    if not reason:
        raise DeclarationError(REASON_EMPTY)
    opened = open_stack(stack)
    opened.note_revocations()
    planned = _planned(opened, opened.identity(name))
    item = planned.credentials[0]
    if as_json and not yes:
        raise KeystewardError("nothing was changed: --json asks nothing, so it needs --yes")
    if not as_json:
        show(preview_lines(planned))
    confirm_or_stop("Lift the revocation?", yes=yes)
    with Display(1) as display:
        session = opened.session("runner", display.tell)
        session.credentials.edit(item.identity, handles.lift, command="lift", words=reason)
        result = session.credentials.run(item.identity, item.spec, approved=item.numbered, words=item.numbered or None)
        move_entries(session)
    if as_json:
        show_json(results_json([result_of(result)], planned))
    else:
        show(result_lines([result_of(result)], planned))


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
    item = plan_of(replace(world, ledger=handles.lift(world.ledger)))
    return Preview(opened.stack.identity, world.now, (), (item,), item.plan.findings)
