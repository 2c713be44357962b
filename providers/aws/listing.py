"""Lists of AWS, page by page, with the time at which they began by AWS's own clock."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from keysteward.core.errors import KeystewardError
from keysteward.host.transport import server_date
from keysteward.providers.aws.connection import AwsClient
from keysteward.providers.kit.pages import Pages

TOKENS: Final[Mapping[str, tuple[str, str]]] = {
    "iam": ("Marker", "Marker"),
    "cognito-idp": ("NextToken", "NextToken"),
    "apigateway": ("position", "position"),
    "secretsmanager": ("NextToken", "NextToken"),
}
"""By which names each service asks for the next page, and gives it."""


@dataclass(frozen=True, slots=True)
class Listing:
    """All entries of a list, and AWS's time when it began and at its first answer."""

    entries: tuple[Mapping[str, Any], ...]
    started_at: datetime
    clock: datetime


def listed(
    client: AwsClient,
    service: str,
    operation: str,
    on: str,
    parameters: Mapping[str, Any],
    *,
    entries: str,
    told: Mapping[str, KeystewardError] | None = None,
) -> Listing:
    """Read a list to its end."""
    ask, give = TOKENS[service]
    found: list[Mapping[str, Any]] = []
    times: tuple[datetime, datetime] | None = None
    token: dict[str, Any] = {}
    pages = Pages(client.connection.name, f"{service}:{operation}")
    while True:
        began = time.monotonic()
        answer = client.read(service, operation, on, {**parameters, **token}, told=told)
        if times is None:
            clock = _date(answer)
            times = clock - timedelta(seconds=time.monotonic() - began), clock
        found += answer[entries]
        if not answer.get(give):
            return Listing(tuple(found), *times)
        pages.turn(answer[give])
        token = {ask: answer[give]}


def _date(answer: Mapping[str, Any]) -> datetime:
    headers = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    return server_date(headers.get("date", "")) or datetime.now(UTC)
