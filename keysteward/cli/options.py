"""Options and arguments that several commands take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

CardOption = Annotated[
    Path | None,
    typer.Option(
        "--card", metavar="FILE", help="Work from this stack card, without loading the stack; see docs/emergency.md."
    ),
]

Names = Annotated[
    list[str] | None,
    typer.Argument(metavar="[NAME]...", help="Only these credentials and resource servers; all if none is named."),
]

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document (format 1) instead of text.")]

PruneOption = Annotated[
    bool, typer.Option("--prune", help="Also end what is in the ledgers and no longer declared.", show_default=False)
]

YesOption = Annotated[
    bool, typer.Option("--yes", "-y", help="Do not ask for confirmation. Required without a terminal.")
]

ParallelOption = Annotated[int, typer.Option(min=1, max=32, help="How many credentials to work on at once.")]

StackOption = Annotated[
    str | None,
    typer.Option(
        "--stack",
        "-s",
        metavar="NAME",
        envvar="KEYSTEWARD_STACK",
        help="Stack to work on: demo (the module stacks/demo.py) or a full module name. "
        "Not needed when the folder stacks holds only one.",
    ),
]

CredentialArgument = Annotated[
    str, typer.Argument(metavar="NAME", help="Name of a credential, declared or in the ledgers alone.")
]

ReasonOption = Annotated[
    str, typer.Option("--reason", "-r", help="The reason: kept in the ledger and shown with the credential.")
]
