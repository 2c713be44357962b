"""One project on the sandbox whose every secret is known, and the command line run on it, seen by every onlooker."""

from __future__ import annotations

import base64
import importlib
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import psutil
from canary import Evidence, Known, WatchedKeycloak
from saas import Saas
from typer.testing import CliRunner

from keysteward.cli.main import app
from keysteward.operations.session import fingerprint_key
from keysteward.providers.local import LocalStore
from keysteward.providers.local.ledgers import LocalLedgers
from keysteward.sandbox.faults import Fault
from keysteward.sandbox.vault import VaultStandIn
from keysteward.testing.aging import age_ledgers

STACK = """
from datetime import date

from keysteward import M2MClient, ManualKey, Owners, ResourceServer, RotationSchedule, Stack, Webhook
from keysteward.providers.keycloak import Keycloak
from keysteward.providers.local import LocalStore
from keysteward.providers.manual import Manual, Probe
from keysteward.providers.vault import Vault

corp = Keycloak("corp", url={keycloak!r}, realm="demo", reader="env:CANARY_READER", admin="env:CANARY_RUNNER",
                secret_rotation=True)
vault = Vault("vault", url={vault!r}, admin="env:CANARY_VAULT_RUNNER")
local = LocalStore("local", root={folder!r} + "/store", key={folder!r} + "/age.key")
billing = ResourceServer("billing-api", target=corp, audience="https://billing.example.com",
                         scopes={{"invoices:read": "Read invoices"}})
told = Webhook({hook!r}, key="env:CANARY_HOOK")


def client(name, **fields):
    given = dict(target=corp, owner="team-billing", environment="test", purpose="Invoices",
                 access={{billing: ["invoices:read"]}}, rotation=RotationSchedule(every="90d", overlap="7d"),
                 deliver_to=[vault.path("apps/" + name, webhook=told), local.path("apps/" + name)])
    return M2MClient(name, **{{**given, **fields}})


crm = ManualKey("crm", target=Manual("crm-system", probe=Probe({saas!r} + "/me")), owner="team-new", purpose="Contacts",
                environment="test", expires=date(2099, 1, 1), rotation=RotationSchedule(every="90d", overlap="7d"),
                deliver_to=[vault.path("apps/crm"), local.path("apps/crm")])
stack = Stack("acme/canary", ledgers={ledgers},
              owners=Owners(teams={{n: {{"contact": "billing@example.com"}} for n in ("team-billing", "team-new")}}),
              declarations=[billing, crm, client("exporter", auth_method="private_key_jwt"), client("mailer"),
                            client("turns", alternate_clients=True)])
"""


@dataclass
class Story:
    """Type commands; whatever they say and leave is evidence."""

    folder: Path
    keycloak: WatchedKeycloak
    vault: VaultStandIn
    ledgers: Any
    local: LocalStore
    hook: str
    saas: Saas
    evidence: Evidence
    known: Known
    surprises: list[str] = field(default_factory=list)

    def write_stack(self, ledgers: str) -> None:
        """Write the module and commit it."""
        (self.folder / "stacks").mkdir()
        (self.folder / "stacks" / "__init__.py").touch()
        text = STACK.format(
            keycloak=self.keycloak.url,
            vault=self.vault.url,
            folder=str(self.folder),
            hook=self.hook,
            saas=self.saas.url,
            ledgers=ledgers,
        )
        (self.folder / "stacks" / "canary.py").write_text(text)
        for words in (
            ("init", "--quiet"),
            ("add", "stacks"),
            (
                "-c",
                "user.name=billing-lead",
                "-c",
                "user.email=billing-lead@example.com",
                "commit",
                "--quiet",
                "--message=Declare",
            ),
        ):
            self.git(*words)

    def git(self, *words: str) -> bytes:
        """Run git as a person does who holds none of these secrets."""
        own = {"PATH": os.environ["PATH"], "HOME": str(self.folder)}
        return subprocess.run(["git", *words], cwd=self.folder, check=True, capture_output=True, env=own).stdout

    def run(self, *words: str, code: int = 0, stdin: str | None = None) -> str:
        """Run a command in this process; returns what it said."""
        for name in [n for n in sys.modules if n == "stacks" or n.startswith("stacks.")]:
            del sys.modules[name]
        importlib.invalidate_caches()
        result = CliRunner().invoke(app, [*words], input=stdin)
        self.evidence.add(f"output of {words[0]}", result.output)
        if result.exception is not None:
            self.evidence.add_error(result.exception)
        if result.exit_code != code:
            self.surprises.append(f"{words} ended with {result.exit_code}, not {code}:\n{result.output}")
        return result.output

    def start(self, *words: str, stdin: bytes = b"", **environment: str) -> int:
        """Run a command in a process of its own, at its most talkative; returns its exit code."""
        command = [str(Path(sys.executable).parent / "keysteward"), "--log-level", "debug", *words]
        process = subprocess.Popen(
            command,
            cwd=self.folder,
            env={**os.environ, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        self._look_at_children(process.pid)
        process.stdin.write(stdin)
        process.stdin.close()
        said = process.stdout.read()
        self.evidence.add(f"terminal of {words[0]}", said)
        code = process.wait(120)
        process.stdout.close()
        return code

    def _look_at_children(self, process: int) -> None:
        self.evidence.add("arguments of keysteward", " ".join(psutil.Process(process).cmdline()))

    @property
    def of_vault(self) -> bool:
        """Say whether the ledger store is Vault's."""
        return not isinstance(self.ledgers, LocalLedgers)

    def forget(self, name: str) -> None:
        """Lose one ledger."""
        key = f"ledgers/acme/canary/{name}"
        if self.of_vault:
            del self.vault.mounts["secret"].entries[f"keysteward/{key}"]
            return
        with closing(sqlite3.connect(self.folder / "store" / "ledgers.sqlite3")) as db:
            db.execute("DELETE FROM documents WHERE key = ?", (key,))
            db.commit()

    def pass_time(self, **by: float) -> None:
        age_ledgers(self.ledgers, "acme/canary", timedelta(**by))

    def value(self, name: str) -> str:
        """Return what the consumer of a credential holds now."""
        entry = self.vault.mounts["secret"].entries[f"apps/{name}"]
        document = entry.versions[entry.current].data or {}
        return str(document.get("client_secret") or document["private_jwk"])

    def look_at_stores(self) -> None:
        """Take what Vault shows beside the delivered and the staged values, and all files of the project."""
        key = fingerprint_key(self.ledgers.read("keys/acme/canary"), "acme/canary")
        assert key is not None
        for path, entry in self.vault.state()["mounts"]["secret"].items():
            data = entry.pop("data")
            self.evidence.add(f"metadata of {path}", entry)
            if path.startswith("keysteward/") and not path.startswith(("keysteward/staged", "keysteward/keys")):
                self.evidence.add(f"ledger-store document {path.removeprefix('keysteward/')}", data)
                self.known.add("key of the fingerprints", base64.b64encode(key.key).decode())
                self.known.add("key of the fingerprints", key.key.hex())
        self.evidence.add_folder(self.folder, self.folder / "age.key", self.folder / "leaked", self.folder / ".git")

    @contextmanager
    def trouble(self, server: WatchedKeycloak | VaultStandIn, **fault: Any) -> Iterator[None]:  # noqa: ANN401
        server.faults.add(Fault(kind="status", times=None, **fault))
        yield
        server.faults.clear()
