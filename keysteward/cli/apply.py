"""Shows a plan, asks, and does it: the way of every command that changes something."""

from __future__ import annotations

import typer

from keysteward.cli.progress import Display, Interrupt
from keysteward.cli.terminal import confirm_or_stop, show, show_json
from keysteward.core.errors import KeystewardError
from keysteward.operations.endings import check_endings
from keysteward.operations.project import Opened
from keysteward.operations.saved_plan import Approved
from keysteward.operations.session import Session
from keysteward.operations.stack_plan import Preview
from keysteward.operations.stack_run import carry_out, exit_code, worth_running
from keysteward.report.run.plan import preview_lines
from keysteward.report.run.results import result_lines, results_json
from keysteward.report.run.saved import approved_json, approved_lines


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
