"""The demo: one API, three clients, on the sandbox (or a real Keycloak) that `make demo` starts."""

import os

from keysteward import M2MClient, ResourceServer, RotationSchedule, Stack
from keysteward.providers.keycloak import Keycloak
from keysteward.providers.vault import Vault

corp = Keycloak(
    "corp",
    url=os.environ.get("DEMO_KEYCLOAK_URL", "http://127.0.0.1:8080"),
    realm=os.environ.get("DEMO_REALM", "demo"),
    reader="env:DEMO_KEYCLOAK_READER",
    admin="env:DEMO_KEYCLOAK_ADMIN",
)
secrets = Vault(
    "secrets",
    url=os.environ.get("DEMO_VAULT_URL", "http://127.0.0.1:8200"),
    mount="secret",
    reader="env:DEMO_VAULT_READER",
    admin="env:DEMO_VAULT_RUNNER",
)

billing = ResourceServer(
    "billing-api",
    target=corp,
    audience="https://billing.example.com",
    scopes={"invoices:read": "Read invoices", "invoices:write": "Create invoices"},
)

stack = Stack(
    "acme/demo",
    owners="stacks/owners.yaml",
    ledgers=secrets.ledgers("keysteward"),
    declarations=[
        billing,
        M2MClient(
            "billing-exporter",
            target=corp,
            owner="team-billing",
            environment="demo",
            purpose="Nightly invoice export to the warehouse",
            consumer="warehouse-etl",
            access={billing: ["invoices:read"]},
            auth_method="private_key_jwt",
            token_lifetime="10m",
            rotation=RotationSchedule(every="90d", overlap="7d"),
            deliver_to=secrets.path("apps/billing-exporter"),
        ),
        M2MClient(
            "invoice-mailer",
            target=corp,
            owner="team-billing",
            environment="demo",
            purpose="Sends new invoices by mail",
            consumer="mailer",
            access={billing: ["invoices:read"]},
            optional_access={billing: ["invoices:write"]},
            alternate_clients=True,
            token_lifetime="5m",
            rotation=RotationSchedule(every="90d", overlap="7d"),
            deliver_to=secrets.path("apps/invoice-mailer"),
        ),
    ],
)
