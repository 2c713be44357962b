"""`keysteward preview`: shows what `keysteward up` would do. Reads only, with the reader's credentials."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from keysteward.cli.opening import open_stack
from keysteward.cli.options import JsonOption, Names, PruneOption, StackOption
from keysteward.cli.terminal import meanwhile, say, show, show_json
from keysteward.operations.saved_plan import save
from keysteward.operations.stack_plan import preview
from keysteward.report.run.plan import preview_json, preview_lines
from keysteward.report.run.saved import saved_json, saved_lines

DUE = 2
"""Exit code of `--expect-no-changes` when something is due, or may be."""


def command(
    names: Names = None,
    *,
    stack: StackOption = None,
    as_json: JsonOption = False,
    prune: PruneOption = False,
    expect_no_changes: Annotated[
        bool,
        typer.Option("--expect-no-changes", help=f"Exit with {DUE} if something is due, or may be: a gate for CI."),
    ] = False,
    save_to: Annotated[
        Path | None,
        typer.Option("--save", metavar="FILE", help="Save the plan, so that `up --plan FILE` does exactly this."),
    ] = None,
) -> None:
    """Show what `up` would do, and why. Nothing is changed.

    Before each name stands what becomes of it: + is created, ~ changed or rotated, - ended, ! stopped by a problem,
    . waits. Then come findings, and when something is due next.

    Exit code 0: planned; 1: an error, or a problem that stops something; 2: with --expect-no-changes, something is due
    or may be, since another run works on it.
    """
    opened = open_stack(stack)
    with meanwhile("Planning ..."):
        planned = preview(opened, opened.session("reader"), names or (), prune=prune)
    saved = None if save_to is None else save(opened, planned, names or (), save_to)
    if as_json:
        show_json(preview_json(planned) | ({"saved": saved_json(saved, save_to)} if saved is not None else {}))
    else:
        show(preview_lines(planned))
        show(saved_lines(saved, save_to) if saved is not None else ())
    if planned.stopped:
        raise typer.Exit(1)
    if expect_no_changes and not planned.due and planned.open:
        say(f"not settled: something may be due for {', '.join(planned.open)}; run this again when the wait is over")
    if expect_no_changes and (planned.due or planned.open):
        raise typer.Exit(DUE)
