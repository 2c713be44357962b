"""The Keycloaks of the tests: each version and set of features is a distribution of its own in the cache.

26.8 was in no registry when this was written; `KEYSTEWARD_TEST_KEYCLOAK` names the version that all tests run on.
"""

from __future__ import annotations

import os

from server_cache import ServerUnavailable, cache

from keysteward.sandbox.keycloak_server import KeycloakServer, KeycloakStartError

PRESENT = os.environ.get("KEYSTEWARD_TEST_KEYCLOAK", "26.7.5")
OLDER = "26.4.7"
ROTATION = ("client-secret-rotation",)


def keycloak(version: str = PRESENT, features: tuple[str, ...] = ()) -> KeycloakServer:
    """Return a server that is not started."""
    return KeycloakServer(version, features=features, cache=cache() / "keycloak")


def make(server: KeycloakServer) -> None:
    try:
        server.fetch()
    except KeycloakStartError as error:
        raise ServerUnavailable(str(error)) from None
