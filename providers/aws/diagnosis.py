"""What `keysteward doctor` asks AWS: for whom does it answer, are the rights neither less nor more. Nothing is changed.

A right is asked for by a call that AWS refuses in any case: on a secret or version that never exists, on a condition
that never holds. AWS looks at rights first, so that "not there" says that the call would be allowed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from keysteward.core.contract.ports import Check
from keysteward.core.errors import AccessDenied, Conflict, KeystewardError, NotFound, Rejected
from keysteward.providers.aws import table as tables
from keysteward.providers.aws.connection import AwsClient
from keysteward.providers.aws.versions import SERVICE, Metadata, Versions

PROBE: Final = "keysteward-doctor"
"""A name under which nothing is ever written."""

_NO_VERSION: Final = f"{PROBE}-asks-for-no-version"

_READING: Final[Mapping[str, Mapping[str, Any]]] = {"GetSecretValue": {"VersionId": _NO_VERSION}}
_WRITING: Final[Mapping[str, Mapping[str, Any]]] = {
    "PutSecretValue": {"SecretString": "{}", "ClientRequestToken": _NO_VERSION},
    "UpdateSecretVersionStage": {"VersionStage": PROBE, "RemoveFromVersionId": _NO_VERSION},
    "TagResource": {"Tags": [{"Key": PROBE, "Value": ""}]},
    "UntagResource": {"TagKeys": [PROBE]},
    "RestoreSecret": {},
    "DeleteSecret": {"RecoveryWindowInDays": 30},
}
"""Calls on a secret that does not exist, and what each needs beside its name."""


def diagnose_store(versions: Versions, staging: str, paths: Iterable[str], *, reading: bool) -> Iterator[Check]:
    """Check a store's credential, and for each delivered path its secret."""
    client = versions.client
    name = client.connection.name
    who = f"{name} {'reader' if reading else 'admin'}"
    try:
        yield Check(name, ok=True, detail=f"Secrets Manager in {client.connection.region} answers {client.whoami()}")
    except KeystewardError as error:
        yield Check(name, ok=False, detail=error.message)
        return
    probe = f"{staging}/{PROBE}"
    needed = {"DescribeSecret": {}} if reading else {"DescribeSecret": {}, **_READING, **_WRITING}
    unwanted = {**_READING, **_WRITING} if reading else {}
    lacking = [f"{action} on {probe}" for action, given in needed.items() if not _may(client, action, probe, given)]
    excess = [f"{action} on {probe}" for action, given in unwanted.items() if _may(client, action, probe, given)]
    found: dict[str, Metadata | None] = {}
    for path in paths:
        try:
            found[path] = versions.describe(path)
        except AccessDenied:
            lacking.append(f"DescribeSecret on {path}")
            continue
        readable = _may(client, "GetSecretValue", path, _READING["GetSecretValue"])
        if reading == readable:
            (excess if reading else lacking).append(f"GetSecretValue on {path}")
    yield Check(who, not lacking, f"lacks {_named(lacking)}" if lacking else "has the rights that can be asked for")
    if excess:
        yield Check(who, ok=True, warning=True, detail=f"may do what it never needs: {_named(excess)}")
    yield from _secrets(name, found)


def diagnose_ledgers(client: AwsClient, table: str, partition: str, *, reading: bool) -> Iterator[Check]:
    """Check a ledger store's table and credential."""
    name, region = client.connection.name, client.connection.region
    who = f"{name} {'reader' if reading else 'admin'}"
    try:
        arn = client.whoami()
        answer = client.read(tables.SERVICE, "DescribeTable", f"table {table}", {"TableName": table})["Table"]
    except NotFound:
        detail = f"there is no table {table} in {region}; {tables.create_table(table, region)}"
        yield Check(name, ok=False, detail=detail)
        return
    except KeystewardError as error:
        yield Check(name, ok=False, detail=error.message)
        return
    shape = {key["KeyType"]: key["AttributeName"] for key in answer["KeySchema"]}
    right = shape == {"HASH": tables.PARTITION, "RANGE": tables.SORT} and answer["TableStatus"] in {
        "ACTIVE",
        "UPDATING",
    }
    word = "is there" if right else f"is not ready, or has other keys than {tables.PARTITION} and {tables.SORT}"
    yield Check(name, right, f"table {table} in {region} {word}; {arn}")
    if not right:
        return
    yield from _table_rights(client, table, partition, who, reading=reading)
    if not reading:
        yield from _backups(client, table)


def _table_rights(client: AwsClient, table: str, partition: str, who: str, *, reading: bool) -> Iterator[Check]:
    key = {tables.PARTITION: {"S": partition}, tables.SORT: {"S": PROBE}}
    named: dict[str, Any] = {"#p": tables.PARTITION}
    reads: dict[str, dict[str, Any]] = {
        "GetItem": {"Key": key},
        "Query": {
            "KeyConditionExpression": "#p = :p",
            "ExpressionAttributeNames": named,
            "ExpressionAttributeValues": {":p": {"S": partition}},
            "Limit": 1,
        },
    }
    never = "attribute_exists(#p) AND attribute_not_exists(#p)"
    write = {"Item": key, "ConditionExpression": never, "ExpressionAttributeNames": named}
    asked = {**reads, "PutItem": write}
    held = {a: _asks(client, tables.SERVICE, a, f"table {table}", {"TableName": table, **g}) for a, g in asked.items()}
    lacking = [action for action in (reads if reading else asked) if not held[action]]
    yield Check(who, not lacking, f"lacks {_named(lacking)} on {table}" if lacking else "has the rights needed")
    if reading and held["PutItem"]:
        yield Check(who, ok=True, warning=True, detail=f"may do what it never needs: PutItem on {table}")


def _backups(client: AwsClient, table: str) -> Iterator[Check]:
    name, region = client.connection.name, client.connection.region
    try:
        answer = client.read(tables.SERVICE, "DescribeContinuousBackups", f"table {table}", {"TableName": table})
    except AccessDenied:
        detail = f"whether table {table} can be restored to a point in time cannot be seen"
        yield Check(
            f"{name} backups", ok=True, warning=True, detail=f"{detail}; grant dynamodb:DescribeContinuousBackups"
        )
        return
    said = answer["ContinuousBackupsDescription"].get("PointInTimeRecoveryDescription", {})
    kept = said.get("PointInTimeRecoveryStatus") == "ENABLED"
    detail = f"table {table} {'can' if kept else 'cannot'} be restored to a point in time"
    advice = "" if kept else f"; {tables.keep_backups(table, region)}"
    yield Check(f"{name} backups", ok=True, warning=not kept, detail=f"{detail}{advice}")


def _secrets(name: str, found: Mapping[str, Metadata | None]) -> Iterator[Check]:
    for path, seen in found.items():
        if seen is not None and seen.scheduled:
            yield Check(f"{name} {path}", ok=True, warning=True, detail="is scheduled for deletion: nobody can read it")
        elif seen is not None and seen.rotated_by_aws:
            detail = "is also rotated by Secrets Manager itself: end that with aws secretsmanager cancel-rotate-secret"
            yield Check(f"{name} {path}", ok=True, warning=True, detail=f"{detail} --secret-id {path}")


def _may(client: AwsClient, action: str, secret: str, given: Mapping[str, Any]) -> bool:
    return _asks(client, SERVICE, action, secret, {"SecretId": secret, **given})


def _asks(client: AwsClient, service: str, action: str, on: str, given: Mapping[str, Any]) -> bool:
    """Say whether a call is allowed; that it fails for another reason is what was expected."""
    try:
        client.read(service, action, on, given)
    except AccessDenied:
        return False
    except (NotFound, Conflict, Rejected):
        return True
    return True


def _named(actions: Iterable[str]) -> str:
    return ", ".join(actions)
