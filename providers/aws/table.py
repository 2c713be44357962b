"""The shape of the DynamoDB table for ledgers, and the command that makes it."""

from __future__ import annotations

from typing import Final

SERVICE: Final = "dynamodb"

PARTITION: Final = "ledgers"
SORT: Final = "key"
DOCUMENT: Final = "document"
VERSION: Final = "version"


def create_table(table: str, region: str) -> str:
    """Return the AWS CLI command that makes the table: pay per request, encrypted by DynamoDB as always."""
    return (
        f"aws dynamodb create-table --region {region} --table-name {table} --billing-mode PAY_PER_REQUEST "
        f"--attribute-definitions AttributeName={PARTITION},AttributeType=S AttributeName={SORT},AttributeType=S "
        f"--key-schema AttributeName={PARTITION},KeyType=HASH AttributeName={SORT},KeyType=RANGE"
    )


def keep_backups(table: str, region: str) -> str:
    """Return the AWS CLI command that turns point-in-time recovery on."""
    return (
        f"aws dynamodb update-continuous-backups --region {region} --table-name {table} "
        "--point-in-time-recovery-specification PointInTimeRecoveryEnabled=true"
    )
