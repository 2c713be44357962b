"""`keysteward up`: shows the plan, asks, and carries it out with the runner's credentials."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from keysteward.cli.apply import show_and_do
from keysteward.cli.opening import open_stack
from keysteward.cli.options import JsonOption, Names, ParallelOption, PruneOption, StackOption, YesOption
from keysteward.cli.terminal import meanwhile
from keysteward.core.errors import DeclarationError
from keysteward.operations.saved_plan import Approved, plan_again, read_plan
from keysteward.operations.stack_plan import preview


def command(
    names: Names = None,
    *,
    stack: StackOption = None,
    yes: YesOption = False,
    as_json: JsonOption = False,
    prune: PruneOption = False,
    parallel: ParallelOption = 4,
    plan: Annotated[
        Path | None,
        typer.Option(
            "--plan", metavar="FILE", help="Carry out exactly the plan that `preview --save` wrote, without asking."
        ),
    ] = None,
) -> None:
    """Make identity providers and stores match the stack: show the plan, ask, then carry it out.

    Only what the plan showed is done. One failing credential does not stop the others. Ctrl-C stops between two
    steps; the next run continues from there.

    Exit code 0: done, or nothing was due; 1: an error, something failed, the plan was declined, or what is due is not
    what --plan approved; 130: Ctrl-C.
    """
    if plan is not None and (names or prune):
        raise DeclarationError("--plan: the file says what is run; give neither names nor --prune beside it")
    opened = open_stack(stack)
    saved = None if plan is None else read_plan(opened, plan)
    session = opened.session("reader")
    approved: Approved | None = None
    with meanwhile("Planning ..."):
        if saved is None:
            planned = preview(opened, session, names or (), prune=prune)
        else:
            approved, planned = plan_again(opened, session, saved)
    show_and_do(opened, session, planned, "up", approved, yes=yes, as_json=as_json, parallel=parallel)
