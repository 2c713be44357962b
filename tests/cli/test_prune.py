"""What is not declared any more: a finding, and ended only when that is asked for."""

from __future__ import annotations

import pytest
from cli_project import OWNERS, Project

from keysteward import Limit, Stack


def test_a_removed_declaration_is_a_finding_that_says_what_prune_would_do(project: Project) -> None:
    project.run("up", "--yes")
    project.declare(project.api, project.client("mailer"))

    shown = project.run("preview")
    assert "! billing-exporter: has an open ledger and no declaration" in shown.out
    assert (
        "→ declare it again, or end it with: keysteward up --prune "
        "(delete client billing-exporter; empty secrets:apps/billing-exporter)"
    ) in shown.out
    project.run("up", "--yes")
    assert project.states() == ["1 current"], "without --prune it stays"


def test_prune_ends_it_and_says_so_before(project: Project) -> None:
    project.run("up", "--yes")
    project.declare(project.api, project.client("mailer"))

    assert (
        "- billing-exporter  delete client billing-exporter  (not declared any more)"
        in project.run("preview", "--prune").out
    )
    done = project.run("up", "--yes", "--prune")
    assert done.code == 0
    assert "✓ billing-exporter  delete client billing-exporter; empty secrets:apps/billing-exporter" in done.out
    assert project.ledger().closed is not None
    assert project.store.reads("apps/billing-exporter") is None
    assert "Nothing is due" in project.run("preview", "--prune").out


def test_a_resource_server_goes_after_the_last_client_that_had_its_scopes(project: Project) -> None:
    project.run("up", "--yes")
    project.declare(project.client("mailer"))

    shown = project.run("preview", "--prune")
    assert "- billing-api  delete scope invoices:read" in shown.out
    done = project.run("up", "--yes", "--prune")
    assert done.code == 0, done.out
    assert project.target.scopes == {}
    assert "Nothing is due" in project.run("preview", "--prune").out


def test_a_scope_no_longer_declared_goes_with_the_update_of_its_last_client(project: Project) -> None:
    both = ["invoices:read", "invoices:write"]
    project.declare(project.api, project.client(access={project.api: both}))
    project.run("up", "--yes")
    fewer = type(project.api)(
        "billing-api", target=project.target, audience=project.api.audience, scopes={"invoices:read": "Read invoices"}
    )
    project.declare(fewer, project.client(access={fewer: ["invoices:read"]}))

    assert "note scope invoices:write as dropped, while clients still have it" in project.run("preview").out
    assert project.run("up", "--yes").code == 0
    assert list(project.target.scopes) == ["invoices:read"]


def test_a_rename_is_never_pruned(project: Project) -> None:
    project.run("up", "--yes")
    renamed = project.client(
        "exporter",
        previously=["billing-exporter"],
        access={project.api: ["invoices:read"]},
        deliver_to=project.store.path("apps/billing-exporter"),
    )
    project.declare(project.api, renamed)

    shown = project.run("preview", "--prune")
    assert "delete" not in shown.out
    assert project.run("up", "--yes", "--prune").code == 0
    assert project.states("exporter") == ["1 current"]
    assert len(project.target.objects) == 1


def test_too_many_endings_stop_the_run_before_its_first_write(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.declare(*(project.client(f"app-{n}") for n in range(6)))
    project.run("up", "--yes")
    project.declare(project.client("app-0"), project.client("brand-new"), limit=Limit(count=3, share=0.3))

    refused = project.run("up", "--yes", "--prune")
    assert refused.code == 1
    assert "5 of 6 credentials would be left without a working secret" in refused.err
    assert "allow it with KEYSTEWARD_ALLOW_ENDING=5" in refused.err
    assert len(project.target.objects) == 6

    monkeypatch.setenv("KEYSTEWARD_ALLOW_ENDING", "5")
    assert project.run("up", "--yes", "--prune").code == 0
    assert len(project.target.objects) == 2


@pytest.mark.parametrize("environment", ["production", "prod", "Prod-EU", "live", "eu-central", "test-prod"])
def test_what_may_be_in_use_needs_a_word_before_the_first_write(
    project: Project, monkeypatch: pytest.MonkeyPatch, environment: str
) -> None:
    project.can(last_use=None)
    project.declare(project.api, project.client(environment=environment))
    project.run("up", "--yes")
    project.declare(project.api, project.client("mailer"))

    needs = "which needs KEYSTEWARD_ALLOW_ENDING=1, since it is a production credential"
    assert needs in project.run("preview").out, "the advice says so, and not only the refusal"
    assert needs in project.run("drift").out
    refused = project.run("up", "--yes", "--prune")
    assert refused.code == 1
    assert "its target cannot show whether it is still used" in refused.err
    assert "allow it now with KEYSTEWARD_ALLOW_ENDING=1" in refused.err
    assert len(project.target.objects) == 1

    monkeypatch.setenv("KEYSTEWARD_ALLOW_ENDING", "one")
    assert "must be a number of credentials" in project.run("up", "--yes", "--prune").err
    monkeypatch.setenv("KEYSTEWARD_ALLOW_ENDING", "1")
    assert project.run("up", "--yes", "--prune").code == 0


@pytest.mark.parametrize("environment", ["test", "staging", "dev-eu", "pre-prod", "non-production"])
def test_what_is_known_to_be_no_production_needs_no_word(project: Project, environment: str) -> None:
    project.can(last_use=None)
    project.declare(project.api, project.client(environment=environment))
    project.run("up", "--yes")
    project.declare(project.api, project.client("mailer"))
    assert "KEYSTEWARD_ALLOW_ENDING" not in project.run("preview").out
    assert project.run("up", "--yes", "--prune").code == 0


def test_prune_leaves_a_stack_alone_whose_identity_begins_with_ours(project: Project) -> None:
    project.declare(project.client())
    below = Stack("acme/demo/eu", OWNERS, project.ledgers, [project.client("mailer")])
    project.held.stack = below  # type: ignore[attr-defined]
    assert project.run("up", "--yes").code == 0
    project.held.stack = project.stack  # type: ignore[attr-defined]
    project.run("up", "--yes")

    assert "mailer" not in project.run("preview", "--prune").out
    done = project.run("up", "--yes", "--prune")
    assert (done.code, "mailer" in done.out) == (0, False)
    assert {item.client_id for item in project.target.objects.values()} == {"billing-exporter", "mailer"}
    assert "stray delivery" not in project.run("drift").out
