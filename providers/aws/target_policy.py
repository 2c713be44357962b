"""The IAM policies that previews and runs need at the targets. Nothing of them is needed by a consumer.

Actions and resources are those of the Service Authorization Reference. `sts:GetCallerIdentity` needs no right.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final, Literal

from keysteward.core.errors import DeclarationError
from keysteward.providers.aws.policy import VERSION, partition_of

TargetKind = Literal["iam", "cognito", "api-gateway"]
TargetRole = Literal["reader", "runner"]
TARGETS: Final[tuple[TargetKind, ...]] = ("iam", "cognito", "api-gateway")
ROLES: Final[tuple[TargetRole, ...]] = ("reader", "runner")

_ACCOUNT: Final = re.compile(r"\d{12}")

_IAM_FINDS: Final = ("GetAccessKeyLastUsed", "ListAccessKeys", "ListUsers")
"""Ids, names and times: a key of ours must be found when its user was renamed or moved."""

_IAM_WRITES: Final = ("CreateAccessKey", "DeleteAccessKey", "UpdateAccessKey")
_POOL_READS: Final = (
    "DescribeUserPoolClient",
    "ListResourceServers",
    "ListUserPoolClientSecrets",
    "ListUserPoolClients",
)
_POOL_WRITES: Final = (
    "AddUserPoolClientSecret",
    "CreateResourceServer",
    "CreateUserPoolClient",
    "DeleteResourceServer",
    "DeleteUserPoolClient",
    "DeleteUserPoolClientSecret",
    "DescribeResourceServer",
    "UpdateResourceServer",
    "UpdateUserPoolClient",
)


def target_policy(
    role: TargetRole,
    target: TargetKind,
    *,
    account: str,
    region: str,
    users: str = "*",
    user_pool: str | None = None,
) -> str:
    """Return a policy as JSON for `aws iam create-policy --policy-document`.

    `users` is a pattern of IAM over path and name ("services/*", "svc-*"), `user_pool` the id of Cognito's pool.
    """
    if role not in ROLES or target not in TARGETS:
        text = (
            f"there is no policy {role!r} for {target!r}; choose one of {', '.join(ROLES)}, and of {', '.join(TARGETS)}"
        )
        raise DeclarationError(text)
    if not _ACCOUNT.fullmatch(account):
        raise DeclarationError(f"account is {account!r}; it has twelve digits")
    partition = partition_of(region)
    if target == "iam":
        statements = _iam(f"arn:{partition}:iam::{account}:user/{users.lstrip('/')}", role)
    elif target == "cognito":
        if user_pool is None:
            raise DeclarationError("user_pool is missing: a policy is for one user pool")
        statements = _cognito(f"arn:{partition}:cognito-idp:{region}:{account}:userpool/{user_pool}", role)
    else:
        statements = _api_gateway(f"arn:{partition}:apigateway:{region}::", role)
    return json.dumps({"Version": VERSION, "Statement": statements}, indent=2)


def _iam(users: str, role: TargetRole) -> list[Mapping[str, Any]]:
    actions = ["GetUser", *(_IAM_WRITES if role == "runner" else ())]
    return [
        _allow("Users", [f"iam:{action}" for action in _IAM_FINDS], "*"),
        _allow("AccessKeys", [f"iam:{action}" for action in sorted(actions)], users),
    ]


def _cognito(pool: str, role: TargetRole) -> list[Mapping[str, Any]]:
    actions = [*_POOL_READS, *(_POOL_WRITES if role == "runner" else ())]
    return [_allow("UserPool", [f"cognito-idp:{action}" for action in sorted(actions)], pool)]


def _api_gateway(base: str, role: TargetRole) -> list[Mapping[str, Any]]:
    """Actions are the verbs of HTTP, resources the paths."""
    keys, plans = [f"{base}/apikeys", f"{base}/apikeys/*"], [f"{base}/usageplans", f"{base}/usageplans/*"]
    statements = [_allow("Read", ["apigateway:GET"], [*keys, *plans])]
    if role == "runner":
        statements.append(_allow("Keys", ["apigateway:DELETE", "apigateway:PATCH"], keys[1]))
        statements.append(_allow("NewKeys", ["apigateway:POST"], [keys[0], f"{base}/usageplans/*/keys"]))
    return statements


def _allow(name: str, actions: list[str], resource: str | list[str]) -> Mapping[str, Any]:
    return {"Sid": name, "Effect": "Allow", "Action": actions, "Resource": resource}
