"""Refusals of the WorkOS stand-in: one function per shape of body that the vendor documents."""

from __future__ import annotations

from http import HTTPStatus

from werkzeug.exceptions import HTTPException

from keysteward.sandbox.server import json_response


class Refusal(HTTPException):
    """A call that was refused; carries the complete answer."""

    def __init__(self, status: int, document: dict[str, object]) -> None:
        super().__init__(response=json_response(document, status))


def message(status: int, text: str) -> Refusal:
    """``{"message": ...}``: what most refusals look like."""
    return Refusal(status, {"message": text})


def coded(status: int, code: str, text: str) -> Refusal:
    """``{"code": ..., "message": ...}``: refusals that a program may tell apart."""
    return Refusal(status, {"code": code, "message": text})


def oauth(status: int, error: str, description: str) -> Refusal:
    """``{"error": ..., "error_description": ...}``: the token endpoint (RFC 6749, section 5.2)."""
    return Refusal(status, {"error": error, "error_description": description})


def not_found(kind: str, name: str) -> Refusal:
    """Answer the call about an object that is not there."""
    return message(HTTPStatus.NOT_FOUND, f"{kind} not found: '{name}'.")


def invalid(*faulty: tuple[str, str], status: int = HTTPStatus.UNPROCESSABLE_ENTITY) -> Refusal:
    """``{"message": ..., "errors": [{"code", "field"}]}``: input that was refused, as pairs of field and code."""
    errors = [{"code": code, "field": field} for field, code in faulty]
    return Refusal(status, {"message": "Validation failed.", "errors": errors})


def unauthorized() -> Refusal:
    """Answer the caller without a valid API key of the environment."""
    return message(HTTPStatus.UNAUTHORIZED, "Unauthorized")
