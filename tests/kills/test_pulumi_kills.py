"""`pulumi up` is struck before and after every request to Keycloak but the GETs; the next runs settle.

Either its provider is killed, and the engine sees that, or both at once, as when a job is stopped or a machine lost.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest
import tally
from command_line import KILLED, CommandLine, Ended
from engines import InlinePrograms
from killing import SAMPLE, Killing, Phase
from project import Project
from scene import Scene, Watch
from strikes import Moment
from werkzeug.wrappers import Request

from keysteward.sandbox import Sandbox

pytestmark = pytest.mark.timeout(1200)

PROVIDER, BOTH = "its provider", "engine and provider"
DECLARED = "client(auth_method='private_key_jwt', deliver_to=local.path('apps/exporter'))"


class PulumiScene(Scene):
    """The same world, run by the real engine."""

    files = ("state",)

    def __init__(
        self, folder: Path, sandbox: Sandbox, line: CommandLine, programs: InlinePrograms, struck: str
    ) -> None:
        super().__init__(folder, sandbox, line, local=True)
        self.project = Project(programs, folder, {k: v for k, v in self.environment.items() if k.startswith("KILLS_")})
        self.struck = struck
        self.locked = False
        (folder / "program.py").write_text("from stacks.kills import stack\n", encoding="utf-8")

    def everything(self) -> dict[str, Any]:
        """Return all that must be the same; a `pulumi up` that finds nothing due calls no provider, so that it cannot
        move entries or leave a heartbeat.
        """
        at_rest = super().everything()
        return {key: value for key, value in at_rest.items() if key not in {"not logged", "heartbeat"}}

    def run(
        self, *words: str, at: int = 0, moment: Moment = "before", strike: Mapping[str, Any] | None = None
    ) -> Ended:
        assert strike is None
        if self.locked:  # a backend of files keeps the lock of an engine that was killed
            assert self.project.pulumi("cancel", "--yes").code == 0
        watch = Watch(self.look, at, moment, caller=self.victim, counts=lambda request: request.method != "GET")
        with self.watched(watch):
            watch.started()
            done = self.project.pulumi(*words)
            watch.quiet()
        self.locked = watch.killed and self.struck == BOTH
        return Ended(KILLED if watch.killed else done.code, done.text)

    def victim(self, request: Request) -> int:
        """Return the provider that made a request; where both are to be struck, the engine ends before it does."""
        provider = caller(request)
        if self.struck == BOTH:
            engine = psutil.Process(provider).parent()
            assert engine is not None
            assert engine.name() == "pulumi"
            os.kill(engine.pid, signal.SIGKILL)
        return provider


def caller(request: Request) -> int:
    """Return the process at the other end of a request."""
    port = int(request.environ["REMOTE_PORT"])
    for process in psutil.Process().children(recursive=True):
        for connection in process.net_connections("tcp"):
            if connection.laddr.port == port:
                return process.pid
    raise AssertionError("whoever called is gone")


def nothing(scene: Scene, _fields: object) -> None:
    scene.declare(DECLARED)


def due(scene: Scene, fields: object) -> None:
    nothing(scene, fields)
    done = scene.run(*UP)
    assert done.code == 0, done.text
    scene.pass_time(days=90)


UP = ("up", "--yes", "--skip-preview")
PHASES = {"create": Phase(nothing, UP), "rotate": Phase(due, UP, keeps_old=True)}


CASES = {f"{name}, {struck}": (phase, struck) for name, phase in PHASES.items() for struck in (PROVIDER, BOTH)}


def test_every_third_request_can_be_the_last_of_engine_and_provider(real_engine: str, tmp_path: Path) -> None:
    killing = strike_everywhere(f"rotate, {BOTH}", real_engine, tmp_path, SAMPLE // 2)
    assert killing.problems == []
    assert set(killing.settled) == {1}, "a kill took more than one further run"
    assert killing.settled.total() > 1, "hardly anything happened"


@pytest.mark.proof
@pytest.mark.parametrize("case", CASES)
def test_every_request_can_be_the_last(case: str, real_engine: str, tmp_path: Path) -> None:
    killing = strike_everywhere(case, real_engine, tmp_path)
    assert killing.problems == []
    assert set(killing.settled) == {1}, "a kill took more than one further run"
    assert killing.settled.total() > 5, f"hardly anything happened in {case}"


def strike_everywhere(case: str, engine: str, folder: Path, every: int = 1) -> Killing:
    phase, struck = CASES[case]
    with Sandbox() as sandbox, CommandLine(folder) as line, InlinePrograms(engine) as programs:
        killing = Killing(PulumiScene(folder, sandbox, line, programs, struck), phase, f"pulumi, {case}")
        killing.prepare({})
        killing.strike_everywhere("request", lambda at, moment: {"at": at, "moment": moment}, every)
    tally.note(f"requests of pulumi up, {struck}", killing.settled)
    return killing
