"""Proof of a secret: one real token, checked as a resource server would check it. No token leaves this module."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import jwt
from jwt.types import Options

from keysteward.core.errors import Damaged
from keysteward.core.ports import Claim, Material, Proof, Verification
from keysteward.providers.http import Reply
from keysteward.providers.keycloak.client import KeycloakClient

ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ASSERTION_SECONDS: Final = 60

_UNCHECKED: Final[Options] = {
    "verify_aud": False,
    "verify_exp": False,
    "verify_iat": False,
    "verify_nbf": False,
    "verify_sub": False,
}
"""Audience and times are compared here, by Keycloak's clock and with reasons."""

CLOCK_WORDS: Final = ("in the future", "not active", "has expired", "token expired")
"""In Keycloak's reasons for refusing an assertion because of its times, not because of its key."""


def verify(client: KeycloakClient, claim: Claim) -> Verification:
    """Ask for a token with this secret and check signature, issuer, client, audiences, scopes and lifetime."""
    form = {"grant_type": "client_credentials"}
    if claim.optional_scopes:
        form["scope"] = " ".join(sorted(claim.optional_scopes))
    if claim.material.method == "private_key_jwt":
        form |= {"client_assertion_type": ASSERTION_TYPE, "client_assertion": _assertion(client, claim)}
        # The same assertion twice is refused as a replay, so this call is not repeated.
        reply = client.token(form, repeatable=False)
    else:
        reply = client.token(form, basic=(claim.client_id, claim.material.value))
    if not reply.ok:
        return _refusal(reply, claim)
    return _judge(client, reply, claim)


def _judge(client: KeycloakClient, reply: Reply, claim: Claim) -> Verification:
    token = reply.json().get("access_token", "")
    try:
        key = client.key(str(jwt.get_unverified_header(token).get("kid")))
        if key is None:
            return Verification(Proof.WRONG, "the token is signed by a key that the realm does not publish")
        claims = jwt.decode(token, key, algorithms=list(ALGORITHMS), issuer=client.issuer(), options=_UNCHECKED)
    except jwt.InvalidIssuerError:
        return Verification(Proof.WRONG, "the token names another issuer than the realm's discovery document")
    except jwt.PyJWTError as problem:
        return Verification(Proof.WRONG, f"the token cannot be checked ({type(problem).__name__})")
    defects = list(_defects(claims, claim, client.now()))
    return Verification(Proof.WRONG, "; ".join(defects)) if defects else Verification(Proof.PROVEN, "real token")


def _defects(claims: Mapping[str, Any], claim: Claim, now: datetime | None) -> list[str]:
    found = []
    if claim.client_id not in {claims.get("azp"), claims.get("client_id")}:
        found.append("the token is for another client")
    audience = claims.get("aud", [])
    audiences = {audience} if isinstance(audience, str) else set(audience)
    missing = [name for name in claim.audiences if name not in audiences]
    if missing:
        found.append(f"audience {', '.join(missing)} is missing")
    scopes = (claim.scopes | claim.optional_scopes) - set(str(claims.get("scope", "")).split())
    if scopes:
        found.append(f"scope {', '.join(sorted(scopes))} is missing")
    issued, expires = claims.get("iat"), claims.get("exp")
    if not isinstance(issued, int) or not isinstance(expires, int):
        return [*found, "the token has no times"]
    if claim.token_lifetime is not None and expires - issued > claim.token_lifetime:
        found.append(f"it lives {expires - issued} s instead of {claim.token_lifetime} s")
    if now is not None and expires <= now.timestamp():
        found.append("it has expired already")
    return found


def _refusal(reply: Reply, claim: Claim) -> Verification:
    """Tell a refused secret from a client that is set up wrongly. Reasons are those of 26.7.5."""
    answer = reply.json()
    error = str(answer.get("error", ""))
    text = str(answer.get("error_description", ""))
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


def _assertion(client: KeycloakClient, claim: Claim) -> str:
    """Sign the assertion of RFC 7523, section 3, for the realm's issuer, by Keycloak's clock where it is known."""
    heard = client.now()
    now = int(heard.timestamp() if heard is not None else time.time())
    payload = {
        "iss": claim.client_id,
        "sub": claim.client_id,
        "aud": client.issuer(),
        "jti": uuid.uuid4().hex,
        "iat": now,
        "exp": now + ASSERTION_SECONDS,
    }
    key = _private_key(claim.material)
    return jwt.encode(payload, key.key, algorithm=key.algorithm_name, headers={"kid": claim.material.kid})


def _private_key(material: Material) -> jwt.PyJWK:
    try:
        return jwt.PyJWK(json.loads(material.value.get_secret_value()))
    except (AttributeError, ValueError, TypeError, jwt.PyJWTError):
        pass
    raise Damaged("a stored private key is not a JWK: deliver a new one with `keysteward reissue`")
