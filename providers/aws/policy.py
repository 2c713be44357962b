"""The IAM policies that consumers, previews and runs need."""

from __future__ import annotations

import json
import re
from typing import Any, Final, Literal

from keysteward.core.errors import DeclarationError

Kind = Literal["consumer", "reader", "runner"]
KINDS: Final[tuple[Kind, ...]] = ("consumer", "reader", "runner")

VERSION: Final = "2012-10-17"
"""The version of IAM's policy language, not of a policy (IAM User Guide)."""

_ACCOUNT: Final = re.compile(r"\d{12}")
_SUFFIX: Final = "-??????"  # Secrets Manager adds six characters to the name in an ARN
_READS: Final = ("secretsmanager:DescribeSecret",)
_WRITES: Final = tuple(
    f"secretsmanager:{action}"
    for action in (
        "CreateSecret",
        "DeleteSecret",
        "DescribeSecret",
        "GetSecretValue",
        "PutSecretValue",
        "RestoreSecret",
        "TagResource",
        "UntagResource",
        "UpdateSecretVersionStage",
    )
)


def policy(
    kind: Kind,
    *,
    delivered: str,
    region: str,
    account: str,
    staging: str = "keysteward/staged",
    table: str = "keysteward",
    partition: str = "keysteward",
    kms_key: str | None = None,
) -> str:
    """Return a policy as JSON for `aws iam create-policy --policy-document`.

    `delivered` is one path ("apps/billing") or a pattern of IAM ("apps/*"). `staging`, `table` and `partition` are the
    settings of that name of store and ledger store, `kms_key` is the ARN of the secrets' own key if they have one.
    """
    if kind not in KINDS:
        raise DeclarationError(f"there is no policy {kind!r}; choose one of {', '.join(KINDS)}")
    if not _ACCOUNT.fullmatch(account):
        raise DeclarationError(f"account is {account!r}; it has twelve digits")
    arns = f"arn:{partition_of(region)}"
    secret = f"{arns}:secretsmanager:{region}:{account}:secret:"
    places = [f"{secret}{_named(delivered)}", f"{secret}{staging.strip('/')}/*"]
    if kind == "consumer":
        statements = [_allow("OwnDocument", ["secretsmanager:GetSecretValue"], places[0])]
    else:
        actions = _READS if kind == "reader" else _WRITES
        ledgers = f"{arns}:dynamodb:{region}:{account}:table/{table}"
        statements = [_allow("Secrets", list(actions), places), *_ledgers(ledgers, partition, kind)]
    if kms_key is not None and kind != "reader":
        uses = ["kms:Decrypt"] if kind == "consumer" else ["kms:Decrypt", "kms:GenerateDataKey"]
        through = {"StringEquals": {"kms:ViaService": f"secretsmanager.{region}.amazonaws.com"}}
        statements.append(_allow("Key", uses, kms_key, through))
    return json.dumps({"Version": VERSION, "Statement": statements}, indent=2)


def _ledgers(table: str, partition: str, kind: Kind) -> list[dict[str, Any]]:
    """No DeleteItem: a ledger is closed, never removed."""
    items = ["dynamodb:GetItem", "dynamodb:Query"] + (["dynamodb:PutItem"] if kind == "runner" else [])
    own = {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": [partition]}}
    about = ["dynamodb:DescribeContinuousBackups", "dynamodb:DescribeTable"]
    return [_allow("Ledgers", items, table, own), _allow("Table", about, table)]


def _allow(
    name: str, actions: list[str], resource: str | list[str], condition: dict[str, Any] | None = None
) -> dict[str, Any]:
    statement: dict[str, Any] = {"Sid": name, "Effect": "Allow", "Action": actions, "Resource": resource}
    return statement if condition is None else {**statement, "Condition": condition}


def _named(delivered: str) -> str:
    name = delivered.strip("/")
    return name if name.endswith("*") else f"{name}{_SUFFIX}"


def partition_of(region: str) -> str:
    """Return the partition of AWS that a region is in."""
    if region.startswith("cn-"):
        return "aws-cn"
    return "aws-us-gov" if region.startswith("us-gov-") else "aws"
