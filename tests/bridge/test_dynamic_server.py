"""The bridge under the SDK's own plugin server, call by call as the engine makes them; no `pulumi` CLI is needed."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
from dynamic_server import Acme, PluginError, registered

from keysteward import ClientSecret, Limit, RotationSchedule, Stack, deploy
from keysteward.core.record import requests
from keysteward.operations.offline.revocations import disable_marked, keep
from keysteward.sandbox.keycloak.models import CLIENT_DEFAULTS, Client, Scope

PROVIDERS = {
    4: {
        "M2MClient": "gASVOQAAAAAAAACMHGtleXN0ZXdhcmQucHJvdmlkZXJzLmR5bmFtaWOUjBFNMk1DbGllbnRQcm92aWRlcpSTlCmBlC4=",
        "ClientSecret": (
            "gASVPAAAAAAAAACMHGtleXN0ZXdhcmQucHJvdmlkZXJzLmR5bmFtaWOUjBRDbGllbnRTZWNyZXRQcm92aWRlcpSTlCmBlC4="
        ),
        "ResourceServer": (
            "gASVPgAAAAAAAACMHGtleXN0ZXdhcmQucHJvdmlkZXJzLmR5bmFtaWOUjBZSZXNvdXJjZVNlcnZlclByb3ZpZGVylJOUKYGULg=="
        ),
    }
}
"""By pickle protocol: two names and no code. Existing state holds these strings."""

CREDENTIAL_INPUTS = {
    *("format", "stack", "identity", "declaration", "ports"),
    "__provider",
}
CREDENTIAL_OUTPUTS = {
    *("status", "incarnation", "client_id", "client_ids", "generation", "fingerprint", "delivered_to"),
    *("rotated_at", "next_due"),
}


def sentence(error: pytest.ExceptionInfo[PluginError]) -> str:
    """Return what a person reads, held to: one line, no frames, no secret."""
    text = str(error.value)
    assert "Traceback" not in text
    assert 'File "' not in text
    assert not [secret for secret in ("runner-secret", "reader-secret", "wr0ng") if secret in text]
    assert text.startswith("keysteward.BridgeError: ")
    text = text.removeprefix("keysteward.BridgeError: ").strip()
    assert "\n" not in text
    return text


# ---- the stored format


@pytest.mark.skipif(pickle.DEFAULT_PROTOCOL not in PROVIDERS, reason="pinned for the default protocols listed")
def test_the_stored_format_is_pinned(acme: Acme) -> None:
    login = ClientSecret(
        "login",
        client="login",
        target=acme.corp,
        owner="team-billing",
        purpose="Web login",
        accept_gap=True,
        rotation=RotationSchedule(every="90d"),  # type: ignore[arg-type]
        deliver_to=acme.store.path("apps/login"),
    )
    program = registered(lambda: deploy(acme.stack(acme.client(), acme.client("mailer"), login)))
    assert {name: r.type for name, r in program.items()} == {
        "billing-api": "pulumi-python:dynamic/keysteward:ResourceServer",
        "exporter": "pulumi-python:dynamic/keysteward:M2MClient",
        "mailer": "pulumi-python:dynamic/keysteward:M2MClient",
        "login": "pulumi-python:dynamic/keysteward:ClientSecret",
    }
    for resource in program.values():
        kind = resource.type.rpartition(":")[2]
        assert resource.inputs["__provider"] == PROVIDERS[pickle.DEFAULT_PROTOCOL][kind]
        assert set(resource.inputs) == CREDENTIAL_INPUTS
        assert resource.inputs["format"] == 1
        assert resource.inputs["identity"] == f"acme/test/{resource.name}"
    exporter = program["exporter"].inputs
    assert set(json.loads(exporter["declaration"])) == {
        *("kind", "target", "owner", "purpose", "environment"),
        *("method", "strategy", "every", "overlap", "places", "scopes", "audiences"),
    }
    ports = json.loads(exporter["ports"])
    assert set(ports) == {"targets", "stores", "ledgers", "limit"}
    assert ports["targets"]["corp"] == {
        "kind": "keysteward.providers.keycloak:Keycloak",
        "settings": {
            "name": "corp",
            "url": acme.keycloak.url,
            "realm": "demo",
            "reader": "env:TEST_READER",
            "admin": "env:TEST_ADMIN",
        },
    }
    assert ports["stores"]["local"]["kind"] == "keysteward.providers.local:LocalStore"
    assert ports["ledgers"]["kind"] == "keysteward.providers.local:LocalLedgers"


def test_a_process_that_changes_something_leaves_one_heartbeat(acme: Acme) -> None:
    stack = acme.stack(acme.client())
    acme.engine.preview(stack)
    assert stack.ledgers.read("heartbeat/acme/test").document is None
    acme.engine.up(stack)
    stored = stack.ledgers.read("heartbeat/acme/test")
    assert stored.version == 1, "once per process"
    assert stored.document is not None
    assert (stored.document["door"], stored.document["command"]) == ("pulumi", "create")
    assert stored.document["outcome"] == "done"
    acme.engine.up(stack)
    assert stack.ledgers.read("heartbeat/acme/test").version == 1, "nothing due, none left, as the docs say"


def test_another_format_is_refused_before_anything_is_done(acme: Acme) -> None:
    stack = acme.stack(acme.client())
    program = registered(lambda: deploy(stack))
    says = "has format 2, and this keysteward knows format 1; use the version of keysteward that wrote it"
    with acme.engine.plugin() as plugin:
        for name in ("exporter", "billing-api"):
            news = {**program[name].inputs, "format": 2}
            assert plugin.check({}, news)[1] == [f"format: {says}"]
            for call in (lambda p: plugin.read("id", p), lambda p: plugin.delete("id", p), plugin.create):
                with pytest.raises(PluginError) as error:
                    call({**news, "plan": "#1 create"})
                assert sentence(error) == f"the state of acme/test/{name} {says}"
    assert acme.clients() == set()


DAMAGED = {
    "without ports": {"ports": None},
    "without ledgers": {"ports": "{}"},
    "ports that are no JSON": {"ports": "[[[["},
    "ports of another shape": {"ports": "5"},
    "targets of another shape": {"ports": '{"ledgers": 5, "targets": []}'},
    "without declaration": {"declaration": None},
    "an empty declaration": {"declaration": "{}"},
    "a declaration of another shape": {"declaration": "null"},
    "a declaration that is too deep": {"declaration": "[" * 5000},
    "without stack": {"stack": None},
    "without identity": {"identity": None},
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_damaged_state_is_told_with_what_to_do(acme: Acme, damage: str) -> None:
    program = registered(lambda: deploy(acme.stack(acme.client())))
    with acme.engine.plugin() as plugin:
        for name in ("exporter", "billing-api"):
            whole: dict[str, object] = {**program[name].inputs, "plan": "#1 create"}
            props = {key: value for key, value in (whole | DAMAGED[damage]).items() if value is not None}
            calls: list[Callable[[dict[str, object]], object]] = [
                lambda p: plugin.check({}, p),
                plugin.create,
                lambda p: plugin.read("id", p),
            ]
            if "declaration" not in DAMAGED[damage]:
                calls.append(lambda p: plugin.delete("id", p))
            for call in calls:
                with pytest.raises(PluginError) as error:
                    call(props)
                told = sentence(error)
                assert "is damaged" in told or "cannot be imported" in told, told
                assert "pulumi up" in told
    assert acme.clients() == set()


def test_an_import_says_that_there_is_none_and_what_to_do(acme: Acme) -> None:
    with acme.engine.plugin() as plugin:
        for kind in ("M2MClient", "ResourceServer"):
            with pytest.raises(PluginError) as error:
                plugin.read("theirs", {"__provider": PROVIDERS[pickle.DEFAULT_PROTOCOL][kind]})
            told = sentence(error)
            assert told.startswith("theirs cannot be imported into Pulumi's state: import is not supported.")
            assert 'adopt="<its client id>"' in told


# ---- a life


def test_create_announces_and_then_does_what_it_announced(acme: Acme) -> None:
    stack = acme.stack(acme.client())
    shown = acme.engine.preview(stack)
    assert shown["exporter"].plan == (
        "#1 create client exporter; issue generation 1 (key pairs); deliver generation 1 to local:apps/exporter"
    )
    assert shown["billing-api"].plan == "#1 create scope invoices:read; create scope invoices:write"
    assert acme.clients() == set()
    assert not (acme.engine.folder / "store").exists()

    acme.engine.up(stack)
    exporter = acme.engine.state["exporter"]
    assert exporter.id == "acme/test/exporter"
    assert set(exporter.outputs) == CREDENTIAL_INPUTS | {"plan", "approves"} | CREDENTIAL_OUTPUTS
    assert {name: exporter.outputs[name] for name in exporter.inputs} == exporter.inputs
    assert exporter.outputs["client_id"] == "exporter"
    assert exporter.outputs["client_ids"] == ["exporter"]
    assert exporter.outputs["generation"] == 1
    assert exporter.outputs["status"] == "active"
    assert exporter.outputs["delivered_to"] == ["local:apps/exporter"]
    assert exporter.outputs["fingerprint"] == acme.ledger().generation(1).fingerprint
    assert exporter.outputs["incarnation"] == acme.ledger().incarnation
    assert acme.ledger().executed.words == shown["exporter"].plan
    server = acme.engine.state["billing-api"]
    assert set(server.outputs) == CREDENTIAL_INPUTS | {"plan", "approves", "status", "incarnation", "scope_ids"}
    assert set(server.outputs["scope_ids"]) == acme.scopes() == {"invoices:read", "invoices:write"}


def test_nothing_due_is_no_change_and_a_due_rotation_is_an_update_with_the_announced_words(acme: Acme) -> None:
    stack = acme.stack(acme.client())
    acme.engine.up(stack)
    first = acme.engine.state["exporter"].inputs["plan"]
    shown = acme.engine.preview(stack)
    assert shown["exporter"].plan == first
    assert acme.engine.gates(stack) == (True, True)

    acme.pass_time(days=90)
    shown = acme.engine.preview(stack)
    assert shown["exporter"].operation == "update"
    assert shown["exporter"].plan.startswith("#2 rotate to generation 2 (due ")
    assert shown["billing-api"].operation == "same"
    acme.engine.up(stack)
    assert acme.states() == ["1 previous", "2 current"]
    assert acme.ledger().executed.words == shown["exporter"].plan
    assert acme.engine.state["exporter"].outputs["plan"] == shown["exporter"].plan
    assert acme.engine.state["exporter"].outputs["status"] == "overlap"
    assert acme.engine.gates(stack) == (True, True)

    acme.pass_time(days=8)
    assert acme.engine.preview(stack)["exporter"].plan == "#3 retire generation 1"
    acme.engine.up(stack)
    assert acme.states() == ["1 retired", "2 current"]
    assert acme.engine.gates(stack) == (True, True)


def test_what_ends_or_widens_and_was_not_announced_stops_with_one_sentence(acme: Acme) -> None:
    acme.engine.up(acme.stack(acme.client()))
    acme.pass_time(days=90)
    acme.engine.up(acme.stack(acme.client()))

    changed = acme.stack(acme.client(purpose="Nightly invoices"))
    announced = acme.engine.preview(changed)
    assert "description" in announced["exporter"].plan
    acme.pass_time(days=8)
    before = acme.remote().representation()
    with pytest.raises(PluginError) as error:
        acme.engine.apply(changed, announced)
    assert sentence(error) == (
        "acme/test/exporter: the world changed since the preview: retire generation 1 was not in the plan; "
        "preview it again"
    )
    assert acme.remote().representation() == before
    assert acme.states() == ["1 previous", "2 current"]

    announced = acme.engine.preview(changed)
    acme.remote().default_scopes = []
    with pytest.raises(PluginError) as error:
        acme.engine.apply(changed, announced)
    assert "was not in the plan; preview it again" in sentence(error)
    assert acme.remote().representation()["defaultClientScopes"] == []


def test_a_rotation_that_falls_due_on_the_way_needs_no_word_for_it_ends_nothing(acme: Acme) -> None:
    acme.engine.up(acme.stack(acme.client()))
    changed = acme.stack(acme.client(purpose="Nightly invoices"))
    announced = acme.engine.preview(changed)
    acme.pass_time(days=90)
    acme.engine.apply(changed, announced)
    assert acme.states() == ["1 previous", "2 current"]
    assert acme.engine.gates(changed) == (True, True)


def test_fewer_steps_than_announced_are_fine_and_the_same_drift_shows_again_later(acme: Acme) -> None:
    stack = acme.stack(acme.client())
    acme.engine.up(stack)
    acme.remote().settings["fullScopeAllowed"] = True
    announced = acme.engine.preview(stack)
    assert announced["exporter"].plan == "#2 update client exporter: fullScopeAllowed true -> false"
    acme.remote().settings["fullScopeAllowed"] = False
    acme.engine.apply(stack, announced)
    assert acme.engine.gates(stack) == (True, True)

    acme.remote().settings["fullScopeAllowed"] = True
    again = acme.engine.preview(stack)
    assert again["exporter"].operation == "update"
    assert again["exporter"].plan == "#3 update client exporter: fullScopeAllowed true -> false"
    acme.engine.up(stack)
    assert acme.remote().settings["fullScopeAllowed"] is False
    acme.remote().settings["fullScopeAllowed"] = True
    assert acme.engine.operations(stack)["exporter"] == "update"


# ---- reading


def test_read_returns_what_drifted_in_inputs_and_outputs_and_leaves_the_plan(acme: Acme) -> None:
    stack = acme.stack(acme.client(token_lifetime="10m"))
    acme.engine.up(stack)
    before = acme.engine.state["exporter"]
    remote = acme.remote()
    remote.attributes["access.token.lifespan"] = "86400"
    remote.settings["fullScopeAllowed"] = True
    remote.settings["description"] = remote.settings["description"].replace("Invoices", "Holidays")
    remote.default_scopes = [s for s in remote.default_scopes if s.name != "invoices:read"]
    acme.keycloak.realms["demo"].scope_named("invoices:write").description = "Write"  # type: ignore[union-attr]

    assert acme.engine.refresh() == {"exporter", "billing-api"}
    after = acme.engine.state["exporter"]
    assert after.inputs["declaration"] == after.outputs["declaration"]
    declared, drifted = json.loads(before.inputs["declaration"]), json.loads(after.inputs["declaration"])
    changed = {k: v for k, v in drifted.items() if declared.get(k) != v}
    assert changed.pop("safeguards")["fullScopeAllowed"] == "true"
    assert changed == {"token_lifetime": 86400, "purpose": "Holidays"}
    assert "scopes" not in drifted
    assert after.inputs["plan"] == before.inputs["plan"]
    server = acme.engine.state["billing-api"]
    assert json.loads(server.inputs["declaration"])["scopes"]["invoices:write"] == "Write"
    assert acme.engine.refresh() == set()

    acme.engine.up(stack)
    assert acme.engine.state["exporter"].inputs["declaration"] == before.inputs["declaration"]
    assert remote.attributes["access.token.lifespan"] == "600"
    assert acme.engine.gates(stack) == (True, True)


def test_drift_that_is_undone_by_hand_leaves_no_trace(acme: Acme) -> None:
    stack = acme.stack(acme.client())
    acme.engine.up(stack)
    before = acme.engine.state["exporter"]
    description = acme.remote().settings["description"]
    acme.remote().settings["description"] = "ask billing"
    assert acme.engine.refresh() == {"exporter"}
    acme.remote().settings["description"] = description
    assert acme.engine.refresh() == {"exporter"}
    assert acme.engine.state["exporter"] == before
    assert acme.engine.gates(stack) == (True, True)


def test_a_vanished_client_keeps_its_resource_and_is_not_brought_back(acme: Acme) -> None:
    stack = acme.stack(acme.client())
    acme.engine.up(stack)
    del acme.keycloak.realms["demo"].clients[acme.remote().id]
    acme.engine.refresh()
    assert acme.engine.state["exporter"].outputs["status"] == "ended elsewhere"

    shown = acme.engine.preview(stack)["exporter"]
    assert shown.plan == "#2 check whether generation 1 still works"
    acme.engine.up(stack)
    assert acme.clients() == set()
    assert acme.engine.state["exporter"].outputs["status"] == "ended elsewhere"
    assert acme.engine.gates(stack) == (True, True)
    assert "it is not silently brought back" in "".join(acme.engine.transcript)


def test_only_a_closed_ledger_answers_gone(acme: Acme) -> None:
    acme.engine.up(acme.stack(acme.client(), acme.client("mailer")))
    acme.embedded_up(acme.stack(acme.client()), prune=True)
    assert acme.engine.refresh() == {"mailer"}
    assert set(acme.engine.state) == {"billing-api", "exporter"}


# ---- creation over what exists


def test_create_over_an_open_ledger_issues_nothing_and_the_old_incarnation_deletes_nothing(acme: Acme) -> None:
    stack = acme.stack(acme.client())
    acme.engine.up(stack)
    old = dict(acme.engine.state)
    acme.engine.state.clear()
    assert set(acme.engine.operations(stack).values()) == {"create"}

    acme.engine.up(stack)
    assert acme.states() == ["1 current"]
    for name in ("exporter", "billing-api"):
        new = acme.engine.state[name].outputs
        assert new["incarnation"] != old[name].outputs["incarnation"]
        assert new["plan"] == old[name].outputs["plan"]
    with acme.engine.plugin() as plugin:
        for name in ("exporter", "billing-api"):
            plugin.delete(old[name].id, old[name].outputs)
    assert acme.clients() == {"exporter"}
    assert acme.scopes() == {"invoices:read", "invoices:write"}
    assert acme.ledger().closed is None
    assert acme.server_ledger().closed is None
    assert acme.engine.gates(stack) == (True, True)


def test_parallel_creations_share_one_snapshot(acme: Acme) -> None:
    names = [f"job-{number}" for number in range(8)]
    acme.engine.up(acme.stack())
    acme.keycloak.calls.clear()
    acme.engine.up(acme.stack(*(acme.client(name) for name in names)))
    assert acme.clients() == set(names)
    assert [acme.states(name) for name in names] == [["1 current"]] * len(names)
    assert {acme.engine.state[name].outputs["generation"] for name in names} == {1}
    calls = [(call.method, call.path.rpartition("/demo/")[2], call.query) for call in acme.keycloak.calls]
    lists = [c for c in calls if c[:2] == ("GET", "clients") and "clientId=" not in c[2]]
    assert len(lists) == 2  # one by the reader for all checks, one by the runner for all creations
    assert len([c for c in calls if c[:2] == ("POST", "clients")]) == len(names)


# ---- endings


def test_destroy_ends_everything_and_a_new_declaration_counts_on(acme: Acme) -> None:
    stack = acme.stack(acme.client())
    acme.engine.up(stack)
    acme.engine.destroy()
    assert (acme.clients(), acme.scopes(), acme.engine.state) == (set(), set(), {})
    assert acme.store.delivered(["apps/exporter"])["apps/exporter"].exists is False
    assert acme.ledger().closed is not None
    assert acme.server_ledger().closed is not None

    shown = acme.engine.preview(stack)["exporter"].plan
    assert shown.startswith("#2 create client exporter; issue generation 2")
    acme.engine.up(stack)
    assert acme.engine.state["exporter"].outputs["generation"] == 2
    assert acme.engine.gates(stack) == (True, True)


def test_deleting_more_than_the_limit_stops_and_what_was_deleted_before_stays_deleted(acme: Acme) -> None:
    names = [f"job-{number}" for number in range(6)]
    acme.engine.up(acme.stack(*(acme.client(name) for name in names)))
    with pytest.raises(PluginError) as error:
        acme.engine.up(acme.stack())
    assert sentence(error) == (
        "acme/test/job-3: 4 of 6 credentials would have been ended within a day, and the limit is 3 or 30%; "
        "restore the declarations, or allow it with KEYSTEWARD_ALLOW_ENDING=4"
    )
    assert acme.clients() == {"job-3", "job-4", "job-5"}
    acme.engine.destroy(KEYSTEWARD_ALLOW_ENDING="6")
    assert acme.clients() == set()


def test_the_limit_of_the_stack_counts_also_where_a_server_comes_first(acme: Acme) -> None:
    limit = Limit(count=0, share=0.0)
    acme.engine.up(acme.stack(acme.client(), acme.client("mailer"), limit=limit))
    changed = acme.stack(acme.server(audience="https://new.example.com"), limit=limit)
    with pytest.raises(PluginError) as error:
        acme.engine.up(changed)
    assert "1 of 2 credentials would have been ended within a day, and the limit is 0 or 0%" in sentence(error)
    assert acme.clients() == {"exporter", "mailer"}


@pytest.mark.parametrize("environment", ["production", "prod", "eu-central"])
def test_production_is_not_deleted_without_a_word(acme: Acme, environment: str) -> None:
    acme.engine.up(acme.stack(acme.client(environment=environment)))
    with pytest.raises(PluginError) as error:
        acme.engine.destroy()
    assert "it is a production credential" in sentence(error)
    with pytest.raises(PluginError) as error:
        acme.engine.up(acme.stack())
    assert sentence(error) == (
        "acme/test/exporter: it is a production credential, and its target cannot show whether it is still used. "
        "Restore the declaration of 'exporter'; or declare decommission=<date> on it, which suspends it then, and "
        "remove it a week later; or allow it now with KEYSTEWARD_ALLOW_ENDING=1"
    )
    assert acme.clients() == {"exporter"}
    acme.engine.up(acme.stack(), KEYSTEWARD_ALLOW_ENDING="1")
    assert acme.clients() == set()


# ---- revocation


def revoke(acme: Acme, stack: Stack) -> None:
    """Write a person's word into the ledger, as `keysteward revoke --all` does."""
    session = acme.session(stack, "runner")
    at = session.ledgers.now()
    session.credentials.edit("acme/test/exporter", lambda ledger: requests.revoke(ledger, at, "leaked"))


def dead(acme: Acme) -> bool:
    """Say whether nothing authenticates as the exporter."""
    return "exporter" not in acme.clients() or not acme.remote().settings["enabled"]


def test_a_revoked_credential_stays_revoked_whatever_the_engine_calls(acme: Acme) -> None:
    stack = acme.stack(acme.client())
    acme.engine.up(stack)
    revoke(acme, stack)
    shown = acme.engine.preview(stack)["exporter"]
    assert shown.operation == "update"
    assert "disable client exporter; retire generation 1" in shown.plan
    acme.engine.up(stack)
    assert acme.states() == ["1 retired"]
    assert dead(acme)
    assert acme.engine.state["exporter"].outputs["status"] == "revoked"
    assert "warning: revoked: leaked once the reason is dealt with run: keysteward lift exporter" in "".join(
        acme.engine.transcript
    )

    acme.engine.transcript.clear()
    assert acme.engine.preview(stack)["exporter"].operation == "same"
    said = "acme/test/exporter: warning: revoked (leaked): nothing new is issued until: keysteward lift exporter"
    assert said in "".join(acme.engine.transcript)
    assert acme.engine.gates(stack) == (True, True), "what is said beside the plan changes nothing"

    acme.pass_time(days=200)
    wider = acme.stack(acme.client(purpose="Invoices and reminders"))
    acme.engine.up(wider)
    assert acme.states() == ["1 retired"], "an update issues nothing"
    acme.engine.state.clear()
    acme.engine.up(wider)
    assert acme.states() == ["1 retired"], "a create over its ledger issues nothing"
    assert dead(acme)

    acme.engine.up(acme.stack())
    assert acme.clients() == set()
    assert acme.ledger().closed is not None
    acme.engine.up(wider)
    assert acme.states() == ["1 retired"], "deleted and declared again it still is revoked"
    assert acme.clients() == set()
    assert acme.engine.gates(wider) == (True, True)

    session = acme.session(wider, "runner")
    session.credentials.edit("acme/test/exporter", lambda ledger: requests.lift(ledger, session.snapshot.at))
    acme.engine.up(wider)
    assert acme.states()[-1] == "2 current"
    assert acme.remote().settings["enabled"]


def test_a_revocation_kept_in_the_project_is_honoured_by_this_door_too(acme: Acme, tmp_path: Path) -> None:
    stack = acme.stack(acme.client(), acme.client("mailer"))
    acme.engine.up(stack)
    keep(tmp_path, "acme/test/exporter", "leaked", disable_marked(acme.corp, "acme/test/exporter"))
    shown = acme.engine.preview(stack)
    assert shown["exporter"].plan == "#2 revoke it: leaked; retire generation 1"
    assert shown["mailer"].operation == "same"
    acme.engine.up(stack)
    revoked = acme.ledger().revoked
    assert revoked is not None
    assert revoked.reason == "leaked"
    assert not list((tmp_path / ".keysteward" / "revoked").rglob("*.json"))
    assert acme.states() == ["1 retired"]
    assert acme.states("mailer") == ["1 current"]
    assert acme.engine.gates(stack) == (True, True)


def test_a_record_ends_nothing_that_works_without_a_word_through_this_door(acme: Acme, tmp_path: Path) -> None:
    stack = acme.stack(acme.client(environment="production"))
    acme.engine.up(stack)
    keep(tmp_path, "acme/test/exporter", "said somebody", [])
    with pytest.raises(PluginError, match="the record of a revocation would end it"):
        acme.engine.up(stack)
    assert acme.states() == ["1 current"]


# ---- resource servers


def test_a_changed_audience_is_announced_and_reaches_scope_and_document(acme: Acme) -> None:
    acme.engine.up(acme.stack(acme.client()))
    acme.billing = acme.server(audience="https://new.example.com")
    stack = acme.stack(acme.client())
    shown = acme.engine.preview(stack)
    assert shown["billing-api"].plan == (
        "#2 update scope invoices:read (audience); update scope invoices:write (audience)"
    )
    acme.engine.up(stack)
    assert json.loads(acme.engine.state["exporter"].outputs["declaration"])["audiences"] == ["https://new.example.com"]
    assert acme.engine.gates(stack) == (True, True)


def both(acme: Acme) -> list[str]:
    return sorted(acme.scopes())


def test_a_dropped_scope_is_noted_and_deleted_by_the_update_of_its_last_client(acme: Acme) -> None:
    writes = {acme.billing: ["invoices:read", "invoices:write"]}
    acme.engine.up(acme.stack(acme.client(access=writes), acme.client("mailer", access=writes)))
    acme.billing = acme.server(scopes={"invoices:read": "Read invoices"})
    narrowed = acme.stack(acme.client(), acme.client("mailer"))
    shown = acme.engine.preview(narrowed)
    assert shown["billing-api"].plan == "#2 note scope invoices:write as dropped, while clients still have it"
    assert "invoices:write" in shown["exporter"].plan

    acme.engine.apply(narrowed, {**shown, "exporter": shown["exporter"], "mailer": _same(shown["mailer"])})
    assert acme.server_ledger().dropped == ("invoices:write",)
    assert both(acme) == ["invoices:read", "invoices:write"]

    acme.engine.up(narrowed)
    assert both(acme) == ["invoices:read"]
    assert acme.server_ledger().dropped == ()
    assert acme.engine.refresh() <= {"billing-api"}
    assert acme.engine.gates(narrowed) == (True, True)


def _same(change: object) -> object:
    return type(change)("same")  # type: ignore[call-arg]


def test_a_dropped_scope_is_deleted_with_its_last_client(acme: Acme) -> None:
    writes = {acme.billing: ["invoices:read", "invoices:write"]}
    acme.engine.up(acme.stack(acme.client(), acme.client("mailer", access=writes)))
    acme.billing = acme.server(scopes={"invoices:read": "Read invoices"})
    acme.engine.up(acme.stack(acme.client()))
    assert (acme.clients(), both(acme)) == ({"exporter"}, ["invoices:read"])
    assert set(acme.engine.operations(acme.stack(acme.client())).values()) == {"same"}


def test_parallel_updates_of_the_last_clients_delete_a_dropped_scope_once(acme: Acme) -> None:
    writes = {acme.billing: ["invoices:read", "invoices:write"]}
    names = [f"job-{number}" for number in range(4)]
    acme.engine.up(acme.stack(*(acme.client(name, access=writes) for name in names)))
    acme.billing = acme.server(scopes={"invoices:read": "Read invoices"})
    acme.engine.up(acme.stack(*(acme.client(name) for name in names)))
    assert both(acme) == ["invoices:read"]


def test_a_scope_that_a_stranger_has_is_not_dropped(acme: Acme) -> None:
    acme.engine.up(acme.stack())
    home = acme.keycloak.realms["demo"]
    stranger = Client("legacy", secret="theirs", settings=dict(CLIENT_DEFAULTS))
    stranger.default_scopes = [s for s in home.scopes.values() if s.name == "invoices:write"]
    home.clients[stranger.id] = stranger
    narrowed = acme.stack(acme.server(scopes={"invoices:read": "Read invoices"}))
    says = (
        "scope 'invoices:write' is still used by legacy, which this stack does not declare; "
        "take it from them first, or declare the scope again"
    )
    assert acme.engine.preview(narrowed)["billing-api"].failures == (f"declaration: {says}",)
    with pytest.raises(PluginError) as error:
        acme.engine.destroy()
    assert sentence(error) == f"acme/test/billing-api: {says}"
    assert both(acme) == ["invoices:read", "invoices:write"]


def test_a_scope_of_that_name_that_somebody_else_made_is_refused_unless_adopted(acme: Acme) -> None:
    acme.keycloak.realms["demo"].add_scope(Scope("invoices:read", description="theirs"))
    assert acme.engine.preview(acme.stack())["billing-api"].failures[0] == (
        "declaration: scopes: 'invoices:read' exists at target corp and was not made by keysteward; "
        "write adopt=True to take it over, or choose another name"
    )
    acme.engine.up(acme.stack(acme.server(adopt=True)))
    assert acme.keycloak.realms["demo"].scope_named("invoices:read").description == "Read invoices"  # type: ignore[union-attr]


# ---- the secret of somebody else's client


def test_a_client_secret_rotates_in_place_and_is_released_in_the_end(acme: Acme) -> None:
    home = acme.keycloak.realms["demo"]
    login = Client("login", secret="theirs-1", settings={**CLIENT_DEFAULTS, "description": "Web login"})
    home.clients[login.id] = login
    declared = ClientSecret(
        "login",
        client="login",
        target=acme.corp,
        owner="team-billing",
        purpose="Web login",
        accept_gap=True,
        retire_adopted=True,
        rotation=RotationSchedule(every="90d"),  # type: ignore[arg-type]
        deliver_to=acme.store.path("apps/login"),
    )
    stack = acme.stack(declared)
    assert acme.engine.preview(stack)["login"].plan == "#1 adopt the secret of client login"
    acme.engine.up(stack)
    assert login.secret == "theirs-1"
    assert acme.engine.gates(stack) == (True, True)

    acme.pass_time(days=90)
    assert acme.engine.preview(stack)["login"].plan.startswith("#2 rotate to generation 2")
    acme.engine.up(stack)
    delivered = acme.store.read("apps/login", 2)
    assert delivered is not None
    assert login.secret == delivered.value.get_secret_value() != "theirs-1"
    assert login.settings["description"] == "Web login"
    assert acme.engine.gates(stack) == (True, True)

    acme.engine.destroy()
    assert home.client_named("login") is login
    assert acme.ledger("login").closed is not None


# ---- what a person reads


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"TEST_READER": "reader:wr0ng%2Fpass"}, "env:TEST_READER"),
        ({"TEST_READER": ""}, "TEST_READER"),
        ({"TEST_READER": "reader"}, "TEST_READER"),
    ],
)
def test_a_wrong_administrator_is_one_sentence(acme: Acme, environment: dict[str, str], says: str) -> None:
    with pytest.raises(PluginError) as error:
        acme.engine.preview(acme.stack(acme.client()), **environment)
    text = sentence(error)
    assert says in text
    assert "wr0ng" not in "".join(acme.engine.transcript)


def test_a_target_that_is_down_is_one_sentence_and_loses_nothing(acme: Acme) -> None:
    stack = acme.stack(acme.client())
    acme.engine.up(stack)
    before = json.dumps(acme.engine.state["exporter"].outputs)
    acme.keycloak.stop()
    for act in (lambda: acme.engine.preview(stack), acme.engine.refresh, acme.engine.destroy):
        with pytest.raises(PluginError) as error:
            act()
        assert "is down or cannot be reached; start it or correct the url, then run again" in sentence(error)
    assert json.dumps(acme.engine.state["exporter"].outputs) == before


def test_a_place_of_somebody_else_is_a_failure_of_the_check(acme: Acme) -> None:
    acme.engine.up(acme.stack(acme.client()))
    thief = acme.stack(acme.client(), acme.client("thief", client_id="thief", deliver_to=acme.store.path("apps/x")))
    acme.engine.up(thief)
    moved = acme.stack(acme.client("thief", client_id="thief", deliver_to=acme.store.path("apps/exporter")))
    assert acme.engine.preview(moved)["thief"].failures[0] == (
        "declaration: deliver_to: local:apps/exporter holds a document delivered by acme/test/exporter; "
        "choose another path, or write take_over=True to let keysteward add its fields to it"
    )


def test_recorded_descriptors_that_cannot_be_revived_are_one_sentence(acme: Acme) -> None:
    acme.engine.up(acme.stack(acme.client()))
    outputs = dict(acme.engine.state["exporter"].outputs)
    for descriptor, says in (
        ({"kind": "acme.targets:Gone", "settings": {}}, "'acme.targets:Gone' cannot be imported; install the package"),
        (
            {"kind": "subprocess:Popen", "settings": {"args": "id"}},
            "'subprocess:Popen' is neither a target nor a store",
        ),
    ):
        ports = json.dumps({**json.loads(outputs["ports"]), "targets": {"corp": descriptor}})
        with acme.engine.plugin() as plugin, pytest.raises(PluginError) as error:
            plugin.read("id", {**outputs, "ports": ports})
        assert says in sentence(error)


BROKEN = """
from keysteward.providers.keycloak import Keycloak


class Broken(Keycloak):
    def observe(self, fingerprint):
        raise ZeroDivisionError("hush")
"""


def test_a_defect_is_named_and_shows_nothing_unless_asked(acme: Acme, tmp_path: Path) -> None:
    acme.engine.up(acme.stack(acme.client()))
    (tmp_path / "acme_target.py").write_text(BROKEN, encoding="utf-8")
    outputs, path = dict(acme.engine.state["exporter"].outputs), str(tmp_path)
    ports = json.loads(outputs["ports"])
    ports["targets"]["corp"]["kind"] = "acme_target:Broken"
    broken = {**outputs, "ports": json.dumps(ports)}
    with acme.engine.plugin(PYTHONPATH=path) as plugin, pytest.raises(PluginError) as error:
        plugin.read("id", broken)
    assert "internal error (ZeroDivisionError)" in sentence(error)
    assert "hush" not in str(error.value)
    with acme.engine.plugin(PYTHONPATH=path, KEYSTEWARD_DEBUG="1") as plugin, pytest.raises(PluginError) as error:
        plugin.read("id", broken)
    assert "Traceback" in str(error.value)
