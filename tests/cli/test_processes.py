"""The work of one command that several processes share: the same answers, no credential there, and an end with it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from cli_project import Project

from keysteward.operations import ahead
from keysteward.operations.processes import helpers

TIMEOUT_SECONDS = 60
COMMAND = """
import os, sys, time
from keysteward.operations.processes import helpers

if __name__ == "__main__":
    with helpers(2) as pool:
        print(*{pool.submit(os.getpid).result() for _ in range(50)}, flush=True)
        pool.submit(time.sleep, 3600).result()
"""


def some_clients(project: Project, count: int) -> None:
    names = [f"client-{number:02}" for number in range(count)]
    project.declare(*(project.client(name, deliver_to=project.store.path(f"apps/{name}")) for name in names))


def test_many_credentials_are_played_by_several_processes_with_the_same_outcome(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    some_clients(project, 12)
    project.run("up", "--yes")
    alone = project.run("forecast", "--json", "--days", "200")
    monkeypatch.setattr(ahead, "FEW", 4)
    monkeypatch.setattr(ahead, "SHARE", 5)
    monkeypatch.setattr(ahead, "processors", lambda: 2)
    used = []
    monkeypatch.setattr(ahead, "helpers", lambda count: used.append(count) or helpers(count))  # type: ignore[func-returns-value]
    shared = project.run("forecast", "--json", "--days", "200")
    assert (alone.code, shared.code, used) == (0, 0, [2])
    assert len(json.loads(shared.out)["events"]) > 12
    assert shared.out == alone.out


def test_a_process_that_is_ended_from_outside_is_told(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    some_clients(project, 6)
    monkeypatch.setattr(ahead, "FEW", 4)
    monkeypatch.setattr(ahead, "processors", lambda: 2)
    monkeypatch.setattr(ahead, "_played", dies)
    answer = project.run("forecast")
    assert answer.code == 1
    assert answer.err.splitlines() == [
        "error: a process that looked ahead was ended from outside; ask for fewer credentials"
    ]


def dies(*_given: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_processes_see_no_credential_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEYCLOAK_ADMIN", "keysteward:swordfish")
    with helpers(1) as pool:
        assert pool.submit(os.getenv, "KEYCLOAK_ADMIN").result() is None
        assert pool.submit(os.getenv, "PATH").result() == os.environ["PATH"]
    assert os.environ["KEYCLOAK_ADMIN"] == "keysteward:swordfish"


def test_processes_end_when_the_command_is_killed(tmp_path: Path) -> None:
    program = tmp_path / "command.py"
    program.write_text(COMMAND)
    command = subprocess.Popen([sys.executable, str(program)], stdout=subprocess.PIPE, text=True)
    assert command.stdout is not None
    with command.stdout as said:
        others = [psutil.Process(int(pid)) for pid in said.readline().split()]
        command.kill()
        command.wait()
    gone, alive = psutil.wait_procs(others, TIMEOUT_SECONDS)
    assert len(gone) > 0
    assert alive == []
