"""A project in a git repository whose stack is a file of its own: what a pull request changes is a commit."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from cli_project import Answer
from typer.testing import CliRunner

from keysteward.cli.main import app

STACK = '''"""The stack of a small company."""

from datetime import date

from keysteward import ApiKey, Bootstrap, M2MClient, ResourceServer, RotationSchedule, Stack
from keysteward.core.contract.ports import Capabilities
from keysteward.testing.memory import Clock, MemoryLedgers, MemoryStore, MemoryTarget

clock = Clock()
CLIENTS = Capabilities(("client_secret", "private_key_jwt"), secrets=2, keys=16, chooses="caller", tags_objects=True)
KEYS = Capabilities(("api_key",), secrets=9, named_keys=True, tags_secrets=True, immutable=("scopes",))
corp = MemoryTarget("corp", CLIENTS, clock, KEYS)
secrets = MemoryStore("secrets")
api = ResourceServer("api", target=corp, audience="https://api.example.com", scopes={"read": "Read", "write": "Write"})


def client(name, **fields):
    given = dict(
        target=corp,
        owner="billing",
        purpose="Nightly export of invoices",
        consumer="warehouse",
        access={api: ["read"]},
        auth_method="private_key_jwt",
        rotation=RotationSchedule(every="90d", overlap="7d"),
        deliver_to=secrets.path(f"apps/{name}"),
    )
    return M2MClient(name, **{**given, **fields})


stack = Stack(
    "acme/prod",
    owners="owners.yaml",
    ledgers=MemoryLedgers("ledgers", clock),
    declarations=[
        api,
        client("exporter"),
        # more
    ],
)
'''
OWNERS = """teams:
  billing: {contact: billing@example.com, forge: "@acme/billing"}
  orders: {contact: orders@example.com, forge: "@acme/orders"}
  sec: {contact: sec@example.com, forge: "@acme/security"}
consumers:
  warehouse: {contact: warehouse@example.com}
security: sec
"""
KEY = """ApiKey(
            "partner", target=corp, holder="org-1", owner="orders", purpose="A key for a partner", consumer="warehouse",
            expires=date(2027, 12, 31), classification=Bootstrap(exchanged_for="a role"), access={api: ["read"]},
            rotation=RotationSchedule(every="90d", overlap="7d"), deliver_to=secrets.path("apps/partner"),
        ),
        # more"""
MORE = "# more"
NAME = {
    f"GIT_{who}_{what}": f"{what}@example.com".lower() for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
}


@dataclass
class Repository:
    """Write files, commit them, run commands in the project's folder."""

    top: Path
    folder: str = ""
    module: str = "demo"
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        self.git("init", "--quiet", "--initial-branch=main")
        self.write("stacks/__init__.py", "")
        self.write(f"stacks/{self.module}.py", STACK)
        self.write("owners.yaml", OWNERS)
        self.commit("Begin")

    @property
    def root(self) -> Path:
        return self.top / self.folder

    def git(self, *words: str) -> str:
        environment = {**os.environ, **NAME, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
        done = subprocess.run(
            ["git", *words], cwd=self.top, env=environment, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def write(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def change(self, old: str, new: str, name: str | None = None) -> None:
        """Edit the stack, or another file, in the working folder."""
        name = name or f"stacks/{self.module}.py"
        text = (self.root / name).read_text(encoding="utf-8")
        assert old in text
        self.write(name, text.replace(old, new, 1))

    def commit(self, message: str) -> str:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)
        return self.git("rev-parse", "HEAD")

    def run(self, *words: str) -> Answer:
        for name in [n for n in sys.modules if n == "stacks" or n.startswith("stacks.")]:
            del sys.modules[name]
        result = CliRunner().invoke(app, words)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Answer(result.exit_code, result.stdout, result.stderr)

    def worktrees(self) -> list[str]:
        return [
            line for line in self.git("worktree", "list", "--porcelain").splitlines() if line.startswith("worktree")
        ]
