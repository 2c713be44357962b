"""The order of a run: which rule is asked before which. Pure.

Finish what was begun, repair, retire, rotate: what comes first in the list is done first, so that a new secret is
proven and delivered before an old one ends. Each rule is one function from the world to a decision, in the module that
is named after what it is about.
"""

from __future__ import annotations

from keysteward.core.observe.world import Extent, World
from keysteward.core.plan import adopt, guards, repair, rotate
from keysteward.core.plan.steps import NOTHING, PlanRule, Problem, Step, Wait

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


def decide(world: World) -> Step | Wait | Problem | None:
    """Name what to do first, or why to wait or stop; None when nothing is due."""
    for rule in RULES[world.me.extent]:
        decision = rule(world)
        if decision is NOTHING:
            return None
        if decision is not None:
            return decision
    return None
