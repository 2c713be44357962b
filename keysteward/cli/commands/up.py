"""`keysteward up`: shows the plan, asks, and carries it out with the runner's credentials."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from keysteward.cli.commands.preview import JsonOption, Names, PruneOption
from keysteward.cli.opening import open_stack
from keysteward.cli.progress import Display, Interrupt
from keysteward.cli.terminal import confirm_or_stop, meanwhile, show, show_json
from keysteward.core.errors import DeclarationError, KeystewardError
from keysteward.operations.loading import StackOption
from keysteward.operations.project import Opened
from keysteward.operations.saved_plan import Approved, plan_again, read_plan
from keysteward.operations.session import Session
from keysteward.operations.stack_plan import Preview, preview
from keysteward.operations.stack_run import carry_out, check_endings, exit_code, worth_running
from keysteward.report.run.plan import preview_lines
from keysteward.report.run.results import result_lines, results_json
from keysteward.report.run.saved import approved_json, approved_lines

YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask. Needed where nobody can be asked.")]


ParallelOption = Annotated[int, typer.Option(min=1, max=32, help="How many credentials are worked on at a time.")]


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
            "--plan", metavar="FILE", help="Carry out the plan that `preview --save` wrote, and no more. Asks nothing."
        ),
    ] = None,
) -> None:
    """Make identity providers and stores match the stack: show the plan, ask, then carry it out.

    Only what the plan showed is done. One failing credential does not stop the others. Ctrl-C stops between two
    steps; the next run goes on from there.

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


def show_and_do(
    opened: Opened,
    session: Session,
    planned: Preview,
    asked: str,
    approved: Approved | None = None,
    *,
    yes: bool,
    as_json: bool,
    parallel: int,
) -> None:
    """Show a plan of the reader's session, check the limits, ask, and carry it out as far as that session reaches.

    `asked` is the command's name, for the heartbeat, which is written also when nothing is due. Nothing is asked where
    the plan was `approved` before. Ends the command with its exit code when that is not 0.
    """
    if not as_json:
        show(approved_lines(approved) if approved is not None else ())
        show(preview_lines(planned))
    running = worth_running(planned)
    if running:
        open_ledgers = sum(1 for ledger in session.snapshot.ledgers.values() if ledger.closed is None)
        check_endings(planned, opened.stack.limit, open_ledgers)
        if approved is None:
            _ask(yes=yes, as_json=as_json)
    digest = approved.plan.digest if approved is not None else ""
    due = sum(1 for item in planned.items if item.due)
    with Display(due) as display, Interrupt(display):
        results = carry_out(opened, session, planned, asked, parallel, digest, display)
    if as_json:
        document = results_json(results, planned)
        show_json(document | ({"approved": approved_json(approved)} if approved is not None else {}))
    elif running:
        show(result_lines(results, planned))
    code = exit_code(planned, results)
    if code:
        raise typer.Exit(code)


def _ask(*, yes: bool, as_json: bool) -> None:
    if as_json and not yes:
        raise KeystewardError("nothing was changed: --json asks nothing, so it needs --yes where something is due")
    confirm_or_stop("Carry out this plan?", yes=yes)
