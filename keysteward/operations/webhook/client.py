"""Calls a consumer's webhook after a delivery, signed as Standard Webhooks 1.0 says (standardwebhooks.com).

The news holds no secret: it says which generation of which credential lies where, so that the consumer reads it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from functools import lru_cache

from pydantic import SecretStr
from standardwebhooks import Webhook as Signer

from keysteward.core.declare.delivery import Place
from keysteward.core.errors import DeclarationError
from keysteward.core.run.executor import News
from keysteward.host.http import Session
from keysteward.host.references import resolve

READ_TIMEOUT_SECONDS = 5.0
"""A consumer only takes note; what takes longer is told again by the next run."""

KEY_PREFIX = "whsec_"
SHORTEST_KEY_BYTES, LONGEST_KEY_BYTES = 24, 64
"""Standard Webhooks 1.0, "Signature scheme": symmetric keys have 192 to 512 bits, as base64 behind the prefix."""

EVENT = "credential.delivered"


@lru_cache(maxsize=1)
def _session() -> Session:
    return Session("webhook", read_timeout_seconds=READ_TIMEOUT_SECONDS)


def notify(place: Place, news: News) -> None:
    """Tell the consumer of a place what it holds now. Any 2xx answer is success; nothing is sent twice in one run.

    Raises AccessDenied when the signing key is missing, DeclarationError when it is none, and the errors of HTTP.
    """
    if place.webhook is None or place.webhook_key is None:
        raise DeclarationError(f"{place.key} has no webhook")
    key = _key(resolve(place.webhook_key, purpose=f"signing key of the webhook of {place.key}"), place)
    body, identifier = body_of(news), webhook_id(news)
    reply = _session().request(
        "POST",
        place.webhook,
        operation="notify",
        repeatable=False,
        headers={
            "content-type": "application/json",
            "webhook-id": identifier,
            "webhook-timestamp": str(int(news.at.timestamp())),
            "webhook-signature": Signer(key).sign(identifier, news.at, body),
        },
        body=body.encode(),
    )
    if not reply.ok:
        raise reply.error(f"the webhook of {place.key} answered {reply.status}; look at its log")


def webhook_id(news: News) -> str:
    """Return the id of one piece of news: the same whenever it is told again, so that a receiver can tell."""
    parts = (news.identity, str(news.generation), news.place, news.nonce)
    return "msg_" + hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def body_of(news: News) -> str:
    """Return the JSON that is sent: public names and numbers only."""
    data = {"identity": news.identity, "generation": news.generation, "place": news.place}
    return json.dumps({"type": EVENT, "timestamp": news.at.isoformat(), "data": data}, separators=(",", ":"))


def _key(text: SecretStr, place: Place) -> bytes:
    """Read a signing key. The error does not repeat it."""
    value = text.get_secret_value()
    try:
        key = base64.b64decode(value.removeprefix(KEY_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not value.startswith(KEY_PREFIX) or not SHORTEST_KEY_BYTES <= len(key) <= LONGEST_KEY_BYTES:
        raise DeclarationError(
            f"what {place.webhook_key} holds is no signing key for the webhook of {place.key}; it must be whsec_ and "
            f"the base64 of {SHORTEST_KEY_BYTES} to {LONGEST_KEY_BYTES} random bytes"
        )
    return key
