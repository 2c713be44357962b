"""`keysteward audit`: shows the evidence log, verifies it, anchors its head outside, and exports a period."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Annotated

import typer

from keysteward.cli.options import JsonOption, StackOption
from keysteward.cli.terminal import echo, say, show, show_json
from keysteward.cli.time_options import day_of
from keysteward.core.audit.period import UNKNOWN, Approved, Period, rows
from keysteward.core.errors import DeclarationError, KeystewardError, NotFound
from keysteward.host.git import approvers
from keysteward.host.output_file import write_output
from keysteward.operations.audit.anchors import anchor_in_file, anchor_in_git, anchor_in_s3
from keysteward.operations.audit.examine import Verified, examine, trust_of
from keysteward.operations.loading import load_stack
from keysteward.report.evidence import entries_json, entry_lines, to_csv, to_markdown, verified_json, verified_lines
from keysteward.report.text.plain import plain

WRONG = 2
"""Exit code when something is wrong with the log."""

_WRONG_LOG = "warning: this log is not sound, or lacks entries; see keysteward audit verify"

app = typer.Typer(no_args_is_help=True, help="Show, verify, anchor and export the evidence of what was done.")

First = Annotated[
    datetime,
    typer.Option("--from", formats=["%Y-%m-%d"], metavar="DATE", help="First day, such as 2026-01-01, in UTC."),
]
Last = Annotated[
    datetime, typer.Option("--to", formats=["%Y-%m-%d"], metavar="DATE", help="Last day, which is included.")
]


class Format(StrEnum):
    """How an export is written."""

    CSV = "csv"
    MARKDOWN = "markdown"


@app.callback()
def audit() -> None:
    """Show, verify, anchor and export the evidence of what was done."""


@app.command("show")
def show_entries(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Only entries of this declaration.")] = None,
    *,
    stack: StackOption = None,
    last: Annotated[int, typer.Option("--last", min=1, help="How many entries, counted from the end.")] = 20,
    as_json: JsonOption = False,
) -> None:
    """Show the last entries of the audit log: when, what, who, from which commit, on what evidence.

    Exit code 0: shown; 1: an error.
    """
    loaded = load_stack(stack)
    verified = examine(loaded)
    prefix = f"{loaded.identity}/"
    identity = name if name is None or name.startswith(prefix) else prefix + name
    records = [record for record in verified.log.records if identity in {None, record.entry.identity}]
    if name is not None and not records:
        raise NotFound(f"the audit log has no entries of {name!r}")
    if as_json:
        show_json(entries_json(records[-last:], loaded.identity))
    else:
        show(entry_lines(records[-last:], loaded.identity))
    if not verified.sound:
        say(_WRONG_LOG)


@app.command("verify")
def verify(
    *,
    stack: StackOption = None,
    trusted: Annotated[
        list[Path] | None, typer.Option("--trusted", metavar="FILE", help="A public key that may sign. Repeatable.")
    ] = None,
    issuer: Annotated[
        list[str] | None, typer.Option("--issuer", metavar="URL", help="An issuer of CI identities. Repeatable.")
    ] = None,
    claim: Annotated[
        list[str] | None,
        typer.Option("--claim", metavar="NAME=VALUE", help="What such an identity must say. Repeatable."),
    ] = None,
    anchor: Annotated[
        list[str] | None,
        typer.Option("--anchor", metavar="PLACE", help="A file, git-note or s3://bucket/key. Repeatable."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Verify the audit log: find entries that were removed, altered, moved or cut off, and a log that was rewritten.

    Every hash and signature is checked; the log is compared with what the ledgers remember of it, and the ledgers with
    what it recorded of their clients, generations and dates. A rewrite of log and ledgers together shows only against
    keys (--trusted; --issuer with --claim) and anchors. Entries that wait for more than an hour are wrong too.

    Exit code 0: sound; 1: an error; 2: something is wrong, a sentence each.
    """
    trust = trust_of(trusted or (), issuer or (), claim or ())
    verified = examine(load_stack(stack), trust, anchor or ())
    if as_json:
        show_json(verified_json(verified))
    else:
        show(verified_lines(verified))
    _stop_unless_sound(verified)


@app.command("anchor")
def anchor_head(
    *,
    stack: StackOption = None,
    file: Annotated[Path | None, typer.Option("--file", metavar="FILE", help="Add it to this file.")] = None,
    git_note: Annotated[
        str | None, typer.Option("--git-note", metavar="COMMIT", help="Add it to the note of a commit, such as HEAD.")
    ] = None,
    s3: Annotated[str | None, typer.Option("--s3", metavar="URL", help="Add it to the object s3://bucket/key.")] = None,
) -> None:
    """Keep the signed head of the audit log outside of the ledger store, for `audit verify --anchor`.

    The log is verified first; one that is not sound is not anchored.

    Exit code 0: anchored; 1: an error; 2: something is wrong with the log.
    """
    if file is None and git_note is None and s3 is None:
        raise DeclarationError("nothing was anchored: say where, with --file, --git-note or --s3")
    verified = examine(load_stack(stack))
    if not verified.log.sound:
        show(verified_lines(verified), stderr=True)
        say("nothing was anchored, since an anchor would vouch for this log")
        raise typer.Exit(WRONG)
    head = verified.log.last
    if head is None:
        raise KeystewardError("nothing was anchored: the audit log has no entries yet")
    places = []
    if file is not None:
        places.append(anchor_in_file(head, file))
    if git_note is not None:
        places.append(anchor_in_git(head, Path.cwd(), git_note))
    if s3 is not None:
        places.append(anchor_in_s3(head, s3))
    for place in places:
        typer.echo(plain(f"segment {head.number}, head {head.head}: anchored in {place}"))


@app.command("export")
def export(
    first: First,
    last: Last,
    *,
    stack: StackOption = None,
    form: Annotated[Format, typer.Option("--format", help="For a spreadsheet, or to read.")] = Format.CSV,
    output: Annotated[
        Path | None, typer.Option("--output", metavar="FILE", help="File to write; default: stdout.")
    ] = None,
) -> None:
    """Write the evidence of a period: owner, approval, who ran it, commit, plan, rotation, end and its evidence.

    One row for each generation to which something was done. Who approved is read from the commit's own trailers
    (Approved-by, Reviewed-by) by local git; else it is "unknown".

    Exit code 0: written; 1: an error; 2: written, and something is wrong with the log.
    """
    period = Period(day_of("--from", first), day_of("--to", last))
    if period.last < period.first:
        raise DeclarationError("--to is before --from; swap them")
    verified = examine(load_stack(stack))
    found = rows((record.entry for record in verified.log.records), period, _approval(Path.cwd()))
    text = to_csv(found) if form is Format.CSV else to_markdown(found, verified, period)
    if output is None:
        echo(text)
    else:
        write_output("--output", output, text.encode())
        say(f"{len(found)} rows written to {output}")
    if verified.waiting:
        say(f"warning: {verified.waiting} entries still wait in the ledgers; the next run moves them into the log")
    if not verified.sound:
        say(_WRONG_LOG)
    _stop_unless_sound(verified)


def _approval(root: Path) -> Approved:
    """Return what says who approved a commit; each is asked for once."""
    return lru_cache(maxsize=None)(lambda commit: ", ".join(approvers(root, commit)) or UNKNOWN)


def _stop_unless_sound(verified: Verified) -> None:
    if not verified.sound:
        raise typer.Exit(WRONG)
