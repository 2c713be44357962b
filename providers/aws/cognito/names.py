"""Where the mark is kept, since nothing of a pool but the pool itself carries tags.

- of a client, behind its name: `billing-exporter @ acme+prod+billing-exporter 1f0a...`; a name takes no "/".
- of a scope, behind its description: `Read invoices [keysteward acme/prod/billing-api 1f0a...]`.
"""

from __future__ import annotations

import re
from typing import Final

from keysteward.core.errors import Rejected
from keysteward.core.observed import Mark

CLIENT_NAME_CHARACTERS: Final = 128
DESCRIPTION_CHARACTERS: Final = 256
SERVER_NAME_CHARACTERS: Final = 256
"""Lengths are those of the API Reference: CreateUserPoolClient, ResourceServerScopeType, CreateResourceServer."""

MADE: Final = "keysteward "
"""How the name of a resource server begins that was made for our scopes."""

_CLIENT: Final = re.compile(r"(?s:(.*)) @ ([A-Za-z0-9_.+-]+) ([A-Za-z0-9_.-]+)")
_SCOPE: Final = re.compile(r"(?s:(.*)) \[keysteward ([A-Za-z0-9_./-]+) ([A-Za-z0-9_.-]*)\]")


def client_name(label: str, mark: Mark | None) -> str:
    """Return the name of a client with its mark. Raises Rejected when it is too long."""
    name = label if mark is None else f"{label} @ {mark.identity.replace('/', '+')} {mark.nonce}"
    return _fitting(name, CLIENT_NAME_CHARACTERS, f"the name of client {label!r} with its identity")


def read_client_name(name: str) -> tuple[str, Mark | None]:
    """Return a client's own name and its mark."""
    found = _CLIENT.fullmatch(name)
    return (name, None) if found is None else (found.group(1), Mark(found.group(2).replace("+", "/"), found.group(3)))


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
