"""`keysteward forecast`: the planner run ahead, with what-ifs. Reads only, with the reader's credentials."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Annotated

import typer

from keysteward.cli.opening import open_stack
from keysteward.cli.options import JsonOption, StackOption
from keysteward.cli.terminal import meanwhile, show, show_json
from keysteward.cli.time_options import duration_of
from keysteward.core.errors import DeclarationError
from keysteward.core.forecast.forecast import Runs
from keysteward.core.forecast.what_if import halt, stops, suppose_gone
from keysteward.core.identity import name_of
from keysteward.operations.ahead import forecast_all
from keysteward.operations.project import Opened
from keysteward.operations.session import Session
from keysteward.report.forecast.forecast import By, Forecast, forecast_json, forecast_lines

LONGEST = 3650
"""Days ahead: nobody plans longer."""

A_RUN = timedelta(minutes=1)
"""So long a run is taken to last until it has done what is due for a credential."""

SHORTEST_CADENCE = timedelta(minutes=1)

Names = Annotated[
    list[str] | None, typer.Argument(metavar="[NAME]...", help="Only these credentials; all if none is named.")
]


def command(
    names: Names = None,
    *,
    stack: StackOption = None,
    days: Annotated[int, typer.Option("--days", min=1, max=LONGEST, help="How many days to look ahead.")] = 365,
    every: Annotated[str, typer.Option("--every", help='How often a run happens, such as "1d" or "6h".')] = "1d",
    no_runs: Annotated[
        str, typer.Option("--no-runs", help='What if no run happens from now on for so long, such as "14d".')
    ] = "0s",
    owner_gone: Annotated[
        str | None, typer.Option("--owner-gone", metavar="NAME", help="Assume that this owner leaves today.")
    ] = None,
    limit: Annotated[
        float | None,
        typer.Option("--limit", min=0.0, max=1.0, help="Assume this share for the stack's limit on endings."),
    ] = None,
    by: Annotated[By, typer.Option("--by", help="Count by day, week or month.")] = "month",
    events: Annotated[int, typer.Option("--events", min=0, help="How many of the next events to show.")] = 20,
    with_names: Annotated[
        bool, typer.Option("--names", help="Name the credentials under each period.", show_default=False)
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Forecast what runs will do, and when: what is issued, retired, suspended, expires, is late or blocked, by month.

    The real planner is run ahead from run to run over what is there now. Nothing is changed. Runs are taken to happen
    at the present time of day; see docs/forecast.md for what else is taken for granted.

    Exit code 0: shown; 1: an error, or something could not be looked at, which does not hide the rest.
    """
    cadence, away = duration_of("--every", every), duration_of("--no-runs", no_runs)
    if cadence < SHORTEST_CADENCE:
        raise DeclarationError("--every: runs more often than once a minute are not forecast")
    opened = open_stack(stack, strict=False)
    session = opened.session("reader")
    begin, owners, gone = session.snapshot.at, opened.owners, None
    end = begin + timedelta(days=days)
    if owner_gone is not None:
        owners, gone = suppose_gone(opened.stack, owners, owner_gone, begin.date())
    halted = halt(opened.stack, owners, begin, end)
    runs = Runs(begin, begin + away, cadence, end, halted.at if halted is not None else None, min(A_RUN, cadence / 2))
    with meanwhile("Looking ahead ..."):
        made = _forecast(opened, session, names or [], runs)
    share = opened.stack.limit.share if limit is None else limit
    bound = replace(opened.stack.limit, share=share)
    ledgers = sum(1 for ledger in session.snapshot.ledgers.values() if ledger.closed is None)
    made = replace(made, gone=gone, halt=halted, limit=bound, stops=stops(made.outlooks, bound, ledgers))
    if as_json:
        show_json(forecast_json(made, by))
    else:
        show(forecast_lines(made, by, events=events, names=with_names))
    if made.failures:
        raise typer.Exit(1)


def _forecast(opened: Opened, session: Session, names: list[str], runs: Runs) -> Forecast:
    wanted = opened.asked(session, names)
    lost, _ = opened.undeclared(session)
    found, failures = forecast_all(opened, session, wanted, runs)
    left = tuple(name_of(i) for i in lost if wanted is None or i in wanted)
    return Forecast(opened.stack.identity, runs, tuple(found), opened.stack.limit, undeclared=left, failures=failures)
