"""The one planner: decides everything a preview shows and a run does. Pure.

`decide` names the first step that is due; `plan` plays the steps through on paper until nothing is. The order of the
rules is the order of a run: finish what was begun, mend, retire, rotate. Each rule is one function from the world to a
decision, in the module that is named after what it is about.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from keysteward.core.observe.world import Extent, World
from keysteward.core.plan import adopt, guards, repair, rotate
from keysteward.core.plan.effects import predict
from keysteward.core.plan.retire import next_retirement
from keysteward.core.plan.rotate import next_rotation
from keysteward.core.plan.steps import NOTHING, Plan, PlanRule, Problem, Step, Wait
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


def decide(world: World) -> Step | Wait | Problem | None:
    """Name what to do first, or why to wait or stop; None when nothing is due."""
    for rule in RULES[world.me.extent]:
        decision = rule(world)
        if decision is NOTHING:
            return None
        if decision is not None:
            return decision
    return None


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


ALL_RULES: tuple[PlanRule, ...] = (
    guards.leased,
    guards.closed,
    guards.barred,
    repair.asked,
    guards.recorded,
    guards.revoked,
    guards.unnoted,
    guards.rivalled,
    guards.ledger_behind,
    adopt.ours,
    guards.removed,
    guards.suspended,
    guards.places_taken,
    adopt.adopt,
    adopt.mark,
    guards.decommissioned,
    guards.migrated,
    guards.resume,
    guards.disabled,
    repair.unfinished,
    repair.revived,
    repair.sweep,
    repair.finish_ending,
    repair.rollback,
    repair.dead_current,
    repair.safer,
    repair.settings,
    repair.redeliver,
    repair.notify,
    repair.retire_previous,
    repair.idle,
    repair.tidy,
    guards.past,
    rotate.begin,
    repair.record_changes,
)

DECLARATION_RULES = frozenset({guards.recorded, guards.removed, adopt.adopt, repair.settings, repair.record_changes})
"""Rules that apply what a declaration changed, or a record says; a run of the lifecycle alone leaves them out."""

RULES: dict[Extent, tuple[PlanRule, ...]] = {
    Extent.ALL: ALL_RULES,
    Extent.LIFECYCLE: (guards.renamed, *(rule for rule in ALL_RULES if rule not in DECLARATION_RULES)),
    Extent.REVOKE: (guards.leased, guards.closed, guards.revoked),
    Extent.RENAME: (
        guards.leased,
        guards.closed,
        guards.barred,
        guards.rivalled,
        guards.ledger_behind,
        guards.places_taken,
        adopt.ours,
        adopt.mark,
        repair.redeliver,
    ),
}
