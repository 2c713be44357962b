"""The scheduled job: what is due by the calendar is done, what is declared anew is left to a reviewed run."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

from cli_project import Project

from keysteward.core.record.ledger import dump_ledger


def test_a_bare_rotate_explains_itself_and_names_reissue(project: Project) -> None:
    answer = project.run("rotate")
    assert answer.code == 1
    assert "only with --due: keysteward rotate --due" in answer.err
    assert "keysteward reissue NAME --reason" in answer.err


def test_the_job_rotates_what_is_due_and_later_retires_the_old_one(project: Project) -> None:
    project.run("up", "--yes")
    quiet = project.run("rotate", "--due", "--yes")
    assert quiet.code == 0
    assert "Nothing is due: 1 unchanged" in quiet.out

    project.pass_time(days=90)
    before = project.store.reads("apps/billing-exporter")
    done = project.run("rotate", "--due", "--yes")
    assert done.code == 0
    assert "✓ billing-exporter  rotate to generation 2" in done.out
    assert project.states() == ["1 previous", "2 current"]
    assert project.store.reads("apps/billing-exporter") != before

    project.pass_time(days=8)
    assert project.run("rotate", "--due", "--yes").code == 0
    assert project.states() == ["1 retired", "2 current"]


def test_changes_of_declarations_are_left_alone_and_counted_in_one_line(project: Project) -> None:
    project.run("up", "--yes")
    project.pass_time(days=90)
    project.declare(
        project.api,
        project.client(access={project.api: ["invoices:read"]}, owner="team-billing", purpose="Weekly invoice export"),
        project.client("brand-new"),
    )
    shown = project.run("rotate", "--due", "--yes")
    assert shown.code == 1, "the rotation of what was changed waits for the change, by name"
    assert "a rotation is due, but first comes: update client billing-exporter" in shown.out
    assert "2 declarations have changes that `up` applies; they are left alone here." in shown.out
    assert project.states() == ["1 current"]
    assert len(project.target.objects) == 1

    assert project.run("up", "--yes").code == 0
    assert project.states() == ["1 previous", "2 current"]
    assert "left alone here" not in project.run("rotate", "--due", "--yes").out


def test_the_job_ends_nothing_that_is_undeclared_and_makes_no_scope(project: Project) -> None:
    project.run("up", "--yes")
    more = type(project.api)(
        "billing-api",
        target=project.target,
        audience=project.api.audience,
        scopes={**project.api.scopes, "invoices:delete": "Delete invoices"},
    )
    project.declare(more)
    done = project.run("rotate", "--due", "--yes")
    assert done.code == 0
    assert "1 declaration has changes that `up` applies" in done.out
    assert "invoices:delete" not in project.target.scopes
    assert project.states() == ["1 current"]
    assert len(project.target.objects) == 1


def test_a_rename_is_left_to_up(project: Project) -> None:
    project.run("up", "--yes")
    place = project.store.path("apps/billing-exporter")
    fields = {"access": {project.api: ["invoices:read"]}, "deliver_to": place}
    project.declare(project.api, project.client("exporter", previously=["billing-exporter"], **fields))
    done = project.run("rotate", "--due", "--yes")
    assert done.code == 0
    assert "1 declaration has changes that `up` applies" in done.out
    assert project.ledger("billing-exporter").closed is None
    marks = [item.mark.identity for item in project.target.objects.values() if item.mark is not None]
    assert marks == ["acme/demo/billing-exporter"]


def test_names_choose_credentials_and_nothing_else(project: Project) -> None:
    project.declare(project.api, project.client("a"), project.client("b"))
    project.run("up", "--yes")
    project.pass_time(days=90)
    assert project.run("rotate", "--due", "a", "--yes").code == 0
    assert project.states("a") == ["1 previous", "2 current"]
    assert project.states("b") == ["1 current"]

    server = project.run("rotate", "--due", "billing-api", "--yes")
    assert server.code == 1
    assert "'billing-api' is a resource server; only declared credentials are rotated" in server.err
    assert "did you mean a" in project.run("rotate", "--due", "aa", "--yes").err
    project.declare(project.api, project.client("b"))
    assert "'a' is not declared any more" in project.run("rotate", "--due", "a", "--yes").err


def test_it_asks_like_up_and_needs_yes_where_nobody_can_be_asked(project: Project) -> None:
    project.run("up", "--yes")
    project.pass_time(days=90)
    refused = project.run("rotate", "--due")
    assert refused.code == 1
    assert "nobody can be asked here" in refused.err
    assert "--json asks nothing" in project.run("rotate", "--due", "--json").err
    assert project.states() == ["1 current"]

    done = project.run("rotate", "--due", "--json", "--yes")
    document = json.loads(done.out)
    assert document["summary"] == {"done": 1}
    assert document["plan"]["unapplied"] == 0
    assert document["results"][0]["generation"] == 2


def test_a_lease_of_another_run_is_reported_and_no_error(project: Project) -> None:
    project.run("up", "--yes")
    project.pass_time(days=90)
    ledger = project.ledger()
    until = (project.clock.now + timedelta(minutes=3)).isoformat()
    document = {**dump_ledger(replace(ledger)), "lease": {"runner": "ci-7", "until": until}}
    project.ledgers.write(f"ledgers/{ledger.identity}", document, ledger.version)
    answer = project.run("rotate", "--due", "--yes")
    assert answer.code == 0
    assert "another run (ci-7) works on it" in answer.out
    assert "Nothing else is due: 1 waiting" in answer.out
    assert project.states() == ["1 current"]
