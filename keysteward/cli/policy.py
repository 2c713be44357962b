"""`keysteward policy`: prints the policies that stores need, to review and load."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Print the policies that stores need.")


class Role(StrEnum):
    """Who a policy is for."""

    CONSUMER = "consumer"
    READER = "reader"
    RUNNER = "runner"


@app.callback()
def policies() -> None:
    """Print the policies that stores need."""


@app.command("vault")
def vault(
    role: Annotated[Role, typer.Argument(help="An application; a preview (never a value); a run.")],
    *,
    path: Annotated[str, typer.Option(help='What is delivered: one path, or a pattern such as "apps/*".')],
    mount: Annotated[str, typer.Option(help="The KV version 2 engine.")] = "secret",
    staging: Annotated[str, typer.Option(help="The store's staging folder.")] = "keysteward/staged",
    ledgers: Annotated[str, typer.Option(help="The folder of the ledger store.")] = "keysteward",
) -> None:
    """Print the Vault policy of a consumer, reader or runner: keysteward policy vault reader --path "apps/*".

    Load it with: vault policy write NAME -

    Exit code 0: printed; 1: an error.
    """
    from keysteward.providers.vault.policy import policy  # noqa: PLC0415 - no other command needs Vault's client

    typer.echo(policy(role.value, delivered=path, mount=mount, staging=staging, ledgers=ledgers).rstrip())
