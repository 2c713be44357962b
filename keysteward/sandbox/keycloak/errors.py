"""Refusals of the Keycloak stand-in: one function per shape of body that the real server answers with."""

from __future__ import annotations

from http import HTTPStatus

from werkzeug.exceptions import HTTPException

from keysteward.sandbox.server import json_response


class Refusal(HTTPException):
    """A call that was refused; carries the complete answer."""

    def __init__(self, status: int, document: dict[str, str]) -> None:
        super().__init__(response=json_response(document, status))


def plain(status: int, error: str) -> Refusal:
    """``{"error": ...}``: what was not found, and HTTP-level refusals."""
    return Refusal(status, {"error": error})


def described(status: int, error: str, description: str) -> Refusal:
    """``{"error": ..., "error_description": ...}``: OAuth 2.0 errors (RFC 6749, section 5.2) and bad input."""
    return Refusal(status, {"error": error, "error_description": description})


def message(status: int, text: str) -> Refusal:
    """``{"errorMessage": ...}``: conflicts and validation in the Admin API."""
    return Refusal(status, {"errorMessage": text})


def forbidden() -> Refusal:
    """Answer the caller who lacks a role."""
    return plain(HTTPStatus.FORBIDDEN, "HTTP 403 Forbidden")


def unauthorized() -> Refusal:
    """Answer the Admin API's caller whose token is missing, expired, or of a client that is gone."""
    return plain(HTTPStatus.UNAUTHORIZED, "HTTP 401 Unauthorized")


def duplicate() -> Refusal:
    """Answer the write that a unique key of the database refused."""
    return described(HTTPStatus.CONFLICT, "conflict", "Duplicate resource error")


def unknown_error() -> Refusal:
    """Answer what the real server did not expect either, such as a value longer than its column."""
    return described(
        HTTPStatus.INTERNAL_SERVER_ERROR, "unknown_error", "For more on this error consult the server log."
    )


def invalid_client(description: str, status: int = HTTPStatus.BAD_REQUEST) -> Refusal:
    """Refuse a client at the token endpoint with ``invalid_client``."""
    return described(status, "invalid_client", description)
