"""The token endpoint: who may have a token, and what stands in it.

``POST /realms/{realm}/protocol/openid-connect/token`` with ``grant_type=client_credentials`` (RFC 6749, section 4.4).
"""

from __future__ import annotations

import base64
import binascii
import uuid
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

import jwt

from keysteward.sandbox import signing
from keysteward.sandbox.keycloak import assertions, builtin, errors, rotation
from keysteward.sandbox.server import json_response

if TYPE_CHECKING:
    from werkzeug.wrappers import Request, Response

    from keysteward.sandbox.clock import Clock
    from keysteward.sandbox.keycloak.models import Client, Realm, Scope

OTHER_GRANTS = frozenset({"password", "authorization_code", "refresh_token"})
LOGIN, LOGIN_ERROR = "CLIENT_LOGIN", "CLIENT_LOGIN_ERROR"


@dataclass(frozen=True)
class TokenCall:
    """One request for a token, with what it is judged by."""

    request: Request
    realm: Realm
    clock: Clock
    secret_rotation: bool
    used_assertions: dict[str, int]

    @property
    def issuer(self) -> str:
        """The realm's issuer URL, as seen by this caller."""
        return f"{self.request.host_url}realms/{self.realm.name}"

    @property
    def now(self) -> int:
        """Epoch seconds."""
        return self.clock.epoch_seconds()

    def form(self, name: str) -> str | None:
        """Return a form parameter."""
        return self.request.form.get(name)


def issue(call: TokenCall) -> Response:
    """Answer the token endpoint."""
    grant = call.form("grant_type")
    if grant is None:
        raise errors.described(HTTPStatus.BAD_REQUEST, "invalid_request", "Missing form parameter: grant_type")
    if grant != "client_credentials" and grant not in OTHER_GRANTS:
        raise errors.described(HTTPStatus.BAD_REQUEST, "unsupported_grant_type", "Unsupported grant_type")
    client = _authenticated_client(call)
    if grant != "client_credentials":
        raise errors.described(
            HTTPStatus.BAD_REQUEST, "unauthorized_client", "Client not allowed for direct access grants"
        )
    if client.service_account is None:
        raise errors.described(
            HTTPStatus.UNAUTHORIZED, "unauthorized_client", "Client not enabled to retrieve service account"
        )
    scopes, named = _granted(call, client)
    lifetime = int(
        client.attributes.get("access.token.lifespan") or call.realm.settings.get("accessTokenLifespan", 300)
    )
    claims = _claims(call, client, scopes, named, lifetime)
    shown = {"scope": claims["scope"]} if claims["scope"] else {}
    _record(call, LOGIN, client.client_id, client, token_id=claims["jti"], **shown)
    document = {
        "access_token": jwt.encode(claims, signing.signing_key(), algorithm="RS256", headers={"kid": signing.key_id()}),
        "expires_in": lifetime,
        "refresh_expires_in": 0,
        "token_type": "Bearer",
        "not-before-policy": 0,
        "scope": claims["scope"],
    }
    return json_response(document, headers={"Cache-Control": "no-store", "Pragma": "no-cache"})


def _authenticated_client(call: TokenCall) -> Client:
    assertion = call.form("client_assertion")
    if assertion and call.form("client_assertion_type") == assertions.ASSERTION_TYPE:
        return _by_assertion(call, assertion)
    client_id, secret = _basic_credentials(call.request)
    if client_id is None:
        client_id = call.form("client_id")
    secret = call.form("client_secret") or secret
    client = _known(call, client_id)
    if client.settings["bearerOnly"]:
        raise errors.invalid_client("Bearer-only not allowed")
    if client.settings["publicClient"]:
        raise errors.described(
            HTTPStatus.UNAUTHORIZED, "unauthorized_client", "Public client not allowed to retrieve service account"
        )
    if client.settings["clientAuthenticatorType"] == "client-jwt":
        _record(call, LOGIN_ERROR, client.client_id, None, error="invalid_client_credentials")
        raise errors.invalid_client("Parameter client_assertion_type is missing")
    if not secret or not _secret_accepted(call, client, secret):
        _record(call, LOGIN_ERROR, client.client_id, None, error="invalid_client_credentials")
        raise assertions.generic_refusal("unauthorized_client")
    return client


def _by_assertion(call: TokenCall, assertion: str) -> Client:
    claims = assertions.unverified_claims(assertion) or {}
    subject = claims.get("sub")
    client = _known(call, subject if claims.get("iss") == subject else None)
    if client.settings["clientAuthenticatorType"] != "client-jwt":
        raise assertions.generic_refusal()
    if call.form("client_id") not in {None, client.client_id}:
        raise assertions.generic_refusal("unauthorized_client")
    audiences = {call.issuer, f"{call.issuer}/protocol/openid-connect/token"}
    assertions.check(client, assertion, audiences, call.used_assertions, call.now)
    return client


def _known(call: TokenCall, client_id: str | None) -> Client:
    client = call.realm.client_named(client_id) if client_id else None
    if client is None or not client.settings["enabled"]:
        reason = "client_not_found" if client is None else "client_disabled"
        _record(call, LOGIN_ERROR, client_id, None, error=reason)
        raise assertions.generic_refusal()
    return client


def _basic_credentials(request: Request) -> tuple[str | None, str | None]:
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None, None
    try:
        user, _, password = base64.b64decode(value).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None, None
    return unquote_plus(user), unquote_plus(password)


def _secret_accepted(call: TokenCall, client: Client, secret: str) -> bool:
    """Say whether this is a live secret; an expired primary blocks the rotated one, and counts without the feature."""
    rotated = call.secret_rotation and rotation.rotated_accepts(client, secret, call.now)
    return (rotated or secret == client.secret) and not rotation.primary_expired(client, call.now)


def _granted(call: TokenCall, client: Client) -> tuple[list[Scope], list[str]]:
    """Return the scopes in effect, and the words of the ``scope`` claim."""
    text = call.form("scope") or ""
    requested = text.split()
    optional = {scope.name: scope for scope in client.optional_scopes}
    known = optional.keys() | {scope.name for scope in client.default_scopes} | {"openid"}
    if any(name not in known for name in requested):
        description = f"Invalid scopes: {text}"
        _record(call, LOGIN_ERROR, client.client_id, client, error="invalid_request", reason=description)
        raise errors.described(HTTPStatus.BAD_REQUEST, "invalid_scope", description)
    scopes = [optional[name] for name in dict.fromkeys(requested) if name in optional] + client.default_scopes
    named = ["openid"] if "openid" in requested else []
    return scopes, named + [scope.name for scope in scopes if scope.in_token]


def _claims(call: TokenCall, client: Client, scopes: list[Scope], named: list[str], lifetime: int) -> dict[str, Any]:
    account = client.service_account
    claims: dict[str, Any] = {
        "exp": call.now + lifetime,
        "iat": call.now,
        "jti": f"trrtcc:{uuid.uuid4()}",
        "iss": call.issuer,
        "aud": [],
        "sub": account.id if account else "",
        "typ": "Bearer",
        "azp": client.client_id,
        "scope": " ".join(named),
    }
    mappers = [mapper for scope in scopes for mapper in scope.mappers] + client.mappers
    for mapper in mappers:
        if mapper["config"].get("access.token.claim") == "true":
            _apply(mapper, claims, client, call.realm)
    audience = list(dict.fromkeys(name for name in claims.pop("aud") if name != client.client_id))
    if audience:
        claims["aud"] = audience[0] if len(audience) == 1 else audience
    return claims


def _apply(mapper: dict[str, Any], claims: dict[str, Any], client: Client, realm: Realm) -> None:
    """Do what one protocol mapper does to the claims."""
    config = mapper["config"]
    match mapper["protocolMapper"]:
        case "oidc-audience-mapper":
            wanted = config.get("included.client.audience") or config.get("included.custom.audience")
            claims["aud"] += [wanted] if wanted else []
        case "oidc-hardcoded-claim-mapper":
            claims[config["claim.name"]] = _typed(config.get("claim.value", ""), config.get("jsonType.label"))
        case "oidc-usersessionmodel-note-mapper":
            notes = {"client_id": client.client_id, "clientHost": "127.0.0.1", "clientAddress": "127.0.0.1"}
            claims[config["claim.name"]] = notes.get(config["user.session.note"])
        case "oidc-usermodel-property-mapper" | "oidc-usermodel-attribute-mapper":
            user = {"username": f"service-account-{client.client_id}".lower(), "emailVerified": False}
            if config.get("user.attribute") in user:
                claims[config["claim.name"]] = user[config["user.attribute"]]
        case "oidc-acr-mapper":
            claims["acr"] = "1"
        case "oidc-audience-resolve-mapper" if client.settings["fullScopeAllowed"]:
            claims["aud"] += sorted(_client_roles(client))
        case "oidc-usermodel-client-role-mapper" if client.settings["fullScopeAllowed"]:
            claims["resource_access"] = {name: {"roles": roles} for name, roles in _client_roles(client).items()}
        case "oidc-usermodel-realm-role-mapper" if client.settings["fullScopeAllowed"]:
            claims["realm_access"] = {"roles": [f"default-roles-{realm.name}", "offline_access", "uma_authorization"]}


def _client_roles(client: Client) -> dict[str, list[str]]:
    roles = {"account": ["manage-account", "manage-account-links", "view-profile"]}
    if client.service_account and client.service_account.roles:
        roles[builtin.REALM_MANAGEMENT] = sorted(client.service_account.roles)
    return roles


def _typed(value: str, label: str | None) -> object:
    if label in {"int", "long"}:
        return int(value)
    return value == "true" if label == "boolean" else value


def _record(
    call: TokenCall, kind: str, client_id: str | None, client: Client | None, error: str | None = None, **details: str
) -> None:
    """Add an event, when the realm keeps events of this kind."""
    settings = call.realm.settings
    kinds = settings.get("enabledEventTypes") or [kind]
    if not settings.get("eventsEnabled") or kind not in kinds:
        return
    event: dict[str, Any] = {
        "id": str(uuid.uuid4()),
        "time": int(call.clock.now().timestamp() * 1000),
        "type": kind,
        "realmId": call.realm.id,
        "clientId": client_id,
        "ipAddress": "127.0.0.1",
        "details": {**details, "grant_type": "client_credentials"},
    }
    if client and client.service_account:
        event["userId"] = client.service_account.id
        event["details"]["client_auth_method"] = client.settings["clientAuthenticatorType"]
        event["details"]["username"] = client.service_account.username
    if error:
        event["error"] = error
    call.realm.events.insert(0, event)
