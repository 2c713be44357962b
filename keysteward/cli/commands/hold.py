"""`keysteward hold` and `release`: no rotation begins and no overlap ends for a while."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time
from typing import Annotated

import typer

from keysteward.cli.opening import open_stack
from keysteward.cli.options import CredentialArgument, JsonOption, ReasonOption, StackOption
from keysteward.cli.requests import Request, note, reason_of, written
from keysteward.cli.terminal import show, show_json
from keysteward.cli.time_options import day_of
from keysteward.core.declare.schedule import parse_duration
from keysteward.core.errors import DeclarationError
from keysteward.core.record import requests
from keysteward.core.record.ledger import Ledger
from keysteward.report.run.plan import JSON_FORMAT, when
from keysteward.report.text.plain import line


def hold(
    name: CredentialArgument,
    *,
    until: Annotated[
        str, typer.Option("--until", metavar="DATE|DURATION", help='Until when: "2027-01-31" (00:00 UTC) or "14d".')
    ],
    reason: ReasonOption,
    stack: StackOption = None,
    as_json: JsonOption = False,
) -> None:
    """Pause rotations and retirements for a while: a change freeze, a trade fair, a holiday.

    What was begun is finished; repairs, expiry and revocation go on. It is noted in the ledger, and ends by itself.

    Exit code 0: noted; 1: an error.
    """
    why, end = reason_of(reason), _end(until)

    def change(ledger: Ledger, _runner: str, now: datetime) -> Ledger:
        moment = end(now)
        if moment <= now:
            raise DeclarationError(f"--until: {when(moment)} is over; name a moment to come")
        return requests.hold(ledger, moment, why)

    ledger = note(open_stack(stack), name, Request("hold", why, change))
    if ledger.held is not None:
        until = when(ledger.held.until)
        _tell(ledger, f"{name}: held until {until}; no rotation begins and no overlap ends before", as_json=as_json)


def release(
    name: CredentialArgument,
    *,
    reason: Annotated[str, typer.Option("--reason", "-r", help="Why, for the audit log.")] = "",
    stack: StackOption = None,
    as_json: JsonOption = False,
) -> None:
    """End a hold. The next run catches up on what fell due.

    Exit code 0: noted; 1: an error.
    """
    request = Request("release", written(reason), lambda ledger, _runner, _now: requests.release(ledger))
    ledger = note(open_stack(stack), name, request)
    _tell(ledger, f"{name}: no longer held; the next run does what is due", as_json=as_json)


def _tell(ledger: Ledger, words: str, *, as_json: bool) -> None:
    if not as_json:
        show([line(words)])
        return
    held = None if ledger.held is None else {"until": ledger.held.until.isoformat(), "reason": ledger.held.reason}
    show_json({"format": JSON_FORMAT, "identity": ledger.identity, "held": held})


def _end(until: str) -> Callable[[datetime], datetime]:
    """Read a day or a duration. Raises DeclarationError for anything else."""
    try:
        day = date.fromisoformat(until)
    except ValueError:
        pass
    else:
        moment = datetime.combine(day_of("--until", day), time(), tzinfo=UTC)
        return lambda _now: moment
    try:
        period = parse_duration(until)
    except ValueError as error:
        raise DeclarationError(f'--until: {error}; a day is written as "2027-01-31"') from None
    return lambda now: now + period
