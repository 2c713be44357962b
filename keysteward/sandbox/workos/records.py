"""What the WorkOS stand-in keeps, and how its collections looked a while ago."""

from __future__ import annotations

import copy
import secrets
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

BASE32 = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's alphabet, in which the vendor's ids (ULIDs) are written."""

TIME_LENGTH, SERIAL_LENGTH = 10, 16
SHOWN_CHARACTERS = 4
"""Length of the end of a secret that stays readable."""

_serial = count(secrets.randbits(64))


def new_id(prefix: str, now: datetime) -> str:
    """Return an id as the vendor gives to every object: ids sort by the time of their creation."""
    moment = _base32(int(now.timestamp() * 1000), TIME_LENGTH)
    return f"{prefix}_{moment}{_base32(next(_serial), SERIAL_LENGTH)}"


def _base32(number: int, length: int) -> str:
    digits = ""
    for _ in range(length):
        number, digit = divmod(number, len(BASE32))
        digits = BASE32[digit] + digits
    return digits


def timestamp(moment: datetime | None) -> str | None:
    """Write a moment as the vendor does: UTC, milliseconds, ``Z``."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03}Z" if moment else None


class Record(Protocol):
    """An object with the vendor's id."""

    @property
    def id(self) -> str:
        """Return the id, which never changes."""
        ...


R = TypeVar("R", bound=Record)


class Collection(Generic[R]):
    """Objects of one kind by id, with every earlier look of each, for lists that lag."""

    def __init__(self) -> None:
        self._records: dict[str, R] = {}
        self._history: list[tuple[datetime, str, R | None]] = []

    def __iter__(self) -> Iterator[R]:
        return iter(list(self._records.values()))

    def get(self, id_: str) -> R | None:
        """Return the object of that id, if there is one."""
        return self._records.get(id_)

    def put(self, record: R, now: datetime) -> R:
        """Add an object, or note that it has changed."""
        self._records[record.id] = record
        self._history.append((now, record.id, copy.deepcopy(record)))
        return record

    def drop(self, record: R, now: datetime) -> None:
        """Remove an object."""
        del self._records[record.id]
        self._history.append((now, record.id, None))

    def as_of(self, moment: datetime) -> list[R]:
        """Return the objects as they were then."""
        shown: dict[str, R] = {}
        for when, id_, record in self._history:
            if when > moment:
                continue
            if record is None:
                shown.pop(id_, None)
            else:
                shown[id_] = record
        return list(shown.values())


@dataclass(eq=False, kw_only=True)
class Stamped:
    """What every object has."""

    id: str
    created_at: datetime
    updated_at: datetime

    def stamps(self) -> dict[str, object]:
        """Return the two times as JSON."""
        return {"created_at": timestamp(self.created_at), "updated_at": timestamp(self.updated_at)}


@dataclass(eq=False, kw_only=True)
class Organization(Stamped):
    """A customer of the environment's owner."""

    name: str
    external_id: str | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    domains: list[dict[str, object]] = field(default_factory=list)

    def representation(self) -> dict[str, object]:
        """Return the object ``organization``."""
        return {
            "object": "organization",
            "id": self.id,
            "name": self.name,
            "domains": self.domains,
            "metadata": self.metadata,
            "external_id": self.external_id,
            **self.stamps(),
        }


@dataclass(eq=False, kw_only=True)
class User(Stamped):
    """A person known to the environment."""

    email: str
    first_name: str | None = None
    last_name: str | None = None
    external_id: str | None = None
    metadata: dict[str, str] = field(default_factory=dict)

    def representation(self) -> dict[str, object]:
        """Return the object ``user``."""
        return {
            "object": "user",
            "id": self.id,
            "email": self.email,
            "email_verified": False,
            "first_name": self.first_name,
            "last_name": self.last_name,
            "profile_picture_url": None,
            "last_sign_in_at": None,
            "external_id": self.external_id,
            "metadata": self.metadata,
            "locale": None,
            **self.stamps(),
        }


@dataclass(eq=False, kw_only=True)
class Membership(Stamped):
    """A user's place in an organization."""

    user: User
    organization: Organization
    role: str = "member"
    status: str = "active"

    def representation(self) -> dict[str, object]:
        """Return the object ``organization_membership``."""
        return {
            "object": "organization_membership",
            "id": self.id,
            "user_id": self.user.id,
            "organization_id": self.organization.id,
            "organization_name": self.organization.name,
            "status": self.status,
            "directory_managed": False,
            "custom_attributes": {},
            "role": {"slug": self.role},
            "roles": [{"slug": self.role}],
            "user": self.user.representation(),
            **self.stamps(),
        }


@dataclass(eq=False, kw_only=True)
class Permission(Stamped):
    """An entry of the environment's catalogue of permissions."""

    slug: str
    name: str
    description: str | None = None
    system: bool = False
    resource_type: str = "organization"

    def representation(self) -> dict[str, object]:
        """Return the object ``permission``."""
        return {
            "object": "permission",
            "id": self.id,
            "slug": self.slug,
            "name": self.name,
            "description": self.description,
            "system": self.system,
            "resource_type_slug": self.resource_type,
            **self.stamps(),
        }


@dataclass(eq=False, kw_only=True)
class ApiKey(Stamped):
    """An API key of an organization, or of a user in one."""

    value: str
    name: str
    organization_id: str
    user_id: str | None = None
    permissions: list[str] = field(default_factory=list)
    expires_at: datetime | None = None
    last_used_at: datetime | None = None

    def expired(self, now: datetime) -> bool:
        """Say whether its time is over."""
        return self.expires_at is not None and self.expires_at <= now

    def representation(self) -> dict[str, object]:
        """Return the object ``api_key``, without the value."""
        owner = {"type": "organization", "id": self.organization_id}
        if self.user_id is not None:
            owner = {"type": "user", "id": self.user_id, "organization_id": self.organization_id}
        return {
            "object": "api_key",
            "id": self.id,
            "owner": owner,
            "name": self.name,
            "obfuscated_value": f"sk_...{self.value[-SHOWN_CHARACTERS:]}",
            "last_used_at": timestamp(self.last_used_at),
            "expires_at": timestamp(self.expires_at),
            "permissions": self.permissions,
            **self.stamps(),
        }


@dataclass(eq=False, kw_only=True)
class Secret(Stamped):
    """A client secret of an application."""

    value: str
    application_id: str
    last_used_at: datetime | None = None

    def representation(self) -> dict[str, object]:
        """Return the object ``connect_application_secret``, without the value."""
        return {
            "object": "connect_application_secret",
            "id": self.id,
            "secret_hint": self.value[-SHOWN_CHARACTERS:],
            "last_used_at": timestamp(self.last_used_at),
            **self.stamps(),
        }


@dataclass(eq=False, kw_only=True)
class Application(Stamped):
    """A Connect application: ``m2m``, or ``oauth`` in one of its three forms.

    Of an ``oauth`` one without an organization, `dynamic` tells whether it registered itself.
    """

    client_id: str
    kind: str
    name: str
    description: str | None = None
    scopes: list[str] = field(default_factory=list)
    organization_id: str | None = None
    redirect_uris: list[dict[str, object]] = field(default_factory=list)
    uses_pkce: bool = False
    dynamic: bool = False

    def representation(self) -> dict[str, object]:
        """Return the object ``connect_application``."""
        document: dict[str, object] = {
            "object": "connect_application",
            "id": self.id,
            "client_id": self.client_id,
            "name": self.name,
            "description": self.description,
            "scopes": self.scopes,
            "application_type": self.kind,
        }
        if self.kind == "oauth":
            first_party = self.organization_id is None and not self.dynamic
            document |= {"redirect_uris": self.redirect_uris, "uses_pkce": self.uses_pkce}
            document["is_first_party"] = first_party
            if not first_party:
                document["was_dynamically_registered"] = self.dynamic
        if self.organization_id is not None:
            document["organization_id"] = self.organization_id
        return document | self.stamps()


SYSTEM_PERMISSIONS = {
    "widgets:api-keys:manage": "Manage API keys",
    "widgets:user-api-keys:manage-self": "Manage own API keys",
    "widgets:user-api-keys:manage-all": "Manage API keys of all users",
}
"""Permissions of the vendor's own that an environment has (the AuthKit documentation, "API Keys")."""


class Environment:
    """Everything that one API key of an environment reaches."""

    def __init__(self) -> None:
        self.organizations: Collection[Organization] = Collection()
        self.users: Collection[User] = Collection()
        self.memberships: Collection[Membership] = Collection()
        self.permissions: Collection[Permission] = Collection()
        self.api_keys: Collection[ApiKey] = Collection()
        self.applications: Collection[Application] = Collection()
        self.secrets: Collection[Secret] = Collection()

    def permission_named(self, slug: str) -> Permission | None:
        """Return the permission of that slug, if there is one."""
        return next((item for item in self.permissions if item.slug == slug), None)

    def application_named(self, name: str) -> Application | None:
        """Return the application of that id or client id, if there is one."""
        return next((item for item in self.applications if name in {item.id, item.client_id}), None)

    def secrets_of(self, application: Application) -> list[Secret]:
        """Return an application's client secrets, oldest first."""
        return [item for item in self.secrets if item.application_id == application.id]

    def is_member(self, user_id: str, organization_id: str) -> bool:
        """Say whether the user has an active membership in the organization."""
        pair = (user_id, organization_id, "active")
        return any((m.user.id, m.organization.id, m.status) == pair for m in self.memberships)
