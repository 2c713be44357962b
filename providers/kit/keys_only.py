"""What a target says that issues API keys and has no clients: its holders exist already and are nobody's to change."""

from __future__ import annotations

from typing import Final

from keysteward.core.contract.capabilities import Capabilities
from keysteward.core.contract.observed import Settings

NO_CLIENTS: Final = Capabilities(methods=(), lacks=frozenset({"catalogue"}))

HOLDER: Final = Settings("api_key", grants=frozenset(), description=None)
"""What is observed of a holder: nothing that could be declared."""


class KeysOnly:
    """The part of the port that is about clients: there are none."""

    @property
    def capabilities(self) -> Capabilities:
        """There are no clients."""
        return NO_CLIENTS

    @property
    def token_url(self) -> str:
        """There are no tokens."""
        return ""
