"""`make bench`: measures the numbers to reach, prints a table and writes build/bench.json. Slow is not a failure.

FULL=1 measures the large sizes too. Where `tofu` is on PATH, and BENCH_TOFU_PROVIDERS names the folder that holds the
Keycloak provider's program, one look at the real Keycloak is compared with OpenTofu's: see opentofu.py.
"""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

import ahead
import bridge
import environment
import page
import planner
import realm
import tracing
from measurement import Results
from rich.console import Console

ROOT = Path(__file__).parents[1]
WIDTH = 170
"""Columns of the table where no terminal says how many there are."""


def main() -> None:
    """Measure everything."""
    full = os.environ.get("FULL", "") not in {"", "0"}
    console = Console() if sys.stdout.isatty() else Console(width=WIDTH)
    results = Results(console)
    logging.getLogger("keysteward").setLevel(logging.ERROR)
    console.print("Planner ...")
    planner.measure(results)
    console.print("A year ahead ...")
    ahead.measure(results)
    console.print("Known secrets in a log ...")
    tracing.measure(results)
    console.print("Page of the inventory ...")
    page.measure(results)
    console.print("WorkOS stand-in ...")
    environment.on_stand_in(results)
    console.print("Keycloak stand-in ...")
    realm.on_stand_in(results, (300, 1_000, 3_000, 10_000) if full else (300, 1_000, 3_000))
    console.print("Keycloak ...")
    realm.on_keycloak(results, (300, 1_000) if full else (300,))
    console.print("Pulumi ...")
    sizes = (bridge.Size(300, up=True), bridge.Size(1_000, up=full))
    bridge.measure(results, (*sizes, bridge.Size(3_000, up=False)) if full else sizes)
    results.show()
    results.write(ROOT / "build" / "bench.json")


if __name__ == "__main__":
    main()
