"""Where the mark is kept, since nothing of a pool but the pool itself carries tags.

- of a client, behind its name: `billing-exporter @ acme+prod+billing-exporter 1f0a...`; a name takes no "/".
- of a scope, behind its description: `Read invoices [keysteward acme/prod/billing-api 1f0a...]`.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from typing import Final

from keysteward.core.contract.observed import Mark
from keysteward.core.errors import Rejected

CLIENT_NAME_CHARACTERS: Final = 128
DESCRIPTION_CHARACTERS: Final = 256
SERVER_NAME_CHARACTERS: Final = 256
"""Lengths are those of the API Reference: CreateUserPoolClient, ResourceServerScopeType, CreateResourceServer."""

MADE: Final = "keysteward "
"""How the name of a resource server begins that was made for our scopes."""

VACANT_CHARACTERS: Final = 12
_VACANT: Final = " vacant="
_CLIENT: Final = re.compile(r"(?s:(.*)) @ ([A-Za-z0-9_.+-]+) ([A-Za-z0-9_.-]+)(?: vacant=([0-9a-f]{12}))?")
_SCOPE: Final = re.compile(r"(?s:(.*)) \[keysteward ([A-Za-z0-9_./-]+) ([A-Za-z0-9_.-]*)\]")


@dataclass(frozen=True, slots=True)
class ClientName:
    """What a client's name says: its own name, our mark, and which of its secrets nobody has (a digest of its id).

    Cognito never deletes the last secret. So the last one of a client of ours ends by another taking its place, whose
    value nobody was told: to us such a client has no secret.
    """

    label: str
    mark: Mark | None = None
    vacant: str | None = None

    def __str__(self) -> str:
        if self.mark is None:
            return self.label
        noted = f"{_VACANT}{self.vacant}" if self.vacant else ""
        return f"{self.label} @ {self.mark.identity.replace('/', '+')} {self.mark.nonce}{noted}"

    @classmethod
    def read(cls, name: object) -> ClientName:
        """Read a client's name as Cognito shows it."""
        found = _CLIENT.fullmatch(str(name or ""))
        if found is None:
            return cls(str(name or ""))
        label, identity, nonce, vacant = found.groups()
        return cls(label, Mark(identity.replace("+", "/"), nonce), vacant)

    def checked(self) -> ClientName:
        """Return it. Raises Rejected when it is too long, the note of a vacant secret included."""
        if self.mark is not None:
            room = CLIENT_NAME_CHARACTERS - len(_VACANT) - VACANT_CHARACTERS
            _fitting(str(replace(self, vacant=None)), room, f"the name of client {self.label!r} with its identity")
        return self

    def is_vacant(self, secret_id: str) -> bool:
        """Say whether nobody has this secret."""
        return self.vacant == vacant_note(secret_id)


def vacant_note(secret_id: str) -> str:
    """Return how a name refers to a secret."""
    return hashlib.sha256(secret_id.encode()).hexdigest()[:VACANT_CHARACTERS]


def scope_description(description: str, mark: Mark) -> str:
    """Return the description of a scope with its mark. Raises Rejected when it is too long."""
    text = f"{description} [keysteward {mark.identity} {mark.nonce}]"
    return _fitting(text, DESCRIPTION_CHARACTERS, f"the description {description[:40]!r} with its identity")


def read_scope_description(text: str) -> tuple[str, Mark | None]:
    """Return a scope's own description and its mark."""
    found = _SCOPE.fullmatch(text)
    return (text, None) if found is None else (found.group(1), Mark(found.group(2), found.group(3)))


def server_name(mark: Mark) -> str:
    """Return the name of a resource server that is made for scopes of this identity."""
    return f"{MADE}{mark.identity.replace('/', '+')}"[:SERVER_NAME_CHARACTERS]


def _fitting(text: str, characters: int, what: str) -> str:
    if len(text) > characters:
        raise Rejected(f"{what} has {len(text)} characters, and Cognito takes {characters}: shorten one of them")
    return text
