"""Identity tokens as evidence: what may be kept, what a kept one says, and whether its issuer made it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

import jwt

from keysteward.core.audit.chain import audience
from keysteward.core.errors import DeclarationError
from keysteward.host.token_proof import KeySet, unchecked_claims, unreadable

Claims = dict[str, str]

LONGEST_LIFE: Final = timedelta(hours=1)
"""A token that is good for longer is not kept: whoever reads the log could look for a place that takes it."""

ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA")
"""Only with a key pair can others verify a token that they cannot make."""

SHOWN: Final = (
    "iss",
    "sub",
    "repository",
    "project_path",
    "workflow_ref",
    "workflow",
    "ci_config_ref_uri",
    "ref",
    "sha",
    "actor",
    "user_login",
    "event_name",
    "pipeline_source",
    "environment",
    "run_id",
    "pipeline_id",
    "job_id",
)
"""Claims of GitHub's and GitLab's tokens that say whose job it was."""


def checked_token(token: str, key: str, *, given: bool) -> None:
    """Refuse a token that is no evidence for this key, or that would be worth stealing. Raises DeclarationError."""
    claims = _read(token)
    whose = "KEYSTEWARD_ID_TOKEN" if given else "the CI's identity token"
    if claims.get("aud") not in (audience(key), [audience(key)]):
        raise DeclarationError(f"{whose} is not for this signing key: its one audience must be {audience(key)}")
    begins, ends = claims.get("iat"), claims.get("exp")
    if not isinstance(begins, int) or not isinstance(ends, int) or ends - begins > LONGEST_LIFE.total_seconds():
        raise DeclarationError(f"{whose} is good for more than an hour; shorten the time-out of the job")


def claims_of(token: str) -> Claims:
    """Return what a kept token says, whoever made it."""
    return {name: str(value) for name, value in _read(token).items() if isinstance(value, str | int)}


def shown(claims: Claims) -> Claims:
    """Return the claims that say whose job it was."""
    return {name: claims[name] for name in SHOWN if name in claims}


def verified_claims(token: str, key: str, keys: Mapping[str, Mapping[str, Any]]) -> Claims | None:
    """Return the claims of a token that one of these issuers made for this key; None when none of them did.

    `keys` are JSON Web Key Sets by issuer. That the token has expired is of no matter: it was kept as evidence.
    """
    issuer = _read(token).get("iss")
    if not isinstance(issuer, str) or issuer not in keys:
        return None
    try:
        header = jwt.get_unverified_header(token)
        held = KeySet.model_validate(keys[issuer]).by_id()
        jwt.decode(
            token,
            held[str(header.get("kid"))],
            algorithms=list(ALGORITHMS),
            audience=audience(key),
            issuer=issuer,
            options={"verify_exp": False, "verify_nbf": False, "verify_iat": False, "require": ["iss", "aud"]},
        )
    except unreadable():
        return None
    return claims_of(token)


def _read(token: str) -> dict[str, Any]:
    claims = unchecked_claims(token)
    try:
        header = jwt.get_unverified_header(token)
    except unreadable():
        return {}
    return claims if header.get("alg") in ALGORITHMS else {}
