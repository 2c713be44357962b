"""`make servers`: what is made is whole or not there, and is told; what could be had and was not used fails in CI."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import openbao
import pulumi_engine
import pytest
import server_cache
import servers

ROOT = Path(__file__).parents[1]
DEFAULT = server_cache.cache()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(server_cache.OVERRIDE, str(tmp_path / "cache"))
    return tmp_path / "cache"


def make_servers(cache: Path, path: Path) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": str(path), "HOME": str(cache), server_cache.OVERRIDE: str(cache)}
    command = [sys.executable, str(ROOT / "tests" / "servers")]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def servers_in(cache: Path) -> dict[str, Path]:
    """Return where each server is kept when this is the cache."""
    ours = server_cache.cache()
    assert ours == cache
    return {f"{s.name} {s.version}": cache / s.folder.relative_to(DEFAULT) for s in servers.SERVERS}


def test_what_is_there_is_not_made_again_and_its_place_is_told(cache: Path, tmp_path: Path) -> None:
    made = servers_in(cache)
    for folder in made.values():
        folder.mkdir(parents=True)
    done = make_servers(cache, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[1:] == [f"{named}: {folder}" for named, folder in made.items()]


def test_a_machine_without_go_and_java_is_told_what_they_would_bring(cache: Path, tmp_path: Path) -> None:
    bao = openbao.folder()
    bao.mkdir(parents=True)
    done = make_servers(cache, tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"Pulumi engine {pulumi_engine.version()}: cannot be made here: go: not on PATH" in done.stdout
    assert "Keycloak stock 26.7.5: cannot be made here: java: not on PATH" in done.stdout


def test_a_build_that_fails_leaves_nothing_and_says_why(cache: Path, tmp_path: Path) -> None:
    for named, folder in servers_in(cache).items():
        if not named.startswith("Pulumi"):
            folder.mkdir(parents=True)
    go = tmp_path / "go"
    go.write_text("#!/bin/sh\necho 'no such module' >&2\nexit 1\n")
    go.chmod(0o755)
    done = make_servers(cache, tmp_path)
    assert done.returncode == 1
    assert "the first time four to eight minutes" in done.stdout
    assert done.stderr.endswith("go could not build it:\nno such module\n")
    assert not pulumi_engine.folder().exists()
    assert list(cache.glob("making-*")) == []


def test_a_build_that_is_killed_leaves_nothing_half_made_and_the_next_clears_up(cache: Path, tmp_path: Path) -> None:
    for named, folder in servers_in(cache).items():
        if not named.startswith("Pulumi"):
            folder.mkdir(parents=True)
    go = tmp_path / "go"
    go.write_text(f'#!/bin/sh\necho half > "$6"\nkill -{int(signal.SIGKILL)} $PPID\n')
    go.chmod(0o755)
    assert make_servers(cache, tmp_path).returncode == -signal.SIGKILL
    assert not pulumi_engine.folder().exists()
    assert len(list(cache.glob("making-*/whole/pulumi"))) == 1
    go.write_text('#!/bin/sh\necho whole > "$6"\n')
    done = make_servers(cache, tmp_path)
    assert done.returncode == 0, done.stderr
    assert (pulumi_engine.folder() / "pulumi").read_text() == "whole\n"
    assert os.access(pulumi_engine.folder() / pulumi_engine.LAUNCHER.name, os.X_OK)
    assert list(cache.glob("making-*")) == []


def test_no_server_is_fetched_by_those_who_only_use_keysteward() -> None:
    assert openbao.WHEEL not in (ROOT / "requirements.txt").read_text(encoding="utf-8")
    assert "://" not in openbao.REQUIREMENTS.read_text(encoding="utf-8")


def test_the_launcher_of_providers_takes_the_python_of_the_tests(real_engine: str) -> None:
    asked = "import sys, pulumi; print(sys.executable)"
    found = subprocess.run(
        ["python", "-c", asked], env={"PATH": real_engine}, capture_output=True, text=True, check=True
    )
    assert Path(found.stdout.strip()) == Path(sys.executable)
    launcher = pulumi_engine.folder() / pulumi_engine.LAUNCHER.name
    assert launcher.read_text() == pulumi_engine.LAUNCHER.read_text()
    assert "exec python " in launcher.read_text()


@pytest.mark.parametrize(("ci", "failed"), [("true", True), ("", False)])
def test_in_ci_a_part_that_could_be_had_and_was_not_used_is_a_failure(
    ci: str, failed: bool, pytestconfig: pytest.Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = next(p for p in pytestconfig.pluginmanager.get_plugins() if hasattr(p, "REAL_PARTS"))
    told = {"OpenBao": f"skipped: {servers.OPENBAO.why_not()}"}
    monkeypatch.setattr(rules, "REAL_PARTS", told)
    monkeypatch.setenv("CI", ci)
    option = SimpleNamespace(keyword="", markexpr="not proof")
    config = SimpleNamespace(option=option, args=["tests"], getini=lambda _name: ["tests"])
    session = SimpleNamespace(config=config, exitstatus=pytest.ExitCode.OK)
    rules.pytest_sessionfinish(session)
    assert (session.exitstatus != pytest.ExitCode.OK) is failed
    assert told["OpenBao"].startswith("NOT TESTED, though make servers brings it: ") is failed
    assert told["OpenBao"].endswith("not made yet: make servers")
