"""The planner run ahead: plays a year over realistic worlds, and measures time and memory of this process.

Run as a program by `ahead.py`, once per number of credentials; it prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from dataclasses import replace
from datetime import timedelta

from planning import CHUNK, EVERY, NOW, worlds

from keysteward.core.events import What
from keysteward.core.forecast import Outlook, Runs, forecast
from keysteward.core.stack import Limit
from keysteward.core.whatif import stops
from keysteward.core.world import World
from keysteward.report.forecast import Forecast, forecast_json, forecast_lines

YEAR = timedelta(days=365)
RUNS = Runs(NOW, NOW, timedelta(days=1), NOW + YEAR, lasts=timedelta(minutes=1))
WINDOWS_EVERY = 5
"""One credential in five rotates in a maintenance window."""

WINDOW = "Sun 10:00-14:00 UTC"


def windowed(number: int, world: World) -> World:
    """Give some credentials a maintenance window."""
    if number % WINDOWS_EVERY or world.spec is None:
        return world
    return replace(world, spec=replace(world.spec, windows=(WINDOW,)))


def check(outlook: Outlook) -> None:
    """Make sure that a year was played: a rotation each interval, and no trouble. Raises ValueError otherwise."""
    issued = sum(1 for event in outlook.events if event.what is What.ISSUED)
    troubles = {event.what for event in outlook.events} - {What.ISSUED, What.RETIRED}
    if not YEAR // EVERY <= issued <= YEAR // EVERY + 1 or troubles:
        raise ValueError(f"{outlook.identity}: not the year that was meant: {outlook.events}")


def main() -> None:
    """Forecast a year, and make the report of it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("count", type=int)
    count: int = parser.parse_args().count
    outlooks: list[Outlook] = []
    seconds = 0.0
    for first in range(0, count, CHUNK):
        numbers = range(first, min(first + CHUNK, count))
        built = [windowed(number, world) for number, world in zip(numbers, worlds(numbers), strict=True)]
        began = time.process_time()
        outlooks += [forecast(world, RUNS) for world in built]
        seconds += time.process_time() - began
    for outlook in outlooks:
        check(outlook)
    began = time.process_time()
    made = Forecast("acme/bench", RUNS, tuple(outlooks), Limit(), stops(outlooks, Limit(), count))
    events = len(forecast_json(made, "month")["events"])
    lines = len(list(forecast_lines(made, "month", events=20, names=False)))
    told = time.process_time() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "told": told, "peak_mb": peak, "events": events, "lines": lines}))  # noqa: T201


if __name__ == "__main__":
    main()
