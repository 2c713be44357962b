"""Many scenarios over all processors, and what they come to."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from itertools import count
from multiprocessing import get_context
from unittest.mock import patch

from sim_dense import mixed
from sim_world import play

BATCH = 8


@dataclass
class Played:
    """What came of some scenarios: years, what happened how often, what was excused, which seeds broke what."""

    years: float = 0.0
    scenarios: int = 0
    happened: Counter[str] = field(default_factory=Counter)
    excused: Counter[str] = field(default_factory=Counter)
    broken: list[tuple[int, str]] = field(default_factory=list)

    def add(self, other: Played) -> None:
        """Add up."""
        self.years += other.years
        self.scenarios += other.scenarios
        self.happened += other.happened
        self.excused += other.excused
        self.broken += other.broken


def play_seeds(seeds: list[int]) -> Played:
    """Play some scenarios in this process."""
    played = Played()
    for seed in seeds:
        scenario = mixed(seed)
        world, broken = play(scenario)
        played.years += scenario.years
        played.scenarios += 1
        played.happened += world.counts
        played.excused += world.watch.excused
        if broken is not None:
            played.broken.append((seed, broken))
    return played


@dataclass(frozen=True)
class Fleet:
    """So many processes."""

    jobs: int

    def _pool(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(self.jobs, mp_context=get_context("spawn"))

    def play(self, years: float, first: int = 0) -> Played:
        """Play scenarios from seed `first` on until there are so many credential-years, or one broke."""
        whole = Played()
        unmeasured = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
        # Measuring thousands of years line by line would take an hour: the other processes do not hear of it.
        with patch.dict(os.environ, unmeasured, clear=True), self._pool() as pool:
            for played in pool.map(play_seeds, _batches(years, first)):
                whole.add(played)
        return whole


def _batches(years: float, first: int) -> Iterator[list[int]]:
    planned = 0.0
    seeds = count(first)
    while planned < years:
        batch = [next(seeds) for _ in range(BATCH)]
        planned += sum(mixed(seed).years for seed in batch)
        yield batch


def report(played: Played, seconds: float) -> str:
    """Return what a person reads: how much, what happened, what was excused by name."""
    much = f"{played.years:.0f} credential-years in {played.scenarios} scenarios"
    lines = [f"{much}, {seconds:.0f} s, {len(played.broken)} violations"]
    for title, counter in (("happened", played.happened), ("excused by name", played.excused)):
        listed = ", ".join(f"{what}: {number}" for what, number in sorted(counter.items(), key=lambda i: -i[1]))
        lines.append(f"{title}: {listed or 'nothing'}")
    return "\n".join(lines)
