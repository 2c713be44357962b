"""What a target says that issues API keys and has no clients: its holders exist already and are nobody's to change."""

from __future__ import annotations

from datetime import timedelta
from typing import Final, NoReturn

from keysteward.core.contract.capabilities import Capabilities
from keysteward.core.contract.observed import Mark, Settings
from keysteward.core.contract.ports import Created, Material, ScopeWant
from keysteward.core.errors import Rejected

NO_CLIENTS: Final = Capabilities(methods=(), lacks=frozenset({"catalogue"}))

HOLDER: Final = Settings("api_key", grants=frozenset(), description=None)
"""What is observed of a holder: nothing that could be declared."""


class KeysOnly:
    """The part of the port that is about clients, scopes and marks: refused, each time in the same words."""

    @property
    def capabilities(self) -> Capabilities:
        """There are no clients."""
        return NO_CLIENTS

    @property
    def token_url(self) -> str:
        """There are no tokens."""
        return ""

    def create(self, client_id: str, want: Settings, mark: Mark, material: Material | None) -> Created:
        """Refused: a holder is made by its owner."""
        del want, mark, material
        self._refuse("create", client_id)

    def update(self, remote_id: str, want: Settings, mark: Mark | None) -> None:
        """Refused: a holder is changed by its owner."""
        del want, mark
        self._refuse("update", remote_id)

    def mark(self, remote_id: str, mark: Mark) -> None:
        """Refused: keys are ours by the ledger, and their holder is not ours."""
        del mark
        self._refuse("mark", remote_id)

    def release(self, remote_id: str) -> None:
        """Refused: there is no mark."""
        self._refuse("release", remote_id)

    def prepare(self, remote_id: str, overlap: timedelta) -> None:
        """Refused: keys need no set-up."""
        del overlap
        self._refuse("prepare", remote_id)

    def delete(self, remote_id: str) -> None:
        """Refused: a holder is deleted by its owner."""
        self._refuse("delete", remote_id)

    def put_scope(self, want: ScopeWant, remote_id: str | None) -> str:
        """Refused: there are no scopes."""
        del remote_id
        self._refuse("put scope", want.name)

    def drop_scope(self, remote_id: str) -> None:
        """Refused: there are no scopes."""
        self._refuse("drop scope", remote_id)

    def _refuse(self, operation: str, what: str) -> NoReturn:
        name = getattr(self, "name", None)
        text = f"target {name} issues keys to holders that exist, and does nothing else: {operation} {what} elsewhere"
        raise Rejected(text, target=name, operation=operation)
