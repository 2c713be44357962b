"""`keysteward sandbox`: local stand-ins for Keycloak, Vault and WorkOS, until Ctrl-C."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from keysteward.cli.terminal import say
from keysteward.core.errors import KeystewardError, Unavailable

if TYPE_CHECKING:
    from keysteward.sandbox import Sandbox


def command(
    *,
    keycloak_port: Annotated[int, typer.Option(min=0, max=65535, help="Port of Keycloak; 0 takes a free one.")] = 8080,
    vault_port: Annotated[int, typer.Option(min=0, max=65535, help="Port of Vault; 0 takes a free one.")] = 8200,
    workos_port: Annotated[int, typer.Option(min=0, max=65535, help="Port of WorkOS; 0 takes a free one.")] = 4100,
    secret_rotation: Annotated[
        bool, typer.Option("--secret-rotation", help="Turn on Keycloak's feature client-secret-rotation.")
    ] = False,
) -> None:
    """Start local stand-ins for Keycloak, Vault and WorkOS, for trying things out. They hold everything in memory.

    Only this machine can reach them. Needs the extra keysteward[sandbox].

    Exit code 0: ended by Ctrl-C; 1: an error.
    """
    try:
        from keysteward.sandbox import serve  # noqa: PLC0415 - an extra, which production does not install
    except ImportError as error:
        raise KeystewardError(
            f"the sandbox is not installed ({error.name} is missing); run: pip install 'keysteward[sandbox]'"
        ) from None
    try:
        serve(
            keycloak_port=keycloak_port,
            vault_port=vault_port,
            workos_port=workos_port,
            secret_rotation=secret_rotation,
            started=_announce,
        )
    except OSError as error:
        raise Unavailable(
            f"the sandbox cannot start ({error.strerror}); choose other ports with --keycloak-port, "
            "--vault-port and --workos-port"
        ) from None


def _announce(sandbox: Sandbox) -> None:
    typer.echo(f"Keycloak  {sandbox.keycloak.url}  realm demo, administrator sandbox-admin in realm master")
    typer.echo(f"Vault     {sandbox.vault.url}  KV version 2 at secret/, root token sandbox-root")
    typer.echo(f"WorkOS    {sandbox.workos.url}  organization Demo, API key sk_sandbox, client id client_sandbox")
    typer.echo("A first look:")
    typer.echo("  export KEYCLOAK_READER=master/sandbox-admin:sandbox-admin-secret  # made up, for the stand-in alone")
    realm = f"--url {sandbox.keycloak.url} --realm demo"
    typer.echo(f"  keysteward inventory --target keycloak {realm} --reader env:KEYCLOAK_READER")
    say("Ctrl-C ends all; nothing is kept.")
