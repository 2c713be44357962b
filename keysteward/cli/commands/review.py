"""`keysteward review`: what a pull request changes for credentials. Without `--live` it needs no network, no secret."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

import typer

from keysteward.cli.opening import open_stack
from keysteward.cli.stopping import ended_in_order
from keysteward.cli.terminal import echo, meanwhile, show_json
from keysteward.core.review import Risk, review
from keysteward.operations.review_sides import read_sides
from keysteward.operations.stack_plan import Failure, preview
from keysteward.report.policy.review import Comment, Live, review_json, review_markdown

FOUND = 2
"""Exit code of `--fail-on` when a change is of that risk or a higher one."""

StacksOption = Annotated[
    list[str] | None,
    typer.Option(
        "--stack",
        "-s",
        metavar="NAME",
        help="Only this stack; repeatable. Default: all stacks of the folder stacks.",
    ),
]


def command(
    *,
    base: Annotated[
        str, typer.Option("--base", metavar="REF", help="Branch, tag or commit that the pull request goes into.")
    ],
    stack: StacksOption = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document (format 1) instead of Markdown.")
    ] = False,
    fail_on: Annotated[
        Literal["high", "medium", "none"],
        typer.Option("--fail-on", help=f"Exit with {FOUND} when a change is of this risk or a higher one."),
    ] = "none",
    live: Annotated[
        bool,
        typer.Option(
            "--live",
            help="Add what the next run would do. This loads the stack here, with the reader's credentials: only for "
            "code that was reviewed.",
            show_default=False,
        ),
    ] = False,
) -> None:
    """Show what the working tree changes about credentials since it branched off, as Markdown for a comment.

    The highest risk comes first; each line says which rule it touches and who must approve. Both sides are read in
    processes of their own that hold no credential.

    Exit code 0: shown; 1: an error, such as a side that does not load; 2: a change reaches --fail-on.
    """
    now = datetime.now(UTC)
    with ended_in_order():
        sides = read_sides(Path.cwd(), base, stack or (), now)
    made = review(sides.base, sides.head, now, sides.changed)
    stacks = tuple(sorted(form.identity for form in sides.head.values()))
    ahead = _live(sides.head, made.names) if live else None
    comment = Comment(made, base, sides.commit, stacks, ahead)
    if as_json:
        show_json(review_json(comment))
    else:
        echo(review_markdown(comment))
    if fail_on != "none" and made.reaches(Risk(fail_on)):
        raise typer.Exit(FOUND)


def _live(stacks: Iterable[str], names: frozenset[str]) -> Live:
    """Plan the stacks as they are now, and return what concerns the names."""
    plans: list[tuple[str, str, str]] = []
    failures: list[Failure] = []
    for name in stacks:
        opened = open_stack(name, strict=False)
        with meanwhile("Planning ..."):
            planned = preview(opened, opened.session("reader"), prune=True)
        plans += [
            (item.identity, str(item.action), item.plan.problem.message if item.plan.problem else item.numbered)
            for item in planned.items
            if item.identity in names and item.due
        ]
        failures += planned.failures
    return Live(tuple(plans), tuple(failures))
