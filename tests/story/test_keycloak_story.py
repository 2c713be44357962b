"""The whole life of a client under every strategy, on the stand-in and on real servers, as its application sees it.

Time passes by making the ledgers older, since a real server's clock cannot be set.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
import requests
from company import OWNERS
from keycloak_realms import administrator, as_master

from keysteward import ClientSecret, M2MClient, ResourceServer, RotationSchedule, Stack
from keysteward.cli.demo.application import Credential, get_token
from keysteward.cli.demo.place import Place
from keysteward.core.handles import reissue, resume, rollback, suspend
from keysteward.core.ledger import Ledger
from keysteward.core.models import Declaration
from keysteward.providers.keycloak import Keycloak
from keysteward.providers.local import LocalStore
from keysteward.providers.session import Session
from keysteward.sandbox import KeycloakStandIn
from keysteward.testing.aging import age_ledgers

SERVERS = [
    "stand-in",
    "stand-in with rotation",
    pytest.param("real_keycloak", marks=pytest.mark.real("keycloak")),
    pytest.param("real_keycloak_rotation", marks=pytest.mark.real("keycloak-rotation")),
]
CHOICES: dict[str, dict[str, object]] = {
    "key pairs": {"auth_method": "private_key_jwt"},
    "two clients in turn": {"alternate_clients": True},
    "gap or native overlap": {"accept_gap": True},
}


@dataclass
class Realm:
    """A realm of its own on one server, and what is declared on it."""

    url: str
    name: str
    rotation: bool
    folder: Path
    patch: pytest.MonkeyPatch

    def __post_init__(self) -> None:
        roles = ["manage-clients", *(["manage-realm"] if self.rotation else [])]
        self.patch.setenv("STORY_ADMIN", administrator(self.url, self.name, roles))
        self.patch.setenv("STORY_READER", administrator(self.url, self.name, ["view-clients"]))
        self.target = Keycloak(
            "corp",
            url=self.url,
            realm=self.name,
            reader="env:STORY_READER",
            admin="env:STORY_ADMIN",
            secret_rotation=self.rotation,
        )
        self.store = LocalStore("local", root=self.folder / "store", key=self.folder / "age.key")
        self.server = ResourceServer(
            "billing-api",
            target=self.target,
            audience="https://billing.example.com",
            scopes={"invoices:read": "Read", "invoices:write": "Write"},
        )

    @property
    def place(self) -> Place:
        return Place(self.name, self.url, "", lambda _by: None, realm=self.name)

    def client(self, **fields: object) -> M2MClient:
        native = self.rotation and fields.get("accept_gap")
        gap = bool(fields.get("accept_gap")) and not native
        given: dict[str, object] = {
            "target": self.target,
            "owner": "team-billing",
            "environment": "test",
            "purpose": "Invoices",
            "access": {self.server: ["invoices:read"]},
            "optional_access": {self.server: ["invoices:write"]},
            "token_lifetime": "10m",
            "rotation": RotationSchedule(every="90d", overlap="0s" if gap else "7d"),
            "deliver_to": self.store.path("apps/exporter"),
        }
        return M2MClient("exporter", **{**given, **fields})  # type: ignore[arg-type]

    def stack(self, *declared: Declaration) -> Stack:
        return Stack("acme/story", owners=OWNERS, ledgers=self.store.ledgers(), declarations=[self.server, *declared])

    def words(self, stack: Stack) -> str:
        session = Session(stack.identity, stack.ledgers, access="reader", specs=stack.specs)
        session.add_ports(stack.targets, stack.stores)
        plans = [session.servers.preview(name, spec).words for name, spec in stack.server_specs.items()]
        plans += [session.credentials.preview(name, spec).words for name, spec in stack.specs.items()]
        plans += [session.credentials.preview(name, None).words for name in session.snapshot.undeclared()]
        return "; ".join(words for words in plans if words)

    def up(self, stack: Stack) -> None:
        session = Session(stack.identity, stack.ledgers, access="runner", specs=stack.specs)
        session.add_ports(stack.targets, stack.stores)
        for name, server in stack.server_specs.items():
            session.servers.run(name, server)
        for name, spec in stack.specs.items():
            session.credentials.run(name, spec)
        for name in session.snapshot.undeclared():
            session.allow_ending(name)
            session.credentials.run(name, None)

    def ask(self, stack: Stack, change: Callable[[Ledger, Session], Ledger]) -> None:
        """Note a person's word, and let a run carry it out."""
        session = Session(stack.identity, stack.ledgers, access="runner", specs=stack.specs)
        session.add_ports(stack.targets, stack.stores)
        session.credentials.edit("acme/story/exporter", lambda ledger: change(ledger, session))
        self.up(stack)

    def pass_time(self, **by: float) -> None:
        age_ledgers(self.store.ledgers(), "acme/story", timedelta(**by))

    def read(self, stack: Stack, path: str = "apps/exporter") -> Credential:
        held = self.store.delivered([path])[path].current
        assert held is not None
        material = self.store.read(path, held.generation)
        assert material is not None
        ledger = self.store.ledgers().read(f"ledgers/acme/story/{path.rpartition('/')[2]}").document
        assert ledger is not None
        generation = next(g for g in ledger["generations"] if g["number"] == held.generation)
        client_id = next(o["client_id"] for o in ledger["objects"] if o["key"] == generation["object"])
        value = material.value.get_secret_value()
        key = material.method == "private_key_jwt"
        url = f"{self.place.issuer}/protocol/openid-connect/token"
        assert stack.identity == "acme/story"
        return Credential(held.generation, client_id, url, None if key else value, value if key else None)

    def works(self, held: Credential) -> bool:
        return get_token(self.place, held).claims is not None


@pytest.fixture(scope="module")
def stand_ins() -> Iterator[dict[bool, KeycloakStandIn]]:
    with KeycloakStandIn() as stock, KeycloakStandIn(secret_rotation=True) as rotating:
        yield {False: stock, True: rotating}


@pytest.fixture(params=SERVERS)
def realm(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    stand_ins: dict[bool, KeycloakStandIn],
    fresh_realm: Callable[..., str],
) -> Realm:
    rotation = "rotation" in request.param
    real = request.param.startswith("real")
    url = request.getfixturevalue(request.param).url if real else stand_ins[rotation].url
    return Realm(url, fresh_realm(url), rotation, tmp_path, monkeypatch)


@pytest.mark.parametrize("choice", CHOICES)
def test_a_client_is_created_rotated_with_overlap_and_deleted(realm: Realm, choice: str) -> None:
    stack = realm.stack(realm.client(**CHOICES[choice]))
    realm.up(stack)
    assert realm.words(stack) == ""
    first = realm.read(stack)
    answer = get_token(realm.place, first)
    assert answer.claims is not None
    assert answer.claims["exp"] - answer.claims["iat"] == 600
    assert "invoices:write" not in answer.claims["scope"]

    realm.pass_time(days=90)
    assert "rotate to generation 2" in realm.words(stack)
    realm.up(stack)
    assert realm.words(stack) == ""
    second = realm.read(stack)
    assert (first.generation, second.generation) == (1, 2)
    assert realm.works(second)
    overlap = choice != "gap or native overlap" or realm.rotation
    assert realm.works(first) is overlap

    realm.pass_time(days=8)
    realm.up(stack)
    assert realm.words(stack) == ""
    assert realm.works(second)
    assert not realm.works(first)

    realm.pass_time(days=90)
    realm.up(stack)
    third = realm.read(stack)
    assert realm.works(third)
    assert realm.works(second) is overlap

    realm.up(realm.stack())
    assert not realm.works(third)
    assert realm.words(realm.stack()) == ""
    clients = as_master(realm.url, "GET", f"{realm.name}/clients").json()
    assert not [c for c in clients if c["clientId"].startswith("exporter")]


@pytest.mark.parametrize("choice", CHOICES)
def test_a_rollback_gives_the_old_secret_back_and_the_new_one_its_overlap(realm: Realm, choice: str) -> None:
    if choice == "gap or native overlap" and not realm.rotation:
        pytest.skip("with a gap nothing is left to go back to")
    stack = realm.stack(realm.client(**CHOICES[choice]))
    realm.up(stack)
    first = realm.read(stack)
    realm.pass_time(days=90)
    realm.up(stack)
    second = realm.read(stack)

    realm.ask(stack, lambda ledger, session: rollback(ledger, session.runner, session.snapshot.at))
    assert realm.read(stack) == first
    assert realm.works(first)
    assert realm.works(second)
    assert realm.words(stack) == ""
    realm.pass_time(days=8)
    realm.up(stack)
    assert realm.works(first)
    assert not realm.works(second)
    realm.up(stack)
    assert realm.words(stack) == ""

    realm.pass_time(days=90)
    realm.up(stack)
    third = realm.read(stack)
    assert third.generation == 3
    assert realm.works(third)


@pytest.mark.parametrize("choice", CHOICES)
def test_suspended_no_token_is_given_and_resumed_the_same_secret_works(realm: Realm, choice: str) -> None:
    stack = realm.stack(realm.client(**CHOICES[choice]))
    realm.up(stack)
    first = realm.read(stack)
    realm.ask(stack, lambda ledger, session: suspend(ledger, session.snapshot.at, "odd traffic"))
    assert not realm.works(first)
    realm.pass_time(days=90)
    realm.up(stack)
    assert realm.words(stack) == "", "nothing is rotated meanwhile"
    realm.ask(stack, lambda ledger, _session: resume(ledger))
    assert realm.works(realm.read(stack))


def test_drift_of_scopes_flows_and_lifetime_is_mended(realm: Realm) -> None:
    stack = realm.stack(realm.client(auth_method="private_key_jwt"))
    realm.up(stack)
    [found] = as_master(realm.url, "GET", f"{realm.name}/clients", clientId="exporter").json()
    found["standardFlowEnabled"], found["fullScopeAllowed"] = True, True
    found["redirectUris"] = ["https://evil.example.com/*"]
    found["attributes"]["access.token.lifespan"] = "86400"
    as_master(realm.url, "PUT", f"{realm.name}/clients/{found['id']}", found)
    scopes = as_master(realm.url, "GET", f"{realm.name}/client-scopes").json()
    writes = next(s["id"] for s in scopes if s["name"] == "invoices:write")
    base = f"{realm.name}/clients/{found['id']}"
    as_master(realm.url, "DELETE", f"{base}/optional-client-scopes/{writes}")
    as_master(realm.url, "PUT", f"{base}/default-client-scopes/{writes}")

    words = realm.words(stack)
    for part in ("scopes -invoices:write", "optional scopes +invoices:write", "grants -authorization_code"):
        assert part in words
    assert "token lifetime 86400 -> 600" in words
    realm.up(stack)
    assert realm.words(stack) == ""
    assert realm.works(realm.read(stack))
    [mended] = as_master(realm.url, "GET", f"{realm.name}/clients", clientId="exporter").json()
    assert mended["standardFlowEnabled"] is False


def test_a_dropped_scope_is_deleted_when_its_last_client_gave_it_up(realm: Realm) -> None:
    stack = realm.stack(realm.client(auth_method="private_key_jwt"))
    realm.up(stack)
    realm.server = ResourceServer(
        "billing-api", target=realm.target, audience="https://billing.example.com", scopes={"invoices:read": "Read"}
    )
    stack = realm.stack(realm.client(auth_method="private_key_jwt", optional_access={}))
    words = realm.words(stack)
    assert "note scope invoices:write as dropped" in words
    realm.up(stack)
    realm.up(stack)
    names = {s["name"] for s in as_master(realm.url, "GET", f"{realm.name}/client-scopes").json()}
    assert "invoices:read" in names
    assert "invoices:write" not in names
    assert realm.words(stack) == ""


def test_the_secret_of_a_web_login_client_is_rotated_and_nothing_else_touched(realm: Realm) -> None:
    body = {"clientId": "web", "secret": "by-hand", "publicClient": False, "redirectUris": ["https://w.example.com/*"]}
    as_master(realm.url, "POST", f"{realm.name}/clients", body)
    gap = not realm.rotation
    declared = ClientSecret(
        "web",
        client="web",
        target=realm.target,
        owner="team-billing",
        environment="test",
        purpose="Login",
        rotation=RotationSchedule(every="90d", overlap="0s" if gap else "7d"),
        accept_gap=gap,
        retire_adopted=gap,
        deliver_to=realm.store.path("apps/web"),
    )
    stack = realm.stack(declared)
    realm.up(stack)
    [before] = as_master(realm.url, "GET", f"{realm.name}/clients", clientId="web").json()
    assert before["secret"] == "by-hand"
    realm.pass_time(days=90)
    realm.up(stack)
    [after] = as_master(realm.url, "GET", f"{realm.name}/clients", clientId="web").json()
    held = realm.read(stack, "apps/web")
    assert after["secret"] == held.secret != "by-hand"
    for name in ("redirectUris", "standardFlowEnabled", "serviceAccountsEnabled", "defaultClientScopes"):
        assert after[name] == before[name]
    assert "keysteward.identity" not in after["attributes"]
    url = f"{realm.place.issuer}/protocol/openid-connect/token"
    old = requests.post(url, data={"grant_type": "client_credentials"}, auth=("web", "by-hand"), timeout=30).json()
    assert ("service account" in old["error_description"].lower()) is realm.rotation


def test_a_change_of_method_moves_to_a_second_client_or_switches_in_place(realm: Realm) -> None:
    realm.up(realm.stack(realm.client(accept_gap=True)))
    first = realm.read(realm.stack())
    moved = realm.stack(realm.client(auth_method="private_key_jwt", client_id="exporter-2"))
    realm.up(moved)
    second = realm.read(moved)
    assert (second.client_id, second.secret) == ("exporter-2", None)
    assert realm.works(first)
    assert realm.works(second)
    realm.pass_time(days=8)
    realm.up(moved)
    assert not realm.works(first)
    assert realm.works(second)
    assert realm.words(moved) == ""

    rotation = RotationSchedule(every="90d")
    switched = realm.stack(realm.client(accept_gap=True, client_id="exporter-2", rotation=rotation))
    realm.up(switched)
    third = realm.read(switched)
    assert (third.client_id, third.private_jwk) == ("exporter-2", None)
    assert realm.works(third)
    assert not realm.works(second)
    realm.up(switched)
    assert realm.words(switched) == ""


@pytest.mark.usefixtures("no_waiting")
def test_a_secret_ended_in_the_console_is_reported_and_reissued_on_request(realm: Realm) -> None:
    stack = realm.stack(realm.client(auth_method="private_key_jwt"))
    realm.up(stack)
    first = realm.read(stack)
    [found] = as_master(realm.url, "GET", f"{realm.name}/clients", clientId="exporter").json()
    as_master(realm.url, "PUT", f"{realm.name}/clients/{found['id']}", {"attributes": {"jwks.string": '{"keys":[]}'}})
    assert realm.words(stack) == "check whether generation 1 still works"
    realm.up(stack)
    assert realm.words(stack) == ""
    assert not realm.works(first)

    session = Session(stack.identity, stack.ledgers, access="runner", specs=stack.specs)
    session.add_ports(stack.targets, stack.stores)
    at = session.snapshot.at
    session.credentials.edit("acme/story/exporter", lambda ledger: reissue(ledger, "cleared with security", at=at))
    realm.up(stack)
    assert realm.works(realm.read(stack))
    assert realm.words(stack) == ""
