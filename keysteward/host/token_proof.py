"""Proof of a token: checked as a resource server would check it, whoever issued it. No token leaves this module."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel, ConfigDict, Field

from keysteward.core.contract.ports import Claim, Proof, Verification

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

DEEPEST_CLAIM: Final = 10
"""Objects and lists inside of each other that a claim is read to: roles stand three deep."""

MOST_SECONDS: Final = 100 * 365 * 86_400
"""No token lives longer, whatever is said of it."""

VISIBLE: Final = r"^[\x21-\x7e]+$"
"""What stands in a header as it is; RFC 6750, section 2.1, allows fewer characters."""


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class TokenReply(_Answer):
    """What a token endpoint gives (RFC 6749, section 5.1)."""

    access_token: str = Field(pattern=VISIBLE, repr=False)
    expires_in: float = Field(0, ge=0, le=MOST_SECONDS, allow_inf_nan=False)


class TokenRefusal(_Answer):
    """Why it gives none (RFC 6749, section 5.2)."""

    error: str
    error_description: str = ""


class Discovery(_Answer):
    """What an issuer says of itself (OpenID Connect Discovery 1.0, section 3; RFC 8414)."""

    issuer: str
    jwks_uri: str = ""


class KeySet(_Answer):
    """A JSON Web Key Set (RFC 7517, section 5)."""

    keys: list[dict[str, Any]]

    def by_id(self) -> dict[str, jwt.PyJWK]:
        """Return the keys that have a `kid` and can be read."""
        read = ((entry.get("kid"), _key(entry)) for entry in self.keys)
        return {kid: key for kid, key in read if isinstance(kid, str) and kid and key is not None}


def unreadable() -> tuple[type[Exception], ...]:
    """Return what PyJWT raises, and lets through, for a token or a key that was made to trip its reader."""
    import jwt  # noqa: PLC0415 - with all of cryptography; a look needs neither
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415

    builtin = (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError)
    return (jwt.PyJWTError, UnsupportedAlgorithm, *builtin)


def _key(entry: dict[str, Any]) -> jwt.PyJWK | None:
    import jwt  # noqa: PLC0415 - with all of cryptography; a look needs neither

    try:
        return jwt.PyJWK(entry)
    except unreadable():
        return None


class SigningKeys:
    """An issuer's published keys by `kid`. `read` returns its key set: once, and again for an unknown one."""

    def __init__(self, read: Callable[[], KeySet]) -> None:
        self._read = read
        self._keys: dict[str, jwt.PyJWK] = {}

    def find(self, kid: str) -> jwt.PyJWK | None:
        """Return one key; None when the issuer publishes none of this `kid`, or nothing that can be read."""
        if kid not in self._keys:
            self._keys = self._read().by_id()
        return self._keys.get(kid)


def unchecked_claims(token: str) -> dict[str, Any]:
    """Return what a token says, whoever made it; nothing of one that cannot be read."""
    import jwt  # noqa: PLC0415 - with all of cryptography; a look needs neither

    try:
        claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    except unreadable():
        return {}
    return claims


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
    except unreadable() as problem:
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


def _told(value: object, path: str, client_id: str, depth: int = 0) -> Iterator[str]:
    if isinstance(value, Mapping) and depth < DEEPEST_CLAIM:
        for name, inner in value.items():
            yield from _told(inner, f"{path}.{name}" if path else str(name), client_id, depth + 1)
    elif isinstance(value, list) and depth < DEEPEST_CLAIM:
        for inner in value:
            yield from _told(inner, path, client_id, depth + 1)
    elif isinstance(value, Mapping | list):
        yield f"{path}: more than is read"
    else:
        yield f"{path}: {'its own client_id' if value == client_id else value}"


def _defects(claims: Mapping[str, Any], claim: Claim, now: datetime | None) -> list[str]:
    found = []
    if claim.client_id not in (claims.get("azp"), claims.get("client_id")):
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
    named = [audience] if isinstance(audience, str) else audience
    return {name for name in named if isinstance(name, str)} if isinstance(named, list) else set()
