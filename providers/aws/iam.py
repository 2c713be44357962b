"""IAM users and their access keys as a target.

A user holds two keys, inactive ones included; it is made and changed by others, and keys cannot carry a mark: they are
ours by the ledger alone. The delivered document has `key_id` and `api_key`, which a consumer maps to
AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.

`observe` costs the pages of ListUsers (1,000 users each), one ListAccessKeys for each user and one
GetAccessKeyLastUsed for each key. There is no cheaper way: GetAccountAuthorizationDetails shows no keys, and the
credential report shows both keys of all users in one call, but without their ids and up to four hours old. `users`
and `path_prefix` bound it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import KW_ONLY, dataclass, field
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any, ClassVar, Final

from pydantic import SecretStr

from keysteward.core.contract.capabilities import Capabilities
from keysteward.core.contract.introduction import Introduction, Starter
from keysteward.core.contract.observed import Observation, ObservedObject, ObservedSecret
from keysteward.core.contract.ports import (
    Action,
    Check,
    Claim,
    Fingerprint,
    Issued,
    Material,
    ObjectRef,
    Order,
    Proof,
    Verification,
)
from keysteward.core.errors import DeclarationError, NotFound, Rejected, Unavailable
from keysteward.host.pool import in_pool
from keysteward.providers.aws import rights, whose
from keysteward.providers.aws.connection import CALL_TIMEOUT, AwsClient
from keysteward.providers.aws.failures import BAD_CREDENTIALS
from keysteward.providers.aws.listing import listed
from keysteward.providers.aws.target import AwsTarget
from keysteward.providers.kit.keys_only import HOLDER, KeysOnly
from keysteward.providers.kit.templates import template

SERVICE: Final = "iam"
KEYS_PER_USER: Final = 2
"""AccessKeysPerUser, which cannot be raised; inactive keys count (IAM User Guide, "IAM and AWS STS quotas")."""

PAGE_SIZE: Final = 1000
"""Largest MaxItems (IAM API Reference, ListUsers)."""

SETTLED: Final = timedelta(minutes=1)
"""IAM is eventually consistent and promises no time (IAM User Guide, "Troubleshoot IAM"); mostly it is seconds."""


@dataclass(frozen=True)
class Iam(AwsTarget, KeysOnly):
    """The IAM users of one account whose name fits one of `users` ("svc-*"; none: all) and whose path begins so.

    Both bound what is observed and what new keys are issued to; a key that a ledger names ends wherever its user is.

    `admin` and `reader` are references as `keysteward.providers.aws.connection.AwsClient` takes them; without `admin`
    boto3 finds credentials by itself. `region` says where to call; users are the account's, in all regions.
    """

    KIND: ClassVar = "keysteward.providers.aws:Iam"

    name: str
    _: KW_ONLY
    region: str
    admin: str | None = None
    reader: str | None = None
    users: tuple[str, ...] = ()
    path_prefix: str = "/"
    environments: tuple[str, ...] | None = None
    endpoint_url: str | None = None
    reading: bool = field(default=False, repr=False)

    def __post_init__(self) -> None:
        if not self.path_prefix.startswith("/"):
            raise DeclarationError(f'{self.name}: path_prefix is {self.path_prefix!r}; write it as "/services/"')
        super().__post_init__()

    @classmethod
    def introduction(cls) -> Introduction:
        """How it is shown in the documentation, and what a new repository has of it."""
        return Introduction(
            shown={"AWS IAM": {"name": "accounts", "region": "eu-central-1"}},
            starter=Starter(
                declaration=template("keysteward.providers.aws", "iam.py"),
                credentials=template("keysteward.providers.aws", "iam.yaml"),
                classes=("Iam",),
                called="accounts",
                login="aws",
                extras=("aws",),
            ),
        )

    @property
    def key_capabilities(self) -> Capabilities:
        """What IAM can do with access keys, known without a call."""
        users = f"users={self.users!r}" if self.users else ""
        path = f"path_prefix={self.path_prefix!r}" if self.path_prefix != "/" else ""
        return Capabilities(
            methods=("api_key",),
            secrets=KEYS_PER_USER,
            suspends=True,
            last_use="secret",
            lacks=frozenset({"catalogue"}),
            list_lag=SETTLED,
            propagation=SETTLED,
            call_timeout=CALL_TIMEOUT,
            page_size=PAGE_SIZE,
            calls_per_object=1 + KEYS_PER_USER,
            environments=self.environments,
            holders=self.users,
            other_holders=f"is outside {users} of target {self.name}; correct it, or widen users" if users else "",
            shown_holders=", ".join(filter(None, (users, path))),
            federation="a role that is assumed with OIDC (AssumeRoleWithWebIdentity)",
        )

    def observe(self, fingerprint: Fingerprint | None) -> Observation:
        """`ListUsers` by pages, `ListAccessKeys` for each user, `GetAccessKeyLastUsed` for each key."""
        del fingerprint  # a secret access key is shown once, by the call that makes it
        given = {"PathPrefix": self.path_prefix, "MaxItems": PAGE_SIZE}
        listing = listed(self._client, SERVICE, "ListUsers", "users", given, entries="Users")
        names = [str(user["UserName"]) for user in listing.entries if self._covers(str(user["UserName"]))]
        found = tuple(holder for holder in in_pool(self._holder, names) if holder is not None)
        return Observation(self.name, listing.started_at, listing.clock, found)

    def look(self, ref: ObjectRef, fingerprint: Fingerprint | None) -> ObservedObject | None:
        """`ListAccessKeys` of one user, and the last use of each key.

        A user who is asked for by remote id is one that a ledger names: `users` and `path_prefix` do not hide them.
        """
        del fingerprint
        if ref.remote_id is not None:
            return self._holder(ref.remote_id)
        user = ref.client_id
        return self._holder(user) if self._covers(user) and self._lies_below(user) else None

    def issue(self, remote_id: str, order: Order) -> Issued:
        """`CreateAccessKey`: IAM chooses the secret and shows it once."""
        if order.action is not Action.MINT:
            raise self._error(Rejected, "issue", f"IAM makes access keys itself and cannot {order.action.value}")
        full = Rejected(
            f"{self.name}: IAM user {remote_id} has both of its {KEYS_PER_USER} access keys, and inactive ones count: "
            "delete the one that nobody needs"
        )
        answer = self._client.write(
            SERVICE,
            "CreateAccessKey",
            f"user {remote_id}",
            {"UserName": remote_id},
            told={"LimitExceeded": full, "NoSuchEntity": self._missing(remote_id)},
        )["AccessKey"]
        value = SecretStr(str(answer["SecretAccessKey"]))
        return Issued(str(answer["AccessKeyId"]), Material("api_key", value, value))

    def retire(self, remote_id: str, secret: ObservedSecret) -> None:
        """`DeleteAccessKey`, by the key's id; gone already is success.

        It needs the user's name, which may have changed: IAM is asked whose key it is when that user has none of this
        id. Gone is only what IAM knows for nobody. Raises Unavailable while it contradicts itself.
        """
        user: str | None = remote_id
        for _ in range(2):
            if user is None or self._deleted(user, secret.id):
                return
            user = whose.owner_of(self._client, secret.id)
        if user is not None and whose.may_hold(self._client, user, secret.id):
            text = f"IAM names access key {secret.id} at user {user} and does not delete it there; run again later"
            raise self._error(Unavailable, "retire", text)

    def suspend(self, remote_id: str, keys: Sequence[str] = ()) -> None:
        """`UpdateAccessKey` to Inactive, for these keys alone."""
        self._switch(remote_id, keys, "Inactive")

    def resume(self, remote_id: str, keys: Sequence[str] = ()) -> None:
        """`UpdateAccessKey` to Active, for these keys alone."""
        self._switch(remote_id, keys, "Active")

    def verify(self, claim: Claim) -> Verification:
        """Sign `sts:GetCallerIdentity` with the key: it needs no right and changes nothing.

        A refusal counts only when AWS accepts our own credential in the same moment: with a clock that is off it
        accepts none, and says the same of each. Raises Unavailable when AWS cannot be asked.
        """
        pair = SecretStr(f"{claim.secret_id}:{claim.material.value.get_secret_value()}")
        caller = AwsClient(self._connection, None, field="key", access="runner", value=pair)
        refused = _Refused("the access key is refused")
        told = dict.fromkeys(BAD_CREDENTIALS, refused)
        try:
            arn = str(caller.read("sts", "GetCallerIdentity", "an access key", {}, told=told)["Arn"])
        except _Refused:
            self._client.whoami()
            return Verification(Proof.REFUSED, "AWS refuses it: it is deleted, inactive or wrong")
        resource = arn.rpartition(":")[2]
        if resource.startswith("user/") and resource.rpartition("/")[2] == claim.client_id:
            return Verification(Proof.PROVEN, "real call")
        return Verification(Proof.WRONG, f"it is a key of {arn}, and not of IAM user {claim.client_id}")

    def diagnose(self) -> Iterable[Check]:
        """Say whether IAM answers, for whom, and with which rights: too few and too many."""
        key = {"UserName": rights.NOBODY, "AccessKeyId": "AKIAKEYSTEWARDDOCTOR"}
        reads = [rights.Probe(SERVICE, "ListUsers", {"PathPrefix": self.path_prefix, "MaxItems": 1})]
        writes = [
            rights.Probe(SERVICE, "CreateAccessKey", {"UserName": rights.NOBODY}),
            rights.Probe(SERVICE, "UpdateAccessKey", {**key, "Status": "Inactive"}),
            rights.Probe(SERVICE, "DeleteAccessKey", key),
        ]
        return rights.diagnose(self._client, "IAM", reads, writes, reading=self.reading)

    def _covers(self, user: str) -> bool:
        return not self.users or any(fnmatchcase(user, pattern) for pattern in self.users)

    def _lies_below(self, user: str) -> bool:
        if self.path_prefix == "/":
            return True
        try:
            answer = self._client.read(SERVICE, "GetUser", f"user {user}", {"UserName": user})
        except NotFound:
            return False
        return str(answer["User"]["Path"]).startswith(self.path_prefix)

    def _holder(self, user: str) -> ObservedObject | None:
        try:
            given = {"UserName": user, "MaxItems": PAGE_SIZE}
            keys = listed(
                self._client, SERVICE, "ListAccessKeys", f"user {user}", given, entries="AccessKeyMetadata"
            ).entries
        except NotFound:
            return None
        secrets = tuple(self._secret(key) for key in keys)
        return ObservedObject(user, user, enabled=True, settings=HOLDER, secrets=secrets, holder="IAM user")

    def _secret(self, key: Any) -> ObservedSecret:  # noqa: ANN401 - JSON comes in here
        key_id = str(key["AccessKeyId"])
        return ObservedSecret(
            key_id,
            "key",
            created_at=key.get("CreateDate"),
            last_used=self._last_used(key_id),
            enabled=key.get("Status") == "Active",
        )

    def _last_used(self, key_id: str) -> datetime | None:
        try:
            answer = self._client.read(SERVICE, "GetAccessKeyLastUsed", f"access key {key_id}", {"AccessKeyId": key_id})
        except NotFound:
            return None
        used: datetime | None = answer.get("AccessKeyLastUsed", {}).get("LastUsedDate")
        return used

    def _switch(self, user: str, keys: Sequence[str], status: str) -> None:
        for key_id in keys:
            given = {"UserName": user, "AccessKeyId": key_id, "Status": status}
            self._client.write(SERVICE, "UpdateAccessKey", f"access key {key_id}", given, repeat=True)

    def _deleted(self, user: str, key_id: str) -> bool:
        """Delete a key of this user; False when the user has none of this id, or does not exist."""
        given = {"UserName": user, "AccessKeyId": key_id}
        try:
            self._client.write(SERVICE, "DeleteAccessKey", f"access key {key_id}", given)
        except NotFound:
            return False
        return True

    def _missing(self, user: str) -> NotFound:
        return NotFound(f"{self.name}: there is no IAM user {user}: create it, or correct `holder`")


class _Refused(Rejected):
    """AWS does not accept an access key."""
