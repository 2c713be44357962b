"""A Pulumi project in a temporary folder, on a file backend, driven through the real engine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from engines import Engine

from keysteward.core.contract.ports import LedgerStore
from keysteward.providers.local import LocalStore
from keysteward.testing.aging import age_ledgers

ROOT = Path(__file__).parents[2]

NEED_THE_PROGRAM = {"preview", "up", "refresh", "destroy"}

PROGRAM = """
import importlib, os
import pulumi
from keysteward import deploy

made = deploy(importlib.import_module("program").stack)
for name, resource in made.items():
    if hasattr(resource, "client_id"):
        pulumi.export(name, resource.client_id)
if os.environ.get("FAIL_HALF_WAY"):
    raise RuntimeError("the program fails half way")
"""

STACK = """
import os
from keysteward import *
from keysteward.providers.keycloak import Keycloak
from keysteward.providers.local import LocalStore

corp = Keycloak("corp", url=os.environ["TEST_URL"], realm="demo", reader="env:TEST_READER", admin="env:TEST_ADMIN")
other = Keycloak("other", url=os.environ["TEST_URL"], realm="other", reader="env:TEST_READER2", admin="env:TEST_ADMIN2")
secrets = LocalStore("local", root={root!r}, key={key!r})
every = RotationSchedule(every="90d", overlap="7d")
billing = ResourceServer("billing-api", target=corp, audience="https://billing.example.com",
                         scopes={{"invoices:read": "Read invoices", "invoices:write": "Create invoices"}})


def client(name, **fields):
    given = dict(target=corp, owner="team-billing", environment="test", purpose="Invoices", rotation=every,
                 access={{billing: ["invoices:read"]}}, auth_method="private_key_jwt",
                 deliver_to=secrets.path(f"apps/{{name}}"))
    return M2MClient(name, **{{**given, **fields}})


stack = Stack("acme/test", owners=Owners(teams={{"team-billing": {{"contact": "billing@example.com"}}}}),
              ledgers=secrets.ledgers(), declarations=[billing, {declarations}])
"""


def plain_environment() -> dict[str, str]:
    """Return this process's environment without what makes each start of a plugin slow: measuring, compiling anew."""
    slow = ("COV", "PYTHONDONTWRITEBYTECODE")
    return {name: value for name, value in os.environ.items() if not name.startswith(slow)}


@dataclass(frozen=True)
class Run:
    """What one call of the CLI answered."""

    code: int
    text: str


@dataclass
class Project:
    """One project: write what is declared, then preview, up, refresh, destroy."""

    engine: Engine
    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    transcript: list[str] = field(default_factory=list)
    """All that the engine and the program printed."""

    def __post_init__(self) -> None:
        venv = Path(sys.prefix)
        (self.folder / "Pulumi.yaml").write_text(
            f"name: acme\nruntime: {{name: python, options: {{toolchain: pip, virtualenv: {venv}}}}}\n"
        )
        (self.folder / "__main__.py").write_text(PROGRAM)
        (self.folder / "state").mkdir()
        self.declare("client('exporter')", "client('mailer')")
        self.pulumi("stack", "init", "test")

    @property
    def store(self) -> LocalStore:
        return LocalStore("local", root=self.folder / "store", key=self.folder / "age.key")

    @property
    def ledgers(self) -> LedgerStore:
        return self.store.ledgers()

    def declare(self, *declarations: str) -> None:
        text = STACK.format(
            root=str(self.folder / "store"), key=str(self.folder / "age.key"), declarations=", ".join(declarations)
        )
        (self.folder / "program.py").write_text(text)

    def pass_time(self, **by: float) -> None:
        age_ledgers(self.ledgers, "acme/test", timedelta(**by))

    def pulumi(self, *arguments: str, **environment: str) -> Run:
        settings = {
            "PATH": self.engine.search_path,
            "PULUMI_BACKEND_URL": f"file://{self.folder / 'state'}",
            "PULUMI_CONFIG_PASSPHRASE": "test",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_HOME": str(self.folder / "home"),
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        }
        together = {**plain_environment(), **settings, **self.environment, **environment}
        printed = self.folder / "printed.txt"
        printed.write_text("", encoding="utf-8")
        needs_program = arguments[0] in NEED_THE_PROGRAM
        serving = self.engine.program(self.folder, together, printed) if needs_program else nullcontext(())
        with serving as flags:
            done = subprocess.run(
                ["pulumi", *arguments, *flags, "--non-interactive", "--color", "never"],
                cwd=self.folder,
                env=together,
                capture_output=True,
                text=True,
                check=False,
                timeout=180,
            )
        text = done.stdout + done.stderr + printed.read_text(encoding="utf-8")
        self.transcript.append(text)
        return Run(done.returncode, text)

    def preview(self, *flags: str) -> Run:
        return self.pulumi("preview", *flags)

    def up(self, *flags: str, **environment: str) -> Run:
        """Run `up` without the preview of its own that it begins with: most stories preview themselves."""
        return self.pulumi("up", "--yes", "--skip-preview", "--diff", *flags, **environment)

    def gates(self) -> tuple[int, int]:
        """Return what both gates answer: 0 clean, 7 something is due or drifted."""
        due = self.pulumi("preview", "--expect-no-changes")
        drift = self.pulumi("refresh", "--preview-only", "--expect-no-changes")
        assert {due.code, drift.code} <= {0, 7}, due.text + drift.text
        return due.code, drift.code

    def state(self) -> dict[str, dict[str, object]]:
        """Return the outputs in Pulumi's state by resource name."""
        exported = json.loads(self.pulumi("stack", "export").text)
        resources = exported["deployment"].get("resources", [])
        ours = [r for r in resources if "dynamic/keysteward" in r["type"]]
        return {r["urn"].rsplit("::", 1)[-1]: r.get("outputs", {}) for r in ours}
