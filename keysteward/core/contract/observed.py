"""What targets show and stores hold, in one vocabulary. Plaintext has become fingerprints before it gets here.

"Not shown" is None and never counts as a difference.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property

SRP = "srp"
"""A login by the Secure Remote Password protocol (RFC 2945): a password is proven, and not sent."""

CUSTOM = "custom-challenge"
"""A login by questions that code of the target's owner asks."""

INTERACTIVE_GRANTS = frozenset(
    {
        CUSTOM,
        SRP,
        "authorization_code",
        "implicit",
        "password",
        "urn:ietf:params:oauth:grant-type:device_code",
        "urn:openid:params:grant-type:ciba",
    }
)
"""Grants by which a person is logged in, and ways to do it that OAuth 2.0 has no name for."""

TOLERATED_SKEW = timedelta(minutes=2)
"""A target whose Date differs by more from the ledger store's clock retires nothing."""


@dataclass(frozen=True, slots=True)
class Mark:
    """The ownership mark on an object at a target: whose it is, and which attempt made it."""

    identity: str
    nonce: str


@dataclass(frozen=True, slots=True)
class Settings:
    """What a client may do, apart from its secrets; declared and observed in the same shape.

    `scopes` are granted always, `optional_scopes` on request, as the target names them. `token_lifetime` is in
    seconds, None for the target's default. `grants` are OAuth 2.0 grant names ("client_credentials",
    "authorization_code", "password", ...), and SRP and CUSTOM. `description` is None where the target has none.
    `safeguards` are vendor switches by the vendor's name.
    """

    method: str
    scopes: frozenset[str] = frozenset()
    optional_scopes: frozenset[str] = frozenset()
    token_lifetime: int | None = None
    grants: frozenset[str] = frozenset({"client_credentials"})
    description: str | None = ""
    safeguards: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ObservedSecret:
    """One secret or key that a target shows. `slot`: "primary" and "rotated" where secrets have slots, else "key".

    `scopes` is what an API key by itself is allowed (None: not shown, or as its holder); `enabled` is False for one
    that is suspended.
    """

    id: str
    slot: str
    fingerprint: str | None = None
    created_at: datetime | None = None
    expires_at: datetime | None = None
    last_used: datetime | None = None
    name: str | None = None
    enabled: bool = True
    scopes: frozenset[str] | None = None


@dataclass(frozen=True)
class ObservedObject:
    """One client or application at a target, or a holder of API keys.

    `holder` is what it is in the vendor's word ("organization", "IAM user", "usage plan"), "" for a client: an account
    that holds keys of several credentials and of others; `within` is the holder it belongs to, `label` its name.
    `loose` says that it is no such account and stands for the keys that none has. `built_in` says that the target made
    it for itself. `tags` are what people noted on it, by their own names.
    """

    remote_id: str
    client_id: str
    enabled: bool
    settings: Settings
    secrets: tuple[ObservedSecret, ...] = ()
    mark: Mark | None = None
    created_at: datetime | None = None
    last_used: datetime | None = None
    holder: str = ""
    within: str | None = None
    label: str = ""
    built_in: bool = False
    loose: bool = False
    tags: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)

    @property
    def named(self) -> str:
        """Return what to call it in a sentence: "client 'id' (label)"; whoever makes it chooses both."""
        if self.loose:
            return self.client_id
        label = repr(self.label)[1:-1]
        known_as = f" ({label})" if self.label not in {"", self.client_id} else ""
        return f"{self.holder or 'client'} {self.client_id!r}{known_as}"

    @property
    def interactive(self) -> bool:
        """Say whether people log in through it, by a redirect, a device code, their password or a proof of it."""
        return bool(self.settings.grants & INTERACTIVE_GRANTS)

    @property
    def allowed(self) -> frozenset[str]:
        """Return every scope that it or one of its keys has, always or on request."""
        keys = (secret.scopes for secret in self.secrets if secret.scopes is not None)
        return self.settings.scopes.union(self.settings.optional_scopes, *keys)

    @cached_property
    def keys_of(self) -> Mapping[str, tuple[ObservedSecret, ...]]:
        """Keys of a holder by the first word of their name; those without a name are left out."""
        found: dict[str, list[ObservedSecret]] = {}
        for secret in self.secrets if self.holder else ():
            if secret.name:
                found.setdefault(secret.name.partition(" ")[0], []).append(secret)
        return {word: tuple(secrets) for word, secrets in found.items()}

    def secret(self, fingerprint: str | None) -> ObservedSecret | None:
        """Return the secret with this fingerprint, None when it is not shown or not there."""
        if fingerprint is None:
            return None
        return next((s for s in self.secrets if s.fingerprint == fingerprint), None)

    def slot(self, name: str) -> ObservedSecret | None:
        """Return the secret in one slot."""
        return next((s for s in self.secrets if s.slot == name), None)


@dataclass(frozen=True, slots=True)
class ObservedScope:
    """One scope of a target's catalogue. `audience` is what a token with it is for; `built_in`: the target's own."""

    remote_id: str
    name: str
    description: str = ""
    audience: str | None = None
    mark: Mark | None = None
    built_in: bool = False


@dataclass(frozen=True)
class Observation:
    """All clients and scopes of one target, by list calls.

    `started_at` is when the listing started, `clock` the target's time then (both aware UTC; `clock` is None when
    the target sends no Date). `secrets_shown` is False when the reader may not see client secrets.
    """

    target: str
    started_at: datetime
    clock: datetime | None = None
    objects: tuple[ObservedObject, ...] = ()
    scopes: tuple[ObservedScope, ...] = ()
    secrets_shown: bool = True

    @cached_property
    def by_id(self) -> Mapping[str, ObservedObject]:
        """Objects by remote id."""
        return {o.remote_id: o for o in self.objects}

    @cached_property
    def by_client_id(self) -> Mapping[str, ObservedObject]:
        """Objects by client_id."""
        return {o.client_id: o for o in self.objects}

    @cached_property
    def by_mark(self) -> Mapping[str, tuple[ObservedObject, ...]]:
        """Marked objects by the identity in their mark."""
        found: dict[str, list[ObservedObject]] = {}
        for item in self.objects:
            if item.mark is not None:
                found.setdefault(item.mark.identity, []).append(item)
        return {identity: tuple(items) for identity, items in found.items()}

    @cached_property
    def scope_by_name(self) -> Mapping[str, ObservedScope]:
        """Scopes by name."""
        return {s.name: s for s in self.scopes}

    @cached_property
    def users_of_scope(self) -> Mapping[str, frozenset[str]]:
        """client_ids that have each scope, always or on request, and holders with a key that has it."""
        users: dict[str, set[str]] = {}
        for item in self.objects:
            for name in item.allowed:
                users.setdefault(name, set()).add(item.client_id)
        return {name: frozenset(ids) for name, ids in users.items()}


OVERWRITTEN = "changed"
"""Stands for the fingerprint of a delivered value, or for the digest of the fields beside it, that somebody changed."""


@dataclass(frozen=True, slots=True)
class DeliveredEntry:
    """One generation in a store, without its value. `about` is the digest of the document's other fields.

    Either is OVERWRITTEN where it is not what was delivered any more.
    """

    generation: int
    fingerprint: str
    nonce: str
    remote_id: str | None = None
    about: str | None = None


@dataclass(frozen=True, slots=True)
class Delivered:
    """What one place in a store holds.

    `exists` says that there is a document; `identity` whose it is (None: nobody's we know). `unknown` says that the
    document was written by somebody else since, so that only the runner can tell what it holds.
    """

    exists: bool = False
    identity: str | None = None
    unknown: bool = False
    current: DeliveredEntry | None = None
    previous: DeliveredEntry | None = None
    staged: tuple[DeliveredEntry, ...] = ()

    def stage(self, generation: int) -> DeliveredEntry | None:
        """Return the staged entry of one generation."""
        return next((e for e in self.staged if e.generation == generation), None)


NOTHING_DELIVERED = Delivered()
