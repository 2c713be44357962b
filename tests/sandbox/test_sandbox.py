"""What all stand-ins share: clock, faults, call log, control API; and what needs time to pass."""

from __future__ import annotations

import os
import signal
import ssl
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection
from typing import TYPE_CHECKING

import pytest
import requests
import trustme

from keysteward.sandbox import Clock, Fault, KeycloakStandIn, Sandbox, VaultStandIn

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from werkzeug.wrappers import Request, Response

    from keysteward.sandbox.faults import Kind
    from keysteward.sandbox.server import Work

FAR = datetime(2031, 5, 6, 7, 8, 9, tzinfo=UTC)


@pytest.fixture
def vault() -> Iterator[VaultStandIn]:
    with VaultStandIn() as stand_in:
        yield stand_in


@pytest.fixture
def caller() -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.headers["X-Vault-Token"] = "sandbox-root"
        yield session


@pytest.fixture
def keycloak() -> Iterator[KeycloakStandIn]:
    with KeycloakStandIn(secret_rotation=True) as stand_in:
        yield stand_in


def token(url: str, client_id: str, secret: str, realm: str = "demo") -> requests.Response:
    form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret}
    return requests.post(f"{url}/realms/{realm}/protocol/openid-connect/token", data=form, timeout=10)


def admin(url: str, method: str, path: str, document: object = None) -> requests.Response:
    login = token(url, "sandbox-admin", "sandbox-admin-secret", realm="master").json()["access_token"]
    headers = {"Authorization": f"Bearer {login}"}
    return requests.request(method, f"{url}/admin/realms/demo{path}", json=document, headers=headers, timeout=10)


class TestClock:
    def test_runs_on_from_where_it_was_set(self) -> None:
        clock = Clock()
        clock.set(FAR)
        assert FAR <= clock.now() < FAR + timedelta(seconds=30)
        clock.advance(timedelta(days=2))
        assert clock.now() >= FAR + timedelta(days=2)

    def test_needs_a_time_zone(self) -> None:
        with pytest.raises(ValueError, match="aware"):
            Clock().set(FAR.replace(tzinfo=None))

    def test_is_one_for_the_whole_sandbox_and_every_answer_shows_it(self) -> None:
        with Sandbox() as sandbox:
            sandbox.clock.set(FAR)
            for address in (
                *(f"{sandbox.keycloak.url}/realms/demo", f"{sandbox.keycloak.url}/nope"),
                *(f"{sandbox.vault.url}/v1/sys/health", f"{sandbox.vault.url}/_sandbox/clock"),
                f"{sandbox.workos.url}/oauth2/jwks",
            ):
                answer = requests.get(address, timeout=10)
                assert answer.raw.headers.getlist("Date") == [answer.headers["Date"]]
                assert FAR <= parsedate_to_datetime(answer.headers["Date"]) < FAR + timedelta(seconds=30)

    def test_is_set_from_outside(self, vault: VaultStandIn) -> None:
        address = f"{vault.url}/_sandbox/clock"
        requests.put(address, json={"now": FAR.isoformat()}, timeout=10)
        answer = requests.put(address, json={"advance_seconds": 3600}, timeout=10).json()
        assert datetime.fromisoformat(answer["now"]) >= FAR + timedelta(hours=1)
        assert vault.clock.now() >= FAR + timedelta(hours=1)
        assert requests.put(address, json={"later": 1}, timeout=10).status_code == 400


class TestAround:
    def test_a_call_can_be_held_watched_and_left_without_an_answer(
        self, vault: VaultStandIn, caller: requests.Session
    ) -> None:
        seen = []

        def around(request: Request, work: Work) -> Response | None:
            answer = work()
            seen.append((request.method, request.path, answer.status_code if answer else None))
            return None if request.method == "POST" else answer

        url = f"{vault.url}/v1/secret/data/a"
        vault.around = around
        assert caller.get(url, timeout=10).status_code == 404
        with pytest.raises(requests.ConnectionError):
            caller.post(url, json={"data": {"x": "1"}}, timeout=10)
        assert caller.get(f"{vault.url}/_sandbox/clock", timeout=10).ok
        assert seen == [("GET", "/v1/secret/data/a", 404), ("POST", "/v1/secret/data/a", 200)]
        assert caller.get(url, timeout=10).json()["data"]["data"] == {"x": "1"}


class TestFaults:
    def test_a_status_is_answered_without_work(self, vault: VaultStandIn, caller: requests.Session) -> None:
        vault.faults.add(
            Fault(kind="status", method="POST", status=429, headers={"Retry-After": "7"}, after=1, times=1)
        )
        address = f"{vault.url}/v1/secret/data/a"
        answers = [caller.post(address, json={"data": {"n": n}}) for n in range(3)]
        assert [answer.status_code for answer in answers] == [200, 429, 200]
        assert answers[1].headers["Retry-After"] == "7"
        assert caller.get(address).json()["data"]["metadata"]["version"] == 2

    @pytest.mark.parametrize(("kind", "versions"), [("lost_reply", 1), ("lost_request", 0)])
    def test_a_lost_call_was_done_or_not(
        self, vault: VaultStandIn, caller: requests.Session, kind: Kind, versions: int
    ) -> None:
        vault.faults.add(Fault(kind=kind, method="POST", path="/data/a$"))
        with pytest.raises(requests.ConnectionError):
            caller.post(f"{vault.url}/v1/secret/data/a", json={"data": {}})
        assert caller.get(f"{vault.url}/v1/secret/data/a").status_code == (200 if versions else 404)
        assert [call.fault for call in vault.calls] == [kind, None]
        assert vault.calls[0].status == (200 if versions else None)

    def test_a_slow_call_holds_up_nobody_else(self, vault: VaultStandIn, caller: requests.Session) -> None:
        vault.faults.add(Fault(kind="slow", path="/data/slow", seconds=60))
        done: list[int] = []

        def call() -> None:
            try:
                done.append(requests.get(f"{vault.url}/v1/secret/data/slow", timeout=30).status_code)
            except requests.ConnectionError:
                done.append(0)

        waiting = threading.Thread(target=call)
        waiting.start()
        while not vault.faults.listing()[0]["seen"]:
            assert waiting.is_alive()
        assert caller.get(f"{vault.url}/v1/secret/data/a").status_code == 404
        assert not done
        vault.stop()
        waiting.join(timeout=60)
        assert done

    def test_a_slow_call_is_done_at_last(self, vault: VaultStandIn, caller: requests.Session) -> None:
        vault.faults.add(Fault(kind="slow", seconds=0.01))
        assert caller.post(f"{vault.url}/v1/secret/data/a", json={"data": {}}).status_code == 200

    def test_lists_lag(self, keycloak: KeycloakStandIn) -> None:
        def listed() -> set[str]:
            return {client["clientId"] for client in admin(keycloak.url, "GET", "/clients").json()}

        old = admin(keycloak.url, "POST", "/clients", {"clientId": "old"}).headers["Location"].rpartition("/")[2]
        keycloak.clock.advance(timedelta(minutes=1))
        admin(keycloak.url, "POST", "/clients", {"clientId": "new"})
        admin(keycloak.url, "DELETE", f"/clients/{old}")
        keycloak.faults.add(Fault(kind="stale_list", method="GET", path="/clients$", seconds=30, times=2))
        assert "old" in listed()
        keycloak.clock.advance(timedelta(minutes=1))
        assert "new" in listed()
        assert "old" not in listed()

    def test_are_set_and_cleared_from_outside(self, vault: VaultStandIn) -> None:
        address = f"{vault.url}/_sandbox/faults"
        assert requests.post(address, json={"kind": "status", "status": 500, "times": None}, timeout=10).ok
        assert [requests.get(vault.url, timeout=10).status_code for _ in range(2)] == [500, 500]
        assert requests.get(address, timeout=10).json()[0]["seen"] == 2
        assert requests.delete(address, timeout=10).status_code == 204
        assert requests.get(vault.url, timeout=10).status_code == 404
        for bad in ({"kind": "fire"}, {"kind": "slow", "speed": 1}, {"kind": "slow", "path": "("}, {}):
            assert requests.post(address, json=bad, timeout=10).status_code == 400


class TestServer:
    def test_calls_are_noted_and_control_calls_are_not(self, vault: VaultStandIn, caller: requests.Session) -> None:
        caller.get(f"{vault.url}/v1/secret/metadata?list=true")
        address = f"{vault.url}/_sandbox/calls"
        (call,) = caller.get(address).json()
        assert call == {
            "method": "GET",
            "path": "/v1/secret/metadata",
            "query": "list=true",
            "status": 404,
            "fault": None,
        }
        assert caller.delete(address).status_code == 204
        assert vault.calls == []
        assert caller.get(f"{vault.url}/_sandbox/nothing").status_code == 404

    def test_connections_are_kept(self, vault: VaultStandIn) -> None:
        connection = HTTPConnection(vault.url.removeprefix("http://"), timeout=10)
        sockets = set()
        for status, headers in ((404, {"X-Vault-Token": "sandbox-root"}), (403, {})):
            connection.request("GET", "/v1/secret/data/a", headers=headers)
            answer = connection.getresponse()
            answer.read()
            assert answer.status == status
            sockets.add(connection.sock)
        connection.close()
        assert len(sockets) == 1
        assert None not in sockets

    def test_a_body_in_chunks(self, vault: VaultStandIn, caller: requests.Session) -> None:
        chunks = iter([b'{"data": ', b'{"x": 1}}'])
        assert caller.post(f"{vault.url}/v1/secret/data/a", data=chunks).status_code == 200

    def test_state_shows_live_secrets(self, keycloak: KeycloakStandIn, vault: VaultStandIn) -> None:
        admin(keycloak.url, "POST", "/clients", {"clientId": "c", "secret": "live"})
        state = requests.get(f"{keycloak.url}/_sandbox/state", timeout=10).json()
        (client,) = [item for item in state["realms"]["demo"]["clients"] if item["clientId"] == "c"]
        assert client["secret"] == "live"
        assert requests.get(f"{vault.url}/_sandbox/state", timeout=10).json()["mounts"] == {"secret": {}}

    def test_a_taken_port_is_an_error(self, vault: VaultStandIn) -> None:
        other = VaultStandIn(port=int(vault.url.rpartition(":")[2]))
        with pytest.raises(OSError, match="in use"):
            other.start()
        with pytest.raises(RuntimeError, match="not started"):
            _ = other.url

    def test_an_expired_certificate(self, tmp_path: Path) -> None:
        authority = trustme.CA()
        expired = authority.issue_cert("127.0.0.1", not_after=datetime(2020, 1, 1, tzinfo=UTC))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        expired.configure_cert(context)
        bundle = tmp_path / "ca.pem"
        authority.cert_pem.write_to_path(bundle)
        with VaultStandIn(ssl_context=context) as vault:
            assert vault.url.startswith("https://")
            with pytest.raises(requests.exceptions.SSLError, match="expired"):
                requests.get(f"{vault.url}/v1/sys/health", verify=str(bundle), timeout=10)

    def test_serve_runs_until_it_is_told_to_stop(self) -> None:
        program = (
            "from keysteward.sandbox import serve\n"
            "serve(keycloak_port=0, vault_port=0, workos_port=0,\n"
            "      started=lambda s: print(s.keycloak.url, s.vault.url, s.workos.url, flush=True))\n"
        )
        with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            keycloak, vault, workos = process.stdout.readline().split()
            assert requests.get(f"{keycloak}/realms/demo", timeout=10).ok
            assert requests.get(f"{vault}/v1/sys/health", timeout=10).ok
            assert requests.get(f"{workos}/oauth2/jwks", timeout=10).ok
            os.kill(process.pid, signal.SIGTERM)
            assert process.wait(timeout=120) == 0


class TestTimePasses:
    def test_a_token_ends(self, keycloak: KeycloakStandIn) -> None:
        access = token(keycloak.url, "sandbox-admin", "sandbox-admin-secret", realm="master").json()["access_token"]
        address, headers = f"{keycloak.url}/admin/realms/demo/clients", {"Authorization": f"Bearer {access}"}
        assert requests.get(address, headers=headers, timeout=10).status_code == 200
        keycloak.clock.advance(timedelta(seconds=301))
        assert requests.get(address, headers=headers, timeout=10).status_code == 401

    def test_secrets_under_a_rotation_policy_expire(self, keycloak: KeycloakStandIn) -> None:
        periods = {"expiration-period": 3000, "rotated-expiration-period": 1000, "remaining-rotation-period": 0}
        executor = {"executor": "secret-rotation", "configuration": periods}
        admin(keycloak.url, "PUT", "/client-policies/profiles", {"profiles": [{"name": "p", "executors": [executor]}]})
        condition = {"condition": "any-client", "configuration": {}}
        policy = {"name": "a", "enabled": True, "conditions": [condition], "profiles": ["p"]}
        admin(keycloak.url, "PUT", "/client-policies/policies", {"policies": [policy]})
        machine = {"clientId": "m", "secret": "one", "serviceAccountsEnabled": True}
        id_ = admin(keycloak.url, "POST", "/clients", machine).headers["Location"].rpartition("/")[2]
        two = admin(keycloak.url, "POST", f"/clients/{id_}/client-secret").json()["value"]

        def accepted() -> list[bool]:
            return [token(keycloak.url, "m", secret).ok for secret in ("one", two)]

        assert accepted() == [True, True]
        keycloak.clock.advance(timedelta(seconds=1001))
        assert accepted() == [False, True]
        keycloak.clock.advance(timedelta(seconds=2000))
        assert accepted() == [False, False]

    def test_vault_tokens_and_versions_end(self, vault: VaultStandIn, caller: requests.Session) -> None:
        made = caller.post(f"{vault.url}/v1/auth/token/create", json={"policies": ["default"], "ttl": "1h"}).json()
        caller.post(f"{vault.url}/v1/secret/metadata/a", json={"delete_version_after": "30m"})
        caller.post(f"{vault.url}/v1/secret/data/a", json={"data": {}})
        limited = {"X-Vault-Token": made["auth"]["client_token"]}
        vault.clock.advance(timedelta(minutes=31))
        assert caller.get(f"{vault.url}/v1/secret/data/a").status_code == 404
        assert requests.get(f"{vault.url}/v1/auth/token/lookup-self", headers=limited, timeout=10).ok
        vault.clock.advance(timedelta(minutes=31))
        assert requests.get(f"{vault.url}/v1/auth/token/lookup-self", headers=limited, timeout=10).status_code == 403


class TestSealed:
    def test_a_sealed_vault_answers_nothing_else(self, vault: VaultStandIn, caller: requests.Session) -> None:
        assert caller.put(f"{vault.url}/v1/sys/seal").status_code == 204
        answer = caller.get(f"{vault.url}/v1/secret/data/a")
        assert (answer.status_code, answer.json()) == (503, {"errors": ["Vault is sealed"]})
        assert requests.get(f"{vault.url}/v1/sys/health", timeout=10).status_code == 503
        assert caller.put(f"{vault.url}/v1/sys/unseal", json={"key": "any"}).json()["sealed"] is False
        assert caller.get(f"{vault.url}/v1/secret/data/a").status_code == 404


def test_administrators_have_roles_that_exist() -> None:
    stand_in = KeycloakStandIn()
    stand_in.add_admin("demo", "reader", "s", roles={"view-clients"})
    with pytest.raises(ValueError, match="no such role of realm-management: view-everything"):
        stand_in.add_admin("demo", "other", "s", roles={"view-everything"})
