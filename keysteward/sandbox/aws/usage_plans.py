"""Usage plans of API Gateway: a key is in a plan once. moto takes it again.

Source: botocore's model of ``apigateway``, CreateUsagePlanKey (ConflictException).
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from werkzeug.wrappers import Response

    from keysteward.sandbox.aws.calls import AwsCall

_MEMBERS = re.compile(r"/usageplans/([^/]+)/keys(?:/([^/]+))?")
_KEY = re.compile(r"/apikeys/([^/]+)")


class UsagePlans:
    """Which keys are in which plans, as far as they were put there through this stand-in."""

    def __init__(self) -> None:
        self.members: set[tuple[str, str]] = set()

    def answer(self, call: AwsCall, forward: Callable[[], Response]) -> Response:
        """Refuse a key that is in the plan already; everything else goes on."""
        method, path = call.request.method, call.request.path
        found, key = _MEMBERS.fullmatch(path), _KEY.fullmatch(path)
        member = (found.group(1), str(call.given.get("keyId"))) if found and method == "POST" else None
        if member in self.members:
            return call.error("ConflictException", "Usage Plan Key already exists", HTTPStatus.CONFLICT)
        response = forward()
        if response.status_code >= HTTPStatus.BAD_REQUEST:
            return response
        if member is not None:
            self.members.add(member)
        elif method == "DELETE" and found is not None:
            self.members.discard((found.group(1), str(found.group(2))))
        elif method == "DELETE" and key is not None:
            self.members = {known for known in self.members if known[1] != key.group(1)}
        return response
