"""The real engine, through the Automation API: nothing that it keeps, prints or reports as an event holds a secret."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from canary import Evidence, Known, WatchedKeycloak, leaks, note_values
from dynamic_server import Acme
from pulumi import automation

from keysteward import Stack, deploy

PROJECT, STACK = "acme", "test"


@pytest.fixture
def acme(known: Known, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Acme]:
    for name, value in Acme.environment.items():
        monkeypatch.setenv(name, value)
        known.add("administrator's secret", value.partition(":")[2])
    with WatchedKeycloak(known) as keycloak:
        yield Acme(keycloak, tmp_path)


def _deploy(declared: Stack) -> None:
    deploy(declared)


@pytest.mark.timeout(600)
def test_state_output_and_events_hold_no_secret(
    real_engine: str,
    acme: Acme,
    known: Known,
    evidence: Evidence,
    watch: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", real_engine)
    backend = tmp_path / "state"
    backend.mkdir()
    settings = {
        "PULUMI_BACKEND_URL": f"file://{backend}",
        "PULUMI_CONFIG_PASSPHRASE": "test",
        "PULUMI_HOME": str(tmp_path / "home"),
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        **watch,
    }
    declared = acme.stack(acme.client(), acme.client("mailer", auth_method="client_secret", alternate_clients=True))
    stack = automation.create_or_select_stack(
        STACK,
        PROJECT,
        program=lambda: _deploy(declared),
        opts=automation.LocalWorkspaceOptions(work_dir=str(tmp_path), env_vars=settings),
    )

    def hear(event: automation.EngineEvent) -> None:
        evidence.add("event", json.dumps(event.__dict__, default=lambda part: part.__dict__))

    def note(result: object) -> None:
        evidence.add("output", repr(vars(result)))
        evidence.add("exported state", json.dumps(stack.export_stack().deployment))

    note(stack.preview(diff=True, on_event=hear))
    note(stack.up(diff=True, on_event=hear))
    acme.pass_time(days=90)
    note(stack.up(diff=True, on_event=hear))
    assert acme.ledger().generations[-1].number == acme.ledger("mailer").generations[-1].number == 2
    note(stack.refresh(on_event=hear))
    stack.preview(expect_no_changes=True)
    note(stack.destroy(on_event=hear))
    assert acme.clients() == set()

    evidence.add_folder(backend)
    evidence.add_folder(tmp_path / "home")
    note_values(known, watch)
    assert known.count("generated value") == 2  # the private keys of both generations
    assert known.count("secret at the target") >= 2
    assert b"exporter" in evidence.of("event")
    assert b"exporter" in evidence.of("file")
    assert leaks(evidence.items, known) == []
