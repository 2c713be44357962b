"""Plugin processes forked from one that has imported all of it: what `python -m pulumi.dynamic` is a second later.

The process that forks is this file, run as a program: each order on its socket brings a folder, an environment and two
descriptors to write to, and is answered with the id of the process that is now `pulumi.dynamic`.
"""

from __future__ import annotations

import atexit
import functools
import gc
import importlib
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

IMPORTED = (
    "asyncio",
    "dill",
    "grpc",
    "pulumi",
    "pulumi.dynamic",
    "pulumi.runtime.proto.provider_pb2_grpc",
    "keysteward.providers.dynamic",
    "keysteward.providers.keycloak",
    "keysteward.providers.local",
    "keysteward.providers.workos",
)
MOST_BYTES = 1 << 20


@functools.cache
def _forking() -> socket.socket:
    """Start the process that forks; it ends with this one."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        process = subprocess.Popen([sys.executable, __file__, str(theirs.fileno())], pass_fds=[theirs.fileno()])

    def end() -> None:
        ours.close()
        process.wait()

    atexit.register(end)
    return ours


def forked(folder: Path, environment: Mapping[str, str], output: int, errors: int) -> int:
    """Start a plugin in a folder, with an environment and its two outputs; returns the id of its process."""
    order = json.dumps({"folder": str(folder), "environment": dict(environment)}).encode()
    socket.send_fds(_forking(), [order], [output, errors])
    return int(_forking().recv(MOST_BYTES))


def _serve(orders: socket.socket) -> None:
    """Fork for each order, until nobody is there to give one. In the fork, return when the plugin has ended."""
    time.sleep = lambda _seconds: None  # patience and retries wait for nothing: the stand-ins answer at once
    for name in IMPORTED:
        importlib.import_module(name)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them: their outputs tell that they have ended
    gc.collect()
    gc.freeze()
    while True:
        order, outputs, _, _ = socket.recv_fds(orders, MOST_BYTES, 2)
        if not order:
            return
        pid = os.fork()
        if pid == 0:
            orders.close()
            _be_plugin(outputs, **json.loads(order))
            return
        for output in outputs:
            os.close(output)
        orders.send(str(pid).encode())


def _be_plugin(outputs: list[int], folder: str, environment: Mapping[str, str]) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for descriptor, output in enumerate(outputs, start=1):
        os.dup2(output, descriptor)
        os.close(output)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.path[0] = folder
    sys.stdout.reconfigure(write_through=True)  # type: ignore[union-attr] # as `python -u` does
    runpy.run_module("pulumi.dynamic", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
