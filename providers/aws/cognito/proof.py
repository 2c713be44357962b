"""Proof of a client secret: one real token, checked as an API would check it. No token leaves this module."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import jwt
from jwt.types import Options

from keysteward.core.ports import Claim, Material, Proof, Verification
from keysteward.providers.aws.cognito.client import TokenClient
from keysteward.providers.http import Reply

_UNCHECKED: Final[Options] = {
    "verify_aud": False,
    "verify_exp": False,
    "verify_iat": False,
    "verify_nbf": False,
    "verify_sub": False,
}
"""Audience and times are compared here, by Cognito's clock and with reasons."""

REFUSALS: Final[Mapping[str, Verification]] = {
    "invalid_client": Verification(Proof.REFUSED, "Cognito refuses it, or there is no such client"),
    "invalid_grant": Verification(Proof.REFUSED, "the client may get no tokens: it is suspended"),
    "unauthorized_client": Verification(Proof.WRONG, "the client may not use the client_credentials grant"),
    "invalid_scope": Verification(Proof.WRONG, "the client has no scope that a resource server offers"),
}
"""Developer Guide, "The token issuer endpoint"."""


def authenticates(client: TokenClient, client_id: str, material: Material) -> bool:
    """Say whether this secret is one of the client's, whatever the client may do with it."""
    reply = client.token(client_id, material.value)
    return reply.ok or reply.json().get("error") in REFUSALS.keys() - {"invalid_client"}


def verify(client: TokenClient, claim: Claim) -> Verification:
    """Ask for a token with this secret and check signature, issuer, client, audiences, scopes and lifetime."""
    reply = client.token(claim.client_id, claim.material.value)
    if reply.ok:
        return _judge(client, reply, claim)
    error = str(reply.json().get("error", ""))
    if not claim.token and error in REFUSALS.keys() - {"invalid_client"}:
        return Verification(Proof.PROVEN, "authenticated; the client gets no tokens of its own")
    return REFUSALS.get(error) or Verification(Proof.WRONG, f"no token: {error[:60] or reply.status}")


def _judge(client: TokenClient, reply: Reply, claim: Claim) -> Verification:
    token = str(reply.json().get("access_token", ""))
    try:
        key = client.key(str(jwt.get_unverified_header(token).get("kid")))
        if key is None:
            return Verification(Proof.WRONG, "the token is signed by a key that the pool does not publish")
        claims = jwt.decode(token, key, algorithms=["RS256"], issuer=client.issuer, options=_UNCHECKED)
    except jwt.InvalidIssuerError:
        return Verification(Proof.WRONG, "the token is of another user pool; correct `domain` or `user_pool`")
    except jwt.PyJWTError as problem:
        return Verification(Proof.WRONG, f"the token cannot be checked ({type(problem).__name__})")
    defects = list(_defects(claims, claim, reply.date))
    return Verification(Proof.WRONG, "; ".join(defects)) if defects else Verification(Proof.PROVEN, "real token")


def _defects(claims: Mapping[str, Any], claim: Claim, now: datetime | None) -> list[str]:
    """Compare a token with what is declared. It has no audience of its own: its scopes say which API it is for."""
    found = []
    if claims.get("client_id") != claim.client_id:
        found.append("the token is for another client")
    scopes = set(str(claims.get("scope", "")).split())
    audiences = {scope.rpartition("/")[0] for scope in scopes}
    missing = [name for name in claim.audiences if name not in audiences]
    if missing:
        found.append(f"audience {', '.join(missing)} is missing")
    lacking = (claim.scopes | claim.optional_scopes) - scopes
    if lacking:
        found.append(f"scope {', '.join(sorted(lacking))} is missing")
    issued, expires = claims.get("iat"), claims.get("exp")
    if not isinstance(issued, int) or not isinstance(expires, int):
        return [*found, "the token has no times"]
    if claim.token_lifetime is not None and expires - issued > claim.token_lifetime:
        found.append(f"it lives {expires - issued} s instead of {claim.token_lifetime} s")
    if now is not None and expires <= now.timestamp():
        found.append("it has expired already")
    return found
