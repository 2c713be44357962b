"""``private_key_jwt`` at the token endpoint (RFC 7523, OpenID Connect Core section 9), as Keycloak 26.7.5 judges it."""

from __future__ import annotations

import json
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import jwt

from keysteward.sandbox.keycloak import errors

if TYPE_CHECKING:
    from keysteward.sandbox.keycloak.models import Client

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
CLOCK_SKEW_SECONDS = 0
"""Keycloak's default for client assertions: none."""
ALGORITHMS = ("RS256", "ES256", "EdDSA")
GENERIC = "Invalid client or Invalid client credentials"


def unverified_claims(assertion: str) -> dict[str, Any] | None:
    """Return the claims of an assertion before anything is known about it; None when it is no JWT."""
    try:
        claims: dict[str, Any] = jwt.decode(assertion, options={"verify_signature": False})
    except jwt.InvalidTokenError:
        return None
    return claims


def check(client: Client, assertion: str, audiences: set[str], used: dict[str, int], now: int) -> None:
    """Accept the assertion and remember its ``jti`` in ``used``, or raise the refusal that Keycloak answers.

    ``audiences`` are the issuer URL and the token endpoint; ``used`` is the whole server's. Order of checks as on the
    real server.
    """
    claims = unverified_claims(assertion) or {}
    _check_signature(client, assertion)
    if "exp" not in claims:
        raise errors.invalid_client("Token exp claim is required")
    _check_audience(claims.get("aud"), audiences)
    if claims["exp"] <= now - CLOCK_SKEW_SECONDS or claims.get("nbf", 0) > now + CLOCK_SKEW_SECONDS:
        raise errors.invalid_client("Token is not active")
    if claims.get("iat", 0) > now + CLOCK_SKEW_SECONDS:
        raise errors.invalid_client("Token was issued in the future")
    _use_once(used, claims, now)


def _check_audience(audience: object, accepted: set[str]) -> None:
    values = audience if isinstance(audience, list) else [audience]
    if len(values) > 1:
        raise errors.invalid_client("Multiple audiences not allowed")
    if values[0] not in accepted:
        raise errors.invalid_client("Invalid token audience")


def _use_once(used: dict[str, int], claims: dict[str, Any], now: int) -> None:
    identifier = claims.get("jti")
    if not identifier:
        raise errors.invalid_client("Token jti claim is required")
    if used.get(identifier, now) > now:
        raise errors.invalid_client("Token reuse detected")
    used[identifier] = claims["exp"]


def _check_signature(client: Client, assertion: str) -> None:
    header = jwt.get_unverified_header(assertion)
    key = _key_for(client, header.get("kid"), header.get("alg"))
    if key is None:
        raise errors.invalid_client("Unable to load public key")
    options: Any = {"verify_exp": False, "verify_aud": False, "verify_iat": False, "verify_nbf": False}
    try:
        jwt.decode(assertion, key, algorithms=list(ALGORITHMS), options=options)
    except jwt.InvalidTokenError:
        prefix = "Client authentication with signed JWT failed: "
        raise errors.invalid_client(prefix + "Signature on JWT token failed validation") from None


def _key_for(client: Client, kid: str | None, algorithm: str | None) -> jwt.PyJWK | None:
    """Return the client's first key for signatures with this ``kid``, or without one the first of that algorithm.

    Only keys that can be read, with ``use: sig``, count; ``alg`` may be left out.
    """
    if client.attributes.get("use.jwks.string") != "true":
        return None
    try:
        keys = json.loads(client.attributes.get("jwks.string") or "{}").get("keys", [])
    except ValueError:
        prefix = "Client authentication with signed JWT failed: Error when loading public keys: "
        raise errors.invalid_client(prefix + "the JWKS is not JSON") from None
    for key in keys:
        fits = key.get("alg", algorithm) == algorithm and kid in {None, key.get("kid")}
        if key.get("use") == "sig" and fits:
            with suppress(jwt.PyJWTError):
                return jwt.PyJWK(key, algorithm)
    return None


def generic_refusal(error: str = "invalid_client") -> errors.Refusal:
    """Refuse without a reason: an unknown client, or one whose credentials do not match."""
    return errors.described(HTTPStatus.UNAUTHORIZED, error, GENERIC)
