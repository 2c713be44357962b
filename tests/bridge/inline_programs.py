"""Serves programs to the engine as the Automation API does with inline ones: each run in a process of its own.

That process is forked from one that has imported everything, so that a run does not begin with a second of imports.
An order a line on stdin, the port at which its program is served on stdout; the next line ends that process.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import runpy
import signal
import sys
import traceback
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NoReturn

import grpc
from pulumi.automation._server import LanguageServer
from pulumi.runtime.proto import language_pb2_grpc

THREADS = 4
IMPORTED = ("keysteward", "keysteward.providers.keycloak", "keysteward.providers.local", "keysteward.providers.vault")


def serve() -> None:
    """Answer orders until stdin ends."""
    for name in IMPORTED:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()
    while order := sys.stdin.readline():
        process = os.fork()
        if process == 0:
            _be_the_program(json.loads(order))
        sys.stdin.readline()
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)


def _be_the_program(order: dict[str, Any]) -> NoReturn:
    """Serve the program of a folder until killed; what it prints goes to the order's file."""
    try:
        os.chdir(order["folder"])
        os.environ.clear()
        os.environ.update(order["environment"])
        sys.dont_write_bytecode = True
        sys.path.insert(0, order["folder"])
        server = grpc.server(ThreadPoolExecutor(THREADS))
        program = LanguageServer(lambda: runpy.run_path("__main__.py", run_name="__main__"))
        language_pb2_grpc.add_LanguageRuntimeServicer_to_server(program, server)  # type: ignore[no-untyped-call]
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        sys.stdout.write(f"{port}\n")
        sys.stdout.flush()
        output = os.open(order["output"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(output, 1)
        os.dup2(output, 2)
        while True:
            signal.pause()
    except BaseException:  # noqa: BLE001 - whatever it was: without a port the order fails
        traceback.print_exc()
    finally:
        os._exit(1)


if __name__ == "__main__":
    serve()
