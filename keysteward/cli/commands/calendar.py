"""`keysteward calendar`: what the schedule says comes, from declarations and ledgers. Calls the ledger store alone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from keysteward.cli.opening import open_stack
from keysteward.cli.options import JsonOption, StackOption
from keysteward.cli.terminal import say, show, show_json
from keysteward.cli.time_options import day_of
from keysteward.core.declare.spec import Spec, midnight
from keysteward.core.errors import DeclarationError
from keysteward.core.forecast.calendar import Coming, Occasion, allowances, leaving, reviewed, scheduled, unowned
from keysteward.core.observe.snapshot import old_identities
from keysteward.core.record.ledger import Ledger
from keysteward.host.output_file import write_output
from keysteward.operations.project import Opened
from keysteward.operations.session import Session
from keysteward.report.forecast.calendar import Entry, calendar_ics, calendar_json, calendar_lines, calendar_of
from keysteward.report.text.plain import many

LONGEST = 3650
"""Days ahead: nobody plans longer."""

_DAY = "%Y-%m-%d"


def command(
    *,
    stack: StackOption = None,
    first: Annotated[
        datetime | None,
        typer.Option(
            "--from",
            formats=[_DAY],
            metavar="DATE",
            help="First day, in UTC. Without it, from now, and what is overdue.",
        ),
    ] = None,
    last: Annotated[
        datetime | None,
        typer.Option("--to", formats=[_DAY], metavar="DATE", help="Last day, which is included; in place of --days."),
    ] = None,
    days: Annotated[int, typer.Option("--days", min=1, max=LONGEST, help="How many days, without --to.")] = 90,
    ics: Annotated[
        Path | None,
        typer.Option("--ics", metavar="FILE", help="Write these dates as iCalendar for a calendar program."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List upcoming dates, soonest first: rotations, retirements, ends, reviews, exceptions, waivers.

    From declarations, ledgers and the owners file; no target is asked. Of rotations it is the next one of each
    credential; `keysteward forecast` shows those after it.

    Exit code 0: shown; 1: an error.
    """
    for option, day in (("--from", first), ("--to", last)):
        if day is not None:
            day_of(option, day)
    opened = open_stack(stack, strict=False)
    session = opened.session("reader")
    at = session.snapshot.at
    begin = first.replace(tzinfo=UTC) if first is not None else None
    until = last.replace(tzinfo=UTC) + timedelta(days=1) if last is not None else (begin or at) + timedelta(days=days)
    if until <= (begin or at):
        raise DeclarationError("--to: the last day is before the first one")
    made = calendar_of(opened.stack.identity, at, begin, until, _entries(opened, session))
    if ics is not None:
        write_output("--ics", ics, calendar_ics(made))
    if as_json:
        show_json(calendar_json(made))
    elif ics is None:
        show(calendar_lines(made))
    else:
        say(f"{many(len(made.entries), 'date')} written to {ics}")


def _entries(opened: Opened, session: Session) -> Iterator[Entry]:
    """Yield every date of the stack, of credentials and of others."""
    ledgers, stack = session.snapshot.ledgers, opened.stack
    for identity, spec in stack.specs.items():
        ledger = _ledger_of(spec, stack.identity, ledgers)
        for coming in (*scheduled(spec, ledger, session.snapshot.at), *reviewed(spec)):
            yield Entry(spec.name, coming, spec.owner, identity)
    for declared in stack.credentials:
        for waiver in declared.waivers:
            ends = midnight(waiver.until)
            if ends is not None:
                what = f"{waiver.rule} counts again ({waiver.reason})"
                coming = Coming(ends, what, Occasion.WAIVER)
                yield Entry(declared.name, coming, declared.owner, opened.identity(declared.name))
    for name, coming in (*leaving(opened.owners), *unowned(opened.owners, stack.specs.values())):
        yield Entry(name, coming)
    for (name, coming), allowed in zip(allowances(stack.allowed), stack.allowed, strict=True):
        yield Entry(name, coming, allowed.owner)


def _ledger_of(spec: Spec, stack: str, ledgers: dict[str, Ledger]) -> Ledger | None:
    """Return the ledger of a declared credential, which may still have one of its old names."""
    own = ledgers.get(spec.identity)
    if own is not None and own.closed is None:
        return own
    olds = (ledgers.get(name) for name in old_identities(stack, spec))
    return next((old for old in olds if old is not None and old.closed is None), own)
