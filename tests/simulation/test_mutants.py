"""The simulation is worth something only if it finds bugs: each planted one must break an invariant."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from mutants import MUTANTS, Mutant
from samples import drawn
from sim_dense import FAMILIES

ROOT = Path(__file__).parents[2]

MOST_SCENARIOS = 260
"""A bug that survives so many scenarios (1,700 to 2,600 credential-years) has survived."""

SOUND_SCENARIOS = 13
"""One at each kind of target."""

HUNT = """
import sys
sys.path[:0] = [sys.argv[1], sys.argv[2]]
from sim_dense import FAMILIES
from sim_world import play
for seed in range(int(sys.argv[4])):
    broken = play(FAMILIES[sys.argv[3]](seed))[1]
    if broken is not None:
        print(f"seed {seed}: {broken}")
        break
"""


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package, with real files where the checkout has links."""
    copied = tmp_path_factory.mktemp("mutants")
    shutil.copytree(
        ROOT / "keysteward", copied / "keysteward", symlinks=False, ignore=shutil.ignore_patterns("__pycache__")
    )
    return copied


def hunt(package: Path, family: str, most: int = MOST_SCENARIOS) -> str:
    """Play against this copy of the package until something breaks; returns what, or ""."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    environment["PYTHONDONTWRITEBYTECODE"] = "1"
    done = subprocess.run(
        [sys.executable, "-c", HUNT, str(package), str(Path(__file__).parent), family, str(most)],
        capture_output=True,
        text=True,
        check=True,
        cwd=package,
        env=environment,
        timeout=600,
    )
    return done.stdout.strip()


def test_every_bug_can_be_planted() -> None:
    """The code that is quoted stands in its file once; the bugs themselves are mostly planted by the proofs."""
    core = ROOT / "keysteward" / "core"
    counts = {
        f"{mutant.name}: {file}": (core / file).read_text(encoding="utf-8").count(old)
        for mutant in MUTANTS
        for file, old, _ in mutant.changes
    }
    assert {where: count for where, count in counts.items() if count != 1} == {}


@pytest.mark.timeout(900)
@pytest.mark.parametrize("mutant", drawn(MUTANTS, 3), ids=lambda mutant: mutant.name)
def test_a_planted_bug_is_found(mutant: Mutant, package: Path) -> None:
    sound = {}
    for file, old, new in mutant.changes:
        path = package / "keysteward" / "core" / file
        text = path.read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{file} has changed: plant {mutant.name!r} anew"
        sound.setdefault(path, text)
        path.write_text(text.replace(old, new), encoding="utf-8")
    try:
        found = hunt(package, mutant.family)
    finally:
        for path, text in sound.items():
            path.write_text(text, encoding="utf-8")
    assert found, f"{mutant.name} survived {MOST_SCENARIOS} scenarios"


@pytest.mark.timeout(900)
@pytest.mark.parametrize("family", drawn(FAMILIES, 1))
def test_without_a_planted_bug_the_same_hunt_finds_nothing(family: str, package: Path) -> None:
    assert hunt(package, family, SOUND_SCENARIOS) == ""
