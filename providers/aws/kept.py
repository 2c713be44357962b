"""Documents of one kind, each in a secret: seen without values, changed by compare-and-set, removed.

Two kinds share this: what is delivered, and what is staged.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Generic, Protocol, TypeVar

from keysteward.core.declare.delivery import NOTES
from keysteward.core.errors import Conflict, VersionConflict
from keysteward.providers.aws import marks
from keysteward.providers.aws.versions import NOTHING, Found, Opaque, Versions
from keysteward.providers.documents.description import NOBODYS, Description, write_description

log = logging.getLogger(__name__)

ATTEMPTS: Final = 4
"""How often a change is made anew on what another writer left; each is decided afresh from what is there."""


class _Held(Protocol):
    """A delivered or staging document, taken apart."""

    @property
    def exists(self) -> bool: ...
    @property
    def empty(self) -> bool: ...
    @property
    def description(self) -> Description: ...


Held = TypeVar("Held", bound=_Held)


@dataclass(frozen=True)
class Kept(Generic[Held]):
    """The documents of one kind. `recovery_days`: how long a removed one can be restored, 0 for those nobody reads.

    `parse` and `compose` take a document apart and put it together; `kms_key` encrypts new secrets.
    """

    versions: Versions
    parse: Callable[[Mapping[str, Any] | None], Held]
    compose: Callable[[Held], dict[str, Any]]
    kms_key: str | None
    recovery_days: int

    def described(self, name: str, *, reading: bool) -> tuple[Description | None, bool]:
        """Say what a secret holds, and whether its tags say so too; None when there is no document.

        Unless `reading`, its value is read where they do not, and the tags are repaired.
        """
        seen = self.versions.describe(name)
        if seen is None or seen.scheduled or seen.current is None:
            return None, True
        said = marks.unpack(seen.tags)
        fits = said.description if said is not None and said.version == seen.current else None
        hollow = self._delivered and fits is not None and not fits.entries
        if fits is not None and (reading or not hollow):
            return fits, True
        if reading:
            return (NOBODYS, True) if said is None else (Description(said.description.identity), False)
        try:
            found = self.versions.read(name)
        except Opaque:
            return NOBODYS, True
        if found.data == NOTHING:
            if hollow:
                self._delete(name)
            return None, True
        held = self.parse(found.data)
        if not hollow and held.description.identity is not None:
            self.versions.tag(name, marks.pack(held.description, found.version or ""))
        elif not hollow and said is not None:
            self.versions.untag(name, marks.keys(seen.tags))
        return (held.description if held.exists else None), True

    def change(
        self,
        name: str,
        identity: str,
        change: Callable[[Held], Held],
        *,
        found: Found | None = None,
        discarding: bool = False,
    ) -> Held | None:
        """Read, change and write a document; returns what is left, None when nothing is.

        `identity` is for whom: what was scheduled for deletion is brought back if it is theirs, except to discard.
        `found` is what was read already.
        """
        for attempt in range(1, ATTEMPTS + 1):
            present = found or self._present(name, identity, discarding=discarding)
            before = self.parse(present.data)
            after = change(before)
            try:
                if after.empty:
                    self._remove(name, identity, before, present)
                    return None
                self._save(name, identity, present, after, attempt)
            except VersionConflict:
                if attempt == ATTEMPTS:
                    raise
                found = None
                continue
            return after
        raise AssertionError("the last attempt returns or raises")

    def deprecate(self, name: str, chosen: Callable[[str], bool] = lambda _version: True) -> None:
        """Take every label off older versions, whoever set it."""
        seen = self.versions.describe(name)
        if seen is not None:
            for version in filter(chosen, seen.older):
                self.versions.unlabel(name, version, seen.labels[version])

    @property
    def _delivered(self) -> bool:
        return self.recovery_days > 0

    @property
    def _store(self) -> str:
        return self.versions.client.connection.name

    def _present(self, name: str, identity: str, *, discarding: bool) -> Found:
        found = self.versions.read(name)
        if discarding:
            return found
        if found.scheduled and not self._delivered:
            self.versions.delete(name, 0)
        elif found.scheduled or (found.data == NOTHING and self._delivered):
            self._check_owner(name, identity, scheduled=found.scheduled)
            if found.scheduled:
                self.versions.restore(name)
                log.info("store=%s path=%s operation=restore outcome=done", self._store, name)
                return self.versions.read(name)
        return found

    def _check_owner(self, name: str, identity: str, *, scheduled: bool) -> None:
        seen = self.versions.describe(name)
        said = marks.unpack(seen.tags) if seen is not None else None
        owner = None if said is None else said.description.identity
        if owner == identity or (owner is None and not scheduled):
            return
        whose = f"belongs to {owner}" if owner else "is not keysteward's"
        state = "is scheduled for deletion" if scheduled else "is empty"
        raise Conflict(f"{self._store}:{name} {state} and {whose}: deliver elsewhere, or ask its owner to give it up")

    def _save(self, name: str, identity: str, found: Found, after: Held, attempt: int) -> None:
        raw, said = self.compose(after), after.description
        version = found.version
        if raw != found.data:
            version = _token(name, found.version, said, raw, attempt)
            if found.version is None and not self._delivered:
                self.versions.create(name, raw, version, marks.pack(said, version), self.kms_key)
                return
            self.versions.write(name, raw, version, found.version or self._placeholder(name, identity))
        if said.identity is not None:
            self.versions.tag(name, marks.pack(said, version or ""))

    def _placeholder(self, name: str, identity: str) -> str:
        """Make the secret with an empty first version, which always becomes current; returns its id.

        So the first document too is made current by a move from a known version, and of two runs one wins. A secret
        that somebody made without a value (as Terraform does) gets the empty version as well.
        """
        token = _digest("placeholder", name, identity)
        try:
            self.versions.create(name, NOTHING, token, marks.announcement(identity), self.kms_key)
        except VersionConflict:
            self.versions.write(name, NOTHING, token, None)
        return token

    def _remove(self, name: str, identity: str, before: Held, found: Found) -> None:
        """Delete a secret of which nothing is left.

        A delivered one is first marked as hollow and emptied by compare-and-set: nobody else wrote to it meanwhile,
        what can be restored is empty, and after a kill the next run goes on. What somebody else emptied stays.
        """
        if before.exists and before.description.identity == identity:
            if self._delivered:
                version = _digest("hollow", name, str(found.version))
                self.versions.tag(name, marks.pack(Description(identity), version))
                self.versions.write(name, NOTHING, version, found.version)
            self._delete(name)
        elif found.data == NOTHING:
            seen = self.versions.describe(name)
            said = marks.unpack(seen.tags) if seen is not None else None
            if said is not None and said.description.identity == identity:
                self._delete(name)

    def _delete(self, name: str) -> None:
        if self._delivered:
            self.deprecate(name)
        self.versions.delete(name, self.recovery_days)
        log.info("store=%s path=%s operation=remove outcome=done", self._store, name)


def _token(name: str, expected: str | None, said: Description, raw: Mapping[str, Any], attempt: int) -> str:
    """Return the id of the version that a change makes of another: the same for the same change, sent again.

    It says nothing of values, which are known by their keyed fingerprints alone.
    """
    notes = raw.get(NOTES)
    fields = notes.get("fields") if isinstance(notes, Mapping) else None
    return _digest(name, str(expected), write_description(said), fields, attempt)


def _digest(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
