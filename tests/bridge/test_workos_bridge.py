"""WorkOS under Pulumi's own plugin server: ids that the target assigns come back as outputs; both gates are clean."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from dynamic_server import IDENTITY, Engine

from keysteward import ApiKey, M2MClient, Owners, PermanentException, ResourceServer, RotationSchedule, Stack
from keysteward.providers.local import LocalStore
from keysteward.providers.workos import WorkOS
from keysteward.sandbox import WorkOSStandIn


def test_a_client_and_a_key_pass_both_gates_and_are_ended_by_destroy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with WorkOSStandIn() as stand_in:
        environment = {"WORKOS_ADMIN": stand_in.api_key, "WORKOS_READER": stand_in.api_key}
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        organization = stand_in.add_organization("Acme")
        engine, stack = Engine(environment, tmp_path), declared(stand_in, organization, tmp_path)
        changes = engine.preview(stack)
        assert "create client exporter" in changes["exporter"].plan
        engine.up(stack)
        (application,) = stand_in.environment.applications
        (key,) = stand_in.environment.api_keys
        outputs = {name: resource.outputs for name, resource in engine.state.items()}
        assert outputs["exporter"]["client_id"] == application.client_id
        assert outputs["exporter"]["client_ids"] == [application.client_id]
        assert outputs["partner-key"]["client_id"] == organization
        shown = repr(outputs)
        assert key.value not in shown
        assert all(secret.value not in shown for secret in stand_in.environment.secrets)
        assert engine.gates(stack) == (True, True)
        application.description = "Changed by hand"
        assert engine.refresh() == {"exporter"}
        engine.destroy(KEYSTEWARD_ALLOW_ENDING="2")
        assert list(stand_in.environment.applications) == []
        assert list(stand_in.environment.api_keys) == []
        assert {permission.system for permission in stand_in.environment.permissions} == {True}


def declared(stand_in: WorkOSStandIn, organization: str, folder: Path) -> Stack:
    target = WorkOS(
        "customers",
        url=stand_in.url,
        authkit_domain=stand_in.url,
        client_id=stand_in.client_id,
        admin="env:WORKOS_ADMIN",
        reader="env:WORKOS_READER",
        organization=organization,
    )
    store = LocalStore("local", root=folder / "store", key=folder / "age.key")
    api = ResourceServer("billing-api", target=target, audience=stand_in.client_id, scopes={"invoices:read": "Read"})
    client = M2MClient(
        "exporter",
        target=target,
        owner="team-billing",
        purpose="Invoices",
        environment="test",
        access={api: ["invoices:read"]},
        rotation=RotationSchedule(every="90d", overlap="7d"),
        deliver_to=store.path("apps/exporter"),
    )
    key = ApiKey(
        "partner-key",
        target=target,
        holder=organization,
        owner="team-billing",
        purpose="Invoices",
        environment="test",
        access={api: ["invoices:read"]},
        expires=date(2099, 1, 1),
        classification=PermanentException(
            justification="the partner has no OAuth", risk_accepted_by="security", review_by=date(2098, 1, 1)
        ),
        rotation=RotationSchedule(every="90d", overlap="7d"),
        deliver_to=store.path("apps/partner-key"),
    )
    owners = Owners.model_validate({"teams": {"team-billing": {"contact": "billing@example.com"}}})
    return Stack(IDENTITY, owners, store.ledgers(), [api, client, key])
