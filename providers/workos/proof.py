"""Proof of a secret: WorkOS's own validation of a key, and one real token for a client secret."""

from __future__ import annotations

from keysteward.core.contract.ports import Claim, Proof, Verification
from keysteward.host.http import Reply
from keysteward.host.token_proof import TokenRefusal, TokenReply, judge
from keysteward.providers.workos.api import Api
from keysteward.providers.workos.client import WorkOSClient
from keysteward.providers.workos.inventory import AT

LONGEST_CODE = 60


def verify_key(api: Api, claim: Claim) -> Verification:
    """Let WorkOS say whose the value is and what it may: the call that a consumer's API makes for each request."""
    key = api.validate(claim.material.value)
    if key is None:
        return Verification(Proof.REFUSED, "WorkOS does not know it, or it has expired")
    holders = {key.owner.id, f"{key.owner.id}{AT}{key.owner.organization_id}"}
    if claim.client_id not in holders:
        return Verification(Proof.WRONG, f"it is a key of another {key.owner.type}")
    if claim.secret_id not in {None, key.id}:
        return Verification(Proof.WRONG, f"it is the value of another key, {key.id}")
    missing = sorted(claim.scopes - set(key.permissions))
    if missing:
        return Verification(Proof.WRONG, f"it lacks the permission {', '.join(missing)}")
    return Verification(Proof.PROVEN, "validated by WorkOS")


def verify_secret(client: WorkOSClient, claim: Claim) -> Verification:
    """Ask for a token with this secret and check it as a resource server would.

    The declared scopes are asked for by name: what a token holds without naming any, WorkOS does not say.
    """
    scopes = claim.scopes | claim.optional_scopes
    form = {
        "grant_type": "client_credentials",
        "client_id": claim.client_id,
        "client_secret": claim.material.value.get_secret_value(),
    }
    reply = client.token(form | ({"scope": " ".join(sorted(scopes))} if scopes else {}))
    if not reply.ok:
        return _refusal(reply, claim)
    return judge(reply.read(TokenReply).access_token, claim, key=client.key, issuer=client.issuer, now=client.now())


def _refusal(reply: Reply, claim: Claim) -> Verification:
    """Tell a refused secret from an application that is set up otherwise than declared (RFC 6749, section 5.2)."""
    error = reply.read(TokenRefusal).error
    match error:
        case "invalid_client":
            return Verification(Proof.REFUSED, "WorkOS refuses it, or the application is gone")
        case "unauthorized_client" if not claim.token:
            return Verification(Proof.PROVEN, "authenticated; the application has no client_credentials grant")
        case "unauthorized_client":
            return Verification(Proof.WRONG, "the application may not use the client_credentials grant")
        case "invalid_scope":
            return Verification(Proof.WRONG, "a scope is not granted to the application")
    return Verification(Proof.WRONG, f"no token: {error[:LONGEST_CODE] or reply.status}")
