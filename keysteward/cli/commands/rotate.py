"""`keysteward rotate --due`: the scheduled job. Rotates and retires what is due, and applies no declaration."""

from __future__ import annotations

from typing import Annotated

import typer

from keysteward.cli.apply import show_and_do
from keysteward.cli.opening import open_stack
from keysteward.cli.options import JsonOption, ParallelOption, StackOption, YesOption
from keysteward.cli.terminal import meanwhile
from keysteward.core.errors import DeclarationError
from keysteward.core.observe.world import Extent
from keysteward.operations.stack_plan import preview_lifecycle


def command(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME]...", help="Only these credentials; all declared ones if none is named."),
    ] = None,
    *,
    due: Annotated[
        bool, typer.Option("--due", help="Do what is due by schedule. Required.", show_default=False)
    ] = False,
    stack: StackOption = None,
    yes: YesOption = False,
    as_json: JsonOption = False,
    parallel: ParallelOption = 4,
) -> None:
    """Rotate and retire what is due, finish interrupted work and repair what broke; apply no new declarations.

    For a scheduled job: `up` without the declarations. New and changed declarations, resource servers and what is not
    declared any more are left alone.

    Exit code 0: done, or nothing was due; 1: an error, something failed, or the plan was declined; 130: Ctrl-C.
    """
    if not due:
        raise DeclarationError(
            "rotate does what is due by schedule, and only with --due: keysteward rotate --due; "
            "for a new secret before its time run: keysteward reissue NAME --reason TEXT"
        )
    opened = open_stack(stack)
    session = opened.session("reader", extent=Extent.LIFECYCLE)
    with meanwhile("Planning ..."):
        planned = preview_lifecycle(opened, session, names or ())
    show_and_do(opened, session, planned, "rotate", yes=yes, as_json=as_json, parallel=parallel)
