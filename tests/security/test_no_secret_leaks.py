"""The whole story, with every secret of it known: none is found in state, plans, logs, errors, outputs or ledgers."""

from __future__ import annotations

import base64
import json
import logging
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import pytest
from canary import (
    READER_SECRET,
    RUNNER_SECRET,
    VAULT_RUNNER,
    WRONG_SECRET,
    Evidence,
    Known,
    WatchedKeycloak,
    forms,
    leaks,
    note_values,
)
from dynamic_server import RUNNER_ROLES, Acme, PluginError
from previews import previewed
from project import Project
from samples import sampled

from keysteward import ClientSecret, KeystewardError, M2MClient, Owners, ResourceServer, RotationSchedule, Stack
from keysteward.core.assess.status import outputs
from keysteward.core.contract.ports import Stored
from keysteward.host.material import new_material
from keysteward.operations import session as sessions
from keysteward.operations.session import Access, Session
from keysteward.providers.keycloak import Keycloak, adapter
from keysteward.providers.local import LocalStore
from keysteward.providers.vault import Vault
from keysteward.sandbox.faults import Fault
from keysteward.sandbox.keycloak import KeycloakStandIn
from keysteward.sandbox.keycloak.models import CLIENT_DEFAULTS, Client
from keysteward.sandbox.vault import VaultStandIn
from keysteward.testing.aging import age_ledgers

# ---- the scan itself


@pytest.mark.parametrize("form", forms(RUNNER_SECRET))
def test_the_scan_finds_a_canary_in_every_form(form: str, known: Known) -> None:
    planted = b'{"note": "' + forms(RUNNER_SECRET)[form] + b'"}'
    found = leaks([("a file", b"nothing"), ("a file", planted)], known)
    assert [leak.partition(",")[0] for leak in found] == ["a file: administrator's secret"]
    assert RUNNER_SECRET not in "".join(found)


def test_the_scan_finds_credentials_in_a_basic_header_a_form_and_a_private_key(known: Known) -> None:
    header = base64.b64encode(f"runner:{RUNNER_SECRET}".encode())
    assert leaks([("log", b"Authorization: Basic " + header)], known)
    assert leaks([("log", f"client_secret={quote_plus(RUNNER_SECRET)}&x=y".encode())], known)
    pair = new_material("private_key_jwt")
    known.add("key", pair.value.get_secret_value())
    assert leaks([("log", pair.value.get_secret_value().encode())], known) == ["log: key, as it is"]
    assert leaks([("log", repr(pair).encode())], known) == []


def test_the_scan_finds_a_canary_in_a_log_an_error_and_a_ledger(
    evidence: Evidence, known: Known, tmp_path: Path
) -> None:
    logging.getLogger("urllib3.connectionpool").debug("sent %s", {"secret": RUNNER_SECRET})
    evidence.add_error(KeystewardError(f"refused {READER_SECRET}"))
    LocalStore("local", root=tmp_path, key=tmp_path / "key").ledgers().write("k", {"note": VAULT_RUNNER}, 0)
    evidence.add_folder(tmp_path)
    places = {leak.partition(":")[0] for leak in leaks(evidence.items, known)}
    assert {"log of urllib3.connectionpool", "error KeystewardError", "rows of ledgers.sqlite3"} <= places
    assert places & {"file ledgers.sqlite3", "file ledgers.sqlite3-wal"}


# ---- the embedded door


@dataclass
class World:
    """Targets, store and ledgers of one story, with the doors open to every onlooker."""

    keycloak: WatchedKeycloak
    vault: VaultStandIn | None
    store: Any
    evidence: Evidence
    known: Known
    corp: Keycloak

    def stack(self, *, jobs: int = 0, drop: Iterable[str] = (), **target: Any) -> Stack:  # noqa: ANN401
        """Return three credentials of different strategies, and so many more."""
        corp = replace(self.corp, **target)
        given: dict[str, Any] = {"target": corp, "owner": "team", "purpose": "Test", "environment": "test"}
        every = {"rotation": RotationSchedule(every="90d", overlap="7d")}  # type: ignore[arg-type]
        scopes = {"invoices:read": "Read"}
        billing = ResourceServer("billing", target=corp, audience="https://billing.example.com", scopes=scopes)
        access = {"access": {billing: ["invoices:read"]}}
        path = self.store.path
        declared = [
            M2MClient("pair", auth_method="private_key_jwt", deliver_to=path("apps/pair"), **access, **given, **every),
            M2MClient("slot", deliver_to=path("apps/slot"), **access, **given, **every),
            ClientSecret("login", client="login", deliver_to=path("apps/login"), **given, **every),
            *(M2MClient(f"job-{n}", deliver_to=path(f"apps/job-{n}"), **access, **given, **every) for n in range(jobs)),
        ]
        kept = [d for d in declared if d.name not in set(drop)]
        return Stack("acme/test", Owners(), self.ledgers, [billing, *kept])

    @property
    def ledgers(self) -> Any:  # noqa: ANN401 - the ledger store of either store
        return self.store.ledgers("keysteward") if self.vault else self.store.ledgers()

    def session(self, stack: Stack, access: Access) -> Session:
        told = lambda identity, words: self.evidence.add("progress", f"{identity} {words}")  # noqa: E731
        session = Session(stack.identity, stack.ledgers, access=access, specs=stack.specs, tell=told)
        session.add_ports(stack.targets, stack.stores)
        return session

    def up(self, stack: Stack, *, prune: bool = False) -> int:
        """Preview and run both kinds; every answer and every error is evidence. Returns how many failed."""
        failed = 0
        for access in ("reader", "runner"):
            for act in self._acts(stack, access, prune):  # type: ignore[arg-type]
                try:
                    self.evidence.add("answer", act())
                except KeystewardError as error:
                    failed += 1
                    self.evidence.add_error(error)
        return failed

    def _acts(self, stack: Stack, access: Access, prune: bool) -> Iterator[Callable[[], object]]:
        try:
            session = self.session(stack, access)
            gone = sorted(set(session.snapshot.ledgers) - set(stack.specs)) if prune else []
            self.evidence.add("repr", (session, session.snapshot, session.targets, session.stores, session.ledgers))
        except KeystewardError as error:
            self.evidence.add_error(error)
            return
        everything = [*stack.specs.items(), *((identity, None) for identity in gone)]
        for identity, server in stack.server_specs.items():
            verb = session.servers.preview if access == "reader" else session.servers.run
            yield lambda v=verb, i=identity, s=server: v(i, s)  # type: ignore[misc]
        for identity, spec in everything:
            credentials = session.credentials
            verb = partial(previewed, credentials) if access == "reader" else credentials.run  # type: ignore[assignment]
            yield lambda v=verb, i=identity, s=spec: v(i, s)  # type: ignore[misc]
            yield lambda i=identity, s=spec: outputs(session.snapshot.world(i, s))  # type: ignore[misc]
            yield lambda i=identity, s=spec: session.snapshot.world(i, s)  # type: ignore[misc]

    def pass_time(self, **by: float) -> None:
        age_ledgers(self.ledgers, "acme/test", timedelta(**by))

    def ended(self) -> set[str]:
        """Return the names whose ledgers are closed."""
        return {key.rpartition("/")[2] for key, stored in self.ledgers.list("ledgers/").items() if _closed(stored)}

    @contextmanager
    def trouble(self, server: KeycloakStandIn | VaultStandIn, *faults: Fault) -> Iterator[None]:
        for fault in faults:
            server.faults.add(fault)
        yield
        server.faults.clear()


def _closed(stored: Stored) -> bool:
    return bool((stored.document or {}).get("closed"))


@pytest.fixture(params=sampled(["local", "vault"], ["vault"]))
def world(
    request: pytest.FixtureRequest, known: Known, evidence: Evidence, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[World]:
    def watched(method: str) -> Any:  # noqa: ANN401 - what new_material returns
        made = new_material(method)
        known.add("generated value", made.value.get_secret_value())
        return made

    monkeypatch.setattr(sessions, "new_material", watched)
    monkeypatch.setattr(adapter, "new_material", watched)
    for name, value in {
        "CANARY_READER": f"reader:{READER_SECRET}",
        "CANARY_RUNNER": f"runner:{RUNNER_SECRET}",
        "CANARY_WRONG": f"runner:{WRONG_SECRET}",
        "CANARY_VAULT_RUNNER": VAULT_RUNNER,
        "CANARY_VAULT_WRONG": WRONG_SECRET,
    }.items():
        monkeypatch.setenv(name, value)
    with WatchedKeycloak(known, secret_rotation=True) as keycloak, VaultStandIn(root_token=VAULT_RUNNER) as vault:
        keycloak.add_admin("demo", "runner", RUNNER_SECRET, roles=RUNNER_ROLES | {"manage-realm", "view-realm"})
        keycloak.add_admin("demo", "reader", READER_SECRET, roles={"view-clients", "view-realm"})
        login = Client("login", secret="theirs-canary-4471b0", settings=dict(CLIENT_DEFAULTS))
        keycloak.realms["demo"].clients[login.id] = login
        corp = Keycloak(
            "corp",
            url=keycloak.url,
            realm="demo",
            reader="env:CANARY_READER",
            admin="env:CANARY_RUNNER",
            secret_rotation=True,
        )
        store: Any = LocalStore("local", root=tmp_path / "store", key=tmp_path / "age.key")
        if request.param == "vault":
            store = Vault("secrets", url=vault.url, mount="secret", admin="env:CANARY_VAULT_RUNNER")
        yield World(keycloak, vault if request.param == "vault" else None, store, evidence, known, corp)


def kept_documents(world: World) -> list[tuple[str, bytes]]:
    """Return what ledger store and store show beside the delivered documents themselves."""
    if world.vault is None:
        return []
    found = []
    for path, entry in world.vault.state()["mounts"]["secret"].items():
        data = entry.pop("data")
        found.append((f"metadata of {path}", repr(entry).encode()))
        if path.startswith("keysteward/") and not path.startswith("keysteward/staged"):
            found.append((f"document {path}", repr(data).encode()))
    return found


@pytest.mark.usefixtures("no_waiting")
def test_the_embedded_door_shows_no_secret(world: World, tmp_path: Path) -> None:
    evidence, known, keycloak = world.evidence, world.known, world.keycloak
    assert world.up(world.stack()) == 0
    delivered = {name: world.store.read(f"apps/{name}", 1) for name in ("pair", "slot")}
    for material in delivered.values():
        known_before = len(known.values)
        known.add("delivered value", material.value.get_secret_value())
        assert len(known.values) == known_before, "a delivered value was not recorded as it was made"
    evidence.items += kept_documents(world)
    world.pass_time(days=90)
    assert world.up(world.stack()) == 0
    world.pass_time(days=8)
    assert world.up(world.stack()) == 0
    evidence.items += kept_documents(world)
    slot = keycloak.realms["demo"].client_named("slot")
    assert slot is not None
    slot.settings["fullScopeAllowed"] = True
    slot.secret = "set-by-hand-canary-81ac3e"
    assert world.up(world.stack()) == 0
    assert known.count("generated value") >= 5
    assert known.count("access token") >= 6
    assert known.count("client assertion") >= 2
    assert known.count("secret at the target") >= 2

    world.pass_time(days=90)
    troubles = [
        (keycloak, Fault(kind="status", status=500, method="POST", path=r"/clients$", times=None)),
        (keycloak, Fault(kind="status", status=500, path=r"/clients", times=None)),
        (keycloak, Fault(kind="status", status=400, path=r"demo/protocol/openid-connect/token", times=None)),
        (keycloak, Fault(kind="lost_reply", method="PUT", path=r"/clients/", times=1)),
        (keycloak, Fault(kind="lost_reply", method="POST", path=r"/clients$", times=1)),
        (keycloak, Fault(kind="status", status=409, method="POST", path=r"/clients$", times=None)),
        (keycloak, Fault(kind="status", status=403, method="PUT", path=r"/clients/", times=None)),
    ]
    if world.vault is not None:
        troubles += [
            (world.vault, Fault(kind="status", status=500, method="POST", path="/data/keysteward/staged", times=None)),
            (world.vault, Fault(kind="status", status=403, path="/data/apps", times=None)),
            (world.vault, Fault(kind="lost_reply", method="POST", path="/data/apps", times=1)),
            (world.vault, Fault(kind="status", status=500, path="/data/keysteward/ledgers", times=None)),
        ]
    for jobs, (server, fault) in enumerate(troubles, start=1):
        with world.trouble(server, fault):
            assert world.up(world.stack(jobs=jobs)) > 0 or fault.kind == "lost_reply" or fault.status == 400, fault
    assert world.up(world.stack(reader="env:CANARY_WRONG", admin="env:CANARY_WRONG")) > 0
    world.pass_time(minutes=10)  # the leases of the runs that failed
    assert world.up(world.stack(jobs=len(troubles))) == 0
    evidence.items += kept_documents(world)
    evidence.add_folder(tmp_path, tmp_path / "age.key")
    keycloak.stop()
    assert world.up(world.stack()) > 0
    world.keycloak.restart()
    world.pass_time(minutes=10)
    names = {"pair", "slot", *(f"job-{n}" for n in range(len(troubles)))}
    world.up(world.stack(drop=["pair", "slot", "login"]), prune=True)
    assert world.ended() >= {*names, "login"}
    evidence.items += kept_documents(world)
    evidence.add_folder(tmp_path, tmp_path / "age.key")

    assert evidence.of("log of urllib3")
    assert evidence.of("log of keysteward")
    assert leaks(evidence.items, known) == []
    assert b"AGE-SECRET-KEY" not in b"".join(content for _, content in evidence.items)
    entries = world.vault.state()["mounts"]["secret"] if world.vault else {}
    assert leaks([(path, repr(e).encode()) for path, e in entries.items() if "login" not in path], known) == []
    evidence.add("answer", next(iter(known.values)))
    assert leaks(evidence.items, known) != []


# ---- the Pulumi door


class WatchedAcme(Acme):
    environment = {"TEST_READER": f"reader:{READER_SECRET}", "TEST_ADMIN": f"runner:{RUNNER_SECRET}"}  # noqa: RUF012


@pytest.mark.proof
def test_the_plugin_shows_no_secret(known: Known, evidence: Evidence, watch: dict[str, str], tmp_path: Path) -> None:
    folder = tmp_path / "acme"
    folder.mkdir()
    with WatchedKeycloak(known) as keycloak:
        acme = WatchedAcme(keycloak, folder)
        engine = acme.engine
        engine.environment |= watch

        def story(*names: str) -> Stack:
            return acme.stack(
                *(acme.client(name) for name in names),
                acme.client("turns", auth_method="client_secret", alternate_clients=True),
            )

        engine.up(story("exporter"))
        held = acme.store.read("apps/turns", 1)
        assert held is not None
        for by in ({"days": 90}, {"days": 8}):
            acme.pass_time(**by)
            engine.preview(story("exporter"))
            engine.up(story("exporter"))
            engine.refresh()
        acme.remote("turns").settings["fullScopeAllowed"] = True
        acme.remote("exporter").attributes["jwks.string"] = '{"keys": []}'
        engine.refresh()
        evidence.add("state", json.dumps({name: [r.inputs, r.outputs] for name, r in engine.state.items()}))
        engine.up(story("exporter"))
        for act in _errors(acme, story("exporter", "more")):
            with suppress(PluginError):
                act()
            keycloak.faults.clear()
        engine.up(story("exporter", "more"))
        evidence.add("state", json.dumps({name: [r.inputs, r.outputs] for name, r in engine.state.items()}))
        engine.destroy(KEYSTEWARD_ALLOW_ENDING="9")
    note_values(known, watch)
    assert held.value.get_secret_value() in known.values
    assert known.count("generated value") >= 2
    assert known.count("access token") >= 4
    evidence.add("plugin", "\n".join(engine.transcript))
    evidence.add_folder(folder, folder / "age.key")
    assert b"BridgeError" in evidence.of("plugin")
    assert b"turns" in evidence.of("state")
    assert leaks(evidence.items, known) == []
    evidence.add("plugin", held.value.get_secret_value())
    assert leaks(evidence.items, known) != []


def _errors(acme: Acme, stack: Stack) -> Iterator[Callable[[], object]]:
    engine, faults = acme.engine, acme.keycloak.faults
    yield lambda: engine.preview(stack, TEST_READER=f"reader:{WRONG_SECRET}")
    yield lambda: engine.up(stack, TEST_ADMIN=f"runner:{WRONG_SECRET}")
    yield lambda: engine.up(stack, TEST_ADMIN=WRONG_SECRET, KEYSTEWARD_DEBUG="1")
    for fault in (
        Fault(kind="status", status=500, method="POST", path=r"/clients$", times=None),
        Fault(kind="status", status=500, method="PUT", path=r"/clients/", times=None),
        Fault(kind="lost_reply", method="POST", path=r"/clients$", times=1),
    ):
        faults.add(fault)
        yield lambda: engine.up(stack)
        faults.add(fault)
        yield lambda: engine.up(stack, KEYSTEWARD_DEBUG="1")


@pytest.mark.skipif(shutil.which("pulumi") is None, reason="the pulumi CLI is not on PATH")
@pytest.mark.timeout(900)
def test_the_engine_keeps_no_secret(known: Known, evidence: Evidence, watch: dict[str, str], tmp_path: Path) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    environment = {"TEST_READER": f"reader:{READER_SECRET}", "TEST_ADMIN": f"runner:{RUNNER_SECRET}"}
    with WatchedKeycloak(known) as keycloak:
        keycloak.add_admin("demo", "runner", RUNNER_SECRET, roles=RUNNER_ROLES)
        keycloak.add_admin("demo", "reader", READER_SECRET, roles={"view-clients"})
        others = {"TEST_READER2": "", "TEST_ADMIN2": "", "TEST_URL": keycloak.url}
        project = Project(folder, {**environment, **others, **watch})
        project.declare("client('exporter')", "client('turns', auth_method='client_secret', alternate_clients=True)")

        def call(*arguments: str, fails: bool = False, **settings: str) -> None:
            run = project.pulumi(*arguments, **settings)
            evidence.add(f"terminal of {arguments[0]}", run.text)
            assert (run.code != 0) is fails, run.text

        call("preview", "--diff", "--save-plan", "plan.json")
        call("up", "--yes", "--plan", "plan.json")
        held = project.store.read("apps/turns", 1)
        assert held is not None
        project.pass_time(days=90)
        call("up", "--yes", "--diff")
        project.pass_time(days=8)
        call("up", "--yes", "--skip-preview", "--json")
        client = keycloak.realms["demo"].client_named("exporter")
        assert client is not None
        client.settings["fullScopeAllowed"] = True
        call("refresh", "--yes", "--diff")
        call("preview", "--json")
        call("stack", "export", "--show-secrets")
        call("preview", fails=True, TEST_READER=f"reader:{WRONG_SECRET}")
        keycloak.faults.add(Fault(kind="status", status=500, method="PUT", path=r"/clients/", times=None))
        call("up", "--yes", fails=True, KEYSTEWARD_DEBUG="1")
        keycloak.faults.clear()
        call("destroy", "--yes", KEYSTEWARD_ALLOW_ENDING="9")
        call("stack", "history", "--json")
    note_values(known, watch)
    assert held.value.get_secret_value() in known.values
    evidence.add_folder(folder, folder / "age.key")
    names = {name.rpartition("/")[2] for name, _ in evidence.items if name.startswith("file state")}
    assert {"test.json", "test.json.bak"} <= names
    assert leaks(evidence.items, known) == []

    (folder / "state" / "planted.json").write_text(json.dumps({"planted": held.value.get_secret_value()}))
    evidence.add_folder(folder / "state")
    assert {leak.partition(":")[0] for leak in leaks(evidence.items, known)} == {"file planted.json"}
