"""The application: knows nothing of keysteward, reads its document from the store, and gets tokens like any client."""

from __future__ import annotations

import json
import time
import uuid
from dataclasses import dataclass
from typing import Any

import jwt
import requests

from keysteward.cli.demo.place import AWS_REGION, TIMEOUT_SECONDS, Place

JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ASSERTION_SECONDS = 60


@dataclass(frozen=True)
class Credential:
    """What the application holds after reading its document."""

    generation: int
    client_id: str
    token_url: str
    secret: str | None
    private_jwk: str | None
    key_id: str = ""


@dataclass(frozen=True)
class Answer:
    """What the token endpoint said: claims of a validated token, or the error code; of a key, who it is taken for."""

    claims: dict[str, Any] | None
    error: str = ""
    known_as: str = ""

    @property
    def good(self) -> bool:
        """Say whether it was accepted."""
        return self.claims is not None or bool(self.known_as)


def read_document(place: Place, path: str) -> Credential:
    """Read the delivered document with the consumer's own token (Vault KV v2, `GET /v1/secret/data/<path>`)."""
    answer = requests.get(
        f"{place.vault_url}/v1/secret/data/{path}",
        headers={"X-Vault-Token": place.consumer_token},
        timeout=TIMEOUT_SECONDS,
    )
    answer.raise_for_status()
    document = answer.json()["data"]["data"]
    jwk = document.get("private_jwk")
    return Credential(
        generation=document["generation"],
        client_id=document.get("client_id") or document["holder"],
        token_url=document.get("token_url", ""),
        secret=document.get("client_secret") or document.get("api_key") or document.get("AWS_SECRET_ACCESS_KEY"),
        private_jwk=json.dumps(jwk) if isinstance(jwk, dict) else jwk,
        key_id=document.get("key_id") or document.get("AWS_ACCESS_KEY_ID", ""),
    )


def show_key(place: Place, held: Credential) -> Answer:
    """Show an API key to whoever takes it: a partner's to WorkOS (`POST /api_keys/validations`), AWS's to STS."""
    if held.key_id.startswith("AKIA"):
        return _ask_aws(place, held)
    answer = requests.post(
        f"{place.workos_url}/api_keys/validations",
        json={"value": held.secret},
        headers={"Authorization": f"Bearer {place.workos_key}"},
        timeout=TIMEOUT_SECONDS,
    )
    answer.raise_for_status()
    found = answer.json()["api_key"]
    if found is None:
        return Answer(None, "unknown key")
    return Answer(None, known_as=f"a key of {found['owner']['id']} that may {', '.join(found['permissions'])}")


def _ask_aws(place: Place, held: Credential) -> Answer:
    import boto3  # noqa: PLC0415 - only what runs against AWS needs it
    from botocore.exceptions import ClientError  # noqa: PLC0415 - as above

    sts = boto3.client(
        "sts",
        region_name=AWS_REGION,
        endpoint_url=place.aws_url,
        aws_access_key_id=held.key_id,
        aws_secret_access_key=held.secret,
    )
    try:
        return Answer(None, known_as=str(sts.get_caller_identity()["Arn"]))
    except ClientError as error:
        return Answer(None, str(error.response["Error"]["Code"]))


def get_token(place: Place, held: Credential, now: float | None = None) -> Answer:
    """Get a token by `client_credentials` (RFC 6749 4.4, RFC 7523 2.2) and validate it against the realm's JWKS."""
    form = {"grant_type": "client_credentials"}
    auth = None
    if held.private_jwk is not None:
        key = jwt.PyJWK.from_json(held.private_jwk)
        issued = int(now if now is not None else time.time())
        assertion = {
            "iss": held.client_id,
            "sub": held.client_id,
            "aud": place.issuer,
            "jti": str(uuid.uuid4()),
            "iat": issued,
            "exp": issued + ASSERTION_SECONDS,
        }
        signed = jwt.encode(assertion, key.key, algorithm="ES256", headers={"kid": key.key_id})
        form |= {"client_assertion_type": JWT_BEARER, "client_assertion": signed, "client_id": held.client_id}
    else:
        auth = (held.client_id, held.secret or "")
    answer = requests.post(held.token_url, data=form, auth=auth, timeout=TIMEOUT_SECONDS)
    if not answer.ok:
        return Answer(None, answer.json().get("error", str(answer.status_code)))
    token = answer.json()["access_token"]
    keys = requests.get(f"{place.issuer}/protocol/openid-connect/certs", timeout=TIMEOUT_SECONDS).json()
    kid = jwt.get_unverified_header(token)["kid"]
    key = next(k for k in jwt.PyJWKSet.from_dict(keys).keys if k.key_id == kid)
    claims = jwt.decode(
        token,
        key.key,
        algorithms=["RS256"],
        issuer=place.issuer,
        audience="https://billing.example.com",
        options={"verify_exp": False, "verify_iat": False, "verify_nbf": False},
    )
    return Answer(claims)


def server_time(place: Place) -> float | None:
    """Return the sandbox's time, which the demo sets; None on a real server, whose time is everybody's."""
    answer = requests.get(f"{place.keycloak_url}/_sandbox/clock", timeout=TIMEOUT_SECONDS)
    if not answer.ok:
        return None
    from datetime import datetime  # noqa: PLC0415 - only for the sandbox

    return datetime.fromisoformat(answer.json()["now"]).timestamp()
