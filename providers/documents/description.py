"""What a store says about its documents without their values: whose, which generations, by which fingerprints.

Every store keeps these descriptions beside the values (a file, metadata), so that a reader needs no right to values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from keysteward.core.contract.observed import Delivered, DeliveredEntry
from keysteward.core.errors import Damaged


@dataclass(frozen=True, slots=True)
class Description:
    """What one document holds: a delivered one (current, previous) or a staging one (staged)."""

    identity: str | None = None
    current: DeliveredEntry | None = None
    previous: DeliveredEntry | None = None
    staged: tuple[DeliveredEntry, ...] = ()

    @property
    def entries(self) -> tuple[DeliveredEntry, ...]:
        """Return all that it holds."""
        return tuple(entry for entry in (self.current, self.previous, *self.staged) if entry is not None)


NOBODYS = Description()
"""What is said of a document without our mark."""


def write_entry(entry: DeliveredEntry) -> dict[str, Any]:
    """Write one entry as JSON; what is None is left out."""
    plain = {
        "generation": entry.generation,
        "fingerprint": entry.fingerprint,
        "nonce": entry.nonce,
        "remote_id": entry.remote_id,
        "about": entry.about,
    }
    return {name: value for name, value in plain.items() if value is not None}


def read_entry(plain: Mapping[str, Any]) -> DeliveredEntry:
    """Read one entry back. Raises Damaged when it is none."""
    try:
        return DeliveredEntry(
            generation=int(plain["generation"]),
            fingerprint=str(plain["fingerprint"]),
            nonce=str(plain["nonce"]),
            remote_id=plain.get("remote_id"),
            about=plain.get("about"),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        raise Damaged("the description of a delivered document cannot be read: restore it from a backup") from None


def write_description(description: Description) -> dict[str, Any]:
    """Write a description as JSON."""
    plain: dict[str, Any] = {}
    if description.identity is not None:
        plain["identity"] = description.identity
    if description.current is not None:
        plain["current"] = write_entry(description.current)
    if description.previous is not None:
        plain["previous"] = write_entry(description.previous)
    if description.staged:
        plain["staged"] = [write_entry(entry) for entry in description.staged]
    return plain


def read_description(plain: Mapping[str, Any]) -> Description:
    """Read a description back. Raises Damaged when it is none."""
    return Description(
        identity=plain.get("identity"),
        current=read_entry(plain["current"]) if "current" in plain else None,
        previous=read_entry(plain["previous"]) if "previous" in plain else None,
        staged=tuple(read_entry(entry) for entry in plain.get("staged", ())),
    )


def delivered(document: Description | None, staging: Description | None, *, unknown: bool) -> Delivered:
    """Put together what a path holds; None where there is no document.

    What another identity staged beside a document is not shown: it can become nobody's current.
    """
    held = document or NOBODYS
    staged = staging or NOBODYS
    shown = held.identity in {None, staged.identity}
    return Delivered(
        exists=document is not None,
        identity=staged.identity if document is None else held.identity,
        unknown=unknown,
        current=held.current,
        previous=held.previous,
        staged=staged.staged if shown else (),
    )
