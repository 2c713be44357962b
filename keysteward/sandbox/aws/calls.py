"""One call to AWS: which service and action it is, by whom, and how its protocol says no.

Sources: botocore's service models (protocol of each service); AWS General Reference, "Signing AWS API requests".
"""

from __future__ import annotations

import json
import re
import uuid
from dataclasses import dataclass, field
from functools import cached_property
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response

if TYPE_CHECKING:
    from collections.abc import Mapping

    from werkzeug.wrappers import Request

QUERY = frozenset({"iam", "sts"})
REST = frozenset({"apigateway"})
NAMESPACES = {
    "iam": "https://iam.amazonaws.com/doc/2010-05-08/",
    "sts": "https://sts.amazonaws.com/doc/2011-06-15/",
}

_CREDENTIAL = re.compile(r"Credential=([^/,\s]+)/\d{8}/([^/]+)/([^/]+)/aws4_request")


class Refused(HTTPException):
    """An answer that AWS gives in place of what was asked."""

    def __init__(self, response: Response) -> None:
        super().__init__(response=response)


@dataclass
class AwsCall:
    """A signed request, read once. `key_id`, `region` and `service` are those of its signature."""

    request: Request
    key_id: str = ""
    region: str = ""
    service: str = ""
    body: bytes = field(default=b"", repr=False)

    @classmethod
    def read(cls, request: Request) -> AwsCall:
        """Read a request; one without signature has no service."""
        found = _CREDENTIAL.search(request.headers.get("Authorization", ""))
        key_id, region, service = found.groups() if found else ("", "", "")
        return cls(request, key_id, region, service, request.get_data(cache=True))

    @cached_property
    def given(self) -> Mapping[str, Any]:
        """What was asked for, by the names of the service's own description."""
        if self.service in QUERY:
            return dict(parse_qsl(self.body.decode()))
        return dict(json.loads(self.body)) if self.body else {}

    @cached_property
    def operation(self) -> str:
        """Return the operation ("CreateAccessKey"); of a REST service verb and path."""
        if self.service in QUERY:
            return str(self.given.get("Action", ""))
        target = self.request.headers.get("X-Amz-Target", "")
        return target.rpartition(".")[2] if target else f"{self.request.method} {self.request.path}"

    @property
    def action(self) -> str:
        """Return the action as IAM's policies write it."""
        operation = self.request.method if self.service in REST else self.operation
        return f"{self.service}:{operation}"

    def json(self, document: Mapping[str, Any], status: int = HTTPStatus.OK) -> Response:
        """Answer as the JSON protocols do."""
        kind = "application/json" if self.service in REST else "application/x-amz-json-1.1"
        return Response(json.dumps(document), status, {"x-amzn-RequestId": str(uuid.uuid4())}, content_type=kind)

    def xml(self, result: str) -> Response:
        """Answer as the Query protocol does; `result` is what stands in the result element."""
        name, space = self.operation, NAMESPACES[self.service]
        text = (
            f'<{name}Response xmlns="{space}"><{name}Result>{result}</{name}Result><ResponseMetadata><RequestId>'
            f"{uuid.uuid4()}</RequestId></ResponseMetadata></{name}Response>"
        )
        return Response(text, content_type="text/xml")

    def error(self, code: str, message: str, status: int = HTTPStatus.BAD_REQUEST) -> Response:
        """Say no in this call's protocol."""
        if self.service in QUERY:
            text = (
                f'<ErrorResponse xmlns="{NAMESPACES[self.service]}"><Error><Type>Sender</Type><Code>{code}</Code>'
                f"<Message>{escape(message)}</Message></Error><RequestId>{uuid.uuid4()}</RequestId></ErrorResponse>"
            )
            return Response(text, status, content_type="text/xml")
        response = self.json({"__type": code, "message": message}, status)
        response.headers["x-amzn-errortype"] = code
        return response

    def refuse(self, code: str, message: str, status: int = HTTPStatus.BAD_REQUEST) -> Refused:
        """Return the exception that is this answer."""
        return Refused(self.error(code, message, status))
