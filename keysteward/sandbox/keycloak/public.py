"""What anybody may call: a realm's page, its discovery document and its keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keysteward.sandbox import signing
from keysteward.sandbox.server import json_response

if TYPE_CHECKING:
    from werkzeug.wrappers import Request, Response

    from keysteward.sandbox.keycloak.models import Realm

AUTH_METHODS = ["private_key_jwt", "client_secret_basic", "client_secret_post"]


def realm_page(request: Request, realm: Realm) -> Response:
    """``GET /realms/{realm}``."""
    base = f"{request.host_url}realms/{realm.name}"
    return json_response(
        {
            "realm": realm.name,
            "public_key": signing.public_der_base64(),
            "token-service": f"{base}/protocol/openid-connect",
            "account-service": f"{base}/account",
            "tokens-not-before": 0,
        }
    )


def discovery(request: Request, realm: Realm) -> Response:
    """``GET /realms/{realm}/.well-known/openid-configuration`` (OpenID Connect Discovery 1.0)."""
    issuer = f"{request.host_url}realms/{realm.name}"
    protocol = f"{issuer}/protocol/openid-connect"
    return json_response(
        {
            "issuer": issuer,
            "token_endpoint": f"{protocol}/token",
            "jwks_uri": f"{protocol}/certs",
            "grant_types_supported": ["client_credentials"],
            "token_endpoint_auth_methods_supported": AUTH_METHODS,
            "token_endpoint_auth_signing_alg_values_supported": ["RS256", "ES256", "EdDSA"],
            "scopes_supported": ["openid", *(scope.name for scope in realm.scopes.values())],
        }
    )


def certs(request: Request, realm: Realm) -> Response:  # noqa: ARG001  (all realms share one key)
    """``GET /realms/{realm}/protocol/openid-connect/certs``: the JWKS (RFC 7517)."""
    return json_response({"keys": [signing.public_jwk()]})
