"""What a person asks for by name: a new secret now, and a decision about one that may be ours."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from cli_project import Project

from keysteward.core.record.ledger import Held, Ledger, dump_ledger


def write(project: Project, ledger: Ledger) -> None:
    project.ledgers.write(f"ledgers/{ledger.identity}", dump_ledger(ledger), ledger.version)


def test_reissue_brings_a_new_secret_and_keeps_the_old_one_for_its_grace(project: Project) -> None:
    project.run("up", "--yes")
    first = project.store.reads("apps/billing-exporter")

    done = project.run("reissue", "billing-exporter", "--reason", "pasted into a chat", "--grace", "1d", "--yes")
    assert done.code == 0
    assert "rotate to generation 2 (reissue: pasted into a chat)" in done.out
    assert project.states() == ["1 previous", "2 current"]
    assert first is not None
    assert project.target.works("billing-exporter", first)
    assert project.store.reads("apps/billing-exporter") != first
    assert "Nothing is due" in project.run("preview").out


def test_without_a_grace_the_old_secret_ends_at_once_and_programs_read_it(project: Project) -> None:
    project.run("up", "--yes")
    assert "needs --yes" in project.run("reissue", "billing-exporter", "--reason", "leak", "--json").err
    done = project.run("reissue", "billing-exporter", "--reason", "leak", "--yes", "--json")
    [result] = json.loads(done.out)["results"]
    assert (result["outcome"], result["generation"]) == ("done", 2)
    assert project.states() == ["1 retired", "2 current"]


def test_what_is_not_delivered_is_reissued_with_a_grace(project: Project) -> None:
    project.run("up", "--yes")
    project.store.documents.clear()
    project.store.owners.clear()
    assert "keysteward reissue billing-exporter --grace 7d --reason TEXT" in project.run("preview").out


def test_reissue_asks_first(project: Project, at_a_terminal: Callable[[], None]) -> None:
    project.run("up", "--yes")
    assert "add --yes" in project.run("reissue", "billing-exporter", "--reason", "leak").err

    at_a_terminal()
    assert project.run("reissue", "billing-exporter", "--reason", "leak", say="n\n").code == 1
    assert project.ledger().reissue is None
    assert project.run("reissue", "billing-exporter", "--reason", "leak", say="y\n").code == 0
    assert project.states() == ["1 retired", "2 current"]


def test_reissue_needs_a_reason_a_declaration_and_a_first_secret(project: Project) -> None:
    assert "Missing option '--reason'" in project.run("reissue", "billing-exporter").err
    assert "say why" in project.run("reissue", "billing-exporter", "--reason", " ", "--yes").err
    never = project.run("reissue", "billing-exporter", "--reason", "leak", "--yes")
    assert never.code == 1
    assert "'billing-exporter' was never issued; `keysteward up` issues its first secret" in never.err

    project.run("up", "--yes")
    project.declare(project.client("mailer"))
    gone = project.run("reissue", "billing-exporter", "--reason", "leak", "--yes")
    assert gone.code == 1
    assert "acme/demo/billing-exporter is not declared any more, so nothing new is issued" in gone.err
    assert project.states() == ["1 current"], "what is not declared is neither issued nor ended by this"


def test_reissue_of_what_is_held_is_noted_for_later(project: Project) -> None:
    project.run("up", "--yes")
    until = project.clock.now + timedelta(days=3)
    write(project, replace(project.ledger(), held=Held(until, "trade fair")))

    noted = project.run("reissue", "billing-exporter", "--reason", "leak", "--yes")
    assert noted.code == 0
    assert "it is asked for, but nothing new may begin yet" in noted.err
    assert project.states() == ["1 current"]

    project.pass_time(days=4)
    assert "rotate to generation 2 (reissue: leak)" in project.run("up", "--yes").out


def test_resolve_writes_the_decision_into_the_ledger(project: Project) -> None:
    project.run("up", "--yes")
    write(project, project.ledger().with_generation(1, suspects=("sec-7", "sec-8")))
    finding = project.run("preview")
    assert "secret sec-7 may be an orphan of generation 1, or somebody else's" in finding.out
    assert "run: keysteward resolve billing-exporter sec-7 --ours | --theirs" in finding.out

    theirs = project.run("resolve", "billing-exporter", "sec-7", "--theirs")
    assert theirs.code == 0
    assert "secret sec-7 is not ours; it is left alone" in theirs.out
    assert project.ledger().generation(1).suspects == ("sec-8",)
    assert ("resolve", "secret sec-7 is not ours; it is left alone") in project.entries()

    ours = project.run("resolve", "billing-exporter", "sec-8", "--ours", "--json")
    assert json.loads(ours.out) == {
        "format": 1,
        "identity": "acme/demo/billing-exporter",
        "suspect": "sec-8",
        "ours": True,
        "suspects_left": [],
    }
    write(project, project.ledger().with_generation(1, suspects=("sec-8",)))

    unknown = project.run("resolve", "billing-exporter", "sec-9", "--ours")
    assert unknown.code == 1
    assert "has no suspect 'sec-9'; it has sec-8" in unknown.err
    assert project.run("resolve", "billing-exporter", "sec-8").code == 1, "one of --ours and --theirs must be said"
    assert "is neither declared" in project.run("resolve", "mailer", "sec-8", "--ours").err
