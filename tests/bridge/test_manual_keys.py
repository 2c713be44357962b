"""Keys that a person makes, under Pulumi: their value comes by `keysteward deliver`; `pulumi up` ends none of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from dynamic_server import IDENTITY, Acme, PluginError, registered
from saas import Saas, serving_saas

from keysteward import ApiKey, Bootstrap, ManualKey, RotationSchedule, Stack, deploy
from keysteward.core.contract.capabilities import Capabilities
from keysteward.host.material import material_of
from keysteward.providers.manual import Manual, Probe
from keysteward.testing.memory import Clock, MemoryTarget

CRM = f"{IDENTITY}/crm"


@pytest.fixture
def saas() -> Iterator[Saas]:
    with serving_saas() as served:
        yield served


def declared(acme: Acme, saas: Saas, **fields: Any) -> Stack:  # noqa: ANN401 - fields of the declaration
    """Return a stack of one key by hand beside a client."""
    given: dict[str, Any] = {
        "target": Manual("crm", probe=Probe(f"{saas.url}/me")),
        "owner": "team-billing",
        "purpose": "Contacts",
        "expires": date(2099, 1, 1),
        "rotation": RotationSchedule(every="90d", overlap="7d"),
        "deliver_to": acme.store.path("apps/crm"),
    }
    return acme.stack(acme.client(), ManualKey("crm", **{**given, **fields}))


def hand_over(acme: Acme, stack: Stack, value: str) -> None:
    """Do what `keysteward deliver` does."""
    session = acme.session(stack, "runner")
    session.credentials.run(CRM, stack.specs[CRM], given=material_of("api_key", value))


def say_ended(acme: Acme, stack: Stack, number: int) -> None:
    """Do what `keysteward deliver --ended` does."""
    acme.session(stack, "runner").credentials.run(CRM, stack.specs[CRM], asked=frozenset({number}))


def said(acme: Acme) -> str:
    return " ".join("\n".join(acme.engine.transcript).split())


def test_pulumi_up_waits_for_a_person_and_shows_what_was_delivered(acme: Acme, saas: Saas) -> None:
    stack = declared(acme, saas)
    acme.engine.up(stack)
    assert "no value was handed over yet make one at crm, then run: keysteward deliver crm" in said(acme)
    assert acme.engine.state["crm"].outputs["status"] == "pending"
    assert acme.engine.gates(stack) == (True, True)
    assert saas.calls == []

    saas.keys |= {"key-one", "key-two"}
    hand_over(acme, stack, "key-one")
    assert acme.engine.refresh() == {"crm"}
    shown = acme.engine.state["crm"].outputs
    assert (shown["status"], shown["generation"], shown["delivered_to"]) == ("active", 1, ["local:apps/crm"])
    acme.engine.up(stack)
    assert acme.engine.gates(stack) == (True, True)

    acme.pass_time(days=91)
    assert acme.engine.operations(stack)["crm"] == "same", "only a person can make the next one"
    assert acme.states("crm") == ["1 current"]
    hand_over(acme, stack, "key-two")
    acme.engine.up(stack)
    assert acme.states("crm") == ["1 previous", "2 current"]
    assert "key-one" not in said(acme)
    assert "key-two" not in said(acme)


def test_removing_it_while_it_may_live_is_an_error_that_names_the_command(acme: Acme, saas: Saas) -> None:
    stack = declared(acme, saas)
    acme.engine.up(stack)
    saas.keys.add("key-one")
    hand_over(acme, stack, "key-one")
    acme.engine.refresh()

    with pytest.raises(PluginError) as refused:
        acme.engine.up(acme.stack(acme.client()))
    assert "generation 1 may still work at crm, where only a person can end it; declare it again, end it there" in str(
        refused.value
    )
    assert "run: keysteward deliver crm --ended 1, then remove it" in str(refused.value)
    assert "crm" in acme.engine.state
    assert acme.states("crm") == ["1 current"]

    acme.engine.up(stack)
    saas.keys.clear()
    say_ended(acme, stack, 1)
    acme.engine.up(acme.stack(acme.client()))
    assert "crm" not in acme.engine.state
    assert acme.states("crm") == ["1 retired"]
    assert acme.ledger("crm").closed is not None
    assert acme.store.read("apps/crm", 1) is None


def test_a_key_that_another_system_proves_takes_it_along(acme: Acme, saas: Saas) -> None:
    can = Capabilities(methods=("api_key",), secrets=9, named_keys=True)
    key = ApiKey(
        "partner",
        target=MemoryTarget("issuer", Capabilities(methods=()), Clock(), can),
        holder="org-1",
        owner="team-billing",
        purpose="Contacts",
        expires=date(2099, 1, 1),
        classification=Bootstrap(exchanged_for="a workload identity"),
        rotation=RotationSchedule(every="90d", overlap="7d"),  # type: ignore[arg-type]
        deliver_to=acme.store.path("apps/partner"),
        proven_by=Manual("probe", probe=Probe(f"{saas.url}/me")),
    )
    ports = json.loads(registered(lambda: deploy(acme.stack(key)))["partner"].inputs["ports"])
    assert sorted(ports["targets"]) == ["issuer", "probe"]
