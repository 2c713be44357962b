"""What the store contract acts with: a world around a store, and the values that go through it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any, Protocol

from pydantic import SecretStr

from keysteward.core.contract.observed import Delivered
from keysteward.core.contract.ports import About, Material, StageEntry, Store
from keysteward.core.errors import KeystewardError

IDENTITY = "acme/prod/billing"
STRANGER = "acme/prod/shipping"
PATH = "apps/billing"
PRIVATE_JWK = {
    "alg": "ES256",
    "crv": "P-256",
    "d": "870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE",
    "kid": "key-1",
    "kty": "EC",
    "use": "sig",
    "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
    "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
}  # RFC 7517, A.2


class StoreWorld(Protocol):
    """A store and its surroundings; fresh for every test."""

    @property
    def store(self) -> Store:
        """The store with the runner's rights."""
        ...

    def document(self, path: str) -> dict[str, Any] | None:
        """Read a path as its consumer does; None when nothing is there."""
        ...

    def put(self, path: str, document: dict[str, Any]) -> None:
        """Write a path as somebody does who knows nothing of keysteward."""
        ...

    def everything(self) -> str:
        """Return every value that is held anywhere, in old versions and staging too."""
        ...


def secret(text: str) -> Material:
    """Return a client secret."""
    return Material("client_secret", SecretStr(text), SecretStr(text))


def private_key() -> Material:
    """Return a private JWK."""
    text = json.dumps(PRIVATE_JWK, sort_keys=True)
    return Material("private_key_jwt", SecretStr(text), SecretStr("thumbprint"), "key-1")


def entry(generation: int, text: str, *, identity: str = IDENTITY) -> StageEntry:
    """Return the entry of a value; fingerprints are plain hashes here."""
    fingerprint = f"k1:{hashlib.sha256(text.encode()).hexdigest()[:16]}"
    return StageEntry(identity, generation, fingerprint, f"nonce-{generation}", f"remote-{generation}")


def about(
    *, scopes: tuple[str, ...] = ("invoices:read",), client_id: str = "billing", method: str = "client_secret"
) -> About:
    """Return public fields."""
    return About(IDENTITY, client_id, method, "https://id.example.com/token", ("https://api.example.com",), scopes)


def deliver(store: Store, generation: int, text: str, *, path: str = PATH, **fields: str) -> None:
    """Stage and promote one secret."""
    store.stage(path, entry(generation, text), secret(text))
    store.promote(path, entry(generation, text), about(), fields)


def at(store: Store, path: str = PATH) -> Delivered:
    """Return what one path holds."""
    return store.delivered([path])[path]


def consumed(world: StoreWorld, path: str = PATH) -> dict[str, Any]:
    """Return the document that a consumer reads."""
    document = world.document(path)
    assert document is not None
    return document


def text_of(store: Store, generation: int) -> str | None:
    """Return the value of one generation in the open."""
    held = store.read(PATH, generation)
    return None if held is None else held.value.get_secret_value()


def outcome(work: Callable[[], None]) -> type[KeystewardError] | None:
    """Say which error a call ends with."""
    try:
        work()
    except KeystewardError as error:
        return type(error)
    return None
