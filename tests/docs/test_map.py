"""The map, the words and the guide for contributors speak of what is there."""

from __future__ import annotations

import importlib
import re
import subprocess
from pathlib import Path

import pytest
from test_layers import ALLOWED, CORE, ROOT

MAP = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
WORDS = (ROOT / "docs" / "words.md").read_text(encoding="utf-8")
GUIDE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
FILE = re.compile(r"`((?:keysteward|providers|modules|stacks|tests|docs)/[\w/.*-]*)`")
WORD = re.compile(r"^\| \*\*(?P<word>[^*]+)\*\* \| .* \| `(?P<module>[\w.]+)` \|$", re.MULTILINE)
COMMIT = re.compile(r"`([0-9a-f]{7})`")


@pytest.mark.parametrize("room", sorted(set(CORE)))
def test_every_room_of_the_core_is_on_the_map(room: str) -> None:
    assert f"| `{room}/` |" in MAP


def test_the_map_has_no_room_that_is_not_there() -> None:
    assert set(re.findall(r"^\| `(\w+)/` \|", MAP, re.MULTILINE)) == set(CORE)


@pytest.mark.parametrize("layer", sorted(ALLOWED))
def test_every_layer_is_on_the_map(layer: str) -> None:
    assert f"{layer}/" in MAP


@pytest.mark.parametrize("folder", ["report", "operations", "cli"])
def test_every_folder_of_a_layer_is_on_the_map(folder: str) -> None:
    rooms = [p.name for p in (ROOT / "keysteward" / folder).iterdir() if (p / "__init__.py").exists()]
    assert [room for room in rooms if f"{room}/" not in MAP] == []


def test_every_vendor_has_its_place_on_the_map() -> None:
    rooms = [p.name for p in (ROOT / "providers").iterdir() if (p / "__init__.py").exists()]
    assert [room for room in rooms if f"{room}/" not in MAP] == []


@pytest.mark.parametrize("path", sorted(set(FILE.findall(MAP + GUIDE))))
def test_what_is_named_is_there(path: str) -> None:
    assert (ROOT / path).exists()


def test_each_word_stands_once_in_order_and_in_the_module_that_it_names() -> None:
    words = WORD.findall(WORDS)
    assert len(words) > 20
    assert [word for word, _ in words] == sorted({word for word, _ in words}, key=str.casefold)
    for word, module in words:
        source = importlib.import_module(module).__file__
        assert source is not None
        assert word.split()[-1].casefold().rstrip("s") in Path(source).read_text(encoding="utf-8").casefold(), word


def test_the_commits_that_serve_as_examples_exist() -> None:
    known = subprocess.run(
        ["git", "rev-parse", "--is-shallow-repository"], capture_output=True, text=True, check=False, cwd=ROOT
    )
    if known.stdout.strip() != "false":
        pytest.skip("this checkout has no history")
    named = COMMIT.findall(GUIDE)
    assert len(named) >= 5
    for commit in named:
        subprocess.run(["git", "cat-file", "-e", f"{commit}^{{commit}}"], check=True, cwd=ROOT)
