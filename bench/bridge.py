"""Pulumi: our resources against the floor, the same number of resources of a provider that does nothing.

The floor's resources have one small property and a provider without attributes; ours have what `deploy` gives them, on
the stand-in with local store and ledgers. Both use a file backend. Everything runs twice, and the better run counts.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from company import Company
from measurement import Measurement, Results, sdk_version, versions
from project import FLOOR, OURS, Project
from stand_ins import stand_ins
from timing import Took

RATIO = 1.5
ROUNDS = 2
TARGET = "pulumi on the keycloak stand-in"


@dataclass(frozen=True)
class Size:
    """How many resources, and whether `up` is measured: else it is only there so that a state exists, made quickly."""

    clients: int
    up: bool


def measure(results: Results, sizes: Sequence[Size]) -> None:
    """Measure preview and up of both."""
    if shutil.which("pulumi") is None:
        results.skip("bridge over a provider that does nothing", TARGET, "pulumi not on PATH")
        return
    shown = subprocess.run(["pulumi", "version"], capture_output=True, text=True, check=True)  # noqa: S607
    used = versions(pulumi=shown.stdout.strip(), pulumi_sdk=sdk_version())
    for size in sizes:
        floor, ours = _better(size, _floor), _better(size, _ours)
        for name in floor:
            _compare(results, f"{name}, N = {size.clients}", floor[name], ours[name], used)


def _compare(results: Results, name: str, floor: Took, ours: Took, used: dict[str, str]) -> None:
    results.add(
        Measurement(f"{name}: over the floor", ours.wall / floor.wall, "times", TARGET, RATIO, versions=used),
        Measurement(f"{name}: ours", ours.wall, "s", TARGET, versions=used),
        Measurement(f"{name}: floor", floor.wall, "s", TARGET, versions=used),
        Measurement(f"{name}: ours, processor time", ours.cpu, "s", TARGET, versions=used),
        Measurement(f"{name}: floor, processor time", floor.cpu, "s", TARGET, versions=used),
    )


def _better(size: Size, make: Callable[[ExitStack, Path, int, dict[str, str]], Project]) -> dict[str, Took]:
    """Run it all in new projects and return the shortest time of each command."""
    best: dict[str, Took] = {}
    for _ in range(ROUNDS):
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="keysteward-bench-")))
            quick = {} if size.up else {"PULUMI_SKIP_CHECKPOINTS": "true"}
            project = make(stack, folder, size.clients, quick)
            took = {"first preview": project.preview(), "up": project.up()}
            took["preview without changes"] = project.preview("--expect-no-changes")
        for name, one in took.items():
            best[name] = min(one, best.get(name, one), key=lambda t: t.wall)
    if not size.up:
        del best["up"]
    return best


def _floor(_stack: ExitStack, folder: Path, clients: int, extra: dict[str, str]) -> Project:
    return Project(folder / "project", FLOOR, {"BENCH_CLIENTS": str(clients), **extra})


def _ours(stack: ExitStack, folder: Path, clients: int, extra: dict[str, str]) -> Project:
    servers = stack.enter_context(stand_ins())
    company = Company(servers.keycloak, str(folder / "store"), clients)
    return Project(folder / "project", OURS, {**company.environment, **extra})
