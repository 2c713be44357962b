"""The AuthKit domain: token endpoint, keys and metadata. In production it is a host of its own; here it is the same.

Source: WorkOS documentation, "Connect: M2M Applications" and "Token claims"; RFC 6749, section 4.4; RFC 8414.
"""

from __future__ import annotations

import secrets
import uuid
from http import HTTPStatus
from typing import TYPE_CHECKING

import jwt

from keysteward.sandbox import signing
from keysteward.sandbox.server import json_response
from keysteward.sandbox.workos import errors

if TYPE_CHECKING:
    from werkzeug.wrappers import Request, Response

    from keysteward.sandbox.workos.calls import Call
    from keysteward.sandbox.workos.records import Application, Secret

TOKEN_SECONDS = 3600
"""Lifetime of a token: that of the vendor's emulator. What production gives is not published."""


def issuer(request: Request) -> str:
    """Return the AuthKit domain as this caller sees it."""
    return request.host_url.rstrip("/")


def metadata(request: Request) -> Response:
    """``GET /.well-known/oauth-authorization-server`` (RFC 8414)."""
    base = issuer(request)
    return json_response(
        {
            "issuer": base,
            "token_endpoint": f"{base}/oauth2/token",
            "jwks_uri": f"{base}/oauth2/jwks",
            "grant_types_supported": ["client_credentials"],
            "response_types_supported": [],
            "token_endpoint_auth_methods_supported": ["client_secret_post"],
        }
    )


def jwks(_request: Request) -> Response:
    """``GET /oauth2/jwks`` (RFC 7517)."""
    return json_response({"keys": [signing.public_jwk()]})


def issue(call: Call, audience: str) -> Response:
    """``POST /oauth2/token`` for ``client_credentials``; ``audience`` is the environment's client id."""
    form = call.request.form
    grant = form.get("grant_type")
    if not grant:
        raise errors.oauth(HTTPStatus.BAD_REQUEST, "invalid_request", "The grant_type is missing.")
    if grant != "client_credentials":
        raise errors.oauth(
            HTTPStatus.BAD_REQUEST, "unsupported_grant_type", f"The grant type {grant} is not supported."
        )
    application, secret = _authenticate(call, form.get("client_id", ""), form.get("client_secret", ""))
    if application.kind != "m2m":
        text = "The application may not use this grant type."
        raise errors.oauth(HTTPStatus.BAD_REQUEST, "unauthorized_client", text)
    wanted = form.get("scope", "").split() or application.scopes
    if set(wanted) - set(application.scopes):
        raise errors.oauth(HTTPStatus.BAD_REQUEST, "invalid_scope", "A requested scope is not granted.")
    secret.last_used_at = call.now
    call.environment.secrets.put(secret, call.now)
    return json_response(
        {
            "access_token": _sign(call, application, wanted, audience),
            "token_type": "bearer",
            "expires_in": TOKEN_SECONDS,
        },
        headers={"Cache-Control": "no-store"},
    )


def _authenticate(call: Call, client_id: str, given: str) -> tuple[Application, Secret]:
    application = next((item for item in call.environment.applications if item.client_id == client_id), None)
    if application is not None and given:
        for secret in call.environment.secrets_of(application):
            if secrets.compare_digest(secret.value.encode(), given.encode()):
                return application, secret
    raise errors.oauth(HTTPStatus.UNAUTHORIZED, "invalid_client", "The client credentials are not valid.")


def _sign(call: Call, application: Application, scopes: list[str], audience: str) -> str:
    now = int(call.now.timestamp())
    claims = {
        "iss": issuer(call.request),
        "aud": audience,
        "sub": application.client_id,
        "client_id": application.client_id,
        "org_id": application.organization_id,
        "scope": " ".join(scopes),
        "jti": str(uuid.uuid4()),
        "iat": now,
        "exp": now + TOKEN_SECONDS,
    }
    return jwt.encode(claims, signing.signing_key(), algorithm="RS256", headers={"kid": signing.key_id()})
