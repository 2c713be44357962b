"""Reusable patterns: what they declare, checked as a whole stack."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from bench_world import MINTING, NAMED_KEYS, Company

from keysteward import ApiKey, M2MClient, Owners, ResourceServer, RotationSchedule, Stack
from keysteward.core.contract.observed import Mark
from keysteward.core.contract.ports import ScopeWant
from keysteward.core.errors import DeclarationError
from keysteward.core.policy.check import check
from keysteward.modules.partner_key import partner_key
from keysteward.modules.service_access import service_access
from keysteward.testing.memory import MemoryLedgers

CHECKED_ON = datetime(2026, 12, 1, tzinfo=UTC)

OWNERS = Owners.model_validate({"teams": {"team-billing": {"contact": "billing@example.com"}}})


@pytest.fixture
def made() -> Company:
    return Company(replace(MINTING, last_use="secret"), keys=NAMED_KEYS)


def api(company: Company) -> ResourceServer:
    return ResourceServer("orders", target=company.target, audience="https://orders", scopes={"orders:read": "Read"})


def checked(company: Company, *declared: ResourceServer | M2MClient | ApiKey) -> Stack:
    stack = Stack("acme/test", OWNERS, MemoryLedgers("ledgers", company.clock), declared)
    check(stack, OWNERS, CHECKED_ON)
    return stack


def test_a_services_access_is_its_client_with_these_scopes_and_nothing_else(made: Company) -> None:
    orders = api(made)
    first = service_access(
        "reports",
        api=orders,
        scopes=["orders:read"],
        owner="team-billing",
        purpose="Monthly reports",
        deliver_to=made.store.path("apps/reports"),
    )
    second = service_access(
        "search",
        api=orders,
        scopes=["orders:read"],
        owner="team-billing",
        purpose="Finds orders",
        deliver_to=made.store.path("apps/search"),
        environment="test",
        rotation=RotationSchedule(every="30d", overlap="1d"),
        with_api=False,
    )
    stack = checked(made, *first, *second)
    spec = stack.specs["acme/test/reports"]
    assert (spec.scopes, spec.audiences, spec.consumer) == (frozenset({"orders:read"}), ("https://orders",), "reports")
    assert stack.specs["acme/test/search"].environment == "test"
    wrong = service_access(
        "bad",
        api=orders,
        scopes=["orders:write"],
        owner="team-billing",
        purpose="x",
        deliver_to=made.store.path("apps/bad"),
    )
    with pytest.raises(DeclarationError, match="'orders' does not offer orders:write"):
        checked(made, *wrong)


def test_a_partners_key_lives_until_its_client_is_in_use_and_it_is_silent(made: Company) -> None:
    orders = api(made)
    partner = partner_key(
        "logistics",
        keys=made.target,
        holder="org-1",
        client_at=made.target,
        by=date(2026, 9, 30),
        owner="team-billing",
        purpose="Order status for a partner",
        access={orders: ["orders:read"]},
        deliver_to=made.store.path("partners/logistics"),
    )
    checked(made, orders, *partner)
    assert (partner.key.expires, partner.client.name) == (date(2026, 10, 30), "logistics-client")
    made.target.put_scope(ScopeWant("orders:read", "Read", "https://orders", Mark("acme/test/orders", "n")), None)
    made.declare(*partner)
    made.up()
    assert made.store.reads("partners/logistics") is not None
    assert made.store.reads("partners/logistics-client") is not None
    made.pass_time(days=35)
    client = next(o for o in made.target.objects.values() if o.client_id == "logistics-client")
    client.secrets[0].last_used = made.clock.now
    assert made.words("logistics") == "end the key: its consumers use client logistics-client; retire generation 1"
    made.up()
    assert made.target.objects["org-1"].secrets == []
    assert made.store.reads("partners/logistics-client") is not None
    assert made.store.reads("partners/logistics") is None
