"""Targets that choose client_ids themselves: the declared name is only a name, and consumers get the assigned one."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from bench_world import ASSIGNING, STOCK, Company

from keysteward.core.contract.observed import Mark
from keysteward.core.declare.credentials import M2MClient, ResourceServer
from keysteward.core.declare.owners import Owner, Owners
from keysteward.core.declare.stack import Stack
from keysteward.core.errors import DeclarationError, OutcomeUnknown
from keysteward.core.policy.check import check
from keysteward.core.record.ledger import ObjectRecord
from keysteward.core.record.requests import reissue
from keysteward.testing.memory import MemoryObject, MemoryTarget

CHECKED_ON = datetime(2026, 12, 1, tzinfo=UTC)

NAME = "acme/test/billing"
OWNERS = Owners(teams={"team-billing": Owner(contact="billing@example.com")})


@pytest.fixture
def company() -> Company:
    company = Company(ASSIGNING)
    company.declare(company.client())
    return company


def record(company: Company, name: str = "billing") -> ObjectRecord:
    return company.ledger(name).objects[-1]


def only_object(company: Company) -> MemoryObject:
    assert len(company.target.objects) == 1
    return next(iter(company.target.objects.values()))


def test_consumers_get_the_assigned_client_id(company: Company) -> None:
    assert company.words().startswith("create client billing; issue generation 1 (add, then retire); deliver")
    company.up()
    made = only_object(company)
    assert made.label == "billing"
    assert (record(company).client_id, record(company).remote_id) == (made.client_id, made.remote_id)
    assert made.client_id != "billing"
    spec = company.specs[NAME]
    document = company.store.documents["apps/billing"]["current"]
    assert document is not None
    assert document[2] == spec.document_digest(made.client_id, "client_secret")
    assert company.consumer_works()
    assert company.words() == ""


def test_a_rotation_stays_on_the_same_client(company: Company) -> None:
    company.up()
    before = record(company)
    for _ in range(60):
        company.pass_time(days=7)
        company.up()
        assert company.consumer_works()
        assert company.words() == ""
    assert company.ledger().next > 4
    assert company.ledger().objects == (before,)
    assert len(only_object(company).secrets) == 1


def test_a_client_whose_creation_was_not_recorded_is_found_by_its_mark(company: Company) -> None:
    def lose(operation: str) -> None:
        if operation == "create":
            raise OutcomeUnknown("the answer was lost")

    company.target.after = lose
    with pytest.raises(OutcomeUnknown):
        company.up()
    company.target.after = lambda _operation: None
    made = only_object(company)
    assert (record(company).client_id, record(company).remote_id) == ("billing", None)
    company.pass_time(minutes=10)
    company.up()
    assert only_object(company) is made
    assert record(company).client_id == made.client_id
    assert company.consumer_works()
    assert company.words() == ""


def test_a_strangers_client_of_the_same_name_is_no_obstacle_and_stays(company: Company) -> None:
    settings = company.specs[NAME].settings()
    stranger = MemoryObject("obj-0", "client-0", settings, Mark("acme/other/billing", "n0"), label="billing")
    company.target.objects["obj-0"] = stranger
    company.up()
    assert company.consumer_works()
    assert stranger.mark == Mark("acme/other/billing", "n0")
    assert record(company).remote_id != "obj-0"


def test_a_rename_keeps_the_client_and_its_id(company: Company) -> None:
    company.up()
    before = only_object(company)
    company.declare(company.client("invoices", previously=["billing"], deliver_to=company.store.path("apps/billing")))
    company.up()
    assert only_object(company) is before
    assert before.mark is not None
    assert before.mark.identity == "acme/test/invoices"
    assert record(company, "invoices").client_id == before.client_id
    assert company.words("invoices") == ""


@pytest.mark.parametrize("given", ["obj-7", "client-7"])
def test_a_client_is_adopted_by_either_id(company: Company, given: str) -> None:
    settings = replace(company.specs[NAME].settings(), description="Made by hand")
    company.target.objects["obj-7"] = MemoryObject("obj-7", "client-7", settings, None, label="By hand")
    company.declare(company.client(adopt=given))
    assert company.words().startswith("adopt client client-7")
    company.up()
    assert (record(company).client_id, record(company).remote_id) == ("client-7", "obj-7")
    assert only_object(company).mark == Mark(NAME, record(company).nonce)


def test_a_client_that_is_gone_is_made_anew_under_its_name(company: Company) -> None:
    company.up()
    company.target.objects.clear()
    company.pass_time(days=1)
    company.up()
    ledger = company.ledger()
    assert ledger.ended_elsewhere == 1
    assert ledger.objects[-1].deleted
    company.reconciler().edit(NAME, lambda ledger: reissue(ledger, "wanted", at=company.clock.now))
    company.up()
    made = only_object(company)
    assert made.label == "billing"
    assert record(company).client_id == made.client_id
    assert company.consumer_works()


def test_a_move_from_a_target_that_takes_names(company: Company) -> None:
    other = MemoryTarget("old", STOCK, company.clock)
    company.targets["old"] = other
    company.declare(company.client(target=other, auth_method="private_key_jwt"))
    company.up()
    company.declare(company.client())
    company.up()
    assert record(company).client_id == only_object(company).client_id
    company.pass_time(days=8)
    company.up()
    assert company.words() == ""
    assert [g.target for g in company.ledger().generations if g.live] == ["idp"]


def test_a_client_id_of_our_own_and_another_audience_are_refused_before_any_call() -> None:
    can = replace(ASSIGNING, audience="everything")
    company = Company(can)
    server = ResourceServer("api", target=company.target, audience="https://api.example.com", scopes={"read": "Read"})
    client = company.client(client_id="mine", access={server: ["read"]})
    with pytest.raises(DeclarationError) as refused:
        check(_stack(company, server, client), OWNERS, CHECKED_ON)
    assert refused.value.message.splitlines() == [
        "M2MClient 'billing': client_id: target idp assigns it itself, and delivers what it assigned; remove it",
        "ResourceServer 'api': audience: every token of target idp is for 'everything'; write that",
    ]
    assert company.target.calls == []


def _stack(company: Company, *declared: M2MClient | ResourceServer) -> Stack:
    return Stack("acme/test", OWNERS, company.ledgers, list(declared))
