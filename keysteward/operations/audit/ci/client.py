"""Speaks HTTP with the issuer of a CI job's identity: asks for a token, and reads the issuer's keys.

Source: GitHub documentation, "OpenID Connect reference" (request URL and token in the job's environment, with
`permissions: id-token: write`); OpenID Connect Discovery 1.0, section 4.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, Field, SecretStr

from keysteward.core.contract.address import check_address
from keysteward.core.errors import DeclarationError
from keysteward.host.http import Reply, Session
from keysteward.host.token_proof import VISIBLE, Discovery, KeySet

REQUEST_URL = "ACTIONS_ID_TOKEN_REQUEST_URL"
REQUEST_TOKEN = "ACTIONS_ID_TOKEN_REQUEST_TOKEN"  # noqa: S105 - the variable's name

_WORDS = "the CI's identity"


@dataclass(frozen=True, slots=True)
class Actions:
    """GitHub Actions (and what works alike) as one job sees it."""

    url: str = field(repr=False)
    bearer: SecretStr

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Self | None:
        """Return the job's issuer; None outside a job that may ask for an identity token."""
        url, bearer = environment.get(REQUEST_URL), environment.get(REQUEST_TOKEN)
        return cls(url, SecretStr(bearer)) if url and bearer else None

    def id_token(self, audience: str) -> str:
        """`GET {request URL}&audience=...`: a token for that audience. Raises AccessDenied or Unavailable."""
        check_address(self.url, field=REQUEST_URL)
        reply = Session(_WORDS).request(
            "GET",
            self.url,
            operation="ask for an identity token",
            repeatable=True,
            headers={"Authorization": f"Bearer {self.bearer.get_secret_value()}"},
            params={"audience": audience},
        )
        if not reply.ok:
            raise reply.error("no identity token was given; grant the job: permissions: id-token: write")
        return reply.read(_IdToken).value


class _IdToken(BaseModel):
    """What the request URL gives."""

    value: str = Field(pattern=VISIBLE, repr=False)


def keys_of_issuer(issuer: str) -> dict[str, Any]:
    """Read an issuer's JSON Web Key Set by its discovery document. Raises DeclarationError, NotFound or Unavailable."""
    check_address(issuer, field="the issuer")
    described = _get(f"{issuer.rstrip('/')}/.well-known/openid-configuration").read(Discovery)
    if described.issuer != issuer:
        raise DeclarationError(f"{issuer} calls itself by another name; write the issuer exactly as it does")
    check_address(described.jwks_uri, field="the issuer's jwks_uri")
    reply = _get(described.jwks_uri)
    reply.read(KeySet)
    return reply.read(dict[str, Any])


def _get(url: str) -> Reply:
    reply = Session(_WORDS).request("GET", url, operation="read the issuer's keys", repeatable=True)
    if not reply.ok:
        raise reply.error(f"{urlsplit(url).netloc} does not show its keys; check the issuer's address")
    return reply
