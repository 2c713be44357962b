"""Play many years: `python tests/simulation --years 10000 [--seed N] [--jobs N]`; with one seed, tell its story.

Exit code 0: nothing broke; 1: a seed broke an invariant, and its shortest story is printed.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from sim_dense import mixed
from sim_fleet import Fleet, report
from sim_shrink import shrink
from sim_world import play


def main() -> int:
    """Play, print, and say whether something broke."""
    parser = argparse.ArgumentParser(description=__doc__, prog="simulation")
    parser.add_argument("--years", type=float, default=10_000, help="credential-years to play (10000)")
    parser.add_argument("--first", type=int, default=0, help="the first seed (0)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes (all processors)")
    parser.add_argument("--seed", type=int, help="play this one and tell its story")
    asked = parser.parse_args()
    if asked.seed is not None:
        return one(asked.seed)
    began = time.monotonic()
    result = Fleet(asked.jobs).play(asked.years, first=asked.first)
    print(report(result, time.monotonic() - began))
    for seed, broken in result.broken[:3]:
        tell(seed, broken)
    return 1 if result.broken else 0


def one(seed: int) -> int:
    """Play one seed and tell all of it."""
    world, broken = play(mixed(seed))
    print("\n".join(world.story))
    if broken is None:
        return 0
    tell(seed, broken)
    return 1


def tell(seed: int, broken: str) -> None:
    """Print the shortest story found that ends the same."""
    world, found = play(shrink(mixed(seed), broken))
    print(f"\nseed {seed} ({world.profile.name}) broke: {broken}\nThe shortest story found that ends alike:")
    print("\n".join(world.story), f"\n=> {found}")


if __name__ == "__main__":
    sys.exit(main())
