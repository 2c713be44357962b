"""What a person reads when a real Keycloak cannot be started."""

from __future__ import annotations

import stat
import tempfile
from typing import TYPE_CHECKING

import pytest

from keysteward.sandbox.keycloak_server import KeycloakServer, KeycloakStartError, missing_prerequisites

if TYPE_CHECKING:
    from pathlib import Path


def program(folder: Path, name: str, script: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH of the test's own, with the shell's tools behind it."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    return folder


@pytest.mark.usefixtures("tools")
def test_nothing_there(tmp_path: Path) -> None:
    assert [phrase.partition(":")[0] for phrase in missing_prerequisites()] == ["java", "mvn"]
    with pytest.raises(KeycloakStartError, match=r"cannot start Keycloak 26\.7\.5: java: not on PATH .*; mvn: not on"):
        KeycloakServer(cache=tmp_path).start()


def test_a_java_that_is_too_old(tools: Path) -> None:
    program(tools, "java", """echo 'openjdk version "11.0.2" 2019-01-15' >&2""")
    program(tools, "mvn", "exit 0")
    assert missing_prerequisites() == ["java: found Java 11, Java 17 or later is needed"]
    program(tools, "java", """echo 'openjdk version "21.0.2" 2024-01-16' >&2""")
    assert missing_prerequisites() == []


def test_a_distribution_that_cannot_be_fetched(tools: Path, tmp_path: Path) -> None:
    program(tools, "java", """echo 'openjdk version "17.0.2"' >&2""")
    program(tools, "mvn", "echo 'could not resolve artifact'; exit 1")
    said: list[str] = []
    server = KeycloakServer("1.2.3", cache=tmp_path / "cache", progress=said.append)
    with pytest.raises(KeycloakStartError, match=r"could not fetch Keycloak 1\.2\.3: mvn failed\ncould not resolve"):
        server.start()
    assert said == ["Fetching Keycloak 1.2.3 from Maven Central (about 170 MB, once)"]
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_server_that_ends_at_once(tools: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tools, "java", """echo 'openjdk version "17.0.2"' >&2""")
    program(tools, "mvn", "exit 0")
    scripts = tmp_path / "cache" / "1.2.3-stock" / "bin"
    scripts.mkdir(parents=True)
    program(scripts, "kc.sh", "echo 'no database'; exit 3")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    with pytest.raises(KeycloakStartError, match=r"could not start Keycloak 1\.2\.3: it ended\nno database"):
        KeycloakServer("1.2.3", cache=tmp_path / "cache").start()
    assert list(temporary.iterdir()) == []
