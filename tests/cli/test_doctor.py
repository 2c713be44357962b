"""`doctor` says what is installed, what answers, and with which rights; nothing it meets hides the rest."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

import pytest
from cli_project import Project

from keysteward.core.contract.ports import Check
from keysteward.core.errors import Unavailable


@pytest.fixture(autouse=True)
def no_pulumi(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))


def pulumi(folder: Path, version: str) -> None:
    program = folder / "pulumi"
    program.write_text(f"#!/bin/sh\necho {version}\n", encoding="utf-8")
    program.chmod(0o755)


def test_a_sound_project(project: Project) -> None:
    project.run("up", "--yes")
    shown = project.run("doctor")

    assert shown.code == 0
    assert "✓ keysteward: 0.1.0, Python 3." in shown.out
    assert "! pulumi CLI: not on PATH" in shown.out
    assert "https://www.pulumi.com/docs/install/" in shown.out
    assert "✓ acme/demo: credentials: 1, resource servers: 1; all checks hold" in shown.out
    assert "✓ corp: lists 1 clients and 2 scopes" in shown.out
    assert "0 failed." in shown.out


def test_the_pulumi_cli_old_new_and_broken(project: Project, tmp_path: Path) -> None:
    pulumi(tmp_path, "v3.219.0")
    assert "! pulumi CLI: 3.219.0 is too old; install 3.220 or newer" in project.run("doctor").out
    pulumi(tmp_path, "v3.220.0")
    assert "✓ pulumi CLI: 3.220.0" in project.run("doctor").out
    (tmp_path / "pulumi").write_text("#!/bin/sh\nexit 3\n", encoding="utf-8")
    broken = project.run("doctor")
    assert broken.code == 1
    assert "does not answer" in broken.out


def test_a_failing_port_hides_no_other(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    def down() -> Iterable[Check]:
        raise Unavailable("corp does not answer; repair it")

    def defect(_paths: Iterable[str]) -> Iterable[Check]:
        raise ZeroDivisionError

    monkeypatch.setattr(project.target, "diagnose", down)
    monkeypatch.setattr(project.store, "diagnose", defect)
    shown = project.run("doctor")
    assert shown.code == 1
    assert shown.out.count("✗ corp: corp does not answer; repair it") == 1
    assert "✗ secrets: internal error (ZeroDivisionError)" in shown.out
    assert "✓ ledgers: in memory" in shown.out
    assert "2 failed." in shown.out


def test_rights_too_few_and_too_many(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    def rights() -> Iterable[Check]:
        yield Check("corp: reader", ok=False, warning=True, detail="can write; give it view-clients only")
        yield Check("corp: admin", ok=False, detail="may not write; give it manage-clients")

    monkeypatch.setattr(project.target, "diagnose", rights)
    shown = json.loads(project.run("doctor", "--json").out)
    assert shown["ok"] is False
    target = next(section for section in shown["sections"] if section["title"] == "Target corp")
    assert [check["state"] for check in target["checks"]] == ["warning", "failed", "ok"]


def test_a_clock_that_is_off(project: Project) -> None:
    project.target.skew = timedelta(hours=3)
    shown = project.run("doctor")
    assert shown.code == 1
    assert "✗ corp clock: differs from the ledger store's by 3h, so nothing is retired there; correct it" in shown.out


def test_a_stack_that_cannot_be_loaded_and_none_at_all(project: Project) -> None:
    module = project.root / "stacks" / "demo.py"
    module.write_text("from nowhere import something\n", encoding="utf-8")
    broken = project.run("doctor")
    assert broken.code == 1
    assert "✗ stack: stacks/demo.py, line 1: ModuleNotFoundError: No module named 'nowhere'" in broken.out
    assert "✓ keysteward" in broken.out

    module.unlink()
    none = project.run("doctor")
    assert none.code == 0
    assert "! stack: none in this folder" in none.out
