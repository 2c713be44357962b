"""The ledger store is gone: what the commands say, and the way back."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from cli_project import Project

from keysteward.core.record.ledger import Lease, dump_ledger

NAME = "billing-exporter"


def issued(project: Project) -> dict[str, list[str]]:
    return {o.client_id: [s.value for s in o.secrets] for o in project.target.objects.values()}


def test_a_lost_ledger_store_is_found_rebuilt_and_nothing_is_issued_twice(project: Project) -> None:
    project.run("up", "--yes")
    project.pass_time(days=90)
    project.run("up", "--yes")
    before = issued(project)
    project.ledgers.documents.clear()

    lost = project.run("preview")
    assert lost.code == 1
    assert "of which its ledger does not know" in lost.out
    assert "→ run: keysteward rebuild billing-exporter" in lost.out
    assert project.run("up", "--yes").code == 1
    assert project.run("rotate", "--due", "--yes").code == 1
    assert issued(project) == before

    done = project.run("rebuild", "--yes")
    assert done.code == 0, done.err
    assert "enter client billing-exporter at target corp" in done.out
    assert "enter generation 2 on client billing-exporter (current)" in done.out
    assert project.ledger().current is not None
    assert [step for step, _ in project.entries()] == ["rebuild"]
    assert set(project.ledger().targets) == {"corp"}, "so that it can be ended without the program"
    assert set(project.ledger().stores) == {"secrets"}

    assert project.run("up", "--yes").code == 0
    assert issued(project) == before
    assert "Nothing is due" in project.run("preview").out
    assert "Nothing to rebuild" in project.run("rebuild").out
    assert "secret-" not in done.out + done.err
    assert "key-" not in done.out + done.err


def test_it_shows_and_asks_first(project: Project, at_a_terminal: Callable[[], None]) -> None:
    project.run("up", "--yes")
    project.ledgers.documents.clear()
    assert "add --yes" in project.run("rebuild").err
    at_a_terminal()
    shown = project.run("rebuild", say="n\n")
    assert shown.code == 1
    assert "enter client billing-exporter at target corp" in shown.out
    assert project.ledgers.documents == {}
    assert project.run("rebuild", NAME, say="y\n").code == 0
    assert project.states()[-1].endswith("current")


def test_programs_read_what_was_rebuilt(project: Project) -> None:
    project.run("up", "--yes")
    assert json.loads(project.run("rebuild", "--yes", "--json").out)["rebuilt"] == []
    project.ledgers.documents.clear()
    assert "--json asks nothing, so it needs --yes" in project.run("rebuild", "--json").err
    assert project.ledgers.documents == {}
    done = project.run("rebuild", "--yes", "--json")
    assert done.code == 0
    document = json.loads(done.out)
    assert (document["format"], document["stack"], document["findings"]) == (1, "acme/demo", [])
    [made] = document["rebuilt"]
    assert (made["name"], made["error"]) == (NAME, None)
    assert "of which its ledger does not know" in made["why"]
    assert made["entered"] == [
        f"enter client {NAME} at target corp",
        f"enter generation 1 on client {NAME} (current)",
    ]


def test_marks_without_declaration_and_ledger_are_a_finding_that_is_never_ended(project: Project) -> None:
    project.run("up", "--yes")
    project.ledgers.documents.clear()
    project.declare(project.api, project.client("mailer"))
    shown = project.run("preview", "--prune")
    assert (
        "billing-exporter: client 'billing-exporter' at target corp carries its mark, and is in no ledger" in shown.out
    )
    assert "→ declare it again, then run: keysteward rebuild billing-exporter" in shown.out
    project.run("up", "--yes", "--prune")
    assert NAME in issued(project)
    unknown = project.run("rebuild", NAME)
    assert unknown.code == 1
    assert "neither declared nor in the ledgers" in unknown.err


def test_a_copy_that_a_stranger_made_of_our_client_is_reported_and_outlives_a_prune(project: Project) -> None:
    project.run("up", "--yes")
    [ours] = project.target.objects.values()
    theirs = replace(copy.deepcopy(ours), client_id="aaa-theirs", remote_id="id-of-theirs")
    project.target.objects = {theirs.remote_id: theirs, **project.target.objects}
    project.ledgers.documents.clear()

    shown = project.run("rebuild", "--yes")
    assert shown.code == 0, shown.err
    assert "enter client billing-exporter at target corp" in shown.out
    assert "enter client aaa-theirs" not in shown.out
    assert (
        "client 'aaa-theirs' (billing-exporter) at target corp, id id-of-theirs, carries a copy of its mark"
        in shown.out
    )
    assert "no run touches it" in project.run("preview").out

    project.declare(project.api, project.client("mailer"))
    assert "aaa-theirs" not in project.run("preview", "--prune").out.partition("Findings")[0]
    assert project.run("up", "--yes", "--prune").code == 0
    assert sorted(issued(project)) == ["aaa-theirs", "mailer"]
    assert theirs.enabled
    assert theirs.mark == ours.mark


def test_a_ledger_that_another_run_works_on_is_not_written(project: Project) -> None:
    project.run("up", "--yes")
    backup = project.ledger()
    project.pass_time(days=90)
    project.run("up", "--yes")
    lease = Lease("ci-7", project.clock.now + timedelta(minutes=3))
    document = {**dump_ledger(backup), "lease": {"runner": lease.runner, "until": lease.until.isoformat()}}
    project.ledgers.write(f"ledgers/{backup.identity}", document, project.ledger().version)
    refused = project.run("rebuild", "--yes")
    assert refused.code == 1
    assert "another run (ci-7) works on it" in refused.err
    project.pass_time(minutes=4)
    assert project.run("rebuild", "--yes").code == 0
    assert project.states() == ["1 previous", "2 current"]
