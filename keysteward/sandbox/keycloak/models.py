"""Records of the Keycloak stand-in: realms, clients, client scopes, events."""

from __future__ import annotations

import copy
import secrets
import string
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from keysteward.sandbox.keycloak import builtin

if TYPE_CHECKING:
    from datetime import datetime

SECRET_ALPHABET = string.ascii_letters + string.digits
GENERATED_SECRET_LENGTH = 86
"""Length of a secret that Keycloak 26.7.5 generates for an HMAC-capable client authenticator."""

CREATION_TIME = "client.secret.creation.time"

CLIENT_DEFAULTS: dict[str, Any] = {
    "surrogateAuthRequired": False,
    "enabled": True,
    "alwaysDisplayInConsole": False,
    "clientAuthenticatorType": "client-secret",
    "redirectUris": [],
    "webOrigins": [],
    "notBefore": 0,
    "bearerOnly": False,
    "consentRequired": False,
    "standardFlowEnabled": True,
    "implicitFlowEnabled": False,
    "directAccessGrantsEnabled": False,
    "serviceAccountsEnabled": False,
    "publicClient": False,
    "frontchannelLogout": False,
    "protocol": "openid-connect",
    "authenticationFlowBindingOverrides": {},
    "fullScopeAllowed": True,
    "nodeReRegistrationTimeout": -1,
}


def new_id() -> str:
    """Return an id as Keycloak gives to every object."""
    return str(uuid.uuid4())


def new_secret() -> str:
    """Return a client secret as Keycloak generates it."""
    return "".join(secrets.choice(SECRET_ALPHABET) for _ in range(GENERATED_SECRET_LENGTH))


@dataclass(eq=False)
class Scope:
    """A client scope: part of a realm's catalogue, assigned to clients as default or optional."""

    name: str
    protocol: str = "openid-connect"
    description: str | None = None
    attributes: dict[str, str] = field(default_factory=dict)
    mappers: list[dict[str, Any]] = field(default_factory=list)
    id: str = field(default_factory=new_id)

    @property
    def in_token(self) -> bool:
        """Whether the ``scope`` claim names it; so unless the attribute says no."""
        return self.attributes.get("include.in.token.scope") != "false"

    def representation(self) -> dict[str, Any]:
        """Return the ClientScopeRepresentation."""
        document: dict[str, Any] = {"id": self.id, "name": self.name}
        if self.description is not None:
            document["description"] = self.description
        document |= {"protocol": self.protocol, "attributes": self.attributes}
        if self.mappers:
            document["protocolMappers"] = self.mappers
        return copy.deepcopy(document)


@dataclass(eq=False)
class ServiceAccount:
    """The user behind a client's own tokens, and its roles of ``realm-management``."""

    username: str
    created_ms: int
    id: str = field(default_factory=new_id)
    roles: set[str] = field(default_factory=set)

    def representation(self) -> dict[str, Any]:
        """Return the UserRepresentation."""
        return {
            "id": self.id,
            "username": self.username,
            "emailVerified": False,
            "enabled": True,
            "createdTimestamp": self.created_ms,
            "totp": False,
            "disableableCredentialTypes": [],
            "requiredActions": [],
            "notBefore": 0,
        }


@dataclass(eq=False)
class Client:
    """A client with everything its representation shows; scopes are held by reference."""

    client_id: str
    id: str = field(default_factory=new_id)
    settings: dict[str, Any] = field(default_factory=lambda: copy.deepcopy(CLIENT_DEFAULTS))
    attributes: dict[str, str] = field(default_factory=dict)
    secret: str | None = None
    default_scopes: list[Scope] = field(default_factory=list)
    optional_scopes: list[Scope] = field(default_factory=list)
    mappers: list[dict[str, Any]] = field(default_factory=list)
    service_account: ServiceAccount | None = None

    @property
    def confidential(self) -> bool:
        """Whether it has a secret at all."""
        return not (self.settings["publicClient"] or self.settings["bearerOnly"])

    def representation(self) -> dict[str, Any]:
        """Return the ClientRepresentation, secret included, without the caller's ``access``."""
        document: dict[str, Any] = {"id": self.id, "clientId": self.client_id, **self.settings}
        if self.confidential:
            document["secret"] = self.secret
        document["attributes"] = self.attributes
        if self.mappers:
            document["protocolMappers"] = self.mappers
        document["defaultClientScopes"] = [scope.name for scope in self.default_scopes]
        document["optionalClientScopes"] = [scope.name for scope in self.optional_scopes]
        return copy.deepcopy(document)


@dataclass(eq=False)
class Realm:
    """A realm with its clients, scope catalogue, policies and events."""

    name: str
    id: str = field(default_factory=new_id)
    settings: dict[str, Any] = field(default_factory=lambda: copy.deepcopy(builtin.REALM_SETTINGS))
    attributes: dict[str, str] = field(default_factory=dict)
    clients: dict[str, Client] = field(default_factory=dict)
    scopes: dict[str, Scope] = field(default_factory=dict)
    default_scopes: list[Scope] = field(default_factory=list)
    optional_scopes: list[Scope] = field(default_factory=list)
    profiles: list[dict[str, Any]] = field(default_factory=list)
    policies: list[dict[str, Any]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    role_ids: dict[str, str] = field(default_factory=lambda: {name: new_id() for name in builtin.ADMIN_ROLES})
    history: list[tuple[datetime, str, dict[str, Any] | None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.role_ids["realm-admin"] = new_id()
        for name in builtin.SAML_DEFAULT_SCOPES:
            self.default_scopes.append(self.add_scope(Scope(name, protocol="saml")))
        for name, (attributes, mappers) in builtin.DEFAULT_SCOPES.items():
            self.default_scopes.append(self.add_scope(Scope(name, attributes=dict(attributes), mappers=_own(mappers))))
        for name, attributes in builtin.OPTIONAL_SCOPES.items():
            self.optional_scopes.append(self.add_scope(Scope(name, attributes=dict(attributes))))
        service = Scope(builtin.SERVICE_ACCOUNT_SCOPE, attributes=dict(builtin.HIDDEN))
        service.mappers = _own(builtin.SERVICE_ACCOUNT_MAPPERS)
        self.add_scope(service)
        for client_id, settings in builtin.BUILTIN_CLIENTS.items():
            client = Client(client_id, attributes={"realm_client": str("bearerOnly" in settings).lower()})
            client.settings |= {**settings, "fullScopeAllowed": False, "nodeReRegistrationTimeout": 0}
            client.default_scopes = self.oidc_default_scopes()
            client.optional_scopes = list(self.optional_scopes)
            self.clients[client.id] = client

    def add_scope(self, scope: Scope) -> Scope:
        """Put a scope into the catalogue."""
        self.scopes[scope.id] = scope
        return scope

    def scope_named(self, name: str) -> Scope | None:
        """Return the scope of that name, if there is one."""
        return next((scope for scope in self.scopes.values() if scope.name == name), None)

    def oidc_default_scopes(self) -> list[Scope]:
        """Return what a new OpenID Connect client gets by default."""
        return [scope for scope in self.default_scopes if scope.protocol == "openid-connect"]

    def client_named(self, client_id: str) -> Client | None:
        """Return the client with that ``clientId``, if there is one."""
        return next((client for client in self.clients.values() if client.client_id == client_id), None)

    def note_change(self, client_id: str, now: datetime) -> None:
        """Remember how a client looks from now on, for lists that lag."""
        client = self.clients.get(client_id)
        self.history.append((now, client_id, client.representation() if client else None))

    def clients_as_of(self, moment: datetime) -> list[dict[str, Any]]:
        """Return the representations of all clients as they were then; built-in clients always are there."""
        changed = {client_id for _, client_id, _ in self.history}
        shown = {id_: client.representation() for id_, client in self.clients.items() if id_ not in changed}
        for when, client_id, representation in self.history:
            if when > moment:
                continue
            if representation is None:
                shown.pop(client_id, None)
            else:
                shown[client_id] = copy.deepcopy(representation)
        return list(shown.values())


def _own(mappers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"id": new_id(), **copy.deepcopy(mapper)} for mapper in mappers]
