"""`keysteward drift`: what exists and is not declared, and whatever differs, is late, unused or without owner."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from keysteward.cli.opening import open_stack
from keysteward.cli.options import StackOption
from keysteward.cli.source.source_places import places_of
from keysteward.cli.terminal import echo, meanwhile, say, show
from keysteward.core.drift.drift import Drift, drift
from keysteward.core.findings import Severity
from keysteward.host.output_file import write_output
from keysteward.operations.loading import module_name
from keysteward.operations.look import look
from keysteward.operations.project import Opened
from keysteward.report.drift.drift import drift_json, drift_lines, drift_markdown, drift_text, summary
from keysteward.report.drift.sarif import Places, drift_sarif

FOUND = 2
"""Exit code when there are findings at or above `--fail-on`."""


class FailOn(StrEnum):
    """The least severity that fails the command."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"
    NONE = "none"


class Format(StrEnum):
    """How it is written."""

    TERMINAL = "terminal"
    JSON = "json"
    MARKDOWN = "markdown"
    SARIF = "sarif"


TEXTS: Mapping[Format, Callable[[Drift, Places], str]] = {
    Format.TERMINAL: drift_text,
    Format.JSON: drift_json,
    Format.MARKDOWN: drift_markdown,
    Format.SARIF: drift_sarif,
}

SUFFIXES = {".json": Format.JSON, ".md": Format.MARKDOWN, ".sarif": Format.SARIF}
"""How a file is written by the end of its name; any other is plain text."""


def command(
    *,
    stack: StackOption = None,
    form: Annotated[
        Format | None,
        typer.Option("--format", help="Output format; for a file, its suffix decides unless this is given."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
    output: Annotated[
        list[Path] | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Write the report to a file (.json, .md, .sarif, .txt), and print a summary.",
        ),
    ] = None,
    every: Annotated[
        bool, typer.Option("--all", help="Show every finding; otherwise many that are alike are shown as one.")
    ] = False,
    fail_on: Annotated[
        FailOn, typer.Option("--fail-on", help=f"Exit with {FOUND} if a finding is at least this severe.")
    ] = FailOn.WARNING,
) -> None:
    """Find drift: what exists but is not declared, and what differs, is overdue, unused or has no owner.

    Reads all targets and stores of the stack in bulk, and its ledgers, with the reader's credentials. Nothing is
    changed. As sarif the findings that have a place in the repository are written for code scanning. Several --output
    are written from one look.

    Exit code 0: clean; 2: a finding is at least as severe as --fail-on; 1: an error, such as a target that cannot be
    read. What the others show is shown all the same.
    """
    form = Format.JSON if as_json else form
    written = [(path, form or SUFFIXES.get(path.suffix, Format.TERMINAL)) for path in output or ()]
    opened = open_stack(stack, strict=False)
    with meanwhile("Looking at targets, stores and ledgers ..."):
        found = drift(look(opened, opened.session("reader")))
    places = _places(opened, module_name(stack, Path.cwd())) if found.findings else {}
    for path, kind in written:
        write_output("--output", path, TEXTS[kind](found, places).encode())
    if written:
        say(f"{', '.join(str(path) for path, _ in written)}: {summary(found)}")
    elif form is None or form is Format.TERMINAL:
        show(drift_lines(found, places, every=every))
    else:
        echo(TEXTS[form](found, places), as_json=form in {Format.JSON, Format.SARIF})
    for failure in found.failures:
        say(f"error: {failure}")
    if found.failures:
        raise typer.Exit(1)
    if fail_on is not FailOn.NONE and found.at_or_above(Severity(fail_on.value)):
        raise typer.Exit(FOUND)


def _places(opened: Opened, module: str) -> Places:
    """Return file, relative to the repository, and line by subject; a file as a whole is where it begins."""
    root = Path.cwd().resolve()
    top = next((folder for folder in (root, *root.parents) if (folder / ".git").exists()), root)
    found = places_of(opened.stack, module)
    return {
        subject: ((root / path).relative_to(top).as_posix(), max(line, 1)) for subject, (path, line) in found.items()
    }
