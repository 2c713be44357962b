"""Authentication by a key pair: the assertion that a client signs (RFC 7523, section 3)."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Final

from keysteward.core.contract.ports import Material
from keysteward.core.errors import Damaged
from keysteward.host.token_proof import unreadable

if TYPE_CHECKING:
    import jwt

ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ASSERTION_SECONDS: Final = 60


def assertion_form(client_id: str, material: Material, *, audience: str, now: datetime | None) -> Mapping[str, str]:
    """Return the fields of a token request; a server may refuse to see the same ones twice.

    `audience` is whom the server takes itself for, its issuer or its token endpoint; `now` is the server's time, None
    where it is not known. Raises Damaged when the material is no private JWK.
    """
    import jwt  # noqa: PLC0415 - with all of cryptography; a look needs neither

    seconds = int(now.timestamp() if now is not None else time.time())
    claims = {"iss": client_id, "sub": client_id, "aud": audience, "jti": uuid.uuid4().hex}
    times = {"iat": seconds, "exp": seconds + ASSERTION_SECONDS}
    key = _private_key(material)
    signed = jwt.encode(claims | times, key.key, algorithm=key.algorithm_name, headers={"kid": material.kid})
    return {"client_assertion_type": ASSERTION_TYPE, "client_assertion": signed}


def _private_key(material: Material) -> jwt.PyJWK:
    import jwt  # noqa: PLC0415

    try:
        return jwt.PyJWK(json.loads(material.value.get_secret_value()))
    except unreadable():
        pass
    raise Damaged("a stored private key is not a JWK: deliver a new one with `keysteward reissue`")
