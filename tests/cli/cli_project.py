"""A project in a temporary folder whose one stack lives in memory, and the command line run on it."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path
from types import ModuleType

from typer.testing import CliRunner

from keysteward import M2MClient, ManualKey, Owners, ResourceServer, RotationSchedule, Stack
from keysteward.cli.main import app
from keysteward.core.contract.capabilities import Capabilities
from keysteward.core.declare.credentials import Declaration
from keysteward.core.record.ledger import Ledger, load_ledger
from keysteward.providers.manual import Manual, Probe
from keysteward.testing.memory import Clock, MemoryLedgers, MemoryStore, MemoryTarget

STOCK = Capabilities(
    methods=("client_secret", "private_key_jwt"),
    secrets=1,
    keys=16,
    chooses="caller",
    readable=True,
    suspends=True,
    one_method_per_client=True,
    last_use="client",
    tags_objects=True,
)
OWNERS = Owners.model_validate(
    {
        "teams": {"team-billing": {"contact": "billing@example.com"}},
        "people": {"billing-lead": {"contact": "billing-lead@example.com", "state": "gone"}},
    }
)


@dataclass(frozen=True)
class Answer:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str


@dataclass
class Project:
    """Declare, run commands, let time pass, look. Everything but the stack's module is real."""

    root: Path
    clock: Clock = field(default_factory=Clock)
    owners: Owners | str = field(default_factory=lambda: OWNERS)

    def __post_init__(self) -> None:
        self.target = MemoryTarget("corp", STOCK, self.clock)
        self.store = MemoryStore("secrets")
        self.ledgers = MemoryLedgers("ledgers", self.clock)
        self.api = ResourceServer(
            "billing-api",
            target=self.target,
            audience="https://billing.example.com",
            scopes={"invoices:read": "Read invoices", "invoices:write": "Create invoices"},
        )
        self.held = ModuleType("project_in_memory")
        self.declare()

    def client(self, name: str = "billing-exporter", **fields: object) -> M2MClient:
        given: dict[str, object] = {
            "target": self.target,
            "owner": "team-billing",
            "purpose": "Nightly invoice export",
            "auth_method": "private_key_jwt",
            "rotation": RotationSchedule(every="90d", overlap="7d"),
            "deliver_to": self.store.path(f"apps/{name}"),
        }
        given.update(fields)
        return M2MClient(name, **given)  # type: ignore[arg-type]

    def key_by_hand(self, url: str, **fields: object) -> ManualKey:
        """Declare the key "crm", which a person makes at a SaaS that answers under `url`."""
        given: dict[str, object] = {
            "target": Manual("crm", probe=Probe(f"{url}/me")),
            "owner": "team-billing",
            "purpose": "Contacts for the invoice run",
            "expires": date(2028, 1, 1),
            "rotation": RotationSchedule(every="90d", overlap="7d"),
            "deliver_to": self.store.path("apps/crm"),
        }
        given.update(fields)
        return ManualKey("crm", **given)  # type: ignore[arg-type]

    def declare(self, *declarations: Declaration, **fields: object) -> None:
        """Commit another stack."""
        self.stack = Stack("acme/demo", self.owners, self.ledgers, list(declarations), **fields)  # type: ignore[arg-type]
        self.held.stack = self.stack  # type: ignore[attr-defined]

    def run(self, *words: str, say: str = "") -> Answer:
        """Run a command as a new process would."""
        for name in [n for n in sys.modules if n == "stacks" or n.startswith("stacks.")]:
            del sys.modules[name]
        result = CliRunner().invoke(app, words, input=say)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Answer(result.exit_code, result.stdout, result.stderr)

    def pass_time(self, **by: float) -> None:
        self.clock.advance(timedelta(**by))

    def ledger(self, name: str = "billing-exporter") -> Ledger:
        stored = self.ledgers.read(f"ledgers/acme/demo/{name}")
        assert stored.document is not None
        return load_ledger(stored.document, stored.version)

    def states(self, name: str = "billing-exporter") -> list[str]:
        return [f"{g.number} {g.state.value}" for g in self.ledger(name).generations]

    def entries(self, name: str = "billing-exporter") -> list[tuple[str, str]]:
        """Return step and words of the audit log's entries for one credential."""
        shown = self.run("audit", "show", name, "--last", "200", "--json")
        return [(entry["step"], entry["words"]) for entry in json.loads(shown.out)["entries"]]

    def can(self, **changes: object) -> None:
        """Let the target be of another kind."""
        self.target.capabilities = replace(self.target.capabilities, **changes)  # type: ignore[arg-type]
