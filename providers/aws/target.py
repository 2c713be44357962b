"""What all targets at AWS have in common: one account and region, a credential that may be none, a reader beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keysteward.providers.aws.connection import AwsClient, Connection, checked, connected
from keysteward.providers.kit.adapter import Adapter


class AwsTarget(Adapter):
    """The base of a frozen dataclass with the fields `region`, `admin`, `reader` and `endpoint_url`."""

    if TYPE_CHECKING:
        region: str
        admin: str | None
        endpoint_url: str | None

    def _check_credentials(self) -> None:
        connection = self._connection
        for name, reference in (("admin", self.admin), ("reader", self.reader)):
            if reference is not None:
                checked(reference, f"{connection.name}: {name}")

    @property
    def _connection(self) -> Connection:
        return Connection(self.name, self.region, self.endpoint_url)

    @property
    def _client(self) -> AwsClient:
        """Return the client of the reader or of the administrator."""
        if self.reading:
            return connected(self._connection, self.reader, "reader")
        return connected(self._connection, self.admin, "runner")
