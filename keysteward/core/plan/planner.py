"""The one planner: everything a preview shows and a run does. Pure.

`decide` (in `order`) names the first step that is due; `plan` plays the steps through on paper until nothing is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from keysteward.core.observe.world import World
from keysteward.core.plan import guards
from keysteward.core.plan.effects import predict
from keysteward.core.plan.order import decide
from keysteward.core.plan.retire import next_retirement
from keysteward.core.plan.rotate import next_rotation
from keysteward.core.plan.steps import Plan, Problem, Step, Wait
from keysteward.core.record.ledger import State

LONGEST_PLAN = 60
"""Steps after which a plan is cut: no sound sequence for one credential is that long."""


def plan(world: World) -> Plan:
    """Plan one credential: the steps that are due now, what waits or stops it, and the next due time."""
    return plan_from(world, play(world))


@dataclass(frozen=True, slots=True)
class Played:
    """The steps that are due now, and the world before each of them and after the last.

    `cut` says that more would have come: see LONGEST_PLAN.
    """

    steps: list[Step]
    worlds: list[World]
    wait: Wait | None = None
    problem: Problem | None = None
    cut: bool = False

    @property
    def after(self) -> World:
        """Return the world after the last step."""
        return self.worlds[-1]


def plan_from(world: World, played: Played) -> Plan:
    """Return the plan of a world that was played. One that goes in circles is none: nothing of it is done."""
    if played.cut:
        last = played.steps[-1].words
        problem = Problem(f"no end of steps is in sight, the last being {last!r}, so none is done; please report this")
        return Plan(world.identity, problem=problem)
    ahead = played.after
    return Plan(
        world.identity,
        tuple(played.steps),
        played.wait,
        played.problem,
        next_due(ahead),
        guards.lease_of_another(ahead),
    )


def play(world: World, ask: Callable[[World], Step | Wait | Problem | None] | None = None) -> Played:
    """Play on paper everything that is due now. `ask` puts the questions to `decide`, where not as they are."""
    ask = decide if ask is None else ask
    steps: list[Step] = []
    worlds = [world]
    while len(steps) < LONGEST_PLAN:
        decision = ask(worlds[-1])
        if isinstance(decision, Step):
            steps.append(decision)
            worlds.append(predict(worlds[-1], decision))
        elif isinstance(decision, Wait):
            return Played(steps, worlds, wait=decision)
        elif isinstance(decision, Problem):
            return Played(steps, worlds, problem=decision)
        else:
            return Played(steps, worlds)
    return Played(steps, worlds, cut=True)


def next_due(world: World) -> datetime | None:
    """Return when the next rotation or retirement is due, None when neither will come."""
    ledger, spec = world.ledger, world.spec
    if ledger is None or spec is None or ledger.closed:
        return None
    due = next_rotation(spec, ledger, world.now)
    for generation in ledger.in_state(State.PREVIOUS):
        ends = next_retirement(spec, ledger, generation)
        if ends is not None and (due is None or ends < due):
            due = ends
    return due
