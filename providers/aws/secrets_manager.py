"""A store in AWS Secrets Manager.

A delivered document is one secret, named by its path. Its labels are the service's own, with its own meaning: AWSCURRENT
is what consumers read, AWSPREVIOUS the document before the last change, AWSPENDING the document about to become current,
for the instant between the two calls of a write. A label left there by anybody, at whatever time, stops nothing.

Staged values lie in a secret of their own, `keysteward/staged/<path>`, and not under AWSPENDING of the delivered one: who
may read a secret may by default read all of its versions, so that a consumer would hold a value that is not proven yet.
What AWSPENDING shows is proven already. That secret is deleted without recovery as soon as nothing is staged: it is the
only way to destroy a value at once. A single version cannot be deleted; one without labels is found by no label, and AWS
deletes it in time.

What a secret holds stands in its tags. `ListSecrets` would show them in bulk, but up to five minutes late (API Reference),
and a plan made from that would repeat what is done: `delivered` asks `DescribeSecret`, whose quota is 10,000 a second.
"""

from __future__ import annotations

import copy
import hashlib
import json
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Generic, Protocol, Self, TypeVar

from keysteward.core.delivery import Delivery, Webhook
from keysteward.core.errors import AccessDenied, Conflict, Damaged, DeclarationError, VersionConflict
from keysteward.core.observed import Delivered
from keysteward.core.ports import About, Check, Descriptor, Material, StageEntry
from keysteward.providers import document as documents
from keysteward.providers import staging as stagings
from keysteward.providers.aws import marks
from keysteward.providers.aws.connection import AwsClient, Connection
from keysteward.providers.aws.diagnosis import PROBE, diagnose_store
from keysteward.providers.aws.dynamodb import DynamoLedgers
from keysteward.providers.aws.versions import NOTHING, Found, Opaque, Versions
from keysteward.providers.description import NOBODYS, Description, delivered, write_description
from keysteward.providers.pool import in_pool

log = logging.getLogger(__name__)

STAGING: Final = "keysteward/staged"
"""Where staged values are kept unless a store says otherwise: outside every consumer's read right."""

ATTEMPTS: Final = 4
"""How often a change is made anew on what another writer left; each is decided afresh from what is there."""

NAME_CHARACTERS: Final = 512
"""Longest name of a secret (API Reference, CreateSecret)."""

RECOVERY_DAYS: Final = range(7, 31)
"""How long AWS may keep what it can restore (API Reference, DeleteSecret)."""


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
class _Kind(Generic[Held]):
    """How documents of one kind are taken apart and put together, and whether consumers read them."""

    parse: Callable[[Mapping[str, Any] | None], Held]
    compose: Callable[[Held], dict[str, Any]]
    delivered: bool


_DOCUMENT = _Kind(documents.parse, documents.compose, delivered=True)
_STAGING = _Kind(stagings.parse, stagings.compose, delivered=False)


class SecretsManager:
    """Documents in the secrets of one account and region; what they hold, without values, stands in their tags.

    `admin` and `reader` are references as `keysteward.providers.aws.connection.AwsClient` takes them; without `admin`
    boto3 finds credentials by itself, without `reader` previews use `admin` and read no value. The policies both need
    are those of `keysteward policy aws`. New secrets are encrypted with `kms_key`, staging ones with `staging_kms_key`
    if there is one; None is the account's own key `aws/secretsmanager`, which everybody in the account may use. A
    secret of which nothing is left can be restored for `recovery_days`, empty.
    """

    def __init__(
        self,
        name: str,
        *,
        region: str,
        admin: str | None = None,
        reader: str | None = None,
        kms_key: str | None = None,
        staging_kms_key: str | None = None,
        staging: str = STAGING,
        recovery_days: int = 30,
        endpoint_url: str | None = None,
    ) -> None:
        if recovery_days not in RECOVERY_DAYS:
            raise DeclarationError(f"{name}: recovery_days is {recovery_days}; Secrets Manager takes 7 to 30")
        self.name = name
        self.staging = staging.strip("/")
        self._connection = Connection(name, region, endpoint_url)
        self._admin = AwsClient(self._connection, admin, field="admin", access="runner")
        self._reader = self._admin
        if reader is not None:
            self._reader = AwsClient(self._connection, reader, field="reader", access="reader")
        self._kms_key, self._staging_kms_key = kms_key, staging_kms_key or kms_key
        chosen = {"kms_key": kms_key, "staging_kms_key": staging_kms_key}
        self._settings = {key: value for key, value in chosen.items() if value is not None}
        self._recovery_days = recovery_days
        self._reading = False

    def __repr__(self) -> str:
        return f"SecretsManager({self.name!r}, region={self._connection.region!r})"

    @property
    def descriptor(self) -> Descriptor:
        """How to make this store again."""
        own = {"staging": self.staging, "recovery_days": self._recovery_days, **self._settings}
        return Descriptor("keysteward.providers.aws:SecretsManager", {**self._credentials, **own})

    def path(
        self,
        path: str,
        *,
        fields: Mapping[str, str] | None = None,
        take_over: bool = False,
        webhook: Webhook | None = None,
    ) -> Delivery:
        """Return a place for `deliver_to`; `fields` gives fields of the document the names its consumer reads."""
        if f"{path}/".startswith(f"{self.staging}/"):
            raise DeclarationError(
                f"deliver_to: {path} lies in {self.staging}, where values are staged; choose another"
            )
        if path == PROBE:
            raise DeclarationError(f"deliver_to: {path} is what keysteward doctor asks about; choose another")
        if len(self._staged(path)) > NAME_CHARACTERS:
            raise DeclarationError(
                f"deliver_to: {path[:40]}… is too long; with {self.staging}/ before it, the name of a secret has at most "
                f"{NAME_CHARACTERS} characters"
            )
        return Delivery(self, path, documents.check_fields(fields or {}), take_over, webhook)

    def ledgers(self, table: str = "keysteward", *, partition: str = "keysteward") -> DynamoLedgers:
        """Return a ledger store in a DynamoDB table of the same account and region, with the same credentials."""
        return DynamoLedgers(**self._credentials, table=table, partition=partition)

    def as_reader(self) -> Self:
        """Return the same store with the reader's credential: it reads tags only and writes nothing."""
        reader = copy.copy(self)
        reader._reading = True  # noqa: SLF001 - a copy of ourselves
        return reader

    def delivered(self, paths: Iterable[str]) -> Mapping[str, Delivered]:
        """Say what each path holds: two `DescribeSecret`, for its secret and its staging one, eight at a time.

        Where tags do not describe the current version a reader answers `unknown`; the runner reads the value and
        repairs the tags.
        """
        wanted = list(dict.fromkeys(paths))
        return dict(zip(wanted, in_pool(self._delivered, wanted), strict=True))

    def stage(self, path: str, entry: StageEntry, material: Material) -> None:
        """Keep a value in the staging secret of its path."""
        where = f"{self.name}:{path}"

        def change(held: stagings.Staging) -> stagings.Staging:
            return stagings.add(held, entry, material, where=where)

        self._change(_STAGING, self._staged(path), entry.identity, change)
        log.info("store=%s path=%s operation=stage generation=%d outcome=done", self.name, path, entry.generation)

    def read(self, path: str, generation: int) -> Material | None:
        """Read the value of one generation with the runner's rights."""
        self._refuse_reader("read a value")
        try:
            held = documents.parse(self._versions.read(path).data).material(generation)
        except Opaque:
            held = None
        return held or stagings.parse(self._versions.read(self._staged(path)).data).material(generation)

    def promote(
        self, path: str, entry: StageEntry, about: About, fields: Mapping[str, str], *, rollback: bool = False
    ) -> None:
        """Write the document as a new version, move AWSCURRENT to it, describe it, then drop the staged copy."""
        self._refuse_reader("write")
        where = f"{self.name}:{path}"
        found = self._versions.read(self._staged(path))
        staged = stagings.parse(found.data)
        material = staged.material(entry.generation) if staged.identity == entry.identity else None

        def change(document: documents.Document) -> documents.Document:
            return documents.promote(document, entry, about, fields, material, rollback=rollback, where=where)

        self._change(_DOCUMENT, path, entry.identity, change)
        if material is not None:
            self._drop_staged(path, entry.identity, entry.generation, found)
        log.info("store=%s path=%s operation=promote generation=%d outcome=done", self.name, path, entry.generation)

    def take_over(self, path: str, identity: str, *, renamed: bool = False) -> None:
        """Make a document ours. With `renamed` (the identity's own new name) its generations stay known."""
        self._refuse_reader("write")
        flat = self._staged(path)
        self._change(_STAGING, flat, identity, lambda held: stagings.take_over(held, identity, renamed=renamed))
        self._change(_DOCUMENT, path, identity, lambda held: documents.take_over(held, identity, renamed=renamed))
        log.info("store=%s path=%s operation=take_over outcome=done", self.name, path)

    def discard(self, path: str, identity: str, generation: int) -> None:
        """Drop one generation from staging and document, then take the labels off versions that still hold it."""
        self._refuse_reader("discard a value")
        self._drop_staged(path, identity, generation)
        dropped: list[Material | None] = []

        def change(document: documents.Document) -> documents.Document:
            dropped.append(document.material(generation))
            return documents.discard(document, identity, generation)

        try:
            left = self._change(_DOCUMENT, path, identity, change, discarding=True)
        except Opaque:
            return
        if left is not None and left.identity == identity:
            self._destroy(path, generation, dropped[-1])
        log.info("store=%s path=%s operation=discard generation=%d outcome=done", self.name, path, generation)

    def diagnose(self, paths: Iterable[str]) -> Iterable[Check]:
        """Say whether AWS answers, for whom, and gives the rights needed and no others."""
        return diagnose_store(self._versions, self.staging, list(paths), reading=self._reading)

    @property
    def _credentials(self) -> dict[str, Any]:
        given = {"admin": self._admin.reference}
        if self._reader is not self._admin:
            given["reader"] = self._reader.reference
        return {**self._connection.settings, **{key: value for key, value in given.items() if value is not None}}

    @property
    def _versions(self) -> Versions:
        return Versions(self._reader if self._reading else self._admin)

    def _staged(self, path: str) -> str:
        return f"{self.staging}/{path}"

    def _refuse_reader(self, operation: str) -> None:
        if self._reading:
            raise AccessDenied(f"{self.name}: a reader may not {operation}; use the runner", operation=operation)

    def _delivered(self, path: str) -> Delivered:
        document, document_fits = self._described(_DOCUMENT, path)
        staging, staging_fits = self._described(_STAGING, self._staged(path))
        return delivered(document, staging, unknown=not (document_fits and staging_fits))

    def _described(self, kind: _Kind[Held], name: str) -> tuple[Description | None, bool]:
        seen = self._versions.describe(name)
        if seen is None or seen.scheduled or seen.current is None:
            return None, True
        said = marks.unpack(seen.tags)
        fits = said.description if said is not None and said.version == seen.current else None
        hollow = kind.delivered and fits is not None and not fits.entries
        if fits is not None and (self._reading or not hollow):
            return fits, True
        if self._reading:
            return (NOBODYS, True) if said is None else (Description(said.description.identity), False)
        try:
            found = self._versions.read(name)
        except Opaque:
            return NOBODYS, True
        if found.data == NOTHING:
            if hollow:
                self._delete(kind, name)
            return None, True
        held = kind.parse(found.data)
        if hollow:
            return (held.description if held.exists else None), True
        if held.description.identity is not None:
            self._versions.tag(name, marks.pack(held.description, found.version or ""))
        elif said is not None:
            self._versions.untag(name, marks.keys(seen.tags))
        return (held.description if held.exists else None), True

    def _change(
        self,
        kind: _Kind[Held],
        name: str,
        identity: str,
        change: Callable[[Held], Held],
        *,
        found: Found | None = None,
        discarding: bool = False,
    ) -> Held | None:
        """Read, change and write a document; returns what is left, None when nothing is.

        `identity` is for whom: what was scheduled for deletion is brought back if it is theirs, except to discard.
        """
        self._refuse_reader("write")
        for attempt in range(1, ATTEMPTS + 1):
            present = found or self._present(kind, name, identity, discarding=discarding)
            before = kind.parse(present.data)
            after = change(before)
            try:
                if after.empty:
                    self._remove(kind, name, identity, before, present)
                    return None
                self._save(kind, name, identity, present, after, attempt)
            except VersionConflict:
                if attempt == ATTEMPTS:
                    raise
                found = None
                continue
            return after
        raise AssertionError("the last attempt returns or raises")

    def _present(self, kind: _Kind[Held], name: str, identity: str, *, discarding: bool) -> Found:
        found = self._versions.read(name)
        if discarding:
            return found
        if found.scheduled and not kind.delivered:
            self._versions.delete(name, 0)
        elif found.scheduled or (found.data == NOTHING and kind.delivered):
            self._check_owner(name, identity, scheduled=found.scheduled)
            if found.scheduled:
                self._versions.restore(name)
                log.info("store=%s path=%s operation=restore outcome=done", self.name, name)
                return self._versions.read(name)
        return found

    def _check_owner(self, name: str, identity: str, *, scheduled: bool) -> None:
        seen = self._versions.describe(name)
        said = marks.unpack(seen.tags) if seen is not None else None
        owner = None if said is None else said.description.identity
        if owner == identity or (owner is None and not scheduled):
            return
        whose = f"belongs to {owner}" if owner else "is not keysteward's"
        state = "is scheduled for deletion" if scheduled else "is empty"
        raise Conflict(f"{self.name}:{name} {state} and {whose}: deliver elsewhere, or ask its owner to give it up")

    def _save(
        self, kind: _Kind[Held], name: str, identity: str, found: Found, after: Held, attempt: int
    ) -> None:
        raw, said = kind.compose(after), after.description
        version = found.version
        if raw != found.data:
            version = _token(name, found.version, said, raw, attempt)
            if found.version is None and not kind.delivered:
                self._versions.create(name, raw, version, marks.pack(said, version), self._staging_kms_key)
                return
            self._versions.write(name, raw, version, found.version or self._placeholder(name, identity))
        if said.identity is not None:
            self._versions.tag(name, marks.pack(said, version or ""))

    def _placeholder(self, name: str, identity: str) -> str:
        """Make the secret with an empty first version, which always becomes current; returns its id.

        So the first document too is made current by a move from a known version, and of two runs one wins. A secret
        that somebody made without a value (as Terraform does) gets the empty version as well.
        """
        token = _digest("placeholder", name, identity)
        try:
            self._versions.create(name, NOTHING, token, marks.announcement(identity), self._kms_key)
        except VersionConflict:
            self._versions.write(name, NOTHING, token, None)
        return token

    def _remove(self, kind: _Kind[Held], name: str, identity: str, before: Held, found: Found) -> None:
        """Delete a secret of which nothing is left.

        A delivered one is first marked as hollow and emptied by compare-and-set: nobody else wrote to it meanwhile, what
        can be restored is empty, and after a kill in between the next run goes on. What somebody else emptied stays.
        """
        if before.exists and before.description.identity == identity:
            if kind.delivered:
                version = _digest("hollow", name, str(found.version))
                self._versions.tag(name, marks.pack(Description(identity), version))
                self._versions.write(name, NOTHING, version, found.version)
            self._delete(kind, name)
        elif found.data == NOTHING:
            seen = self._versions.describe(name)
            said = marks.unpack(seen.tags) if seen is not None else None
            if said is not None and said.description.identity == identity:
                self._delete(kind, name)

    def _delete(self, kind: _Kind[Held], name: str) -> None:
        if kind.delivered:
            self._deprecate(name)
        self._versions.delete(name, self._recovery_days if kind.delivered else 0)
        log.info("store=%s path=%s operation=remove outcome=done", self.name, name)

    def _drop_staged(self, path: str, identity: str, generation: int, found: Found | None = None) -> None:
        def change(held: stagings.Staging) -> stagings.Staging:
            return stagings.drop(held, identity, generation)

        left = self._change(_STAGING, self._staged(path), identity, change, found=found, discarding=True)
        if left is not None and left.identity == identity:
            self._deprecate(self._staged(path))

    def _destroy(self, path: str, generation: int, secret: Material | None) -> None:
        def holds(version: str) -> bool:
            try:
                old = documents.parse(self._versions.read(path, version).data)
            except (Damaged, Opaque):
                return False
            return documents.holds(old, generation, secret)

        self._deprecate(path, holds)

    def _deprecate(self, name: str, chosen: Callable[[str], bool] = lambda _version: True) -> None:
        """Take every label off older versions, whoever set it."""
        seen = self._versions.describe(name)
        if seen is not None:
            for version in filter(chosen, seen.older):
                self._versions.unlabel(name, version, seen.labels[version])


def _token(name: str, expected: str | None, said: Description, raw: Mapping[str, Any], attempt: int) -> str:
    """Return the id of the version that a change makes of another: the same for the same change, so that it can be sent
    again. It says nothing of values, which are known by their keyed fingerprints alone.
    """
    notes = raw.get(documents.NOTES)
    fields = notes.get("fields") if isinstance(notes, Mapping) else None
    return _digest(name, str(expected), write_description(said), fields, attempt)


def _digest(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
