"""What a new Keycloak realm contains before anybody touches it, as seen on Keycloak 26.7.5."""

from __future__ import annotations

from typing import Any

REALM_MANAGEMENT = "realm-management"
COMPOSITE_ROLES: dict[str, frozenset[str]] = {
    "view-clients": frozenset({"query-clients"}),
    "view-users": frozenset({"query-users", "query-groups"}),
    "view-organizations": frozenset({"query-organizations"}),
}
ADMIN_ROLES = frozenset(
    {
        "create-client",
        "impersonation",
        "manage-authorization",
        "manage-clients",
        "manage-events",
        "manage-identity-providers",
        "manage-organizations",
        "manage-realm",
        "manage-users",
        "query-clients",
        "query-groups",
        "query-organizations",
        "query-realms",
        "query-users",
        "view-authorization",
        "view-clients",
        "view-events",
        "view-identity-providers",
        "view-organizations",
        "view-realm",
        "view-users",
    }
)
"""Client roles of ``realm-management``; ``realm-admin`` is the composite of all of them."""

BUILTIN_CLIENTS: dict[str, dict[str, Any]] = {
    "account": {"publicClient": True},
    "account-console": {"publicClient": True},
    "admin-cli": {"publicClient": True, "standardFlowEnabled": False, "directAccessGrantsEnabled": True},
    "broker": {"bearerOnly": True},
    REALM_MANAGEMENT: {"bearerOnly": True},
    "security-admin-console": {"publicClient": True},
}

SERVICE_ACCOUNT_SCOPE = "service_account"
"""Default scope that every client with a service account gets, whatever it asked for."""


def _mapper(name: str, kind: str, **config: str) -> dict[str, Any]:
    settings = {"access.token.claim": "true", "introspection.token.claim": "true"}
    settings |= {key.replace("_", "."): value for key, value in config.items()}
    return {
        "name": name,
        "protocol": "openid-connect",
        "protocolMapper": kind,
        "consentRequired": False,
        "config": settings,
    }


def _note(name: str, note: str) -> dict[str, Any]:
    return _mapper(name, "oidc-usersessionmodel-note-mapper", user_session_note=note, claim_name=note)


HIDDEN = {"include.in.token.scope": "false", "display.on.consent.screen": "false"}
SHOWN = {"include.in.token.scope": "true", "display.on.consent.screen": "true"}

DEFAULT_SCOPES: dict[str, tuple[dict[str, str], list[dict[str, Any]]]] = {
    "web-origins": (HIDDEN, [_mapper("allowed web origins", "oidc-allowed-origins-mapper")]),
    "acr": (HIDDEN, [_mapper("acr loa level", "oidc-acr-mapper")]),
    "roles": (
        {"include.in.token.scope": "false", "display.on.consent.screen": "true"},
        [
            _mapper("realm roles", "oidc-usermodel-realm-role-mapper", claim_name="realm_access.roles"),
            _mapper("client roles", "oidc-usermodel-client-role-mapper"),
            _mapper("audience resolve", "oidc-audience-resolve-mapper"),
        ],
    ),
    "profile": (
        SHOWN,
        [
            _mapper(
                "username",
                "oidc-usermodel-attribute-mapper",
                user_attribute="username",
                claim_name="preferred_username",
            )
        ],
    ),
    "basic": (HIDDEN, [_mapper("sub", "oidc-sub-mapper")]),
    "email": (
        SHOWN,
        [
            _mapper(
                "email verified",
                "oidc-usermodel-property-mapper",
                user_attribute="emailVerified",
                claim_name="email_verified",
            )
        ],
    ),
}
"""Scopes a new client gets when it names none; of their mappers those that show in a service account's token."""

OPTIONAL_SCOPES: dict[str, dict[str, str]] = {
    "address": SHOWN,
    "phone": SHOWN,
    "offline_access": {"display.on.consent.screen": "true"},
    "organization": SHOWN,
    "microprofile-jwt": {"include.in.token.scope": "true", "display.on.consent.screen": "false"},
}

SERVICE_ACCOUNT_MAPPERS = [
    _note("Client Host", "clientHost"),
    _note("Client ID", "client_id"),
    _note("Client IP Address", "clientAddress"),
]

MAPPER_KINDS = frozenset(
    {
        "oidc-acr-mapper",
        "oidc-allowed-origins-mapper",
        "oidc-audience-mapper",
        "oidc-audience-resolve-mapper",
        "oidc-hardcoded-claim-mapper",
        "oidc-sub-mapper",
        "oidc-usermodel-attribute-mapper",
        "oidc-usermodel-client-role-mapper",
        "oidc-usermodel-property-mapper",
        "oidc-usermodel-realm-role-mapper",
        "oidc-usersessionmodel-note-mapper",
    }
)
"""Kinds of protocol mappers the stand-in knows; any other is answered as one that does not exist."""

SAML_DEFAULT_SCOPES = ("role_list", "saml_organization", "AuthnContextClassRef")

REALM_SETTINGS: dict[str, Any] = {
    "notBefore": 0,
    "defaultSignatureAlgorithm": "RS256",
    "accessTokenLifespan": 300,
    "ssoSessionIdleTimeout": 1800,
    "ssoSessionMaxLifespan": 36000,
    "enabled": True,
    "sslRequired": "external",
    "bruteForceProtected": False,
    "organizationsEnabled": False,
    "eventsEnabled": False,
    "eventsListeners": ["jboss-logging"],
    "enabledEventTypes": [],
    "adminEventsEnabled": False,
    "adminEventsDetailsEnabled": False,
}
"""The part of a realm's settings that the stand-in keeps; other fields sent to it are stored and shown."""
