"""IAM, API Gateway and Cognito under the contracts, over moto's server with the stand-in for what it lacks."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
from aws_account import Account

from keysteward.core.contract.ports import Fingerprint, Material
from keysteward.host.material import fingerprinter, new_material
from keysteward.providers.aws import ApiGateway, Cognito, Iam
from keysteward.testing.key_contract import KeyContract, KeyProfile
from keysteward.testing.target_contract import TargetContract, TargetProfile


class IamProfile(KeyProfile):
    holder = "svc-billing"

    def __init__(self, account: Account) -> None:
        self.account = account
        self.target: Iam = account.iam(users=("svc-*",))
        self.fingerprint: Fingerprint = fingerprinter(b"k" * 32, "k1")
        account.user(self.holder)

    def new_material(self) -> Material:
        return new_material("api_key")

    def foreign_key(self) -> str:
        return str(self.account.client("iam").create_access_key(UserName=self.holder)["AccessKey"]["AccessKeyId"])

    def forget_foreign(self, key_id: str) -> None:
        self.account.client("iam").delete_access_key(UserName=self.holder, AccessKeyId=key_id)

    def calls(self) -> int:
        return len(self.account.stand_in.calls)

    def lost_reply(self) -> AbstractContextManager[None]:
        return self.account.losing("iam:CreateAccessKey")


class TestIam(KeyContract):
    @pytest.fixture
    def profile(self, aws_account: Account) -> IamProfile:
        return IamProfile(aws_account)


class ApiGatewayProfile(KeyProfile):
    def __init__(self, account: Account) -> None:
        self.account = account
        self.target: ApiGateway = account.api_gateway()
        self.fingerprint: Fingerprint = fingerprinter(b"k" * 32, "k1")
        self.holder = account.plan("partners")

    def new_material(self) -> Material:
        return new_material("api_key")

    def foreign_key(self) -> str:
        gateway = self.account.client("apigateway")
        key_id = str(gateway.create_api_key(name="theirs", enabled=True)["id"])
        gateway.create_usage_plan_key(usagePlanId=self.holder, keyId=key_id, keyType="API_KEY")
        return key_id

    def forget_foreign(self, key_id: str) -> None:
        self.account.client("apigateway").delete_api_key(apiKey=key_id)

    def calls(self) -> int:
        return len(self.account.stand_in.calls)

    def lost_reply(self) -> AbstractContextManager[None]:
        return self.account.losing("apigateway:POST", after=1)


class TestApiGateway(KeyContract):
    @pytest.fixture
    def profile(self, aws_account: Account) -> ApiGatewayProfile:
        return ApiGatewayProfile(aws_account)


class CognitoProfile(TargetProfile):
    def __init__(self, account: Account, user_pool: str) -> None:
        self.account = account
        self.user_pool = user_pool
        self.target: Cognito = account.cognito(user_pool)
        self.fingerprint: Fingerprint = fingerprinter(b"k" * 32, "k1")

    def new_material(self, method: str) -> Material:
        return new_material(method)

    def calls(self) -> int:
        return len(self.account.stand_in.calls)

    def lost_reply(self) -> AbstractContextManager[None]:
        return self.account.losing("cognito-idp:CreateUserPoolClient")

    def write_foreign_field(self, remote_id: str) -> Callable[[], object]:
        cognito, where = self.account.client("cognito-idp"), {"UserPoolId": self.user_pool, "ClientId": remote_id}
        shown = cognito.describe_user_pool_client(**where)["UserPoolClient"]
        kept = {name: value for name, value in shown.items() if name != "ClientSecret"}
        cognito.update_user_pool_client(**{**kept, "RefreshTokenValidity": 7})

        def read() -> object:
            found = cognito.describe_user_pool_client(**where)["UserPoolClient"]["RefreshTokenValidity"]
            return found if found == 7 else None

        return read


class TestCognito(TargetContract):
    @pytest.fixture
    def profile(self, aws_account: Account) -> CognitoProfile:
        return CognitoProfile(aws_account, aws_account.pool())
