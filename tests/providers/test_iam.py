"""IAM's own: two keys for a user and no more, who may what, and proofs that a wrong clock cannot spoil."""

from __future__ import annotations

from dataclasses import replace

import pytest
from aws_account import ADMIN, RUNNER, SECRET_KEY, Account
from aws_server import REGION

from keysteward.core.contract.observed import ObservedSecret
from keysteward.core.contract.ports import Action, Claim, Issued, ObjectRef, Order, Proof
from keysteward.core.errors import AccessDenied, DeclarationError, NotFound, Rejected, Unavailable
from keysteward.host.material import new_material
from keysteward.providers.aws import Iam
from keysteward.providers.aws.connection import LONGEST_PAUSE_SECONDS
from keysteward.sandbox.faults import Fault

MINT = Order(Action.MINT)


def claim(user: str, issued: Issued) -> Claim:
    assert issued.material is not None
    return Claim(user, issued.material, token=False, secret_id=issued.id)


def made_by_hand(account: Account, user: str, status: str = "Active") -> str:
    iam = account.client("iam")
    key_id = str(iam.create_access_key(UserName=user)["AccessKey"]["AccessKeyId"])
    iam.update_access_key(UserName=user, AccessKeyId=key_id, Status=status)
    return key_id


def test_keys_made_by_hand_fill_the_user_and_are_reported_and_left_alone(aws_account: Account) -> None:
    target, user = aws_account.iam(), aws_account.user("svc-billing")
    theirs = {made_by_hand(aws_account, user), made_by_hand(aws_account, user, "Inactive")}
    with pytest.raises(Rejected, match=r"IAM user svc-billing has both of its 2 access keys, and inactive ones count"):
        target.issue(user, MINT)
    (holder,) = target.observe(None).objects
    assert {secret.id for secret in holder.secrets} == theirs
    assert sorted(secret.enabled for secret in holder.secrets) == [False, True]
    assert holder.holder == "IAM user"


def test_suspending_leaves_what_others_made_as_it_is(aws_account: Account) -> None:
    target, user = aws_account.iam(), aws_account.user("svc-billing")
    theirs = made_by_hand(aws_account, user)
    ours = target.issue(user, MINT)
    target.suspend(user, (str(ours.id),))
    found = target.look(ObjectRef(user), None)
    assert found is not None
    assert {secret.id: secret.enabled for secret in found.secrets} == {theirs: True, ours.id: False}
    assert target.verify(claim(user, ours)).proof is Proof.REFUSED


def test_only_the_users_that_are_named_are_looked_at(aws_account: Account) -> None:
    for name, path in (("svc-billing", "/services/"), ("svc-old", "/"), ("operator", "/services/")):
        aws_account.user(name, path)
    target = aws_account.iam(users=("svc-*",), path_prefix="/services/")
    assert set(target.observe(None).by_client_id) == {"svc-billing"}
    found = {name: target.look(ObjectRef(name), None) is not None for name in ("svc-billing", "svc-old", "operator")}
    assert found == {"svc-billing": True, "svc-old": False, "operator": False}


def test_observing_costs_a_page_and_a_call_for_each_user_and_key(aws_account: Account) -> None:
    target = aws_account.iam()
    for number in range(5):
        aws_account.user(f"svc-{number}")
    made_by_hand(aws_account, "svc-1")
    before = len(aws_account.stand_in.calls)
    target.observe(None)
    assert len(aws_account.stand_in.calls) - before == 1 + 5 + 1


def test_a_user_that_is_not_there_is_named(aws_account: Account) -> None:
    with pytest.raises(NotFound, match=r"there is no IAM user svc-gone: create it, or correct `holder`"):
        aws_account.iam().issue("svc-gone", MINT)


def test_a_missing_right_is_named_as_policies_write_it(aws_account: Account) -> None:
    user = aws_account.user("svc-billing")
    with pytest.raises(AccessDenied, match="env:AWS_TARGETS_READER may not iam:CreateAccessKey on user svc-billing"):
        aws_account.iam().as_reader().issue(user, MINT)


def test_throttling_asks_to_come_back_later(aws_account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    user = aws_account.user("svc-billing")
    with (
        aws_account.failing("iam:CreateAccessKey", "Throttling"),
        pytest.raises(Unavailable, match=r"AWS asks to slow down \(Throttling\): run again later"),
    ):
        aws_account.iam().issue(user, MINT)


def test_a_throttled_key_is_asked_for_again_and_made_once(
    aws_account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("time.sleep", pauses.append)
    user = aws_account.user("svc-billing")
    slow_down = {"x-amzn-errortype": "Throttling"}
    aws_account.stand_in.faults.add(
        Fault(kind="status", path="^iam:CreateAccessKey$", status=400, headers=slow_down, times=2)
    )
    issued = aws_account.iam().issue(user, MINT)
    (holder,) = aws_account.iam().observe(None).objects
    assert [secret.id for secret in holder.secrets] == [issued.id]
    assert len(pauses) == 2
    assert sum(pauses) <= 2 * LONGEST_PAUSE_SECONDS


def test_a_user_that_a_ledger_names_is_found_outside_of_the_bounds(aws_account: Account) -> None:
    """A moved user keeps the keys: what is not seen could not be ended."""
    target, user = aws_account.iam(users=("svc-*",), path_prefix="/services/"), aws_account.user("svc-old", "/")
    key_id = made_by_hand(aws_account, user)
    found = target.look(ObjectRef(user, user), None)
    assert found is not None
    assert [secret.id for secret in found.secrets] == [key_id]
    assert target.look(ObjectRef(user), None) is None
    assert aws_account.iam(users=("app-*",)).look(ObjectRef(user, user), None) == found


def test_a_key_ends_under_the_new_name_of_its_user(aws_account: Account) -> None:
    """Also when somebody else has the old name by now."""
    target = aws_account.iam()
    issued = target.issue(aws_account.user("svc-billing"), MINT)
    aws_account.rename("svc-billing", "svc-invoices", "/moved/")
    theirs = made_by_hand(aws_account, aws_account.user("svc-billing"))
    for _ in range(2):
        target.retire("svc-billing", ObservedSecret(str(issued.id), "key"))
    held = {holder.client_id: [secret.id for secret in holder.secrets] for holder in target.observe(None).objects}
    assert held == {"svc-billing": [theirs], "svc-invoices": []}


def test_a_key_of_which_aws_will_not_say_whose_it_is_is_looked_for_at_every_user(aws_account: Account) -> None:
    """AWS may refuse the question for a key that it does not know, and for a right that is missing."""
    target = aws_account.iam()
    issued = target.issue(aws_account.user("svc-billing"), MINT)
    aws_account.rename("svc-billing", "svc-invoices")
    with aws_account.failing("iam:GetAccessKeyLastUsed", "AccessDenied", 403):
        for _ in range(2):
            target.retire("svc-billing", ObservedSecret(str(issued.id), "key"))
    assert [holder.secrets for holder in target.observe(None).objects] == [()]


def test_a_key_that_aws_does_not_find_where_it_says_it_is_has_not_ended(aws_account: Account) -> None:
    target, user = aws_account.iam(), aws_account.user("svc-billing")
    issued = target.issue(user, MINT)
    with (
        aws_account.failing("iam:DeleteAccessKey", "NoSuchEntity", 404),
        pytest.raises(Unavailable, match=rf"IAM names access key {issued.id} at user svc-billing and does not delete"),
    ):
        target.retire("svc-gone", ObservedSecret(str(issued.id), "key"))
    with (
        aws_account.failing("iam:ListAccessKeys", "AccessDenied", 403),
        aws_account.failing("iam:GetAccessKeyLastUsed", "AccessDenied", 403),
        pytest.raises(AccessDenied, match="may not iam:ListAccessKeys on user svc-billing"),
    ):
        target.retire("svc-gone", ObservedSecret(str(issued.id), "key"))
    assert target.verify(claim(user, issued)).good


def test_missing_and_wrong_credentials_are_one_sentence(aws_account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AccessDenied, match="AWS_NOT_SET"):
        aws_account.iam(admin="env:AWS_NOT_SET").observe(None)
    monkeypatch.setenv("AWS_UNKNOWN", f"AKIANOBODY0000000000:{SECRET_KEY}")
    with pytest.raises(AccessDenied, match="AWS does not accept env:AWS_UNKNOWN") as refused:
        aws_account.iam(admin="env:AWS_UNKNOWN").observe(None)
    assert SECRET_KEY not in str(refused.value)


def test_a_pasted_key_is_refused_before_any_call_and_not_repeated(aws_account: Account) -> None:
    with pytest.raises(DeclarationError, match="accounts: admin must be a reference") as refused:
        aws_account.iam(admin=f"{ADMIN}:{SECRET_KEY}")
    assert SECRET_KEY not in str(refused.value)
    with pytest.raises(DeclarationError, match=r'path_prefix is \'services\'; write it as "/services/"'):
        aws_account.iam(path_prefix="services")


def test_a_key_of_another_user_is_wrong(aws_account: Account) -> None:
    target, user = aws_account.iam(), aws_account.user("svc-billing", "/services/")
    issued = target.issue(user, MINT)
    assert target.verify(claim(user, issued)).proof is Proof.PROVEN
    found = target.verify(claim("svc-other", issued))
    assert found.proof is Proof.WRONG
    assert "user/services/svc-billing" in found.reason


def test_a_refusal_counts_only_when_our_own_credential_is_accepted(aws_account: Account) -> None:
    target, user = aws_account.iam(), aws_account.user("svc-billing")
    good = claim(user, target.issue(user, MINT))
    with (
        aws_account.failing("sts:GetCallerIdentity", "SignatureDoesNotMatch", 403),
        pytest.raises(AccessDenied, match="AWS does not accept env:AWS_TARGETS_RUNNER"),
    ):
        target.verify(good)
    assert target.verify(replace(good, material=new_material("api_key"))).proof is Proof.REFUSED


def test_a_key_is_not_called_refused_when_aws_cannot_be_reached(aws_account: Account) -> None:
    user = aws_account.user("svc-billing")
    good = claim(user, aws_account.iam().issue(user, MINT))
    unreachable = Iam("accounts", region=REGION, endpoint_url="http://127.0.0.1:9")
    with pytest.raises(Unavailable, match="AWS cannot be reached"):
        unreachable.verify(good)


def test_the_secret_is_shown_once_and_nowhere_else(aws_account: Account, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    target, user = aws_account.iam(), aws_account.user("svc-billing")
    issued = target.issue(user, MINT)
    assert issued.material is not None
    target.verify(claim(user, issued))
    value = issued.material.value.get_secret_value()
    for shown in (issued, target.observe(None), target.look(ObjectRef(user), None)):
        assert value not in repr(shown)
    assert value not in "\n".join(record.getMessage() for record in caplog.records if record.name != "werkzeug")


def test_the_doctor_tells_rights_that_are_missing_and_rights_that_nobody_needs(aws_account: Account) -> None:
    reader = aws_account.iam().as_reader()
    assert not any(check.warning for check in reader.diagnose())
    aws_account.stand_in.rights = {}
    (warning,) = [check.detail for check in reader.diagnose() if check.warning]
    assert warning == "may do what it never needs: CreateAccessKey, UpdateAccessKey, DeleteAccessKey"
    aws_account.stand_in.rights = {RUNNER: frozenset({"iam:ListUsers", "iam:CreateAccessKey"})}
    (lacking,) = [check for check in aws_account.iam().diagnose() if check.warning]
    assert lacking.detail.startswith("may not UpdateAccessKey, DeleteAccessKey on what is not there")
