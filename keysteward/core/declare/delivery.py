"""Where a credential is delivered: a path in a store, as `store.path("apps/billing")` declares it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from keysteward.core.contract.address import check_address
from keysteward.core.contract.facets import ChecksPaths
from keysteward.core.contract.ports import Store
from keysteward.core.errors import DeclarationError

DOCUMENT_FORMAT = 1
"""Version of the delivered document's public format; see docs/stores.md."""

DOCUMENT_FIELDS = (
    "identity",
    "generation",
    "client_id",
    "client_secret",
    "private_jwk",
    "holder",
    "key_id",
    "api_key",
    "token_url",
    "audience",
    "scopes",
    "previous",
)
"""Fields of a delivered document that a consumer's own names may be mapped to."""

NOTES = "keysteward"
"""The field of a document in which our own notes stand."""

ONLY_KEYS = frozenset({"holder", "key_id", "api_key"})
ONLY_CLIENTS = frozenset({"client_id", "client_secret", "private_jwk", "token_url"})
"""Fields that only the documents of API keys have, and only those of clients."""

_PATH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@-]*(?:/[A-Za-z0-9_][A-Za-z0-9_.@-]*)*")


@dataclass(frozen=True)
class Webhook:
    """A consumer's address that is called after each delivery, so that it reloads; no secret is sent.

    The call is signed with the key that `key` refers to ("env:NAME" or "file:/path"); see docs/stores.md.
    """

    url: str
    key: str

    def __post_init__(self) -> None:
        check_address(self.url, field="webhook: url")
        if not self.key.startswith(("env:", "file:")):
            raise DeclarationError('webhook: key must refer to the signing key, such as "env:RELOAD_KEY"')


@dataclass(frozen=True)
class Delivery:
    """One place: a store and a path in it.

    `fields` maps fields of the document to the names a consumer reads already (`{"client_secret": "CLIENT_SECRET"}`).
    `take_over=True` lets keysteward write to a place that holds somebody else's document; its other fields survive.
    `webhook` tells the consumer of each delivery.
    """

    store: Store
    path: str
    fields: Mapping[str, str] = field(default_factory=dict)
    take_over: bool = False
    webhook: Webhook | None = None

    def __post_init__(self) -> None:
        if not _PATH.fullmatch(self.path):
            raise DeclarationError(
                f"deliver_to: {self.path!r} is not a path; use names of letters, digits and _.@- with / between them"
            )
        unknown = sorted(set(self.fields) - set(DOCUMENT_FIELDS))
        if unknown:
            raise DeclarationError(
                f"deliver_to: fields has {', '.join(unknown)}; a document has {', '.join(DOCUMENT_FIELDS)}"
            )
        check_fields(self.fields)
        if isinstance(self.store, ChecksPaths):
            self.store.check_path(self.path)

    @property
    def place(self) -> Place:
        """Return the place in plain values, as ledgers and plans keep it."""
        hook = self.webhook
        return Place(
            self.store.name,
            self.path,
            tuple(sorted(self.fields.items())),
            self.take_over,
            hook.url if hook else None,
            hook.key if hook else None,
        )


def check_fields(fields: Mapping[str, str]) -> dict[str, str]:
    """Return the map of field names. Raises DeclarationError when two fields would get one name, or take ours."""
    twice: set[str] = set()
    for others in (ONLY_KEYS, ONLY_CLIENTS):
        names = [
            name for ours, name in ((name, fields.get(name, name)) for name in DOCUMENT_FIELDS) if ours not in others
        ]
        twice |= {name for name in names if names.count(name) > 1}
    if twice:
        raise DeclarationError(
            f"deliver_to: fields gives the name {', '.join(sorted(twice))} to two fields; choose another"
        )
    if NOTES in fields.values():
        raise DeclarationError(f"deliver_to: fields uses the name {NOTES}, which holds keysteward's own notes")
    return dict(fields)


@dataclass(frozen=True, slots=True)
class Place:
    """One place in a store to which a credential is delivered. `fields` maps document fields to consumers' names.

    `webhook` is called after each delivery, signed with the key that the reference `webhook_key` names.
    """

    store: str
    path: str
    fields: tuple[tuple[str, str], ...] = ()
    take_over: bool = False
    webhook: str | None = None
    webhook_key: str | None = None

    @property
    def key(self) -> str:
        """Return "store:path", the name of this place in plans, ledgers and outputs."""
        return f"{self.store}:{self.path}"
