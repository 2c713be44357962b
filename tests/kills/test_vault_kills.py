"""A run is killed before and after every single HTTP request; the next ones settle, and no consumer notices.

The store and the ledger store are Vault's, so every write to them is a request too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest
import tally
from killing import SAMPLE, Killing, Phase
from scene import Scene, open_scene

STRATEGIES: dict[str, dict[str, str]] = {
    "key pairs": {"auth_method": "'private_key_jwt'"},
    "native overlap": {},
    "two clients in turn": {"alternate_clients": "True"},
    "accepted gap": {"accept_gap": "True", "rotation": "RotationSchedule(every='90d')"},
}
FIRST, SECOND = "first.path('apps/exporter')", "second.path('apps/exporter')"


def client(fields: Mapping[str, str], deliver_to: str = FIRST) -> str:
    return f"client({', '.join(f'{k}={v}' for k, v in {**fields, 'deliver_to': deliver_to}.items())})"


def nothing(scene: Scene, fields: Mapping[str, str]) -> None:
    scene.declare(client(fields))


def due(scene: Scene, fields: Mapping[str, str]) -> None:
    nothing(scene, fields)
    scene.up()
    scene.pass_time(days=90)


def overlapping(scene: Scene, fields: Mapping[str, str]) -> None:
    due(scene, fields)
    scene.up()


def overlap_over(scene: Scene, fields: Mapping[str, str]) -> None:
    overlapping(scene, fields)
    scene.pass_time(days=8)


def due_again(scene: Scene, fields: Mapping[str, str]) -> None:
    overlap_over(scene, fields)
    scene.up()
    scene.pass_time(days=90)


def due_beside_a_neighbour(scene: Scene, fields: Mapping[str, str]) -> None:
    yearly = {**fields, "rotation": "RotationSchedule(every='365d')"}
    scene.declare(client(fields), client({"name": "'neighbour'", **yearly}, "first.path('apps/neighbour')"))
    scene.up()
    scene.pass_time(days=90)


def moved(scene: Scene, fields: Mapping[str, str]) -> None:
    nothing(scene, fields)
    scene.up()
    scene.declare(client(fields, SECOND))


def moved_and_over(scene: Scene, fields: Mapping[str, str]) -> None:
    moved(scene, fields)
    scene.up()
    scene.pass_time(days=8)


def two_stores(scene: Scene, fields: Mapping[str, str]) -> None:
    scene.declare(client(fields, f"[{FIRST}, {SECOND}]"))


def two_stores_due(scene: Scene, fields: Mapping[str, str]) -> None:
    two_stores(scene, fields)
    scene.up()
    scene.pass_time(days=90)


def removed(scene: Scene, fields: Mapping[str, str]) -> None:
    overlapping(scene, fields)
    scene.declare()


PHASES = {
    "create": Phase(nothing),
    "rotate": Phase(due, keeps_old=True),
    "rotate beside a neighbour": Phase(due_beside_a_neighbour, keeps_old=True),
    "rotate back": Phase(due_again, keeps_old=True),
    "retire": Phase(overlap_over),
    "move": Phase(moved, keeps_old=True),
    "empty the old place": Phase(moved_and_over, leaves="secret:apps/exporter"),
    "create at two stores": Phase(two_stores),
    "rotate at two stores": Phase(two_stores_due, keeps_old=True),
    "delete": Phase(removed, ("up", "--yes", "--prune"), ends=True),
}
EVERYWHERE = ("create", "rotate", "retire", "delete")
ALSO = (
    ("two clients in turn", "rotate back"),
    ("key pairs", "move"),
    ("key pairs", "empty the old place"),
    ("key pairs", "create at two stores"),
    ("key pairs", "rotate at two stores"),
)
CASES = [(s, p) for s in STRATEGIES for p in EVERYWHERE if (s, p) != ("accepted gap", "retire")] + list(ALSO)
Case = tuple[str, str]


def strike_everywhere(case: Case, folder: Path, every: int = 1) -> tuple[Counter[int], list[str]]:
    """Test all kill points of one case; returns after how many runs each settled, and what was wrong."""
    strategy, phase = case
    with open_scene(folder, rotation=strategy == "native overlap") as scene:
        killing = Killing(scene, PHASES[phase], ", ".join(case), gap=strategy == "accepted gap")
        killing.prepare(STRATEGIES[strategy])
        killing.strike_everywhere("request", lambda at, moment: {"at": at, "moment": moment}, every)
        return killing.settled, killing.problems


@pytest.mark.timeout(900)
@pytest.mark.parametrize("phase", EVERYWHERE)
def test_every_sixth_request_under_one_strategy_can_be_the_last(phase: str, tmp_path: Path) -> None:
    settled, problems = strike_everywhere(("native overlap", phase), tmp_path, SAMPLE)
    tally.note("requests of keysteward up", settled)
    assert problems == []
    assert settled.total() > 6, f"hardly anything happened in {phase}"


@pytest.mark.proof
@pytest.mark.timeout(900)
@pytest.mark.parametrize("case", CASES, ids=", ".join)
def test_every_request_can_be_the_last(case: Case, tmp_path: Path) -> None:
    settled, problems = strike_everywhere(case, tmp_path)
    tally.note("requests of keysteward up", settled)
    assert problems == []
    assert settled.total() > 40, f"hardly anything happened in {case}"
