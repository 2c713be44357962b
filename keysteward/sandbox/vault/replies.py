"""Answers of the Vault stand-in: the envelope around data, and refusals."""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response

from keysteward.sandbox.server import json_response

HEADERS = {"Cache-Control": "no-store"}
DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")


class Refusal(HTTPException):
    """A call that was refused; carries the complete answer, ``{"errors": [...]}``."""

    def __init__(self, status: int, *messages: str) -> None:
        super().__init__(response=json_response({"errors": list(messages)}, status, HEADERS))


def permission_denied() -> Refusal:
    """Refuse a token that is valid and lacks the right."""
    return Refusal(HTTPStatus.FORBIDDEN, "1 error occurred:\n\t* permission denied\n\n")


def bad_token() -> Refusal:
    """Refuse a token that is missing, unknown or expired."""
    return Refusal(HTTPStatus.FORBIDDEN, "permission denied")


def bad_request(message: str) -> Refusal:
    """Refuse with 400, which is also what a failed check-and-set is."""
    return Refusal(HTTPStatus.BAD_REQUEST, message)


def not_found() -> Refusal:
    """Answer for what is not there, an empty list included."""
    return Refusal(HTTPStatus.NOT_FOUND)


def unsupported() -> Refusal:
    """Refuse a verb that the path does not know."""
    return Refusal(HTTPStatus.METHOD_NOT_ALLOWED, "1 error occurred:\n\t* unsupported operation\n\n")


def reply(
    data: dict[str, Any] | None,
    *,
    auth: dict[str, Any] | None = None,
    warnings: list[str] | None = None,
    status: int = HTTPStatus.OK,
    flat: bool = False,
) -> Response:
    """Answer with the envelope; ``flat`` repeats the data beside it, as some ``sys/`` paths do."""
    envelope = {
        **(data or {} if flat else {}),
        "request_id": str(uuid.uuid4()),
        "lease_id": "",
        "renewable": False,
        "lease_duration": 0,
        "data": data,
        "wrap_info": None,
        "warnings": warnings,
        "auth": auth,
    }
    return json_response(envelope, status, HEADERS)


def no_content() -> Response:
    """Answer a write that has nothing to say."""
    return Response(status=HTTPStatus.NO_CONTENT, headers=HEADERS)


def listing(keys: list[str]) -> Response:
    """Answer a LIST; an empty one is a 404."""
    if not keys:
        raise not_found()
    return reply({"keys": keys})


def timestamp(moment: datetime | None) -> str:
    """Write a time as Vault does, with nine digits after the point; nothing is the empty string."""
    if moment is None:
        return ""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f") + "417Z"


def seconds(value: object) -> int:
    """Read a duration: a number of seconds, or text such as ``1h30m``; `ValueError` when it is none."""
    if isinstance(value, (int, float)):
        return int(value)
    text = str(value or "0")
    if text.isdigit():
        return int(text)
    match = DURATION.fullmatch(text)
    if match is None:
        raise bad_request(f'time: invalid duration "{text}"')
    hours, minutes, rest = (int(group or 0) for group in match.groups())
    return int(timedelta(hours=hours, minutes=minutes, seconds=rest).total_seconds())


def duration_text(value: int) -> str:
    """Write a duration as Go does: ``3h0m0s``."""
    minutes, rest = divmod(value, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h{minutes}m{rest}s"
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"
