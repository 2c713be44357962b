"""The ports: what a target, a store and a ledger store must offer. Adapters implement nothing else.

An adapter translates and decides nothing. Every write can be repeated: making what is there already and deleting
what is gone succeed. Errors are those of `keysteward.core.errors`; a write whose reply was lost raises
`OutcomeUnknown` and is never repeated by the adapter.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any, Protocol, Self, runtime_checkable

from pydantic import SecretStr

from keysteward.core.contract.capabilities import Capabilities
from keysteward.core.contract.observed import Delivered, Mark, Observation, ObservedObject, ObservedSecret

Fingerprint = Callable[[str], str]
"""Turns the canonical text of a secret into its keyed hash. For a key pair the text is the RFC 7638 thumbprint."""


@dataclass(frozen=True, slots=True)
class Material:
    """One secret value in memory: a client secret, or a private JWK as JSON text with its `kid` and public half.

    `canonical` is what fingerprints are made of: the secret itself, or the key's RFC 7638 thumbprint.
    """

    method: str
    value: SecretStr
    canonical: SecretStr
    kid: str | None = None
    public_jwk: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Descriptor:
    """How to make a target or store again: class path ("package.module:Class"), settings, references to credentials.

    References are "env:NAME" or "file:/path"; a value never stands here.
    """

    kind: str
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ObjectRef:
    """How to find one object: by remote id when it is known, else by its exact client_id."""

    client_id: str
    remote_id: str | None = None


@dataclass(frozen=True, slots=True)
class Created:
    """An object that was made (or found made by the same attempt); `secret_id` is that of its first secret, if any.

    `client_id` is the one it authenticates with: as asked for, or as the target assigned it.
    """

    remote_id: str
    client_id: str
    secret_id: str | None = None


class Action(StrEnum):
    """How a secret gets to an object."""

    MINT = "mint"  # the server makes one more and shows it once
    ADD = "add"  # our public key, or our value, joins the others
    SET = "set"  # our value takes the one (primary) slot
    SHIFT = "shift"  # the primary moves to the rotated slot; a value nobody keeps takes its place; not repeatable


@dataclass(frozen=True, slots=True)
class Order:
    """One secret to be put on an object or holder.

    `name` is for vendors whose keys carry one; it holds identity, generation and nonce. `scopes` and `expires` are for
    keys that carry them. `known` are the ids of the secrets that were there when the attempt began. `instead` are the
    ids of keys that give way to this one in the same write; ADD leaves all others as they are.
    """

    action: Action
    material: Material | None = None
    name: str | None = None
    scopes: frozenset[str] = frozenset()
    expires: datetime | None = None
    known: tuple[str, ...] = ()
    instead: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Issued:
    """The answer to an order: the secret's remote id or `kid`, and its value when the server minted it."""

    id: str | None = None
    material: Material | None = None


class Proof(StrEnum):
    """What `verify` found out."""

    PROVEN = "proven"  # a real token or call
    READ_BACK = "read back"  # the target shows the same value
    REFUSED = "refused"  # the target refuses the secret itself
    WRONG = "wrong"  # it works, but not as declared (audience, scope, lifetime): reason says which
    CANNOT = "cannot"  # the target offers no way


@dataclass(frozen=True, slots=True)
class Claim:
    """What must hold for a secret: it authenticates this client and gets a token for these audiences and scopes.

    `scopes` must be in a token asked for without naming any, `optional_scopes` when asked for.
    `token_lifetime` in seconds, None when any will do. `token=False`: only that the client authenticates is to be
    proven, since it need not have the client_credentials grant (a web login client). An API key has no token:
    `client_id` is its holder, `secret_id` its own id, and `scopes` what it must be allowed.
    """

    client_id: str
    material: Material
    audiences: tuple[str, ...] = ()
    scopes: frozenset[str] = frozenset()
    optional_scopes: frozenset[str] = frozenset()
    token_lifetime: int | None = None
    token: bool = True
    secret_id: str | None = None


@dataclass(frozen=True, slots=True)
class Verification:
    """The outcome of one `verify` and, in words, why.

    `rights` is what the token says its client may do beyond its scopes, such as roles; None where no token tells.
    """

    proof: Proof
    reason: str = ""
    rights: frozenset[str] | None = None

    @property
    def good(self) -> bool:
        """Say whether the secret may be given to consumers."""
        return self.proof in {Proof.PROVEN, Proof.READ_BACK}


@dataclass(frozen=True, slots=True)
class ScopeWant:
    """One scope as declared: its name, description, the audience its tokens are for, and its mark."""

    name: str
    description: str
    audience: str
    mark: Mark


@dataclass(frozen=True, slots=True)
class Check:
    """One line of `keysteward doctor`: what was asked, whether it holds, and what to do when it does not."""

    subject: str
    ok: bool
    detail: str
    warning: bool = False


@runtime_checkable
class Target(Protocol):
    """One tenant, realm or account that issues credentials."""

    @property
    def name(self) -> str:
        """The name of this target in declarations, plans and reports."""
        ...

    @property
    def descriptor(self) -> Descriptor:
        """How to make this target again, without any secret."""
        ...

    @property
    def capabilities(self) -> Capabilities:
        """What the target can do with clients and their secrets, known without a call."""
        ...

    @property
    def token_url(self) -> str:
        """Where consumers get their tokens; delivered with each secret. Known without a call."""
        ...

    def as_reader(self) -> Self:
        """Return the same target with the reader's credential: what preview, drift and inventory use."""
        ...

    def observe(self, fingerprint: Fingerprint | None) -> Observation:
        """List all clients, holders of API keys and scopes, whoever made them.

        Costs pages, and for each object what `calls_per_object` says.
        """
        ...

    def look(self, ref: ObjectRef, fingerprint: Fingerprint | None) -> ObservedObject | None:
        """Read one object by one call; None when it is not there."""
        ...

    def issue(self, remote_id: str, order: Order) -> Issued:
        """Put one secret on an object."""
        ...

    def retire(self, remote_id: str, secret: ObservedSecret) -> None:
        """End one secret: the one in the rotated slot, the one with this id or `kid`. Gone already is success.

        An API key ends by its id alone, also when its holder has another name by now or is not shown any more.
        """
        ...

    def verify(self, claim: Claim) -> Verification:
        """Prove a secret by using it once. Raises Unavailable when the target could not be asked."""
        ...

    def diagnose(self) -> Iterable[Check]:
        """Say whether the target answers and with which rights: too few and too many."""
        ...


@dataclass(frozen=True, slots=True)
class StageEntry:
    """What is staged beside a secret: whose it is and which attempt made it."""

    identity: str
    generation: int
    fingerprint: str
    nonce: str
    remote_id: str | None = None


@lru_cache(maxsize=4096)
def document_digest(
    identity: str, client_id: str, method: str, token_url: str, audience: tuple[str, ...], scopes: frozenset[str]
) -> str:
    """Return a digest of the public fields of a delivered document; that of an API key has no token URL."""
    url = "" if method == "api_key" else token_url
    parts = [identity, client_id, method, url, *audience, "", *sorted(scopes)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class About:
    """The public fields of a delivered document. `client_id` is for an API key what its holder is called."""

    identity: str
    client_id: str
    method: str
    token_url: str
    audience: tuple[str, ...]
    scopes: tuple[str, ...]

    @property
    def digest(self) -> str:
        """Return what changes when any of them does."""
        scopes = frozenset(self.scopes)
        return document_digest(self.identity, self.client_id, self.method, self.token_url, self.audience, scopes)


@runtime_checkable
class Store(Protocol):
    """Where secrets are delivered for their consumers to read. A path is one document, written at once."""

    @property
    def name(self) -> str:
        """The name of this store in declarations, plans and reports."""
        ...

    @property
    def descriptor(self) -> Descriptor:
        """How to make this store again, without any secret."""
        ...

    def as_reader(self) -> Self:
        """Return the same store with the reader's credential, which never sees a value."""
        ...

    def delivered(self, paths: Iterable[str]) -> Mapping[str, Delivered]:
        """Say what each path holds, without values; a path without document is `Delivered()`."""
        ...

    def neighbours(self, paths: Iterable[str]) -> Iterable[str]:
        """Return the paths of all documents that lie in the folders of these paths, whoever wrote them; no values."""
        ...

    def stage(self, path: str, entry: StageEntry, material: Material) -> None:
        """Keep a value outside every consumer's read right, once per generation.

        The same fingerprint again is success. Raises Conflict when another value is staged for that generation.
        """
        ...

    def read(self, path: str, generation: int) -> Material | None:
        """Return the value of one generation: staged, current or previous; None when it is not held here."""
        ...

    def promote(
        self, path: str, entry: StageEntry, about: About, fields: Mapping[str, str], *, rollback: bool = False
    ) -> None:
        """Make one generation current for consumers; the one it replaces becomes `previous`; the staged copy goes.

        The same generation and fingerprint already current is success and refreshes the public fields. Raises
        Conflict for another fingerprint under that number, for a number lower than the current one (unless
        `rollback`), and for a document of another identity that was not taken over. Unknown fields survive.
        """
        ...

    def take_over(self, path: str, identity: str, *, renamed: bool = False) -> None:
        """Make a document of nobody or somebody else ours; its fields survive.

        With `renamed` it is our own under an old name: the generations it holds stay known, staged ones too.
        """
        ...

    def discard(self, path: str, identity: str, generation: int) -> None:
        """Destroy the plaintext of one generation wherever this path holds it (staged, previous or current).

        A document of which nothing is left is deleted. Gone already is success; another identity's is untouched.
        """
        ...

    def diagnose(self, paths: Iterable[str]) -> Iterable[Check]:
        """Say whether the store answers and with which rights: too few and too many."""
        ...


@dataclass(frozen=True, slots=True)
class Stored:
    """One document of a ledger store with its compare-and-set version (0: never written)."""

    document: Mapping[str, Any] | None
    version: int


@runtime_checkable
class LedgerStore(Protocol):
    """Where a stack's ledgers live. Keys are paths like "ledgers/acme/prod/billing"; no document holds a secret."""

    @property
    def name(self) -> str:
        """The name of this ledger store in reports."""
        ...

    @property
    def descriptor(self) -> Descriptor:
        """How to make this ledger store again, without any secret."""
        ...

    def as_reader(self) -> Self:
        """Return the same ledger store with the reader's credential."""
        ...

    def now(self) -> datetime:
        """Return the server's time (aware UTC), fresh. Raises ClockRefused when a local clock runs backwards."""
        ...

    def read(self, key: str) -> Stored:
        """Read one document."""
        ...

    def write(self, key: str, document: Mapping[str, Any], expected: int) -> int:
        """Write one document if its version is still `expected`; returns the new version.

        Raises VersionConflict when it is not, OutcomeUnknown when the reply was lost.
        """
        ...

    def list(self, prefix: str) -> Mapping[str, Stored]:
        """Read all documents whose key starts with `prefix`, in bulk."""
        ...

    def diagnose(self) -> Iterable[Check]:
        """Say whether the ledger store answers and with which rights."""
        ...
