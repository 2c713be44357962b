"""An app client in Cognito's words, and what it is in ours."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from keysteward.core.contract.observed import CUSTOM, SRP, Mark, ObservedObject, ObservedScope, ObservedSecret, Settings
from keysteward.core.errors import Rejected
from keysteward.providers.aws.cognito.names import ClientName, read_scope_description

CLIENT_CREDENTIALS: Final = "client_credentials"
FLOWS: Final[Mapping[str, str]] = {
    CLIENT_CREDENTIALS: CLIENT_CREDENTIALS,
    "authorization_code": "code",
    "implicit": "implicit",
}
"""OAuth 2.0 grants and Cognito's names of them."""

SIGN_IN: Final[Mapping[str, str]] = {
    "ADMIN_NO_SRP_AUTH": "password",
    "ALLOW_ADMIN_USER_PASSWORD_AUTH": "password",
    "ALLOW_CUSTOM_AUTH": CUSTOM,
    "ALLOW_USER_AUTH": "password",
    "ALLOW_USER_PASSWORD_AUTH": "password",
    "ALLOW_USER_SRP_AUTH": SRP,
    "CUSTOM_AUTH_FLOW_ONLY": CUSTOM,
    "USER_PASSWORD_AUTH": "password",
}
"""Ways for users to sign in at the API (`ExplicitAuthFlows`), and what they come to.

A password is sent as it is where a flow takes user name and password, as USER_AUTH does too, by the user's choice. SRP
proves that one is known and sends none; what a custom one asks for is up to functions of the pool's owner.
"""

BY_DEFAULT: Final = ("ALLOW_CUSTOM_AUTH", "ALLOW_REFRESH_TOKEN_AUTH", "ALLOW_USER_SRP_AUTH")
"""What a client allows that says nothing (API reference, `ExplicitAuthFlows`)."""

NO_SIGN_IN: Final = ("ALLOW_REFRESH_TOKEN_AUTH",)
"""This alone lets nobody sign in."""

LIFETIMES: Final = range(300, 86_401)
"""Seconds that an access token may live (Developer Guide, "Using tokens with user pools")."""

UNITS: Final[Mapping[str, timedelta]] = {
    "seconds": timedelta(seconds=1),
    "minutes": timedelta(minutes=1),
    "hours": timedelta(hours=1),
    "days": timedelta(days=1),
}
DEFAULT_UNIT: Final = "hours"


def checked(want: Settings) -> Settings:
    """Return settings that a client can have. Raises Rejected for others."""
    if want.method != "client_secret":
        raise Rejected(f"Cognito has no authentication method {want.method!r}")
    unknown = want.grants - FLOWS.keys() - set(SIGN_IN.values())
    if unknown:
        raise Rejected(f"Cognito has no switch for {', '.join(sorted(unknown))}")
    if CLIENT_CREDENTIALS in want.grants and not want.scopes:
        raise Rejected("Cognito gives no client a token without a scope: declare `access` to at least one")
    if want.token_lifetime is not None and want.token_lifetime not in LIFETIMES:
        raise Rejected(f"token_lifetime is {want.token_lifetime} s; tokens of Cognito live from 5 minutes to a day")
    return want


def changed(client: Mapping[str, Any], want: Settings) -> dict[str, Any]:
    """Return a client's whole description with our settings in it; what is not ours stays."""
    kept = [flow for flow in sign_in(client) if SIGN_IN.get(flow) in {None, *want.grants}]
    units = {name: unit for name, unit in (client.get("TokenValidityUnits") or {}).items() if name != "AccessToken"}
    if want.token_lifetime is not None:
        units["AccessToken"] = "seconds"
    return {
        **client,
        "AllowedOAuthFlows": sorted(FLOWS[grant] for grant in want.grants if grant in FLOWS),
        "AllowedOAuthScopes": sorted(want.scopes),
        "ExplicitAuthFlows": kept or list(NO_SIGN_IN),
        "AccessTokenValidity": want.token_lifetime,
        "TokenValidityUnits": units or None,
    }


def named(client: Mapping[str, Any], mark: Mark | None) -> dict[str, Any]:
    """Return a client's description with this mark, or none."""
    name = replace(ClientName.read(client.get("ClientName")), mark=mark)
    return {**client, "ClientName": str(name.checked())}


def sign_in(client: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the ways in which users may sign in at the API, and refresh their tokens."""
    return tuple(client.get("ExplicitAuthFlows") or BY_DEFAULT)


def settings(client: Mapping[str, Any]) -> Settings:
    """Return what a client may do."""
    flows = set(client.get("AllowedOAuthFlows") or ())
    grants = {grant for grant, flow in FLOWS.items() if flow in flows}
    grants |= {SIGN_IN[flow] for flow in sign_in(client) if flow in SIGN_IN}
    validity = client.get("AccessTokenValidity")
    unit = UNITS[(client.get("TokenValidityUnits") or {}).get("AccessToken", DEFAULT_UNIT)]
    return Settings(
        "client_secret",
        scopes=frozenset(client.get("AllowedOAuthScopes") or ()),
        token_lifetime=int((validity * unit).total_seconds()) if validity else None,
        grants=frozenset(grants),
        description=None,
    )


def is_enabled(client: Mapping[str, Any]) -> bool:
    """Say whether a client may get tokens: one of users alone needs no OAuth 2.0."""
    machine = CLIENT_CREDENTIALS in (client.get("AllowedOAuthFlows") or ())
    return not machine or bool(client.get("AllowedOAuthFlowsUserPoolClient"))


def has_secret(client: Mapping[str, Any]) -> bool:
    """Say whether a client is confidential."""
    return "ClientSecret" in client or "ClientSecretArn" in client


def observed(client: Mapping[str, Any], secrets: Iterable[Mapping[str, Any]]) -> ObservedObject:
    """Return a client as it is seen. Which of its secrets Cognito shows in clear is not said, so none is looked at."""
    name = ClientName.read(client.get("ClientName"))
    client_id = str(client["ClientId"])
    return ObservedObject(
        client_id,
        client_id,
        is_enabled(client),
        settings(client),
        tuple(
            ObservedSecret(str(secret["ClientSecretId"]), "key", created_at=secret.get("ClientSecretCreateDate"))
            for secret in secrets
            if not name.is_vacant(str(secret["ClientSecretId"]))
        ),
        name.mark,
        created_at=client.get("CreationDate"),
        label=name.label,
    )


def observed_scopes(servers: Iterable[Mapping[str, Any]]) -> tuple[ObservedScope, ...]:
    """Return all scopes by the names that clients list and tokens carry: `identifier/scope`."""
    found = []
    for server in servers:
        for scope in server.get("Scopes") or ():
            name = f"{server['Identifier']}/{scope['ScopeName']}"
            text, mark = read_scope_description(str(scope.get("ScopeDescription") or ""))
            found.append(ObservedScope(name, name, text, str(server["Identifier"]), mark))
    return tuple(found)
