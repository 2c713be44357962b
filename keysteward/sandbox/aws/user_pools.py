"""What the Cognito stand-in knows of a user pool, its app clients and their secrets."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass
class ClientSecret:
    """One secret of a client."""

    id: str
    value: str = field(repr=False)
    created: datetime

    def shown(self) -> dict[str, Any]:
        """Return what lists show: never the value."""
        return {"ClientSecretId": self.id, "ClientSecretCreateDate": self.created.timestamp()}


@dataclass
class Client:
    """A client with its secrets, oldest first, and its settings as they were written last."""

    settings: dict[str, Any]
    secrets: list[ClientSecret] = field(default_factory=list)

    def add(self, value: str, now: datetime) -> ClientSecret:
        """Give it one more secret; ids end in the second of their making, or the next that is free."""
        client_id, second = self.settings["ClientId"], int(now.timestamp())
        while any(secret.id == f"{client_id}--{second}" for secret in self.secrets):
            second += 1
        made = ClientSecret(f"{client_id}--{second}", value, now)
        self.secrets.append(made)
        return made


@dataclass
class Pool:
    """A pool: its clients by id, its resource servers by identifier."""

    clients: dict[str, Client] = field(default_factory=dict)
    servers: dict[str, dict[str, Any]] = field(default_factory=dict)
