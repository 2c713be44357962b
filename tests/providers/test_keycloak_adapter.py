"""What is Keycloak's own, beside the contract: secrets in two slots, keys in one text, rights, policies, cost.

Tests with `keycloak` run on the stand-in and on the real server; those with `stand_in` need faults or a call log.
"""

from __future__ import annotations

import copy
import json
import logging
import pickle
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from keycloak_realms import MASTER, administrator, as_master

from keysteward.core.contract.observed import Mark, ObservedObject, ObservedSecret, Settings
from keysteward.core.contract.ports import Action, Claim, Created, Material, ObjectRef, Order, Proof, ScopeWant
from keysteward.core.errors import (
    AccessDenied,
    Conflict,
    DeclarationError,
    KeystewardError,
    NotFound,
    OutcomeUnknown,
    Rejected,
    Unavailable,
)
from keysteward.host.material import fingerprinter, new_material
from keysteward.providers.keycloak import Keycloak
from keysteward.providers.keycloak.admin import PAGE_SIZE
from keysteward.providers.keycloak.jwks import read_keys, with_key, without_key
from keysteward.providers.keycloak.models import Client
from keysteward.providers.keycloak.rotation import POLICY, PROFILE
from keysteward.sandbox.faults import Fault
from keysteward.sandbox.keycloak import KeycloakStandIn
from keysteward.sandbox.keycloak_server import KeycloakServer

FINGERPRINT = fingerprinter(b"k" * 32, "k1")
MARK = Mark("acme/prod/billing-exporter", "nonce-1")
PLAIN = Settings("client_secret", description="Nightly invoice export")

STOCK = (
    pytest.param("stand-in", id="stand-in"),
    pytest.param("real", id="26.7.5", marks=pytest.mark.real("keycloak")),
)
ROTATING = (
    pytest.param("stand-in", id="stand-in-rotation"),
    pytest.param("real", id="26.7.5-rotation", marks=pytest.mark.real("keycloak-rotation")),
)


@dataclass
class World:
    """One realm with its target and shortcuts."""

    target: Keycloak
    url: str
    realm: str

    def client_id(self) -> str:
        return f"exporter-{uuid.uuid4().hex[:8]}"

    def create(self, want: Settings = PLAIN, material: Material | None = None) -> tuple[Created, Material]:
        chosen = material or new_material(want.method)
        return self.target.create(self.client_id(), want, MARK, chosen), chosen

    def raw(self, remote_id: str) -> dict[str, Any]:
        document: dict[str, Any] = self.admin("GET", f"clients/{remote_id}").json()
        return document

    def put(self, remote_id: str, **fields: object) -> None:
        self.admin("PUT", f"clients/{remote_id}", fields)

    def admin(self, method: str, path: str, document: object = None) -> Any:  # noqa: ANN401 - a response
        return as_master(self.url, method, f"{self.realm}/{path}", document)

    def look(self, made: Created) -> ObservedObject:
        found = self.target.look(ObjectRef(made.client_id, made.remote_id), FINGERPRINT)
        assert found is not None
        return found

    def good(self, made: Created, material: Material) -> bool:
        return self.target.verify(Claim(made.client_id, material)).good


def world_of(
    server: KeycloakStandIn | KeycloakServer, realm: str, monkeypatch: pytest.MonkeyPatch, **settings: object
) -> World:
    monkeypatch.setenv("KEYCLOAK_ADMIN", MASTER)
    chosen: dict[str, Any] = {"admin": "env:KEYCLOAK_ADMIN", **settings}
    return World(Keycloak("corp", url=server.url, realm=realm, **chosen), server.url, realm)


@pytest.fixture(scope="module", params=STOCK)
def stock(request: pytest.FixtureRequest) -> Iterator[KeycloakStandIn | KeycloakServer]:
    if request.param == "real":
        yield request.getfixturevalue("real_keycloak")
        return
    with KeycloakStandIn() as stand_in:
        yield stand_in


@pytest.fixture(scope="module", params=ROTATING)
def rotating(request: pytest.FixtureRequest) -> Iterator[KeycloakStandIn | KeycloakServer]:
    if request.param == "real":
        yield request.getfixturevalue("real_keycloak_rotation")
        return
    with KeycloakStandIn(secret_rotation=True) as stand_in:
        yield stand_in


@pytest.fixture(scope="module")
def stock_realm(stock: KeycloakStandIn | KeycloakServer, fresh_realm: Callable[..., str]) -> str:
    return "demo" if isinstance(stock, KeycloakStandIn) else fresh_realm(stock.url)


@pytest.fixture(scope="module")
def rotating_realm(rotating: KeycloakStandIn | KeycloakServer, fresh_realm: Callable[..., str]) -> str:
    return "demo" if isinstance(rotating, KeycloakStandIn) else fresh_realm(rotating.url)


@pytest.fixture
def keycloak(stock: KeycloakStandIn | KeycloakServer, stock_realm: str, monkeypatch: pytest.MonkeyPatch) -> World:
    return world_of(stock, stock_realm, monkeypatch)


@pytest.fixture
def native(rotating: KeycloakStandIn | KeycloakServer, rotating_realm: str, monkeypatch: pytest.MonkeyPatch) -> World:
    return world_of(rotating, rotating_realm, monkeypatch, secret_rotation=True)


@pytest.fixture
def stand_in() -> Iterator[KeycloakStandIn]:
    with KeycloakStandIn() as running:
        yield running


@pytest.fixture
def sandbox(stand_in: KeycloakStandIn, monkeypatch: pytest.MonkeyPatch) -> World:
    return world_of(stand_in, "demo", monkeypatch)


# The declaration


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"url": "id.example.com"}, "url must be the server's address"),
        ({"url": "https://id.example.com?realm=prod"}, "url must be the server's address"),
        ({"url": "https://user:pass@id.example.com"}, "url must not hold a credential"),
        ({"realm": ""}, "realm must be"),
        ({"admin": "client:s3cret"}, "admin must be a reference"),
        ({"reader": "client:s3cret"}, "reader must be a reference"),
    ],
)
def test_a_wrong_declaration_is_one_sentence_before_any_call(settings: dict[str, Any], sentence: str) -> None:
    good = {"url": "https://id.example.com", "realm": "prod", "admin": "env:KEYCLOAK_ADMIN"}
    with pytest.raises(DeclarationError, match=sentence) as caught:
        Keycloak("corp", **{**good, **settings})
    assert "s3cret" not in str(caught.value)


def test_a_target_is_made_again_from_its_descriptor() -> None:
    target = Keycloak(
        "corp",
        url="https://id.example.com/auth/",
        realm="prod",
        admin="env:A",
        reader="file:/run/reader",
        secret_rotation=True,
        environments=("prod",),
        ca="/etc/ca.pem",
    )
    again = Keycloak(**json.loads(json.dumps(dict(target.descriptor.settings))))
    assert again == target
    assert again.descriptor == target.descriptor
    assert again.token_url == "https://id.example.com/auth/realms/prod/protocol/openid-connect/token"


def test_the_rotation_feature_is_what_makes_two_slots() -> None:
    stock = Keycloak("corp", url="https://id.example.com", realm="prod", admin="env:A")
    assert (stock.capabilities.secrets, stock.capabilities.native_slot) == (1, False)
    rotating = replace(stock, secret_rotation=True)
    assert (rotating.capabilities.secrets, rotating.capabilities.native_slot) == (2, True)
    assert rotating.capabilities.longest_overlap == timedelta(days=365)


@contextmanager
def _later(seconds: float, work: Callable[[], None]) -> Iterator[None]:
    timer = threading.Timer(seconds, work)
    timer.start()
    yield
    timer.join()


# Observation


def test_a_client_that_keycloak_named_by_a_uuid_is_known_by_its_own_name() -> None:
    """As where clients register themselves; elsewhere the client_id is what people say."""
    for client_id, label in ((str(uuid.uuid4()), "Partner portal"), ("portal", "")):
        told = Client.model_validate({"id": "1", "clientId": client_id, "name": "Partner portal"})
        assert told.observed(None).label == label


def test_a_browser_client_shows_its_grants_and_public_clients_have_no_secret(keycloak: World) -> None:
    made, _ = keycloak.create()
    keycloak.put(
        made.remote_id,
        standardFlowEnabled=True,
        directAccessGrantsEnabled=True,
        fullScopeAllowed=True,
        attributes={"oauth2.device.authorization.grant.enabled": "true", "standard.token.exchange.enabled": "true"},
    )
    observed = keycloak.target.observe(FINGERPRINT)
    settings = observed.by_id[made.remote_id].settings
    assert settings.grants == {
        "client_credentials",
        "authorization_code",
        "password",
        "urn:ietf:params:oauth:grant-type:device_code",
        "urn:ietf:params:oauth:grant-type:token-exchange",
    }
    assert settings.safeguards["fullScopeAllowed"] == "true"
    console = observed.by_client_id["security-admin-console"]
    assert (console.settings.method, console.secrets, console.mark) == ("none", (), None)
    keycloak.target.update(made.remote_id, replace(PLAIN, safeguards=keycloak.target.capabilities.safeguards), None)
    assert keycloak.look(made).settings == replace(PLAIN, safeguards=keycloak.target.capabilities.safeguards)


def test_scopes_that_the_server_assigns_itself_are_no_drift_and_stay(keycloak: World) -> None:
    made, _ = keycloak.create()
    assert keycloak.raw(made.remote_id)["defaultClientScopes"] == ["service_account"]
    assert keycloak.look(made).settings.scopes == frozenset()
    keycloak.target.update(made.remote_id, PLAIN, MARK)
    assert keycloak.raw(made.remote_id)["defaultClientScopes"] == ["service_account"]


@pytest.mark.parametrize(
    "text", ["{not json", "[]", '{"keys": 5}', '{"keys": [5, null, {"kty": "EC"}, {"kid": 7, "kty": []}]}']
)
def test_keys_that_cannot_be_read_are_tolerated(keycloak: World, text: str) -> None:
    made, _ = keycloak.create(replace(PLAIN, method="private_key_jwt"))
    keycloak.put(made.remote_id, attributes={"jwks.string": text})
    secrets = keycloak.look(made).secrets
    assert [secret.id for secret in secrets] == (
        ["entry 1", "entry 2", "entry 3", "entry 4"] if text.startswith('{"keys": [') else []
    )
    assert len({secret.fingerprint for secret in secrets}) == len(secrets)


def test_the_list_is_read_by_pages_and_nothing_is_read_per_client(stand_in: KeycloakStandIn, sandbox: World) -> None:
    for number in range(2 * PAGE_SIZE):
        sandbox.target.create(f"client-{number}", PLAIN, MARK, new_material("client_secret"))
    before = len(stand_in.calls)
    observed = sandbox.target.observe(FINGERPRINT)
    calls = [f"{call.method} {call.path}" for call in stand_in.calls[before:]]
    assert len([item for item in observed.objects if item.mark == MARK]) == 2 * PAGE_SIZE
    assert len(observed.by_id) == len(observed.objects)
    assert calls == ["GET /admin/realms/demo/clients"] * 3 + ["GET /admin/realms/demo/client-scopes"]


def test_a_client_deleted_while_the_pages_are_read_hides_no_other(sandbox: World, stand_in: KeycloakStandIn) -> None:
    made = [
        sandbox.target.create(f"client-{number:03}", PLAIN, MARK, new_material("client_secret"))
        for number in range(2 * PAGE_SIZE)
    ]
    stand_in.faults.add(Fault(kind="slow", method="GET", path=r"/clients$", after=1, seconds=0.4))
    with _later(0.2, lambda: sandbox.target.delete(made[0].remote_id)):
        observed = sandbox.target.observe(FINGERPRINT)
    assert {item.client_id for item in observed.objects if item.mark} == {item.client_id for item in made[1:]}


def test_the_clock_is_the_servers_even_when_it_sends_no_date(keycloak: World) -> None:
    before = datetime.now(UTC) - timedelta(seconds=2)
    observed = keycloak.target.observe(FINGERPRINT)
    assert observed.clock is not None
    assert before <= observed.started_at <= observed.clock <= datetime.now(UTC)


def test_a_servers_clock_that_is_off_shows(stand_in: KeycloakStandIn, sandbox: World) -> None:
    stand_in.clock.set(datetime(2031, 5, 1, tzinfo=UTC))
    clock = sandbox.target.observe(FINGERPRINT).clock
    assert clock is not None
    assert abs(clock - datetime(2031, 5, 1, tzinfo=UTC)) < timedelta(minutes=1)
    assert any(not check.ok and "clocks differ" in check.detail for check in sandbox.target.diagnose())


# Writing


def test_creating_and_proving_a_client_costs_a_post_and_a_token(stand_in: KeycloakStandIn, sandbox: World) -> None:
    made, material = sandbox.create()
    assert sandbox.good(made, material)
    before = len(stand_in.calls)
    made, material = sandbox.create()
    assert sandbox.good(made, material)
    assert [(call.method, call.path) for call in stand_in.calls[before:]] == [
        ("POST", "/admin/realms/demo/clients"),
        ("POST", "/realms/demo/protocol/openid-connect/token"),
    ]


def test_a_lost_reply_is_never_sent_again(stand_in: KeycloakStandIn, sandbox: World) -> None:
    made, _ = sandbox.create()
    for path, call in (
        (r"/clients$", sandbox.create),
        (r"/client-secret$", lambda: replace(sandbox.target, secret_rotation=True).issue(made.remote_id, SHIFT)),
    ):
        before = len(stand_in.calls)
        stand_in.faults.add(Fault(kind="lost_reply", method="POST", path=path))
        with pytest.raises(OutcomeUnknown):
            call()
        posts = [seen for seen in stand_in.calls[before:] if seen.method == "POST" and "token" not in seen.path]
        assert len(posts) == 1


SHIFT = Order(Action.SHIFT)


def test_a_key_is_added_again_after_a_lost_reply_without_a_second_entry(
    stand_in: KeycloakStandIn, sandbox: World
) -> None:
    made, _ = sandbox.create(replace(PLAIN, method="private_key_jwt"))
    stand_in.faults.add(Fault(kind="lost_reply", method="PUT", path=r"/clients/"))
    new = new_material("private_key_jwt")
    sandbox.target.issue(made.remote_id, Order(Action.ADD, new))
    assert [secret.id for secret in sandbox.look(made).secrets].count(str(new.kid)) == 1


def test_foreign_keys_and_malformed_entries_survive_ours(keycloak: World) -> None:
    made, first = keycloak.create(replace(PLAIN, method="private_key_jwt"))
    foreign = [{"kty": "oct", "strange": True}, dict(new_material("private_key_jwt").public_jwk or {})]
    entries = [dict(first.public_jwk or {}), *foreign]
    keycloak.put(made.remote_id, attributes={"jwks.string": json.dumps({"keys": entries, "note": "ours and theirs"})})
    second = new_material("private_key_jwt")
    keycloak.target.issue(made.remote_id, Order(Action.ADD, second))
    mine = keycloak.look(made).secret(FINGERPRINT(first.canonical.get_secret_value()))
    assert mine is not None
    keycloak.target.retire(made.remote_id, mine)
    document = json.loads(keycloak.raw(made.remote_id)["attributes"]["jwks.string"])
    assert document == {"keys": [*foreign, dict(second.public_jwk or {})], "note": "ours and theirs"}
    assert keycloak.good(made, second)
    assert not keycloak.good(made, first)


def test_a_key_set_that_is_none_is_not_written_over(keycloak: World) -> None:
    made, _ = keycloak.create(replace(PLAIN, method="private_key_jwt"))
    keycloak.put(made.remote_id, attributes={"jwks.string": "{half a docu"})
    with pytest.raises(Conflict, match="repair it by hand"):
        keycloak.target.issue(made.remote_id, Order(Action.ADD, new_material("private_key_jwt")))
    assert keycloak.raw(made.remote_id)["attributes"]["jwks.string"] == "{half a docu"


def test_keys_from_a_url_are_not_replaced_by_ours(keycloak: World) -> None:
    made, _ = keycloak.create(replace(PLAIN, method="private_key_jwt"))
    attributes = {"use.jwks.string": "false", "use.jwks.url": "true", "jwks.url": "https://keys.example.com"}
    keycloak.put(made.remote_id, attributes=attributes)
    (secret,) = keycloak.look(made).secrets
    assert secret.id == "jwks.url"
    new = new_material("private_key_jwt")
    with pytest.raises(Conflict, match=r"takes its keys from jwks\.url"):
        keycloak.target.issue(made.remote_id, Order(Action.ADD, new))
    with pytest.raises(Rejected, match="ended by hand"):
        keycloak.target.retire(made.remote_id, secret)
    keycloak.target.issue(made.remote_id, Order(Action.ADD, new, instead=(secret.id,)))
    assert keycloak.good(made, new)
    assert [s.id for s in keycloak.look(made).secrets] == [new.kid], "the keys from before the address are not back"


def test_another_key_under_our_kid_gives_way_when_the_order_says_so(keycloak: World) -> None:
    made, ours = keycloak.create(replace(PLAIN, method="private_key_jwt"))
    theirs, foreign = (dict(new_material("private_key_jwt").public_jwk or {}) for _ in range(2))
    forged = {"keys": [{**theirs, "kid": ours.kid}, foreign, dict(ours.public_jwk or {})]}
    keycloak.put(made.remote_id, attributes={"jwks.string": json.dumps(forged)})
    shown = keycloak.look(made).secrets
    assert [s.id for s in shown] == [ours.kid, foreign["kid"], ours.kid], "each is shown, whatever it is called"
    assert len({s.fingerprint for s in shown}) == 3
    assert not keycloak.good(made, ours), "the first key of that kid counts"
    with pytest.raises(Conflict, match="another key has this kid"):
        keycloak.target.issue(made.remote_id, Order(Action.ADD, ours))
    for _ in range(2):
        keycloak.target.issue(made.remote_id, Order(Action.ADD, ours, instead=(str(ours.kid),)))
        assert [s.id for s in keycloak.look(made).secrets] == [foreign["kid"], ours.kid]
    assert keycloak.good(made, ours)


@pytest.mark.parametrize("change", [{"use": "enc"}, {"use": None}, {"alg": "ES384"}, {"kid": None}, {"x": 5}], ids=str)
def test_a_key_of_ours_that_cannot_check_our_signature_is_not_shown_as_ours(
    keycloak: World, change: dict[str, object]
) -> None:
    made, ours = keycloak.create(replace(PLAIN, method="private_key_jwt"))
    changed = {name: value for name, value in {**(ours.public_jwk or {}), **change}.items() if value is not None}
    keycloak.put(made.remote_id, attributes={"jwks.string": json.dumps({"keys": [changed]})})
    assert not keycloak.good(made, ours)
    [shown] = keycloak.look(made).secrets
    as_it_was = (ours.kid, FINGERPRINT(ours.canonical.get_secret_value()))
    assert (shown.id, shown.fingerprint) != as_it_was
    keycloak.target.issue(made.remote_id, Order(Action.ADD, ours, instead=(str(ours.kid),)))
    [shown] = keycloak.look(made).secrets
    assert (shown.id, shown.fingerprint) == as_it_was
    assert keycloak.good(made, ours)


def test_a_client_gets_its_client_id_back_unless_another_has_it(keycloak: World) -> None:
    made, secret = keycloak.create()
    keycloak.put(made.remote_id, clientId=f"{made.client_id}-old")
    assert keycloak.look(made).client_id == f"{made.client_id}-old"
    keycloak.target.rename(made.remote_id, made.client_id)
    assert keycloak.good(made, secret)
    keycloak.put(made.remote_id, clientId=f"{made.client_id}-old")
    keycloak.admin("POST", "clients", {"clientId": made.client_id})
    with pytest.raises(Conflict):
        keycloak.target.rename(made.remote_id, made.client_id)


def test_the_method_switches_in_place_and_old_keys_do_not_come_back(keycloak: World) -> None:
    made, secret = keycloak.create()
    first, second = new_material("private_key_jwt"), new_material("private_key_jwt")
    keycloak.target.issue(made.remote_id, Order(Action.ADD, first))
    assert (keycloak.good(made, secret), keycloak.good(made, first)) == (False, True)
    assert keycloak.look(made).settings.method == "private_key_jwt"
    keycloak.target.issue(made.remote_id, Order(Action.SET, secret))
    assert (keycloak.good(made, secret), keycloak.good(made, first)) == (True, False)
    keycloak.target.issue(made.remote_id, Order(Action.ADD, second))
    assert (keycloak.good(made, first), keycloak.good(made, second)) == (False, True)


def test_retiring_the_only_secret_leaves_none_that_works(keycloak: World) -> None:
    made, secret = keycloak.create()
    (primary,) = keycloak.look(made).secrets
    keycloak.target.retire(made.remote_id, primary)
    assert keycloak.target.verify(Claim(made.client_id, secret)).proof is Proof.REFUSED
    keycloak.target.delete(made.remote_id)
    keycloak.target.retire(made.remote_id, primary)


@pytest.mark.parametrize("secret", ["a:b%+& =/?", "ünïcödé €", "x" * 200])
def test_odd_characters_in_client_id_and_secret_arrive(keycloak: World, secret: str) -> None:
    material = replace(
        new_material("client_secret"), value=type(new_material("client_secret").value)(secret), canonical=_text(secret)
    )
    client_id = f"billing exporter/{uuid.uuid4().hex[:6]}:ü+%"
    made = keycloak.target.create(client_id, PLAIN, MARK, material)
    assert keycloak.good(made, material)
    assert keycloak.look(made).secret(FINGERPRINT(secret)) is not None
    assert keycloak.target.look(ObjectRef(client_id), None) is not None


def _text(value: str) -> Any:  # noqa: ANN401 - the secret type of the material
    return type(new_material("client_secret").canonical)(value)


def test_texts_longer_than_a_column_are_refused_before_the_call(sandbox: World, stand_in: KeycloakStandIn) -> None:
    before = len(stand_in.calls)
    for client_id, want in (("x" * 256, PLAIN), ("exporter", replace(PLAIN, description="d" * 256))):
        with pytest.raises(Rejected, match="255 characters"):
            sandbox.target.create(client_id, want, MARK, new_material("client_secret"))
    assert len(stand_in.calls) == before


def test_an_unknown_scope_is_named_by_update_and_wrong_after_create(keycloak: World) -> None:
    want = replace(PLAIN, scopes=frozenset({"no-such-scope"}))
    made, material = keycloak.create(want)
    claim = Claim(made.client_id, material, scopes=want.scopes)
    assert "no-such-scope is missing" in keycloak.target.verify(claim).reason
    with pytest.raises(NotFound, match="no scope no-such-scope"):
        keycloak.target.update(made.remote_id, want, MARK)


def test_an_unmarked_scope_of_the_name_is_a_conflict_until_it_is_adopted(keycloak: World) -> None:
    name = f"reports:{uuid.uuid4().hex[:6]}"
    document = {"name": name, "protocol": "openid-connect", "attributes": {"theirs": "1"}}
    location = keycloak.admin("POST", "client-scopes", document).headers["Location"]
    want = ScopeWant(name, "Read reports", "https://reports.example.com", MARK)
    with pytest.raises(Conflict, match="carries no mark"):
        keycloak.target.put_scope(want, None)
    remote_id = location.rpartition("/")[2]
    assert keycloak.target.put_scope(want, remote_id) == remote_id
    scope = keycloak.target.observe(None).scope_by_name[name]
    assert (scope.mark, scope.audience) == (MARK, "https://reports.example.com")
    assert keycloak.admin("GET", f"client-scopes/{remote_id}").json()["attributes"]["theirs"] == "1"


# Proof


def test_a_client_without_the_grant_is_wrong_and_not_refused(keycloak: World) -> None:
    made, material = keycloak.create()
    keycloak.put(made.remote_id, serviceAccountsEnabled=False)
    found = keycloak.target.verify(Claim(made.client_id, material))
    assert (found.proof, found.reason) == (Proof.WRONG, "the client may not use the client_credentials grant")


@pytest.mark.parametrize("status", [500, 503])
def test_a_server_in_trouble_proves_nothing(stand_in: KeycloakStandIn, sandbox: World, status: int) -> None:
    made, material = sandbox.create()
    stand_in.faults.add(Fault(kind="status", path="/demo/protocol/openid-connect/token", status=status, times=None))
    fast = replace(sandbox.target)
    with pytest.raises(Unavailable):
        fast.verify(Claim(made.client_id, material))


def test_an_assertion_is_sent_once_for_a_replay_would_look_like_a_refused_key(
    stand_in: KeycloakStandIn, sandbox: World
) -> None:
    made, material = sandbox.create(replace(PLAIN, method="private_key_jwt"))
    stand_in.faults.add(Fault(kind="lost_reply", method="POST", path="/demo/protocol/openid-connect/token"))
    with pytest.raises(Unavailable):
        sandbox.target.verify(Claim(made.client_id, material))
    assert sandbox.good(made, material)


def test_no_token_and_no_secret_shows_anywhere(sandbox: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    made, material = sandbox.create()
    found = sandbox.target.verify(Claim(made.client_id, material, scopes=frozenset({"zz"})))
    shown = caplog.text + repr(found) + repr(sandbox.target) + str(pickle.dumps(sandbox.target))
    for secret in (material.value.get_secret_value(), "sandbox-admin-secret", "eyJ"):
        assert secret not in shown
    representation = Client.model_validate(sandbox.raw(made.remote_id))
    assert material.value.get_secret_value() not in repr(representation)


# Rights and failures


@pytest.fixture
def as_roles(keycloak: World, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Keycloak]:
    def make(*roles: str, full_scope: bool = True, reading: bool = False) -> Keycloak:
        name = f"KEYCLOAK_{uuid.uuid4().hex[:6].upper()}"
        monkeypatch.setenv(name, administrator(keycloak.url, keycloak.realm, roles, full_scope=full_scope))
        made = replace(keycloak.target, admin=f"env:{name}", reader=f"env:{name}" if reading else None)
        return made.as_reader()

    return make


def test_a_reader_sees_secrets_only_as_fingerprints_and_cannot_write(
    keycloak: World, as_roles: Callable[..., Keycloak]
) -> None:
    made, material = keycloak.create()
    reader = as_roles("view-clients", reading=True)
    observed = reader.observe(FINGERPRINT)
    assert observed.secrets_shown
    assert observed.by_id[made.remote_id].secret(FINGERPRINT(material.value.get_secret_value())) is not None
    assert material.value.get_secret_value() not in repr(observed)
    for write in (
        lambda: reader.create(keycloak.client_id(), PLAIN, MARK, material),
        lambda: reader.mark(made.remote_id, MARK),
        lambda: reader.put_scope(ScopeWant("zz", "", "https://zz", MARK), None),
        lambda: reader.delete(made.remote_id),
    ):
        with pytest.raises(AccessDenied, match="manage-clients") as caught:
            write()
        assert "reader credential (env:KEYCLOAK_" in str(caught.value)


@pytest.mark.parametrize("roles", [["query-clients"], ["view-realm"], []])
def test_a_list_cut_by_rights_is_an_error_and_not_an_empty_realm(
    as_roles: Callable[..., Keycloak], roles: list[str]
) -> None:
    with pytest.raises(AccessDenied, match="view-clients"):
        as_roles(*roles).observe(FINGERPRINT)


def test_a_token_that_does_not_carry_the_role_is_explained(as_roles: Callable[..., Keycloak]) -> None:
    with pytest.raises(AccessDenied, match="scope mappings"):
        as_roles("view-clients", full_scope=False).observe(FINGERPRINT)


def test_manage_clients_alone_is_enough_for_clients_scopes_and_secrets(
    keycloak: World, as_roles: Callable[..., Keycloak]
) -> None:
    runner = replace(keycloak, target=as_roles("manage-clients"))
    name = f"invoices:{uuid.uuid4().hex[:6]}"
    scope = runner.target.put_scope(ScopeWant(name, "", "https://billing", MARK), None)
    made, material = runner.create(replace(PLAIN, scopes=frozenset({name})))
    assert runner.good(made, material)
    runner.target.observe(FINGERPRINT)
    runner.target.update(made.remote_id, PLAIN, MARK)
    runner.target.delete(made.remote_id)
    runner.target.drop_scope(scope)
    assert all(check.ok for check in runner.target.diagnose())


def test_doctor_names_too_few_and_too_many_rights(as_roles: Callable[..., Keycloak]) -> None:
    def lines(target: Keycloak) -> str:
        return "\n".join(check.detail for check in target.diagnose() if not check.ok)

    assert lines(as_roles("view-clients", reading=True)) == ""
    assert "can write" in lines(as_roles("view-clients", "manage-clients", reading=True))
    assert "may not write; give it manage-clients" in lines(as_roles("view-clients"))
    assert "realm-admin" in lines(as_roles("realm-admin"))
    assert "take manage-users" in lines(as_roles("manage-clients", "manage-users"))
    assert "secret_rotation=True" in lines(replace(as_roles("manage-clients"), secret_rotation=True))


@pytest.mark.parametrize(
    ("value", "kind", "sentence"),
    [
        (None, AccessDenied, "KEYCLOAK_BROKEN is not set"),
        ("no-colon", AccessDenied, "must hold client_id:secret"),
        ("nobody:wrong", AccessDenied, r"refuses the admin credential \(env:KEYCLOAK_BROKEN\)"),
        ("master/sandbox-admin:wrong", AccessDenied, "realm master"),
    ],
)
def test_a_credential_that_does_not_work_is_named_by_its_reference(
    keycloak: World, monkeypatch: pytest.MonkeyPatch, value: str | None, kind: type[KeystewardError], sentence: str
) -> None:
    if value is not None:
        monkeypatch.setenv("KEYCLOAK_BROKEN", value)
    with pytest.raises(kind, match=sentence) as caught:
        replace(keycloak.target, admin="env:KEYCLOAK_BROKEN").observe(FINGERPRINT)
    assert "wrong" not in str(caught.value)


def test_a_realm_that_does_not_exist_is_said(keycloak: World) -> None:
    for call in (lambda k: k.observe(None), lambda k: k.look(ObjectRef("x", "y"), None)):
        with pytest.raises(NotFound, match="realm nowhere does not exist"):
            call(replace(keycloak.target, realm="nowhere"))
    assert [check.ok for check in replace(keycloak.target, realm="nowhere").diagnose()] == [False]


def test_writing_to_a_client_that_is_gone_is_said(keycloak: World) -> None:
    made, material = keycloak.create()
    keycloak.target.delete(made.remote_id)
    for write in (
        lambda: keycloak.target.update(made.remote_id, PLAIN, MARK),
        lambda: keycloak.target.issue(made.remote_id, Order(Action.SET, material)),
        lambda: keycloak.target.suspend(made.remote_id),
    ):
        with pytest.raises(NotFound, match="any more"):
            write()


def test_an_administrators_token_that_ended_early_is_renewed_once(stand_in: KeycloakStandIn, sandbox: World) -> None:
    sandbox.target.observe(FINGERPRINT)
    stand_in.clock.advance(timedelta(hours=2))
    made, _ = sandbox.create()
    assert sandbox.look(made).mark == MARK


def test_a_stand_still_of_the_rights_is_an_error_not_a_loop(stand_in: KeycloakStandIn, sandbox: World) -> None:
    stand_in.faults.add(Fault(kind="status", path="/admin/", status=401, times=None))
    with pytest.raises(AccessDenied):
        sandbox.target.observe(FINGERPRINT)


# The rotation feature


def test_the_policy_is_written_beside_those_of_others(native: World) -> None:
    theirs = {"name": "theirs", "description": "theirs", "executors": []}
    policy = {"name": "their-policy", "description": "", "enabled": True, "conditions": [], "profiles": ["theirs"]}
    _write(native, [theirs], [policy])
    made, material = native.create()
    for _ in range(2):
        native.target.prepare(made.remote_id, timedelta(days=30))
    profiles = native.admin("GET", "client-policies/profiles").json()["profiles"]
    policies = native.admin("GET", "client-policies/policies").json()["policies"]
    assert [entry["name"] for entry in profiles] == ["theirs", "keysteward-rotation"]
    assert [entry["name"] for entry in policies] == ["their-policy", "keysteward-rotation"]
    configuration = profiles[1]["executors"][0]["configuration"]
    assert configuration["expiration-period"] == 10 * 365 * 86400
    assert configuration["rotated-expiration-period"] == 2 * 365 * 86400
    assert native.raw(made.remote_id)["attributes"]["keysteward.rotation"] == "native"
    assert native.good(made, material)
    _write(native, [], [])


def test_a_policy_of_ours_that_became_tighter_is_mended(native: World) -> None:
    tight = copy.deepcopy(dict(PROFILE))
    tight["executors"][0]["configuration"] |= {"expiration-period": 86400, "rotated-expiration-period": 3600}
    _write(native, [tight], [dict(POLICY)])
    made, _ = native.create()
    native.target.prepare(made.remote_id, timedelta(days=30))
    (profile,) = native.admin("GET", "client-policies/profiles").json()["profiles"]
    assert profile["executors"] == PROFILE["executors"]
    _write(native, [], [])


@pytest.mark.parametrize("selects", [True, False])
def test_a_tighter_policy_of_others_is_a_conflict_when_it_may_select_the_client(native: World, selects: bool) -> None:
    periods = {"expiration-period": 2592000, "rotated-expiration-period": 172800, "remaining-rotation-period": 0}
    executors = [{"executor": "secret-rotation", "configuration": periods}]
    pairs = json.dumps([{"key": "keysteward.identity", "value": MARK.identity if selects else "acme/prod/other"}])
    condition = {"condition": "client-attributes", "configuration": {"attributes": pairs}}
    _write(
        native,
        [{"name": "theirs", "executors": executors}],
        [{"name": "monthly", "enabled": True, "conditions": [condition], "profiles": ["theirs"]}],
    )
    made, material = native.create()
    if selects:
        with pytest.raises(Conflict, match="client policy 'monthly' ends secrets"):
            native.target.prepare(made.remote_id, timedelta(days=7))
        assert "keysteward.rotation" not in native.raw(made.remote_id)["attributes"]
    else:
        native.target.prepare(made.remote_id, timedelta(days=7))
    assert native.good(made, material)
    _write(native, [], [])


def test_both_slots_show_with_times_and_a_marker_change_keeps_both(native: World) -> None:
    made, old = native.create()
    native.target.prepare(made.remote_id, timedelta(days=7))
    native.target.issue(made.remote_id, SHIFT)
    new = new_material("client_secret")
    native.target.issue(made.remote_id, Order(Action.SET, new))
    found = native.look(made)
    primary, rotated = found.slot("primary"), found.slot("rotated")
    assert primary is not None
    assert rotated is not None
    assert rotated.fingerprint == FINGERPRINT(old.value.get_secret_value())
    assert rotated.created_at is not None
    assert rotated.expires_at is not None
    assert rotated.expires_at - rotated.created_at == timedelta(days=730)
    for write in (
        lambda: native.target.mark(made.remote_id, Mark("acme/prod/other", "n")),
        lambda: native.target.suspend(made.remote_id),
        lambda: native.target.resume(made.remote_id),
        lambda: native.target.update(made.remote_id, PLAIN, MARK),
        lambda: native.target.release(made.remote_id),
    ):
        write()
    assert (native.good(made, old), native.good(made, new)) == (True, True)
    native.target.retire(made.remote_id, ObservedSecret("rotated", "rotated"))
    assert (native.good(made, old), native.good(made, new)) == (False, True)


def rotate_any_client(world: World) -> None:
    """Let a policy of others select every client, with the periods that Keycloak proposes."""
    periods = {"expiration-period": 2505600, "rotated-expiration-period": 172800, "remaining-rotation-period": 0}
    profile = {"name": "any", "executors": [{"executor": "secret-rotation", "configuration": periods}]}
    condition = {"condition": "any-client", "configuration": {}}
    policy = {"name": "any", "enabled": True, "conditions": [condition], "profiles": ["any"]}
    world.admin("PUT", "client-policies/profiles", {"profiles": [profile]})
    world.admin("PUT", "client-policies/policies", {"policies": [policy]})


@pytest.mark.parametrize("write", ["set", "suspend", "rename", "mark", "update", "retire", "key"])
def test_every_write_works_on_a_client_that_a_policy_selects_and_has_not_touched(native: World, write: str) -> None:
    """The executor looks into the attributes of the body (26.7.5)."""
    native.admin("PUT", "client-policies/policies", {"policies": []})
    made, _ = native.create(replace(PLAIN, method="private_key_jwt") if write == "key" else PLAIN)
    rotate_any_client(native)
    target, new = native.target, new_material("private_key_jwt" if write == "key" else "client_secret")
    writes: dict[str, Callable[[], object]] = {
        "set": lambda: target.issue(made.remote_id, Order(Action.SET, new)),
        "key": lambda: target.issue(made.remote_id, Order(Action.ADD, new)),
        "suspend": lambda: target.suspend(made.remote_id),
        "rename": lambda: target.rename(made.remote_id, f"{made.client_id}-2"),
        "mark": lambda: target.mark(made.remote_id, MARK),
        "update": lambda: target.update(made.remote_id, PLAIN, None),
        "retire": lambda: target.retire(made.remote_id, ObservedSecret("primary", "primary")),
    }
    writes[write]()
    if write in {"set", "key"}:
        assert native.good(made, new)


def test_a_server_without_the_feature_says_how_to_get_it(keycloak: World) -> None:
    made, _ = keycloak.create()
    with pytest.raises(Rejected, match="declared without"):
        keycloak.target.prepare(made.remote_id, timedelta(days=7))
    with pytest.raises(Rejected, match="--features=client-secret-rotation"):
        replace(keycloak.target, secret_rotation=True).prepare(made.remote_id, timedelta(days=7))
    for action in (Action.SHIFT, Action.MINT):
        with pytest.raises(Rejected, match="cannot"):
            keycloak.target.issue(made.remote_id, Order(action))


def test_preparing_without_manage_realm_names_the_role(native: World, monkeypatch: pytest.MonkeyPatch) -> None:
    made, _ = native.create()
    _write(native, [], [])
    for roles, missing in ((["manage-clients"], "view-realm"), (["manage-clients", "view-realm"], "manage-realm")):
        monkeypatch.setenv("KEYCLOAK_PLAIN", administrator(native.url, native.realm, roles))
        target = replace(native.target, admin="env:KEYCLOAK_PLAIN", name=f"corp-{missing}")
        with pytest.raises(AccessDenied, match=missing):
            target.prepare(made.remote_id, timedelta(days=7))
        assert any("give it manage-realm" in check.detail for check in target.diagnose() if not check.ok)


def _write(world: World, profiles: list[dict[str, Any]], policies: list[dict[str, Any]]) -> None:
    world.admin("PUT", "client-policies/policies", {"policies": []})
    world.admin("PUT", "client-policies/profiles", {"profiles": profiles})
    world.admin("PUT", "client-policies/policies", {"policies": policies})


# Keys as text


def test_key_sets_are_read_without_trust() -> None:
    assert read_keys("") == ()
    assert read_keys("[" * 200_000) is None
    assert read_keys('{"keys": []}' + " " * 1_000_001) is None
    public = dict(new_material("private_key_jwt").public_jwk or {})
    text = with_key("", public)
    assert text is not None
    assert with_key(text, public) is None
    other = {**dict(new_material("private_key_jwt").public_jwk or {}), "kid": public["kid"]}
    with pytest.raises(ValueError, match="another key has this kid"):
        with_key(text, other)
    assert without_key(text, "unknown") is None
    assert json.loads(without_key(text, public["kid"]) or "") == {"keys": []}
