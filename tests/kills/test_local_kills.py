"""A run ends itself by SIGKILL before and after every single write to the local store and the local ledger store."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import tally
from killing import SAMPLE, Killing, Phase
from scene import Scene, open_scene

FIELDS = {"auth_method": "'private_key_jwt'"}
DECLARED = "client(auth_method='private_key_jwt', deliver_to=local.path('apps/exporter'))"


def nothing(scene: Scene, _fields: object) -> None:
    scene.declare(DECLARED)


def due(scene: Scene, fields: object) -> None:
    nothing(scene, fields)
    scene.up()
    scene.pass_time(days=90)


def overlap_over(scene: Scene, fields: object) -> None:
    due(scene, fields)
    scene.up()
    scene.pass_time(days=8)


def removed(scene: Scene, fields: object) -> None:
    due(scene, fields)
    scene.up()
    scene.declare()


PHASES = {
    "create": Phase(nothing),
    "rotate": Phase(due, keeps_old=True),
    "retire": Phase(overlap_over),
    "delete": Phase(removed, ("up", "--yes", "--prune"), ends=True),
}


def strike_everywhere(case: str, folder: Path, every: int = 1) -> tuple[Counter[int], list[str]]:
    """Test all kill points of one phase; returns after how many runs each settled, and what was wrong."""
    with open_scene(folder, local=True) as scene:
        killing = Killing(scene, PHASES[case], f"local store, {case}")
        killing.prepare({})
        killing.strike_everywhere("write", lambda at, moment: {"strike": {"at": at, "moment": moment}}, every)
        return killing.settled, killing.problems


@pytest.mark.timeout(900)
def test_every_sixth_write_of_a_rotation_can_be_the_last(tmp_path: Path) -> None:
    settled, problems = strike_everywhere("rotate", tmp_path, SAMPLE)
    tally.note("writes to the local store and ledgers", settled)
    assert problems == []
    assert settled.total() > 15, "hardly anything happened"


@pytest.mark.proof
@pytest.mark.timeout(900)
@pytest.mark.parametrize("case", PHASES)
def test_every_write_to_the_disk_can_be_the_last(case: str, tmp_path: Path) -> None:
    settled, problems = strike_everywhere(case, tmp_path)
    tally.note("writes to the local store and ledgers", settled)
    assert problems == []
    assert settled.total() > 15, f"hardly anything happened in {case}"
