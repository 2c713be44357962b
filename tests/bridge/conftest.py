"""A company on the stand-in of Keycloak, for what is registered by a program and run by the plugin."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from dynamic_server import Acme

from keysteward.sandbox.keycloak import KeycloakStandIn


@pytest.fixture
def acme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Acme]:
    """Return the company; its credentials stand in the environment."""
    for name, value in Acme.environment.items():
        monkeypatch.setenv(name, value)
    with KeycloakStandIn() as keycloak:
        yield Acme(keycloak, tmp_path)
