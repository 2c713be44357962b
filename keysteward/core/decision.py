"""What a rule of the planner answers: a step, a wait, a problem, NOTHING: stop here, or None: the next rule decides."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Final

from keysteward.core.observe.world import World
from keysteward.core.plan.steps import Problem, Step, Wait


class Nothing(Enum):
    """A rule's word that nothing further may be done."""

    STOP = "stop"


NOTHING: Final = Nothing.STOP
Decision = Step | Wait | Problem | Nothing | None
Rule = Callable[[World], Decision]
