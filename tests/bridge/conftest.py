"""A company on the stand-in of Keycloak, for what is registered by a program and run by the plugin."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from dynamic_server import Acme
from engines import Engine, FullCLI, InlinePrograms

from keysteward.sandbox.keycloak import KeycloakStandIn


@pytest.fixture
def acme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Acme]:
    """Return the company; its credentials stand in the environment."""
    for name, value in Acme.environment.items():
        monkeypatch.setenv(name, value)
    with KeycloakStandIn() as keycloak:
        yield Acme(keycloak, tmp_path)


@pytest.fixture(scope="module", params=["inline programs", *(["full CLI"] if FullCLI.is_there() else [])])
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """Return the real engine in each of the ways in which it comes by a program."""
    if request.param == "full CLI":
        yield FullCLI()
        return
    with InlinePrograms(request.getfixturevalue("real_engine")) as programs:
        yield programs
