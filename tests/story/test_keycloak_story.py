"""The whole life of a client under every strategy, on the stand-in and on real servers, as its application sees it.

Time passes by making the ledgers older, since a real server's clock cannot be set.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from company import OWNERS
from keycloak_realms import administrator, as_master
from previews import previewed
from pydantic import SecretStr

from keysteward import ClientSecret, M2MClient, ResourceServer, RotationSchedule, Stack
from keysteward.cli.demo.application import Credential, get_token
from keysteward.cli.demo.place import Place
from keysteward.core.assess.examine import assess
from keysteward.core.assess.now import findings_now
from keysteward.core.contract.ports import Claim, Material
from keysteward.core.declare.credentials import Declaration
from keysteward.core.errors import AccessDenied, Conflict
from keysteward.core.findings import Finding, Kind, Severity
from keysteward.core.record.ledger import Ledger
from keysteward.core.record.requests import reissue, resume, rollback, suspend
from keysteward.host.material import new_material
from keysteward.operations.endings import allow_ending
from keysteward.operations.session import Session
from keysteward.providers.keycloak import Keycloak
from keysteward.providers.local import LocalStore
from keysteward.sandbox import KeycloakStandIn
from keysteward.testing.aging import age_ledgers

ROTATING = pytest.mark.real("keycloak-rotation")
EVERYWHERE = [
    "stand-in",
    "stand-in with rotation",
    pytest.param("real_keycloak", marks=pytest.mark.real("keycloak")),
    pytest.param("real_keycloak_rotation", marks=ROTATING),
]
SERVERS = [*EVERYWHERE[:3], pytest.param("real_keycloak_rotation", marks=[ROTATING, pytest.mark.proof])]
"""What only rotation changes is told on every server; the rest on the rotating one only among the proofs."""

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

    def client(self, name: str = "exporter", **fields: object) -> M2MClient:
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
            "deliver_to": self.store.path(f"apps/{name}"),
        }
        return M2MClient(name, **{**given, **fields})  # type: ignore[arg-type]

    def stack(self, *declared: Declaration) -> Stack:
        return Stack("acme/story", owners=OWNERS, ledgers=self.store.ledgers(), declarations=[self.server, *declared])

    def words(self, stack: Stack) -> str:
        session = Session(stack.identity, stack.ledgers, access="reader", specs=stack.specs)
        session.add_ports(stack.targets, stack.stores)
        plans = [session.servers.preview(name, spec).words for name, spec in stack.server_specs.items()]
        plans += [previewed(session.credentials, name, spec).words for name, spec in stack.specs.items()]
        plans += [previewed(session.credentials, name, None).words for name in session.snapshot.undeclared()]
        return "; ".join(words for words in plans if words)

    def up(self, stack: Stack) -> None:
        session = Session(stack.identity, stack.ledgers, access="runner", specs=stack.specs)
        session.add_ports(stack.targets, stack.stores)
        for name, server in stack.server_specs.items():
            session.servers.run(name, server)
        for name, spec in stack.specs.items():
            session.credentials.run(name, spec)
        for name in session.snapshot.undeclared():
            allow_ending(session, name)
            session.credentials.run(name, None)

    def ask(self, stack: Stack, change: Callable[[Ledger, Session], Ledger]) -> None:
        """Note a person's word, and let a run carry it out."""
        session = Session(stack.identity, stack.ledgers, access="runner", specs=stack.specs)
        session.add_ports(stack.targets, stack.stores)
        session.credentials.edit("acme/story/exporter", lambda ledger: change(ledger, session))
        self.up(stack)

    def findings(self, stack: Stack) -> list[Finding]:
        """Return what a look tells of the credentials now."""
        session = Session(stack.identity, stack.ledgers, access="reader", specs=stack.specs)
        session.add_ports(stack.targets, stack.stores)
        worlds = [session.snapshot.world(name, spec) for name, spec in stack.specs.items()]
        return [finding for world in worlds for finding in findings_now(world, assess(world))]

    def errors(self, stack: Stack) -> list[str]:
        return [f.message for f in self.findings(stack) if f.severity is Severity.ERROR]

    def found(self, client_id: str = "exporter") -> dict[str, Any]:
        [client] = as_master(self.url, "GET", f"{self.name}/clients", clientId=client_id).json()
        return dict(client)

    def write(self, remote_id: str, **fields: object) -> None:
        as_master(self.url, "PUT", f"{self.name}/clients/{remote_id}", {"attributes": {}, **fields})

    def declare_as_stock(self) -> None:
        """Say of the target that it rotates no secrets, whatever its server does."""
        self.rotation = False
        self.target = replace(self.target, secret_rotation=False)
        self.server = replace(self.server, target=self.target)

    def rotate_any_client(self) -> None:
        """Write a policy with the periods that Keycloak proposes, on every client of the realm."""
        periods = {"expiration-period": 2505600, "rotated-expiration-period": 172800, "remaining-rotation-period": 0}
        profile = {"name": "any", "executors": [{"executor": "secret-rotation", "configuration": periods}]}
        condition = {"condition": "any-client", "configuration": {}}
        policy = {"name": "any", "enabled": True, "conditions": [condition], "profiles": ["any"]}
        as_master(self.url, "PUT", f"{self.name}/client-policies/profiles", {"profiles": [profile]})
        as_master(self.url, "PUT", f"{self.name}/client-policies/policies", {"policies": [policy]})

    def reissue(self, stack: Stack) -> None:
        self.ask(stack, lambda ledger, session: reissue(ledger, "cleared with security", at=session.snapshot.at))

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
    empty_realm: Callable[[str], str],
) -> Realm:
    rotation = "rotation" in request.param
    real = request.param.startswith("real")
    url = request.getfixturevalue(request.param).url if real else stand_ins[rotation].url
    return Realm(url, empty_realm(url), rotation, tmp_path, monkeypatch)


@pytest.mark.parametrize("realm", EVERYWHERE, indirect=True)
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

    realm.reissue(stack)
    assert realm.works(realm.read(stack))
    assert realm.words(stack) == ""


@pytest.mark.parametrize("realm", SERVERS[2:3], indirect=True)
def test_an_adopted_client_is_left_only_for_one_that_has_its_roles(realm: Realm) -> None:
    """A second client has the scopes of the first, and nothing else of what somebody gave that one by hand."""
    client_id, _, secret = administrator(realm.url, realm.name, ["view-users"]).partition(":")
    old = Claim(client_id, Material("client_secret", SecretStr(secret), SecretStr(secret)))
    stack = realm.stack(realm.client(adopt=client_id, alternate_clients=True))

    def anew(ledger: Ledger, session: Session) -> Ledger:
        return reissue(ledger, "pasted into a chat", at=session.snapshot.at)

    realm.up(stack)
    realm.ask(stack, anew)
    realm.up(stack)
    assert realm.target.verify(old).good
    blocked = realm.store.ledgers().read("ledgers/acme/story/exporter").document
    assert blocked is not None
    roles = ("query-groups", "query-users", "view-users")
    assert blocked["blocked"]["reason"] == (
        f"client {client_id}-2 lacks what {client_id} has beyond its scopes: aud: realm-management, "
        + ", ".join(f"resource_access.realm-management.roles: {role}" for role in roles)
        + "; give it these at target corp"
    )
    assert "aud: realm-management" in realm.target.rights(blocked["objects"][0]["remote_id"])

    first = blocked["objects"][0]["remote_id"]
    as_master(realm.url, "PUT", f"{realm.name}/clients/{first}", {"clientAuthenticatorType": "client-jwt"})
    with pytest.raises(AccessDenied, match="give its service account the role view-users"):
        realm.target.rights(first)
    as_master(realm.url, "PUT", f"{realm.name}/clients/{first}", {"clientAuthenticatorType": "client-secret"})

    name = f"{client_id}-2"
    [second] = as_master(realm.url, "GET", f"{realm.name}/clients", clientId=name).json()
    [management] = as_master(realm.url, "GET", f"{realm.name}/clients", clientId="realm-management").json()
    role = as_master(realm.url, "GET", f"{realm.name}/clients/{management['id']}/roles/view-users").json()
    user = as_master(realm.url, "GET", f"{realm.name}/clients/{second['id']}/service-account-user").json()
    for owner in (f"users/{user['id']}/role-mappings", f"clients/{second['id']}/scope-mappings"):
        as_master(realm.url, "POST", f"{realm.name}/{owner}/clients/{management['id']}", [role])
    realm.ask(stack, anew)
    held = realm.read(stack)
    assert held.client_id == name
    assert realm.works(held)
    assert not realm.target.verify(old).good


def test_a_client_renamed_in_the_console_gets_its_client_id_back(realm: Realm) -> None:
    stack = realm.stack(realm.client(auth_method="private_key_jwt"))
    realm.up(stack)
    held, found = realm.read(stack), realm.found()
    realm.write(found["id"], clientId="exporter-old")
    assert not realm.works(held)
    assert "is called 'exporter-old' there now" in realm.errors(stack)[0]
    assert realm.words(stack) == "give client exporter-old its client_id exporter back"
    realm.up(stack)
    assert realm.found()["id"] == found["id"]
    assert realm.works(held)
    assert realm.words(stack) == ""
    assert realm.findings(stack) == []

    realm.write(found["id"], clientId="exporter-old")
    as_master(realm.url, "POST", f"{realm.name}/clients", {"clientId": "exporter"})
    with pytest.raises(Conflict, match="another client has its client_id"):
        realm.up(stack)
    as_master(realm.url, "DELETE", f"{realm.name}/clients/{realm.found()['id']}")
    realm.up(stack)
    assert realm.works(held)


@pytest.mark.parametrize("how", ["in its place", "before it", "for encryption", "without kid"])
def test_a_key_changed_by_hand_is_an_error_and_ours_is_put_back(realm: Realm, how: str) -> None:
    stack = realm.stack(realm.client(auth_method="private_key_jwt"))
    realm.up(stack)
    held, found = realm.read(stack), realm.found()
    [ours] = json.loads(found["attributes"]["jwks.string"])["keys"]
    theirs = {**(new_material("private_key_jwt").public_jwk or {}), "kid": ours["kid"]}
    another = dict(new_material("private_key_jwt").public_jwk or {})
    keys = {
        "in its place": [theirs],
        "before it": [theirs, ours],
        "for encryption": [{**ours, "use": "enc"}],
        "without kid": [{name: value for name, value in ours.items() if name != "kid"}],
    }
    realm.write(found["id"], attributes={"jwks.string": json.dumps({"keys": [*keys[how], another]})})
    assert not realm.works(held)
    [error] = realm.errors(stack)
    assert "the key of generation 1 was changed at client exporter" in error
    assert realm.words(stack) == "put the key of generation 1 back under its kid"
    realm.up(stack)
    assert realm.works(held)
    assert realm.words(stack) == ""
    assert realm.errors(stack) == []
    assert json.loads(realm.found()["attributes"]["jwks.string"])["keys"] == [another, ours]


@pytest.mark.usefixtures("no_waiting")
def test_keys_from_somebody_elses_address_give_way_to_ours_once_a_person_says_so(realm: Realm) -> None:
    stack = realm.stack(realm.client(auth_method="private_key_jwt"))
    realm.up(stack)
    url = {"use.jwks.string": "false", "use.jwks.url": "true", "jwks.url": "https://keys.example.com/jwks"}
    realm.write(realm.found()["id"], attributes=url)
    realm.up(stack)
    assert "generation 1 ended without a step of ours" in realm.errors(stack)[0]
    realm.reissue(stack)
    held = realm.read(stack)
    assert held.generation == 2
    assert realm.works(held)
    assert realm.found()["attributes"].get("use.jwks.url", "false") == "false"
    assert realm.words(stack) == ""
    assert realm.findings(stack) == []

    realm.write(realm.found()["id"], attributes=url)
    realm.pass_time(days=90)
    realm.up(stack)
    realm.up(stack)
    assert "ended without a step of ours" in realm.errors(stack)[0], "it never ends in silence"


@pytest.mark.parametrize("realm", EVERYWHERE[1::2], indirect=True)
def test_a_realm_that_rotates_any_client_leads_to_no_circle_when_it_is_declared_as_stock(realm: Realm) -> None:
    """One of Keycloak's next versions will do so by default."""
    if not realm.rotation:
        pytest.skip("the server has no client-secret-rotation")
    realm.declare_as_stock()
    stack = realm.stack(realm.client(accept_gap=True), realm.client("keeper", auth_method="private_key_jwt"))
    realm.up(stack)
    assert realm.findings(stack) == []
    realm.rotate_any_client()
    realm.reissue(stack)
    second = realm.read(stack)
    assert second.generation == 2, "the policy has not touched the client yet"
    assert realm.works(second)
    assert [(f.kind, f.severity) for f in realm.findings(stack)] == [(Kind.MISDECLARED, Severity.ERROR)]

    as_master(realm.url, "POST", f"{realm.name}/clients/{realm.found()['id']}/client-secret")
    assert realm.works(second), "it is in the rotated slot now"
    assert realm.words(stack).count("rotate to generation") == 1
    realm.up(stack)
    third = realm.read(stack)
    assert third.generation == 3
    assert realm.works(third)
    assert not realm.works(second)
    assert realm.words(stack) == ""
    assert {f.kind for f in realm.findings(stack)} == {Kind.MISDECLARED}
    realm.write(realm.found("keeper")["id"], description="by hand")
    realm.up(stack)
    assert realm.words(stack) == ""


def test_an_adopted_client_that_somebody_hardened_stays_as_it_was_made(realm: Realm) -> None:
    body = {
        "clientId": "exporter",
        "secret": "by-hand",
        "serviceAccountsEnabled": True,
        "standardFlowEnabled": True,
        "implicitFlowEnabled": True,
        "directAccessGrantsEnabled": True,
        "fullScopeAllowed": True,
        "redirectUris": ["https://old.example.com/*", "https://app.example.com/cb"],
        "webOrigins": ["*"],
        "attributes": {"access.token.lifespan": "3600", "client_credentials.use_refresh_token": "true"},
    }
    as_master(realm.url, "POST", f"{realm.name}/clients", body)
    taken = realm.client(adopt="exporter", accept_gap=True, retire_adopted=True, token_lifetime=None)
    stack = realm.stack(taken)
    realm.up(stack)
    realm.up(stack)
    assert realm.words(stack) == ""
    before = realm.found()
    assert before["fullScopeAllowed"] is True

    scopes = as_master(realm.url, "GET", f"{realm.name}/client-scopes").json()
    profile = next(scope["id"] for scope in scopes if scope["name"] == "profile")
    as_master(realm.url, "DELETE", f"{realm.name}/clients/{before['id']}/default-client-scopes/{profile}")
    hard = {
        "standardFlowEnabled": False,
        "implicitFlowEnabled": False,
        "directAccessGrantsEnabled": False,
        "fullScopeAllowed": False,
        "consentRequired": True,
        "redirectUris": ["https://app.example.com/cb"],
        "webOrigins": ["https://app.example.com"],
    }
    attributes = {"access.token.lifespan": "120", "client_credentials.use_refresh_token": "false"}
    realm.write(before["id"], **hard, attributes=attributes)
    assert not [f for f in realm.findings(stack) if f.kind is Kind.CHANGED]
    for days in (0, 91, 91):
        realm.pass_time(days=days)
        realm.up(stack)
        now = realm.found()
        assert {name: now[name] for name in hard} == hard
        assert now["attributes"]["access.token.lifespan"] == "120"
        assert now["attributes"].get("client_credentials.use_refresh_token", "false") == "false"
        assert "profile" not in now["defaultClientScopes"]
        assert realm.words(stack) == ""

    realm.write(before["id"], fullScopeAllowed=True, directAccessGrantsEnabled=True)
    [changed] = [f for f in realm.findings(stack) if f.kind is Kind.CHANGED]
    assert "fullScopeAllowed" in changed.message
    realm.up(stack)
    now = realm.found()
    assert (now["fullScopeAllowed"], now["directAccessGrantsEnabled"]) == (False, False)
