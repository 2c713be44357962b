"""Whatever a server answers, each operation of each client ends with its result or with an error of ours.

Every operation is played over replies as the vendor documents them, one of which is replaced: by what is not the
vendor's at all, or by the same with one thing in it changed. Nothing here listens or waits.
"""

from __future__ import annotations

import copy
import io
import json
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import jwt
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jwt.algorithms import ECAlgorithm
from pydantic import SecretStr
from requests.structures import CaseInsensitiveDict
from samples import drawn

from keysteward.core.contract.ports import Claim, Material
from keysteward.core.declare.delivery import Place
from keysteward.core.errors import KeystewardError
from keysteward.core.run.executor import News
from keysteward.host.http import Session
from keysteward.operations.audit.ci import Actions, keys_of_issuer
from keysteward.operations.webhook import client as webhook
from keysteward.providers.aws.cognito import proof as cognito_proof
from keysteward.providers.aws.cognito.client import TokenClient
from keysteward.providers.keycloak import proof as keycloak_proof
from keysteward.providers.keycloak.adapter import Keycloak
from keysteward.providers.keycloak.admin import AdminApi
from keysteward.providers.keycloak.client import KeycloakClient
from keysteward.providers.manual.client import Probe, Prober
from keysteward.providers.vault import Vault
from keysteward.providers.workos import inventory
from keysteward.providers.workos import proof as workos_proof
from keysteward.providers.workos.api import Api
from keysteward.providers.workos.client import WorkOSClient

HOST = "https://id.example.com"
ISSUER = f"{HOST}/realms/prod"
PAIR = ec.generate_private_key(ec.SECP256R1())
JWK = {**ECAlgorithm(ECAlgorithm.SHA256).to_jwk(PAIR.public_key(), as_dict=True), "kid": "k1", "use": "sig"}
NOW = 1_790_000_000
TOKEN = jwt.encode(
    {"iss": ISSUER, "azp": "exporter", "aud": "api", "scope": "read", "iat": NOW, "exp": NOW + 60},
    PAIR,
    "ES256",
    {"kid": "k1"},
)
CLAIM = Claim("exporter", Material("client_secret", SecretStr("s"), SecretStr("s")), ("api",), frozenset({"read"}))

Answered = tuple[int, dict[str, str], bytes]


@dataclass(frozen=True)
class Operation:
    """What is called, and what is answered to it in order: JSON, or status and JSON, or None for no body.

    `lists`: which of these answers is the list; what is none must never be an empty one.
    """

    call: Callable[[], object]
    replies: tuple[Any, ...]
    lists: int | None = None


LOGIN = {"access_token": TOKEN, "expires_in": 60}
DISCOVERY = {"issuer": ISSUER, "jwks_uri": f"{ISSUER}/keys"}
KEYS = {"keys": [JWK]}
CLIENT = {
    "id": "1",
    "clientId": "exporter",
    "secret": "s",
    "attributes": {
        "access.token.lifespan": "600",
        "client.secret.creation.time": "1790000000",
        "keysteward.identity": "a/b/c",
        "use.jwks.string": "true",
        "jwks.string": json.dumps(KEYS),
        "client.secret.rotated": "old",
    },
    "defaultClientScopes": ["read"],
    "access": {"manage": True},
}
OWNER_CLIENT = {"id": "2", "clientId": "realm-management"}
SCOPE = {
    "id": "s1",
    "name": "read",
    "protocol": "openid-connect",
    "protocolMappers": [
        {
            "id": "m",
            "name": "aud",
            "protocolMapper": "oidc-audience-mapper",
            "config": {"included.custom.audience": "a"},
        }
    ],
}
SERVER_INFO = {"features": [{"name": "CLIENT_SECRET_ROTATION", "enabled": True}], "systemInfo": {"version": "26"}}
POLICIES = {"policies": [{"name": "p", "enabled": True, "conditions": [], "profiles": ["x"]}]}
PAGE = {"list_metadata": {"before": None, "after": None}}
KEY = {"id": "api_key_1", "owner": {"type": "organization", "id": "org_1"}, "name": "n", "permissions": ["read"]}
MOMENT = {"created_at": "2026-01-01T00:00:00.000Z", "last_used_at": None}
APPLICATION = {"id": "app_1", "client_id": "client_1", "description": "d [keysteward a/b n]", "scopes": [], **MOMENT}
ORGANIZATION = {"id": "org_1", "name": "Acme", **MOMENT}
PERMISSION = {"id": "perm_1", "slug": "read", "description": "d", "system": False}
METADATA = {"version": 1, "custom_metadata": {"keysteward-identity": "a/b/c", "keysteward-version": "1"}}
VERSION = {"data": {"data": {"key": "value"}, "metadata": METADATA}}
ABOUT = {
    "data": {
        "current_version": 1,
        "custom_metadata": METADATA["custom_metadata"],
        "versions": {"1": {"deletion_time": "2026-01-01T00:00:00.123456789Z", "destroyed": False}},
    }
}
NOTHING = (404, {"errors": []})
STAGED = {"data": {"keys": ["apps~x", "folder/"]}}
NAMES = {"data": {"keys": ["billing"]}}
HEALTH = {"initialized": True, "sealed": False, "version": "2.7.2", "server_time_utc": NOW}
MOUNT = {"data": {"type": "kv", "options": {"version": "2"}}}
HELD = {"data": {"capabilities": ["read"], "secret/metadata/staged/": ["list"]}}
APPROLE = {"auth": {"client_token": "hvs.token", "lease_duration": 3600}}


def no_pause(_seconds: float) -> None:
    """Wait for nothing."""


def keycloak() -> KeycloakClient:
    given = {"url": HOST, "realm": "prod", "reference": "env:FUZZ_PAIR", "purpose": "admin"}
    return KeycloakClient("corp", **given, clock=time.monotonic, sleep=no_pause)  # type: ignore[arg-type]


def admin(call: Callable[[AdminApi], object]) -> Callable[[], object]:
    return lambda: call(AdminApi(keycloak()))


def workos_client() -> WorkOSClient:
    given = {"url": HOST, "authkit": HOST, "reference": "env:FUZZ_TOKEN", "purpose": "admin"}
    return WorkOSClient("saas", **given, clock=time.monotonic, sleep=no_pause)  # type: ignore[arg-type]


def workos(call: Callable[[Api], object]) -> Callable[[], object]:
    return lambda: call(Api(workos_client()))


def vault(**settings: Any) -> Vault:  # noqa: ANN401 - whatever it takes
    return Vault("secrets", url=HOST, **{"admin": "env:FUZZ_TOKEN", **settings})


def realm() -> Keycloak:
    return Keycloak("corp", url=HOST, realm="prod", admin="env:FUZZ_PAIR")


NEWS = News("a/b/c", 1, "secrets:apps/x", "n", datetime(2026, 1, 1, tzinfo=UTC))
PLACE = Place("secrets", "apps/x", webhook=f"{HOST}/hook", webhook_key="env:FUZZ_HOOK")


def page(*entries: object) -> dict[str, object]:
    return {"data": list(entries), **PAGE}


OPERATIONS = {
    "keycloak list clients": Operation(admin(lambda a: a.list_clients()), (LOGIN, [CLIENT, OWNER_CLIENT]), lists=1),
    "keycloak observe": Operation(lambda: realm().observe(str.upper), (LOGIN, [CLIENT, OWNER_CLIENT], [SCOPE])),
    "keycloak read client": Operation(admin(lambda a: a.client("1")), (LOGIN, CLIENT)),
    "keycloak find client": Operation(admin(lambda a: a.client_named("exporter")), (LOGIN, [CLIENT])),
    "keycloak create client": Operation(admin(lambda a: a.post_client({})), (LOGIN, (201, None))),
    "keycloak scopes": Operation(admin(lambda a: [s.observed() for s in a.scopes()]), (LOGIN, [SCOPE]), lists=1),
    "keycloak read scope": Operation(admin(lambda a: a.scope("s1")), (LOGIN, SCOPE)),
    "keycloak policies": Operation(admin(lambda a: a.policy_document("policies")), (LOGIN, POLICIES)),
    "keycloak diagnose": Operation(
        lambda: list(realm().diagnose()), (DISCOVERY, LOGIN, [CLIENT, OWNER_CLIENT], SERVER_INFO, POLICIES)
    ),
    "keycloak proof": Operation(lambda: keycloak_proof.verify(keycloak(), CLAIM), (LOGIN, DISCOVERY, KEYS)),
    "keycloak refusal": Operation(
        lambda: keycloak_proof.verify(keycloak(), CLAIM),
        ((401, {"error": "invalid_client", "error_description": "Invalid client"}),),
    ),
    "workos organizations": Operation(workos(lambda a: a.organizations()), (page(ORGANIZATION),), lists=0),
    "workos users": Operation(workos(lambda a: a.users()), (page({"id": "user_1", "email": "e"}),), lists=0),
    "workos keys": Operation(workos(lambda a: a.keys("org_1")), (page(KEY),), lists=0),
    "workos applications": Operation(workos(lambda a: a.applications()), (page(APPLICATION),), lists=0),
    "workos secrets": Operation(workos(lambda a: a.secrets("app_1")), ([{"id": "s", **MOMENT}],), lists=0),
    "workos permissions": Operation(workos(lambda a: a.permissions()), (page(PERMISSION),), lists=0),
    "workos application": Operation(workos(lambda a: a.application("app_1")), (APPLICATION,)),
    "workos create key": Operation(workos(lambda a: a.post_key("org_1", {})), ({**KEY, "value": "sk_1"},)),
    "workos create secret": Operation(workos(lambda a: a.post_secret("app_1")), ({"id": "s", "secret": "v"},)),
    "workos create application": Operation(workos(lambda a: a.post_application({})), (APPLICATION,)),
    "workos validate": Operation(workos(lambda a: a.validate(SecretStr("sk_1"))), ({"api_key": KEY},)),
    "workos metadata": Operation(lambda: workos_client().metadata(), ({"issuer": HOST},)),
    "workos refusal": Operation(
        workos(lambda a: a.post_permission({})), ((422, {"message": "no", "errors": [{"field": "slug"}]}),)
    ),
    "workos proof": Operation(lambda: workos_proof.verify_secret(workos_client(), CLAIM), (LOGIN, KEYS)),
    "workos observe": Operation(
        workos(lambda a: inventory.observe(a, "saas", "client_1", user_keys=True)),
        (
            page(ORGANIZATION),
            page(APPLICATION),
            page(PERMISSION),
            page(KEY),
            [{"id": "s"}],
            page({"id": "user_1"}),
            page(KEY),
        ),
    ),
    "vault delivered": Operation(lambda: vault().delivered(["apps/y"]), (STAGED, ABOUT, VERSION, {})),
    "vault read": Operation(lambda: vault().read("apps/x", 1), (VERSION, NOTHING)),
    "vault neighbours": Operation(lambda: vault().neighbours(["apps/x"]), (NAMES,), lists=0),
    "vault list ledgers": Operation(lambda: vault().ledgers().list("ledgers/"), (NAMES, VERSION), lists=0),
    "vault read ledger": Operation(lambda: vault().ledgers().read("ledgers/x"), (VERSION,), lists=0),
    "vault write ledger": Operation(
        lambda: vault().ledgers().write("ledgers/x", {}, 0), ({"data": {"version": 1}},), lists=0
    ),
    "vault time": Operation(lambda: vault().ledgers().now(), (HEALTH,)),
    "vault doctor": Operation(lambda: list(vault().diagnose(["apps/x"])), (HEALTH, MOUNT, HELD)),
    "vault log in": Operation(
        lambda: vault(auth="approle", admin="env:FUZZ_PAIR").ledgers().read("x"), (APPROLE, VERSION)
    ),
    "CI token": Operation(lambda: Actions(HOST, SecretStr("b")).id_token("aud"), ({"value": TOKEN},)),
    "CI keys": Operation(lambda: keys_of_issuer(ISSUER), (DISCOVERY, KEYS)),
    "cognito proof": Operation(
        lambda: cognito_proof.verify(TokenClient("pool", token_url=HOST, issuer=ISSUER), CLAIM), (LOGIN, KEYS)
    ),
    "webhook": Operation(lambda: webhook.notify(PLACE, NEWS), (None,)),
    "manual probe": Operation(
        lambda: Prober("crm", Probe(HOST)).try_value(SecretStr("v")), ((401, {"error": "no"}), {"me": 1})
    ),
}

FOREIGN = (
    b"",
    b"<html><title>Log in to the hotel's network</title></html>",
    b"5",
    b"null",
    b'"text"',
    b"true",
    b"[[]]",
    b"[5]",
    b"[" * 100_000,
    b'{"a":' * 100_000,
    b'{"data": {"keys": 5, "data": 5}, "keys": null, "access_token": 5, "issuer": []}',
    b'{"data": "\\ud800"}',
    b"\xff\xfe\x00",
    b"9" * 10_000,
    b'{"a": ' + b"9" * 10_000 + b"}",
    b"NaN",
)
"""What is no answer of any vendor to any of these calls."""

STRANGE = (
    *(None, True, 0, -1, 10**30, 1.5, "", "x", "\x00", "\x1b[2J", "\u00b2", "9999-12-31T23:59:59Z", "0001-01-01"),
    *("2026-01-01T00:00:00", "9" * 5000, "a" * 10_000, [], [None], [[]], {}, {"": None}, {"keys": 5}, "-----BEGIN"),
)
HEADERS: tuple[dict[str, str], ...] = (
    {},
    {"Date": "Fri, 31 Dec 9999 23:59:59 -2359"},
    {"Date": "soon", "Location": "http://["},
    {"Retry-After": "\u00b2", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "nan"},
    {"Location": f"{HOST}/clients/1", "Content-Type": "text/html"},
)
STATUSES = (200, 201, 204, 302, 400, 401, 403, 404, 409, 412, 429, 500, 502, 503, 599)


class Replay:
    """Answers calls in order; once all was answered, the last one again."""

    def __init__(self) -> None:
        self.answers: list[Answered] = []

    def send(self, request: requests.PreparedRequest, **_: object) -> requests.Response:
        status, headers, body = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        response = requests.Response()
        response.status_code, response.headers = status, CaseInsensitiveDict(headers)
        response.raw, response.request, response.url = io.BytesIO(body), request, str(request.url)
        return response

    def play(self, operation: Operation, place: int, answer: Answered | None) -> object:
        self.answers = [answered(reply) for reply in operation.replies]
        if answer is not None:
            self.answers[place] = answer
        return operation.call()


def answered(reply: Any) -> Answered:  # noqa: ANN401 - JSON
    status, body = reply if isinstance(reply, tuple) else (200, reply)
    headers = {"Location": f"{HOST}/clients/1"} if status == 201 else {}
    return status, headers, b"" if body is None else json.dumps(body).encode()


def parts(document: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:  # noqa: ANN401 - JSON
    yield path
    inner = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    for name, value in inner:
        yield from parts(value, (*path, name))


def changed(document: Any, path: tuple[Any, ...], value: Any, *, gone: bool) -> Any:  # noqa: ANN401 - JSON
    """Return the same JSON with another value at a path, or without what stands there."""
    if not path:
        return value
    made = copy.deepcopy(document)
    inside = made
    for name in path[:-1]:
        inside = inside[name]
    if gone and isinstance(inside, dict):
        del inside[path[-1]]
    else:
        inside[path[-1]] = value
    return made


@pytest.fixture
def replay(monkeypatch: pytest.MonkeyPatch) -> Replay:
    made = Replay()
    monkeypatch.setattr("keysteward.host.transport.Transport.send", lambda _self, *a, **k: made.send(*a, **k))
    monkeypatch.setattr(time, "sleep", no_pause)
    waits = Session.__init__.__kwdefaults__
    monkeypatch.setattr(Session.__init__, "__kwdefaults__", {**waits, "sleep": no_pause})
    waits = KeycloakClient.__init__.__kwdefaults__
    monkeypatch.setattr(KeycloakClient.__init__, "__kwdefaults__", {**waits, "sleep": no_pause})
    monkeypatch.setenv("FUZZ_PAIR", "admin:secret")
    monkeypatch.setenv("FUZZ_TOKEN", "token")
    monkeypatch.setenv("FUZZ_HOOK", "whsec_" + "QUFB" * 8)
    return made


@pytest.mark.parametrize("name", OPERATIONS)
def test_what_the_vendor_documents_is_read(replay: Replay, name: str) -> None:
    operation = OPERATIONS[name]
    if name.endswith("refusal") and name.startswith("workos"):
        with pytest.raises(KeystewardError, match="no \\(slug\\)"):
            replay.play(operation, 0, None)
        return
    replay.play(operation, 0, None)


@pytest.mark.parametrize("name", OPERATIONS)
def test_no_answer_but_an_error_of_ours_comes_of_what_is_not_the_vendors(replay: Replay, name: str) -> None:
    operation = OPERATIONS[name]
    for place in range(len(operation.replies)):
        for body in FOREIGN:
            for status in (200, answered(operation.replies[place])[0]):
                if place == operation.lists and status == 200 and body != b"":
                    with pytest.raises(KeystewardError) as told:
                        replay.play(operation, place, (status, {}, body))
                    assert told.value.target or told.value.operation, told.value
                    continue
                with suppress(KeystewardError):
                    replay.play(operation, place, (status, {}, body))


@settings(
    max_examples=120, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
@pytest.mark.parametrize("name", drawn(OPERATIONS, 16))
def test_nothing_that_is_changed_in_an_answer_trips_its_reader(replay: Replay, name: str, data: st.DataObject) -> None:
    operation = OPERATIONS[name]
    place = data.draw(st.integers(0, len(operation.replies) - 1))
    status, headers, body = answered(operation.replies[place])
    if body and data.draw(st.booleans()):
        document = json.loads(body)
        path = data.draw(st.sampled_from(list(parts(document))))
        value = data.draw(st.sampled_from(STRANGE))
        body = json.dumps(changed(document, path, value, gone=data.draw(st.booleans()))).encode()
    else:
        status = data.draw(st.sampled_from(STATUSES))
        headers = data.draw(st.sampled_from(HEADERS))
    with suppress(KeystewardError):
        replay.play(operation, place, (status, headers, body))
