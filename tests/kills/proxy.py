"""Stands between a run and a real server, so that tests can watch the calls and strike at one."""

from __future__ import annotations

from typing import Any

import requests
from werkzeug.wrappers import Request, Response

from keysteward.sandbox.server import StandIn, Work

HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "content-encoding", "date"}


class Proxy(StandIn):
    """Hands every call on to a real server, which sees the address of the proxy as its own.

    Where the server does not answer, nor does the proxy.
    """

    def __init__(self, behind: str) -> None:
        super().__init__()
        self.behind = behind

    def respond(self, request: Request) -> Response | None:
        """Answer one call; None closes the connection without an answer."""
        return self.around(request, self._handed_on(request))

    def _handed_on(self, request: Request) -> Work:
        def work() -> Response | None:
            try:
                with self.lock:
                    return self.answer(request)
            except requests.ConnectionError:
                return None

        return work

    def answer(self, request: Request) -> Response:
        answer = requests.request(
            request.method,
            f"{self.behind}{request.full_path.rstrip('?')}",
            data=request.get_data(),
            headers=dict(request.headers),
            allow_redirects=False,
            timeout=60,
        )
        headers = {name: value for name, value in answer.headers.items() if name.lower() not in HOP_BY_HOP}
        return Response(answer.content, answer.status_code, headers)

    def state(self) -> dict[str, Any]:
        return {}
