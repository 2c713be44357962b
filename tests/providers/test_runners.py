"""Which process a run is: only one that is gone for sure loses its lease before the lease ends."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from keysteward.operations import runner
from keysteward.operations.runner import is_dead, new_runner

ROOT = Path(__file__).parents[2]
UNSHARE = shutil.which("unshare")


@pytest.fixture
def ended() -> tuple[int, int]:
    """Return id and start of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    started = runner._started(process.pid)
    process.communicate()
    return process.pid, started


def runner_id(pid: int, started: int, *, host: str = "", boot: str = "", namespaces: str = "") -> str:
    where = f"{host or socket.gethostname()}/{boot or runner._boot_id()}"
    return f"{where}/{pid}/{started}/{namespaces or runner._namespaces()}/0123abcd"


def test_a_living_process_is_not_dead() -> None:
    assert not is_dead(new_runner())
    assert not is_dead(runner_id(os.getpid(), runner._started(os.getpid())))


def test_a_process_of_this_host_that_is_gone_is_dead(ended: tuple[int, int]) -> None:
    assert is_dead(runner_id(*ended))


def test_a_killed_process_that_nobody_has_waited_for_is_dead() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        alive = runner_id(process.pid, runner._started(process.pid))
        assert not is_dead(alive)
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert is_dead(alive)


def test_another_process_under_the_same_id_is_another() -> None:
    assert is_dead(runner_id(os.getpid(), runner._started(os.getpid()) - 1))


def test_of_another_boot_nothing_is_said_for_it_may_be_another_machine_of_that_name(ended: tuple[int, int]) -> None:
    assert not is_dead(runner_id(*ended, boot="00000000"))


def test_of_other_namespaces_nothing_is_said(ended: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    assert not is_dead(runner_id(*ended, namespaces="1.1"))
    unknown = runner_id(*ended, namespaces="-")
    monkeypatch.setattr(runner, "_namespaces", lambda: "-")
    assert not is_dead(unknown)


def test_an_id_of_an_earlier_version_is_of_nobody_that_is_known_to_be_dead(ended: tuple[int, int]) -> None:
    pid, started = ended
    assert not is_dead(f"{socket.gethostname()}/{runner._boot_id()}/{pid}/{started}/0123abcd")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux hides processes so")
def test_a_process_that_is_hidden_is_not_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With hidepid=2 the processes of other users are not there in /proc; a signal finds them all the same."""
    namespaces = runner._namespaces()
    monkeypatch.setattr(runner, "_namespaces", lambda: namespaces)
    alive, gone = runner_id(os.getpid(), 1), runner_id(2**22 + 1, 1)
    boot = runner._boot_id()
    monkeypatch.setattr(runner, "_boot_id", lambda: boot)
    monkeypatch.setattr(runner, "_PROC", tmp_path)
    assert not is_dead(alive)
    assert is_dead(gone)


def test_a_run_in_a_container_with_the_hosts_name_does_not_call_the_hosts_runs_dead() -> None:
    if UNSHARE is None:
        pytest.skip("unshare is not on PATH")
    asked = (
        "import sys; from keysteward.operations.runner import is_dead, new_runner\n"
        "print(is_dead(sys.argv[1]), is_dead(new_runner()), new_runner())"
    )
    inside = [UNSHARE, "--pid", "--fork", "--mount-proc", sys.executable, "-c", asked, new_runner()]
    done = subprocess.run(inside, cwd=ROOT, capture_output=True, text=True, check=False)
    if "unshare failed" in done.stderr or "Operation not permitted" in done.stderr:
        pytest.skip("this user may make no namespaces")
    of_host, of_itself, named = done.stdout.split()
    assert (of_host, of_itself) == ("False", "False"), done.stderr
    assert not is_dead(named), "it has ended, but its number means nothing here"


def test_setting_the_clock_kills_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    alive = new_runner()
    monkeypatch.setattr(psutil.Process, "create_time", lambda _self: 0.0)
    monkeypatch.setattr(psutil, "boot_time", lambda: 0.0)
    assert not is_dead(alive)


@pytest.mark.parametrize("text", ["", "somebody", "a/b/c/d/e", "a/b/c/d/e/f"])
def test_nothing_is_said_about_other_hosts_and_strange_ids(text: str, ended: tuple[int, int]) -> None:
    assert not is_dead(text)
    assert not is_dead(runner_id(*ended, host="elsewhere"))
    assert not is_dead(f"{socket.gethostname()}/{runner._boot_id()}/x/y/{runner._namespaces()}/z")


def test_every_runner_is_named_once() -> None:
    assert len({new_runner() for _ in range(50)}) == 50
