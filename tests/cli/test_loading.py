"""A stack is found by its name; whatever is wrong with it is one sentence that says where."""

from __future__ import annotations

import os
import py_compile
import subprocess
import sys
from pathlib import Path

import pytest
from cli_project import Project

from keysteward import RotationSchedule


def module(project: Project, text: str, name: str = "demo") -> None:
    (project.root / "stacks" / f"{name}.py").write_text(text, encoding="utf-8")


def test_the_only_stack_needs_no_name_and_two_do(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    module(project, "from project_in_memory import stack\n", "prod")

    ambiguous = project.run("preview")
    assert ambiguous.code == 1
    assert "no stack was named; choose one with --stack: demo, prod" in ambiguous.err
    assert project.run("preview", "--stack", "demo").code == 0
    assert project.run("preview", "--stack", "stacks.prod").code == 0
    monkeypatch.setenv("KEYSTEWARD_STACK", "prod")
    assert project.run("preview").code == 0


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("from keysteward import Stak\n", "stacks/demo.py, line 1: ImportError: cannot import name 'Stak'"),
        ("stack = \n", "stacks/demo.py, line 1: SyntaxError: invalid syntax"),
        ("import os\n\nstack = os.environ['NO_SUCH']\n", "stacks/demo.py, line 3: KeyError: 'NO_SUCH'"),
        ("stak = 1\n", "module stacks.demo exports no stack; write: stack = Stack(...)"),
        ("stack = 1\n", "module stacks.demo exports a int as stack"),
        (
            "from keysteward import RotationSchedule\n\nRotationSchedule(every='7d', overlap='7d')\n",
            "stacks/demo.py, line 3: RotationSchedule: overlap (7d) must be shorter than every (7d)",
        ),
    ],
)
def test_a_stack_with_a_mistake(project: Project, text: str, sentence: str) -> None:
    module(project, text)
    shown = project.run("preview")
    assert shown.code == 1
    assert sentence in shown.err
    assert "Traceback" not in shown.err


def test_an_edit_of_the_same_second_and_length_is_seen_whatever_byte_code_there_is(project: Project) -> None:
    source = project.root / "stacks" / "demo.py"
    module(project, "stack = 'apples'\n")
    written = source.stat()
    py_compile.compile(str(source), invalidation_mode=py_compile.PycInvalidationMode.TIMESTAMP, doraise=True)
    module(project, "stack = 'quince'\n")
    os.utime(source, ns=(written.st_atime_ns, written.st_mtime_ns))

    loaded = "from keysteward.cli.loading import exported; print(exported('demo'))"
    shown = subprocess.run((sys.executable, "-c", loaded), cwd=project.root, capture_output=True, text=True, check=True)
    assert shown.stdout == "quince\n"


def test_a_stack_that_is_not_there(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "there is no stack module stacks.prod" in project.run("preview", "-s", "prod").err
    assert "is not the name of a module" in project.run("preview", "-s", "stacks/demo.py").err
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert "go to the project's folder" in project.run("preview").err


def test_declarations_are_checked_before_any_call(project: Project) -> None:
    project.declare(project.client(owner="team-biling"), project.client("other", owner="billing-lead"))
    shown = project.run("up", "--yes")
    assert shown.code == 1
    assert "error: M2MClient 'billing-exporter': owner: 'team-biling' is not in the owners file" in shown.err
    assert (
        "error: M2MClient 'other': owner: 'billing-lead' is gone, and nobody answers in their place; name an active"
        in shown.err
    )
    assert project.target.calls == []

    project.declare(project.client(auth_method="client_secret"))
    assert "choose auth_method=" in project.run("preview").err


def test_an_owners_file_that_is_missing_or_broken(project: Project) -> None:
    project.owners = "stacks/owners.yaml"
    project.declare(project.client(rotation=RotationSchedule(every="90d", overlap="7d")))
    assert "owners.yaml cannot be read" in project.run("preview").err
    (project.root / "stacks" / "owners.yaml").write_text("teams: [}", encoding="utf-8")
    assert "owners.yaml, line 1: it is not YAML" in project.run("preview").err
    (project.root / "stacks" / "owners.yaml").write_text(
        "teams:\n  team-billing:\n    contact: billing@example.com\n", encoding="utf-8"
    )
    assert project.run("preview").code == 0
