"""Another name for a credential, without `previously` in its declaration."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from cli_project import Project

from keysteward.core.declare.credentials import M2MClient

OLD, NEW = "billing-exporter", "exporter"


def renamed(project: Project, **fields: object) -> M2MClient:
    place = project.store.path(f"apps/{OLD}")
    return project.client(NEW, **{"access": {project.api: ["invoices:read"]}, "deliver_to": place, **fields})


def test_mv_moves_mark_ledger_and_document_and_issues_nothing(project: Project) -> None:
    project.run("up", "--yes")
    value = project.store.reads(f"apps/{OLD}")
    project.declare(project.api, renamed(project))
    done = project.run("mv", OLD, NEW, "--yes")
    assert done.code == 0, done.err
    assert "mark client billing-exporter" in done.out
    assert project.ledger(OLD).closed is not None
    assert project.states(NEW) == ["1 current"]
    assert ("mv", "acme/demo/billing-exporter to acme/demo/exporter") in project.entries(NEW)
    assert project.store.owners[f"apps/{OLD}"] == "acme/demo/exporter"
    assert project.store.reads(f"apps/{OLD}") == value
    [item] = project.target.objects.values()
    assert item.mark is not None
    assert item.mark.identity == "acme/demo/exporter"

    after = project.run("up", "--yes")
    assert after.code == 0
    assert "generation" not in after.out
    assert "Nothing is due" in project.run("preview", "--expect-no-changes").out


def test_programs_read_what_was_moved(project: Project) -> None:
    project.run("up", "--yes")
    project.declare(project.api, renamed(project))
    assert "--json asks nothing, so it needs --yes" in project.run("mv", OLD, NEW, "--json").err
    assert project.ledger(OLD).closed is None
    document = json.loads(project.run("mv", OLD, NEW, "--yes", "--json").out)
    [result] = document["results"]
    assert (document["format"], result["identity"], result["outcome"]) == (1, f"acme/demo/{NEW}", "done")
    assert "mark client billing-exporter" in result["done"]


def test_it_asks_first(project: Project, at_a_terminal: Callable[[], None]) -> None:
    project.run("up", "--yes")
    project.declare(project.api, renamed(project))
    assert "nobody can be asked here" in project.run("mv", OLD, NEW).err
    at_a_terminal()
    assert project.run("mv", OLD, NEW, say="n\n").code == 1
    assert project.ledger(OLD).closed is None
    assert project.run("mv", OLD, NEW, say="y\n").code == 0


def test_what_cannot_be_moved_is_one_sentence(project: Project) -> None:
    project.run("up", "--yes")
    assert "'exporter' is not declared; declare it, then move" in project.run("mv", OLD, NEW, "--yes").err
    project.declare(project.api, project.client(), project.client("mailer"))
    assert "is still declared; remove its declaration" in project.run("mv", OLD, "mailer", "--yes").err
    project.run("up", "--yes")
    project.declare(project.api, project.client("mailer"))
    assert "acme/demo/mailer has secrets of its own" in project.run("mv", OLD, "mailer", "--yes").err
    assert "neither declared nor in the ledgers" in project.run("mv", "nobody", "mailer", "--yes").err
    assert "for a resource server write previously" in project.run("mv", "billing-api", "mailer", "--yes").err
    project.declare(project.api, project.client("mailer"), renamed(project, previously=[OLD]))
    assert "becomes 'exporter' by its `previously`" in project.run("mv", OLD, "mailer", "--yes").err
    assert project.ledger(OLD).closed is None


def test_what_has_ended_is_not_moved(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.run("up", "--yes")
    project.declare(project.api, renamed(project, deliver_to=project.store.path("apps/other")))
    monkeypatch.setenv("KEYSTEWARD_ALLOW_ENDING", "1")
    assert project.run("up", "--yes", "--prune").code == 0
    refused = project.run("mv", OLD, NEW, "--yes")
    assert refused.code == 1
    assert "acme/demo/billing-exporter is closed since" in refused.err


def test_a_name_that_had_secrets_before_gets_none_of_their_numbers_again(project: Project) -> None:
    place = project.store.path("apps/b")
    project.declare(project.api, project.client("a"), project.client("b", deliver_to=place))
    project.run("up", "--yes")
    project.run("reissue", "b", "--reason", "a test", "--yes")
    project.declare(project.api, project.client("a"))
    assert project.run("up", "--prune", "--yes").code == 0
    closed = project.ledger("b")
    assert (closed.closed is not None, closed.next) == (True, 3)

    project.declare(project.api, project.client("b", deliver_to=project.store.path("apps/a")))
    assert project.run("mv", "a", "b", "--yes").code == 0
    assert project.states("b") == ["1 current"]
    project.run("reissue", "b", "--reason", "a test", "--yes")
    assert [g.number for g in project.ledger("b").generations] == [1, 3]


def test_a_rename_to_what_was_revoked_waits_until_a_person_lifts_it(project: Project) -> None:
    project.declare(project.api, project.client("a"), project.client("b"))
    project.run("up", "--yes")
    value = project.store.reads("apps/a")
    project.run("revoke", "b", "--all", "--reason", "leak", "--yes")
    project.declare(project.api, project.client("a"))
    assert project.run("up", "--prune", "--yes").code == 0

    project.declare(project.api, project.client("b", deliver_to=project.store.path("apps/a"), previously=["a"]))
    shown = project.run("preview")
    assert shown.code == 1
    assert "acme/demo/b was revoked before it was closed (leak), and another one would get its name" in shown.out
    assert project.run("up", "--yes").code == 1
    assert project.run("rotate", "--due", "--yes").code == 0
    revoked = project.ledger("b").revoked
    assert revoked is not None
    assert revoked.reason == "leak"
    assert (project.states("a"), project.store.reads("apps/a")) == (["1 current"], value), "what works goes on working"

    lifted = project.run("lift", "b", "--reason", "the leak was an old copy", "--yes")
    assert lifted.code == 0, lifted.err
    assert (project.states("b"), project.store.reads("apps/a")) == (["1 current"], value)
    assert project.ledger("b").revoked is None
    assert project.ledger("a").closed is not None
    assert "Nothing is due" in project.run("preview").out


def test_what_was_revoked_before_it_was_closed_is_not_lifted_by_a_move(project: Project) -> None:
    project.declare(project.api, project.client("a"), project.client("b"))
    project.run("up", "--yes")
    project.run("revoke", "b", "--all", "--reason", "leak", "--yes")
    project.declare(project.api, project.client("a"))
    assert project.run("up", "--prune", "--yes").code == 0
    project.declare(project.api, project.client("b", deliver_to=project.store.path("apps/a")))
    refused = project.run("mv", "a", "b", "--yes")
    assert refused.code == 1
    assert "acme/demo/b was revoked before it was closed (leak)" in refused.err
    assert project.ledger("b").revoked is not None
