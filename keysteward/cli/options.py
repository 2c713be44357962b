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
