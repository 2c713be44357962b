"""The state that an earlier version's resources left in Pulumi is read, and what it announced is done or refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from dynamic_server import Acme, Change, PluginError, Resource

from keysteward import Stack

STATE = Path(__file__).parents[1] / "stored" / "pulumi" / "state.json"
NAMES = ("billing-api", "exporter", "mailer")

Stored = Callable[[str], Any]


@pytest.fixture
def stack(acme: Acme) -> Stack:
    """Return the stack of then; what it declares exists."""
    stack = acme.stack(acme.client(), acme.client("mailer"))
    acme.engine.up(stack)
    return stack


@pytest.fixture
def stored(acme: Acme, stack: Stack, tmp_path: Path) -> Stored:
    """Return a way to a part of what was stored, which speaks of this target, this folder and these ledgers."""
    del stack
    text = STATE.read_text(encoding="utf-8").replace("http://TARGET", acme.keycloak.url)
    for name, resource in json.loads(text)["settled"].items():
        text = text.replace(resource["outputs"]["incarnation"], acme.engine.state[name].outputs["incarnation"])
    return lambda part: json.loads(text.replace("FOLDER", str(tmp_path)))[part]


def resources(documents: dict[str, Any]) -> dict[str, Resource]:
    return {name: Resource(**resource) for name, resource in documents.items()}


def test_the_state_of_then_needs_no_change(acme: Acme, stack: Stack, stored: Stored) -> None:
    acme.engine.state = resources(stored("settled"))
    assert acme.engine.operations(stack) == dict.fromkeys(NAMES, "same")
    acme.engine.refresh()
    assert set(acme.engine.state) == set(NAMES)
    assert acme.engine.operations(stack) == dict.fromkeys(NAMES, "same")
    assert acme.engine.gates(stack) == (True, True)


def test_a_rotation_of_then_is_followed_by_one_of_today(acme: Acme, stack: Stack, stored: Stored) -> None:
    acme.pass_time(days=90)
    acme.engine.up(stack)
    acme.engine.state = resources(stored("rotated"))
    assert acme.engine.operations(stack) == dict.fromkeys(NAMES, "same")
    acme.pass_time(days=90)
    assert acme.engine.up(stack)["exporter"].operation == "update"
    assert acme.states()[-1] == "3 current"


def test_a_declaration_that_changed_since_is_carried_out(acme: Acme, stored: Stored) -> None:
    acme.engine.state = resources(stored("settled"))
    wider = acme.stack(acme.client(access={acme.billing: ["invoices:read", "invoices:write"]}), acme.client("mailer"))
    assert acme.engine.up(wider)["exporter"].operation == "update"
    assert acme.engine.operations(wider) == dict.fromkeys(NAMES, "same")


def test_what_was_announced_then_is_done_or_refused_with_one_sentence(acme: Acme, stack: Stack, stored: Stored) -> None:
    acme.pass_time(days=90)
    acme.engine.state = resources(stored("settled"))
    announced = {name: Change(change["operation"], change["inputs"]) for name, change in stored("announced").items()}
    try:
        acme.engine.apply(stack, announced)
    except PluginError as error:
        [line] = str(error).strip().splitlines()
        assert line.startswith("keysteward.BridgeError: ")
        assert "preview it again" in line
        assert [acme.states(name) for name in ("exporter", "mailer")] == [["1 current"]] * 2
    acme.engine.up(stack)
    assert [acme.states(name) for name in ("exporter", "mailer")] == [["1 previous", "2 current"]] * 2


def test_what_is_in_the_state_of_then_can_be_deleted(acme: Acme, stored: Stored) -> None:
    acme.engine.state = resources(stored("settled"))
    acme.engine.destroy(KEYSTEWARD_ALLOW_ENDING="3")
    assert acme.engine.state == {}
    assert (acme.clients(), acme.scopes()) == (set(), set())
