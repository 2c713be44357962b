"""What a user writes, as a user writes it. This file is never run: it must pass `mypy --strict`."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import assert_type

from keysteward import (
    ClientSecret,
    Delivery,
    Limit,
    M2MClient,
    Owner,
    Owners,
    ResourceServer,
    RotationSchedule,
    Stack,
    Webhook,
    deploy,
)
from keysteward.core.findings import Finding, Kind, Severity
from keysteward.providers.aws import DynamoLedgers, SecretsManager
from keysteward.providers.keycloak import Keycloak
from keysteward.providers.local import LocalStore
from keysteward.providers.vault import Vault

corp = Keycloak(
    "corp",
    url="https://id.example.com",
    realm="prod",
    reader="env:KEYCLOAK_READER",
    admin="env:KEYCLOAK_ADMIN",
    environments=("production",),
)
secrets = Vault(
    "secrets",
    url="https://vault.example.com",
    mount="secret",
    reader="env:VAULT_READER",
    admin="env:VAULT_RUNNER",
)
files = LocalStore("files", root=Path("secrets"))
aws = SecretsManager(
    "aws",
    region="eu-central-1",
    reader="role:arn:aws:iam::123456789012:role/keysteward-reader",
    admin="role:arn:aws:iam::123456789012:role/keysteward-runner",
    kms_key="alias/credentials",
    recovery_days=7,
)

billing = ResourceServer(
    "billing-api",
    target=corp,
    audience="https://billing.example.com",
    scopes={"invoices:read": "Read invoices", "invoices:write": "Create invoices"},
)
exporter = M2MClient(
    "billing-exporter",
    target=corp,
    owner="team-billing",
    environment="production",
    purpose="Nightly invoice export to the warehouse",
    consumer="warehouse-etl",
    runbook="https://wiki.example.com/billing-exporter",
    reviewed=date(2026, 1, 31),
    access={billing: ["invoices:read"]},
    optional_access={billing: "invoices:write"},
    auth_method="private_key_jwt",
    token_lifetime="10m",
    rotation=RotationSchedule(every="90d", overlap=timedelta(days=7), windows=["Sun 02:00-04:00 Europe/Berlin"]),
    deliver_to=secrets.path("apps/billing-exporter"),
    previously="exporter",
)
mailer = M2MClient(
    "invoice-mailer",
    target=corp,
    owner="team-billing",
    purpose="Sends new invoices by mail",
    alternate_clients=True,
    expires=date(2027, 1, 1),
    rotation=RotationSchedule(every=timedelta(days=30), overlap="7d", windows="daily 22:00-02:00 UTC"),
    deliver_to=[secrets.path("apps/mailer", fields={"client_secret": "SECRET"}), files.path("mailer", take_over=True)],
    adopt="mailer",
    retire_adopted=True,
    previously=["mailer", "old-mailer"],
)
login = ClientSecret(
    "web-login",
    client="web",
    target=corp,
    owner="team-web",
    purpose="Login of the web shop",
    accept_gap=True,
    rotation=RotationSchedule(every="180d"),
    deliver_to=secrets.path("apps/web"),
    decommission=date(2026, 12, 1),
)


def no_key_longer_than_a_year(stack: Stack) -> list[Finding]:
    """Write a policy rule as a user does."""
    return [
        Finding(Kind.POLICY, Severity.ERROR, declared.name, "has no consumer", "name it")
        for declared in stack.credentials
        if declared.consumer is None
    ]


stack = Stack(
    "acme/prod",
    owners="owners.yaml",
    ledgers=secrets.ledgers("keysteward"),
    declarations=[billing, exporter, mailer, login],
    rules=[no_key_longer_than_a_year],
    limit=Limit(count=5, share=0.2),
)
other = Stack(
    "acme/test",
    owners=Owners(teams={"team-billing": Owner(contact="billing@example.com")}, people={}),
    ledgers=files.ledgers(),
    declarations=(billing,),
)
elsewhere = Stack("acme/aws", "owners.yaml", ledgers=aws.ledgers("credentials"), declarations=[billing])

for resource in deploy(stack).values():
    assert resource.urn

assert_type(secrets.path("apps/billing"), Delivery)
secrets.path("apps/billing", webhook=Webhook("https://billing.example.com/reload", key="env:RELOAD_KEY"))
assert_type(aws.path("apps/billing", take_over=True), Delivery)
assert_type(aws.ledgers(partition="acme"), DynamoLedgers)
assert_type(exporter.name, str)
assert_type(stack.identity, str)

wrong_method = M2MClient(
    "wrong",
    target=corp,
    owner="team",
    purpose="A method that nobody knows",
    rotation=RotationSchedule(every="90d"),
    deliver_to=secrets.path("apps/wrong"),
    auth_method="password",  # type: ignore[arg-type]
)
wrong_field = RotationSchedule(every="90d", overlapp="7d")  # type: ignore[call-arg]
wrong_owner = ResourceServer("wrong", target="corp", audience="a", scopes={"a": "A"})  # type: ignore[arg-type]
