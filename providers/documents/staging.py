"""The staging document: values that no consumer may read yet, keyed by generation. Pure; shared by all stores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from keysteward.core.contract.observed import DeliveredEntry
from keysteward.core.contract.ports import Material, StageEntry
from keysteward.core.errors import Conflict, Damaged
from keysteward.host.material import material_of
from keysteward.providers.documents.description import Description, read_entry, write_entry

STAGING_FORMAT = 1
"""Version of the staging document; nobody but keysteward reads it."""


@dataclass(frozen=True, slots=True)
class Staged:
    """One staged value."""

    entry: DeliveredEntry
    material: Material


@dataclass(frozen=True, slots=True)
class Staging:
    """All staged values of one path; they belong to one identity."""

    identity: str | None = None
    values: Mapping[int, Staged] = field(default_factory=dict)

    @property
    def exists(self) -> bool:
        """Say whether there is a document."""
        return self.identity is not None

    @property
    def empty(self) -> bool:
        """Say whether nothing is staged."""
        return not self.values

    @property
    def description(self) -> Description:
        """Return what may be said of it without its values."""
        return Description(self.identity, staged=tuple(self.values[number].entry for number in sorted(self.values)))

    def material(self, generation: int) -> Material | None:
        """Return the value of one generation."""
        staged = self.values.get(generation)
        return staged.material if staged else None


def parse(raw: Mapping[str, Any] | None) -> Staging:
    """Take a staging document apart. Raises Damaged when it is none of a format we know."""
    if not raw:
        return Staging()
    if raw.get("format") != STAGING_FORMAT:
        raise Damaged("a staging document has a format this keysteward does not read: use the version that wrote it")
    try:
        values = {
            int(number): Staged(
                read_entry({**plain, "generation": number}), material_of(plain["method"], plain["value"])
            )
            for number, plain in raw["generations"].items()
        }
        return Staging(raw["identity"], values)
    except (KeyError, TypeError, AttributeError, ValueError):
        raise Damaged("a staging document cannot be read: delete it, and the next run issues anew") from None


def compose(staging: Staging) -> dict[str, Any]:
    """Put a staging document together as it is stored. The inverse of `parse`."""
    generations = {}
    for number, staged in sorted(staging.values.items()):
        material = staged.material
        plain = {**write_entry(staged.entry), "method": material.method, "value": material.value.get_secret_value()}
        plain.pop("generation")
        generations[str(number)] = plain
    return {"format": STAGING_FORMAT, "identity": staging.identity, "generations": generations}


def add(staging: Staging, entry: StageEntry, material: Material, *, where: str) -> Staging:
    """Stage one value. The same again changes nothing. Raises Conflict for another one, and for another identity."""
    if staging.values and staging.identity != entry.identity:
        raise Conflict(
            f"{where} has values staged by {staging.identity}: deliver elsewhere, or set take_over=True to drop them"
        )
    staged = staging.values.get(entry.generation)
    if staged is not None and staged.entry.fingerprint != entry.fingerprint:
        raise Conflict(
            f"{where} has generation {entry.generation} staged with fingerprint {staged.entry.fingerprint}, "
            f"not {entry.fingerprint}: another run issued it; read the ledger again"
        )
    if staged is not None:
        return staging
    noted = DeliveredEntry(entry.generation, entry.fingerprint, entry.nonce, entry.remote_id)
    return Staging(entry.identity, {**staging.values, entry.generation: Staged(noted, material)})


def take_over(staging: Staging, identity: str, *, renamed: bool = False) -> Staging:
    """Drop what another identity staged; with `renamed` it is ours under the same numbers."""
    if staging.identity in {None, identity}:
        return staging
    return replace(staging, identity=identity) if renamed else Staging()


def drop(staging: Staging, identity: str, generation: int) -> Staging:
    """Drop one value; what another identity staged stays."""
    if staging.identity != identity or generation not in staging.values:
        return staging
    return replace(staging, values={number: s for number, s in staging.values.items() if number != generation})
