"""Hold, suspend, resume and roll back at the command line: what is said, asked, done and kept."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from cli_project import Project

from keysteward.core.record.ledger import Lease, dump_ledger

NAME = "billing-exporter"


def rotated(project: Project) -> tuple[str, str]:
    """Rotate once; returns the old and the new value."""
    project.run("up", "--yes")
    old = project.store.reads(f"apps/{NAME}")
    project.pass_time(days=90)
    project.run("up", "--yes")
    return old or "", project.store.reads(f"apps/{NAME}") or ""


def test_hold_and_release_are_noted_and_shown(project: Project) -> None:
    project.run("up", "--yes")
    noted = project.run("hold", NAME, "--until", "120d", "--reason", "trade fair")
    assert noted.code == 0
    assert f"{NAME}: held until 2026-05-05 09:00 UTC; no rotation begins and no overlap ends before" in noted.out
    assert "held         until 2026-05-05 09:00 UTC: trade fair" in project.run("show", NAME).out
    assert json.loads(project.run("show", NAME, "--json").out)["held"]["reason"] == "trade fair"
    assert ("hold", "trade fair") in project.entries()

    project.pass_time(days=90)
    assert "Nothing is due" in project.run("rotate", "--due", "--yes").out
    released = project.run("release", NAME, "--reason", "fair is over")
    assert released.code == 0
    assert "no longer held; the next run does what is due" in released.out
    assert "rotate to generation 2" in project.run("rotate", "--due", "--yes").out
    assert "is not held" in project.run("release", NAME).err


def test_hold_wants_a_day_to_come_and_a_reason(project: Project) -> None:
    project.run("up", "--yes")
    assert "is not a duration" in project.run("hold", NAME, "--until", "soon", "--reason", "x").err
    assert "2026-01-01 00:00 UTC is over" in project.run("hold", NAME, "--until", "2026-01-01", "--reason", "x").err
    assert "say why" in project.run("hold", NAME, "--until", "3d", "--reason", " ").err
    assert "did you mean billing-exporter?" in project.run("hold", "biling-exporter", "--until", "3d", "-r", "x").err
    assert project.ledger().held is None
    day = project.run("hold", NAME, "--until", "2026-02-01", "--reason", "x")
    assert "held until 2026-02-01 00:00 UTC" in day.out


def test_what_was_never_issued_cannot_be_held(project: Project) -> None:
    answer = project.run("hold", NAME, "--until", "3d", "--reason", "x")
    assert answer.code == 1
    assert "was never issued; `keysteward up` issues its first secret" in answer.err


def test_suspend_disables_at_once_and_resume_enables(project: Project) -> None:
    old, new = rotated(project)
    done = project.run("suspend", NAME, "--reason", "odd traffic", "--yes")
    assert done.code == 0, done.err
    assert "disable client billing-exporter  (suspended: odd traffic)" in done.out
    assert not project.target.works(NAME, old)
    assert not project.target.works(NAME, new)
    shown = project.run("show", NAME)
    assert "(suspended)" in shown.out
    assert "suspended    since 2026-04-05 09:00 UTC: odd traffic" in shown.out

    project.pass_time(days=90)
    assert "Nothing is due" in project.run("up", "--yes").out
    back = project.run("resume", NAME, "--yes")
    assert back.code == 0, back.err
    assert "enable client billing-exporter" in back.out
    assert project.ledger().suspended is None
    steps = [step for step, _ in project.entries()]
    assert "suspend" in steps
    assert "resume" in steps
    assert "was not suspended with `keysteward suspend`" in project.run("resume", NAME, "--yes").err


def test_suspend_asks_first_and_does_nothing_else_of_the_declaration(
    project: Project, at_a_terminal: Callable[[], None]
) -> None:
    project.run("up", "--yes")
    project.declare(project.api, project.client(purpose="Another purpose", access={project.api: ["invoices:read"]}))
    assert "nobody can be asked here" in project.run("suspend", NAME, "--reason", "x").err
    at_a_terminal()
    assert project.run("suspend", NAME, "--reason", "x", say="n\n").code == 1
    assert project.ledger().suspended is None
    assert project.run("suspend", NAME, "--reason", "x", say="y\n").code == 0
    item = next(iter(project.target.objects.values()))
    assert not item.enabled
    assert item.settings.description.startswith("Nightly invoice export")


def test_what_is_not_declared_any_more_is_suspended_from_its_ledger(project: Project) -> None:
    project.run("up", "--yes")
    project.declare(project.api, project.client("mailer"))
    done = project.run("suspend", NAME, "--reason", "its team is gone", "--yes")
    assert done.code == 0, done.err
    assert not next(o for o in project.target.objects.values() if o.client_id == NAME).enabled
    assert project.run("hold", NAME, "--until", "3d", "--reason", "asking around").code == 0
    refused = project.run("resume", NAME, "--yes")
    assert refused.code == 1
    assert "is not declared any more; declare it again, then resume it" in refused.err


def test_a_target_that_cannot_disable_says_what_to_do_instead(project: Project) -> None:
    project.can(suspends=False)
    project.run("up", "--yes")
    refused = project.run("suspend", NAME, "--reason", "x", "--yes")
    assert refused.code == 1
    assert (
        "target corp cannot disable client billing-exporter; its secrets can be ended, for good: keysteward revoke"
        in refused.err
    )
    assert project.ledger().suspended is None


def test_resume_says_so_when_something_else_keeps_it_disabled(project: Project) -> None:
    project.run("up", "--yes")
    project.run("suspend", NAME, "--reason", "x", "--yes")
    project.declare(project.api, project.client(access={project.api: ["invoices:read"]}, expires="2026-02-01"))
    project.pass_time(days=60)
    done = project.run("resume", NAME, "--yes")
    assert done.code == 0
    assert "stays disabled: its declaration has expired or is decommissioned" in done.err
    assert not next(iter(project.target.objects.values())).enabled


def test_rollback_gives_consumers_the_old_secret_and_names_the_end_of_the_new_one(project: Project) -> None:
    old, new = rotated(project)
    done = project.run("rollback", NAME, "--reason", "the new one breaks the importer", "--yes")
    assert done.code == 0, done.err
    assert "roll back to generation 1  (a person asked for it)" in done.out
    assert project.store.reads(f"apps/{NAME}") == old
    assert project.target.works(NAME, old)
    assert project.target.works(NAME, new)
    assert project.states() == ["1 current", "2 abandoned"]
    assert "2026-04-12 09:00 UTC: end generation 2" in project.run("show", NAME).out
    project.pass_time(days=8)
    assert project.run("rotate", "--due", "--yes").code == 0
    assert not project.target.works(NAME, new)
    assert project.target.works(NAME, old)


def test_rollback_where_nothing_is_left_is_one_sentence(project: Project) -> None:
    project.run("up", "--yes")
    refused = project.run("rollback", NAME, "--yes")
    assert refused.code == 1
    assert "has no previous generation that still lives; generation 1 is the only one that works" in refused.err
    project.declare(project.api)
    assert "is not declared any more, so nothing is delivered for it" in project.run("rollback", NAME, "--yes").err


def test_a_rollback_to_a_dead_secret_changes_nothing_and_fails(project: Project) -> None:
    old, new = rotated(project)
    item = next(iter(project.target.objects.values()))
    item.secrets = [s for s in item.secrets if s.value != old]
    done = project.run("rollback", NAME, "--yes")
    assert done.code == 1
    assert "not rolled back: the previous secret does not work any more" in done.err
    assert project.store.reads(f"apps/{NAME}") == new
    assert project.target.works(NAME, new)


def test_while_another_run_works_on_it_a_suspension_is_noted_for_the_next(project: Project) -> None:
    project.run("up", "--yes")
    ledger = project.ledger()
    lease = Lease("ci-7", project.clock.now + timedelta(minutes=3))
    project.ledgers.write(f"ledgers/{ledger.identity}", dump_ledger(replace(ledger, lease=lease)), ledger.version)
    answer = project.run("suspend", NAME, "--reason", "odd traffic", "--yes")
    assert answer.code == 1
    assert "it is noted, and the next run does it: another run (ci-7)" in answer.err
    project.pass_time(minutes=4)
    assert project.run("rotate", "--due", "--yes").code == 0
    assert not next(iter(project.target.objects.values())).enabled


@pytest.mark.parametrize("words", [("hold", "--until", "14d", "--reason", "fair"), ("release",)])
def test_a_word_that_can_wait_does_not_stop_a_run_half_way(project: Project, words: tuple[str, ...]) -> None:
    project.run("up", "--yes")
    if words[0] == "release":
        project.run("hold", "billing-exporter", "--until", "1d", "--reason", "fair")
        project.pass_time(days=89)
    project.pass_time(days=90)
    asked = []

    def meanwhile(operation: str) -> None:
        if operation == "verify" and not asked:
            asked.append(project.run(words[0], "billing-exporter", *words[1:]))

    project.target.before = meanwhile
    assert project.run("up", "--yes").code == 0
    assert asked[0].code == 1
    assert "works on acme/demo/billing-exporter until" in asked[0].err
    assert "2 current" in project.states()


def test_programs_read_that_it_is_held_and_released(project: Project) -> None:
    project.run("up", "--yes")
    held = json.loads(project.run("hold", NAME, "--until", "120d", "--reason", "trade fair", "--json").out)
    assert held == {
        "format": 1,
        "identity": f"acme/demo/{NAME}",
        "held": {"until": "2026-05-05T09:00:00+00:00", "reason": "trade fair"},
    }
    assert json.loads(project.run("release", NAME, "--json").out) == {**held, "held": None}


@pytest.mark.parametrize("command", ["suspend", "resume", "rollback"])
def test_programs_read_what_was_suspended_resumed_and_rolled_back(project: Project, command: str) -> None:
    rotated(project)
    if command == "resume":
        project.run("suspend", NAME, "--reason", "an incident", "--yes")
    words = (command, NAME, "--reason", "an incident", "--json")
    refused = project.run(*words)
    assert (refused.code, refused.out) == (1, "")
    assert "--json asks nothing, so it needs --yes" in refused.err
    document = json.loads(project.run(*words, "--yes").out)
    [result] = document["results"]
    assert (document["format"], result["name"], result["outcome"]) == (1, NAME, "done")
    done = {"suspend": "disable client", "resume": "enable client", "rollback": "roll back to generation 1"}[command]
    assert any(words.startswith(done) for words in result["done"])
    assert result["generation"] == (1 if command == "rollback" else 2)
