"""A year ahead, in a process of its own, so that its memory is its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from measurement import Measurement, Results

CREDENTIALS = 10_000
SECONDS = 20


def measure(results: Results) -> None:
    """Measure a forecast of a year with daily runs: to play it and to count it for the report, on all processors."""
    program = str(Path(__file__).with_name("forecasting.py"))
    done = subprocess.run([sys.executable, program, str(CREDENTIALS)], capture_output=True, text=True, check=True)  # noqa: S603 - our own program
    measured: dict[str, float] = json.loads(done.stdout)
    name = f"forecast of a year: {CREDENTIALS:,} credentials"
    results.add(
        Measurement(f"{name}: time", measured["seconds"], "s", "planner", goal=SECONDS),
        Measurement(f"{name}: processor time", measured["processor"], "s", "planner"),
        Measurement(f"{name}: peak memory of one process", measured["peak_mb"], "MB", "planner"),
        Measurement(f"{name}: events", measured["events"], "events", "planner", better="higher"),
    )
