"""`keysteward policy`: prints the policies that stores and targets need, to review and load."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Print the policies that stores and targets need.")


class Role(StrEnum):
    """Who a policy is for."""

    CONSUMER = "consumer"
    READER = "reader"
    RUNNER = "runner"


class TargetRole(StrEnum):
    """Who a policy at a target is for: a consumer needs none."""

    READER = "reader"
    RUNNER = "runner"


class AwsTarget(StrEnum):
    """The targets in AWS."""

    IAM = "iam"
    COGNITO = "cognito"
    API_GATEWAY = "api-gateway"


@app.callback()
def policies() -> None:
    """Print the policies that stores and targets need."""


@app.command("vault")
def vault(
    role: Annotated[Role, typer.Argument(help="An application; a preview (never a value); a run.")],
    *,
    path: Annotated[str, typer.Option(help='What is delivered: one path, or a pattern such as "apps/*".')],
    mount: Annotated[str, typer.Option(help="The KV version 2 engine.")] = "secret",
    staging: Annotated[str, typer.Option(help="The store's staging folder.")] = "keysteward/staged",
    ledgers: Annotated[str, typer.Option(help="The folder of the ledger store.")] = "keysteward",
) -> None:
    """Print the Vault policy of a consumer, reader or runner: keysteward policy vault reader --path "apps/*".

    Load it with: vault policy write NAME -

    Exit code 0: printed; 1: an error.
    """
    from keysteward.providers.vault.policy import policy  # noqa: PLC0415 - no other command needs Vault's client

    typer.echo(policy(role.value, delivered=path, mount=mount, staging=staging, ledgers=ledgers).rstrip())


@app.command("aws")
def aws(
    role: Annotated[Role, typer.Argument(help="An application; a preview (never a value); a run.")],
    *,
    path: Annotated[str, typer.Option(help='What is delivered: one path, or a pattern such as "apps/*".')],
    region: Annotated[str, typer.Option(help="Where secrets and table are.")],
    account: Annotated[str, typer.Option(help="The account's twelve digits.")],
    staging: Annotated[str, typer.Option(help="The store's staging folder.")] = "keysteward/staged",
    table: Annotated[str, typer.Option(help="The table of the ledger store.")] = "keysteward",
    partition: Annotated[str, typer.Option(help="The ledger store's partition of the table.")] = "keysteward",
    kms_key: Annotated[str | None, typer.Option(help="ARN of the key of the secrets, if they have one.")] = None,
) -> None:
    """Print the IAM policy of a consumer, reader or runner: keysteward policy aws reader --path "apps/*" ...

    Load it with: aws iam create-policy --policy-name NAME --policy-document file://NAME.json

    Exit code 0: printed; 1: an error.
    """
    from keysteward.providers.aws.policy import policy  # noqa: PLC0415 - no other command needs it

    printed = policy(
        role.value,
        delivered=path,
        region=region,
        account=account,
        staging=staging,
        table=table,
        partition=partition,
        kms_key=kms_key,
    )
    typer.echo(printed)


@app.command("aws-target")
def aws_target(
    role: Annotated[TargetRole, typer.Argument(help="A preview (never a write); a run.")],
    target: Annotated[AwsTarget, typer.Argument(help="Where keys or clients are.")],
    *,
    region: Annotated[str, typer.Option(help="Where the target is.")],
    account: Annotated[str, typer.Option(help="The account's twelve digits.")],
    users: Annotated[str, typer.Option(help='IAM: path and name of the users, such as "services/*".')] = "*",
    user_pool: Annotated[str | None, typer.Option(help="Cognito: the id of the pool.")] = None,
) -> None:
    """Print the IAM policy of a reader or runner at a target: keysteward policy aws-target runner iam ...

    Load it with: aws iam create-policy --policy-name NAME --policy-document file://NAME.json

    Exit code 0: printed; 1: an error.
    """
    from keysteward.providers.aws.target_policy import target_policy  # noqa: PLC0415 - no other command needs it

    printed = target_policy(role.value, target.value, account=account, region=region, users=users, user_pool=user_pool)
    typer.echo(printed)
