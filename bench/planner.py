"""The planner alone, in a process of its own for each run, so that its memory is its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from measurement import Measurement, Results

CREDENTIALS = 100_000
SECONDS = 5
LOOPS = 70
"""What planning may take in terms of a fixed loop of plain Python, measured beside it: it holds on any machine.

So much it took when the core was new.
"""

MEGABYTES = 500


def measure(results: Results) -> None:
    """Measure time and memory of planning; worlds are built outside of the measured time."""
    runs = [_run() for _ in range(2)]
    held = _run("--hold")
    name, target = f"planner: {CREDENTIALS:,} credentials, 5 % due", "planner"
    results.add(
        Measurement(f"{name}: processor time", min(r["seconds"] for r in runs), "s", target, goal=SECONDS),
        Measurement(f"{name}: in loops of plain Python", min(r["loops"] for r in runs), "loops", target, goal=LOOPS),
        Measurement(f"{name}: peak memory, worlds streamed", runs[0]["peak_mb"], "MB", target, goal=MEGABYTES),
        Measurement(f"{name}: peak memory, all worlds held", held["peak_mb"], "MB", target),
    )


def _run(*flags: str) -> dict[str, float]:
    program = str(Path(__file__).with_name("planning.py"))
    command = [sys.executable, program, str(CREDENTIALS), *flags]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - our own program
    measured: dict[str, float] = json.loads(done.stdout)
    return measured
