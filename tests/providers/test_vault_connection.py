"""Vault refuses, is sealed, is down, loses replies; tokens, log-ins and certificates. Stand-in and real server."""

from __future__ import annotations

import datetime as dt
import ssl
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import jwt
import pytest
import trustme
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from vault_server import ROOT, Server

from keysteward.core.contract.observed import Delivered
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
from keysteward.providers.vault import Vault, policy
from keysteward.sandbox import Fault, VaultStandIn
from keysteward.testing.store_world import PATH, about, at, deliver, entry, secret, text_of

if TYPE_CHECKING:
    from real_servers import RealVault


@pytest.fixture
def stand_in() -> Iterator[VaultStandIn]:
    with VaultStandIn(auth_methods=("jwt",)) as vault:
        yield vault


@pytest.fixture
def fake(stand_in: VaultStandIn, monkeypatch: pytest.MonkeyPatch) -> Server:
    """The stand-in, for faults and whatever would harm a shared server."""
    return Server(stand_in.url, ROOT, monkeypatch)


@pytest.fixture(params=["stand-in", pytest.param("real", marks=pytest.mark.real("vault"))])
def server(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    if request.param == "stand-in":
        stand_in: VaultStandIn = request.getfixturevalue("stand_in")
        yield Server(stand_in.url, ROOT, monkeypatch)
        return
    real: RealVault = request.getfixturevalue("real_vault")
    server = Server(real.url, real.token, monkeypatch)
    yield server
    server.call("DELETE", f"sys/mounts/{server.mount}")


class TestErrors:
    def test_a_right_that_is_missing_is_named(self, server: Server) -> None:
        server.give("RUNNER", server.token("reader"))
        with pytest.raises(AccessDenied, match=rf'env:TEST_RUNNER lacks "read" on {server.mount}/data/keysteward'):
            server.store().stage(PATH, entry(1, "one"), secret("one"))
        read_only = f'path "{server.mount}/*" {{ capabilities = ["read", "list"] }}'
        server.give("RUNNER", server.token_with(read_only))
        with pytest.raises(AccessDenied, match=rf'lacks "create" on {server.mount}/data/keysteward/ledgers/x'):
            server.store().ledgers().write("ledgers/x", {}, 0)

    def test_a_bad_token_is_named(self, server: Server) -> None:
        server.give("RUNNER", "no-such-token")
        with pytest.raises(AccessDenied, match="env:TEST_RUNNER is unknown or expired") as refused:
            server.store().read(PATH, 1)
        assert "no-such-token" not in str(refused.value)

    def test_a_token_of_the_shell_is_never_used(self, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("VAULT_TOKEN", server.root)
        monkeypatch.delenv("TEST_RUNNER")
        with pytest.raises(AccessDenied, match="TEST_RUNNER is not set"):
            server.store().read(PATH, 1)

    def test_a_missing_engine_is_named(self, server: Server) -> None:
        server.give("RUNNER", server.root)
        store = server.store(mount="no-such-mount")
        with pytest.raises(NotFound, match="nothing is mounted for no-such-mount/"):
            store.read(PATH, 1)
        with pytest.raises(NotFound, match="nothing is mounted"):
            store.delivered([PATH])
        with pytest.raises(NotFound, match="nothing is mounted"):
            store.ledgers().write("x", {}, 0)

    def test_a_server_that_is_down(self, stand_in: VaultStandIn, fake: Server) -> None:
        store = fake.store()
        stand_in.stop()
        with pytest.raises(Unavailable, match="cannot be reached"):
            store.delivered([PATH])
        with pytest.raises(Unavailable, match="cannot be reached"):
            store.ledgers().now()
        with pytest.raises(Unavailable, match="cannot be reached"):
            store.ledgers().write("x", {}, 0)
        assert [check.ok for check in store.diagnose([PATH])] == [False]

    def test_a_sealed_server(self, stand_in: VaultStandIn, fake: Server) -> None:
        store = fake.store()
        stand_in.sealed = True
        calls = [
            lambda: store.delivered([PATH]),
            lambda: store.promote(PATH, entry(1, "one"), about(), {}),
            lambda: store.ledgers().now(),
            lambda: store.ledgers().write("x", {}, 0),
        ]
        for call in calls:
            with pytest.raises(Unavailable, match="is sealed: unseal it"):
                call()
        assert "sealed" in next(iter(store.diagnose([PATH]))).detail

    def test_a_lost_reply_is_an_unknown_outcome_and_the_repetition_finds_it(
        self, stand_in: VaultStandIn, fake: Server
    ) -> None:
        store = fake.store()
        store.stage(PATH, entry(1, "one"), secret("one"))
        stand_in.faults.add(Fault(kind="lost_reply", method="POST", path=f"/data/{PATH}"))
        with pytest.raises(OutcomeUnknown):
            store.promote(PATH, entry(1, "one"), about(), {})
        assert at(store.as_reader()).unknown
        store.promote(PATH, entry(1, "one"), about(), {})
        assert fake.metadata()["current_version"] == 1
        assert at(store.as_reader()).current == at(store).current is not None

    @pytest.mark.parametrize(
        "fault",
        [Fault(kind="lost_reply", path="/data/"), Fault(kind="lost_request", path="/data/")]
        + [Fault(kind="status", path="/data/", status=status) for status in (500, 502)],
        ids=lambda fault: f"{fault.kind}-{fault.status}",
    )
    def test_a_write_without_a_clear_answer_is_never_repeated(
        self, stand_in: VaultStandIn, fake: Server, fault: Fault
    ) -> None:
        ledgers = fake.store().ledgers()
        ledgers.write("ledgers/x", {"a": 1}, 0)
        stand_in.calls.clear()
        stand_in.faults.add(fault)
        with pytest.raises(OutcomeUnknown):
            ledgers.write("ledgers/x", {"a": 2}, 1)
        assert len(stand_in.calls) == 1
        assert ledgers.read("ledgers/x").version == (2 if fault.kind == "lost_reply" else 1)

    @pytest.mark.parametrize(
        "fault",
        [Fault(kind="lost_request", path="/data/"), Fault(kind="status", path="/data/", status=429)],
        ids=lambda fault: fault.kind,
    )
    def test_a_read_is_repeated(self, stand_in: VaultStandIn, fake: Server, fault: Fault) -> None:
        ledgers = fake.store().ledgers()
        ledgers.write("ledgers/x", {"a": 1}, 0)
        stand_in.faults.add(fault)
        assert ledgers.read("ledgers/x").document == {"a": 1}

    @pytest.mark.parametrize(("status", "kind"), [(500, Unavailable), (503, Unavailable), (400, Rejected)])
    def test_a_refused_read(
        self, stand_in: VaultStandIn, fake: Server, status: int, kind: type[KeystewardError]
    ) -> None:
        stand_in.faults.add(Fault(kind="status", path="/data/", status=status))
        with pytest.raises(kind):
            fake.store().ledgers().read("ledgers/x")

    def test_an_expired_certificate(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        authority = trustme.CA()
        ca = tmp_path / "ca.pem"
        authority.cert_pem.write_to_path(ca)
        monkeypatch.setenv("TEST_RUNNER", ROOT)

        def served(not_after: dt.datetime) -> VaultStandIn:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            authority.issue_cert("127.0.0.1", not_after=not_after).configure_cert(context)
            return VaultStandIn(ssl_context=context)

        with served(dt.datetime.now(dt.UTC) + dt.timedelta(days=1)) as vault:
            store = Vault("secrets", url=vault.url, admin="env:TEST_RUNNER", ca=str(ca))
            assert at(store) == Delivered()
            with pytest.raises(Unavailable, match=r"no TLS with .*name its CA"):
                at(Vault("secrets", url=vault.url, admin="env:TEST_RUNNER"))
        with served(dt.datetime.now(dt.UTC) - dt.timedelta(days=1)) as vault:
            store = Vault("secrets", url=vault.url, admin="env:TEST_RUNNER", ca=str(ca))
            for call in (lambda: at(store), lambda: store.ledgers().write("x", {}, 0)):
                with pytest.raises(Unavailable, match="certificate has expired"):
                    call()

    def test_no_error_shows_a_value(self, stand_in: VaultStandIn, fake: Server) -> None:
        store = fake.store()
        stand_in.faults.add(Fault(kind="lost_reply", method="POST", path="/data/keysteward/staged"))
        with pytest.raises(OutcomeUnknown) as unknown:
            store.stage(PATH, entry(1, "very-secret"), secret("very-secret"))
        with pytest.raises(Conflict) as refused:
            store.stage(PATH, entry(1, "other"), secret("other"))
        for error in (unknown.value, refused.value):
            assert error.__cause__ is None
            assert error.__context__ is None
            assert "very-secret" not in repr(vars(error))


def approle_of(server: Server, ttl: str) -> tuple[str, str]:
    """Make a role with the runner's rights; returns its role id and a secret id."""
    server.call("POST", "sys/auth/approle", {"type": "approle"})
    name = f"test-{uuid.uuid4().hex[:8]}"
    server.call("PUT", f"sys/policies/acl/{name}", {"policy": policy("runner", mount=server.mount, delivered="apps/*")})
    server.call("POST", f"auth/approle/role/{name}", {"token_policies": [name], "token_ttl": ttl})
    role_id = server.call("GET", f"auth/approle/role/{name}/role-id").json()["data"]["role_id"]
    secret_id = server.call("POST", f"auth/approle/role/{name}/secret-id").json()["data"]["secret_id"]
    return role_id, secret_id


ON_A_REAL_SERVER = pytest.mark.parametrize(
    "server", [pytest.param("real", marks=pytest.mark.real("vault"))], indirect=True
)


class TestLogins:
    @ON_A_REAL_SERVER
    def test_approle(self, server: Server) -> None:
        role_id, secret_id = approle_of(server, "10m")
        server.give("RUNNER", f"{role_id}:{secret_id}")
        store = server.store(auth="approle", reader=None)
        deliver(store, 1, "one")
        assert text_of(store, 1) == "one"
        revoke(server, store)
        assert text_of(store, 1) == "one"
        server.give("RUNNER", f"{role_id}:wrong")
        with pytest.raises(AccessDenied, match="approle log-in with env:TEST_RUNNER was refused"):
            server.store(auth="approle", reader=None).read(PATH, 1)
        server.give("RUNNER", "without colon")
        with pytest.raises(AccessDenied, match="role_id:secret_id"):
            server.store(auth="approle", reader=None).read(PATH, 1)

    @ON_A_REAL_SERVER
    def test_a_token_is_replaced_before_it_expires(self, server: Server) -> None:
        role_id, secret_id = approle_of(server, "10m")
        server.give("RUNNER", f"{role_id}:{secret_id}")
        store = server.store(auth="approle", reader=None)
        first = store._admin._current_token()
        assert store._admin._current_token() == first
        store._admin._renew_at = 0.0
        assert store._admin._current_token() != first

    def test_jwt(self, server: Server) -> None:
        server.call("POST", "sys/auth/jwt", {"type": "jwt"})
        key = ec.generate_private_key(ec.SECP256R1())
        public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
        assert server.call("POST", "auth/jwt/config", {"jwt_validation_pubkeys": [public]}).ok
        name = f"test-{uuid.uuid4().hex[:8]}"
        text = policy("runner", mount=server.mount, delivered="apps/*")
        server.call("PUT", f"sys/policies/acl/{name}", {"policy": text})
        role = {"role_type": "jwt", "user_claim": "sub", "bound_audiences": ["vault"], "token_policies": [name]}
        assert server.call("POST", f"auth/jwt/role/{name}", role).ok
        now = dt.datetime.now(dt.UTC)
        claims = {"sub": "ci", "aud": "vault", "iat": now, "nbf": now, "exp": now + dt.timedelta(minutes=5)}
        server.give("RUNNER", jwt.encode(claims, key, algorithm="ES256"))
        store = server.store(auth="jwt", role=name, reader=None)
        deliver(store, 1, "one")
        assert text_of(store, 1) == "one"
        server.give("RUNNER", jwt.encode({**claims, "aud": "other"}, key, algorithm="ES256"))
        with pytest.raises(AccessDenied, match="jwt log-in with env:TEST_RUNNER was refused"):
            server.store(auth="jwt", role=name, reader=None).read(PATH, 1)

    def test_jwt_needs_a_role(self) -> None:
        with pytest.raises(DeclarationError, match="needs role="):
            Vault("secrets", url="https://vault.example.com", admin="env:X", auth="jwt")

    def test_a_value_in_place_of_a_reference_is_refused(self) -> None:
        with pytest.raises(DeclarationError, match="admin must be a reference"):
            Vault("secrets", url="https://vault.example.com", admin="hvs.CAESI")
        with pytest.raises(DeclarationError, match="secrets: url must be an address that begins with https://"):
            Vault("secrets", url="vault.example.com", admin="env:X")
        with pytest.raises(DeclarationError, match="auth is"):
            Vault("secrets", url="https://v", admin="env:X", auth="ldap")  # type: ignore[arg-type]


def revoke(server: Server, store: Vault) -> None:
    server.call("POST", "auth/token/revoke", {"token": store._admin._token})
