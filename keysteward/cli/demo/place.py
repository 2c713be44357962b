"""Where the demo runs: an identity provider, a secret store, their administrators, and a way to let time pass."""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import requests

from keysteward.providers.vault import Vault
from keysteward.providers.vault.policy import policy
from keysteward.sandbox import Sandbox, VaultStandIn, WorkOSStandIn
from keysteward.sandbox.aws import AwsStandIn
from keysteward.sandbox.clock import Clock
from keysteward.sandbox.keycloak_server import KeycloakServer
from keysteward.sandbox.sandbox import DEMO_ORGANIZATION
from keysteward.testing.aging import age_ledgers

REALM = "demo"
MASTER = ("sandbox-admin", "sandbox-admin-secret")
ROOT_TOKEN = "sandbox-root"  # noqa: S105 - the stand-in's well-known token, on loopback
STACK = "acme/demo"
TIMEOUT_SECONDS = 60

AWS_ADMIN, AWS_READER = ("AKIADEMOADMIN0000000", "demo-admin"), ("AKIADEMOREADER000000", "demo-reader")
AWS_READS = frozenset({"iam:ListUsers", "iam:GetUser", "iam:ListAccessKeys", "iam:GetAccessKeyLastUsed"})
AWS_REGION = "eu-central-1"
AWS_USER = "svc-reports"
KEYS_LIVE = timedelta(days=600)
"""How long the demo's API keys are declared for, from today on."""

LEFT_ALONE = timedelta(days=90)
"""How long keysteward's own clients are left alone; the entry is approved anew as time passes."""

LEFT_ALONE_UNTIL = "DEMO_LEFT_ALONE_UNTIL"

RUNNER_ROLES = ("manage-clients",)
READER_ROLES = ("view-clients",)


@dataclass
class Place:
    """A started demo world. `environment` is what both doors need; `consumer_token` is the application's own.

    `vault` is the store itself, for a look at its calls. `clock_moves` says that time passes for all of it; else the
    ledgers become older.
    """

    title: str
    keycloak_url: str
    vault_url: str
    pass_time: Callable[[timedelta], None]
    vault: VaultStandIn | None = None
    workos_url: str = ""
    workos_key: str = ""
    aws_url: str = ""
    realm: str = REALM
    environment: dict[str, str] = field(default_factory=dict)
    consumer_token: str = ""
    clock_moves: bool = True

    @property
    def issuer(self) -> str:
        """Return the issuer of the realm's tokens."""
        return f"{self.keycloak_url}/realms/{self.realm}"


@contextmanager
def on_sandbox() -> Iterator[Place]:
    """Start both stand-ins; their clock is set."""
    with Sandbox() as sandbox, _aws(sandbox.clock) as aws:
        place = Place("the sandbox", sandbox.keycloak.url, sandbox.vault.url, sandbox.clock.advance, sandbox.vault)
        _prepare(place, sandbox.workos, aws)
        yield place


@contextmanager
def on_keycloak(tell: Callable[[str], None]) -> Iterator[Place]:
    """Start a real Keycloak and the Vault stand-in; time passes by making the ledgers older."""
    with (
        KeycloakServer(admin_client_id=MASTER[0], admin_client_secret=MASTER[1], progress=tell) as server,
        VaultStandIn() as vault,
        WorkOSStandIn() as workos,
        _aws(Clock()) as aws,
    ):
        workos.add_organization("Demo", id=DEMO_ORGANIZATION)
        place = Place(f"Keycloak {server.version}", server.url, vault.url, lambda _by: None, vault)
        _as_master(place, "POST", "", {"realm": REALM, "enabled": True})
        _prepare(place, workos, aws)
        ledgers = Vault("secrets", url=vault.url, admin="env:DEMO_VAULT_RUNNER").ledgers("keysteward")
        place.pass_time, place.clock_moves = (lambda by: _age(place, ledgers, by)), False
        yield place


def keys_at_provider(place: Place, client_id: str) -> set[str]:
    """Return the `kid` of every key that the identity provider takes for a client, as its administrator sees it."""
    client = _as_master(place, "GET", f"/{place.realm}/clients", clientId=client_id).json()[0]
    return {str(key["kid"]) for key in json.loads(client["attributes"]["jwks.string"])["keys"]}


def _age(place: Place, ledgers: Any, by: timedelta) -> None:  # noqa: ANN401 - the ledger store of the demo
    import os  # noqa: PLC0415 - only here does this process act with the runner's credential

    os.environ["DEMO_VAULT_RUNNER"] = place.environment["DEMO_VAULT_RUNNER"]
    age_ledgers(ledgers, STACK, by)


@contextmanager
def _aws(clock: Clock) -> Iterator[AwsStandIn]:
    """Start moto's server, with the stand-in for what it lacks in front of it, and one IAM user."""
    import boto3  # noqa: PLC0415 - an extra that only this and AWS's adapters need
    from moto.server import ThreadedMotoServer  # noqa: PLC0415 - a development dependency

    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # moto's server prints each call otherwise
    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    try:
        host, port = moto.get_host_and_port()
        administrators = frozenset({AWS_ADMIN[0], AWS_READER[0]})
        with AwsStandIn(behind=f"http://{host}:{port}", administrators=administrators, clock=clock) as stand_in:
            stand_in.rights[AWS_READER[0]] = AWS_READS
            iam = boto3.client(
                "iam",
                region_name=AWS_REGION,
                endpoint_url=stand_in.url,
                aws_access_key_id=AWS_ADMIN[0],
                aws_secret_access_key=AWS_ADMIN[1],
            )
            iam.create_user(UserName=AWS_USER)
            yield stand_in
    finally:
        moto.stop()


def _prepare(place: Place, workos: WorkOSStandIn, aws: AwsStandIn) -> None:
    """Make the administrators: a reader and a runner at each server, and the consumer's right to its own path."""
    place.workos_url, place.workos_key, place.aws_url = workos.url, workos.api_key, aws.url
    place.environment = {
        "DEMO_WORKOS_URL": workos.url,
        "DEMO_WORKOS_ADMIN": workos.api_key,
        "DEMO_ORGANIZATION": DEMO_ORGANIZATION,
        "DEMO_AWS_URL": aws.url,
        "DEMO_AWS_ADMIN": ":".join(AWS_ADMIN),
        "DEMO_AWS_READER": ":".join(AWS_READER),
        LEFT_ALONE_UNTIL: f"{datetime.now(UTC) + LEFT_ALONE:%Y-%m-%d}",
        "DEMO_LAST_DAY": f"{datetime.now(UTC) + KEYS_LIVE:%Y-%m-%d}",
        "DEMO_KEYCLOAK_URL": place.keycloak_url,
        "DEMO_VAULT_URL": place.vault_url,
        "DEMO_REALM": REALM,
        "DEMO_KEYCLOAK_READER": _administrator(place, "keysteward-reader", READER_ROLES),
        "DEMO_KEYCLOAK_ADMIN": _administrator(place, "keysteward-runner", RUNNER_ROLES),
        "DEMO_VAULT_READER": _vault_token(place, "reader", policy("reader", delivered="apps/*")),
        "DEMO_VAULT_RUNNER": _vault_token(place, "runner", policy("runner", delivered="apps/*")),
    }
    place.consumer_token = _vault_token(place, "consumer", policy("consumer", delivered="apps/*"))


def _as_master(place: Place, method: str, path: str, document: object = None, **params: str) -> requests.Response:
    form = {"grant_type": "client_credentials", "client_id": MASTER[0], "client_secret": MASTER[1]}
    url = f"{place.keycloak_url}/realms/master/protocol/openid-connect/token"
    token = requests.post(url, data=form, timeout=TIMEOUT_SECONDS).json()["access_token"]
    answer = requests.request(
        method,
        f"{place.keycloak_url}/admin/realms{path}",
        json=document,
        params=params,
        headers={"Authorization": f"Bearer {token}"},
        timeout=TIMEOUT_SECONDS,
    )
    answer.raise_for_status()
    return answer


def make_client(place: Place, client_id: str) -> None:
    """Make a client as somebody would at the console: with a secret, a service account and every scope."""
    body = {
        "clientId": client_id,
        "publicClient": False,
        "serviceAccountsEnabled": True,
        "standardFlowEnabled": False,
        "fullScopeAllowed": True,
    }
    _as_master(place, "POST", f"/{REALM}/clients", body)


def _administrator(place: Place, client_id: str, roles: tuple[str, ...]) -> str:
    """Make a service account with some roles of `realm-management`; returns "client_id:secret"."""
    secret = secrets.token_urlsafe(16)
    body = {
        "clientId": client_id,
        "secret": secret,
        "publicClient": False,
        "serviceAccountsEnabled": True,
        "standardFlowEnabled": False,
        "fullScopeAllowed": True,
    }
    base = f"/{REALM}"
    made = _as_master(place, "POST", f"{base}/clients", body).headers["Location"].rpartition("/")[2]
    user = _as_master(place, "GET", f"{base}/clients/{made}/service-account-user").json()["id"]
    management = _as_master(place, "GET", f"{base}/clients", clientId="realm-management").json()[0]["id"]
    known = _as_master(place, "GET", f"{base}/clients/{management}/roles").json()
    chosen = [role for role in known if role["name"] in roles]
    _as_master(place, "POST", f"{base}/users/{user}/role-mappings/clients/{management}", chosen)
    return f"{client_id}:{secret}"


def _vault_token(place: Place, name: str, text: str) -> str:
    """Make a token that may do what one of the shipped policies says, and nothing else."""
    headers = {"X-Vault-Token": ROOT_TOKEN}
    url = f"{place.vault_url}/v1/sys/policies/acl/keysteward-{name}"
    requests.put(url, json={"policy": text}, headers=headers, timeout=TIMEOUT_SECONDS).raise_for_status()
    made = requests.post(
        f"{place.vault_url}/v1/auth/token/create",
        json={"policies": [f"keysteward-{name}"], "ttl": "8760h"},
        headers=headers,
        timeout=TIMEOUT_SECONDS,
    )
    made.raise_for_status()
    return str(made.json()["auth"]["client_token"])
