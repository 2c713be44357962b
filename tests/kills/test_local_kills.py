"""A run ends itself by SIGKILL before and after every single write to the local store and the local ledger store."""

from __future__ import annotations

from pathlib import Path

import pytest
import tally
from killing import Killing, Phase
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


@pytest.mark.timeout(600)
@pytest.mark.parametrize("phase", PHASES)
def test_every_write_to_the_disk_can_be_the_last(phase: str, tmp_path: Path) -> None:
    with open_scene(tmp_path, local=True) as scene:
        killing = Killing(scene, PHASES[phase], f"local store, {phase}")
        killing.prepare({})
        killing.strike_everywhere("write", lambda at, moment: {"strike": {"at": at, "moment": moment}})
        tally.note("writes to local store and ledgers of keysteward up", killing.settled)
        assert killing.problems == []
        assert killing.settled.total() > 15, "hardly anything happened"
