"""What is wrong with a stack as a whole, or with an allowance, is told with its place in the source, where known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cli_project import Project

STACK = """from datetime import date

from keysteward import Allowed, Stack
from keysteward.modules.catalog import catalog
from project_in_memory import project

corp = project.target
SOMEBODY = "team-billing"
read = catalog("stacks/more", targets=[corp])
stack = Stack(
    "acme/demo",
    project.owners,
    project.ledgers,
    [project.client()],
    levels={{{levels}}},
    heartbeat="3650d",
    allowed=[
        *read.allowed,
        {allowed}
    ],
)
"""
OLD = """Allowed(
            ["legacy-*", "old"], target=corp, owner=SOMEBODY, reason="Goes with the ERP", until=date({day})
        ),"""
CATALOG = """# what partners made
allowed:
  first: {{names: [pilot-*], target: corp, owner: team-billing, reason: First pilot, until: {until}}}
  second:
    names: [pilot-*]
    target: corp
    owner: team-billing
    reason: Second pilot
    until: {until}
"""
OVER = "2026-01-01"
LATER = "2026-03-01"


class Source(Project):
    """A project whose stack is written out: a Python module, and a catalog beside it."""

    def write(self, allowed: str = "", levels: str = "", until: str = LATER) -> None:
        self.held.project = self  # type: ignore[attr-defined]
        text = STACK.format(levels=levels, allowed=allowed)
        (self.root / "stacks" / "demo.py").write_text(text, encoding="utf-8")
        (self.root / "stacks" / "more").mkdir(exist_ok=True)
        (self.root / "stacks" / "more" / "partners.yaml").write_text(CATALOG.format(until=until), encoding="utf-8")

    def line(self, file: str, text: str) -> int:
        """Return the number of the one line that holds a text."""
        lines = (self.root / file).read_text(encoding="utf-8").splitlines()
        (number,) = (number for number, line in enumerate(lines, 1) if text in line)
        return number

    def errors(self) -> list[str]:
        shown = self.run("preview")
        assert shown.code == 1
        return [sentence.removeprefix("error: ") for sentence in shown.err.splitlines()]

    def over(self, tmp_path: Path) -> list[tuple[str, int]]:
        """Return where code scanning shows that an allowance is over."""
        sarif = tmp_path / "drift.sarif"
        assert self.run("drift", "--output", str(sarif)).code == 2
        (run,) = json.loads(sarif.read_text(encoding="utf-8"))["runs"]
        places: list[dict[str, Any]] = [
            result["locations"][0]["physicalLocation"]
            for result in run["results"]
            if result["ruleId"] == "allowance-over"
        ]
        return [(place["artifactLocation"]["uri"], place["region"]["startLine"]) for place in places]


@pytest.fixture
def source(project: Project) -> Source:
    project.__class__ = Source
    assert isinstance(project, Source)
    project.write()
    assert project.run("up", "--yes").code == 0
    return project


def test_a_level_that_cannot_be_meant_is_told_with_the_line_of_its_stack(source: Source) -> None:
    source.write(levels="'KS099': 'off', 'KS001': 'note'")
    unknown, lowered = source.errors()
    where = f"stacks/demo.py, line {source.line('stacks/demo.py', 'stack = Stack(')}: Stack 'acme/demo': levels: "
    assert unknown == f"{where}'KS099' is no rule; keysteward rules lists them"
    assert lowered.startswith(f"{where}KS001 is mandatory and cannot be lowered to note")


def test_a_stack_that_is_made_elsewhere_is_told_with_the_module_that_exports_it(project: Project) -> None:
    project.declare(project.client(), levels={"KS099": "off"})
    assert project.run("preview").err.startswith("error: stacks/demo.py: Stack 'acme/demo': levels: 'KS099' is no rule")


def test_an_allowance_whose_owner_is_gone_is_told_with_its_own_line(source: Source) -> None:
    source.write(OLD.format(day="2026, 3, 1").replace("SOMEBODY", '"billing-lead"'))
    (sentence,) = source.errors()
    where = f"stacks/demo.py, line {source.line('stacks/demo.py', 'Allowed(')}"
    assert sentence.startswith(f"{where}: corp: allowed legacy-*, old: owner: 'billing-lead' is gone")


def test_an_allowance_that_is_over_has_its_place_in_code_scanning(source: Source, tmp_path: Path) -> None:
    source.write(OLD.format(day="2026, 1, 1"))
    assert source.over(tmp_path) == [("stacks/demo.py", source.line("stacks/demo.py", "Allowed("))]


def test_one_in_a_catalog_has_its_line_there(source: Source, tmp_path: Path) -> None:
    catalog = source.root / "stacks" / "more" / "partners.yaml"
    source.write()
    catalog.write_text(CATALOG.format(until=LATER).replace(LATER, OVER, 1).replace("pilot-*", "trial-*", 1))
    assert source.over(tmp_path) == [("stacks/more/partners.yaml", source.line("stacks/more/partners.yaml", "first:"))]
    catalog.write_text(catalog.read_text().replace("owner: team-billing", "owner: billing-lead", 1))
    (sentence,) = source.errors()
    assert sentence.startswith(
        "stacks/more/partners.yaml, line 3: corp: allowed trial-*: owner: 'billing-lead' is gone"
    )


def test_what_may_stand_in_two_places_is_told_without_one(source: Source, tmp_path: Path) -> None:
    """Two entries are for the same names, and two calls read alike but for what only a run can tell."""
    alike = OLD.format(day="2026, 1, 1")
    source.write(alike + "\n        " + alike.replace("target=corp", "target=project.target"), until=OVER)
    assert source.over(tmp_path) == []
    shown = json.loads(source.run("drift", "--json").out)["findings"]
    over = [f for f in shown if f["kind"] == "allowance over"]
    assert {f["subject"]: f["place"] for f in over} == {
        "corp: allowed legacy-*, old": None,
        "corp: allowed pilot-*": None,
    }
