"""The planner run ahead: plays a year over realistic worlds, and measures time, and memory of the largest process.

Run as a program by `ahead.py`, once per number of credentials; it prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from dataclasses import replace
from datetime import timedelta

from planning import EVERY, NOW, worlds

from keysteward.core.declare.stack import Limit
from keysteward.core.forecast.events import What
from keysteward.core.forecast.forecast import Outlook, Runs
from keysteward.core.forecast.what_if import stops
from keysteward.core.observe.world import World
from keysteward.operations.ahead import forecasts
from keysteward.report.forecast.forecast import Forecast, forecast_json, forecast_lines

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
    """Forecast a year as the command does, and make the report of it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("count", type=int)
    count: int = parser.parse_args().count
    played = [windowed(number, world) for number, world in enumerate(worlds(range(count)))]
    began = time.monotonic()
    found = forecasts(played, RUNS)
    seconds = time.monotonic() - began
    outlooks = [outlook for outlook in found if isinstance(outlook, Outlook)]
    if len(outlooks) != count:
        raise ValueError(f"{count - len(outlooks)} forecasts failed")
    for outlook in outlooks:
        check(outlook)
    began = time.monotonic()
    made = Forecast("acme/bench", RUNS, tuple(outlooks), Limit(), stops(outlooks, Limit(), count))
    events = len(forecast_json(made, "month")["events"])
    lines = len(list(forecast_lines(made, "month", events=20, names=False)))
    told = time.monotonic() - began
    mine, others = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    measured = {
        "seconds": seconds + told,
        "processor": sum(used.ru_utime + used.ru_stime for used in (mine, others)),
        "peak_mb": max(mine.ru_maxrss, others.ru_maxrss) / 1024,
        "events": events,
        "lines": lines,
    }
    print(json.dumps(measured))  # noqa: T201


if __name__ == "__main__":
    main()
