"""A realm that others filled is imported, adopted and left as it is: on the stand-in, and on a real Keycloak."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm
from keycloak_realms import MASTER_ID, MASTER_SECRET, administrator, as_master
from samples import sampled
from typer.testing import CliRunner

from keysteward.cli.main import app
from keysteward.providers.keycloak.admin import PAGE_SIZE
from keysteward.sandbox import KeycloakStandIn

MARKS = {"keysteward.identity", "keysteward.nonce"}
FEW = 5
STACK = """import os

from keysteward import Stack
from keysteward.modules.catalog import catalog
from keysteward.providers.keycloak import Keycloak
from keysteward.providers.local import LocalStore

corp = Keycloak("corp", url=os.environ["IMPORT_URL"], realm=os.environ["IMPORT_REALM"],
                reader="env:IMPORT_READER", admin="env:IMPORT_ADMIN")
local = LocalStore("local", root="store", key="age.key")
stack = Stack("acme/prod", owners="stacks/owners.yaml", ledgers=local.ledgers(),
              declarations=[*catalog("stacks/prod", targets=[corp], stores=[local])])
"""
ODD_TEXTS = (
    "",
    "Nightly invoice export",
    "<script>alert(1)</script> & \"quotes\" 'and' \\ more",
    "first line\nsecond: line\n- *third",
    "\u202ereversed and \u00fcml\u00e4ut \u65e5\u672c\u8a9e",
    "x" * 255,
    "=HYPERLINK(1); DROP TABLE clients",
)
ODD_IDS = ("caf\u00e9 {0}", "\u65e5\u672c-{0}", "{0} with spaces", "=cmd-{0}", "yes.{0}", "UPPER_{0}", "a/b/{0}")


def public_key() -> str:
    key = json.loads(RSAAlgorithm.to_jwk(rsa.generate_private_key(65537, 2048).public_key()))
    return json.dumps({"keys": [{**key, "kid": "theirs", "use": "sig", "alg": "RS256"}]})


def bodies(count: int) -> Iterator[dict[str, Any]]:
    """Yield clients as administrators make them: of every kind, with odd texts and flows."""
    jwks = public_key()
    for number in range(count):
        client: dict[str, Any] = {
            "clientId": f"team-{number % 7}-job-{number}",
            "description": ODD_TEXTS[number % len(ODD_TEXTS)],
            "publicClient": False,
            "standardFlowEnabled": False,
            "serviceAccountsEnabled": True,
            "secret": f"value-{number}",
        }
        match number % 10:
            case 1:
                client |= {"defaultClientScopes": ["invoices:read", "email"], "fullScopeAllowed": False}
                client |= {"optionalClientScopes": ["invoices:write"], "attributes": {"access.token.lifespan": "600"}}
            case 2:
                client |= {"standardFlowEnabled": True, "serviceAccountsEnabled": False}
                client |= {"redirectUris": [f"https://{number}.example.com/*"], "webOrigins": ["+"]}
            case 3:
                client |= {"publicClient": True, "standardFlowEnabled": True, "serviceAccountsEnabled": False}
            case 4:
                client |= {"clientAuthenticatorType": "client-jwt"}
                client |= {"attributes": {"use.jwks.string": "true", "jwks.string": jwks}}
            case 5:
                client |= {"enabled": False, "attributes": {"access.token.lifespan": "7200"}}
            case 6:
                client |= {"directAccessGrantsEnabled": True}
            case 7:
                client |= {"bearerOnly": True, "serviceAccountsEnabled": False}
            case 8:
                client |= {"attributes": {"standard.token.exchange.enabled": "true", "team": "payments"}}
            case 9:
                client |= {"clientId": ODD_IDS[number % len(ODD_IDS)].format(number)}
        yield client


@dataclass
class Realm:
    """One realm with what others made, and a project that declares nothing yet."""

    url: str
    name: str

    def fill(self, count: int) -> None:
        with requests.Session() as session:
            for number, body in enumerate(bodies(count)):
                if number % 40 == 0:  # an administrator's token lives a minute
                    form = {"grant_type": "client_credentials", "client_id": MASTER_ID, "client_secret": MASTER_SECRET}
                    token = f"{self.url}/realms/master/protocol/openid-connect/token"
                    login = session.post(token, data=form, timeout=60).json()["access_token"]
                    session.headers["Authorization"] = f"Bearer {login}"
                made = session.post(f"{self.url}/admin/realms/{self.name}/clients", json=body, timeout=60)
                assert made.status_code == 201, made.text

    def add_scopes(self) -> None:
        for name, audience in (
            ("invoices:read", "https://billing.example.com"),
            ("invoices:write", "https://billing.example.com"),
        ):
            mapper = {
                "name": "billing audience",
                "protocol": "openid-connect",
                "protocolMapper": "oidc-audience-mapper",
                "config": {"included.custom.audience": audience, "access.token.claim": "true"},
            }
            body = {
                "name": name,
                "protocol": "openid-connect",
                "description": f"May {name}",
                "attributes": {"display.on.consent.screen": "true", "include.in.token.scope": "true", "gui.order": "3"},
                "protocolMappers": [mapper],
            }
            as_master(self.url, "POST", f"{self.name}/client-scopes", body)

    def clients(self) -> dict[str, dict[str, Any]]:
        """Return every client as the server shows it, whole."""
        found: dict[str, dict[str, Any]] = {}
        while True:
            page = as_master(self.url, "GET", f"{self.name}/clients", first=str(len(found)), max="100").json()
            found.update((client["id"], settled(client)) for client in page)
            if len(page) < 100:
                return found

    def scopes(self) -> dict[str, dict[str, Any]]:
        return {
            scope["id"]: settled(scope) for scope in as_master(self.url, "GET", f"{self.name}/client-scopes").json()
        }


def settled(value: Any) -> Any:  # noqa: ANN401 - JSON
    """Return a representation with its lists in one order: a real server shows them in another each time."""
    if isinstance(value, dict):
        return {key: settled(item) for key, item in value.items()}
    if isinstance(value, list):
        return sorted((settled(item) for item in value), key=lambda item: json.dumps(item, sort_keys=True))
    return value


def run(*words: str) -> str:
    """Run a command as a new process would; returns what it printed."""
    for name in [n for n in sys.modules if n == "stacks" or n.startswith("stacks.")]:
        del sys.modules[name]
    done = CliRunner().invoke(app, words)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.fixture(scope="module")
def stand_in() -> Iterator[KeycloakStandIn]:
    with KeycloakStandIn() as running:
        yield running


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Realm], Path]:
    def begin(realm: Realm) -> Path:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
        for name in [n for n in sys.modules if n == "stacks" or n.startswith("stacks.")]:
            monkeypatch.delitem(sys.modules, name)
        monkeypatch.setenv("IMPORT_URL", realm.url)
        monkeypatch.setenv("IMPORT_REALM", realm.name)
        monkeypatch.setenv("IMPORT_ADMIN", administrator(realm.url, realm.name, ["manage-clients"]))
        monkeypatch.setenv("IMPORT_READER", administrator(realm.url, realm.name, ["view-clients"]))
        (tmp_path / "stacks" / "prod").mkdir(parents=True)
        (tmp_path / "stacks" / "__init__.py").touch()
        (tmp_path / "stacks" / "prod.py").write_text(STACK, encoding="utf-8")
        owners = "teams:\n  team-billing: {contact: billing@example.com}\n"
        (tmp_path / "stacks" / "owners.yaml").write_text(owners, encoding="utf-8")
        return tmp_path

    return begin


def plain(attributes: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in attributes.items() if name not in MARKS}


def without_marks(found: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {each: {**shown, "attributes": plain(shown.get("attributes") or {})} for each, shown in found.items()}


def marked(found: dict[str, dict[str, Any]], name: str) -> set[str]:
    return {shown[name] for shown in found.values() if (shown.get("attributes") or {}).keys() >= MARKS}


def adopt(realm: Realm, count: int, others: int = 0) -> None:
    """Import, preview, run twice: everything at the server stays as it was, but for our two attributes."""
    before, scopes_before = realm.clients(), realm.scopes()
    by_team = json.loads(run("import", "corp", "--group-by", "attribute:team", "--dry-run", "--json"))
    assert {Path(file["path"]).name: file["entries"] for file in by_team["files"]} == {
        "other.yaml": 7 * count // 10,
        "payments.yaml": count // 10,
        "resource-servers.yaml": 1,
    }
    told = json.loads(run("import", "corp", "--json"))
    assert realm.clients() == before, "an import writes nothing"
    kinds = count // 10
    assert told["counts"] == {"resource_servers": 1, "m2m_clients": 6 * kinds, "client_secrets": 2 * kinds}
    why = [item["why"] for item in told["skipped"]]
    assert why.count("has no secret (public, bearer-only or SAML)") == 2 * kinds + others
    assert why.count("is what keysteward itself logs in with") == 2

    preview = json.loads(run("preview", "--json"))
    planned = [*preview["credentials"], *preview["resource_servers"]]
    assert len(planned) == 8 * kinds + 1
    for item in planned:
        assert {part.split()[0] for part in item["words"].split("; ")} <= {"adopt", "mark"}, item["words"]
    run("up", "--yes", "--parallel", "8")
    after, scopes_after = realm.clients(), realm.scopes()
    assert without_marks(after) == before
    assert without_marks(scopes_after) == without_marks(scopes_before)
    assert marked(scopes_after, "name") == {"invoices:read", "invoices:write"}
    assert len(marked(after, "clientId")) == 6 * kinds
    assert not marked(after, "clientId") & {c["clientId"] for c in before.values() if c.get("standardFlowEnabled")}

    run("up", "--yes")
    run("preview", "--expect-no-changes")
    assert realm.clients() == after
    assert realm.scopes() == scopes_after


@pytest.mark.timeout(1200)
def test_a_realm_that_others_filled_is_adopted_and_left_as_it_is(
    stand_in: KeycloakStandIn, project: Callable[[Realm], Path], fresh_realm: Callable[..., str]
) -> None:
    realm = Realm(stand_in.url, fresh_realm(stand_in.url))
    project(realm)
    realm.add_scopes()
    realm.fill(60)
    adopt(realm, 60)


@pytest.mark.timeout(1200)
def test_an_import_of_800_clients_costs_their_pages_and_few_calls(
    stand_in: KeycloakStandIn, project: Callable[[Realm], Path], fresh_realm: Callable[..., str]
) -> None:
    realm = Realm(stand_in.url, fresh_realm(stand_in.url))
    root = project(realm)
    realm.add_scopes()
    realm.fill(800)
    shown = len(realm.clients())
    before = len(stand_in.calls)
    told = json.loads(run("import", "corp", "--json"))
    calls = [f"{call.method} {call.path}" for call in stand_in.calls[before:]]
    pages = math.ceil((shown + 1) / PAGE_SIZE)  # a last page that is full is followed by an empty one
    assert len(calls) <= pages + FEW, calls
    assert sum(told["counts"].values()) == 641
    assert len(list((root / "stacks" / "prod" / "imported").glob("*.yaml"))) == len(told["files"])


@pytest.mark.real("keycloak")
@pytest.mark.timeout(2400)
@pytest.mark.parametrize("count", sampled((40, 300), [40]))
def test_a_real_keycloak_with_many_clients_keeps_them_as_they_are(
    count: int, project: Callable[[Realm], Path], fresh_realm: Callable[..., str], request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue("real_keycloak").url
    realm = Realm(url, fresh_realm(url))
    project(realm)
    realm.add_scopes()
    as_master(url, "POST", f"{realm.name}/clients", {"clientId": "wiki-saml", "protocol": "saml"})
    realm.fill(count)
    adopt(realm, count, others=1)
