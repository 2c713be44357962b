"""The AWS stand-in by itself, with boto3 as its client: every answer is held against botocore's own description."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import boto3
import jwt
import pytest
import requests
from aws_account import ADMIN, SECRET_KEY, Account
from aws_server import REGION
from botocore.exceptions import ClientError
from botocore.validate import ParamValidator

from keysteward.sandbox import signing
from keysteward.sandbox.aws import AwsStandIn

SCOPES = [{"ScopeName": "read", "ScopeDescription": "Read"}, {"ScopeName": "write", "ScopeDescription": "Write"}]
MACHINE = {
    "AllowedOAuthFlows": ["client_credentials"],
    "AllowedOAuthFlowsUserPoolClient": True,
    "AllowedOAuthScopes": ["api/read"],
}
VALUE = "s3cretS3cretS3cretS3cret"


@pytest.fixture
def described(aws_account: Account) -> Iterator[dict[str, int]]:
    """Hold each answer that boto3 gets against the shape that botocore describes; count them by operation."""
    seen: dict[str, int] = {}

    def hold(parsed: dict[str, Any], model: Any, **_rest: object) -> None:  # noqa: ANN401 - botocore has no types
        if "Error" in parsed or model.output_shape is None:
            known = {shape.metadata.get("error", {}).get("code", shape.name) for shape in model.error_shapes}
            common = {"InvalidClientTokenId", "SignatureDoesNotMatch", "AccessDenied", "AccessDeniedException"}
            assert parsed.get("Error", {}).get("Code") in {None, *known, *common}, model.name
            return
        answer = {name: value for name, value in parsed.items() if name != "ResponseMetadata"}
        report = ParamValidator().validate(answer, model.output_shape)
        assert not report.has_errors(), f"{model.name}: {report.generate_report()}"
        seen[model.name] = seen.get(model.name, 0) + 1

    clients = [aws_account.client(service) for service in ("iam", "sts", "cognito-idp")]
    for client in clients:
        client.meta.events.register("after-call", hold, unique_id="described")
    yield seen
    for client in clients:
        client.meta.events.unregister("after-call", unique_id="described")


def refused(call: Any, **given: Any) -> tuple[str, int]:  # noqa: ANN401 - boto3 has no types
    with pytest.raises(ClientError) as error:
        call(**given)
    return error.value.response["Error"]["Code"], error.value.response["ResponseMetadata"]["HTTPStatusCode"]


def as_holder(account: Account, key: dict[str, str], **fields: str) -> Any:  # noqa: ANN401
    keys = {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"], **fields}
    return boto3.client("sts", region_name=REGION, endpoint_url=account.stand_in.url, **keys)


def test_a_user_holds_two_keys_and_an_inactive_one_counts(aws_account: Account, described: dict[str, int]) -> None:
    iam, user = aws_account.client("iam"), aws_account.user("svc-a")
    first = iam.create_access_key(UserName=user)["AccessKey"]
    iam.create_access_key(UserName=user)
    iam.update_access_key(UserName=user, AccessKeyId=first["AccessKeyId"], Status="Inactive")
    assert refused(iam.create_access_key, UserName=user) == ("LimitExceeded", 409)
    iam.delete_access_key(UserName=user, AccessKeyId=first["AccessKeyId"])
    assert iam.create_access_key(UserName=user)["AccessKey"]["Status"] == "Active"
    assert refused(iam.create_access_key, UserName="nobody") == ("NoSuchEntity", 404)
    assert described["CreateAccessKey"] == 3


def test_a_key_is_let_in_while_it_is_active_and_signs_rightly(aws_account: Account, described: dict[str, int]) -> None:
    iam, user = aws_account.client("iam"), aws_account.user("svc-a", "/services/")
    key = iam.create_access_key(UserName=user)["AccessKey"]
    key_id = key["AccessKeyId"]
    unused = iam.get_access_key_last_used(AccessKeyId=key_id)["AccessKeyLastUsed"]
    assert unused == {"ServiceName": "N/A", "Region": "N/A"}
    arn = as_holder(aws_account, key).get_caller_identity()["Arn"]
    assert arn.endswith(":user/services/svc-a")
    used = iam.get_access_key_last_used(AccessKeyId=key_id)["AccessKeyLastUsed"]
    assert (used["ServiceName"], used["Region"]) == ("sts", REGION)
    assert abs(used["LastUsedDate"] - aws_account.stand_in.clock.now()) < timedelta(seconds=30)
    wrong = as_holder(aws_account, key, aws_secret_access_key="x" * 40)
    assert refused(wrong.get_caller_identity) == ("SignatureDoesNotMatch", 403)
    iam.update_access_key(UserName=user, AccessKeyId=key_id, Status="Inactive")
    assert refused(as_holder(aws_account, key).get_caller_identity) == ("InvalidClientTokenId", 403)
    iam.update_access_key(UserName=user, AccessKeyId=key_id, Status="Active")
    assert as_holder(aws_account, key).get_caller_identity()["Arn"] == arn
    iam.delete_access_key(UserName=user, AccessKeyId=key_id)
    assert refused(as_holder(aws_account, key).get_caller_identity) == ("InvalidClientTokenId", 403)
    assert described["GetAccessKeyLastUsed"] == 2


def test_resource_servers_are_written_whole_listed_by_pages_and_deleted(
    aws_account: Account, described: dict[str, int]
) -> None:
    cognito, where = aws_account.client("cognito-idp"), {"UserPoolId": aws_account.pool()}
    for name in ("a", "b", "c"):
        cognito.create_resource_server(**where, Identifier=name, Name=name, Scopes=SCOPES)
    again = {**where, "Identifier": "a", "Name": "a"}
    assert refused(cognito.create_resource_server, **again) == ("InvalidParameterException", 400)
    cognito.update_resource_server(**where, Identifier="a", Name="A", Scopes=SCOPES[:1])
    shown = cognito.describe_resource_server(**where, Identifier="a")["ResourceServer"]
    assert (shown["Name"], shown["Scopes"]) == ("A", SCOPES[:1])
    page = cognito.list_resource_servers(**where, MaxResults=2)
    rest = cognito.list_resource_servers(**where, MaxResults=2, NextToken=page["NextToken"])
    assert [s["Identifier"] for s in page["ResourceServers"] + rest["ResourceServers"]] == ["a", "b", "c"]
    assert "NextToken" not in rest
    cognito.delete_resource_server(**where, Identifier="a")
    missing = {**where, "Identifier": "a"}
    assert refused(cognito.describe_resource_server, **missing) == ("ResourceNotFoundException", 400)
    assert described["ListResourceServers"] == 2


def test_a_client_has_two_secrets_never_shown_and_never_none(aws_account: Account, described: dict[str, int]) -> None:
    cognito, pool = aws_account.client("cognito-idp"), aws_account.pool()
    cognito.create_resource_server(UserPoolId=pool, Identifier="api", Name="api", Scopes=SCOPES)
    made = cognito.create_user_pool_client(UserPoolId=pool, ClientName="m", ClientSecret=VALUE, **MACHINE)
    where = {"UserPoolId": pool, "ClientId": made["UserPoolClient"]["ClientId"]}
    added = cognito.add_user_pool_client_secret(**where)["ClientSecretDescriptor"]
    assert len(added["ClientSecretValue"]) >= 24
    listed = cognito.list_user_pool_client_secrets(**where)["ClientSecrets"]
    assert all(secret["ClientSecretId"].startswith(f"{where['ClientId']}--") for secret in listed)
    assert not any("ClientSecretValue" in secret for secret in listed)
    assert refused(cognito.add_user_pool_client_secret, **where) == ("LimitExceededException", 400)
    first, second = (secret["ClientSecretId"] for secret in listed)
    cognito.delete_user_pool_client_secret(**where, ClientSecretId=first)
    gone, last = {**where, "ClientSecretId": first}, {**where, "ClientSecretId": second}
    assert refused(cognito.delete_user_pool_client_secret, **gone) == ("ResourceNotFoundException", 400)
    assert refused(cognito.delete_user_pool_client_secret, **last) == ("InvalidParameterException", 400)
    own = cognito.add_user_pool_client_secret(**where, ClientSecret=VALUE)["ClientSecretDescriptor"]
    assert "ClientSecretValue" not in own
    bad = {**where, "ClientSecret": "has-a-dash-and-is-long-enough"}
    cognito.delete_user_pool_client_secret(**where, ClientSecretId=own["ClientSecretId"])
    assert refused(cognito.add_user_pool_client_secret, **bad) == ("InvalidParameterException", 400)
    assert described["AddUserPoolClientSecret"] == 2


def test_an_update_resets_what_it_does_not_name(aws_account: Account, described: dict[str, int]) -> None:
    cognito, pool = aws_account.client("cognito-idp"), aws_account.pool()
    cognito.create_resource_server(UserPoolId=pool, Identifier="api", Name="api", Scopes=SCOPES)
    given = {"ClientName": "m", "ClientSecret": VALUE, "AccessTokenValidity": 1, "RefreshTokenValidity": 7, **MACHINE}
    made = cognito.create_user_pool_client(UserPoolId=pool, **given)["UserPoolClient"]
    where = {"UserPoolId": pool, "ClientId": made["ClientId"]}
    cognito.update_user_pool_client(**where, ClientName="renamed")
    after = cognito.describe_user_pool_client(**where)["UserPoolClient"]
    assert (after["ClientName"], after["RefreshTokenValidity"]) == ("renamed", 30)
    assert not after["AllowedOAuthFlowsUserPoolClient"]
    assert not {"AllowedOAuthFlows", "AllowedOAuthScopes", "AccessTokenValidity"} & set(after)
    unknown = {"UserPoolId": pool, "ClientName": "n", "ClientSecret": VALUE, **MACHINE, "AllowedOAuthScopes": ["api/x"]}
    assert refused(cognito.create_user_pool_client, **unknown) == ("ScopeDoesNotExistException", 400)
    no_secret = {"UserPoolId": pool, "ClientName": "n", **MACHINE}
    assert refused(cognito.create_user_pool_client, **no_secret) == ("InvalidParameterException", 400)
    assert described["UpdateUserPoolClient"] == 1


def test_a_token_says_what_cognitos_do(aws_account: Account) -> None:
    cognito, pool, url = aws_account.client("cognito-idp"), aws_account.pool(), aws_account.stand_in.url
    cognito.create_resource_server(UserPoolId=pool, Identifier="api", Name="api", Scopes=SCOPES)
    given = {"ClientName": "m", "ClientSecret": VALUE, **MACHINE}
    client_id = cognito.create_user_pool_client(UserPoolId=pool, **given)["UserPoolClient"]["ClientId"]

    def ask(secret: str = VALUE, **form: str) -> dict[str, Any]:
        data = {"grant_type": "client_credentials", **form}
        answer: dict[str, Any] = requests.post(
            f"{url}/oauth2/token", data=data, auth=(client_id, secret), timeout=10
        ).json()
        return answer

    keys = requests.get(f"{url}/{pool}/.well-known/jwks.json", timeout=10).json()["keys"]
    assert keys == [signing.public_jwk()]
    claims = jwt.decode(ask()["access_token"], jwt.PyJWK(keys[0]), algorithms=["RS256"], issuer=f"{url}/{pool}")
    assert (claims["sub"], claims["client_id"], claims["token_use"]) == (client_id, client_id, "access")
    assert (claims["scope"], claims["exp"] - claims["iat"]) == ("api/read", 3600)
    assert "aud" not in claims
    assert ask("wrong") == {"error": "invalid_client"}
    assert ask(scope="api/write") == {"error": "invalid_scope"}
    assert ask(grant_type="password") == {"error": "unsupported_grant_type"}
    where = {"UserPoolId": pool, "ClientId": client_id}
    cognito.update_user_pool_client(**where, **{**MACHINE, "AllowedOAuthFlowsUserPoolClient": False})
    assert ask() == {"error": "invalid_grant"}
    cognito.update_user_pool_client(**where, **MACHINE)
    cognito.delete_resource_server(UserPoolId=pool, Identifier="api")
    assert ask() == {"error": "invalid_scope"}, "a scope that is gone is in no token"


def test_a_key_is_in_a_usage_plan_once(aws_account: Account) -> None:
    gateway, plan = aws_account.client("apigateway"), aws_account.plan("partners")
    key_id = gateway.create_api_key(name="k", enabled=True)["id"]
    member = {"usagePlanId": plan, "keyId": key_id, "keyType": "API_KEY"}
    gateway.create_usage_plan_key(**member)
    assert refused(gateway.create_usage_plan_key, **member) == ("ConflictException", 409)
    gateway.delete_usage_plan_key(usagePlanId=plan, keyId=key_id)
    gateway.create_usage_plan_key(**member)
    gateway.delete_api_key(apiKey=key_id)
    assert refused(gateway.create_usage_plan_key, **member) == ("NotFoundException", 404)


def test_moto_is_started_behind_it_when_no_server_is_named() -> None:
    with AwsStandIn(administrators=frozenset({ADMIN})) as stand_in:
        keys = {"aws_access_key_id": ADMIN, "aws_secret_access_key": SECRET_KEY}
        iam = boto3.client("iam", region_name=REGION, endpoint_url=stand_in.url, **keys)
        iam.create_user(UserName="svc-a")
        key = iam.create_access_key(UserName="svc-a")["AccessKey"]
        state = requests.get(f"{stand_in.url}/_sandbox/state", timeout=10).json()
        assert state["access_keys"][key["AccessKeyId"]] == {
            "user": "svc-a",
            "secret": key["SecretAccessKey"],
            "active": True,
        }
        assert [call.path for call in stand_in.calls] == ["iam:CreateUser", "iam:CreateAccessKey"]
