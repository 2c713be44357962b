"""Proof of a token: checked as a resource server would check it, whoever issued it. No token leaves this module."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from keysteward.core.ports import Claim, Proof, Verification

if TYPE_CHECKING:
    import jwt
    from jwt.types import Options

ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")

_UNCHECKED: Final[Options] = {
    "verify_aud": False,
    "verify_exp": False,
    "verify_iat": False,
    "verify_nbf": False,
    "verify_sub": False,
}
"""Audience and times are compared here, by the issuer's clock and with reasons."""

_WHOSE: Final = {"azp", "client_id", "clientId", "clientHost", "clientAddress", "preferred_username", "username", "sub"}
_WHEN: Final = {"exp", "iat", "nbf", "auth_time", "jti", "sid", "session_state", "origin_jti", "event_id"}
_OF_EVERY_TOKEN: Final = frozenset({"iss", "typ", "token_use", "version", "acr", "at_hash", "scope"} | _WHOSE | _WHEN)
"""Claims that say whose a token is and when it was made (RFC 7519, RFC 9068, and Keycloak's and Cognito's own)."""


class SigningKeys:
    """An issuer's published keys by `kid`. `read` returns its JWKS (RFC 7517): once, and again for an unknown one."""

    def __init__(self, read: Callable[[], Mapping[str, Any]]) -> None:
        self._read = read
        self._keys: dict[str, jwt.PyJWK] = {}

    def find(self, kid: str) -> jwt.PyJWK | None:
        """Return one key; None when the issuer publishes none of this `kid`, or nothing that can be read."""
        if kid not in self._keys:
            import jwt  # noqa: PLC0415 - with all of cryptography; a look needs neither

            document = dict(self._read())
            try:
                self._keys = {key.key_id: key for key in jwt.PyJWKSet.from_dict(document).keys if key.key_id}
            except jwt.PyJWTError:
                self._keys = {}
        return self._keys.get(kid)


def judge(
    token: str,
    claim: Claim,
    *,
    key: Callable[[str], jwt.PyJWK | None],
    issuer: str,
    now: datetime | None,
    qualified_scopes: bool = False,
) -> Verification:
    """Check signature, issuer, client, audiences, scopes and times. `key` finds a published key by its `kid`.

    `now` is the issuer's time, None when it is not known. With `qualified_scopes` the audiences of a token are those
    that its scopes are named after, too.
    """
    import jwt  # noqa: PLC0415

    try:
        signer = key(str(jwt.get_unverified_header(token).get("kid")))
        if signer is None:
            return Verification(Proof.WRONG, "the token is signed by a key that its issuer does not publish")
        claims = jwt.decode(token, signer, algorithms=list(ALGORITHMS), issuer=issuer, options=_UNCHECKED)
    except jwt.InvalidIssuerError:
        return Verification(Proof.WRONG, "the token names another issuer than the target's")
    except jwt.PyJWTError as problem:
        return Verification(Proof.WRONG, f"the token cannot be checked ({type(problem).__name__})")
    if qualified_scopes:
        named = {scope.rpartition("/")[0] for scope in str(claims.get("scope", "")).split()}
        claims = {**claims, "aud": sorted(_audiences(claims) | named)}
    defects, rights = list(_defects(claims, claim, now)), rights_in(claims, claim.client_id)
    if defects:
        return Verification(Proof.WRONG, "; ".join(defects), rights)
    return Verification(Proof.PROVEN, "real token", rights)


def rights_in(claims: Mapping[str, Any], client_id: str) -> frozenset[str]:
    """Return what a token of a client says beyond who it is, when it was made and its scopes: roles, groups, mappers.

    Each is "path: value" ("realm_access.roles: reports"). A value that is the client's own id counts as any client's.
    """
    own = {name: value for name, value in claims.items() if name not in _OF_EVERY_TOKEN}
    return frozenset(_told(own, "", client_id))


def _told(value: object, path: str, client_id: str) -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _told(inner, f"{path}.{name}" if path else str(name), client_id)
    elif isinstance(value, list):
        for inner in value:
            yield from _told(inner, path, client_id)
    else:
        yield f"{path}: {'its own client_id' if value == client_id else value}"


def _defects(claims: Mapping[str, Any], claim: Claim, now: datetime | None) -> list[str]:
    found = []
    if claim.client_id not in {claims.get("azp"), claims.get("client_id")}:
        found.append("the token is for another client")
    missing = [name for name in claim.audiences if name not in _audiences(claims)]
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


def _audiences(claims: Mapping[str, Any]) -> set[str]:
    audience = claims.get("aud", [])
    return {audience} if isinstance(audience, str) else set(audience)
