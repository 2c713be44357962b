"""Signature Version 4, as AWS checks it. Source: AWS IAM User Guide, "Create a signed AWS API request"."""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote

if TYPE_CHECKING:
    from werkzeug.wrappers import Request

ALGORITHM = "AWS4-HMAC-SHA256"
_PARTS = re.compile(r"Credential=([^,\s]+),\s*SignedHeaders=([^,\s]+),\s*Signature=([0-9a-f]{64})")


def is_signed_with(secret: str, request: Request, body: bytes) -> bool:
    """Say whether a request was signed with this secret access key, header for header."""
    found = _PARTS.search(request.headers.get("Authorization", ""))
    if found is None:
        return False
    scope = found.group(1).partition("/")[2]
    canonical = _canonical(request, body, found.group(2).split(";"))
    moment = request.headers.get("X-Amz-Date", "")
    text = "\n".join([ALGORITHM, moment, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), hashlib.sha256)
    expected = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected, found.group(3))


def _canonical(request: Request, body: bytes, signed: list[str]) -> str:
    query = sorted(parse_qsl(request.query_string.decode(), keep_blank_values=True))
    headers = "".join(f"{name}:{' '.join(request.headers.get(name, '').split())}\n" for name in signed)
    return "\n".join(
        [
            request.method,
            quote(request.environ.get("RAW_URI", request.path).partition("?")[0], safe="/~"),
            "&".join(f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in query),
            headers,
            ";".join(signed),
            hashlib.sha256(body).hexdigest(),
        ]
    )
