"""`keysteward up`: shows the plan, asks, and carries it out with the runner's credentials."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from keysteward.cli.limits import check_endings
from keysteward.cli.loading import StackOption
from keysteward.cli.opening import Opened, open_stack
from keysteward.cli.planning import preview
from keysteward.cli.preview import JsonOption, Names, PruneOption
from keysteward.cli.progress import INTERRUPTED, Display, Interrupt
from keysteward.cli.running import Run
from keysteward.cli.saved import plan_again, read_plan
from keysteward.cli.terminal import confirm_or_stop, show, show_json
from keysteward.core.errors import DeclarationError, KeystewardError
from keysteward.report.plan import Preview, preview_lines
from keysteward.report.results import BAD, Outcome, RunResult, result_lines, results_json
from keysteward.report.saved import Approved, approved_json, approved_lines

YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask. Needed where nobody can be asked.")]


def command(
    names: Names = None,
    *,
    stack: StackOption = None,
    yes: YesOption = False,
    as_json: JsonOption = False,
    prune: PruneOption = False,
    parallel: Annotated[int, typer.Option(min=1, max=32, help="How many credentials are worked on at a time.")] = 4,
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
    opened.note_revocations()
    saved = None if plan is None else read_plan(opened, plan)
    session = opened.session("reader")
    approved: Approved | None = None
    if saved is None:
        planned = preview(opened, session, names or (), prune=prune)
    else:
        approved, planned = plan_again(opened, session, saved)
    if not as_json:
        show(approved_lines(approved) if approved is not None else ())
        show(preview_lines(planned))
    worth_running = any(item.due and (item.plan.problem is None or item.plan.steps) for item in planned.items)
    if worth_running:
        open_ledgers = sum(1 for ledger in session.snapshot.ledgers.values() if ledger.closed is None)
        check_endings(planned, opened.stack.limit, open_ledgers)
        if approved is None:
            _ask(yes=yes, as_json=as_json)
    results = _carry_out(opened, planned, parallel, approved) if worth_running else []
    if as_json:
        document = results_json(results, planned)
        show_json(document | ({"approved": approved_json(approved)} if approved is not None else {}))
    elif worth_running:
        show(result_lines(results, planned))
    if any(result.outcome is Outcome.STOPPED for result in results):
        raise typer.Exit(INTERRUPTED)
    if planned.stopped or any(result.outcome in BAD for result in results):
        raise typer.Exit(1)


def _ask(*, yes: bool, as_json: bool) -> None:
    if as_json and not yes:
        raise KeystewardError("nothing was changed: --json asks nothing, so it needs --yes where something is due")
    confirm_or_stop("Carry out this plan?", yes=yes)


def _carry_out(opened: Opened, planned: Preview, parallel: int, approved: Approved | None) -> list[RunResult]:
    digest = approved.plan.digest if approved is not None else ""
    with Display(sum(1 for item in planned.items if item.due)) as display, Interrupt(display) as interrupt:
        return Run(opened, planned, display, interrupt, parallel, digest).go()
