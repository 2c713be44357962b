"""Fixtures of the real servers that `make servers` brings. Tests use what is there; nothing large is made by them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import keycloaks
import openbao
import openbao_server
import pulumi_engine
import pytest
import servers

from keysteward.sandbox.keycloak_server import KeycloakServer, KeycloakStartError

if TYPE_CHECKING:
    from conftest import RealParts


@dataclass(frozen=True)
class RealVault:
    """A real Vault or OpenBao: address and a token with every right."""

    url: str
    token: str


@pytest.fixture(scope="session")
def real_keycloak(real_parts: RealParts) -> Iterator[KeycloakServer]:
    yield from _started(real_parts, servers.KEYCLOAK, keycloaks.keycloak())


@pytest.fixture(scope="session")
def real_keycloak_rotation(real_parts: RealParts) -> Iterator[KeycloakServer]:
    yield from _started(real_parts, servers.KEYCLOAK_ROTATION, keycloaks.keycloak(features=keycloaks.ROTATION))


@pytest.fixture(scope="session")
def real_keycloak_older(real_parts: RealParts) -> Iterator[KeycloakServer]:
    older = keycloaks.keycloak(keycloaks.OLDER, keycloaks.ROTATION)
    yield from _started(real_parts, servers.KEYCLOAK_OLDER, older)


def _started(real_parts: RealParts, part: servers.Server, server: KeycloakServer) -> Iterator[KeycloakServer]:
    if part.missing() or not part.is_there():
        real_parts.skip(part.name, part.why_not())
    try:
        server.start()
    except KeycloakStartError as error:
        if os.environ.get("CI") == "true":
            raise
        real_parts.skip(part.name, str(error))
    real_parts.used(part.name, f"{server.version}, ready after {server.start_seconds:.0f} s")
    yield server
    server.stop()


@pytest.fixture(scope="session")
def real_vault(real_parts: RealParts) -> Iterator[RealVault]:
    """Use the server at VAULT_ADDR with VAULT_TOKEN, or start one in development mode.

    It is the OpenBao that `make servers` brings; without it `bao` or `vault` from PATH.
    """
    part = servers.OPENBAO
    if os.environ.get("VAULT_ADDR") and os.environ.get("VAULT_TOKEN"):
        vault = RealVault(os.environ["VAULT_ADDR"].rstrip("/"), os.environ["VAULT_TOKEN"])
        real_parts.used(part.name, f"instead of it, {openbao_server.version(vault.url)} at VAULT_ADDR")
        yield vault
        return
    program = _bao()
    if program is None:
        real_parts.skip(part.name, part.why_not())
        return
    with openbao_server.in_development_mode(program) as url:
        real_parts.used(part.name, f"{program.name} {openbao_server.version(url)}")
        yield RealVault(url, openbao_server.ROOT_TOKEN)


def _bao() -> Path | None:
    if servers.OPENBAO.is_there():
        return openbao.program()
    found = shutil.which("bao") or shutil.which("vault")
    return None if found is None else Path(found)


@pytest.fixture
def sealed_server(real_parts: RealParts, tmp_path: Path) -> Iterator[openbao_server.SealedServer]:
    """Start a server that keeps its data in files; it is unsealed."""
    part = servers.OPENBAO
    if not part.is_there():
        real_parts.skip(part.name, part.why_not())
    folder = tmp_path / "openbao"
    folder.mkdir()
    with openbao_server.SealedServer(openbao.program(), folder) as server:
        real_parts.used(part.name, f"bao {openbao_server.version(server.url)}")
        yield server


@pytest.fixture(scope="session")
def real_engine(real_parts: RealParts) -> str:
    """Return a PATH on which the Pulumi engine comes first, with its launcher of dynamic providers."""
    part = servers.PULUMI
    if not part.is_there():
        real_parts.skip(part.name, part.why_not())
    real_parts.used(part.name, part.version)
    return pulumi_engine.search_path()
