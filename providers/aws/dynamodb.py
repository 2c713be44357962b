"""A ledger store in one DynamoDB table.

Each ledger is one item: partition key `ledgers` (the store's `partition`), sort key `key` (the ledger's), `document`
(JSON text) and `version`. So what begins with a prefix is one `Query` of one partition, in pages of 1 MB, whoever else
uses the table, and IAM can keep a stack to its partition (`dynamodb:LeadingKeys`). Reads are strongly consistent; a
write has a condition on `version` and is sent once.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final, Self

from keysteward.core.contract.ports import Check, Descriptor, Stored
from keysteward.core.errors import (
    AccessDenied,
    Damaged,
    DeclarationError,
    NotFound,
    Rejected,
    Unavailable,
    VersionConflict,
)
from keysteward.host.json_text import json_text
from keysteward.host.transport import server_date
from keysteward.providers.aws.connection import AwsClient, Connection
from keysteward.providers.aws.diagnosis import diagnose_ledgers
from keysteward.providers.aws.table import DOCUMENT, PARTITION, SERVICE, SORT, VERSION, create_table
from keysteward.providers.kit.pages import Pages

ITEM_BYTES: Final = 400 * 1024
"""Largest item, attribute names included (DynamoDB Developer Guide, service quotas)."""

_NUMBER_BYTES: Final = 21  # at most, whatever the number
_TABLE: Final = re.compile(r"[A-Za-z0-9_.-]{3,255}")


class DynamoLedgers:
    """Ledgers as items of a table that is there already; `keysteward doctor` prints the command that makes it.

    `admin` and `reader` are references as `keysteward.providers.aws.connection.AwsClient` takes them. Stacks may share
    a table, and a `partition` too: their ledgers carry the stack's identity in their keys.
    """

    def __init__(
        self,
        name: str,
        *,
        region: str,
        table: str = "keysteward",
        partition: str = "keysteward",
        admin: str | None = None,
        reader: str | None = None,
        endpoint_url: str | None = None,
    ) -> None:
        if not _TABLE.fullmatch(table):
            raise DeclarationError(f"{name}: table is {table!r}; DynamoDB takes 3 to 255 letters, digits, _, . and -")
        if not partition:
            raise DeclarationError(f"{name}: partition is empty; give the ledgers of this store a name")
        self.name = name
        self.table = table
        self.partition = partition
        self._connection = Connection(name, region, endpoint_url)
        self._admin = AwsClient(self._connection, admin, field="admin", access="runner")
        self._reader = self._admin
        if reader is not None:
            self._reader = AwsClient(self._connection, reader, field="reader", access="reader")
        self._reading = False

    def __repr__(self) -> str:
        return f"DynamoLedgers({self.name!r}, region={self._connection.region!r}, table={self.table!r})"

    @property
    def descriptor(self) -> Descriptor:
        """How to make this ledger store again."""
        settings: dict[str, Any] = {**self._connection.settings, "table": self.table, "partition": self.partition}
        if self._admin.reference is not None:
            settings["admin"] = self._admin.reference
        if self._reader is not self._admin:
            settings["reader"] = self._reader.reference
        return Descriptor("keysteward.providers.aws:DynamoLedgers", settings)

    def as_reader(self) -> Self:
        """Return the same ledger store with the reader's credential."""
        reader = copy.copy(self)
        reader._reading = True  # noqa: SLF001 - a copy of ourselves
        return reader

    def now(self) -> datetime:
        """Return the time in the Date header of a read, to the second."""
        answer = self._get("clock")
        now = server_date(answer["ResponseMetadata"]["HTTPHeaders"].get("date", ""))
        if now is None:
            raise Unavailable(f"{self.name}: the answer says no time: something between here and DynamoDB removes Date")
        return now

    def read(self, key: str) -> Stored:
        """Read one document by `GetItem`."""
        item = self._get(key).get("Item")
        return Stored(None, 0) if item is None else self._stored(key, item)

    def write(self, key: str, document: Mapping[str, Any], expected: int) -> int:
        """Write one document by `PutItem` on condition that its version is still `expected`."""
        if self._reading:
            raise AccessDenied(f"{self.name}: a reader may not write ledgers; use the runner", operation="write")
        text = json_text(document)
        version = expected + 1
        item = {**self._key(key), DOCUMENT: {"S": text}, VERSION: {"N": str(version)}}
        self._check_size(key, text)
        condition: dict[str, Any] = {"ConditionExpression": "attribute_not_exists(#v)"}
        if expected:
            values = {":expected": {"N": str(expected)}}
            condition = {"ConditionExpression": "#v = :expected", "ExpressionAttributeValues": values}
        lost = VersionConflict(f"{self.name}: {key} was written by another run: read it again")
        self._client.write(
            SERVICE,
            "PutItem",
            self._on,
            {"TableName": self.table, "Item": item, "ExpressionAttributeNames": {"#v": VERSION}, **condition},
            told={"ConditionalCheckFailedException": lost, **self._missing},
        )
        return version

    def list(self, prefix: str) -> Mapping[str, Stored]:
        """Read all documents whose key begins with a prefix: `Query`, page by page."""
        names, values = {"#p": PARTITION}, {":p": {"S": self.partition}}
        condition = "#p = :p"
        if prefix:
            names["#s"], values[":s"] = SORT, {"S": prefix}
            condition += " AND begins_with(#s, :s)"
        query: dict[str, Any] = {
            "TableName": self.table,
            "ConsistentRead": True,
            "KeyConditionExpression": condition,
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": values,
        }
        found: dict[str, Stored] = {}
        pages = Pages(self.name, "dynamodb:Query")
        while True:
            answer = self._client.read(SERVICE, "Query", self._on, query, told=self._missing)
            for item in answer["Items"]:
                key = item[SORT]["S"]
                found[key] = self._stored(key, item)
            if not answer.get("LastEvaluatedKey"):
                return found
            pages.turn(json.dumps(answer["LastEvaluatedKey"], sort_keys=True, default=str))
            query["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def diagnose(self) -> Iterable[Check]:
        """Say whether the table is there and as it must be, and whether the rights are neither less nor more."""
        return diagnose_ledgers(self._client, self.table, self.partition, reading=self._reading)

    @property
    def _client(self) -> AwsClient:
        return self._reader if self._reading else self._admin

    @property
    def _on(self) -> str:
        return f"table {self.table}"

    @property
    def _missing(self) -> dict[str, NotFound]:
        command = create_table(self.table, self._connection.region)
        return {"ResourceNotFoundException": NotFound(f"{self.name}: there is no {self._on}: {command}")}

    def _key(self, key: str) -> dict[str, Any]:
        return {PARTITION: {"S": self.partition}, SORT: {"S": key}}

    def _get(self, key: str) -> dict[str, Any]:
        query = {"TableName": self.table, "Key": self._key(key), "ConsistentRead": True}
        return self._client.read(SERVICE, "GetItem", self._on, query, told=self._missing)

    def _stored(self, key: str, item: Mapping[str, Any]) -> Stored:
        try:
            document = json.loads(item[DOCUMENT]["S"])
            return Stored(document, int(item[VERSION]["N"]))
        except (KeyError, ValueError, TypeError, RecursionError, Unavailable):
            pass
        raise Damaged(f"{self.name}: the item {key} in {self._on} is no ledger: restore it from a backup")

    def _check_size(self, key: str, text: str) -> None:
        parts = (PARTITION, self.partition, SORT, key, DOCUMENT, text, VERSION)
        size = sum(len(part.encode()) for part in parts) + _NUMBER_BYTES
        if size > ITEM_BYTES:
            raise Rejected(
                f"{self.name}: {key} has {size} bytes, and an item of DynamoDB holds {ITEM_BYTES}: keep ledgers of "
                "this size elsewhere"
            )
