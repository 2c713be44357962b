"""What was revoked without the ledger store is carried out once, as a step that a plan shows; no commit asks for it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from cli_project import Project

from keysteward.core.errors import Unavailable
from keysteward.operations.offline.revocations import Marked, keep

NAME = "billing-exporter"
IDENTITY = f"acme/demo/{NAME}"
RECORD = Path(".keysteward/revoked/acme/demo/billing-exporter.json")


def git(folder: Path, *words: str) -> None:
    subprocess.run(["git", "-C", str(folder), *words], check=True, capture_output=True)


def revoke_without_ledgers(project: Project, name: str = NAME) -> Path:
    """Disable a client by its mark while the ledger store is down, at the project's own time."""

    def down(_operation: str) -> None:
        raise Unavailable("no answer")

    project.ledgers.before = down
    assert "keeps it" in project.run("revoke", name, "--target", "corp", "--reason", "leak", "--yes").out
    project.ledgers.before = lambda _operation: None
    record = project.root / RECORD.with_name(f"{name}.json")
    document = json.loads(record.read_text())
    record.write_text(json.dumps({**document, "at": project.clock.now.isoformat()}))
    return record


def plant(project: Project) -> Path:
    """Write a record for a client that works, as anybody can who may write a file."""
    keep(project.root, IDENTITY, "says a stranger", [Marked("corp", "id-0", NAME, was_enabled=True)])
    return project.root / RECORD


def in_production(project: Project) -> None:
    """Declare a client in production, whose target cannot show that it is not used."""
    project.can(last_use=None)
    project.declare(project.api, project.client(environment="production"))
    assert project.run("up", "--yes").code == 0


COMMANDS = (
    ("preview",),
    ("up", "--yes"),
    ("rotate", "--due", "--yes"),
    ("reissue", NAME, "--reason", "x", "--yes"),
    ("lift", NAME, "--reason", "x", "--yes"),
    ("hold", NAME, "--until", "7d", "--reason", "x"),
)


@pytest.mark.parametrize("words", COMMANDS)
@pytest.mark.parametrize("how", ["file", "link", "folder"])
def test_a_record_that_came_by_a_commit_is_refused_by_every_command(
    project: Project, words: tuple[str, ...], how: str
) -> None:
    project.run("up", "--yes")
    record = plant(project)
    if how == "link":
        record.rename(project.root / "notes.json")
        record.symlink_to(project.root / "notes.json")
    if how == "folder":
        (project.root / ".keysteward" / "revoked").rename(project.root / "notes")
        (project.root / ".keysteward" / "revoked").symlink_to(project.root / "notes")
    git(project.root, "init", "--quiet")
    git(project.root, "add", "--force", ".")
    refused = project.run(*words)
    assert refused.code == 1
    assert f"{RECORD} is {'tracked by git' if how == 'file' else 'reached by a link'}" in refused.err
    assert "nothing is revoked by it; remove it there" in refused.err
    assert f"If {NAME} has to end: keysteward revoke {NAME} --all --reason TEXT" in refused.err
    assert project.states() == ["1 current"]
    assert project.ledger().revoked is None


def test_a_record_in_a_submodule_or_in_other_letters_is_refused_as_well(
    project: Project, tmp_path_factory: pytest.TempPathFactory
) -> None:
    project.run("up", "--yes")
    plant(project)
    theirs = tmp_path_factory.mktemp("theirs")
    (project.root / ".keysteward" / "revoked").rename(theirs / "revoked")
    git(theirs, "init", "--quiet")
    git(theirs, "add", ".")
    git(theirs, "-c", "user.name=x", "-c", "user.email=x@example.com", "commit", "--quiet", "--message=x")
    git(project.root, "init", "--quiet")
    place = f"{RECORD.parts[0]}/revoked"
    added = ("submodule", "--quiet", "add", "--force", str(theirs), place)
    git(project.root, "-c", "protocol.file.allow=always", *added)
    nested = project.root / place / "revoked"
    for item in list(nested.iterdir()):
        item.rename(project.root / place / item.name)
    assert "is tracked by git" in project.run("up", "--yes").err
    assert project.states() == ["1 current"]


def test_what_only_shows_goes_on_without_a_refused_record_and_so_does_an_emergency(project: Project) -> None:
    project.declare(project.api, project.client(), project.client("mailer"))
    project.run("up", "--yes")
    plant(project)
    git(project.root, "init", "--quiet")
    git(project.root, "add", "--force", ".")
    shown = project.run("show", NAME)
    assert shown.code == 0
    assert "warning: " in shown.err
    assert "is tracked by git" in shown.err
    assert project.run("revoke", "mailer", "--all", "--reason", "leak", "--yes").code == 0
    assert (project.states(), project.states("mailer")) == (["1 current"], ["1 retired"])


def test_where_git_cannot_tell_a_record_is_not_taken(project: Project) -> None:
    project.run("up", "--yes")
    plant(project)
    (project.root / ".git").write_text("gitdir: /nowhere\n")
    refused = project.run("up", "--yes")
    assert refused.code == 1
    assert "git ls-files failed" in refused.err
    assert project.states() == ["1 current"]


def test_a_record_is_a_step_of_the_plan_and_counted(project: Project) -> None:
    project.run("up", "--yes")
    record = revoke_without_ledgers(project)
    shown = project.run("preview")
    assert "revoke it: leak  (without the ledger store, by " in shown.out
    assert "retire generation 1" in shown.out
    assert "1 to revoke" in shown.out
    assert project.ledger().revoked is None
    document = json.loads(project.run("preview", "--json").out)
    [item] = document["credentials"]
    assert item["action"] == "revoke"
    assert [step["do"] for step in item["steps"]][:2] == ["revoke", "retire"]
    assert item["steps"][0]["needs_approval"] is True

    done = project.run("up", "--yes")
    assert done.code == 0, done.err
    assert "revoke it: leak" in done.out
    assert not record.exists()
    assert project.states() == ["1 retired"]


def test_a_saved_plan_without_it_is_refused_and_one_with_it_carries_it_out(project: Project) -> None:
    project.run("up", "--yes")
    assert project.run("preview", "--save", "before.json").code == 0
    revoke_without_ledgers(project)
    refused = project.run("up", "--plan", "before.json")
    assert refused.code == 1
    assert "`+ revoke it: leak`" in refused.err
    assert "nothing was changed" in refused.err
    assert project.ledger().revoked is None
    assert project.run("preview", "--save", "after.json").code == 0
    assert "revoke it: leak" in (project.root / "after.json").read_text()
    done = project.run("up", "--plan", "after.json")
    assert done.code == 0, done.err
    assert "revoke it: leak" in done.out
    assert project.states() == ["1 retired"]


def test_the_scheduled_job_ends_nothing_by_a_record_and_rotates_the_rest(project: Project) -> None:
    project.declare(project.api, project.client(), project.client("mailer"))
    project.run("up", "--yes")
    plant(project)
    project.pass_time(days=90)
    nightly = project.run("rotate", "--due", "--yes")
    assert nightly.code == 1
    assert "it was revoked (says a stranger; without the ledger store, by " in nightly.out
    assert f"keysteward lift {NAME} --reason TEXT" in nightly.out
    assert project.states() == ["1 current"]
    assert project.states("mailer") == ["1 previous", "2 current"]


def test_a_record_ends_what_works_only_with_a_persons_word(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    in_production(project)
    plant(project)
    refused = project.run("up", "--yes")
    assert refused.code == 1
    assert "it is a production credential" in refused.err
    assert f"If it has to end: keysteward revoke {NAME} --all --reason TEXT" in refused.err
    assert project.states() == ["1 current"]
    monkeypatch.setenv("KEYSTEWARD_ALLOW_ENDING", "1")
    assert project.run("up", "--yes").code == 0
    assert project.states() == ["1 retired"]


def test_a_record_of_what_it_disabled_needs_none(project: Project) -> None:
    in_production(project)
    revoke_without_ledgers(project)
    assert project.run("up", "--yes").code == 0
    assert project.states() == ["1 retired"]


def test_a_record_that_was_carried_out_or_lifted_never_acts_again(project: Project) -> None:
    project.run("up", "--yes")
    record = revoke_without_ledgers(project)
    kept = record.read_text()
    assert project.run("up", "--yes").code == 0
    project.pass_time(hours=1)
    assert project.run("lift", NAME, "--reason", "rotated", "--yes").code == 0
    assert project.states() == ["1 retired", "2 current"]
    record.write_text(kept)
    again = project.run("up", "--yes")
    assert again.code == 0, again.err
    assert "revoke it" not in again.out
    assert project.states() == ["1 retired", "2 current"]
    assert not record.exists()


def test_a_record_older_than_the_last_lift_is_left_to_a_person(project: Project) -> None:
    project.run("up", "--yes")
    record = revoke_without_ledgers(project)
    kept = record.read_text()
    record.unlink()  # in another folder somebody revokes and lifts the same
    next(iter(project.target.objects.values())).enabled = True
    project.pass_time(hours=1)
    project.run("revoke", NAME, "--all", "--reason", "leak", "--yes")
    project.run("lift", NAME, "--reason", "rotated", "--yes")
    record.write_text(kept)
    stopped = project.run("up", "--yes")
    assert stopped.code == 1
    assert "and lifted since, at " in stopped.out
    assert project.states() == ["1 retired", "2 current"]
    assert project.run("lift", NAME, "--reason", "it is about old secrets", "--yes").code == 0
    assert not record.exists()
    assert project.states() == ["1 retired", "2 current"]


def test_lift_drops_a_record_that_was_not_carried_out(project: Project) -> None:
    project.run("up", "--yes")
    record = revoke_without_ledgers(project)
    project.pass_time(minutes=5)
    lifted = project.run("lift", NAME, "--reason", "a mistake", "--yes")
    assert lifted.code == 0, lifted.err
    assert "enable client billing-exporter" in lifted.out
    assert not record.exists()
    assert project.states() == ["1 current"]
    assert [o.enabled for o in project.target.objects.values()] == [True]


def test_nothing_else_is_done_to_it_before(project: Project) -> None:
    project.run("up", "--yes")
    revoke_without_ledgers(project)
    for words in (("reissue", NAME, "--reason", "x", "--yes"), ("suspend", NAME, "--reason", "x", "--yes")):
        refused = project.run(*words)
        assert refused.code == 1
        assert "was revoked" in refused.err
    assert project.ledger().reissue is None
    narrow = project.run("revoke", NAME, "-g", "1", "--reason", "leak", "--yes")
    assert narrow.code == 1
    assert "ended for good: generation 1" in narrow.out
    assert project.states() == ["1 retired"], "nothing new is issued of what was revoked as a whole"
    assert project.run("revoke", NAME, "--all", "--reason", "leak", "--yes").code == 0
    assert not (project.root / RECORD).exists()


def test_a_record_of_what_nobody_declares_is_carried_out_by_hand_or_with_prune(project: Project) -> None:
    project.declare(project.api, project.client(), project.client("mailer"))
    project.run("up", "--yes")
    record = revoke_without_ledgers(project, "mailer")
    project.declare(project.api, project.client())
    kept = project.run("up", "--yes")
    assert kept.code == 0
    assert record.exists()
    assert "acme/demo/mailer was revoked without the ledger store" in kept.err
    assert project.run("revoke", "mailer", "--all", "--reason", "leak", "--yes").code == 0
    assert not record.exists()
    assert project.states("mailer") == ["1 retired"]
