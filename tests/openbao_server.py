"""OpenBao or Vault on loopback: a server in development mode, and one that keeps its data in files and is sealed."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import requests

START_SECONDS = 60
ROOT_TOKEN = "conformance-root"

CONFIGURATION = """
storage "raft" {{
  path = "{folder}/data"
  node_id = "alone"
  performance_multiplier = 1
}}
listener "tcp" {{
  address = "127.0.0.1:{port}"
  cluster_address = "127.0.0.1:{neighbour}"
  tls_disable = true
}}
api_addr = "http://127.0.0.1:{port}"
cluster_addr = "http://127.0.0.1:{neighbour}"
"""


@contextmanager
def in_development_mode(program: Path) -> Iterator[str]:
    """Start a server that forgets everything; its root token is `ROOT_TOKEN`. Yields its address."""
    port = _free_port_with_neighbour()
    options = [f"-dev-root-token-id={ROOT_TOKEN}", f"-dev-listen-address=127.0.0.1:{port}", "-dev-no-store-token"]
    process = _started([str(program), "server", "-dev", *options])
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_for(url, process, healthy={200})
        yield url
    finally:
        process.terminate()
        process.wait(START_SECONDS)


@dataclass
class SealedServer:
    """A server that starts sealed, keeps its data in files, and can be sealed, killed and started again."""

    program: Path
    folder: Path
    token: str = field(default="", init=False)

    def __post_init__(self) -> None:
        port = _free_port_with_neighbour()
        self.url = f"http://127.0.0.1:{port}"
        (self.folder / "data").mkdir()
        self.configuration = self.folder / "server.hcl"
        text = CONFIGURATION.format(folder=self.folder, port=port, neighbour=port + 1)
        self.configuration.write_text(text, encoding="utf-8")

    def __enter__(self) -> Self:
        self.start()
        made = self.call("PUT", "sys/init", {"secret_shares": 1, "secret_threshold": 1})
        self._key, self.token = made["keys"][0], made["root_token"]
        self.unseal()
        return self

    def __exit__(self, *_error: object) -> None:
        self.kill()

    def start(self) -> None:
        """Start it, sealed."""
        self._process = _started([str(self.program), "server", f"-config={self.configuration}"])
        _wait_for(self.url, self._process, healthy={501, 503})

    def kill(self) -> None:
        """End it at once, as a power cut would. May be repeated."""
        self._process.kill()
        self._process.wait(START_SECONDS)

    def is_dead(self) -> bool:
        return self._process.poll() is not None

    def seal(self) -> None:
        self.call("PUT", "sys/seal")

    def unseal(self) -> None:
        """Unseal it, and wait until it has found out that it is alone."""
        self.call("PUT", "sys/unseal", {"key": self._key})
        _wait_for(self.url, self._process, healthy={200})

    def call(self, method: str, path: str, document: object = None) -> Any:  # noqa: ANN401 - JSON
        """Call the server with every right."""
        headers = {"X-Vault-Token": self.token} if self.token else {}
        answer = requests.request(method, f"{self.url}/v1/{path}", json=document, headers=headers, timeout=30)
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None


def version(url: str) -> str:
    found: str = requests.get(f"{url}/v1/sys/health", timeout=10).json()["version"]
    return found


def _started(command: list[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _wait_for(url: str, process: subprocess.Popen[bytes], healthy: set[int]) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        try:
            if requests.get(f"{url}/v1/sys/health", timeout=5).status_code in healthy:
                return
        except requests.ConnectionError:
            pass
        time.sleep(0.05)
    raise AssertionError(f"{process.args} did not answer within {START_SECONDS} s")


def _free_port_with_neighbour() -> int:
    """Find a port whose successor is free too: a server takes that one for its cluster."""
    while True:
        with socket.create_server(("127.0.0.1", 0)) as first:
            port: int = first.getsockname()[1]
            try:
                socket.create_server(("127.0.0.1", port + 1)).close()
            except (OSError, OverflowError):
                continue
        return port
