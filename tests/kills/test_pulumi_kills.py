"""`pulumi up` loses its provider before and after every request to Keycloak but the GETs; the next runs settle."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest
import tally
from command_line import KILLED, CommandLine, Ended
from killing import Killing, Phase
from project import Project
from samples import sampled
from scene import Scene, Watch
from strikes import Moment
from werkzeug.wrappers import Request

from keysteward.sandbox import Sandbox

pytestmark = [
    pytest.mark.skipif(shutil.which("pulumi") is None, reason="the pulumi CLI is not on PATH"),
    pytest.mark.timeout(1200),
]

DECLARED = "client(auth_method='private_key_jwt', deliver_to=local.path('apps/exporter'))"


class PulumiScene(Scene):
    """The same world, run by `pulumi`: what is killed is the process of its provider."""

    files = ("state",)

    def __init__(self, folder: Path, sandbox: Sandbox, line: CommandLine) -> None:
        super().__init__(folder, sandbox, line, local=True)
        self.project = Project(folder, {k: v for k, v in self.environment.items() if k.startswith("KILLS_")})
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
        watch = Watch(self.look, at, moment, caller=caller, counts=lambda request: request.method != "GET")
        with self.watched(watch):
            watch.started()
            done = self.project.pulumi(*words)
            watch.quiet()
        return Ended(KILLED if watch.killed else done.code, done.text)


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


def strike_everywhere(case: str, folder: Path) -> tuple[Counter[int], list[str]]:
    """Test all kill points of one phase; returns after how many runs each settled, and what was wrong."""
    with Sandbox() as sandbox, CommandLine(folder) as line:
        killing = Killing(PulumiScene(folder, sandbox, line), PHASES[case], f"pulumi, {case}")
        killing.prepare({})
        killing.strike_everywhere("request", lambda at, moment: {"at": at, "moment": moment})
        return killing.settled, killing.problems


@pytest.mark.parametrize("case", sampled(PHASES, ["create"]))
def test_every_request_of_the_provider_can_be_its_last(case: str, tmp_path: Path) -> None:
    settled, problems = strike_everywhere(case, tmp_path)
    tally.note("requests of pulumi up", settled)
    assert problems == []
    assert settled.total() > 5, f"hardly anything happened in {case}"
