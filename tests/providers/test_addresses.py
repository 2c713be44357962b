"""Every address that a declaration names obeys one rule; no proxy, redirect or old record is a way around it."""

from __future__ import annotations

import inspect
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from keycloak_realms import MASTER
from vault_server import ROOT, Server

from keysteward import Webhook
from keysteward.core.contract.address import IN_CLEAR
from keysteward.core.errors import DeclarationError, KeystewardError, Unavailable
from keysteward.host.http import Session as HttpSession
from keysteward.operations.audit.ci import Actions, keys_of_issuer
from keysteward.operations.descriptors import describe, revive
from keysteward.operations.session import Session
from keysteward.providers import aws, keycloak, local, manual, vault, workos
from keysteward.providers.aws import ApiGateway, Cognito, DynamoLedgers, Iam, SecretsManager
from keysteward.providers.dynamic import BridgeError, M2MClientProvider, add_ports
from keysteward.providers.keycloak import Keycloak
from keysteward.providers.manual import Manual, Probe
from keysteward.providers.vault import Vault, VaultLedgers
from keysteward.providers.workos import WorkOS
from keysteward.sandbox import VaultStandIn
from keysteward.sandbox.keycloak import KeycloakStandIn
from keysteward.testing.memory import Clock, MemoryLedgers
from keysteward.testing.store_world import PATH, deliver, text_of

ADMIN = {"admin": "env:X"}
REGION = {"region": "eu-central-1"}
POOL = {"user_pool": "eu-central-1_Ab12Cd34E"}
ENVIRONMENT = {"client_id": "client_01", **ADMIN}
DOMAIN = "acme.authkit.app"

Made = Callable[[str], object]

WITH_A_WAY_OUT: dict[str, Callable[..., Any]] = {
    "Keycloak.url": lambda url, **more: Keycloak("corp", url=url, realm="prod", **ADMIN, **more),
    "Vault.url": lambda url, **more: Vault("corp", url=url, **ADMIN, **more),
    "VaultLedgers.url": lambda url, **more: VaultLedgers("corp", url=url, **ADMIN, **more),
}
WITHOUT: dict[str, Made] = {
    "WorkOS.url": lambda url: WorkOS("corp", url=url, authkit_domain=DOMAIN, **ENVIRONMENT),
    "WorkOS.authkit_domain": lambda url: WorkOS("corp", authkit_domain=url, **ENVIRONMENT),
    "Iam.endpoint_url": lambda url: Iam("corp", endpoint_url=url, **REGION),
    "ApiGateway.endpoint_url": lambda url: ApiGateway("corp", endpoint_url=url, **REGION),
    "Cognito.endpoint_url": lambda url: Cognito("corp", domain="acme", endpoint_url=url, **POOL),
    "Cognito.domain": lambda url: Cognito("corp", domain=url, **POOL),
    "SecretsManager.endpoint_url": lambda url: SecretsManager("corp", endpoint_url=url, **REGION),
    "DynamoLedgers.endpoint_url": lambda url: DynamoLedgers("corp", endpoint_url=url, **REGION),
    "Probe.url": lambda url: Manual("corp", probe=Probe(url)),
    "Webhook.url": lambda url: Webhook(url, "env:X"),
}
EVERY: dict[str, Made] = {**WITH_A_WAY_OUT, **WITHOUT}


def _asked(url: str) -> object:
    actions = Actions.of({"ACTIONS_ID_TOKEN_REQUEST_URL": url, "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "bearer"})
    assert actions is not None
    return actions.id_token("audience")


OF_A_JOB: dict[str, Made] = {
    "the issuer": keys_of_issuer,
    "ACTIONS_ID_TOKEN_REQUEST_URL": _asked,
}


def elsewhere(url: str) -> str:
    """Return another address of a server on loopback, which leads there and is not plainly this machine's."""
    return url.replace("127.0.0.1", "0.0.0.0")  # noqa: S104 - called, not listened at


# What a declaration may name


@pytest.mark.parametrize("made", [*EVERY.values(), *OF_A_JOB.values()], ids=[*EVERY, *OF_A_JOB])
@pytest.mark.parametrize(
    "url", ["http://id.example.com", "HTTP://127.0.0.1.evil.example", "http://[::ffff:127.0.0.1]:8080"]
)
def test_http_to_another_machine_is_one_sentence_before_any_call(made: Made, url: str) -> None:
    with pytest.raises(
        DeclarationError, match=r"must begin with https://: over http:// .* travels in clear"
    ) as refused:
        made(url)
    assert url not in refused.value.message


@pytest.mark.parametrize("made", [*EVERY.values(), *OF_A_JOB.values()], ids=[*EVERY, *OF_A_JOB])
@pytest.mark.parametrize("url", ["https://reader:s3cret@id.example.com", "http://s3cret@localhost", "ftp://s3cret"])
def test_what_holds_a_credential_or_is_no_address_is_refused_and_not_repeated(made: Made, url: str) -> None:
    with pytest.raises(DeclarationError, match=r"must not hold a credential|must be |domain is where") as refused:
        made(url)
    assert "s3cret" not in refused.value.message


@pytest.mark.parametrize("made", EVERY.values(), ids=EVERY)
@pytest.mark.parametrize("url", ["https://id.example.com", "http://127.0.0.1:8080", "http://localhost:8080"])
def test_tls_and_this_machine_are_taken(made: Made, url: str) -> None:
    made(url)


def test_no_setting_that_takes_an_address_is_forgotten() -> None:
    kinds = [
        kind
        for module in (aws, keycloak, local, manual, vault, workos)
        for kind in vars(module).values()
        if inspect.isclass(kind)
    ]
    found = {
        f"{kind.__name__}.{name}"
        for kind in [*kinds, Webhook]
        for name in inspect.signature(kind).parameters
        if name.endswith(("url", "domain", "address", "endpoint", "host", "issuer"))
    }
    assert found == set(EVERY)


@pytest.mark.parametrize("made", WITH_A_WAY_OUT.values(), ids=WITH_A_WAY_OUT)
def test_a_mesh_is_allowed_by_name_and_recorded_only_then(made: Callable[..., Any]) -> None:
    with pytest.raises(DeclarationError, match="or set allow_http=True where a mesh or a sidecar encrypts"):
        made("http://vault.internal:8200")
    allowed = made("http://vault.internal:8200", allow_http=True)
    assert allowed.descriptor.settings["allow_http"] is True
    assert revive(describe(allowed.descriptor)).descriptor == allowed.descriptor
    assert "allow_http" not in made("https://vault.internal:8200").descriptor.settings


def test_the_ledgers_of_a_store_are_reached_as_the_store_is() -> None:
    store = Vault("secrets", url="http://vault.internal:8200", admin="env:X", allow_http=True)
    assert store.ledgers().descriptor.settings["allow_http"] is True


# What was recorded before


@pytest.mark.parametrize("made", WITH_A_WAY_OUT.values(), ids=WITH_A_WAY_OUT)
def test_a_record_with_http_stops_with_the_sentence_and_another_declaration_mends_it(made: Callable[..., Any]) -> None:
    recorded = describe(made("https://vault.internal:8200").descriptor)
    recorded["settings"]["url"] = "http://vault.internal:8200"
    with pytest.raises(DeclarationError, match="set allow_http=True"):
        revive(recorded)
    recorded["settings"]["allow_http"] = True
    assert revive(recorded).descriptor == made("http://vault.internal:8200", allow_http=True).descriptor


def test_what_is_declared_now_takes_the_place_of_what_was_recorded() -> None:
    now = Keycloak("corp", url="https://id.example.com", realm="prod", admin="env:X")
    before = describe(now.descriptor)
    before["settings"]["url"] = "http://id.example.com"
    ports: dict[str, Any] = {"targets": {"corp": before}}
    session = Session("acme/prod", MemoryLedgers("ledgers", Clock()), access="reader", door="pulumi")
    with pytest.raises(DeclarationError, match="set allow_http=True"):
        add_ports(session, ports)
    add_ports(session, {"targets": {"corp": describe(now.descriptor)}})
    add_ports(session, ports)
    assert session.targets["corp"] == now


def test_a_resource_of_older_state_stops_with_the_sentence_before_any_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEYSTEWARD_DEBUG", "1")
    ledgers = describe(VaultLedgers("ledgers", url="https://vault.internal", admin="env:X").descriptor)
    ledgers["settings"]["url"] = "http://vault.internal"
    props = {"format": 1, "stack": "acme/prod", "identity": "acme/prod/x", "ports": json.dumps({"ledgers": ledgers})}
    with pytest.raises(BridgeError, match=r"ledgers: url must begin with https://.* or set allow_http=True"):
        M2MClientProvider().delete("acme/prod/x", props)


# What doctor says


@pytest.fixture
def vault_stand_in() -> Iterator[VaultStandIn]:
    with VaultStandIn() as stand_in:
        yield stand_in


@pytest.fixture
def there(vault_stand_in: VaultStandIn, monkeypatch: pytest.MonkeyPatch) -> Server:
    """A Vault that is reached at an address which is not plainly this machine's."""
    server = Server(vault_stand_in.url, ROOT, monkeypatch)
    server.url = elsewhere(vault_stand_in.url)
    return server


def test_a_vault_behind_a_mesh_works_and_doctor_warns_of_store_and_ledgers(there: Server) -> None:
    store = there.store(allow_http=True)
    deliver(store, 1, "one")
    assert text_of(store, 1) == "one"
    for port in (store.diagnose([PATH]), store.ledgers().diagnose()):
        [warned] = [check for check in port if check.detail == IN_CLEAR]
        assert (warned.subject, warned.warning) == ("secrets url", True)


def test_a_keycloak_behind_a_mesh_works_and_doctor_warns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEYCLOAK_ADMIN", MASTER)
    with KeycloakStandIn() as stand_in:
        settings: dict[str, Any] = {"realm": "demo", "admin": "env:KEYCLOAK_ADMIN", "allow_http": True}
        target = Keycloak("corp", url=elsewhere(stand_in.url), **settings)
        assert target.observe(None).objects
        [warned] = [check for check in target.diagnose() if check.detail == IN_CLEAR]
        assert (warned.subject, warned.warning) == ("corp: url", True)
        here = Keycloak("corp", url=stand_in.url, **settings)
        assert IN_CLEAR not in [check.detail for check in here.diagnose()]


# What could carry it elsewhere all the same


@dataclass
class Other:
    """Another server, or a proxy: what it was asked, and where it sends on."""

    url: str = ""
    to: str = ""
    status: int = 404
    seen: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)


@contextmanager
def listening() -> Iterator[Other]:
    other = Other()

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            other.seen.append((self.path, {k.lower(): v for k, v in self.headers.items()}, body))
            self.send_response(307 if other.to else other.status)
            self.send_header("location", other.to + self.path)
            self.send_header("content-length", "0")
            self.end_headers()

        do_GET = do_POST = do_PUT = do_LIST = do_PATCH = answer  # noqa: N815 - the library's names

        def log_message(self, *_args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    other.url = f"http://127.0.0.1:{server.server_port}"
    yield other
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[Other]:
    """A proxy that the environment names for everything."""
    with listening() as other:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, other.url)
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        yield other


def test_what_is_for_this_machine_goes_through_no_proxy(
    proxy: Other, vault_stand_in: VaultStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_TOKEN", ROOT)
    store = Vault("secrets", url=vault_stand_in.url, admin="env:SECRET_TOKEN")
    assert store.ledgers().read("ledgers/x").document is None
    with listening() as server:
        ask = {"operation": "ask", "repeatable": False}
        assert HttpSession("corp").request("GET", server.url, **ask).status == 404
        assert len(server.seen) == 1
        assert proxy.seen == []
        HttpSession("corp").request("GET", "http://id.example.com/", **ask)
    assert [path for path, _, _ in proxy.seen] == ["http://id.example.com/"]


def test_no_proxy_stands_before_aws_on_this_machine(proxy: Other, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEYS", "AKIA:secret")
    with listening() as server:
        server.status = 403
        with pytest.raises(KeystewardError):
            DynamoLedgers("ledgers", endpoint_url=server.url, admin="env:SECRET_KEYS", **REGION).read("x")
        assert server.seen
    assert proxy.seen == []


def test_a_redirect_out_of_tls_is_not_followed(there: Server, vault_stand_in: VaultStandIn) -> None:
    before = len(vault_stand_in.calls)
    with listening() as standby:
        standby.to = there.url
        store = there.store(url=standby.url)
        there.monkeypatch.setenv("TEST_APP", "role:secret")
        by_role = there.store(url=standby.url, auth="approle", admin="env:TEST_APP")
        for call in (
            lambda: store.ledgers().read("x"),
            lambda: store.ledgers().write("x", {"a": 1}, 0),
            lambda: by_role.read(PATH, 1),
        ):
            with pytest.raises(Unavailable, match=r"redirects to http://, where the token would travel in clear"):
                call()
        assert len(vault_stand_in.calls) == before
        there.store(url=standby.url, allow_http=True).ledgers().write("x", {"a": 1}, 0)
        standby.to = vault_stand_in.url
        assert there.store(url=standby.url).ledgers().read("x").document == {"a": 1}
