"""The command line as real processes, each with an id by which it can be killed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

SERVER = Path(__file__).parent / "fork_server.py"
KILLED = -9
"""What a process that ended by SIGKILL leaves as its code."""


@dataclass(frozen=True)
class Ended:
    """How one run ended, and all it printed."""

    code: int
    text: str


class CommandLine:
    """Starts one run of `keysteward` after the other in one folder. Two of them make two runs at once."""

    def __init__(self, folder: Path, output: str = "output.txt") -> None:
        self.folder = folder
        self.pid = 0
        self._output = folder / output
        self._server: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        plain = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
        self._server = subprocess.Popen(
            [sys.executable, str(SERVER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=plain
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.communicate(timeout=60)

    def start(self, *words: str, environment: Mapping[str, str], strike: Mapping[str, Any] | None = None) -> int:
        """Start a run; returns the id of its process."""
        order = {
            "words": words,
            "folder": str(self.folder),
            "environment": dict(environment),
            "output": str(self._output),
            "strike": strike,
        }
        self._send(order)
        self.pid = int(self._answer()["pid"])
        return self.pid

    def wait(self) -> Ended:
        """Wait for the run to end."""
        code = int(self._answer()["code"])
        return Ended(code, self._output.read_text(encoding="utf-8"))

    def run(self, *words: str, environment: Mapping[str, str], strike: Mapping[str, Any] | None = None) -> Ended:
        """Start a run and wait for its end."""
        self.start(*words, environment=environment, strike=strike)
        return self.wait()

    def _send(self, order: Mapping[str, Any]) -> None:
        assert self._server is not None
        assert self._server.stdin is not None
        self._server.stdin.write(json.dumps(order) + "\n")
        self._server.stdin.flush()

    def _answer(self) -> dict[str, Any]:
        assert self._server is not None
        assert self._server.stdout is not None
        line = self._server.stdout.readline()
        assert line, "the process that starts runs has ended"
        answer: dict[str, Any] = json.loads(line)
        return answer
