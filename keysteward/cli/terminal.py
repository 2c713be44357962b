"""Where output goes: answers to stdout, questions, progress and errors to stderr. Nothing is read as markup."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from typing import Any

import typer
from rich.console import Console, RenderableType
from rich.text import Text

from keysteward.core.errors import KeystewardError
from keysteward.report.plain import plain

FILE_WIDTH = 200
"""Columns for tables that go to a file or a pipe."""


def console(*, stderr: bool = False) -> Console:
    """Return a console for stdout or stderr as they are now."""
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else FILE_WIDTH
    return Console(file=stream, width=width, markup=False, highlight=False, emoji=False)


def show(lines: Iterable[RenderableType], *, stderr: bool = False) -> None:
    """Print lines and tables. Lines are never wrapped: a terminal does that, and a file needs none."""
    out = console(stderr=stderr)
    for item in lines:
        out.print(item, soft_wrap=isinstance(item, Text))


def show_json(document: Mapping[str, Any]) -> None:
    """Print one JSON document."""
    typer.echo(json.dumps(document, indent=2))


def say(text: str) -> None:
    """Tell a person something, on stderr."""
    typer.echo(plain(text), err=True)


def say_error(error: KeystewardError) -> None:
    """Print an error's sentences on stderr, one a line."""
    for sentence in str(error).splitlines():
        typer.secho(f"error: {plain(sentence)}", err=True, fg=typer.colors.RED)


def interactive() -> bool:
    """Say whether somebody can answer a question."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def confirm_or_stop(question: str, *, yes: bool) -> None:
    """Ask on stderr, unless `yes`. Ends the command when declined; raises KeystewardError when nobody can answer."""
    if yes:
        return
    if not interactive():
        raise KeystewardError(
            "nothing was changed: nobody can be asked here; look at the plan with `keysteward preview`, then add --yes"
        )
    if not typer.confirm(f"\n{question}", default=False, err=True):
        say("Nothing was changed.")
        raise typer.Exit(1)
