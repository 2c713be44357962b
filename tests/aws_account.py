"""One AWS account on loopback for the targets: moto's server with the stand-in in front, and what others make in it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
from aws_server import ACCOUNT, REGION, AwsServer
from moto.iam.models import iam_backends

from keysteward.providers.aws import ApiGateway, Cognito, Iam, target_policy
from keysteward.providers.aws.target_policy import TARGETS, TargetRole
from keysteward.sandbox.aws import AwsStandIn
from keysteward.sandbox.faults import Fault

ADMIN = "AKIAADMIN00000000000"
RUNNER = "AKIARUNNER0000000000"
READER = "AKIAREADER0000000000"
SECRET_KEY = "aws-secret-canary-7d3f01b6c4"
CREDENTIALS = {
    "AWS_TARGETS_ADMIN": f"{ADMIN}:{SECRET_KEY}",
    "AWS_TARGETS_RUNNER": f"{RUNNER}:{SECRET_KEY}",
    "AWS_TARGETS_READER": f"{READER}:{SECRET_KEY}",
}
"""References and what they hold: who may do everything, and who has the policies that are shipped."""

REFERENCES = {"admin": "env:AWS_TARGETS_RUNNER", "reader": "env:AWS_TARGETS_READER"}


def rights(role: TargetRole) -> frozenset[str]:
    """Return what the policies that are shipped allow at all three targets."""
    given = {"account": ACCOUNT, "region": REGION, "user_pool": f"{REGION}_Ab12Cd34E"}
    policies = [json.loads(target_policy(role, target, **given)) for target in TARGETS]
    return frozenset(action for policy in policies for part in policy["Statement"] for action in part["Action"])


class Account:
    """The account: targets that reach it, boto3 as somebody else has it, and faults by action."""

    def __init__(self, stand_in: AwsStandIn) -> None:
        self.stand_in = stand_in
        self._clients: dict[str, Any] = {}
        self.reset()

    def reset(self) -> None:
        """Empty the account, but for what lies in the server behind."""
        self.stand_in.reset()
        self.stand_in.rights |= {RUNNER: rights("runner"), READER: rights("reader")}

    def client(self, service: str) -> Any:  # noqa: ANN401 - boto3 has no types
        """Return boto3's own client with every right."""
        if service not in self._clients:
            keys = {"aws_access_key_id": ADMIN, "aws_secret_access_key": SECRET_KEY}
            self._clients[service] = boto3.client(service, region_name=REGION, endpoint_url=self.stand_in.url, **keys)
        return self._clients[service]

    def iam(self, **fields: Any) -> Iam:  # noqa: ANN401 - forwarded
        return Iam("accounts", region=REGION, endpoint_url=self.stand_in.url, **{**REFERENCES, **fields})

    def api_gateway(self, **fields: Any) -> ApiGateway:  # noqa: ANN401 - forwarded
        return ApiGateway("gateway", region=REGION, endpoint_url=self.stand_in.url, **{**REFERENCES, **fields})

    def cognito(self, user_pool: str, **fields: Any) -> Cognito:  # noqa: ANN401 - forwarded
        given = {**REFERENCES, "domain": self.stand_in.url, "endpoint_url": self.stand_in.url, **fields}
        return Cognito("pool", user_pool=user_pool, **given)

    def user(self, name: str, path: str = "/") -> str:
        """Let somebody make an IAM user, unless it is there."""
        iam = self.client("iam")
        if name not in {user["UserName"] for user in iam.list_users()["Users"]}:
            iam.create_user(UserName=name, Path=path)
        return name

    def rename(self, name: str, new: str, path: str | None = None) -> None:
        """Let somebody rename an IAM user, and move it; moto leaves the keys under the old name, and loses them so."""
        moved = {} if path is None else {"NewPath": path}
        self.client("iam").update_user(UserName=name, NewUserName=new, **moved)
        for key in iam_backends[ACCOUNT]["aws"].users[new].access_keys:
            key.user_name = new

    def plan(self, name: str) -> str:
        """Let somebody make a usage plan."""
        return str(self.client("apigateway").create_usage_plan(name=name)["id"])

    def pool(self) -> str:
        """Let somebody make a user pool."""
        return str(self.client("cognito-idp").create_user_pool(PoolName="machines")["UserPool"]["Id"])

    @contextmanager
    def losing(self, action: str, *, after: int = 0) -> Iterator[None]:
        """Do the work of one call and lose its answer."""
        self.stand_in.faults.add(Fault(kind="lost_reply", path=f"^{action}$", after=after))
        yield
        self.stand_in.faults.clear()

    @contextmanager
    def failing(self, action: str, code: str, status: int = 400) -> Iterator[None]:
        """Answer calls of an action with an error."""
        headers = {"x-amzn-errortype": code}
        self.stand_in.faults.add(Fault(kind="status", path=f"^{action}$", status=status, headers=headers, times=None))
        yield
        self.stand_in.faults.clear()


@contextmanager
def account_behind(server: AwsServer) -> Iterator[Account]:
    """Start the stand-in before moto's server."""
    with AwsStandIn(behind=server.url, administrators=frozenset({ADMIN, RUNNER, READER})) as stand_in:
        yield Account(stand_in)
