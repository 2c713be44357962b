"""Cognito's own: the last secret, names that carry marks, updates that reset, scopes beside those of others."""

from __future__ import annotations

import pickle
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aws_account import Account
from company import OWNERS
from hypothesis import given
from hypothesis import strategies as st

from keysteward import M2MClient, ResourceServer, RotationSchedule, Stack
from keysteward.core.contract.observed import Mark, Settings
from keysteward.core.contract.ports import Action, Claim, Created, Material, ObjectRef, Order, Proof, ScopeWant
from keysteward.core.errors import AccessDenied, Conflict, DeclarationError, KeystewardError, NotFound, Rejected
from keysteward.core.findings import Kind
from keysteward.core.policy.check import check
from keysteward.host.material import new_material
from keysteward.operations.owners import owners_of
from keysteward.providers.aws import Cognito
from keysteward.providers.aws.cognito.names import ClientName, read_scope_description
from keysteward.providers.local import LocalStore
from keysteward.report.inventory.first_look import first_look

CHECKED_ON = datetime(2026, 12, 1, tzinfo=UTC)

API = "https://billing.example.com"
SCOPE = f"{API}/invoices:read"
MARK = Mark("acme/test/exporter", "0badcafe0badcafe")
SERVER = Mark("acme/test/billing-api", "1badcafe1badcafe")
WANT = Settings("client_secret", scopes=frozenset({SCOPE}), token_lifetime=600, description=None)


class Pool:
    """A pool with one scope of ours in it."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.id = account.pool()
        self.target: Cognito = account.cognito(self.id)
        self.boto = account.client("cognito-idp")
        self.put(SCOPE)

    def put(self, name: str, audience: str = API) -> str:
        return self.target.put_scope(ScopeWant(name, "Read invoices", audience, SERVER), None)

    def make(self, material: Material) -> Created:
        return self.target.create("exporter", WANT, MARK, material)

    def shown(self, client_id: str) -> dict[str, Any]:
        found = self.boto.describe_user_pool_client(UserPoolId=self.id, ClientId=client_id)
        shown: dict[str, Any] = found["UserPoolClient"]
        return shown


@pytest.fixture
def pool(aws_account: Account) -> Pool:
    return Pool(aws_account)


def secret() -> Material:
    return new_material("client_secret")


# Secrets


def test_the_last_secret_of_somebody_elses_client_stays_and_the_sentence_says_what_to_do(pool: Pool) -> None:
    theirs = pool.boto.create_user_pool_client(UserPoolId=pool.id, ClientName="web", GenerateSecret=True)
    client_id = theirs["UserPoolClient"]["ClientId"]
    (last,) = pool.target.observe(None).by_id[client_id].secrets
    with pytest.raises(Rejected, match=rf"{last.id} is the last secret of client {client_id}, which Cognito never"):
        pool.target.retire(client_id, last)
    assert pool.target.observe(None).by_id[client_id].secrets == (last,)


def test_the_last_secret_of_our_client_ends_by_one_that_nobody_has(pool: Pool) -> None:
    first, second = secret(), secret()
    made = pool.make(first)
    (last,) = pool.target.observe(None).by_id[made.remote_id].secrets
    for _ in range(2):
        pool.target.retire(made.remote_id, last)
    found = pool.target.observe(None).by_id[made.remote_id]
    assert (found.secrets, found.mark, found.label) == ((), MARK, "exporter"), "to us it has no secret"
    assert pool.target.verify(Claim(made.client_id, first)).proof is Proof.REFUSED
    order = Order(Action.ADD, second)
    issued = [pool.target.issue(made.remote_id, order) for _ in range(2)]
    assert issued[0] == issued[1]
    held = pool.boto.list_user_pool_client_secrets(UserPoolId=pool.id, ClientId=made.remote_id)["ClientSecrets"]
    assert [entry["ClientSecretId"] for entry in held] == [issued[0].id], "the one that nobody has is gone"
    assert "vacant" not in pool.shown(made.remote_id)["ClientName"]
    assert pool.target.verify(Claim(made.client_id, second)).good


def test_a_kill_before_the_vacant_secret_is_gone_is_mended_by_the_next_addition(pool: Pool) -> None:
    made = pool.make(secret())
    (last,) = pool.target.observe(None).by_id[made.remote_id].secrets
    pool.target.retire(made.remote_id, last)
    order = Order(Action.ADD, secret())
    with pool.account.losing("cognito-idp:AddUserPoolClientSecret"), pytest.raises(KeystewardError):
        pool.target.issue(made.remote_id, order)
    assert len(pool.target.observe(None).by_id[made.remote_id].secrets) == 1
    issued = pool.target.issue(made.remote_id, order)
    held = pool.boto.list_user_pool_client_secrets(UserPoolId=pool.id, ClientId=made.remote_id)["ClientSecrets"]
    assert [entry["ClientSecretId"] for entry in held] == [issued.id]


def test_an_addition_is_proven_and_not_repeated_when_its_reply_was_lost(pool: Pool) -> None:
    made, material = pool.make(secret()), secret()
    order = Order(Action.ADD, material, known=(str(made.secret_id),))
    with pool.account.losing("cognito-idp:AddUserPoolClientSecret"), pytest.raises(KeystewardError):
        pool.target.issue(made.remote_id, order)
    issued = pool.target.issue(made.remote_id, order)
    assert issued.id not in {None, made.secret_id}
    assert len(pool.target.observe(None).by_id[made.remote_id].secrets) == 2


def test_a_strangers_second_secret_is_not_taken_for_ours(pool: Pool) -> None:
    made = pool.make(secret())
    pool.boto.add_user_pool_client_secret(UserPoolId=pool.id, ClientId=made.remote_id)
    order = Order(Action.ADD, secret(), known=(str(made.secret_id),))
    with pytest.raises(Rejected, match="has both of its 2 secrets: end one of them first"):
        pool.target.issue(made.remote_id, order)


def test_what_cognito_shows_in_clear_goes_no_further(pool: Pool) -> None:
    material = secret()
    made = pool.make(material)
    value = material.value.get_secret_value()
    assert pool.shown(made.remote_id)["ClientSecret"] == value
    for shown in (pool.target.observe(lambda text: text), pool.target._api.client(made.remote_id)):
        assert value not in repr(shown)
        assert value.encode() not in pickle.dumps(shown)


# Updates


def test_an_update_keeps_what_others_set_and_a_suspension(pool: Pool) -> None:
    made = pool.make(secret())
    shown = pool.shown(made.remote_id)
    shown.pop("ClientSecret")
    theirs = {"AuthSessionValidity": 9, "TokenValidityUnits": {"AccessToken": "seconds", "IdToken": "minutes"}}
    pool.boto.update_user_pool_client(**{**shown, **theirs})
    pool.target.suspend(made.remote_id)
    pool.target.update(made.remote_id, replace(WANT, token_lifetime=900), MARK)
    after = pool.shown(made.remote_id)
    assert (after["AuthSessionValidity"], after["AccessTokenValidity"]) == (9, 900)
    assert after["TokenValidityUnits"] == theirs["TokenValidityUnits"]
    assert not after["AllowedOAuthFlowsUserPoolClient"], "an update is no way out of a suspension"
    assert after["ExplicitAuthFlows"] == ["ALLOW_REFRESH_TOKEN_AUTH"], "no user may sign in with a machine client"


PROVEN = {"srp", "custom-challenge"}


@pytest.mark.parametrize(
    ("flows", "grants"),
    [
        (None, PROVEN),
        (["ALLOW_REFRESH_TOKEN_AUTH"], set()),
        (["ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"], {"srp"}),
        (["ALLOW_CUSTOM_AUTH"], {"custom-challenge"}),
        (["CUSTOM_AUTH_FLOW_ONLY"], {"custom-challenge"}),
        (["ALLOW_USER_PASSWORD_AUTH", "ALLOW_USER_SRP_AUTH"], {"password", "srp"}),
        (["ALLOW_ADMIN_USER_PASSWORD_AUTH"], {"password"}),
        (["ALLOW_USER_AUTH"], {"password"}),
        (["USER_PASSWORD_AUTH"], {"password"}),
        (["ADMIN_NO_SRP_AUTH"], {"password"}),
    ],
)
def test_passwords_pass_only_where_a_flow_sends_them(pool: Pool, flows: list[str] | None, grants: set[str]) -> None:
    given = {} if flows is None else {"ExplicitAuthFlows": flows}
    made = pool.boto.create_user_pool_client(UserPoolId=pool.id, ClientName="app", GenerateSecret=True, **given)
    client_id = made["UserPoolClient"]["ClientId"]
    seen = pool.target.observe(None)
    found = seen.by_id[client_id]
    assert (found.settings.grants, found.interactive) == (grants, bool(grants))
    (entry,) = first_look(seen, pool.target.capabilities, None, CHECKED_ON).entries
    told = [finding.message for finding in entry.findings if finding.kind is Kind.OUTDATED_GRANT]
    assert len(told) == len(grants & {"password"})
    assert all(message.startswith("people's passwords pass through it") for message in told)
    assert set(entry.grants) == grants


def test_an_update_ends_only_the_ways_to_sign_in_that_are_not_to_be(pool: Pool) -> None:
    every = ["ALLOW_ADMIN_USER_PASSWORD_AUTH", "ALLOW_CUSTOM_AUTH", "ALLOW_REFRESH_TOKEN_AUTH", "ALLOW_USER_SRP_AUTH"]
    made = pool.make(secret())
    shown = pool.shown(made.remote_id)
    shown.pop("ClientSecret")
    pool.boto.update_user_pool_client(**{**shown, "ExplicitAuthFlows": every})
    for grants, left in (("srp", every[2:]), ("", every[2:3])):
        want = replace(WANT, grants=WANT.grants | {grants} - {""})
        pool.target.update(made.remote_id, want, MARK)
        assert pool.shown(made.remote_id)["ExplicitAuthFlows"] == left
    with pytest.raises(Rejected, match="Cognito has no switch for device"):
        pool.target.update(made.remote_id, replace(WANT, grants=frozenset({"device", "srp"})), MARK)


def test_the_default_lifetime_is_cognitos(pool: Pool) -> None:
    made = pool.make(secret())
    pool.target.update(made.remote_id, replace(WANT, token_lifetime=None), MARK)
    found = pool.target.look(ObjectRef(made.client_id), None)
    assert found is not None
    assert found.settings.token_lifetime is None


def test_a_client_of_others_is_marked_and_released_with_its_own_name(pool: Pool) -> None:
    theirs = pool.boto.create_user_pool_client(UserPoolId=pool.id, ClientName="web @ home", GenerateSecret=True)
    client_id = theirs["UserPoolClient"]["ClientId"]
    seen = pool.target.observe(None).by_id[client_id]
    assert (seen.label, seen.mark, seen.interactive) == ("web @ home", None, True)
    pool.target.mark(client_id, MARK)
    assert pool.shown(client_id)["ClientName"] == "web @ home @ acme+test+exporter 0badcafe0badcafe"
    assert pool.target.observe(None).by_id[client_id].mark == MARK
    pool.target.release(client_id)
    assert pool.shown(client_id)["ClientName"] == "web @ home"


@pytest.mark.parametrize(
    ("want", "sentence"),
    [
        (replace(WANT, scopes=frozenset()), "Cognito gives no client a token without a scope"),
        (replace(WANT, token_lifetime=60), "tokens of Cognito live from 5 minutes to a day"),
        (replace(WANT, method="private_key_jwt"), "no authentication method 'private_key_jwt'"),
        (replace(WANT, grants=frozenset({"device_code"})), "no switch for device_code"),
    ],
)
def test_what_a_client_cannot_have_is_one_sentence(pool: Pool, want: Settings, sentence: str) -> None:
    with pytest.raises(Rejected, match=sentence):
        pool.target.create("exporter", want, MARK, secret())
    assert pool.target.observe(None).objects == ()


# Marks


_WORD = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,9}", fullmatch=True)


@given(label=st.from_regex(r"[\w +=,.@-]{1,30}", fullmatch=True), parts=st.lists(_WORD, min_size=1, max_size=4))
def test_a_mark_comes_back_as_it_was_written(label: str, parts: list[str]) -> None:
    mark = Mark("/".join(parts), "0badcafe0badcafe")
    for name in (ClientName(label, mark), ClientName(label, mark, "0123456789ab")):
        assert ClientName.read(str(name)) == name
    assert str(ClientName(label)) == label


def test_a_name_that_is_too_long_is_refused_before_anything_is_made(pool: Pool) -> None:
    mark = Mark(f"acme/test/{'x' * 60}", "0badcafe0badcafe")
    with pytest.raises(Rejected, match=r"has 150 characters, and Cognito takes 108: shorten one of them"):
        pool.target.create("x" * 60, WANT, mark, secret())
    assert pool.target.observe(None).objects == ()


# Scopes


def test_our_scopes_lie_beside_those_of_others_and_go_alone(pool: Pool) -> None:
    theirs = [{"ScopeName": "write", "ScopeDescription": "Theirs"}]
    pool.boto.create_resource_server(UserPoolId=pool.id, Identifier="crm", Name="CRM", Scopes=theirs)
    pool.put("crm/read", "crm")
    assert pool.target.observe(None).scope_by_name["crm/write"].mark is None
    with pytest.raises(
        Conflict, match=r"scope 'crm/write' exists and carries no mark of keysteward; adopt it or rename"
    ):
        pool.put("crm/write", "crm")
    pool.target.drop_scope("crm/read")
    server = pool.boto.describe_resource_server(UserPoolId=pool.id, Identifier="crm")["ResourceServer"]
    assert (server["Name"], server["Scopes"]) == ("CRM", theirs)
    pool.target.drop_scope(SCOPE)
    servers = pool.boto.list_resource_servers(UserPoolId=pool.id, MaxResults=50)["ResourceServers"]
    assert [found["Identifier"] for found in servers] == ["crm"], (
        "a server that was made for us goes with its last scope"
    )


def test_an_adopted_scope_keeps_its_words(pool: Pool) -> None:
    theirs = [{"ScopeName": "write", "ScopeDescription": "Theirs"}]
    pool.boto.create_resource_server(UserPoolId=pool.id, Identifier="crm", Name="CRM", Scopes=theirs)
    pool.target.put_scope(ScopeWant("crm/write", "Theirs", "crm", SERVER), "crm/write")
    server = pool.boto.describe_resource_server(UserPoolId=pool.id, Identifier="crm")["ResourceServer"]
    assert read_scope_description(server["Scopes"][0]["ScopeDescription"]) == ("Theirs", SERVER)


@pytest.mark.parametrize(
    ("scope", "fields", "sentence"),
    [
        ("invoices:read", {}, f'write "{SCOPE}"'),
        (f"{API}/v1/read", {}, f'write "{API}/read"'),
        (SCOPE, {"alternate_clients": True}, "target pool adds secrets and replaces none; remove it"),
        (SCOPE, {"client_id": "exporter"}, "target pool assigns it itself"),
        (SCOPE, {"auth_method": "private_key_jwt"}, "target pool offers client_secret, not private_key_jwt"),
    ],
)
def test_what_a_pool_cannot_do_is_refused_before_any_call(
    pool: Pool, tmp_path: Path, scope: str, fields: dict[str, Any], sentence: str
) -> None:
    billing = ResourceServer("billing-api", target=pool.target, audience=API, scopes={scope: "Read"})
    store = LocalStore("local", root=tmp_path)
    exporter = M2MClient(
        "exporter",
        target=pool.target,
        owner="team-billing",
        purpose="Invoices",
        access={billing: [scope]},
        rotation=RotationSchedule(every="90d", overlap="7d"),
        deliver_to=store.path("apps/exporter"),
        **fields,
    )
    stack = Stack("acme/test", owners=OWNERS, ledgers=store.ledgers(), declarations=[billing, exporter])
    before = len(pool.account.stand_in.calls)
    with pytest.raises(DeclarationError, match=sentence):
        check(stack, owners_of(stack), CHECKED_ON)
    assert len(pool.account.stand_in.calls) == before


# Proofs, errors, cost


def test_a_token_of_another_pool_is_wrong(pool: Pool) -> None:
    material = secret()
    made = pool.make(material)
    other = pool.account.cognito(pool.account.pool())
    found = other.verify(Claim(made.client_id, material))
    assert (found.proof, found.reason) == (Proof.WRONG, "the token names another issuer than the target's")


def test_a_pool_that_is_not_there_is_named(aws_account: Account) -> None:
    with pytest.raises(NotFound, match="there is no user pool eu-central-1_Gone00000 in this account"):
        aws_account.cognito("eu-central-1_Gone00000").observe(None)


def test_a_missing_right_is_named_as_policies_write_it(pool: Pool) -> None:
    with pytest.raises(AccessDenied, match="may not cognito-idp:CreateUserPoolClient on client exporter"):
        pool.target.as_reader().create("exporter", WANT, MARK, secret())


def test_observing_costs_pages_and_two_calls_for_each_client(pool: Pool) -> None:
    for number in range(4):
        pool.target.create(f"client-{number}", WANT, replace(MARK, nonce=f"n{number}"), secret())
    before = len(pool.account.stand_in.calls)
    pool.target.observe(None)
    assert len(pool.account.stand_in.calls) - before == 2 + 2 * 4


@pytest.mark.parametrize(
    ("domain", "url"),
    [
        ("acme", "https://acme.auth.eu-central-1.amazoncognito.com/oauth2/token"),
        ("auth.example.com", "https://auth.example.com/oauth2/token"),
        ("https://auth.example.com/", "https://auth.example.com/oauth2/token"),
    ],
)
def test_consumers_are_told_where_tokens_are(domain: str, url: str) -> None:
    assert Cognito("pool", user_pool="eu-central-1_Ab12Cd34E", domain=domain).token_url == url


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"user_pool": "machines"}, "write the pool's id"),
        ({"domain": ""}, "domain is where the pool gives tokens"),
        ({"admin": "AKIA:secret"}, "pool: admin must be a reference"),
    ],
)
def test_a_wrong_setting_is_one_sentence(fields: dict[str, Any], sentence: str) -> None:
    with pytest.raises(DeclarationError, match=sentence):
        Cognito("pool", **{"user_pool": "eu-central-1_Ab12Cd34E", "domain": "acme", **fields})
