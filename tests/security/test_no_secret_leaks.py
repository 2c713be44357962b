"""The whole story, with every secret of it known: none is found in state, plans, logs, errors, outputs or ledgers."""

from __future__ import annotations

import base64
import json
import logging
import os
import shutil
import sqlite3
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from dynamic_server import RUNNER_ROLES, Acme, PluginError
from project import Project
from werkzeug.wrappers import Request, Response

from keysteward import ClientSecret, KeystewardError, M2MClient, Owners, ResourceServer, RotationSchedule, Stack
from keysteward.core.ports import Stored
from keysteward.core.status import outputs
from keysteward.providers import session as sessions
from keysteward.providers.keycloak import Keycloak, adapter
from keysteward.providers.local import LocalStore
from keysteward.providers.material import new_material
from keysteward.providers.session import Access, Session
from keysteward.providers.vault import Vault
from keysteward.sandbox.faults import Fault
from keysteward.sandbox.keycloak import KeycloakStandIn
from keysteward.sandbox.keycloak.models import CLIENT_DEFAULTS, Client
from keysteward.sandbox.vault import VaultStandIn
from keysteward.testing.aging import age_ledgers

READER_SECRET = "Reader%+/=&canary-5f0c2b9a41"
RUNNER_SECRET = "Runner%+/=&canary-77d1e03c58"
WRONG_SECRET = "Wrong%+/=&canary-1c94aa6be0"
VAULT_READER = "hvs.reader-canary-9be2d7710c"
VAULT_RUNNER = "hvs.runner-canary-03fd81c6aa"
SHORTEST = 12
"""A shorter value is no secret, and would be found by chance."""

# ---- what is known, and how it is looked for


@dataclass
class Known:
    """Every secret of the story: value to what it is."""

    values: dict[str, str] = field(default_factory=dict)

    def add(self, what: str, value: str | None) -> None:
        """Note a value; of a token its signature, of a private JWK the private number."""
        if value and value.startswith("{"):
            value = json.loads(value)["d"]
        elif value and value.count(".") == 2 and value.startswith("eyJ"):
            value = value.rpartition(".")[2]
        if value and len(value) >= SHORTEST:
            self.values.setdefault(value, what)

    def count(self, what: str) -> int:
        return sum(1 for known in self.values.values() if known == what)


def forms(secret: str) -> dict[str, bytes]:
    """Return how a secret may look where it has leaked: as it is, escaped, and inside base64 at any offset."""
    raw = secret.encode()
    found = {
        "as it is": raw,
        "percent-encoded": quote(secret, safe="").encode(),
        "form-encoded": quote_plus(secret).encode(),
        "JSON": json.dumps(secret)[1:-1].encode(),
        "repr": repr(secret)[1:-1].encode(),
        "hexadecimal": raw.hex().encode(),
    }
    for offset, skipped in ((0, 0), (1, 2), (2, 3)):
        text = base64.b64encode(b"\0" * offset + raw)[skipped : 8 * (offset + len(raw)) // 6]
        found[f"base64 at offset {offset}"] = text
        found[f"base64url at offset {offset}"] = text.replace(b"+", b"-").replace(b"/", b"_")
    return found


def leaks(evidence: Iterable[tuple[str, bytes]], known: Known) -> list[str]:
    """Say which secrets are found where and in what form; the secrets themselves are not repeated."""
    wanted: dict[bytes, tuple[str, str]] = {}
    for secret, what in known.values.items():
        for name, form in forms(secret).items():
            wanted.setdefault(form, (what, name))
    return sorted(
        {
            f"{where}: {what}, {name}"
            for where, content in evidence
            for form, (what, name) in wanted.items()
            if form in content
        }
    )


class Evidence(logging.Handler):
    """Everything that may be seen by somebody who must not see a secret."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.items: list[tuple[str, bytes]] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a log record, but not those of the stand-ins: they are the vendor's side."""
        if not record.name.startswith("keysteward.sandbox"):
            trace = "".join(traceback.format_exception(*record.exc_info)) if record.exc_info else ""
            self.add(f"log of {record.name}", f"{record.getMessage()} {record.args!r} {trace}")

    def add(self, where: str, content: object) -> None:
        text = content if isinstance(content, (str, bytes)) else repr(content)
        self.items.append((where, text.encode() if isinstance(text, str) else text))

    def add_error(self, error: BaseException) -> None:
        trace = "".join(traceback.format_exception(error))
        self.add(f"error {type(error).__name__}", f"{error} {error!r} {error.__dict__!r} {trace}")

    def add_folder(self, folder: Path, *left_out: Path) -> None:
        """Add every file below a folder: names and bytes, and SQLite files once more as text."""
        for path in sorted(folder.rglob("*")):
            if path.is_symlink() or not path.is_file() or any(path.is_relative_to(out) for out in left_out):
                continue
            self.add(f"file {path.relative_to(folder)}", str(path).encode() + b"\n" + path.read_bytes())
            if path.suffix == ".sqlite3":
                with closing(sqlite3.connect(path)) as db:
                    self.add(f"rows of {path.name}", "\n".join(db.iterdump()))

    def of(self, where: str) -> bytes:
        return b"\n".join(content for name, content in self.items if name.startswith(where))


class WatchedKeycloak(KeycloakStandIn):
    """A stand-in that notes every secret it holds, takes or gives out."""

    def __init__(self, known: Known, **settings: Any) -> None:  # noqa: ANN401 - settings of the stand-in
        super().__init__(**settings)
        self.known = known

    def answer(self, request: Request) -> Response:
        """Answer, and look at everything before and after."""
        self._note_clients()
        if request.path.endswith("/token"):
            self.known.add("client assertion", request.form.get("client_assertion"))
        response = super().answer(request)
        if request.path.endswith("/token") and response.status_code == 200:
            self.known.add("access token", (response.get_json() or {}).get("access_token"))
        self._note_clients()
        return response

    def restart(self) -> None:
        """Answer again under the same address."""
        self._address = self.last_address
        self.start()

    def stop(self) -> None:
        """Stop, and remember where it was."""
        if self._server is not None:
            self.last_address = (self._address[0], int(self.url.rpartition(":")[2]))
        super().stop()

    def _note_clients(self) -> None:
        for realm in self.realms.values():
            for client in realm.clients.values():
                self.known.add("secret at the target", client.secret)
                self.known.add("secret at the target", client.attributes.get("client.secret.rotated"))


@pytest.fixture
def known() -> Known:
    secrets = (READER_SECRET, RUNNER_SECRET, WRONG_SECRET, VAULT_READER, VAULT_RUNNER)
    return Known(dict.fromkeys(secrets, "administrator's secret"))


@pytest.fixture
def evidence() -> Iterator[Evidence]:
    """Listen to every logger at its most talkative."""
    made = Evidence()
    loggers = [logging.getLogger(name) for name in ("", "keysteward", "urllib3", "requests", "hvac", "grpc", "pulumi")]
    levels = [logger.level for logger in loggers]
    logging.getLogger().addHandler(made)
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
    yield made
    logging.getLogger().removeHandler(made)
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)


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
            verb = session.credentials.preview if access == "reader" else session.credentials.run  # type: ignore[assignment]
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


@pytest.fixture(params=["local", "vault"])
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


WATCH = """
import os
try:
    from keysteward.providers import material
except ImportError:
    pass
else:
    made_before = material.new_material

    def new_material(method):
        made = made_before(method)
        with open(os.environ["CANARY_FILE"], "a", encoding="utf-8") as file:
            file.write(made.value.get_secret_value() + "\\n")
        return made

    material.new_material = new_material
"""
"""A sitecustomize.py for processes of others: every value made in them is noted in a file."""


@pytest.fixture
def watch(tmp_path: Path) -> dict[str, str]:
    folder = tmp_path / "watch"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(WATCH)
    path = os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {"PYTHONPATH": path, "CANARY_FILE": str(folder / "values")}


def note_values(known: Known, watch: dict[str, str]) -> None:
    for line in Path(watch["CANARY_FILE"]).read_text(encoding="utf-8").splitlines():
        known.add("generated value", line)


class WatchedAcme(Acme):
    environment = {"TEST_READER": f"reader:{READER_SECRET}", "TEST_ADMIN": f"runner:{RUNNER_SECRET}"}  # noqa: RUF012


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
