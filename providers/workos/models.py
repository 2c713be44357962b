"""WorkOS's words and ours: representations of its API, and the one table between both vocabularies.

The mark of an application or permission stands at the end of its description, `[keysteward <identity> <nonce>]`. WorkOS
has no metadata there. A name is what people choose, sort by and change in the dashboard; a description has room, one
may still read it, and the brackets are found wherever somebody moves them. A person who writes text around them breaks
nothing: the text is drift, the mark stays. Keys carry their mark in the name, the only text they have.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from keysteward.core.contract.observed import Mark, ObservedObject, ObservedScope, ObservedSecret, Settings
from keysteward.host.foreign_json import Moment

M2M: Final = "m2m"
METHOD: Final = "client_secret"
GRANTS: Final = {M2M: frozenset({"client_credentials"})}
"""What an application of each type may ask for tokens with; all but `m2m` ones log people in."""

PEOPLE: Final = frozenset({"authorization_code"})
ORGANIZATION, USER = "organization", "user"
KEYS_ALONE: Final = Settings("api_key", grants=frozenset())
"""Settings of a holder: it is an account, and nothing of it is declared."""

_MARK: Final = re.compile(r"\s*\[keysteward (?P<identity>\S+) (?P<nonce>[^\s\]]+)\]")


def mark_in(text: str | None) -> Mark | None:
    """Return the mark in a description; the last one counts."""
    found = list(_MARK.finditer(text or ""))
    return Mark(found[-1]["identity"], found[-1]["nonce"]) if found else None


def without_mark(text: str | None) -> str:
    """Return a description as people wrote it."""
    found = list(_MARK.finditer(text or ""))
    if text is None or not found:
        return text or ""
    return (text[: found[-1].start()] + text[found[-1].end() :]).strip()


def with_mark(text: str | None, mark: Mark | None) -> str:
    """Return a description with this mark instead of the one it has."""
    plain = without_mark(text)
    return plain if mark is None else f"{plain} [keysteward {mark.identity} {mark.nonce}]".strip()


class _Representation(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class Organization(_Representation):
    """The object `organization`."""

    id: str
    name: str = ""
    created_at: Moment | None = None

    def observed(self, keys: Sequence[ApiKey]) -> ObservedObject:
        """Return it as a holder of keys."""
        return holder(self.id, ORGANIZATION, keys, label=self.name, created_at=self.created_at)


class Owner(_Representation):
    """Whose an API key is; `organization_id` where that is a user."""

    type: str
    id: str
    organization_id: str | None = None


class User(_Representation):
    """The object `user`, as far as keys of people need it."""

    id: str
    email: str = ""
    created_at: Moment | None = None


class ApiKey(_Representation):
    """The object `api_key`."""

    id: str
    owner: Owner
    name: str
    permissions: tuple[str, ...] = ()
    created_at: Moment | None = None
    expires_at: Moment | None = None
    last_used_at: Moment | None = None

    def observed(self) -> ObservedSecret:
        """Return it as one secret of its holder; WorkOS never shows its value again."""
        return ObservedSecret(
            id=self.id,
            slot="key",
            created_at=self.created_at,
            expires_at=self.expires_at,
            last_used=self.last_used_at,
            name=self.name,
            scopes=frozenset(self.permissions),
        )


def holder(
    id_: str,
    kind: str,
    keys: Sequence[ApiKey],
    *,
    label: str = "",
    within: str | None = None,
    created_at: Moment | None = None,
) -> ObservedObject:
    """Return an organization, or a user in one, with its keys."""
    return ObservedObject(
        remote_id=id_,
        client_id=id_,
        enabled=True,
        settings=KEYS_ALONE,
        secrets=tuple(key.observed() for key in keys),
        created_at=created_at,
        holder=kind,
        within=within,
        label=label,
    )


class ClientSecret(_Representation):
    """The object `connect_application_secret`."""

    id: str
    created_at: Moment | None = None
    last_used_at: Moment | None = None

    def observed(self) -> ObservedSecret:
        """Return it in our words."""
        return ObservedSecret(self.id, "key", created_at=self.created_at, last_used=self.last_used_at)


class Application(_Representation):
    """The object `connect_application`."""

    id: str
    client_id: str
    name: str = ""
    description: str | None = None
    scopes: tuple[str, ...] = ()
    kind: str = Field("", alias="application_type")
    organization_id: str | None = None
    created_at: Moment | None = None

    @property
    def mark(self) -> Mark | None:
        """Return the ownership mark."""
        return mark_in(self.description)

    @property
    def settings(self) -> Settings:
        """Return what it may do."""
        return Settings(
            METHOD,
            scopes=frozenset(self.scopes),
            grants=GRANTS.get(self.kind, PEOPLE),
            description=without_mark(self.description),
        )

    def observed(self, secrets: Sequence[ClientSecret]) -> ObservedObject:
        """Return it in our words; its organization is the holder it belongs to."""
        return ObservedObject(
            remote_id=self.id,
            client_id=self.client_id,
            enabled=True,
            settings=self.settings,
            secrets=tuple(secret.observed() for secret in secrets),
            mark=self.mark,
            created_at=self.created_at,
            within=self.organization_id,
            label=self.name,
        )


class NewKey(_Representation):
    """An `api_key` with its value, which is shown this once."""

    id: str
    value: SecretStr = Field(min_length=1)


class NewSecret(_Representation):
    """A `connect_application_secret` with its value, which is shown this once."""

    id: str
    secret: SecretStr = Field(min_length=1)


class Validation(_Representation):
    """Whose a value is; None for an unknown or expired one."""

    api_key: ApiKey | None


class Permission(_Representation):
    """The object `permission`; `system` ones are WorkOS's own."""

    id: str
    slug: str
    description: str | None = None
    system: bool = False

    @property
    def mark(self) -> Mark | None:
        """Return the ownership mark."""
        return mark_in(self.description)

    def observed(self, audience: str) -> ObservedScope:
        """Return it as a scope; every token of the environment is for the one audience."""
        return ObservedScope(self.id, self.slug, without_mark(self.description), audience, self.mark, self.system)
