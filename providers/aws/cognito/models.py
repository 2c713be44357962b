"""An app client in Cognito's words, and what it is in ours."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any, Final

from keysteward.core.errors import Rejected
from keysteward.core.observed import Mark, ObservedObject, ObservedScope, ObservedSecret, Settings
from keysteward.providers.aws.cognito.names import client_name, read_client_name, read_scope_description

CLIENT_CREDENTIALS: Final = "client_credentials"
FLOWS: Final[Mapping[str, str]] = {
    CLIENT_CREDENTIALS: CLIENT_CREDENTIALS,
    "authorization_code": "code",
    "implicit": "implicit",
}
"""OAuth 2.0 grants and Cognito's names of them."""

PASSWORD: Final = "password"  # noqa: S105 - the name of a grant
SIGN_IN: Final = frozenset(
    {
        "ADMIN_NO_SRP_AUTH",
        "ALLOW_ADMIN_USER_PASSWORD_AUTH",
        "ALLOW_CUSTOM_AUTH",
        "ALLOW_USER_AUTH",
        "ALLOW_USER_PASSWORD_AUTH",
        "ALLOW_USER_SRP_AUTH",
        "CUSTOM_AUTH_FLOW_ONLY",
        "USER_PASSWORD_AUTH",
    }
)
"""Ways for users to sign in at the API: what other vendors know as the password grant."""

NO_SIGN_IN: Final = ("ALLOW_REFRESH_TOKEN_AUTH",)
"""Where nothing is said, Cognito lets users sign in; this alone lets nobody."""

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
    if want.grants - FLOWS.keys() - {PASSWORD}:
        raise Rejected(f"Cognito has no switch for {', '.join(sorted(want.grants - FLOWS.keys()))}")
    if CLIENT_CREDENTIALS in want.grants and not want.scopes:
        raise Rejected("Cognito gives no client a token without a scope: declare `access` to at least one")
    if want.token_lifetime is not None and want.token_lifetime not in LIFETIMES:
        raise Rejected(f"token_lifetime is {want.token_lifetime} s; tokens of Cognito live from 5 minutes to a day")
    return want


def changed(client: Mapping[str, Any], want: Settings) -> dict[str, Any]:
    """Return a client's whole description with our settings in it; what is not ours stays."""
    sign_in = list(client.get("ExplicitAuthFlows") or ())
    if PASSWORD not in want.grants:
        sign_in = [flow for flow in sign_in if flow not in SIGN_IN] or list(NO_SIGN_IN)
    units = {name: unit for name, unit in (client.get("TokenValidityUnits") or {}).items() if name != "AccessToken"}
    if want.token_lifetime is not None:
        units["AccessToken"] = "seconds"
    return {
        **client,
        "AllowedOAuthFlows": sorted(FLOWS[grant] for grant in want.grants if grant in FLOWS),
        "AllowedOAuthScopes": sorted(want.scopes),
        "ExplicitAuthFlows": sign_in,
        "AccessTokenValidity": want.token_lifetime,
        "TokenValidityUnits": units or None,
    }


def named(client: Mapping[str, Any], mark: Mark | None) -> dict[str, Any]:
    """Return a client's description with this mark, or none."""
    label, _ = read_client_name(str(client.get("ClientName") or ""))
    return {**client, "ClientName": client_name(label, mark)}


def settings(client: Mapping[str, Any]) -> Settings:
    """Return what a client may do."""
    flows = set(client.get("AllowedOAuthFlows") or ())
    grants = {grant for grant, flow in FLOWS.items() if flow in flows}
    if SIGN_IN & set(client.get("ExplicitAuthFlows") or ()):
        grants.add(PASSWORD)
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
    label, mark = read_client_name(str(client.get("ClientName") or ""))
    client_id = str(client["ClientId"])
    return ObservedObject(
        client_id,
        client_id,
        is_enabled(client),
        settings(client),
        tuple(
            ObservedSecret(str(secret["ClientSecretId"]), "key", created_at=secret.get("ClientSecretCreateDate"))
            for secret in secrets
        ),
        mark,
        created_at=client.get("CreationDate"),
        label=label,
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
