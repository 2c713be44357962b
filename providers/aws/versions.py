"""Secrets of Secrets Manager as JSON documents: read, changed by compare-and-set, described in tags.

A value never changes: each write is a version of its own, and labels say what it is to readers. `PutSecretValue` has no
condition, so that a write is two calls: the new version under AWSPENDING, wherever that label was left, then
`UpdateSecretVersionStage`, which moves AWSCURRENT only from the version that was read. AWS itself moves AWSPREVIOUS to
the version left behind. (Secrets Manager API Reference; botocore 1.44.)
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_exponential

from keysteward.core.errors import Conflict, NotFound, Rejected, Unavailable, VersionConflict
from keysteward.host.json_text import json_text
from keysteward.providers.aws.connection import AwsClient
from keysteward.providers.aws.listing import listed

SERVICE: Final = "secretsmanager"
CURRENT: Final = "AWSCURRENT"
PREVIOUS: Final = "AWSPREVIOUS"
PENDING: Final = "AWSPENDING"

SECRET_BYTES: Final = 65_536
"""Longest SecretString (API Reference, CreateSecret)."""

NAME_FREE_SECONDS: Final = 30
"""How long to wait for the name of a secret that was deleted without recovery: AWS deletes in the background."""

NOTHING: Final[Mapping[str, Any]] = {}
"""What stands in a secret before its first document: the first version of a secret always becomes current."""


class Opaque(Conflict):
    """A secret holds text or bytes that are no JSON object."""


class BeingDeleted(Unavailable):
    """The name of a secret is not free yet."""


@dataclass(frozen=True, slots=True)
class Found:
    """The current version. `data` and `version` are None when there is none; `scheduled`: for deletion."""

    data: Mapping[str, Any] | None = None
    version: str | None = None
    scheduled: bool = False


@dataclass(frozen=True, slots=True)
class Metadata:
    """What `DescribeSecret` says: no value. `labels` by version; versions without labels are not shown."""

    tags: Mapping[str, str]
    labels: Mapping[str, tuple[str, ...]]
    scheduled: bool
    rotated_by_aws: bool

    @property
    def current(self) -> str | None:
        """Return the id of the current version."""
        return next((version for version, labels in self.labels.items() if CURRENT in labels), None)

    @property
    def older(self) -> tuple[str, ...]:
        """Return the versions beside the current one that a label still keeps."""
        return tuple(version for version in self.labels if version != self.current)


class Versions:
    """The secrets of one account and region, by name."""

    def __init__(self, client: AwsClient) -> None:
        self.client = client

    def read(self, name: str, version: str | None = None) -> Found:
        """`GetSecretValue`. Raises Opaque for what is no JSON object."""
        which = {"VersionId": version} if version else {}
        told = {"InvalidRequestException": _Unreadable(f"{self.client.connection.name}: {name} cannot be read")}
        try:
            answer = self.client.read(SERVICE, "GetSecretValue", name, {"SecretId": name, **which}, told=told)
        except NotFound:
            return Found()
        except _Unreadable:
            described = self.describe(name)
            if described is not None and not described.scheduled:
                raise
            return Found(scheduled=described is not None)
        try:
            data = json.loads(answer.get("SecretString") or "")
        except (ValueError, RecursionError):
            data = None
        if not isinstance(data, dict):
            raise Opaque(
                f"{self.client.connection.name}:{name} holds text that is no JSON object, so that nothing can be "
                "added: deliver elsewhere, or make it one"
            )
        return Found(data, str(answer["VersionId"]))

    def names(self, prefix: str) -> list[str]:
        """`ListSecrets` by pages: the names that begin so, without those that are scheduled for deletion."""
        chosen = {"Filters": [{"Key": "name", "Values": [prefix]}]} if prefix else {}
        found = listed(self.client, SERVICE, "ListSecrets", prefix, {**chosen, "MaxResults": 100}, entries="SecretList")
        return [str(entry["Name"]) for entry in found.entries if entry.get("DeletedDate") is None]

    def describe(self, name: str) -> Metadata | None:
        """`DescribeSecret`; None when there is no such secret."""
        try:
            answer = self.client.read(SERVICE, "DescribeSecret", name, {"SecretId": name})
        except NotFound:
            return None
        labels = {version: tuple(held) for version, held in (answer.get("VersionIdsToStages") or {}).items() if held}
        tags = {tag["Key"]: tag.get("Value", "") for tag in answer.get("Tags") or ()}
        return Metadata(tags, labels, answer.get("DeletedDate") is not None, bool(answer.get("RotationEnabled")))

    def create(
        self, name: str, data: Mapping[str, Any], token: str, tags: Mapping[str, str], kms_key: str | None
    ) -> None:
        """`CreateSecret`, with its first version and tags. The same again is success.

        Raises VersionConflict when there is one, empty ones included.
        """
        where = f"{self.client.connection.name}: {name}"
        key = {"KmsKeyId": kms_key} if kms_key else {}
        told = {
            "ResourceExistsException": VersionConflict(f"{where} was made by somebody else meanwhile: run again"),
            "InvalidRequestException": BeingDeleted(
                f"{where} was just deleted, and its name is not free yet: run again in a minute"
            ),
        }
        retrying = Retrying(
            retry=retry_if_exception_type(BeingDeleted),
            stop=stop_after_delay(NAME_FREE_SECONDS),
            wait=wait_exponential(multiplier=0.5, max=5),
            reraise=True,
        )
        retrying(
            self.client.write,
            SERVICE,
            "CreateSecret",
            name,
            {
                "Name": name,
                "SecretString": self._text(name, data),
                "ClientRequestToken": token,
                "Tags": _listed(tags),
                **key,
            },
            repeat=True,
            told=told,
        )

    def write(self, name: str, data: Mapping[str, Any], token: str, expected: str | None) -> None:
        """Make a new version current if `expected` still is; None: if there is no version at all.

        Raises VersionConflict when it is not.
        """
        lost = f"{self.client.connection.name}: {name} was written by somebody else meanwhile: run again"
        answer = self.client.write(
            SERVICE,
            "PutSecretValue",
            name,
            {
                "SecretId": name,
                "SecretString": self._text(name, data),
                "ClientRequestToken": token,
                "VersionStages": [PENDING],
            },
            repeat=True,
            told={"ResourceExistsException": VersionConflict(lost)},
        )
        if CURRENT in answer.get("VersionStages", ()):
            return
        if expected is None:
            raise VersionConflict(lost)
        self._label(name, lost, CURRENT, MoveToVersionId=token, RemoveFromVersionId=expected)

    def unlabel(self, name: str, version: str, labels: Iterable[str]) -> None:
        """Remove labels from a version. Without any it is deprecated: no label finds it, and AWS deletes it in time."""
        lost = f"{self.client.connection.name}: {name} was changed by somebody else meanwhile: run again"
        for label in labels:
            self._label(name, lost, label, RemoveFromVersionId=version)

    def tag(self, name: str, tags: Mapping[str, str]) -> None:
        """`TagResource`: adds and replaces; tags of others stay."""
        self.client.write(SERVICE, "TagResource", name, {"SecretId": name, "Tags": _listed(tags)})

    def untag(self, name: str, keys: Iterable[str]) -> None:
        """`UntagResource`. Gone already is success."""
        self.client.write(SERVICE, "UntagResource", name, {"SecretId": name, "TagKeys": list(keys)})

    def restore(self, name: str) -> None:
        """`RestoreSecret`: call off a scheduled deletion."""
        self.client.write(SERVICE, "RestoreSecret", name, {"SecretId": name})

    def delete(self, name: str, recovery_days: int) -> None:
        """`DeleteSecret`, at once with 0 days. Gone already is success."""
        how = {"RecoveryWindowInDays": recovery_days} if recovery_days else {"ForceDeleteWithoutRecovery": True}
        already = NotFound(f"{self.client.connection.name}: {name} is deleted already")
        try:
            told = {"InvalidRequestException": already}
            self.client.write(SERVICE, "DeleteSecret", name, {"SecretId": name, **how}, told=told)
        except NotFound:
            return

    def _label(self, name: str, lost: str, label: str, **versions: str) -> None:
        parameters = {"SecretId": name, "VersionStage": label, **versions}
        refused = ("InvalidParameterException", "InvalidRequestException", "ResourceNotFoundException")
        told = {code: VersionConflict(lost) for code in refused}
        self.client.write(SERVICE, "UpdateSecretVersionStage", name, parameters, told=told)

    def _text(self, name: str, data: Mapping[str, Any]) -> str:
        text = json_text(data)
        size = len(text.encode())
        if size > SECRET_BYTES:
            raise Rejected(
                f"{self.client.connection.name}: the document for {name} has {size} bytes, and Secrets Manager takes "
                f"{SECRET_BYTES}: remove fields of others from it"
            )
        return text


class _Unreadable(Rejected):
    """A secret is in no state to be read: mostly because it is scheduled for deletion."""


def _listed(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]
