"""A Pulumi project in a temporary folder, on a file backend, driven through the real `pulumi` CLI and timed."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

BENCH = Path(__file__).parent
TIMEOUT_SECONDS = 1800

FLOOR = "from floor import declare\n\ndeclare()\n"
OURS = "from company import Company\nfrom keysteward import deploy\n\ndeploy(Company.from_environment().stack())\n"


@dataclass(frozen=True)
class Took:
    """What one command took: seconds on the wall, and of processor time over all its processes."""

    wall: float
    cpu: float


class PulumiFailed(Exception):
    """A command of the CLI failed: its output is the message."""


class Project:
    """One project with one program."""

    def __init__(self, folder: Path, program: str, environment: Mapping[str, str]) -> None:
        self.folder = folder
        (folder / "state").mkdir(parents=True)
        options = f"{{toolchain: pip, virtualenv: {sys.prefix}}}"
        (folder / "Pulumi.yaml").write_text(f"name: bench\nruntime: {{name: python, options: {options}}}\n")
        (folder / "__main__.py").write_text(program)
        self._environment = {
            **os.environ,
            "PULUMI_BACKEND_URL": f"file://{folder / 'state'}",
            "PULUMI_CONFIG_PASSPHRASE": "bench",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "PULUMI_HOME": str(folder / "home"),
            "PYTHONPATH": str(BENCH),
            **environment,
        }
        self.run("stack", "init", "bench")

    def preview(self, *flags: str) -> Took:
        """Preview; with `--expect-no-changes` it fails when there are any."""
        return self.run("preview", *flags)

    def up(self) -> Took:
        """Apply without a preview before it, which is measured by itself."""
        return self.run("up", "--yes", "--skip-preview")

    def run(self, *arguments: str) -> Took:
        """Run one command. Raises PulumiFailed with its output when it fails."""
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        done = subprocess.run(  # noqa: S603 - the bench's own commands
            ["pulumi", *arguments, "--non-interactive", "--color", "never"],  # noqa: S607 - whichever is on PATH
            cwd=self.folder,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=TIMEOUT_SECONDS,
            stdin=subprocess.DEVNULL,
        )
        wall = time.monotonic() - began
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if done.returncode != 0:
            raise PulumiFailed(f"$ pulumi {' '.join(arguments)}\n{done.stdout}{done.stderr}")
        return Took(wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
