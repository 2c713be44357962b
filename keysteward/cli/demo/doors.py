"""The two front doors as the demo uses them: `pulumi` when it is installed, `keysteward` otherwise."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[3]
TIMEOUT_SECONDS = 300
PREVIEWED = (" plan ", " plan: ", " to create", " to update", " unchanged", "error")
APPLIED = (" status ", " generation ", " created", " updated", " unchanged", "error")


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

    def run(self, command: tuple[str, ...]) -> str:
        """Run one command; raises CommandFailed with its output when it fails."""
        done = subprocess.run(  # noqa: S603 - the demo's own commands
            command,
            cwd=self.folder,
            env={**os.environ, **self.environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=TIMEOUT_SECONDS,
            stdin=subprocess.DEVNULL,
        )
        text = done.stdout + done.stderr
        if done.returncode != 0:
            raise CommandFailed(f"$ {' '.join(command)}\n{text}")
        return text

    def shown(self, command: tuple[str, ...], text: str) -> str:
        """Return the lines worth reading: of Pulumi's output the plans, or what came of them."""
        if self.name != "pulumi":
            return text.rstrip()
        words = PREVIEWED if command == self.preview else APPLIED
        lines = [
            line.rstrip()
            for line in text.splitlines()
            if any(word in line for word in words) and not (words is APPLIED and " plan" in line)
        ]
        return "\n".join(_new_plan(line) for line in lines)


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
        if shutil.which("pulumi") is None:
            yield _embedded(folder, environment)
            return
        door = _pulumi(folder, environment)
        door.run(("pulumi", "stack", "init", "demo", "--non-interactive"))
        yield door


def _embedded(folder: Path, environment: dict[str, str]) -> Door:
    command = str(Path(sys.executable).parent / "keysteward")
    stack = ("--stack", "demo")
    return Door("keysteward", (command, "preview", *stack), (command, "up", "--yes", *stack), folder, environment)


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
    )
