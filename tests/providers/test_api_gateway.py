"""API Gateway's own: plans that go, keys in no plan, values that are taken, and what a reader does not ask for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from aws_account import Account

from keysteward.core.contract.observed import ObservedSecret
from keysteward.core.contract.ports import Action, Claim, Material, ObjectRef, Order, Proof
from keysteward.core.errors import AccessDenied, Conflict, NotFound
from keysteward.host.material import new_material
from keysteward.providers.aws.api_gateway import NO_PLAN


def order(material: Material | None = None, name: str = "acme/test/partner 1 0badcafe") -> Order:
    return Order(Action.ADD, material or new_material("api_key"), name=name)


def keys(account: Account) -> dict[str, Mapping[str, Any]]:
    found = account.client("apigateway").get_api_keys(includeValues=True)["items"]
    return {str(key["name"]): key for key in found}


def test_a_usage_plan_that_is_gone_is_named_and_nothing_is_made(aws_account: Account) -> None:
    target, plan = aws_account.api_gateway(), aws_account.plan("partners")
    aws_account.client("apigateway").delete_usage_plan(usagePlanId=plan)
    with pytest.raises(NotFound, match=rf"there is no usage plan {plan} in eu-central-1: create it, or correct"):
        target.issue(plan, order())
    assert target.look(ObjectRef(plan), None) is None
    assert keys(aws_account) == {}


def test_a_key_carries_our_name_and_its_plan_the_plans_name(aws_account: Account) -> None:
    target, plan = aws_account.api_gateway(), aws_account.plan("partners")
    issued = target.issue(plan, order())
    (holder,) = target.observe(lambda text: f"k1:{len(text)}").objects
    assert (holder.client_id, holder.label, holder.holder) == (plan, "partners", "usage plan")
    (secret,) = holder.secrets
    assert (secret.id, secret.name, secret.fingerprint) == (issued.id, "acme/test/partner 1 0badcafe", "k1:43")
    assert secret.created_at is not None


def test_a_key_in_no_plan_is_shown_all_the_same(aws_account: Account) -> None:
    aws_account.client("apigateway").create_api_key(name="forgotten", enabled=True)
    (loose,) = aws_account.api_gateway().observe(None).objects
    assert loose.client_id == NO_PLAN
    assert [secret.name for secret in loose.secrets] == ["forgotten"]
    with pytest.raises(NotFound):
        aws_account.api_gateway().issue(NO_PLAN, order())


def test_a_value_that_another_key_has_is_a_conflict(aws_account: Account) -> None:
    target, plan, material = aws_account.api_gateway(), aws_account.plan("partners"), new_material("api_key")
    aws_account.client("apigateway").create_api_key(name="theirs", value=material.value.get_secret_value())
    with pytest.raises(Conflict, match="another API key has this value already") as refused:
        target.issue(plan, order(material))
    assert material.value.get_secret_value() not in str(refused.value)
    assert set(keys(aws_account)) == {"theirs"}


def test_the_same_order_twice_makes_one_key(aws_account: Account) -> None:
    target, plan, once = aws_account.api_gateway(), aws_account.plan("partners"), order()
    assert target.issue(plan, once) == target.issue(plan, once)
    assert len(keys(aws_account)) == 1


def test_a_proof_says_what_is_wrong_with_a_key(aws_account: Account) -> None:
    target, plan, material = aws_account.api_gateway(), aws_account.plan("partners"), new_material("api_key")
    issued = target.issue(plan, order(material))
    claim = Claim(plan, material, token=False, secret_id=issued.id)
    assert target.verify(claim).proof is Proof.READ_BACK
    gateway = aws_account.client("apigateway")
    gateway.delete_usage_plan_key(usagePlanId=plan, keyId=issued.id)
    found = target.verify(claim)
    assert (found.proof, found.reason) == (Proof.WRONG, f"the API key is not in usage plan {plan}")
    target.suspend(plan, (str(issued.id),))
    assert target.verify(claim).reason == "the API key is disabled"
    gateway.delete_api_key(apiKey=issued.id)
    assert target.verify(claim).reason == "there is no such API key any more"


@pytest.mark.parametrize("gone", ["the key left its plan", "the plan is gone"])
def test_a_key_ends_by_its_id_alone(aws_account: Account, gone: str) -> None:
    target, plan, gateway = aws_account.api_gateway(), aws_account.plan("partners"), aws_account.client("apigateway")
    issued = target.issue(plan, order())
    gateway.delete_usage_plan_key(usagePlanId=plan, keyId=issued.id)
    if gone == "the plan is gone":
        gateway.delete_usage_plan(usagePlanId=plan)
    assert len(keys(aws_account)) == 1
    for _ in range(2):
        target.retire(plan, ObservedSecret(str(issued.id), "key"))
    assert keys(aws_account) == {}


def test_a_reader_asks_for_no_values(aws_account: Account) -> None:
    target, plan = aws_account.api_gateway(), aws_account.plan("partners")
    target.issue(plan, order())
    before = len(aws_account.stand_in.calls)
    (holder,) = target.as_reader().observe(lambda text: text).objects
    assert [secret.fingerprint for secret in holder.secrets] == [None]
    queries = [call.query for call in aws_account.stand_in.calls[before:]]
    assert not any("includeValues=true" in query for query in queries)
    assert len(queries) == 3, "plans, keys, and the members of the one plan"


def test_a_missing_right_is_named_as_policies_write_it(aws_account: Account) -> None:
    plan = aws_account.plan("partners")
    with pytest.raises(AccessDenied, match="env:AWS_TARGETS_READER may not apigateway:POST on an API key"):
        aws_account.api_gateway().as_reader().issue(plan, order())
    assert keys(aws_account) == {}
