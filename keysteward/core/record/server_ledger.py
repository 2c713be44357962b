"""What is recorded of a resource server, and its form in the ledger store. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from keysteward.core.errors import Damaged
from keysteward.core.record.evidence import Entry
from keysteward.core.record.ledger import LEDGER_FORMAT, Executed, Logged


@dataclass(frozen=True, slots=True)
class ServerLedger:
    """The record of one resource server: the remote ids of its scopes, and which are dropped but not yet deleted."""

    identity: str
    incarnation: str
    target: str
    nonce: str
    kind: str = "ResourceServer"
    format: int = LEDGER_FORMAT
    version: int = 0
    targets: Mapping[str, Any] = field(default_factory=dict)
    scopes: Mapping[str, str] = field(default_factory=dict)
    dropped: tuple[str, ...] = ()
    executed: Executed = field(default_factory=Executed)
    closed: datetime | None = None
    outbox: tuple[Entry, ...] = ()
    logged: Logged | None = None


@cache
def _ledgers() -> TypeAdapter[ServerLedger]:
    """Return what writes and reads ledgers of servers; see the one in ledger.py."""
    return TypeAdapter(ServerLedger)


def dump_server_ledger(ledger: ServerLedger) -> dict[str, Any]:
    """Write a resource server's ledger as JSON."""
    document: dict[str, Any] = _ledgers().dump_python(ledger, mode="json")
    document.pop("version")
    return document


def load_server_ledger(document: Mapping[str, Any], version: int) -> ServerLedger:
    """Read a stored document. Raises Damaged when it cannot be read."""
    try:
        return _ledgers().validate_python({**document, "version": version})
    except ValidationError as error:
        raise Damaged(
            f"ledger of {document.get('identity', 'unknown')!r} cannot be read "
            f"({error.error_count()} fields are wrong): restore it from a backup of the ledger store"
        ) from None
