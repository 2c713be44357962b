"""A user pool's domain over HTTP: tokens, and the keys they are checked with. No credential of ours is sent."""

from __future__ import annotations

import jwt
from pydantic import SecretStr

from keysteward.host.http import Reply, Session
from keysteward.host.token_proof import KeySet, SigningKeys
from keysteward.providers.kit.login import basic


class TokenClient:
    """One pool's token endpoint and key set. Thread-safe."""

    def __init__(self, target: str, *, token_url: str, issuer: str) -> None:
        self.issuer = issuer
        self._token_url = token_url
        self._http = Session(target)
        self._keys = SigningKeys(self._read_keys)

    def token(self, client_id: str, secret: SecretStr) -> Reply:
        """`POST /oauth2/token` as a client, for all scopes it has; the reply is returned unless the service failed."""
        reply = self._http.request(
            "POST",
            self._token_url,
            operation="ask for a token",
            repeatable=True,
            changes=False,
            form={"grant_type": "client_credentials"},
            headers={"Authorization": basic(client_id, secret)},
        )
        return reply if reply.status in {400, 401, 403} else self._checked(reply)

    def key(self, kid: str) -> jwt.PyJWK | None:
        """Return the pool's signing key of this `kid`."""
        return self._keys.find(kid)

    def _read_keys(self) -> KeySet:
        url = f"{self.issuer}/.well-known/jwks.json"
        reply = self._http.request("GET", url, operation="read the pool's keys", repeatable=True)
        return self._checked(reply).read(KeySet)

    def _checked(self, reply: Reply) -> Reply:
        if reply.ok:
            return reply
        raise reply.error(f"{reply.operation}: Cognito answered {reply.status}; check `domain` and `user_pool`")
