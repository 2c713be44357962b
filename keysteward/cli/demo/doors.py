"""The two front doors as the demo uses them: `pulumi` when it is installed, `keysteward` otherwise."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeAlias

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from keysteward.cli.demo.kill import kill_with_children

Started: TypeAlias = Callable[[int], None]
"""Is told the id of a process as soon as it has one."""

ROOT = Path(__file__).parents[3]
KEYSTEWARD = str(Path(sys.executable).parent / "keysteward")
TIMEOUT_SECONDS = 300
KILLED = (-signal.SIGKILL,)
PREVIEWED = (" plan ", " plan: ", " to create", " to update", " unchanged", "error")
APPLIED = (" status  ", " generation  ", " created", " updated", " unchanged", "error")


class CommandFailed(Exception):
    """A command of the demo failed: its output is the message."""


@dataclass(frozen=True)
class Door:
    """A way to preview and apply: the commands, the folder they run in, and their environment."""

    name: str
    preview: tuple[str, ...]
    up: tuple[str, ...]
    folder: Path
    environment: dict[str, str]
    unlock: tuple[str, ...] = ()

    def run(self, command: tuple[str, ...], good: tuple[int, ...] = (0,), started: Started = lambda _pid: None) -> str:
        """Run one command; raises CommandFailed with its output when it ends otherwise than as `good` says."""
        with subprocess.Popen(  # noqa: S603 - the demo's own commands
            command,
            cwd=self.folder,
            env={**os.environ, **self.environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            stdin=subprocess.DEVNULL,
        ) as process:
            started(process.pid)
            try:
                text, _ = process.communicate(timeout=TIMEOUT_SECONDS)
            except subprocess.TimeoutExpired:
                kill_with_children(process.pid)
                raise
        if process.returncode not in good:
            raise CommandFailed(f"$ {' '.join(command)}\n{text}")
        return text

    def shown(self, command: tuple[str, ...], text: str) -> str:
        """Return the lines worth reading: of Pulumi's output the plans, or what came of them."""
        if command == self.up and self.name != "pulumi":
            return _after_plan(text)
        if command[0] != "pulumi":
            return "\n".join(line.rstrip() for line in text.strip("\n").splitlines())
        if command == self.unlock:
            return ""
        words = PREVIEWED if command == self.preview else APPLIED
        lines = [
            line.rstrip()
            for line in text.splitlines()
            if any(word in line for word in words) and not (words is APPLIED and " plan" in line)
        ]
        return "\n".join(_new_plan(line) for line in lines)


def _after_plan(text: str) -> str:
    """Leave out the plan, which the preview has shown."""
    return text[max(text.find("\n  ✓"), 0) :].strip("\n")


def _new_plan(line: str) -> str:
    """Show of a changed plan the new words only."""
    head, arrow, new = line.rpartition(" => ")
    return f"{head.partition('plan:')[0]}plan: {new}" if arrow and "plan:" in head else line


@contextmanager
def open_door(environment: dict[str, str]) -> Iterator[Door]:
    """Make a project in a temporary folder, with Pulumi's state beside it, and choose the door."""
    with TemporaryDirectory(prefix="keysteward-demo-") as name:
        folder = Path(name)
        shutil.copytree(ROOT / "stacks", folder / "stacks", ignore=shutil.ignore_patterns("__pycache__"))
        environment = {**environment, **_signing_key(folder)}
        if shutil.which("pulumi") is None:
            yield _embedded(folder, environment)
            return
        door = _pulumi(folder, environment)
        door.run(("pulumi", "stack", "init", "demo", "--non-interactive"))
        yield door


def _embedded(folder: Path, environment: dict[str, str]) -> Door:
    stack = ("--stack", "demo")
    return Door("keysteward", (KEYSTEWARD, "preview", *stack), (KEYSTEWARD, "up", "--yes", *stack), folder, environment)


def _signing_key(folder: Path) -> dict[str, str]:
    """Make the key that signs the audit log, and its public half for those who verify; neither is the user's own."""
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    path = folder / "runner.pem"
    path.touch(mode=0o600)
    path.write_bytes(private)
    (folder / "runner.pub").write_bytes(public)
    return {"KEYSTEWARD_SIGNING_KEY": f"file:{path}"}


def _pulumi(folder: Path, environment: dict[str, str]) -> Door:
    shutil.copy(ROOT / "__main__.py", folder)
    (folder / "Pulumi.yaml").write_text(
        "name: keysteward-demo\nstackConfigDir: stacks/\n"
        f"runtime: {{name: python, options: {{toolchain: pip, virtualenv: {sys.prefix}}}}}\n"
    )
    (folder / "state").mkdir()
    settings = {
        "PULUMI_BACKEND_URL": f"file://{folder / 'state'}",
        "PULUMI_CONFIG_PASSPHRASE": "demo",
        "PULUMI_HOME": str(folder / "home"),
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
    }
    flags = ("--non-interactive", "--color", "never", "--diff", "--stack", "demo")
    return Door(
        "pulumi",
        ("pulumi", "preview", *flags),
        ("pulumi", "up", "--yes", "--skip-preview", *flags),
        folder,
        {**settings, **environment},
        ("pulumi", "cancel", "--yes", *flags[:3], "--stack", "demo"),
    )
