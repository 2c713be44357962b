"""The vendor's own emulator of WorkOS, npm package `workos`: what `workos emulate` runs, started on loopback.

As probed at version 0.14.0 (`tests/sandbox/test_workos_conformance.py` repeats it), it answers these of our calls as
the vendor describes them: organizations (make, show, list with pages), users (make, list), permissions (delete),
secrets of applications (delete), keys (delete), 401 for a bad key, 404 for what is not there.

It differs from the vendor's OpenAPI description, so that the stand-in follows the description here:

- Organization keys cannot be made or expired; the list is always empty, also of an organization that does not exist.
  User-owned keys: no call. Validation takes `key` instead of `value`, knows only environment keys, answers `{"valid"}`.
- Permissions have no `system` and no `resource_type_slug`; slugs are not checked; a second one of the same slug is 422,
  not 409; they are changed by PUT, not PATCH.
- Applications have no type, organization, scopes or description, and no PUT or DELETE. A new secret shows
  `value` and `last_four` instead of `secret` and `secret_hint`; secrets cannot be listed and have no upper number.
- No token endpoint, JWKS or metadata of the AuthKit domain.
- `limit` above 100 is cut instead of refused; memberships are listed without any filter; a membership has no `user`.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import requests

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PACKAGE, VERSION = "workos", "0.14.0"
OLDEST_NODE = (20, 20)
API_KEY = "sk_test_default"
START_SECONDS = 120

LAUNCHER = """
import net from "node:net";
const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function (port, host, ...rest) {
  return listen.call(this, port, host ?? "127.0.0.1", ...rest);
};
const { runEmulate } = await import(process.argv[1]);
await runEmulate({ port: Number(process.argv[2]), json: true });
"""
"""Runs the package's command `emulate`, which listens on all addresses when nobody stops it, on loopback only."""


class EmulatorDown(Exception):
    """The emulator did not come up; the message says why."""


@dataclass(frozen=True)
class WorkOSEmulator:
    """A running emulator."""

    url: str
    api_key: str = API_KEY


def missing_for_emulator() -> list[str]:
    """Return what this machine lacks to run it."""
    node = shutil.which("node")
    if node is None or shutil.which("npm") is None:
        return ["node and npm are not both on PATH"]
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=False, timeout=60).stdout
    version = tuple(int(part) for part in said.strip().lstrip("v").split(".")[:2])
    needed = ".".join(map(str, OLDEST_NODE))
    return [] if version >= OLDEST_NODE else [f"node {said.strip()} is older than {needed}"]


@contextmanager
def running(package: Path, folder: Path) -> Iterator[WorkOSEmulator]:
    """Start the emulator in an empty folder and stop it at the end; `EmulatorDown` when it does not answer."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    module = (package / "dist" / "commands" / "emulate.js").as_uri()
    command = [shutil.which("node") or "node", "--input-type=module", "--eval", LAUNCHER, "--", module, str(port)]
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "WORKOS_TELEMETRY": "false"}
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT)
    try:
        emulator = WorkOSEmulator(f"http://127.0.0.1:{port}")
        _wait(emulator, process, folder / "output")
        yield emulator
    finally:
        process.terminate()
        process.wait(START_SECONDS)


def _wait(emulator: WorkOSEmulator, process: subprocess.Popen[bytes], output: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        try:
            if requests.get(f"{emulator.url}/health", timeout=5).ok:
                return
        except requests.ConnectionError:
            time.sleep(0.1)
    raise EmulatorDown(f"the emulator did not answer: {output.read_text(encoding='utf-8', errors='replace')[-400:]}")
