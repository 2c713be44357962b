"""The two ways in which the engine comes by a project's program.

A full `pulumi` CLI on PATH starts it through its language host. The engine that `make servers` builds has none: it gets
the address at which the program is served, as from the Automation API with an inline program.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol, Self

SERVER = Path(__file__).with_name("inline_programs.py")
STOP_SECONDS = 30


class Engine(Protocol):
    """Where `pulumi` is found, and how it comes by the program."""

    search_path: str

    def program(
        self, folder: Path, environment: Mapping[str, str], output: Path
    ) -> AbstractContextManager[tuple[str, ...]]:
        """Return a context in which the program of the folder can be run; it is entered with flags for `pulumi`.

        What the program itself prints is added to `output`.
        """


class FullCLI:
    """The `pulumi` of PATH, with its language host."""

    def __init__(self) -> None:
        self.search_path = os.environ["PATH"]

    @staticmethod
    def is_there() -> bool:
        return shutil.which("pulumi") is not None and shutil.which("pulumi-language-python") is not None

    @contextmanager
    def program(self, folder: Path, environment: Mapping[str, str], output: Path) -> Iterator[tuple[str, ...]]:
        del folder, environment, output
        yield ()


class InlinePrograms:
    """The engine of `make servers`, and a process that serves programs to it."""

    def __init__(self, search_path: str) -> None:
        self.search_path = search_path

    def __enter__(self) -> Self:
        plain = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
        self._server = subprocess.Popen(
            [sys.executable, str(SERVER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=plain
        )
        return self

    def __exit__(self, *_error: object) -> None:
        self._server.communicate(timeout=STOP_SECONDS)

    @contextmanager
    def program(self, folder: Path, environment: Mapping[str, str], output: Path) -> Iterator[tuple[str, ...]]:
        order = {"folder": str(folder), "environment": dict(environment), "output": str(output)}
        self._send(json.dumps(order))
        assert self._server.stdout is not None
        port = self._server.stdout.readline().strip()
        assert port, "the process that serves programs has ended"
        try:
            yield (f"--client=127.0.0.1:{port}", "--exec-kind=auto.inline")
        finally:
            self._send("done")

    def _send(self, line: str) -> None:
        assert self._server.stdin is not None
        self._server.stdin.write(f"{line}\n")
        self._server.stdin.flush()
