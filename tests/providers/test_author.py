"""Who runs it and from which commit: what CI and git tell, and never an error."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from keysteward.host.git import approvers, revision
from keysteward.operations.audit import author as author_module
from keysteward.operations.audit.author import SYSTEMS, author_of


@pytest.fixture(autouse=True)
def at_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No CI, no configuration of git but what a test makes."""
    for system in SYSTEMS:
        for name in (system.mark, system.commit, *system.actors):
            monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    monkeypatch.setenv("USER", "billing-lead")
    monkeypatch.setenv("LOGNAME", "billing-lead")
    author_module._from_git.cache_clear()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project in a subfolder of a repository, with one commit."""
    project = tmp_path / "repository" / "credentials"
    (project / "stacks").mkdir(parents=True)
    (project / "stacks" / "demo.py").write_text("stack = 1\n")
    (project.parent / "README").write_text("about\n")
    git(project.parent, "init", "--quiet")
    git(project.parent, "config", "user.email", "warehouse-lead@example.com")
    git(project.parent, "config", "user.name", "Warehouse lead")
    git(project.parent, "add", ".")
    git(project.parent, "commit", "--quiet", "--message", "Declare")
    return project


def git(folder: Path, *words: str) -> str:
    done = subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def test_at_home_it_is_whoever_git_knows_at_the_commit_that_is_checked_out(root: Path) -> None:
    author = author_of("runner", "pulumi", root)
    assert (author.runner, author.door, author.plan) == ("runner", "pulumi", "")
    assert (author.actor, author.commit) == ("warehouse-lead@example.com", git(root, "rev-parse", "HEAD"))


def test_without_git_it_is_the_user_at_no_known_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    author = author_of("runner", "keysteward", tmp_path)
    assert (author.actor, author.commit) == ("billing-lead", "unknown")
    author_module._from_git.cache_clear()
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("getpass.getuser", lambda: (_ for _ in ()).throw(OSError))
    author = author_of("runner", "keysteward", tmp_path / "missing")
    assert (author.actor, author.commit) == ("unknown", "unknown")


def test_a_stack_card_that_a_run_brought_up_to_date_is_no_change_of_the_declarations(root: Path) -> None:
    card = root / ".keysteward" / "stacks.demo.json"
    card.parent.mkdir()
    card.write_text("{}\n")
    git(root, "add", "--force", ".")
    git(root, "commit", "--quiet", "--message", "Keep the card")
    card.write_text("[]\n")
    assert revision(root) == git(root, "rev-parse", "HEAD")


@pytest.mark.parametrize(
    ("change", "dirty"),
    [
        ("stacks/demo.py", True),
        ("stacks/new.py", True),
        ("modules/new.py", True),
        ("build/new.log", False),
        ("../README", False),
        ("../stacks/new.py", False),
    ],
)
def test_dirty_says_that_the_declarations_are_not_what_the_commit_holds(root: Path, change: str, dirty: bool) -> None:
    path = root / change
    path.parent.mkdir(exist_ok=True)
    path.write_text("changed\n")
    commit = git(root, "rev-parse", "HEAD")
    assert revision(root) == commit + ("+dirty" if dirty else "")


def test_what_git_says_is_asked_once(root: Path) -> None:
    first = author_of("a", "keysteward", root)
    (root / "stacks" / "demo.py").write_text("stack = 2\n")
    assert author_of("b", "keysteward", root).commit == first.commit


def test_in_ci_it_is_who_started_the_job(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for system in SYSTEMS:
        with monkeypatch.context() as ci:
            ci.setenv(system.mark, "true")
            assert author_of("runner", "keysteward", root).actor == f"{system.name}:unknown"
            ci.setenv(system.actors[-1], "octo")
            ci.setenv(system.commit, "c" * 40)
            assert author_of("runner", "keysteward", root).actor == f"{system.name}:octo"
            assert author_of("runner", "keysteward", root).commit == git(root, "rev-parse", "HEAD")
            assert author_of("runner", "keysteward", tmp_path).commit == "c" * 40


def test_who_approved_stands_in_the_commits_trailers_alone(root: Path) -> None:
    body = "Approved-by: Somebody <nobody@example.com>\n\nAbout it."
    trailers = "Reviewed-by: Security lead\nSigned-off-by: X\nApproved-by: Security lead"
    git(root, "commit", "--quiet", "--allow-empty", "--message", f"Merge\n\n{body}\n\n{trailers}")
    assert approvers(root, git(root, "rev-parse", "HEAD")) == ("Security lead",)
    assert approvers(root, git(root, "rev-parse", "HEAD~1")) == ()
    assert approvers(root, "HEAD") == ()


def test_what_a_repositorys_settings_let_git_run_sees_no_credential(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = tmp_path / "seen"
    (root / ".gitattributes").write_text("*.py filter=spy\n")
    git(root, "config", "filter.spy.clean", f"env > '{seen}'; cat")
    (root / "stacks" / "demo.py").write_text("stack = 2\n")
    monkeypatch.setenv("KEYCLOAK_ADMIN", "runner:hunter2-of-the-runner")
    assert revision(root) == f"{git(root, 'rev-parse', 'HEAD')}+dirty"
    assert "GIT_CONFIG_NOSYSTEM=1" in seen.read_text()
    assert "hunter2" not in seen.read_text()
