"""Denser scenarios: the world, the faults and the invariants are the same, but every run has something to do.

Credentials of the ordinary scenarios are at rest most of the time. Here a rotation is due before each run, and the run
is struck while it rotates; those that follow come so soon that lists still show the past.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random

from sim_scenario import (
    DAY,
    FAULTS,
    KEY_PROFILES,
    MINUTE,
    PAUSED,
    PROFILES,
    STRANGER_ADDS,
    STRANGER_DELETES,
    Action,
    Fault,
    Scenario,
    make,
)

ROTATIONS = 18
"""Of each credential in one scenario: as many as five years bring."""

MID_ROTATION = (5, 16)
"""The calls of a run in which a single credential is asked for, staged and recorded, after the reading."""

STRIKES = tuple(fault for fault in FAULTS if fault not in {"frozen", "stranger acts"})

LOSSES = ("answer lost, done", "answer lost, not done", "killed after")


def struck(seed: int) -> Scenario:
    """Let each rotation be struck, and other runs come within seconds of it."""
    rng = Random(f"struck/{seed}")
    actions: list[Action] = []
    for rotation in range(ROTATIONS):
        actions += _due(rng)
        actions.append(_run(rng, 0.8))
        for _ in range(rng.randrange(1, 4)):
            actions.append(Action("pass", seconds=rng.randrange(1, 25)))
            actions.append(_run(rng, 0.3))
        actions += _in_between(rng, rotation)
    return _scenario(seed, rng, actions)


def paused(seed: int) -> Scenario:
    """Let two runs come upon each rotation at once, of which one stands still in its midst, for less than its lease."""
    rng = Random(f"paused/{seed}")
    actions: list[Action] = []
    for rotation in range(ROTATIONS):
        actions += _due(rng)
        first, second = _pause(rng, 1, 30), _pause(rng, 1, 10) if rng.random() < 0.5 else ()
        actions.append(Action("two runs", pick=rng.randrange(1_000_000), faults=first, other=second))
        actions += _in_between(rng, rotation)
    return _scenario(seed, rng, actions)


def beset(seed: int) -> Scenario:
    """Let a stranger add a secret while a run asks for one, and the answer to one of the next calls be lost."""
    rng = Random(f"beset/{seed}")
    actions: list[Action] = []
    for rotation in range(ROTATIONS):
        actions += _due(rng)
        call = rng.randrange(*MID_ROTATION)
        lost = Fault(call + rng.randrange(1, 3), rng.choice(LOSSES))
        actions.append(Action("run", pick=rng.randrange(1_000_000), faults=(Fault(call, STRANGER_ADDS), lost)))
        actions += [Action("pass", seconds=rng.randrange(1, 25)), _run(rng, 0.3)]
        actions += _in_between(rng, rotation)
    return _scenario(seed, rng, actions)


def bereft(seed: int) -> Scenario:
    """Let a stranger delete the current secret while a run is about to end the one before it."""
    rng = Random(f"bereft/{seed}")
    actions: list[Action] = []
    for rotation in range(ROTATIONS):
        actions += [*_due(rng), _run(rng, 0.2), Action("pass", seconds=rng.randrange(8 * DAY, 12 * DAY))]
        fault = Fault(rng.randrange(3, 15), STRANGER_DELETES)
        actions.append(Action("run", pick=rng.randrange(1_000_000), faults=(fault,)))
        actions.append(Action("person", "reissues", pick=rng.randrange(1_000_000)))
        actions += _in_between(rng, rotation)
    return _scenario(seed, rng, actions)


def keyed(seed: int) -> Scenario:
    """Play what is made for clients with API keys of a holder, or with values of ours side by side."""
    rng = Random(f"keyed/{seed}")
    scenario = rng.choice((make, make, struck, paused, beset))(seed)
    return replace(scenario, profile=rng.choice(KEY_PROFILES).name)


def mixed(seed: int) -> Scenario:
    """Make a scenario of ordinary years, or, every other time, of a denser kind; any kind at any kind of target."""
    return (make, struck, keyed, make, paused, keyed, make, beset, make, bereft)[seed % 10](seed)


def _scenario(seed: int, rng: Random, actions: list[Action]) -> Scenario:
    profile = PROFILES[seed % len(PROFILES)]
    return Scenario(seed, profile.name, rng.choice((1, 1, 2)), rng.random() < 0.5, (*actions, Action("calm")))


def _due(rng: Random) -> list[Action]:
    """Let so much time pass that a rotation is due, and what was not retired is due for that as well."""
    return [Action("pass", seconds=rng.randrange(95 * DAY, 105 * DAY))]


def _in_between(rng: Random, rotation: int) -> list[Action]:
    """Go on after a rotation: by a run a little later, by one that retires, or not before the next is due."""
    actions = []
    if rng.random() < 0.5:
        actions += [Action("pass", seconds=rng.randrange(6 * MINUTE, DAY)), _run(rng, 0.3)]
    if rng.random() < 0.4:
        actions += [Action("pass", seconds=rng.randrange(8 * DAY, 12 * DAY)), _run(rng, 0.5)]
    return [*actions, Action("calm")] if rotation % 4 == 3 else actions


def _run(rng: Random, chance: float) -> Action:
    faults: tuple[Fault, ...] = ()
    if rng.random() < chance:
        call = rng.randrange(*MID_ROTATION) if rng.random() < 0.7 else rng.randrange(1, 40)
        faults = (Fault(call, rng.choice(STRIKES)),)
    return Action("run", pick=rng.randrange(1_000_000), faults=faults)


def _pause(rng: Random, first: int, last: int) -> tuple[Fault, ...]:
    """Stand still once; at times another thing strikes the same run."""
    call = rng.randrange(first, last)
    also = rng.randrange(1, 40)
    struck_too = (Fault(also, rng.choice(STRIKES)),) if rng.random() < 0.25 and also != call else ()
    return tuple(sorted((Fault(call, PAUSED), *struck_too), key=lambda fault: fault.call))


FAMILIES: dict[str, Callable[[int], Scenario]] = {
    "years": make,
    "struck": struck,
    "paused": paused,
    "beset": beset,
    "bereft": bereft,
    "keyed": keyed,
}
"""Where a hunt may be: how a scenario is made from a seed."""
