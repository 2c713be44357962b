"""One company on the sandbox: what is declared, runs that are killed, and what the sandbox's own records say."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from command_line import CommandLine, Ended
from keycloak_realms import administrator
from strikes import Moment
from werkzeug.wrappers import Request, Response

from keysteward.cli.demo.application import Credential, get_token
from keysteward.cli.demo.place import Place, _vault_token
from keysteward.core.audit.chain import Position
from keysteward.core.audit.verify_log import Witness, examine_log
from keysteward.providers.local import LocalStore
from keysteward.providers.vault.ledgers import _unpacked
from keysteward.providers.vault.policy import policy
from keysteward.sandbox import Sandbox
from keysteward.sandbox.keycloak.models import Client
from keysteward.sandbox.server import StandIn, Work
from keysteward.sandbox.vault.kv import KvMount
from keysteward.testing.aging import age_ledgers

STACK = """
import os
from keysteward import M2MClient, Owners, ResourceServer, RotationSchedule, Stack
from keysteward.providers.keycloak import Keycloak
from keysteward.providers.local import LocalStore
from keysteward.providers.vault import Vault

corp = Keycloak("corp", url=os.environ["KILLS_KEYCLOAK"], realm=os.environ["KILLS_REALM"], reader="env:KILLS_READER",
                admin="env:KILLS_ADMIN", secret_rotation={rotation})
vault = dict(url=os.environ["KILLS_VAULT"], reader="env:KILLS_VAULT_READER", admin="env:KILLS_VAULT_RUNNER")
first = Vault("first", **vault)
second = Vault("second", mount="second", **vault)
local = LocalStore("local", root={folder!r} + "/store", key={folder!r} + "/age.key")
billing = ResourceServer("billing-api", target=corp, audience="https://billing.example.com",
                         scopes={{"invoices:read": "Read invoices"}})


def client(name="exporter", **fields):
    given = dict(target=corp, owner="team-billing", environment="test", purpose="Invoices",
                 access={{billing: ["invoices:read"]}}, rotation=RotationSchedule(every="90d", overlap="7d"))
    return M2MClient(name, **{{**given, **fields}})


stack = Stack("acme/kills", owners=Owners(teams={{"team-billing": {{"contact": "billing@example.com"}}}}),
              ledgers={ledgers}, declarations=[{declared}])
"""
PATH = "apps/exporter"
MARK = "keysteward.identity"
HANG_SECONDS = 300
"""After which something hangs, however busy the machine is."""


@dataclass
class Watch:
    """Stands around every call that a run makes: counts them, looks after each, and kills the caller at one.

    `hold` is called before each with its number; `counts` says which calls have one, `caller` whose they are.
    """

    look: Callable[[], None]
    at: int = 0
    moment: Moment = "before"
    hold: Callable[[int, Request], None] | None = None
    counts: Callable[[Request], bool] = lambda _request: True
    caller: Callable[[Request], int] | None = None
    killed: bool = field(default=False, init=False)
    count: int = field(default=0, init=False)
    _flying: int = field(default=0, init=False)
    _process: int = field(default=0, init=False)
    _started: threading.Event = field(default_factory=threading.Event, init=False)
    _changed: threading.Condition = field(default_factory=threading.Condition, init=False)

    def around(self, request: Request, work: Work) -> Response | None:
        """Answer one call, or kill the caller before its work is done, or after that and before the answer."""
        with self._changed:
            number = 0
            if self.counts(request):
                self.count += 1
                number = self.count
            self._flying += 1
        try:
            return self._answer(number, request, work)
        finally:
            with self._changed:
                self._flying -= 1
                self._changed.notify_all()

    def _answer(self, number: int, request: Request, work: Work) -> Response | None:
        if self.hold is not None:
            self.hold(number, request)
        strikes = number == self.at > 0
        if strikes and self.moment == "before":
            return self._kill(request)
        answer = work()
        self.look()
        return self._kill(request) if strikes else answer

    def _kill(self, request: Request) -> None:
        assert self._started.wait(HANG_SECONDS)
        process = self.caller(request) if self.caller is not None else self._process
        assert process not in {0, os.getpid()}
        self.killed = True
        os.kill(process, signal.SIGKILL)

    def started(self, process: int = 0) -> None:
        """Say whose calls these are."""
        self._process = process
        self._started.set()

    def quiet(self) -> None:
        """Wait until no call is being answered: what a dead process had sent may still be at work."""
        with self._changed:
            assert self._changed.wait_for(lambda: self._flying == 0, HANG_SECONDS)


@dataclass
class Seen:
    """What was so at any moment of one kill point's runs."""

    secrets: set[tuple[str, str]] = field(default_factory=set)
    stopped: list[str] = field(default_factory=list)


class Scene:
    """Declare, run, kill, look. `save` and `restore` bring back the whole world, so that each point starts alike."""

    files: tuple[str, ...] = ()
    """What runs write in their folder and is part of the world."""

    def __init__(
        self,
        folder: Path,
        sandbox: Sandbox,
        line: CommandLine,
        *,
        local: bool = False,
        realm: str = "demo",
        keycloak: StandIn | None = None,
        rotation: bool = False,
    ) -> None:
        self.folder, self.sandbox, self.line, self.local = folder, sandbox, line, local
        self.keycloak, self.rotation = keycloak or sandbox.keycloak, rotation
        if local:  # store and ledgers, the age key, the stack card, the key that signs the audit log
            self.files = ("store", "age.key", ".keysteward", ".local", *self.files)
        self.seen = Seen()
        self.old: dict[str, Any] | None = None
        self.left: str | None = None
        (folder / "stacks").mkdir(exist_ok=True)
        (folder / "stacks" / "__init__.py").touch()
        sandbox.vault.mounts["second"] = KvMount()
        url = self.keycloak.url
        self.place = Place("kills", url, sandbox.vault.url, lambda _by: None, realm=realm)
        roles = ["manage-clients", *(["manage-realm"] if rotation else [])]
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "KILLS_KEYCLOAK": url,
            "KILLS_REALM": realm,
            "KILLS_VAULT": sandbox.vault.url,
            "KILLS_READER": administrator(url, realm, ["view-clients"]),
            "KILLS_ADMIN": administrator(url, realm, roles),
            "KILLS_VAULT_READER": self._vault_token("reader"),
            "KILLS_VAULT_RUNNER": self._vault_token("runner"),
        }

    def _vault_token(self, kind: Any) -> str:  # noqa: ANN401 - one of the policies
        both = policy(kind, delivered="apps/*") + policy(kind, delivered="apps/*", mount="second")
        return _vault_token(self.place, kind, both)

    def declare(self, *declared: str) -> None:
        """Write the stack: `declared` are its clients as Python; the resource server stands before them."""
        text = STACK.format(
            folder=str(self.folder),
            rotation=self.rotation,
            ledgers="local.ledgers()" if self.local else "first.ledgers('keysteward')",
            declared=", ".join(("billing", *declared) if declared else ()),
        )
        (self.folder / "stacks" / "kills.py").write_text(text, encoding="utf-8")

    def pass_time(self, **by: float) -> None:
        """Let time pass: the sandbox's clock is set; a local ledger store has the machine's, so ledgers grow older."""
        if self.local:
            store = self.local_store.ledgers()
            age_ledgers(store, "acme/kills", timedelta(**by))
            store.close()
        else:
            self.sandbox.clock.advance(timedelta(**by))

    @property
    def local_store(self) -> LocalStore:
        return LocalStore("local", root=self.folder / "store", key=self.folder / "age.key")

    def run(
        self, *words: str, at: int = 0, moment: Moment = "before", strike: Mapping[str, Any] | None = None
    ) -> Ended:
        """Run the command line; with `at` it is killed at its call number `at`, with `strike` it kills itself."""
        watch = Watch(self.look, at, moment)
        with self.watched(watch):
            watch.started(self.line.start(*words, environment=self.environment, strike=strike))
            ended = self.line.wait()
            watch.quiet()
        return ended

    def up(self) -> None:
        """Run undisturbed."""
        done = self.run("up", "--yes")
        assert done.code == 0, done.text

    @contextmanager
    def watched(self, watch: Watch) -> Iterator[None]:
        """Let a watch stand around all calls."""
        stand_ins = (self.keycloak, self.sandbox.vault)
        before = [stand_in.around for stand_in in stand_ins]
        for stand_in in stand_ins:
            stand_in.around = watch.around
        try:
            yield
        finally:
            for stand_in, around in zip(stand_ins, before, strict=True):
                stand_in.around = around

    def save(self) -> bytes:
        """Keep the world as it is."""
        kept = self.folder / "kept"
        shutil.rmtree(kept, ignore_errors=True)
        kept.mkdir()
        for name in self.files:
            if (self.folder / name).is_dir():
                shutil.copytree(self.folder / name, kept / name)
            elif (self.folder / name).exists():
                shutil.copy2(self.folder / name, kept / name)
        return pickle.dumps((self.sandbox.keycloak.realms, self.sandbox.vault.mounts))

    def restore(self, saved: bytes) -> None:
        """Bring a kept world back."""
        for name in self.files:
            shutil.rmtree(self.folder / name, ignore_errors=True)
            if (self.folder / name).exists():
                (self.folder / name).unlink()
        shutil.copytree(self.folder / "kept", self.folder, dirs_exist_ok=True)
        self.sandbox.keycloak.realms, self.sandbox.vault.mounts = pickle.loads(saved)  # noqa: S301 - our own
        self.seen = Seen()

    # What the records say.

    def records(self) -> bytes:
        """Return all that runs can change at the servers and on the disk, to be compared; what was looked at is not."""
        realm, vault = self.sandbox.keycloak.realms["demo"], self.sandbox.vault.state()
        clients = sorted((c.representation() for c in realm.clients.values()), key=lambda c: str(c["id"]))
        scopes = sorted((s.representation() for s in realm.scopes.values()), key=lambda s: str(s["id"]))
        files = [
            (str(path), path.read_bytes() if path.is_file() else b"")
            for name in self.files
            for path in sorted([self.folder / name, *(self.folder / name).rglob("*")])
            if path.exists()
        ]
        return repr(
            (clients, scopes, realm.settings, realm.attributes, realm.profiles, realm.policies, vault["mounts"], files)
        ).encode()

    @property
    def clients(self) -> list[Client]:
        """Return the clients that carry our mark."""
        return [c for c in self.sandbox.keycloak.realms["demo"].clients.values() if MARK in c.attributes]

    def secrets(self) -> set[tuple[str, str]]:
        """Return what would authenticate now: clients with their secrets and the `kid`s of their keys."""
        living = set()
        for client in self.clients:
            if not client.settings["enabled"]:
                continue
            if client.settings["clientAuthenticatorType"] == "client-secret":
                found = [client.secret, client.attributes.get("client.secret.rotated")]
                living |= {(client.client_id, secret) for secret in found if secret}
            else:
                keys = json.loads(client.attributes.get("jwks.string") or '{"keys": []}')["keys"]
                living |= {(client.client_id, key["kid"]) for key in keys}
        return living

    def documents(self) -> dict[str, dict[str, Any]]:
        """Return what is delivered, by "mount:path"."""
        found = {}
        for mount, held in self.sandbox.vault.mounts.items():
            for path, entry in held.entries.items():
                version = entry.versions.get(entry.current)
                if path.startswith("apps/") and version is not None and version.data and not version.destroyed:
                    found[f"{mount}:{path}"] = version.data
        if self.local and (self.folder / "store" / f"{PATH}.age").exists():
            store = self.local_store
            found[f"local:{PATH}"] = store._sealed(PATH).open(store._key) or {}
        return found

    def delivered(self) -> dict[str, Any] | None:
        """Return the document that the consumer reads: the one at the place of highest generation."""
        documents = [d for d in self.documents().values() if "generation" in d]
        return max(documents, key=lambda d: int(d["generation"]), default=None)

    def staged(self) -> list[str]:
        """Return where something is staged."""
        found = [
            f"{mount}:{path}"
            for mount, held in self.sandbox.vault.mounts.items()
            for path, entry in held.entries.items()
            if path.startswith("keysteward/staged/") and any(v.data for v in entry.versions.values())
        ]
        return found + [str(p) for p in (self.folder / "store" / ".staged").glob("*.age")]

    def look(self) -> None:
        """See what works now; the delivered secret must go on working once it did."""
        keycloak, vault = self.sandbox.keycloak, self.sandbox.vault
        with keycloak.lock, vault.lock:
            living = self.secrets()
            self.seen.secrets |= living
            for place, document in self.documents().items():
                if place != self.left and "generation" in document and held_by(document) not in living:
                    self.seen.stopped.append(f"{place} holds generation {document['generation']}, which does not work")
            if self.old is not None and held_by(self.old) not in living:
                self.seen.stopped.append(f"generation {self.old['generation']}, delivered before, does not work")

    def gets_a_token(self, document: Mapping[str, Any]) -> bool:
        """Say whether the consumer that read this document gets a token."""
        jwk = document.get("private_jwk")
        held = Credential(
            document["generation"],
            document["client_id"],
            document["token_url"],
            document.get("client_secret"),
            json.dumps(jwk) if isinstance(jwk, dict) else jwk,
        )
        return get_token(self.place, held, self.sandbox.clock.now().timestamp()).claims is not None

    def ledger(self, name: str = "exporter") -> dict[str, Any]:
        """Return the ledger of a client."""
        return self.kept(f"ledgers/acme/kills/{name}").get("", {})

    def kept(self, prefix: str) -> dict[str, dict[str, Any]]:
        """Return the documents of the ledger store under a prefix, by the rest of their keys."""
        if self.local:
            store = self.local_store.ledgers()
            found = {key: dict(stored.document or {}) for key, stored in store.list(prefix).items()}
            store.close()
        else:
            entries = self.sandbox.vault.mounts["secret"].entries
            newest = {path.removeprefix("keysteward/"): e.versions.get(e.current) for path, e in entries.items()}
            found = {key: _unpacked(version.data) or {} if version else {} for key, version in newest.items()}
        return {key.removeprefix(prefix): data for key, data in found.items() if key.startswith(prefix) and data}

    def audit(self) -> list[str]:
        """Return what is wrong with the audit log; the ledgers remember how far it went."""
        segments = self.kept("audit/acme/kills/")
        ledgers = self.kept("ledgers/acme/kills/").items()
        witnesses = [
            Witness(k, Position(v["logged"]["segment"], v["logged"]["head"])) for k, v in ledgers if v.get("logged")
        ]
        found = examine_log("acme/kills", {int(number): document for number, document in segments.items()}, witnesses)
        return [*([] if segments else ["nothing was logged"]), *(defect.message for defect in found.defects)]

    def everything(self) -> dict[str, Any]:
        """Return all that is at rest and must be the same whether a run was killed or not."""
        ledger = self.ledger()
        clients = {
            c.client_id: (c.settings["enabled"], len([s for s in self.secrets() if s[0] == c.client_id]))
            for c in self.clients
        }
        scopes = sorted(s.name for s in self.sandbox.keycloak.realms["demo"].scopes.values() if ":" in s.name)
        return {
            "clients": clients,
            "scopes": scopes,
            "documents": {k: (d.get("generation"), "previous" in d) for k, d in self.documents().items()},
            "staged": self.staged(),
            "scratch": [p.name for p in self.folder.rglob(".*.tmp")],
            "generations": generations(ledger),
            "next": ledger.get("next"),
            "lease": ledger.get("lease"),
            "closed": "closed" in ledger,
            "not logged": sum(len(known.get("outbox", ())) for known in self.kept("ledgers/").values()),
            "wrong with the log": self.audit(),
            "heartbeat": self.kept("heartbeat/acme/kills").get("", {}).get("outcome"),
        }

    def plaintext(self, document: Mapping[str, Any]) -> bool:
        """Say whether Vault still holds the secret of a document in any version of anything."""
        jwk = document.get("private_jwk")
        held = jwk if isinstance(jwk, dict) else json.loads(jwk or "{}")
        secret = document.get("client_secret") or held["d"]
        return any(
            secret in json.dumps(version.data)
            for mount in self.sandbox.vault.mounts.values()
            for entry in mount.entries.values()
            for version in entry.versions.values()
        )


def generations(ledger: Mapping[str, Any]) -> list[str]:
    """Return the generations of a ledger with their states."""
    return [f"{g['number']} {g['state']}" for g in ledger.get("generations", [])]


def held_by(document: Mapping[str, Any]) -> tuple[str, str]:
    """Return the client and the secret, or its key's `kid`, that a document holds."""
    jwk = document.get("private_jwk")
    held = jwk if isinstance(jwk, dict) else json.loads(jwk or "{}")
    return document["client_id"], document.get("client_secret") or held["kid"]


@contextmanager
def open_scene(folder: Path, *, rotation: bool = False, local: bool = False) -> Iterator[Scene]:
    """Start a sandbox and the process that starts runs."""
    with ExitStack() as stack:
        sandbox = stack.enter_context(Sandbox(secret_rotation=rotation))
        line = stack.enter_context(CommandLine(folder))
        yield Scene(folder, sandbox, line, local=local, rotation=rotation)
