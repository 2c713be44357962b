"""A Pulumi project in a temporary folder, on a file backend, driven through the real `pulumi` CLI and timed."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from timing import Took, timed

BENCH = Path(__file__).parent

FLOOR = "from floor import declare\n\ndeclare()\n"
OURS = "from company import Company\nfrom keysteward import deploy\n\ndeploy(Company.from_environment().stack())\n"


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
        command = ["pulumi", *arguments, "--non-interactive", "--color", "never"]
        done = timed(command, self.folder, self._environment)
        if done.code != 0:
            raise PulumiFailed(f"$ pulumi {' '.join(arguments)}\n{done.output}{done.errors}")
        return done.took
