"""Lists of AWS, page by page, with the time at which they began by AWS's own clock."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from keysteward.core.errors import KeystewardError
from keysteward.host.transport import server_date
from keysteward.providers.aws.connection import AwsClient
from keysteward.providers.kit.pages import Listing, Page, read_pages

TOKENS: Final[Mapping[str, tuple[str, str]]] = {
    "iam": ("Marker", "Marker"),
    "cognito-idp": ("NextToken", "NextToken"),
    "apigateway": ("position", "position"),
    "secretsmanager": ("NextToken", "NextToken"),
}
"""By which names each service asks for the next page, and gives it."""


def listed(
    client: AwsClient,
    service: str,
    operation: str,
    on: str,
    parameters: Mapping[str, Any],
    *,
    entries: str,
    told: Mapping[str, KeystewardError] | None = None,
) -> Listing[Mapping[str, Any]]:
    """Read a list to its end."""
    ask, give = TOKENS[service]

    def page(token: str | None) -> Page[Mapping[str, Any], str]:
        began = time.monotonic()
        following = {} if token is None else {ask: token}
        answer = client.read(service, operation, on, {**parameters, **following}, told=told)
        return Page(answer[entries], answer.get(give) or None, time.monotonic() - began, _date(answer))

    return read_pages(client.connection.name, f"{service}:{operation}", page)


def _date(answer: Mapping[str, Any]) -> datetime:
    headers = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    return server_date(headers.get("date", "")) or datetime.now(UTC)
