"""Runs the command line in processes of their own, forked from one that has imported all of it.

Each run is a real process that can be killed, without the second that starting Python and importing takes. One order a
line on stdin, two answers a line on stdout: the process's id when it was made, its exit code when it has ended.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import io
import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any, NoReturn

import typer
from strikes import Strike

ENTRY = "keysteward.cli.main"
IMPORTED = (
    "keysteward.providers.keycloak",
    "keysteward.providers.local",
    "keysteward.providers.vault",
    "cryptography.hazmat.backends.openssl.backend",  # imported by its first use
    "encodings.ascii",  # so is this
)
WARM = (["--help"], ["up", "--help"], ["preview", "--help"], ["revoke", "--help"])


def serve() -> None:
    """Answer orders until stdin ends."""
    for name in IMPORTED:
        importlib.import_module(name)
    command = typer.main.get_command(importlib.import_module(ENTRY).app)
    for words in WARM:  # finds and imports what is only found and imported when it is used
        with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
            command.main(args=words, prog_name="keysteward")
    gc.collect()
    gc.freeze()
    while order := sys.stdin.readline():
        pid = os.fork()
        if pid == 0:
            _run(command, json.loads(order))
        _answer(pid=pid)
        _, status = os.waitpid(pid, 0)
        _answer(code=os.waitstatus_to_exitcode(status))


def _answer(**answer: int) -> None:
    sys.stdout.write(f"{json.dumps(answer)}\n")
    sys.stdout.flush()


def _run(command: Any, order: dict[str, Any]) -> NoReturn:  # noqa: ANN401 - a command of typer
    """Be the process: one run of `keysteward` in its folder, with its environment, writing to its file."""
    code = 70
    try:
        os.chdir(order["folder"])
        os.environ.clear()
        os.environ.update(order["environment"])
        sys.dont_write_bytecode = True
        for descriptor, name, flags in ((0, os.devnull, os.O_RDONLY), (1, order["output"], os.O_WRONLY | os.O_TRUNC)):
            handle = os.open(name, flags | os.O_CREAT, 0o600)
            os.dup2(handle, descriptor)
        os.dup2(1, 2)
        if order["strike"] is not None:
            Strike(**order["strike"]).arm()
        code = _command(command, order["words"])
    except BaseException:  # noqa: BLE001 - whatever it was, it is told where the run's output is read
        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _command(command: Any, words: list[str]) -> int:  # noqa: ANN401 - a command of typer
    try:
        command.main(args=words, prog_name="keysteward")
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(bool(ended.code))
    return 0


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    serve()
