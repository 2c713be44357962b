"""Proof of a secret: one real token, asked for as its consumer would. No token leaves the proof."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from keysteward.core.contract.ports import Claim, Proof, Verification
from keysteward.host.http import Reply
from keysteward.host.token_proof import TokenRefusal, TokenReply, judge
from keysteward.providers.keycloak.client import KeycloakClient
from keysteward.providers.kit.private_key_jwt import assertion_form

_ACCOUNT_ROLES: Final = ("manage-account", "manage-account-links", "view-profile")
_DEFAULT_ROLES: Final = frozenset(
    {
        "aud: account",
        "realm_access.roles: offline_access",
        "realm_access.roles: uma_authorization",
        *(f"resource_access.account.roles: {role}" for role in _ACCOUNT_ROLES),
    }
)
"""What `default-roles-REALM` gives every account of a new realm (26.7.5): nothing that one client has by itself."""

CLOCK_WORDS: Final = ("in the future", "not active", "has expired", "token expired")
"""In Keycloak's reasons for refusing an assertion because of its times, not because of its key."""


def verify(client: KeycloakClient, claim: Claim) -> Verification:
    """Ask for a token with this secret and check signature, issuer, client, audiences, scopes and lifetime."""
    form = {"grant_type": "client_credentials"}
    if claim.optional_scopes:
        form["scope"] = " ".join(sorted(claim.optional_scopes))
    if claim.material.method == "private_key_jwt":
        form |= assertion_form(claim.client_id, claim.material, audience=client.issuer(), now=client.now())
        # The same assertion twice is refused as a replay, so this call is not repeated.
        reply = client.token(form, repeatable=False)
    else:
        reply = client.token(form, basic_auth=(claim.client_id, claim.material.value))
    if not reply.ok:
        return _refusal(reply, claim)
    token = reply.read(TokenReply).access_token
    verification = judge(token, claim, key=client.key, issuer=client.issuer(), now=client.now())
    if verification.rights is None:
        return verification
    return replace(verification, rights=beyond_default(verification.rights, client.realm))


def beyond_default(rights: frozenset[str], realm: str) -> frozenset[str]:
    """Return the rights that not every account of a realm has."""
    return rights - _DEFAULT_ROLES - {f"realm_access.roles: default-roles-{realm.lower()}"}


def _refusal(reply: Reply, claim: Claim) -> Verification:
    """Tell a refused secret from a client that is set up wrongly. Reasons are those of 26.7.5."""
    answer = reply.read(TokenRefusal)
    error, text = answer.error, answer.error_description
    if "service account" in text and not claim.token:
        return Verification(Proof.PROVEN, "authenticated; the client has no client_credentials grant")
    if "service account" in text:
        return Verification(Proof.WRONG, "the client may not use the client_credentials grant")
    if error == "invalid_scope":
        return Verification(Proof.WRONG, "a scope is not assigned to the client")
    if any(words in text.lower() for words in CLOCK_WORDS) and "secret" not in text.lower():
        return Verification(Proof.WRONG, "the clocks of this machine and of Keycloak differ; correct them")
    if error in {"invalid_client", "unauthorized_client"}:
        return Verification(Proof.REFUSED, "Keycloak refuses it, or the client is disabled")
    return Verification(Proof.WRONG, f"no token: {error[:60] or reply.status}")
