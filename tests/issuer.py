"""A stand-in on loopback for an issuer of CI identities: gives tokens to a job, and shows its keys."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

BEARER = "the-jobs-own-bearer"
NOW = 1_780_000_000


class Issuer:
    """What the job sees: `environment`. `asked` has the audiences of all requests; `lifetime` is in seconds."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.asked: list[str] = []
        self.lifetime = 300
        self.status = 200
        self.claims = {
            "repository": "acme/credentials",
            "ref": "refs/heads/main",
            "actor": "billing-lead",
            "run_id": "7",
        }
        self.called = url

    @property
    def environment(self) -> dict[str, str]:
        return {
            "ACTIONS_ID_TOKEN_REQUEST_URL": f"{self.url}/token?api-version=2.0",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": BEARER,
        }

    def token(self, audience: Any, **claims: Any) -> str:  # noqa: ANN401 - JSON
        made = {"iss": self.url, "aud": audience, "iat": NOW, "exp": NOW + self.lifetime, **self.claims, **claims}
        return jwt.encode(made, self.private, algorithm="RS256", headers={"kid": "k1"})

    def answer(self, path: str, authorization: str | None) -> tuple[int, dict[str, Any]]:
        parts = urlsplit(path)
        if parts.path == "/.well-known/openid-configuration":
            return 200, {"issuer": self.called, "jwks_uri": f"{self.url}/keys"}
        if parts.path == "/keys":
            jwk = jwt.algorithms.RSAAlgorithm.to_jwk(self.private.public_key(), as_dict=True)
            return 200, {"keys": [{**jwk, "kid": "k1", "use": "sig", "alg": "RS256"}]}
        if authorization != f"Bearer {BEARER}" or self.status != 200:
            return self.status if self.status != 200 else 401, {}
        query = parse_qs(parts.query)
        assert query["api-version"] == ["2.0"]
        self.asked += query["audience"]
        return 200, {"count": 1, "value": self.token(query["audience"][0])}


@contextmanager
def issuing() -> Iterator[Issuer]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, document = issuer.answer(self.path, self.headers.get("Authorization"))
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    issuer = Issuer(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield issuer
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
