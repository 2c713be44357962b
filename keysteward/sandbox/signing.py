"""Signing keys of the stand-ins: generated once per process, because RSA keys are slow to make."""

from __future__ import annotations

import base64
import hashlib
import json
from functools import cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import RSAAlgorithm

KEY_BITS = 2048


@cache
def signing_key() -> rsa.RSAPrivateKey:
    """Return the RSA key that signs every token of this process."""
    return rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)


@cache
def key_id() -> str:
    """Return the ``kid``: the key's JWK thumbprint (RFC 7638)."""
    members = {name: value for name, value in _public_members().items() if name in {"e", "kty", "n"}}
    canonical = json.dumps(members, sort_keys=True, separators=(",", ":"))
    return base64.urlsafe_b64encode(hashlib.sha256(canonical.encode()).digest()).rstrip(b"=").decode()


def public_jwk() -> dict[str, Any]:
    """Return the public key as a JWK (RFC 7517)."""
    return {"kid": key_id(), "kty": "RSA", "alg": "RS256", "use": "sig", **_public_members()}


def public_der_base64() -> str:
    """Return the public key as Keycloak shows it on a realm's page: base64 of the DER encoding."""
    der = signing_key().public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(der).decode()


def _public_members() -> dict[str, Any]:
    jwk: dict[str, Any] = json.loads(RSAAlgorithm.to_jwk(signing_key().public_key()))
    return {name: jwk[name] for name in ("kty", "n", "e")}
