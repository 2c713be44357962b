"""A project in a temporary folder, and somebody at the terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from cli_project import Project

from keysteward.testing.memory import Mint


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    for name in ("KEYSTEWARD_STACK", "KEYSTEWARD_ALLOW_ENDING", "KEYSTEWARD_DEBUG", "KEYSTEWARD_LOG_LEVEL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("keysteward.operations.session.new_material", Mint())
    made = Project(tmp_path)
    monkeypatch.setitem(sys.modules, "project_in_memory", made.held)
    (tmp_path / "stacks").mkdir()
    (tmp_path / "stacks" / "__init__.py").touch()
    (tmp_path / "stacks" / "demo.py").write_text("from project_in_memory import stack\n", encoding="utf-8")
    made.declare(made.api, made.client(access={made.api: ["invoices:read"]}))
    return made


@pytest.fixture
def at_a_terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Let commands believe that somebody can answer."""

    def sit_down() -> None:
        monkeypatch.setattr("keysteward.cli.terminal.interactive", lambda: True)

    return sit_down
