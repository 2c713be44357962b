"""`keysteward schema`: prints the JSON Schema of a file that people write, for an editor. Reads nothing."""

from __future__ import annotations

from typing import Annotated

import typer

from keysteward.modules.catalog_schema import Kind, shipped


def command(
    kind: Annotated[Kind, typer.Argument(help="Which file: a catalog file, or the owners file.")],
) -> None:
    """Print the JSON Schema (draft 2020-12) of catalog files or of the owners file.

    With it an editor completes and checks these files: save it, and name it in their first line,
    `# yaml-language-server: $schema=catalog.schema.json`.

    Exit code 0: printed.
    """
    typer.echo(shipped(kind), nl=False)
