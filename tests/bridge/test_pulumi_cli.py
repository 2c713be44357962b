"""The bridge under the real engine: programs served to the one that `make servers` builds, or run by a full CLI.

Marked as proofs: stories that `test_dynamic_server.py` tells in every run without an engine.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from engines import Engine
from project import Project

from keysteward.core.observe.snapshot import ledger_key
from keysteward.core.record.ledger import dump_ledger, load_ledger
from keysteward.core.record.requests import revoke
from keysteward.sandbox.keycloak import KeycloakStandIn

pytestmark = pytest.mark.timeout(600)

RIGHTS = {"manage-clients", "view-clients", "query-clients"}


@pytest.fixture(scope="module")
def keycloak() -> Iterator[KeycloakStandIn]:
    with KeycloakStandIn(realms=("demo", "other")) as server:
        for realm in ("demo", "other"):
            server.add_admin(realm, "runner", "runner-secret", roles=RIGHTS)
            server.add_admin(realm, "reader", "reader-secret", roles={"view-clients"})
        yield server


@pytest.fixture
def project(engine: Engine, keycloak: KeycloakStandIn, tmp_path: Path) -> Iterator[Project]:
    made = Project(
        engine,
        tmp_path,
        {
            "TEST_URL": keycloak.url,
            "TEST_READER": "reader:reader-secret",
            "TEST_ADMIN": "runner:runner-secret",
            "TEST_READER2": "reader:reader-secret",
            "TEST_ADMIN2": "runner:runner-secret",
        },
    )
    yield made
    for realm in ("demo", "other"):
        home = keycloak.realms[realm]
        ours = [c.id for c in home.clients.values() if "keysteward.identity" in c.attributes]
        for identifier in ours:
            del home.clients[identifier]
        for scope in [s for s in home.scopes.values() if s.name.startswith("invoices:")]:
            del home.scopes[scope.id]


def clients(keycloak: KeycloakStandIn, realm: str = "demo") -> dict[str, object]:
    return {c.client_id: c for c in keycloak.realms[realm].clients.values() if "keysteward.identity" in c.attributes}


def test_a_life_from_first_preview_to_destroy(project: Project, keycloak: KeycloakStandIn) -> None:
    shown = project.preview("--diff")
    assert shown.code == 0, shown.text
    assert "#1 create client exporter; issue generation 1 (key pairs)" in shown.text
    assert clients(keycloak) == {}

    done = project.pulumi("up", "--yes")
    assert done.code == 0, done.text
    assert set(clients(keycloak)) == {"exporter", "mailer"}
    assert project.gates() == (0, 0)
    assert project.state()["exporter"]["generation"] == 1

    project.pass_time(days=90)
    shown = project.preview("--diff")
    assert "#2 rotate to generation 2" in shown.text
    assert project.gates() == (7, 0)
    assert project.up().code == 0
    assert project.gates() == (0, 0)
    assert project.state()["exporter"]["status"] == "overlap"

    project.pass_time(days=8)
    assert "#3 retire generation 1" in project.preview("--diff").text
    assert project.up().code == 0
    assert project.gates() == (0, 0)
    state = project.state()["exporter"]
    assert (state["status"], state["generation"]) == ("active", 2)

    done = project.pulumi("destroy", "--yes")
    assert done.code == 0, done.text
    assert clients(keycloak) == {}
    assert project.store.delivered(["apps/exporter"])["apps/exporter"].exists is False


@pytest.mark.proof
def test_drift_shows_in_a_plain_preview_and_in_the_refresh_gate_and_is_mended(
    project: Project, keycloak: KeycloakStandIn
) -> None:
    assert project.up().code == 0
    client = clients(keycloak)["exporter"]
    client.settings["fullScopeAllowed"] = True  # type: ignore[attr-defined]
    client.attributes["access.token.lifespan"] = "86400"  # type: ignore[attr-defined]

    shown = project.preview("--diff")
    assert "update client exporter: token lifetime 86400 -> default, fullScopeAllowed true -> false" in shown.text
    assert project.gates() == (7, 7)

    refreshed = project.pulumi("refresh", "--yes", "--diff")
    assert refreshed.code == 0, refreshed.text
    assert "token_lifetime" in refreshed.text
    assert project.gates() == (7, 0)

    assert project.up().code == 0
    assert client.attributes.get("access.token.lifespan") in {None, ""}  # type: ignore[attr-defined]
    assert project.gates() == (0, 0)


@pytest.mark.proof
def test_a_rename_keeps_the_client_and_issues_nothing(project: Project, keycloak: KeycloakStandIn) -> None:
    assert project.up().code == 0
    renamed = "client('letters', previously=['mailer'], deliver_to=secrets.path('apps/mailer'))"
    project.declare("client('exporter')", renamed)
    done = project.up()
    assert done.code == 0, done.text
    assert set(clients(keycloak)) == {"exporter", "mailer"}
    state = project.state()
    assert state["letters"]["generation"] == 1
    assert state["letters"]["client_id"] == "mailer"
    assert project.gates() == (0, 0)


@pytest.mark.proof
def test_a_changed_target_is_an_update_with_overlap(project: Project, keycloak: KeycloakStandIn) -> None:
    assert project.up().code == 0
    project.declare("client('exporter')", "client('mailer', target=other, access={})")
    shown = project.preview("--diff")
    assert "moved from target corp to other" in shown.text
    assert "replace" not in shown.text
    done = project.up()
    assert done.code == 0, done.text
    assert set(clients(keycloak)) == {"exporter", "mailer"}
    assert set(clients(keycloak, "other")) == {"mailer"}
    project.pass_time(days=8)
    done = project.up()
    assert done.code == 0, done.text
    assert clients(keycloak)["mailer"].settings["enabled"] is False  # type: ignore[attr-defined]
    assert project.gates() == (0, 0)


@pytest.mark.proof
def test_a_forced_replacement_ends_nothing(project: Project, keycloak: KeycloakStandIn) -> None:
    assert project.up().code == 0
    before = clients(keycloak)["exporter"].id  # type: ignore[attr-defined]
    urn = "urn:pulumi:test::acme::pulumi-python:dynamic/keysteward:M2MClient::exporter"
    done = project.up("--target-replace", urn)
    assert done.code == 0, done.text
    assert project.pulumi("state", "taint", urn, "--yes").code == 0
    done = project.up()
    assert done.code == 0, done.text
    assert clients(keycloak)["exporter"].id == before  # type: ignore[attr-defined]
    assert project.state()["exporter"]["generation"] == 1
    assert project.gates() == (0, 0)


def test_a_program_that_fails_half_way_and_a_lost_state_lose_nothing(
    project: Project, keycloak: KeycloakStandIn
) -> None:
    assert project.up(FAIL_HALF_WAY="1").code != 0
    assert project.up().code == 0
    assert set(clients(keycloak)) == {"exporter", "mailer"}

    assert project.pulumi("stack", "rm", "--force", "--yes").code == 0
    assert project.pulumi("stack", "init", "test").code == 0
    done = project.up()
    assert done.code == 0, done.text
    assert {name: outputs.get("generation") for name, outputs in project.state().items()} == {
        "billing-api": None,
        "exporter": 1,
        "mailer": 1,
    }
    assert project.gates() == (0, 0)


def test_ending_more_than_the_limit_stops(project: Project, keycloak: KeycloakStandIn) -> None:
    project.declare(*(f"client('job-{n}')" for n in range(6)))
    assert project.up().code == 0
    refused = project.pulumi("destroy", "--yes", "--parallel", "1")
    assert refused.code != 0
    assert "restore the declarations, or allow it with KEYSTEWARD_ALLOW_ENDING=4" in refused.text
    assert "Traceback" not in refused.text
    assert len(clients(keycloak)) == 3
    done = project.pulumi("destroy", "--yes", KEYSTEWARD_ALLOW_ENDING="6")
    assert done.code == 0, done.text
    assert clients(keycloak) == {}


@pytest.mark.proof
def test_production_is_not_deleted_without_a_word(project: Project, keycloak: KeycloakStandIn) -> None:
    project.declare("client('exporter', environment='prod')")
    assert project.up().code == 0
    project.declare("client('mailer')")
    refused = project.up()
    assert refused.code != 0
    assert "KEYSTEWARD_ALLOW_ENDING=1" in refused.text
    assert "exporter" in clients(keycloak)
    assert project.up(KEYSTEWARD_ALLOW_ENDING="1").code == 0
    assert set(clients(keycloak)) == {"mailer"}


@pytest.mark.proof
def test_a_preview_says_what_is_revoked_and_the_gates_stay_clean(project: Project) -> None:
    assert project.up().code == 0
    ledger = ledger_key("acme/test/exporter")
    stored = project.ledgers.read(ledger)
    assert stored.document is not None
    known = load_ledger(stored.document, stored.version)
    revoked = revoke(known, project.ledgers.now(), "leaked")
    project.ledgers.write(ledger, dump_ledger(revoked), stored.version)
    said = "revoked (leaked): nothing new is issued until: keysteward lift exporter --reason TEXT"
    assert said in project.preview().text
    assert project.up().code == 0
    quiet = project.preview()
    assert said in quiet.text
    assert project.state()["exporter"]["status"] == "revoked"
    assert project.gates() == (0, 0)


def test_errors_are_one_sentence(project: Project) -> None:
    wrong = project.pulumi("preview", TEST_READER="reader:wrong")
    assert wrong.code != 0
    frames = [line for line in wrong.text.splitlines() if 'File "' in line]
    assert not [line for line in frames if "keysteward" in line or "dynamic" in line], frames
    assert "TEST_READER" in wrong.text
    assert "wrong" not in wrong.text.replace("is wrong", "")
    project.declare("client('exporter', owner='nobody')")
    wrong = project.preview()
    assert "M2MClient 'exporter': owner: 'nobody' is not in the owners file" in wrong.text
    assert "Traceback" not in wrong.text
