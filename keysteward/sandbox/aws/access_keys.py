"""IAM's access keys: two for a user at most, refused when deleted, inactive or wrong, with the time of their last use.

moto keeps users and keys and checks nothing of this. Source: IAM User Guide, "Manage access keys for IAM users"; IAM
API Reference, CreateAccessKey and GetAccessKeyLastUsed.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING

from keysteward.sandbox.aws.signatures import is_signed_with

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from werkzeug.wrappers import Response

    from keysteward.sandbox.aws.calls import AwsCall

KEYS_PER_USER = 2
_MEMBER = re.compile(r"<(AccessKeyId|SecretAccessKey|UserName)>([^<]+)</")
_UNKNOWN = "The security token included in the request is invalid."


@dataclass
class AccessKey:
    """One key. `last_used` is when, which service and where."""

    user: str
    secret: str = field(repr=False)
    active: bool = True
    last_used: tuple[datetime, str, str] | None = None


class AccessKeys:
    """The keys that were made through this stand-in, by id. `administrators` are ids of keys outside, never checked."""

    def __init__(self, administrators: frozenset[str]) -> None:
        self.administrators = administrators
        self.keys: dict[str, AccessKey] = {}

    def authenticate(self, call: AwsCall, now: datetime) -> None:
        """Let a caller in, or raise what AWS answers."""
        if call.key_id in self.administrators:
            return
        key = self.keys.get(call.key_id)
        if key is None or not key.active:
            code = "InvalidClientTokenId" if call.service in {"iam", "sts"} else "UnrecognizedClientException"
            raise call.refuse(code, _UNKNOWN, HTTPStatus.FORBIDDEN)
        if not is_signed_with(key.secret, call.request, call.body):
            text = "The request signature we calculated does not match the signature you provided."
            raise call.refuse("SignatureDoesNotMatch", text, HTTPStatus.FORBIDDEN)
        key.last_used = (now, call.service, call.region)

    def answer(self, call: AwsCall, forward: Callable[[], Response]) -> Response:
        """Answer what concerns keys; everything else goes on."""
        match call.operation:
            case "CreateAccessKey":
                return self._create(call, forward)
            case "GetAccessKeyLastUsed" if call.given["AccessKeyId"] in self.keys:
                return self._last_used(call)
        response = forward()
        if response.status_code == HTTPStatus.OK:
            self._note(call)
        return response

    def _note(self, call: AwsCall) -> None:
        """Follow what was done."""
        match call.operation:
            case "UpdateAccessKey":
                self.keys[call.given["AccessKeyId"]].active = call.given["Status"] == "Active"
            case "DeleteAccessKey":
                self.keys.pop(call.given["AccessKeyId"], None)
            case "UpdateUser" if "NewUserName" in call.given:
                for key in self.keys.values():
                    if key.user == call.given["UserName"]:
                        key.user = call.given["NewUserName"]

    def _create(self, call: AwsCall, forward: Callable[[], Response]) -> Response:
        held = Counter(key.user for key in self.keys.values())
        if held[call.given.get("UserName", "")] >= KEYS_PER_USER:
            text = f"Cannot exceed quota for AccessKeysPerUser: {KEYS_PER_USER}"
            return call.error("LimitExceeded", text, HTTPStatus.CONFLICT)
        response = forward()
        if response.status_code == HTTPStatus.OK:
            made = dict(_MEMBER.findall(response.get_data(as_text=True)))
            self.keys[made["AccessKeyId"]] = AccessKey(made["UserName"], made["SecretAccessKey"])
        return response

    def _last_used(self, call: AwsCall) -> Response:
        key = self.keys[call.given["AccessKeyId"]]
        used = "<ServiceName>N/A</ServiceName><Region>N/A</Region>"
        if key.last_used is not None:
            at, service, region = key.last_used
            used = f"<LastUsedDate>{at:%Y-%m-%dT%H:%M:%SZ}</LastUsedDate><ServiceName>{service}</ServiceName>"
            used += f"<Region>{region}</Region>"
        return call.xml(f"<UserName>{key.user}</UserName><AccessKeyLastUsed>{used}</AccessKeyLastUsed>")
