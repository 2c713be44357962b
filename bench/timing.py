"""Runs one command and says what it took, with all its processes."""

from __future__ import annotations

import resource
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

TIMEOUT_SECONDS = 1800


@dataclass(frozen=True)
class Took:
    """What one command took: seconds on the wall, and of processor time over all its processes."""

    wall: float
    cpu: float


@dataclass(frozen=True)
class Done:
    """One command that ended: what it took, its exit code, and what it wrote to its two outputs."""

    took: Took
    code: int
    output: str = field(repr=False)
    errors: str = field(repr=False)


def timed(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> Done:
    """Run a command in a folder, with nothing to read. A command that fails is the caller's to judge."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run(  # noqa: S603 - the bench's own commands
        command,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT_SECONDS,
        stdin=subprocess.DEVNULL,
    )
    wall = time.monotonic() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Done(Took(wall, cpu), done.returncode, done.stdout, done.stderr)
