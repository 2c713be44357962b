"""The one planner: decides everything a preview shows and a run does. Pure.

`decide` names the first step that is due; `plan` plays the steps through on paper until nothing is. The order of the
rules is the order of a run: finish what was begun, mend, retire, rotate. Each rule is one function from the world to a
decision, in the module that is named after what it is about.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from keysteward.core import beginning, claiming, mending, stopping
from keysteward.core.beginning import next_rotation
from keysteward.core.decision import NOTHING, Rule
from keysteward.core.effects import predict
from keysteward.core.examine import examine
from keysteward.core.observe.world import Extent, World
from keysteward.core.record.ledger import State
from keysteward.core.retiring import next_retirement
from keysteward.core.steps import Plan, Problem, Step, Wait

LONGEST_PLAN = 60
"""Steps after which a plan is cut: no sound sequence for one credential is that long."""


def plan(world: World) -> Plan:
    """Plan one credential: the steps that are due now, what waits or stops it, findings, and the next due time."""
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
        return Plan(world.identity, (), examine(world), problem=problem)
    ahead = played.after
    return Plan(world.identity, tuple(played.steps), examine(ahead), played.wait, played.problem, next_due(ahead))


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


ALL_RULES: tuple[Rule, ...] = (
    stopping.leased,
    stopping.closed,
    stopping.barred,
    mending.asked,
    stopping.recorded,
    stopping.revoked,
    stopping.unnoted,
    stopping.rivalled,
    stopping.ledger_behind,
    claiming.ours,
    stopping.removed,
    stopping.suspended,
    stopping.places_taken,
    claiming.adopt,
    claiming.mark,
    stopping.decommissioned,
    stopping.migrated,
    stopping.resume,
    stopping.disabled,
    mending.unfinished,
    mending.revived,
    mending.sweep,
    mending.finish_ending,
    mending.rollback,
    mending.dead_current,
    mending.safer,
    mending.settings,
    mending.redeliver,
    mending.notify,
    mending.retire,
    mending.idle,
    mending.tidy,
    stopping.past,
    beginning.begin,
    mending.record_changes,
)

DECLARATION_RULES = frozenset(
    {stopping.recorded, stopping.removed, claiming.adopt, mending.settings, mending.record_changes}
)
"""Rules that apply what a declaration changed, or a record says; a run of the lifecycle alone leaves them out."""

RULES: dict[Extent, tuple[Rule, ...]] = {
    Extent.ALL: ALL_RULES,
    Extent.LIFECYCLE: (stopping.renamed, *(rule for rule in ALL_RULES if rule not in DECLARATION_RULES)),
    Extent.REVOKE: (stopping.leased, stopping.closed, stopping.revoked),
    Extent.RENAME: (
        stopping.leased,
        stopping.closed,
        stopping.barred,
        stopping.rivalled,
        stopping.ledger_behind,
        stopping.places_taken,
        claiming.ours,
        claiming.mark,
        mending.redeliver,
    ),
}
