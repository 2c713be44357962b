"""Secret values of our own choice: client secrets and key pairs, and how they are named by fingerprint."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import string
from typing import Any

from pydantic import SecretStr

from keysteward.core.contract.ports import Fingerprint, Material
from keysteward.core.errors import Damaged

SECRET_CHARACTERS = 43
"""Length of a client secret: 43 letters and digits hold 256 bits, and every vendor takes each of them."""

ALPHABET = string.ascii_letters + string.digits
"""No sign: Cognito takes no "-", and a value of letters and digits needs no quotes anywhere."""

FINGERPRINT_CHARACTERS = 16
"""A fingerprint is shortened to 16 hexadecimal characters (64 bits): traceable, and of no use for guessing."""


def new_material(method: str) -> Material:
    """Make a fresh value: 256 random bits in letters and digits, or an ES256 (P-256) key pair as private JWK."""
    if method == "private_key_jwt":
        from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415 - a look makes no keys
        from jwt.algorithms import ECAlgorithm  # noqa: PLC0415

        private = ECAlgorithm(ECAlgorithm.SHA256).to_jwk(ec.generate_private_key(ec.SECP256R1()), as_dict=True)
        jwk = {**private, "use": "sig", "alg": "ES256", "kid": thumbprint(private)}
        jwk.pop("key_ops", None)
        return material_of(method, json.dumps(jwk, sort_keys=True))
    return material_of(method, "".join(secrets.choice(ALPHABET) for _ in range(SECRET_CHARACTERS)))


def material_of(method: str, value: str) -> Material:
    """Read a stored value back. Raises Damaged when a private JWK cannot be read."""
    if method != "private_key_jwt":
        return Material(method, SecretStr(value), SecretStr(value))
    try:
        jwk: dict[str, Any] = json.loads(value)
        public = {name: jwk[name] for name in jwk if name not in {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}}
        return Material(method, SecretStr(value), SecretStr(thumbprint(jwk)), jwk["kid"], public)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise Damaged("a stored private key is not a JWK: deliver a new one with `keysteward reissue`") from None


def thumbprint(jwk: dict[str, Any]) -> str:
    """Return the RFC 7638 SHA-256 thumbprint of a public or private JWK. Raises KeyError for an unknown key type."""
    members = {"EC": ("crv", "kty", "x", "y"), "RSA": ("e", "kty", "n"), "OKP": ("crv", "kty", "x")}[jwk["kty"]]
    text = json.dumps({name: jwk[name] for name in members}, sort_keys=True, separators=(",", ":"))
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


def fingerprinter(key: bytes, key_id: str) -> Fingerprint:
    """Return the keyed hash of a stack: "<key id>:<16 hex>" of HMAC-SHA-256 over the canonical text."""

    def fingerprint(canonical: str) -> str:
        digest = hmac.new(key, canonical.encode(), hashlib.sha256).hexdigest()
        return f"{key_id}:{digest[:FINGERPRINT_CHARACTERS]}"

    return fingerprint
