"""A user pool's domain: the token endpoint, and the keys that tokens are checked with.

Source: Amazon Cognito Developer Guide, "The token issuer endpoint" and "Understanding the access token".
"""

from __future__ import annotations

import base64
import binascii
import secrets
import string
import uuid
from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

import jwt

from keysteward.sandbox import signing
from keysteward.sandbox.server import json_response

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from werkzeug.wrappers import Request, Response

    from keysteward.sandbox.aws.user_pools import Client

    Held = Iterable[tuple[str, Mapping[str, Client], Mapping[str, Mapping[str, Any]]]]

SECRET_CHARACTERS = 51
DEFAULT_LIFETIME = timedelta(hours=1)
_UNITS = {
    "seconds": timedelta(seconds=1),
    "minutes": timedelta(minutes=1),
    "hours": timedelta(hours=1),
    "days": timedelta(days=1),
}


def new_secret() -> str:
    """Return a value as Cognito makes them."""
    return "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(SECRET_CHARACTERS))


def offered(servers: Mapping[str, Mapping[str, Any]]) -> set[str]:
    """Return the full names of all scopes."""
    return {f"{identifier}/{scope['ScopeName']}" for identifier, s in servers.items() for scope in s["Scopes"]}


def jwks() -> Response:
    """``GET /{pool}/.well-known/jwks.json`` (RFC 7517)."""
    return json_response({"keys": [signing.public_jwk()]})


def issue(request: Request, held: Held, now: datetime) -> Response:
    """``POST /oauth2/token`` for ``client_credentials``: a token with the scopes asked for, or all that are allowed."""
    if request.form.get("grant_type") != "client_credentials":
        return _no("unsupported_grant_type")
    client_id, value = _credentials(request)
    for pool_id, clients, servers in held:
        client = clients.get(client_id)
        if client is None or not any(_equal(secret.value, value) for secret in client.secrets):
            continue
        settings = client.settings
        if not settings.get("AllowedOAuthFlowsUserPoolClient"):
            return _no("invalid_grant")
        if "client_credentials" not in (settings.get("AllowedOAuthFlows") or ()):
            return _no("unauthorized_client")
        allowed = [scope for scope in settings.get("AllowedOAuthScopes") or () if scope in offered(servers)]
        wanted = request.form.get("scope", "").split() or allowed
        if not wanted or not set(wanted) <= set(allowed):
            return _no("invalid_scope")
        return _token(request, pool_id, settings, wanted, now)
    return _no("invalid_client")


def _credentials(request: Request) -> tuple[str, str]:
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return request.form.get("client_id", ""), request.form.get("client_secret", "")
    try:
        client_id, _, value = base64.b64decode(given).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return unquote_plus(client_id), unquote_plus(value)


def _equal(one: str, other: str) -> bool:
    return secrets.compare_digest(one.encode(), other.encode())


def _token(request: Request, pool_id: str, settings: Mapping[str, Any], scopes: list[str], now: datetime) -> Response:
    """Sign a token. It has no audience: a scope's name says which API it is for."""
    unit = (settings.get("TokenValidityUnits") or {}).get("AccessToken", "hours")
    validity = settings.get("AccessTokenValidity")
    life = int((DEFAULT_LIFETIME if validity is None else validity * _UNITS[unit]).total_seconds())
    at = int(now.timestamp())
    claims = {
        "sub": settings["ClientId"],
        "token_use": "access",
        "scope": " ".join(scopes),
        "auth_time": at,
        "iss": f"{request.host_url.rstrip('/')}/{pool_id}",
        "exp": at + life,
        "iat": at,
        "version": 2,
        "jti": str(uuid.uuid4()),
        "client_id": settings["ClientId"],
    }
    token = jwt.encode(claims, signing.signing_key(), algorithm="RS256", headers={"kid": signing.key_id()})
    return json_response({"access_token": token, "expires_in": life, "token_type": "Bearer"})


def _no(error: str) -> Response:
    return json_response({"error": error}, HTTPStatus.BAD_REQUEST)
