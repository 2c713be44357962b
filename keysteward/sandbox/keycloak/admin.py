"""One call of the Admin API: its caller's rights, its body, and what it may see."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import jwt
from werkzeug.wrappers import Response

from keysteward.sandbox import signing
from keysteward.sandbox.keycloak import builtin, errors

if TYPE_CHECKING:
    from collections.abc import Collection

    from werkzeug.wrappers import Request

    from keysteward.sandbox.clock import Clock
    from keysteward.sandbox.keycloak.models import Client, Realm, Scope

SEES_CLIENTS = ("view-clients", "manage-clients")
LISTS_CLIENTS = ("query-clients", *SEES_CLIENTS)
SEES_REALM = ("view-realm", "manage-realm")
SEES_EVENTS = ("view-events", "manage-events")
COLUMN_LENGTH = 255
"""Longest name, description or attribute name the real server's database takes; longer ones are a 500."""


@dataclass(frozen=True)
class Server:
    """What the whole server holds: its realms, its clock, and the features it was started with."""

    realms: dict[str, Realm]
    clock: Clock
    secret_rotation: bool


@dataclass(frozen=True)
class AdminCall:
    """A call by an authenticated client. ``roles`` are those it has in ``realm``, composites resolved."""

    server: Server
    request: Request
    realm: Realm
    roles: frozenset[str]

    @property
    def now(self) -> int:
        """Epoch seconds."""
        return self.server.clock.epoch_seconds()

    def may(self, *roles: str) -> bool:
        """Say whether the caller has one of these roles."""
        return not self.roles.isdisjoint(roles)

    def require(self, *roles: str) -> None:
        """Refuse with 403 unless the caller has one of these roles."""
        if not self.may(*roles):
            raise errors.forbidden()

    def client(self, client_uuid: str) -> Client:
        """Return the client with this id; a 404 only for those who may list clients, else a 403."""
        if client_uuid in self.realm.clients:
            return self.realm.clients[client_uuid]
        self.require(*LISTS_CLIENTS)
        raise errors.plain(HTTPStatus.NOT_FOUND, "Could not find client")

    def scope(self, scope_id: str) -> Scope:
        """Return the client scope with this id, like `client`."""
        if scope_id in self.realm.scopes:
            return self.realm.scopes[scope_id]
        self.require(*LISTS_CLIENTS)
        raise errors.plain(HTTPStatus.NOT_FOUND, "Could not find client scope")

    def document(self, name: str, fields: Collection[str] | None = None) -> dict[str, Any]:
        """Return the JSON object sent; what is no object, or has fields the representation lacks, is a 400."""
        if self.request.mimetype != "application/json":
            raise errors.plain(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "The content-type header value did not match the value in @Consumes"
            )
        document = self.request.get_json(silent=True)
        if document is None:
            raise errors.described(HTTPStatus.BAD_REQUEST, "invalid_request", "Cannot parse the JSON")
        if not isinstance(document, dict):
            raise errors.described(HTTPStatus.BAD_REQUEST, "unknown_error", "Cannot parse the JSON")
        for field in document:
            if fields is not None and field not in fields:
                text = f'Invalid json representation for {name}. Unrecognized field "{field}" at line 1 column 1.'
                raise errors.plain(HTTPStatus.BAD_REQUEST, text)
        return document

    def client_changed(self, client_uuid: str) -> None:
        """Note a client's new state for lists that lag."""
        self.realm.note_change(client_uuid, self.server.clock.now())


def authenticate(server: Server, request: Request, realm_name: str | None) -> AdminCall:
    """Find out who calls, and with which rights in the realm named.

    Rights are looked up now, not read from the token: a role taken away, a client disabled or deleted ends the token's
    power at once. A client of ``master`` that was made at start has every right in every realm.
    """
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        raise errors.unauthorized()
    options: Any = {"verify_exp": False, "verify_aud": False, "verify_iat": False}
    try:
        claims = jwt.decode(token, signing.signing_key().public_key(), algorithms=["RS256"], options=options)
    except jwt.InvalidTokenError:
        raise errors.unauthorized() from None
    home = server.realms.get(str(claims["iss"]).rsplit("/", 1)[-1])
    client = home.client_named(claims["azp"]) if home else None
    expired = claims["exp"] <= server.clock.epoch_seconds()
    if home is None or client is None or not client.settings["enabled"] or not client.service_account or expired:
        raise errors.unauthorized()
    realm = server.realms.get(realm_name) if realm_name else home
    if realm is None:
        raise errors.plain(HTTPStatus.NOT_FOUND, "Realm not found.")
    if home.name != "master" and home is not realm:
        raise errors.forbidden()
    return AdminCall(server, request, realm, _effective(client))


def _effective(client: Client) -> frozenset[str]:
    if client.service_account is None or not client.settings["fullScopeAllowed"]:
        return frozenset()
    return resolve(client.service_account.roles)


def resolve(roles: Collection[str]) -> frozenset[str]:
    """Return the roles with everything their composites contain."""
    if "realm-admin" in roles:
        return builtin.ADMIN_ROLES | {"realm-admin"}
    found = frozenset(roles)
    return found.union(*(builtin.COMPOSITE_ROLES.get(role, frozenset()) for role in roles))


def no_content() -> Response:
    """Answer a write that has nothing to say."""
    return Response(status=HTTPStatus.NO_CONTENT)


def created(request: Request, new_id: str) -> Response:
    """Answer a create: no body, the new object's address in ``Location``."""
    return Response(status=HTTPStatus.CREATED, headers={"Location": f"{request.base_url}/{new_id}"})


def merge_attributes(present: dict[str, str], sent: dict[str, Any] | None, *, keep_empty: bool = False) -> None:
    """Write attributes as a PUT does: those sent are set, null ones removed, the others stay.

    An empty value removes a client's attribute; with ``keep_empty``, as for client scopes, it is kept as it is.
    """
    for name, value in (sent or {}).items():
        if len(name) > COLUMN_LENGTH:
            raise errors.unknown_error()
        if isinstance(value, (list, dict)):
            raise errors.described(HTTPStatus.BAD_REQUEST, "unknown_error", "Cannot parse the JSON")
        if value is None or (value == "" and not keep_empty):
            present.pop(name, None)
        else:
            present[name] = str(value).lower() if isinstance(value, bool) else str(value)
