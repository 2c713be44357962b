"""What others made at WorkOS and in AWS is imported and adopted, and stays as it is."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import requests
from aws_account import Account
from typer.testing import CliRunner

from keysteward.cli.main import app
from keysteward.core.contract.ports import Target
from keysteward.providers.local import LocalStore
from keysteward.providers.workos import WorkOS
from keysteward.sandbox import Sandbox

CUSTOMER = "org_01JD5J3QX0DEM0000000000000"
STACK = """from imported_world import local, target

from keysteward import Stack
from keysteward.modules.catalog import catalog

stack = Stack("acme/prod", owners="stacks/owners.yaml", ledgers=local.ledgers(),
              declarations=[*catalog("stacks/prod", targets=[target], stores=[local])])
"""


@pytest.fixture
def begin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Target], None]:
    """Begin a project that declares nothing yet at one target."""

    def make(target: Target) -> None:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
        world = ModuleType("imported_world")
        world.target = target  # type: ignore[attr-defined]
        world.local = LocalStore("local", root=tmp_path / "store", key=tmp_path / "age.key")  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "imported_world", world)
        (tmp_path / "stacks" / "prod").mkdir(parents=True)
        (tmp_path / "stacks" / "__init__.py").touch()
        (tmp_path / "stacks" / "prod.py").write_text(STACK, encoding="utf-8")
        owners = "teams:\n  team-billing: {contact: billing@example.com}\n"
        (tmp_path / "stacks" / "owners.yaml").write_text(owners, encoding="utf-8")

    return make


def run(*words: str) -> str:
    for name in [n for n in sys.modules if n == "stacks" or n.startswith("stacks.")]:
        del sys.modules[name]
    done = CliRunner().invoke(app, words)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.stdout


def adopt(target: str, look: Callable[[], Mapping[str, Any]]) -> Mapping[str, Any]:
    """Import, preview and run twice; returns what was told. What `look` sees stays as it is."""
    before = look()
    told: Mapping[str, Any] = json.loads(run("import", target, "--json"))
    preview = json.loads(run("preview", "--json"))
    for item in [*preview["credentials"], *preview["resource_servers"]]:
        assert {part.split()[0] for part in item["words"].split("; ")} <= {"adopt", "mark"}, item["words"]
    run("up", "--yes")
    assert look() == before
    run("up", "--yes")
    run("preview", "--expect-no-changes")
    assert look() == before
    return told


def test_applications_and_keys_at_workos(begin: Callable[[Target], None], monkeypatch: pytest.MonkeyPatch) -> None:
    with Sandbox() as sandbox:
        stand_in = sandbox.workos
        monkeypatch.setenv("WORKOS_ADMIN", stand_in.api_key)
        headers = {"Authorization": f"Bearer {stand_in.api_key}"}

        def call(method: str, path: str, **body: Any) -> Any:  # noqa: ANN401 - JSON
            answer = requests.request(method, stand_in.url + path, json=body or None, headers=headers, timeout=30)
            assert answer.ok, answer.text
            return answer.json()

        call("POST", "/authorization/permissions", slug="orders:read", name="Read orders", description="May read")
        made = call(
            "POST",
            "/connect/applications",
            application_type="m2m",
            name="Warehouse sync",
            description="Reads orders at night",
            organization_id=CUSTOMER,
            scopes=["orders:read"],
        )
        call("POST", f"/connect/applications/{made['id']}/client_secrets")
        call("POST", f"/organizations/{CUSTOMER}/api_keys", name="Partner key", permissions=["orders:read"])

        def look() -> Mapping[str, Any]:
            shown = call("GET", f"/connect/applications/{made['id']}")
            keys = call("GET", f"/organizations/{CUSTOMER}/api_keys")["data"]
            permission = call("GET", "/authorization/permissions/orders:read")
            moving = {"updated_at", "last_used_at", "description", "name"}
            kept = {name: value for name, value in shown.items() if name not in moving}
            return {
                "application": kept,
                "purpose": str(shown["description"]).partition(" [")[0],
                "secrets": [s["id"] for s in call("GET", f"/connect/applications/{made['id']}/client_secrets")],
                "keys": [(key["id"], key["name"], key["permissions"]) for key in keys],
                "permission": (permission["slug"], permission["name"]),
            }

        begin(
            WorkOS(
                "customers",
                url=stand_in.url,
                authkit_domain=stand_in.url,
                client_id=stand_in.client_id,
                admin="env:WORKOS_ADMIN",
            )
        )
        told = adopt("customers", look)
        assert {(e["section"], e["name"]) for e in told["entries"]} == {
            ("resource_servers", stand_in.client_id),
            ("m2m_clients", "Warehouse-sync"),
            ("api_keys", "Partner-key"),
        }


def test_clients_of_a_user_pool(begin: Callable[[Target], None], aws_account: Account) -> None:
    cognito, pool = aws_account.client("cognito-idp"), aws_account.pool()
    audience = "https://billing.example.com"
    scope = {"ScopeName": "read", "ScopeDescription": "Read invoices"}
    cognito.create_resource_server(UserPoolId=pool, Identifier=audience, Name="billing", Scopes=[scope])
    machine = {
        "GenerateSecret": True,
        "AllowedOAuthFlows": ["client_credentials"],
        "AllowedOAuthScopes": [f"{audience}/read"],
        "AllowedOAuthFlowsUserPoolClient": True,
        "ExplicitAuthFlows": ["ALLOW_REFRESH_TOKEN_AUTH"],  # by default users may sign in through it
    }
    ids = [
        cognito.create_user_pool_client(UserPoolId=pool, ClientName=name, **machine)["UserPoolClient"]["ClientId"]
        for name in ("exporter", "importer")
    ]
    web = cognito.create_user_pool_client(
        UserPoolId=pool,
        ClientName="shop",
        GenerateSecret=True,
        AllowedOAuthFlows=["code"],
        AllowedOAuthScopes=["openid"],
        AllowedOAuthFlowsUserPoolClient=True,
        CallbackURLs=["https://shop.example.com/cb"],
    )["UserPoolClient"]["ClientId"]

    def look() -> Mapping[str, Any]:
        shown = {}
        for each in (*ids, web):
            client = cognito.describe_user_pool_client(UserPoolId=pool, ClientId=each)["UserPoolClient"]
            shown[each] = {k: v for k, v in client.items() if k not in {"ClientName", "LastModifiedDate"}}
        return shown

    begin(aws_account.cognito(pool))
    told = adopt("pool", look)
    assert told["counts"] == {"resource_servers": 1, "m2m_clients": 2, "client_secrets": 1}
    assert {e["name"] for e in told["entries"]} == {"billing.example.com", "exporter", "importer", "shop"}


def test_access_keys_of_users(begin: Callable[[Target], None], aws_account: Account) -> None:
    iam = aws_account.client("iam")
    users = [aws_account.user(f"svc-import-{n}") for n in (1, 2)]
    keys = {user: iam.create_access_key(UserName=user)["AccessKey"]["AccessKeyId"] for user in users}

    def look() -> Mapping[str, Any]:
        return {
            user: [(k["AccessKeyId"], k["Status"]) for k in iam.list_access_keys(UserName=user)["AccessKeyMetadata"]]
            for user in users
        }

    begin(aws_account.iam(users=("svc-import-*",)))
    told = adopt("accounts", look)
    assert told["counts"] == {"api_keys": 2}
    assert {e["id"] for e in told["entries"]} == set(keys.values())
