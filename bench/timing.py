"""Runs one command and says what it took, with all its processes."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryFile

TIMEOUT_SECONDS = 1800


@dataclass(frozen=True)
class Took:
    """What one command took: seconds on the wall, and of processor time over all its processes.

    `memory` is the most that one of these held at once, in MB of 1,000,000 bytes.
    """

    wall: float
    cpu: float
    memory: float


@dataclass(frozen=True)
class Done:
    """One command that ended: what it took, its exit code, and what it wrote to its two outputs."""

    took: Took
    code: int
    output: str = field(repr=False)
    errors: str = field(repr=False)


def timed(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> Done:
    """Run a command in a folder, with nothing to read. A command that fails is the caller's to judge."""
    began = time.monotonic()
    with TemporaryFile("w+", encoding="utf-8") as output, TemporaryFile("w+", encoding="utf-8") as errors:
        process = subprocess.Popen(  # noqa: S603 - the bench's own commands
            command, cwd=folder, env=environment, stdout=output, stderr=errors, stdin=subprocess.DEVNULL
        )
        watch = threading.Timer(TIMEOUT_SECONDS, process.kill)
        watch.start()
        _, status, used = os.wait4(process.pid, 0)
        watch.cancel()
        took = Took(time.monotonic() - began, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024 / 1_000_000)
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        errors.seek(0)
        return Done(took, process.returncode, output.read(), errors.read())
