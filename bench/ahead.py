"""A year ahead, in a process of its own, so that its memory is its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from measurement import Measurement, Results

CREDENTIALS = 10_000
FEWER = 1_000
SECONDS = 20


def measure(results: Results, *, full: bool) -> None:
    """Measure a forecast of a year: the time to play it, and to count it for the report, with daily runs."""
    count = CREDENTIALS if full else FEWER
    program = str(Path(__file__).with_name("forecasting.py"))
    done = subprocess.run([sys.executable, program, str(count)], capture_output=True, text=True, check=True)  # noqa: S603 - our own program
    measured: dict[str, float] = json.loads(done.stdout)
    name, goal = f"forecast of a year: {count:,} credentials", SECONDS * count / CREDENTIALS
    results.add(
        Measurement(f"{name}: processor time", measured["seconds"] + measured["told"], "s", "planner", goal=goal),
        Measurement(f"{name}: peak memory", measured["peak_mb"], "MB", "planner"),
        Measurement(f"{name}: events", measured["events"], "events", "planner", better="higher"),
    )
