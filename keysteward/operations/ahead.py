"""Runs the planner ahead over many credentials, in several processes: each is played by itself, and takes a while."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from itertools import chain

from keysteward.core.errors import KeystewardError, Unavailable
from keysteward.core.forecast.forecast import Outlook, Runs, forecast
from keysteward.core.identity import name_of
from keysteward.core.observe.world import World
from keysteward.operations.containment import contained
from keysteward.operations.processes import helpers, processors
from keysteward.operations.project import Opened
from keysteward.operations.session import Session
from keysteward.operations.stack_plan import Failure, Failures, chosen

FEW = 400
"""So many and fewer are played in this process: they take a second, and other processes half of one to start."""

SHARE = 100
"""So many worlds are sent to a process at a time."""


def forecast_all(
    opened: Opened, session: Session, wanted: frozenset[str] | None, runs: Runs
) -> tuple[list[Outlook], tuple[Failure, ...]]:
    """Run the planner ahead over the declared credentials asked for; one that cannot be looked at is a failure."""
    failures = Failures()
    worlds = failures.try_each(chosen(opened.stack.specs, (), wanted), session.snapshot.world)
    made = forecasts(worlds, runs)
    return [played for played in made if isinstance(played, Outlook)], (
        *failures.told,
        *(played for played in made if isinstance(played, Failure)),
    )


def forecasts(worlds: Sequence[World], runs: Runs) -> list[Outlook | Failure]:
    """Return what is ahead of each credential, in their order, or why that cannot be said.

    Of many in as many processes as there are processors. Raises Unavailable when one of them is ended by somebody else.
    """
    count = processors()
    if count == 1 or len(worlds) <= FEW:
        return _played(runs, worlds)
    shares = [worlds[first : first + SHARE] for first in range(0, len(worlds), SHARE)]
    try:
        with helpers(count) as pool:
            return list(chain.from_iterable(pool.map(partial(_played, runs), shares)))
    except BrokenProcessPool:
        raise Unavailable("a process that looked ahead was ended from outside; ask for fewer credentials") from None


def _played(runs: Runs, worlds: Sequence[World]) -> list[Outlook | Failure]:
    return [_one(runs, world) for world in worlds]


def _one(runs: Runs, world: World) -> Outlook | Failure:
    name = name_of(world.identity)
    try:
        with contained(name):
            return forecast(world, runs)
    except KeystewardError as error:
        return Failure(str(error), (name,))
