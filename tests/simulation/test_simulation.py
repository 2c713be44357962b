"""Thousands of credential-years, struck at any call: nothing is lost, nobody is locked out, everything settles."""

from __future__ import annotations

import os
import time
from dataclasses import replace

import pytest
import tally
from sim_dense import mixed
from sim_fleet import Fleet, report
from sim_scenario import FAULTS, PAUSED, Action, Fault, Scenario, make
from sim_shrink import shrink
from sim_world import play

SAMPLE, WHOLE = 200, 2000


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("years", [SAMPLE, pytest.param(WHOLE, marks=pytest.mark.proof)])
def test_nothing_breaks_in_thousands_of_years(years: int) -> None:
    began = time.monotonic()
    played = Fleet(os.cpu_count() or 1).play(years)
    tally.play(report(played, time.monotonic() - began))
    stories = []
    for seed, broken in played.broken[:2]:
        world, found = play(shrink(mixed(seed), broken))
        stories.append(f"seed {seed}: {broken}\n" + "\n".join(world.story) + f"\n=> {found}")
    assert not played.broken, "\n\n".join(stories)
    assert played.years >= years
    for fault in (*FAULTS, PAUSED):
        assert played.happened[fault] > years / 20, f"{fault} hardly happened"


def test_the_same_seed_tells_the_same_story() -> None:
    first, again = play(make(7)), play(make(7))
    assert first[0].story == again[0].story
    assert first[1] is again[1] is None
    assert sum("run" in line for line in first[0].story) > 100


def test_a_story_that_breaks_something_is_shortened_to_what_matters(monkeypatch: pytest.MonkeyPatch) -> None:
    def believes(world: object, _port: str, operation: str) -> None:
        if operation == "retire":
            raise AssertionError(f"{world} ended something")

    monkeypatch.setattr("sim_watch.Watch.after", lambda _self, runner, port, what: believes(runner.name, port, what))
    scenario = make(0)
    _, broken = play(scenario)
    assert broken is not None
    short = shrink(scenario, broken)
    assert len(short.actions) < len(scenario.actions) / 10
    world, found = play(short)
    assert found is not None
    assert "begin 1" in "\n".join(world.story)


@pytest.mark.parametrize("every", [3, pytest.param(1, marks=pytest.mark.proof)])
def test_a_run_killed_at_every_call_of_a_rotation_goes_on_from_there(every: int) -> None:
    calm = (Action("run"), Action("pass", seconds=91 * 86_400), Action("run"), Action("calm"))
    for profile in range(0, 13, every):
        base = replace(make(profile), credentials=1, same_host=True)
        for call in range(1, 45):
            for kind in ("killed before", "killed after"):
                fault = (Fault(call, kind),)
                actions = (calm[0], calm[1], replace(calm[2], faults=fault), calm[3])
                _, broken = play(Scenario(profile, base.profile, 1, same_host=True, actions=actions))
                assert broken is None, (base.profile, call, kind, broken)
