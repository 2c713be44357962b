"""Keycloak's words and ours: representations of the admin REST API, and the one table between both vocabularies.

Representations ignore what they do not know. Plaintext sits in `SecretStr` fields and in `attributes`, which shows in
no repr; `observed` turns it into fingerprints.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from keysteward.core.contract.observed import Mark, ObservedObject, ObservedScope, ObservedSecret, Settings
from keysteward.core.contract.ports import Fingerprint
from keysteward.host.foreign_json import in_reach
from keysteward.providers.keycloak.jwks import read_keys

METHODS: Final = {
    "client-secret": "client_secret",
    "client-secret-jwt": "client_secret_jwt",
    "client-jwt": "private_key_jwt",
    "client-x509": "tls_client_auth",
}
"""`clientAuthenticatorType` and what we call it; others stay as they are."""

AUTHENTICATORS: Final = {ours: vendors for vendors, ours in METHODS.items()}

FLOWS: Final = {
    "standardFlowEnabled": "authorization_code",
    "implicitFlowEnabled": "implicit",
    "directAccessGrantsEnabled": "password",
    "serviceAccountsEnabled": "client_credentials",
}
"""Switches of a client and the grant each allows."""

FLOW_ATTRIBUTES: Final = {
    "oauth2.device.authorization.grant.enabled": "urn:ietf:params:oauth:grant-type:device_code",
    "oidc.ciba.grant.enabled": "urn:openid:params:grant-type:ciba",
    "standard.token.exchange.enabled": "urn:ietf:params:oauth:grant-type:token-exchange",
}
"""Switches that Keycloak keeps in attributes."""

SAFEGUARDS: Final = {
    "fullScopeAllowed": "false",
    "publicClient": "false",
    "client_credentials.use_refresh_token": "false",
}
"""Switches that keep a machine's client narrow: no roles but granted ones, a secret required, no refresh tokens."""

SAFEGUARD_SWITCHES: Final = frozenset({"fullScopeAllowed", "publicClient"})
"""Safeguards that are switches of the client; the others are attributes, and "false" when absent."""

TECHNICAL_SCOPES: Final = frozenset({"service_account", "basic"})
"""Client scopes without authority: `service_account` is assigned by the server to every client with that grant, `basic`
holds the `sub` claim. Neither is declared, shown as drift, or taken away."""

BUILT_IN_CLIENTS: Final = frozenset(
    {"account", "account-console", "admin-cli", "broker", "realm-management", "security-admin-console"}
)
"""Clients that every realm has from the start (26.7.5); the realm `master` has one more for each realm."""

BUILT_IN_SCOPES: Final = frozenset(
    {
        *("acr", "address", "basic", "email", "microprofile-jwt", "offline_access", "organization", "phone", "profile"),
        *("role_list", "roles", "saml_organization", "service_account", "web-origins"),
    }
)
"""Client scopes that every realm has from the start (26.7.5)."""

TAG: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,60}")
"""Names of attributes that people give. Keycloak's own, and what holds secrets and keys, have dots in their names."""

LONGEST_TAG: Final = 120

UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

IDENTITY: Final = "keysteward.identity"
NONCE: Final = "keysteward.nonce"
ROTATION: Final = "keysteward.rotation"

LIFESPAN: Final = "access.token.lifespan"
LIFESPANS: Final = re.compile(r"[0-9]{1,10}")
CREATED: Final = "client.secret.creation.time"
EXPIRES: Final = "client.secret.expiration.time"
ROTATED: Final = "client.secret.rotated"
ROTATED_CREATED: Final = "client.secret.rotated.creation.time"
ROTATED_EXPIRES: Final = "client.secret.rotated.expiration.time"
JWKS: Final = "jwks.string"
USE_JWKS: Final = "use.jwks.string"
USE_JWKS_URL: Final = "use.jwks.url"
KEYS_URL: Final = "jwks.url"
CERTIFICATE: Final = "jwt.credential.certificate"
ELSEWHERE: Final = frozenset({KEYS_URL, CERTIFICATE})
"""Where a client may have its keys but in `jwks.string`: it takes all of them from one place (26.7.5)."""

AUDIENCE_MAPPER: Final = "oidc-audience-mapper"
AUDIENCE: Final = "included.custom.audience"
AUDIENCE_OF_CLIENT: Final = "included.client.audience"

PRIMARY: Final = "primary"
ROTATED_SLOT: Final = "rotated"


class _Representation(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True, hide_input_in_errors=True)


class Mapper(_Representation):
    """ProtocolMapperRepresentation."""

    id: str = ""
    name: str = ""
    kind: str = Field("", alias="protocolMapper")
    config: dict[str, Any] = Field(default_factory=dict)

    @property
    def audience(self) -> str | None:
        """Return the audience it adds, when it is an audience mapper."""
        if self.kind != AUDIENCE_MAPPER:
            return None
        texts = (self.config.get(AUDIENCE), self.config.get(AUDIENCE_OF_CLIENT))
        return next((text for text in texts if isinstance(text, str) and text), None)


class _Marked(_Representation):
    attributes: dict[str, Any] = Field(default_factory=dict, repr=False)

    @field_validator("attributes", mode="before")
    @classmethod
    def _none_is_empty(cls, value: object) -> object:
        return {} if value is None else value

    def text(self, attribute: str) -> str:
        """Return one attribute, "" when it is absent."""
        value = self.attributes.get(attribute)
        return value if isinstance(value, str) else ""

    @property
    def mark(self) -> Mark | None:
        """Return the ownership mark."""
        identity = self.text(IDENTITY)
        return Mark(identity, self.text(NONCE)) if identity else None


class Account(_Representation):
    """What is read of the UserRepresentation of a service account."""

    id: str


class Scope(_Marked):
    """ClientScopeRepresentation."""

    id: str
    name: str
    description: str | None = None
    protocol: str | None = None
    mappers: tuple[Mapper, ...] = Field(default=(), alias="protocolMappers")

    def observed(self) -> ObservedScope:
        """Return the scope in our words."""
        audience = next((mapper.audience for mapper in self.mappers if mapper.audience), None)
        return ObservedScope(
            self.id, self.name, self.description or "", audience, self.mark, self.name in BUILT_IN_SCOPES
        )


class Client(_Marked):
    """ClientRepresentation, as far as a machine's client needs it."""

    id: str
    client_id: str = Field(alias="clientId")
    name: str | None = None
    enabled: bool = True
    protocol: str | None = None
    description: str | None = None
    authenticator: str = Field("client-secret", alias="clientAuthenticatorType")
    secret: SecretStr | None = None
    public: bool = Field(default=False, alias="publicClient")
    bearer_only: bool = Field(default=False, alias="bearerOnly")
    full_scope: bool = Field(default=False, alias="fullScopeAllowed")
    standard_flow: bool = Field(default=False, alias="standardFlowEnabled")
    implicit_flow: bool = Field(default=False, alias="implicitFlowEnabled")
    direct_access: bool = Field(default=False, alias="directAccessGrantsEnabled")
    service_accounts: bool = Field(default=False, alias="serviceAccountsEnabled")
    default_scopes: tuple[str, ...] = Field(default=(), alias="defaultClientScopes")
    optional_scopes: tuple[str, ...] = Field(default=(), alias="optionalClientScopes")
    access: Mapping[str, bool] = Field(default_factory=dict)

    @property
    def method(self) -> str:
        """Return how it authenticates: "none" for public and bearer-only clients, "saml" for those of SAML."""
        if self.protocol == "saml":
            return "saml"
        if self.public or self.bearer_only:
            return "none"
        return METHODS.get(self.authenticator, self.authenticator)

    @property
    def takes_secret(self) -> bool:
        """Say whether it authenticates by a client secret."""
        return self.method in {"client_secret", "client_secret_jwt"}

    def observed(self, fingerprint: Fingerprint | None) -> ObservedObject:
        """Return the client in our words; secrets as fingerprints, None where there is no way to make them."""
        return ObservedObject(
            remote_id=self.id,
            client_id=self.client_id,
            enabled=self.enabled,
            settings=self.settings(),
            secrets=self._secrets(fingerprint),
            mark=self.mark,
            label=self._label,
            built_in=self.client_id in BUILT_IN_CLIENTS,
            tags=self._tags(),
        )

    @property
    def _label(self) -> str:
        """Return the name of a client that Keycloak named by a UUID, as it does where clients register themselves."""
        return self.name or "" if UUID.fullmatch(self.client_id) else ""

    def _tags(self) -> dict[str, str]:
        """Return the attributes that people gave the client, short texts under plain names."""
        return {
            name: value
            for name, value in self.attributes.items()
            if TAG.fullmatch(name) and isinstance(value, str) and 0 < len(value) <= LONGEST_TAG
        }

    def settings(self) -> Settings:
        """Return what the client may do."""
        lifespan = self.text(LIFESPAN)
        return Settings(
            method=self.method,
            scopes=frozenset(self.default_scopes) - TECHNICAL_SCOPES,
            optional_scopes=frozenset(self.optional_scopes) - TECHNICAL_SCOPES,
            token_lifetime=int(lifespan) if LIFESPANS.fullmatch(lifespan) else None,
            grants=self._grants(),
            description=self.description or "",
            safeguards={name: self._safeguard(name) for name in SAFEGUARDS},
        )

    def _grants(self) -> frozenset[str]:
        if self.bearer_only or self.protocol == "saml":
            return frozenset()
        switches = {
            "standardFlowEnabled": self.standard_flow,
            "implicitFlowEnabled": self.implicit_flow,
            "directAccessGrantsEnabled": self.direct_access,
            "serviceAccountsEnabled": self.service_accounts,
        }
        grants = {FLOWS[name] for name, on in switches.items() if on}
        grants |= {grant for name, grant in FLOW_ATTRIBUTES.items() if self.text(name) == "true"}
        return frozenset(grants)

    def _safeguard(self, name: str) -> str:
        if name in SAFEGUARD_SWITCHES:
            return str({"fullScopeAllowed": self.full_scope, "publicClient": self.public}[name]).lower()
        return self.text(name) or "false"

    def _secrets(self, fingerprint: Fingerprint | None) -> tuple[ObservedSecret, ...]:
        if self.method == "private_key_jwt":
            return self._keys(fingerprint)
        if not self.takes_secret:
            return ()
        secret = self.secret.get_secret_value() if self.secret else ""
        times = _epoch(self.text(CREATED)), _epoch(self.text(EXPIRES))
        found = [ObservedSecret(PRIMARY, PRIMARY, _hash(fingerprint, secret), *times)]
        rotated = self.text(ROTATED)
        if rotated or self.text(ROTATED_CREATED):
            times = _epoch(self.text(ROTATED_CREATED)), _epoch(self.text(ROTATED_EXPIRES))
            found.append(ObservedSecret(ROTATED_SLOT, ROTATED_SLOT, _hash(fingerprint, rotated), *times))
        return tuple(found)

    def _keys(self, fingerprint: Fingerprint | None) -> tuple[ObservedSecret, ...]:
        if self.text(USE_JWKS_URL) == "true":
            return (ObservedSecret(KEYS_URL, "key"),)
        if self.text(USE_JWKS) != "true":
            return (ObservedSecret(CERTIFICATE, "key"),) if self.text(CERTIFICATE) else ()
        keys = read_keys(self.text(JWKS)) or ()
        return tuple(
            ObservedSecret(key.id, "key", _hash(fingerprint, key.thumbprint or f"{self.id} {key.text}"))
            for key in {(key.id, key.text): key for key in keys}.values()
        )


class _Named(_Representation):
    name: str | None = None


class PolicyDocument(_Representation):
    """ClientProfilesRepresentation or ClientPoliciesRepresentation, as far as it is read; it is written back whole."""

    profiles: list[Profile] | None = None
    policies: list[Policy] | None = None


class Executor(_Representation):
    """ClientPolicyExecutorRepresentation."""

    executor: str | None = None
    configuration: dict[str, Any] | None = None


class Condition(_Representation):
    """ClientPolicyConditionRepresentation."""

    condition: str | None = None
    configuration: dict[str, Any] | None = None


class Profile(_Named):
    """ClientProfileRepresentation."""

    executors: list[Executor] | None = None


class Policy(_Named):
    """ClientPolicyRepresentation."""

    enabled: bool | None = None
    conditions: list[Condition] | None = None
    profiles: list[str] | None = None


class Feature(_Named):
    """FeatureRepresentation."""

    enabled: bool | None = None


class ServerInfo(_Representation):
    """ServerInfoRepresentation."""

    features: list[Feature] | None = None
    system: dict[str, Any] | None = Field(None, alias="systemInfo", repr=False)


def mark_attributes(mark: Mark) -> dict[str, str]:
    """Return the attributes that carry a mark."""
    return {IDENTITY: mark.identity, NONCE: mark.nonce}


def settings_body(want: Settings) -> dict[str, Any]:
    """Return the representation of settings, without scopes and method: they are written in ways of their own.

    An attribute that is "" is removed by Keycloak, one that is absent stays.
    """
    attributes = {name: "true" if grant in want.grants else "" for name, grant in FLOW_ATTRIBUTES.items()}
    attributes[LIFESPAN] = "" if want.token_lifetime is None else str(want.token_lifetime)
    attributes |= {name: value for name, value in want.safeguards.items() if name not in SAFEGUARD_SWITCHES}
    return {
        "description": want.description,
        **{name: grant in want.grants for name, grant in FLOWS.items()},
        **{name: value == "true" for name, value in want.safeguards.items() if name in SAFEGUARD_SWITCHES},
        "attributes": attributes,
    }


def _hash(fingerprint: Fingerprint | None, text: str) -> str | None:
    return fingerprint(text) if fingerprint is not None and text else None


def _epoch(text: str) -> datetime | None:
    try:
        return in_reach(datetime.fromtimestamp(int(text), UTC))
    except (ValueError, OverflowError, OSError):
        return None
