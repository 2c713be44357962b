"""`keysteward up`: shows the plan, asks, and carries it out with the runner's credentials."""

from __future__ import annotations

from typing import Annotated

import typer

from keysteward.cli.limits import check_endings
from keysteward.cli.loading import StackOption
from keysteward.cli.opening import Opened, open_stack
from keysteward.cli.planning import preview
from keysteward.cli.preview import JsonOption, Names, PruneOption
from keysteward.cli.running import carry_out, exit_code, worth_running
from keysteward.cli.terminal import confirm_or_stop, show, show_json
from keysteward.core.errors import KeystewardError
from keysteward.providers.session import Session
from keysteward.report.plan import Preview, preview_lines
from keysteward.report.results import result_lines, results_json

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
) -> None:
    """Make identity providers and stores match the stack: show the plan, ask, then carry it out.

    Only what the plan showed is done. One failing credential does not stop the others. Ctrl-C stops between two
    steps; the next run goes on from there.

    Exit code 0: done, or nothing was due; 1: an error, something failed, or the plan was declined; 130: Ctrl-C.
    """
    opened = open_stack(stack)
    session = opened.session("reader")
    planned = preview(opened, session, names or (), prune=prune)
    show_and_do(opened, session, planned, "up", yes=yes, as_json=as_json, parallel=parallel)


def show_and_do(
    opened: Opened, session: Session, planned: Preview, asked: str, *, yes: bool, as_json: bool, parallel: int
) -> None:
    """Show a plan of the reader's session, check the limits, ask, and carry it out as far as that session reaches.

    `asked` is the command's name, for the heartbeat, which is written also when nothing is due. Ends the command with
    its exit code when that is not 0.
    """
    if not as_json:
        show(preview_lines(planned))
    running = worth_running(planned)
    if running:
        open_ledgers = sum(1 for ledger in session.snapshot.ledgers.values() if ledger.closed is None)
        check_endings(planned, opened.stack.limit, open_ledgers)
        if as_json and not yes:
            raise KeystewardError("nothing was changed: --json asks nothing, so it needs --yes where something is due")
        confirm_or_stop("Carry out this plan?", yes=yes)
    results = carry_out(opened, planned, asked, parallel, session.extent)
    if as_json:
        show_json(results_json(results, planned))
    elif running:
        show(result_lines(results, planned))
    code = exit_code(planned, results)
    if code:
        raise typer.Exit(code)
