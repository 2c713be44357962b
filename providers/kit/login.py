"""An administrator's access token: kept as long as it lives, asked for by one thread for all."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable
from typing import Final
from urllib.parse import quote_plus

from pydantic import SecretStr

from keysteward.host.references import resolve_token

MARGIN_SECONDS: Final = 10.0
"""A token is renewed this long before its end: Keycloak's realm master gives 60 seconds, others an hour."""


class TokenCache:
    """One access token for all threads. `ask` gets a new one, with its seconds from `asked`, by `clock`, monotonic."""

    def __init__(self, ask: Callable[[], tuple[str, float, float]], *, clock: Callable[[], float]) -> None:
        self._ask = ask
        self._clock = clock
        self._lock = threading.Lock()
        self._held: tuple[str, float] | None = None

    def token(self, refused: str | None = None) -> str:
        """Return a token that lives; another one than `refused`, which the server took no more."""
        with self._lock:
            if self._held is not None and self._held[0] != refused and self._clock() < self._held[1]:
                return self._held[0]
            self._held = None
            token, lifetime, asked = self._ask()
            self._held = token, asked + max(lifetime - MARGIN_SECONDS, lifetime / 2)
            return token


def bearer(reference: str, who: str) -> str:
    """Return the Authorization of a token that a reference points to, as it is now (RFC 6750, section 2.1)."""
    return f"Bearer {resolve_token(reference, purpose=who).get_secret_value()}"


def basic(client_id: str, secret: SecretStr) -> str:
    """Return the Authorization of RFC 6749, section 2.3.1: both parts are form-encoded first."""
    pair = f"{quote_plus(client_id)}:{quote_plus(secret.get_secret_value())}"
    return "Basic " + base64.b64encode(pair.encode()).decode()
