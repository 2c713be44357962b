"""A SaaS on loopback that has no API for keys: people make and end them in `keys`, everybody else may only use them."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Saas:
    """Answers whoever sends one of `keys`, in the way that its path names. `calls` has what was sent, path first.

    `answers` gives one status to all; `accepts_all` a 200 to anything.
    """

    url: str
    keys: set[str] = field(default_factory=set)
    calls: list[tuple[str, str, str]] = field(default_factory=list)
    answers: int | None = None
    accepts_all: bool = False

    def status(self, path: str, headers: dict[str, str], body: str) -> int:
        """Return the status of one request."""
        self.calls.append((path, "\n".join(f"{name}: {text}" for name, text in headers.items()), body))
        if self.answers is not None:
            return self.answers
        shown = {
            "/me": headers.get("authorization", "").removeprefix("Bearer "),
            "/header": headers.get("x-api-key", ""),
            "/basic": _password(headers.get("authorization", "")),
            "/json": body.partition('"token":"')[2].partition('"')[0],
            "/form": body.removeprefix("token="),
        }
        return 200 if self.accepts_all or shown.get(path) in self.keys else 401


def _password(authorization: str) -> str:
    kind, _, coded = authorization.partition(" ")
    return base64.b64decode(coded).decode().removeprefix("api:") if kind == "Basic" else ""


@contextmanager
def serving_saas() -> Iterator[Saas]:
    """Serve one on a free port of loopback."""

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
            status = saas.status(self.path, {n.lower(): v for n, v in self.headers.items()}, body)
            self.send_response(status)
            if status == 302:
                self.send_header("location", f"{saas.url}/me")
            self.send_header("content-length", "0")
            self.end_headers()

        do_GET = do_HEAD = do_POST = _answer  # noqa: N815 - the names of http.server

        def log_message(self, *_args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    saas = Saas(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield saas
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
