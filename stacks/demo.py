"""The demo: one API, its clients, and two API keys beside them, on the stand-ins that `make demo` starts."""

import os
from datetime import date

from keysteward import Allowed, ApiKey, Bootstrap, M2MClient, ResourceServer, RotationSchedule, Stack, Transitional
from keysteward.providers.aws import Iam
from keysteward.providers.keycloak import Keycloak
from keysteward.providers.vault import Vault
from keysteward.providers.workos import WorkOS

corp = Keycloak(
    "corp",
    url=os.environ.get("DEMO_KEYCLOAK_URL", "http://127.0.0.1:8080"),
    realm=os.environ.get("DEMO_REALM", "demo"),
    reader="env:DEMO_KEYCLOAK_READER",
    admin="env:DEMO_KEYCLOAK_ADMIN",
)
partners = WorkOS(
    "partners",
    url=os.environ.get("DEMO_WORKOS_URL", "http://127.0.0.1:4100"),
    authkit_domain=os.environ.get("DEMO_WORKOS_URL", "http://127.0.0.1:4100"),
    client_id="client_sandbox",
    organization=os.environ.get("DEMO_ORGANIZATION", "org_01JD5J3QX0DEM0000000000000"),
    admin="env:DEMO_WORKOS_ADMIN",
)
cloud = Iam(
    "cloud",
    region="eu-central-1",
    endpoint_url=os.environ.get("DEMO_AWS_URL", "http://127.0.0.1:4566"),
    users=("svc-*",),
    reader="env:DEMO_AWS_READER",
    admin="env:DEMO_AWS_ADMIN",
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
orders = ResourceServer(
    "orders-api",
    target=partners,
    audience="client_sandbox",
    scopes={"orders:read": "Read the status of orders"},
)
last_day = date.fromisoformat(os.environ.get("DEMO_LAST_DAY", "2027-12-31"))

stack = Stack(
    "acme/demo",
    owners="stacks/owners.yaml",
    ledgers=secrets.ledgers("keysteward"),
    allowed=[
        Allowed(
            ["keysteward-reader", "keysteward-runner"],
            target=corp,
            owner="team-platform",
            reason="keysteward's own access; set up with the realm",
            until=date.fromisoformat(os.environ.get("DEMO_LEFT_ALONE_UNTIL", "2027-03-31")),
        )
    ],
    declarations=[
        billing,
        orders,
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
        M2MClient(
            "partner-client",
            target=partners,
            owner="team-billing",
            environment="demo",
            purpose="Takes over from the partner's API key",
            consumer="partner-warehouse",
            access={orders: ["orders:read"]},
            rotation=RotationSchedule(every="90d", overlap="7d"),
            deliver_to=secrets.path("apps/partner-client"),
        ),
        ApiKey(
            "partner-orders",
            target=partners,
            holder=os.environ.get("DEMO_ORGANIZATION", "org_01JD5J3QX0DEM0000000000000"),
            owner="team-billing",
            environment="demo",
            purpose="Lets a partner's warehouse system read the status of orders",
            consumer="partner-warehouse",
            access={orders: ["orders:read"]},
            expires=last_day,
            classification=Transitional(migrate_to="partner-client", by=last_day),
            rotation=RotationSchedule(every="90d", overlap="7d"),
            deliver_to=secrets.path("apps/partner-orders"),
        ),
        ApiKey(
            "report-uploader",
            target=cloud,
            holder="svc-reports",
            owner="team-platform",
            environment="demo",
            purpose="Uploads monthly reports from a machine outside of AWS",
            consumer="reports",
            expires=last_day,
            classification=Bootstrap(exchanged_for="a role, once the machine has an identity of its own"),
            rotation=RotationSchedule(every="90d", overlap="7d"),
            deliver_to=secrets.path(
                "apps/report-uploader", fields={"key_id": "AWS_ACCESS_KEY_ID", "api_key": "AWS_SECRET_ACCESS_KEY"}
            ),
        ),
    ],
)
