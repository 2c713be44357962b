"""One look at all clients of a realm by `keysteward drift`, as the nightly job takes it: time, memory, calls."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from company import Company, session
from measurement import Measurement, Results
from timing import Took, timed

from keysteward.core.errors import KeystewardError
from keysteward.core.findings import Kind
from keysteward.providers.keycloak.admin import PAGE_SIZE

BENCH = Path(__file__).parent
STACK = "from company import Company\n\nstack = Company.from_environment().stack()\n"
DRIFT = ("drift", "--stack", "bench", "--format", "json", "--fail-on", "none")
MOST_SHOWN = 2_000
"""Characters of what a command wrote, when it did not do what was expected."""

LARGE = 10_000
SECONDS = 15.0
MEGABYTES = 500.0
BESIDE_PAGES = 5


@dataclass(frozen=True)
class Look:
    """A folder with the company's stack, on which `keysteward drift` is run, with its byte code as pip leaves it."""

    folder: Path
    company: Company

    def write(self) -> None:
        """Write the stack's module, in a package before any other of that name, and the heartbeat of its run."""
        session(self.company.stack(), "runner").heartbeat("up", "done")
        package = self.folder / "stacks"
        package.mkdir(parents=True)
        (package / "__init__.py").touch()
        (package / "bench.py").write_text(STACK, encoding="utf-8")

    def run(self) -> Took:
        """Look once. Raises KeystewardError when not every client is seen as it is declared: nothing was measured."""
        environment = {**os.environ, **self.company.environment, "PYTHONPATH": str(BENCH)}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        done = timed([str(Path(sys.executable).with_name("keysteward")), *DRIFT], self.folder, environment)
        seen = json.loads(done.output) if done.code == 0 else {}
        drifted = [each for each in seen.get("findings", ()) if each["kind"] != Kind.POLICY]
        declared = sum(each["declared"] for each in seen.get("coverage", ()))
        if drifted or declared != self.company.clients:
            shown = (done.output + done.errors)[-MOST_SHOWN:]
            raise KeystewardError(f"drift does not show {self.company.clients} declared clients and no more\n{shown}")
        return done.took


def measure(
    results: Results, company: Company, target: str, used: Mapping[str, str], heard: Callable[[], int] | None
) -> None:
    """Look once at a realm that holds this company's clients and no others."""
    with tempfile.TemporaryDirectory(prefix="keysteward-bench-") as folder:
        look = Look(Path(folder), company)
        look.write()
        before = heard() if heard else 0
        took = look.run()
        calls = heard() - before if heard else None
    name, large = f"drift of {company.clients:,} clients", company.clients >= LARGE
    seconds, megabytes = (SECONDS, MEGABYTES) if large else (None, None)
    results.add(
        Measurement(f"{name}: time", took.wall, "s", target, seconds, versions=used),
        Measurement(f"{name}: processor time", took.cpu, "s", target, versions=used),
        Measurement(f"{name}: most memory", took.memory, "MB", target, megabytes, versions=used),
    )
    if calls is not None:
        beside = calls - company.clients // PAGE_SIZE - 1
        name = f"{name}: HTTP calls beside list pages"
        results.add(Measurement(name, beside, "calls", target, BESIDE_PAGES, versions=used))
