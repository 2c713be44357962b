"""What an earlier version stored is read, or refused with one sentence. See tests/stored/README.md."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from cli_project import Project

from keysteward.core.errors import KeystewardError
from keysteward.core.record.ledger import Ledger, dump_ledger, load_ledger
from keysteward.core.record.server_ledger import dump_server_ledger, load_server_ledger
from keysteward.operations.offline.revocations import read_record
from keysteward.operations.offline.stack_card import read_card
from keysteward.operations.project import Opened
from keysteward.operations.session import Access, Session
from keysteward.providers import dynamic

STORED = Path(__file__).parents[1] / "stored"
VERSION = 7
STATES = {
    "a-run-that-died": ["current", "intent"],
    "gap": ["retired", "current"],
    "key-pairs": ["previous", "current"],
    "minted": ["previous", "current"],
    "named-keys": ["previous", "current"],
    "named-keys-of-a-holder": ["current"],
    "native-overlap": ["previous", "current"],
    "own-keys": ["previous", "current"],
    "two-clients-in-turn": ["previous", "current"],
}
OF_THE_STACK = {
    "billing-exporter": ["previous", "current"],
    "closed": ["retired"],
    "held": ["current"],
    "revoked": ["retired"],
    "suspended": ["current"],
}


def stored(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((STORED / name).read_text(encoding="utf-8"))
    return found


def ledgers(documents: Mapping[str, Any]) -> list[Ledger]:
    credentials = [d for key, d in documents.items() if key.startswith("ledgers/") and "generations" in d]
    return [load_ledger(document, VERSION) for document in credentials]


@pytest.mark.parametrize("name", sorted(STATES))
def test_a_ledger_of_each_strategy(name: str) -> None:
    [ledger] = ledgers(stored(f"ledgers/{name}.json"))
    assert [g.state.value for g in ledger.generations] == STATES[name]
    assert load_ledger(dump_ledger(ledger), VERSION) == ledger


def test_no_file_is_left_out() -> None:
    assert {path.stem for path in (STORED / "ledgers").iterdir()} == set(STATES)


@pytest.fixture
def stack(project: Project) -> Project:
    """The project of today over the ledger store of then; its target and store are empty, as after a great loss."""
    documents = stored("stack/store.json")
    project.ledgers.documents = {key: (json.dumps(document), VERSION) for key, document in documents.items()}
    project.clock.now = datetime.fromisoformat((STORED / "stack" / "now.txt").read_text().strip())
    names = ("billing-exporter", "held", "suspended", "revoked")
    project.declare(project.api, *(project.client(n, access={project.api: ["invoices:read"]}) for n in names))
    return project


def test_the_ledgers_of_a_stack(stack: Project) -> None:
    documents = stored("stack/store.json")
    found = {ledger.name: [g.state.value for g in ledger.generations] for ledger in ledgers(documents)}
    assert found == OF_THE_STACK
    [server] = [d for key, d in documents.items() if key.startswith("ledgers/") and "generations" not in d]
    loaded = load_server_ledger(server, VERSION)
    assert set(loaded.scopes) == {"invoices:read", "invoices:write"}
    assert load_server_ledger(dump_server_ledger(loaded), VERSION) == loaded
    shown = stack.run("show", "revoked")
    assert shown.code == 0
    assert "leaked" in shown.out


def test_the_audit_log_is_whole_and_goes_on(stack: Project) -> None:
    verified = stack.run("audit", "verify")
    assert verified.code == 0, verified
    stack.run("release", "held", "--reason", "the release is over")
    assert stack.run("audit", "verify").code == 0
    assert "the release is over" in stack.run("audit", "show").out + stack.run("show", "held", "--json").out


def test_what_the_target_has_lost_since_is_told(stack: Project) -> None:
    looked = stack.run("drift", "--json")
    assert json.loads(looked.out)["findings"], looked
    assert "internal error" not in looked.out + looked.err


def test_a_saved_plan_is_refused_with_what_to_do(stack: Project) -> None:
    refused = stack.run("up", "--plan", str(STORED / "plan.json"))
    assert refused.code == 1
    assert "has format 1, this keysteward reads format 2: save and approve it again" in refused.err


def test_the_stack_card_and_the_record_of_a_revocation() -> None:
    card = read_card(STORED / "stack" / "card.json")
    assert (card.stack, set(card.targets), set(card.stores)) == ("acme/demo", {"corp"}, {"secrets"})
    record = read_record(STORED / "stack" / "revocations" / "billing-exporter.json")
    assert (record.identity, record.reason) == ("acme/demo/billing-exporter", "leaked")


@pytest.fixture
def bridge(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """The resource of then, whose credential lives; Pulumi's way in reaches the project in memory."""
    project.declare(project.api, project.client("bridge", access={project.api: ["invoices:read"]}))
    assert project.run("up", "--yes").code == 0
    sessions: dict[Access, Session] = {}
    opened = Opened(project.stack, project.owners)
    monkeypatch.setattr(
        dynamic._PROCESS, "session", lambda _props, access: sessions.setdefault(access, opened.session(access))
    )
    return project


def test_the_state_of_pulumi_is_read_and_changes_nothing(bridge: Project) -> None:
    for name, provider in (
        ("billing-api", dynamic.ResourceServerProvider()),
        ("bridge", dynamic.M2MClientProvider()),
    ):
        state = stored("pulumi.json")[name]
        props = dynamic._props(bridge.stack, name, state["kind"])
        checked = provider.check(state["inputs"], props)
        assert not checked.failures
        assert checked.inputs == state["inputs"]
        assert provider.read(state["id"], state["outputs"]).id == state["id"]


def test_words_that_were_announced_then_approve_nothing_now(bridge: Project) -> None:
    state = stored("pulumi.json")["bridge"]
    bridge.pass_time(days=90)
    bridge.run("up", "--yes")
    bridge.pass_time(days=8)
    announced = {**state["inputs"], "plan": "#3 retire generation 1"}
    with pytest.raises(dynamic.BridgeError, match="was not in the plan; preview it again") as refused:
        dynamic.M2MClientProvider().update(state["id"], state["outputs"], announced)
    assert not isinstance(refused.value, KeystewardError)
    assert bridge.states("bridge") == ["1 previous", "2 current"]
