"""A store in AWS Secrets Manager.

A delivered document is one secret, named by its path. Its labels are the service's own, with their own meaning:
AWSCURRENT is what consumers read, AWSPREVIOUS the document before the last change, AWSPENDING the document about to
become current, for the instant between the two calls of a write. A label left there by anybody stops nothing.

Staged values lie in a secret of their own, `keysteward/staged/<path>`, and not under AWSPENDING of the delivered one:
who may read a secret may by default read all of its versions, so that a consumer would see a value that is not proven
yet. What AWSPENDING shows is proven already. The staging secret is deleted without recovery as soon as nothing is
staged, which is the only way to destroy a value at once. A single version cannot be deleted: one without labels is
found by no label, and AWS deletes it in time.

What a secret holds stands in its tags. `ListSecrets` would show them in bulk, but up to five minutes late (API
Reference), and a plan made from that would repeat what is done: `delivered` asks `DescribeSecret` for each.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from keysteward.core.contract.introduction import Introduction, Starter
from keysteward.core.contract.observed import Delivered
from keysteward.core.contract.ports import Check, Descriptor, Material
from keysteward.core.errors import Damaged, DeclarationError
from keysteward.host.pool import in_pool
from keysteward.providers.aws.connection import AwsClient, Connection
from keysteward.providers.aws.diagnosis import PROBE, diagnose_store
from keysteward.providers.aws.dynamodb import DynamoLedgers
from keysteward.providers.aws.kept import Kept
from keysteward.providers.aws.versions import Found, Opaque, Versions
from keysteward.providers.documents import document as documents
from keysteward.providers.documents import staging as stagings
from keysteward.providers.documents.description import delivered
from keysteward.providers.documents.store import STAGING, DocumentStore
from keysteward.providers.kit.templates import template

log = logging.getLogger(__name__)

NAME_CHARACTERS: Final = 512
"""Longest name of a secret (API Reference, CreateSecret)."""

RECOVERY_DAYS: Final = range(7, 31)
"""How long AWS may keep what it can restore (API Reference, DeleteSecret)."""


class SecretsManager(DocumentStore[Found]):
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

    def __repr__(self) -> str:
        return f"SecretsManager({self.name!r}, region={self._connection.region!r})"

    @classmethod
    def introduction(cls) -> Introduction:
        """How it is shown in the documentation, and what a new repository has of it."""
        return Introduction(
            starter=Starter(
                declaration=template(__package__, "aws.py"),
                classes=("SecretsManager",),
                called="secrets",
                login="aws",
                extras=("aws",),
            ),
        )

    @property
    def descriptor(self) -> Descriptor:
        """How to make this store again."""
        own = {"staging": self.staging, "recovery_days": self._recovery_days, **self._settings}
        return Descriptor("keysteward.providers.aws:SecretsManager", {**self._credentials, **own})

    def check_path(self, path: str) -> None:
        """See the base; names have a length here, and one is the doctor's."""
        super().check_path(path)
        if path == PROBE:
            raise DeclarationError(f"deliver_to: {path} is what keysteward doctor asks about; choose another")
        if len(self._staged(path)) > NAME_CHARACTERS:
            raise DeclarationError(
                f"deliver_to: {path[:40]}… is too long; with {self.staging}/ before it, the name of a secret has at "
                f"most {NAME_CHARACTERS} characters"
            )

    def ledgers(self, table: str = "keysteward", *, partition: str = "keysteward") -> DynamoLedgers:
        """Return a ledger store in a DynamoDB table of the same account and region, with the same credentials."""
        return DynamoLedgers(**self._credentials, table=table, partition=partition)

    def delivered(self, paths: Iterable[str]) -> Mapping[str, Delivered]:
        """Say what each path holds: two `DescribeSecret`, for its secret and its staging one, eight at a time.

        Where tags do not describe the current version a reader answers `unknown`; the runner reads the value and
        repairs the tags.
        """
        wanted = list(dict.fromkeys(paths))
        return dict(zip(wanted, in_pool(self._delivered, wanted), strict=True))

    def neighbours(self, paths: Iterable[str]) -> Iterable[str]:
        """`ListSecrets` by pages, filtered by the folders of these paths; those scheduled for deletion are left out."""
        folders = sorted({path.rpartition("/")[0] for path in paths})
        found = {name for folder in folders for name in self._versions.names(f"{folder}/" if folder else "")}
        return sorted(name for name in found if name.rpartition("/")[0] in folders)

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

    @property
    def _documents(self) -> Kept[documents.Document]:
        return Kept(self._versions, documents.parse, documents.compose, self._kms_key, self._recovery_days)

    @property
    def _stagings(self) -> Kept[stagings.Staging]:
        return Kept(self._versions, stagings.parse, stagings.compose, self._staging_kms_key, 0)

    def _staged(self, path: str) -> str:
        return f"{self.staging}/{path}"

    def _document(self, path: str) -> documents.Document:
        try:
            return documents.parse(self._versions.read(path).data)
        except Opaque:
            return documents.Document()

    def _staged_at(self, path: str) -> tuple[stagings.Staging, Found | None]:
        found = self._versions.read(self._staged(path))
        staged = stagings.parse(found.data)
        return staged, None if staged.empty else found

    def _change_document(
        self,
        path: str,
        identity: str,
        change: Callable[[documents.Document], documents.Document],
        *,
        discarding: bool = False,
    ) -> documents.Document | None:
        try:
            return self._documents.change(path, identity, change, discarding=discarding)
        except Opaque:
            if not discarding:
                raise
            return None

    def _change_staging(
        self,
        path: str,
        identity: str,
        change: Callable[[stagings.Staging], stagings.Staging],
        *,
        seen: Found | None = None,
        discarding: bool = False,
    ) -> stagings.Staging | None:
        name = self._staged(path)
        left = self._stagings.change(name, identity, change, found=seen, discarding=discarding)
        if discarding and left is not None and left.identity == identity:
            self._stagings.deprecate(name)
        return left

    def _delivered(self, path: str) -> Delivered:
        document, document_fits = self._documents.described(path, reading=self._reading)
        staging, staging_fits = self._stagings.described(self._staged(path), reading=self._reading)
        return delivered(document, staging, unknown=not (document_fits and staging_fits))

    def _forget(self, path: str, generation: int, secret: Material | None) -> None:
        def holds(version: str) -> bool:
            try:
                old = documents.parse(self._versions.read(path, version).data)
            except (Damaged, Opaque):
                return False
            return documents.holds(old, generation, secret)

        self._documents.deprecate(path, holds)
