"""The ways through the house: which files one command enters, and how often it plans and decides."""

from __future__ import annotations

import sys
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

import pytest
from cli_project import Project

from keysteward.core.plan.planner import plan
from keysteward.operations.project import Opened
from keysteward.operations.session import Access, Session
from keysteward.providers import dynamic

ROOT = Path(__file__).parents[2]
OURS = tuple(f"{ROOT}/{folder}/" for folder in ("keysteward", "providers", "modules"))
STAND_INS = tuple(f"{ROOT}/keysteward/{folder}/" for folder in ("testing", "sandbox"))


@dataclass
class Walk:
    """The files that were entered, and how often the planner's functions were called."""

    files: set[str] = field(default_factory=set)
    planner: Counter[str] = field(default_factory=Counter)

    def hear(self, frame: FrameType, event: str, _argument: object) -> None:
        code = frame.f_code
        if event != "call" or code.co_name == "<module>" or not code.co_filename.startswith(OURS):
            return
        name = str(Path(code.co_filename).relative_to(ROOT)).replace("keysteward/providers/", "providers/")
        if not code.co_filename.startswith(STAND_INS):
            self.files.add(name)
        if name.endswith(("plan/planner.py", "plan/order.py")) and code.co_name in {"play", "decide"}:
            self.planner[code.co_name] += 1

    @property
    def rooms(self) -> set[str]:
        """The rooms of the core that were entered."""
        parts = [name.split("/") for name in self.files if name.startswith("keysteward/core/")]
        return {part[2] for part in parts if len(part) > 3}


def walk(act: Callable[[], object]) -> Walk:
    """Hear of every call while something is done, in all threads that it starts."""
    made, before = Walk(), sys.getprofile()
    threading.setprofile(made.hear)
    sys.setprofile(made.hear)
    try:
        act()
    finally:
        sys.setprofile(before)
        threading.setprofile(None)
    return made


@pytest.fixture
def lived_in(project: Project) -> Project:
    """A project whose one client is due for its first rotation; every module has been imported."""
    project.run("up", "--yes")
    project.run("drift")
    project.pass_time(days=90)
    return project


def test_one_up_plans_a_credential_twice_and_decides_once_for_each_step(lived_in: Project) -> None:
    """Once for the preview, once afresh before the first write; a first look asks only whether anything is due."""
    walked = walk(lambda: lived_in.run("up", "--yes"))
    steps = 6
    assert lived_in.states() == ["1 previous", "2 current"]
    assert walked.planner == {"play": 2, "decide": 3 * (steps + 1) + 1}


def test_one_look_plans_a_credential_once(lived_in: Project) -> None:
    assert walk(lambda: lived_in.run("drift")).planner["play"] == 1
    assert walk(lambda: lived_in.run("preview")).planner["play"] == 1


def test_planning_enters_what_is_declared_recorded_and_observed_and_nothing_above(lived_in: Project) -> None:
    opened = Opened(lived_in.stack, lived_in.owners)
    session = opened.session("reader")
    (spec,) = lived_in.stack.specs.values()
    world = session.snapshot.world(spec.identity, spec)
    walked = walk(lambda: plan(world))
    assert walked.rooms == {"contract", "declare", "observe", "plan", "record"}


def test_one_pulumi_update_plans_and_decides_as_one_up_does(lived_in: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    sessions: dict[Access, Session] = {}
    opened = Opened(lived_in.stack, lived_in.owners)

    def session(_props: object, access: Access) -> Session:
        return sessions.setdefault(access, opened.session(access))

    monkeypatch.setattr(dynamic._PROCESS, "session", session)
    provider = dynamic.M2MClientProvider()
    props = dynamic._props(lived_in.stack, "billing-exporter", "M2MClient")

    def update() -> None:
        checked = provider.check({}, props)
        assert not checked.failures
        provider.update("acme/demo/billing-exporter", dict(props), dict(checked.inputs))

    walked = walk(update)
    steps = 6
    assert lived_in.states() == ["1 previous", "2 current"]
    assert walked.planner == {"play": 2, "decide": 3 * (steps + 1) + 1}


@pytest.mark.parametrize(("command", "most"), [(("up", "--yes"), 85), (("drift",), 78)])
def test_a_walk_grows_no_longer_unnoticed(lived_in: Project, command: tuple[str, ...], most: int) -> None:
    assert len(walk(lambda: lived_in.run(*command)).files) <= most
