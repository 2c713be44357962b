"""Proof of a client secret: one real token. It has no audience of its own: its scopes say which API it is for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from keysteward.core.contract.ports import Claim, Material, Proof, Verification
from keysteward.host.token_proof import TokenRefusal, TokenReply, judge
from keysteward.providers.aws.cognito.client import TokenClient

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
    if reply.ok:
        return bool(reply.read(TokenReply).access_token)
    return reply.read(TokenRefusal).error in REFUSALS.keys() - {"invalid_client"}


def verify(client: TokenClient, claim: Claim) -> Verification:
    """Ask for a token with this secret and check signature, issuer, client, audiences, scopes and lifetime."""
    reply = client.token(claim.client_id, claim.material.value)
    if reply.ok:
        token = reply.read(TokenReply).access_token
        return judge(token, claim, key=client.key, issuer=client.issuer, now=reply.date, qualified_scopes=True)
    error = reply.read(TokenRefusal).error
    if not claim.token and error in REFUSALS.keys() - {"invalid_client"}:
        return Verification(Proof.PROVEN, "authenticated; the client gets no tokens of its own")
    return REFUSALS.get(error) or Verification(Proof.WRONG, f"no token: {error[:60] or reply.status}")
