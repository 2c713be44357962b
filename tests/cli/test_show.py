"""Who owns it, how is it scoped, how is it revoked: the questions of an incident and of an audit."""

from __future__ import annotations

import json
import re
from datetime import date

from cli_project import Project

from keysteward import ClientSecret, RotationSchedule
from keysteward.core.errors import Unavailable

NAME = "billing-exporter"


def test_show_answers_who_what_and_how_to_revoke(project: Project) -> None:
    project.declare(
        project.api,
        project.client(
            access={project.api: ["invoices:read"]},
            optional_access={project.api: ["invoices:write"]},
            consumer="warehouse-etl",
            runbook="https://runbooks.example.com/exporter",
            reviewed=date(2026, 1, 2),
            token_lifetime="10m",
        ),
    )
    project.run("up", "--yes")
    project.pass_time(days=90)
    project.run("up", "--yes")

    shown = project.run("show", "billing-exporter")
    assert shown.code == 0
    for sentence in (
        "acme/demo/billing-exporter  (overlap)",
        "team-billing (billing@example.com)",
        "warehouse-etl",
        "https://runbooks.example.com/exporter",
        "2026-01-02",
        "billing-exporter at corp, private_key_jwt (in use)",
        "private_key_jwt; replaced by: key pairs",
        "invoices:read",
        "invoices:write",
        "https://billing.example.com",
        "600 s",
        "every 90d, overlap 7d",
        "secrets:apps/billing-exporter",
        "2026-04-12 09:00 UTC: retire generation 1",
        "rotate to generation 3",
        "in an emergency: keysteward revoke billing-exporter --all --reason TEXT",
        "by hand: disable client billing-exporter in the console of target corp",
        "keysteward reissue billing-exporter --reason TEXT",
        "this deletes client billing-exporter at target corp, empties secrets:apps/billing-exporter",
    ):
        assert sentence in shown.out, sentence
    current = project.ledger().current
    assert current is not None
    assert current.fingerprint is not None
    assert current.fingerprint in shown.out
    for value in ("key-1", "key-2"):
        assert value not in shown.out + shown.err


def test_it_works_from_the_ledger_alone_when_the_declaration_is_gone(project: Project) -> None:
    project.run("up", "--yes")
    project.declare(project.client("mailer"))

    shown = project.run("show", "billing-exporter")
    assert "(active, not declared any more)" in shown.out
    assert "team-billing (billing@example.com)" in shown.out
    assert "has an open ledger and no declaration" in shown.out

    project.run("up", "--yes", "--prune")
    closed = project.run("show", "billing-exporter")
    assert "(closed, not declared any more)" in closed.out
    assert "it has ended; nothing is left to revoke" in closed.out


def test_it_works_while_the_target_is_down(project: Project) -> None:
    project.run("up", "--yes")

    def down(_operation: str) -> None:
        raise Unavailable("corp does not answer")

    project.target.before = down
    shown = project.run("show", "billing-exporter")
    assert shown.code == 0
    assert "warning: shown from declaration and ledger alone: corp does not answer" in shown.err
    assert "by hand: disable client billing-exporter" in shown.out


def test_before_the_first_run_and_as_json(project: Project) -> None:
    waiting = json.loads(project.run("show", "billing-exporter", "--json").out)
    assert waiting["status"] == "pending"
    assert waiting["due_now"].startswith("create client billing-exporter")

    project.run("up", "--yes")
    shown = json.loads(project.run("show", "acme/demo/billing-exporter", "--json").out)
    assert shown["format"] == 1
    assert shown["owner"] == {"name": "team-billing", "contact": "billing@example.com", "state": "active"}
    assert shown["generations"][0]["state"] == "current"
    assert shown["next"][0]["what"] == "rotate to generation 2"


def test_a_resource_server_and_an_unknown_name(project: Project) -> None:
    project.run("up", "--yes")
    shown = project.run("show", "billing-api")
    assert "used by      billing-exporter" in shown.out
    assert "invoices:write  Create invoices" in shown.out
    assert json.loads(project.run("show", "billing-api", "--json").out)["kind"] == "ResourceServer"

    unknown = project.run("show", "biling-api")
    assert unknown.code == 1
    assert "did you mean billing-api" in unknown.err
    assert "this stack; it has billing-api, billing-exporter" in project.run("show", "zzz").err


def test_an_adopted_client_is_released_and_never_deleted(project: Project) -> None:
    project.run("up", "--yes")
    (item,) = project.target.objects.values()
    item.mark = None
    project.ledgers.documents.clear()
    project.store.documents.clear()
    project.store.owners.clear()
    project.declare(project.client(adopt="billing-exporter"))
    assert "+ billing-exporter  adopt client billing-exporter" in project.run("preview").out
    assert project.run("up", "--yes").code == 0

    shown = project.run("show", "billing-exporter")
    assert re.search(r"\b1 +current \(adopted\)", shown.out)
    assert "this releases client billing-exporter at target corp, deletes nothing of them" in shown.out


def test_two_clients_in_turn_are_both_named(project: Project) -> None:
    project.declare(project.client(auth_method="client_secret", alternate_clients=True))
    project.run("up", "--yes")
    project.pass_time(days=90)
    project.run("up", "--yes")

    shown = project.run("show", "billing-exporter").out
    assert "disable client billing-exporter in the console of target corp" in shown
    assert "disable client billing-exporter-2 in the console of target corp" in shown
    project.pass_time(days=8)
    project.run("up", "--yes")
    assert "client billing-exporter is disabled at target corp" in project.run("show", "billing-exporter").out


def test_a_declared_end_shows_in_the_plan_and_in_the_record(project: Project) -> None:
    project.run("up", "--yes")
    project.declare(project.client(decommission=date(2026, 2, 1)))
    project.run("up", "--yes")
    assert "2026-02-01 00:00 UTC: decommissioned" in project.run("show", "billing-exporter").out

    project.pass_time(days=30)
    assert "- billing-exporter  disable client billing-exporter  (decommissioned on 2026-02-01)" in (
        project.run("preview").out
    )
    project.run("up", "--yes")
    shown = project.run("show", "billing-exporter").out
    assert "2026-02-01 00:00 UTC: decommissioned" in shown
    assert "client billing-exporter is disabled at target corp" in shown


def test_the_secret_of_somebody_elses_client_is_not_said_to_be_disabled(project: Project) -> None:
    rotation = RotationSchedule(every="90d")
    project.declare(project.client(auth_method="client_secret", accept_gap=True, rotation=rotation))
    project.run("up", "--yes")
    (client,) = project.target.objects.values()
    client.mark = None
    project.ledgers.documents.clear()
    project.declare(web_login(project))
    project.run("up", "--yes")
    said = " ".join(json.loads(project.run("show", "web-login", "--json").out)["revoke"])
    assert "decommission=<date>, on which its secrets end for good, since its client is not ours to disable" in said
    project.declare(web_login(project, decommission=date(2026, 1, 6)))
    project.pass_time(days=2)
    project.run("up", "--yes")
    assert client.enabled
    assert project.states("web-login")[-1].endswith("retired")


def web_login(project: Project, **fields: object) -> ClientSecret:
    given: dict[str, object] = {
        "target": project.target,
        "client": NAME,
        "owner": "team-billing",
        "purpose": "People log in",
        "rotation": RotationSchedule(every="90d"),
        "accept_gap": True,
        "deliver_to": project.store.path("apps/web-login"),
    }
    return ClientSecret("web-login", **{**given, **fields})  # type: ignore[arg-type]


def down(_operation: str) -> None:
    raise Unavailable("no answer")


def test_of_what_is_revoked_it_names_lift_before_all_else(project: Project) -> None:
    project.run("up", "--yes")
    project.pass_time(days=90)
    project.run("up", "--yes")
    project.run("revoke", NAME, "--generation", "1", "--reason", "an old copy", "--yes")
    said = json.loads(project.run("show", NAME, "--json").out)["revoke"]
    lift = f"keysteward lift {NAME} --reason TEXT"
    assert said[0] == f"generation 1 is revoked (an old copy); once the reason is dealt with: {lift}"
    assert said[1].startswith(f"in an emergency: keysteward revoke {NAME} --all")

    project.target.before = down
    project.run("revoke", NAME, "--all", "--reason", "leak", "--yes")
    said = json.loads(project.run("show", NAME, "--json").out)["revoke"]
    assert said[1] == f"what is left of it ends with the next run, or now: keysteward revoke {NAME} --all --reason TEXT"
    project.target.before = lambda _operation: None
    project.run("up", "--yes")
    said = json.loads(project.run("show", NAME, "--json").out)["revoke"]
    assert said[0] == f"it is revoked (leak), and nothing new is issued; once the reason is dealt with: {lift}"
    assert not [sentence for sentence in said if "keysteward revoke" in sentence or "keysteward reissue" in sentence]
    shown = project.run("show", NAME).out
    assert shown.index("keysteward lift") < shown.index("is disabled at target corp")

    project.declare(project.api)
    assert f"declare it again, then {lift}" in json.loads(project.run("show", NAME, "--json").out)["revoke"][0]
