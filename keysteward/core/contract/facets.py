"""The facets: what some targets can do beside the port, each a small protocol of its own.

Capabilities say what a target offers; the facet is how it is asked. A target whose capabilities offer what it has no
facet for is incomplete: the contract suite says so, and `facet` before the call.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Protocol, TypeVar, runtime_checkable

from keysteward.core.contract.capabilities import Capabilities
from keysteward.core.contract.observed import Mark, Settings
from keysteward.core.contract.ports import Created, Material, ScopeWant, Target
from keysteward.core.errors import Rejected


@runtime_checkable
class ManagesClients(Protocol):
    """A target whose clients are made and changed by us. Without `methods` in its capabilities it has none."""

    def create(self, client_id: str, want: Settings, mark: Mark, material: Material | None) -> Created:
        """Create an enabled object with its settings, mark and, where the caller chooses it, first secret.

        An object of that client_id with the same mark and nonce is the one an earlier attempt made: it is returned.
        Raises Conflict when the client_id is taken by any other. A target that assigns client_ids takes it as the
        object's name, finds an earlier attempt's object by mark and nonce alone, and has no such conflict.
        """
        ...

    def update(self, remote_id: str, want: Settings, mark: Mark | None) -> None:
        """Write settings and, unless None, the mark; never a secret nor its method. Fields of others survive."""
        ...

    def mark(self, remote_id: str, mark: Mark) -> None:
        """Write the ownership mark and nothing else."""
        ...

    def release(self, remote_id: str) -> None:
        """Remove our mark and nothing else."""
        ...

    def delete(self, remote_id: str) -> None:
        """Delete the object. Gone already is success."""
        ...


@runtime_checkable
class IssuesKeys(Protocol):
    """A target that issues API keys to holders, which are made by others."""

    @property
    def key_capabilities(self) -> Capabilities | None:
        """What the target can do with API keys, known without a call; None when it issues none after all."""
        ...


@runtime_checkable
class Suspends(Protocol):
    """A target that can disable a client, or keys of a holder, and enable them again (`suspends`)."""

    def suspend(self, remote_id: str, keys: Sequence[str] = ()) -> None:
        """Disable the object, reversibly; on a holder these keys and no others."""
        ...

    def resume(self, remote_id: str, keys: Sequence[str] = ()) -> None:
        """Enable the object; on a holder these keys and no others."""
        ...


@runtime_checkable
class PreparesOverlap(Protocol):
    """A target with a rotated slot that is set up for each client (`native_slot`)."""

    def prepare(self, remote_id: str, overlap: timedelta) -> None:
        """Make the target ready for a native overlap on this object, such as Keycloak's rotation policy.

        Raises Conflict when a set-up of somebody else's is tighter than `overlap` needs. Repeatable.
        """
        ...


@runtime_checkable
class ManagesScopes(Protocol):
    """A target with a catalogue of scopes (unless it `lacks` one)."""

    def put_scope(self, want: ScopeWant, remote_id: str | None) -> str:
        """Create or change one scope of the catalogue; returns its remote id."""
        ...

    def drop_scope(self, remote_id: str) -> None:
        """Delete one scope of the catalogue. Gone already is success."""
        ...


@runtime_checkable
class LogsIn(Protocol):
    """A target that can tell as which of its clients keysteward itself logs in: those are nothing to declare."""

    @property
    def logs_in_as(self) -> frozenset[str]:
        """Return their client_ids, as far as the references to credentials name them."""
        ...


@runtime_checkable
class ShowsRights(Protocol):
    """A target that tells what a client may do beyond its scopes, without being given its secret."""

    def rights(self, remote_id: str) -> frozenset[str]:
        """Return these rights in the words of `Verification.rights`; none of a client that is gone or gets no token.

        Raises AccessDenied where the administrator may not see them.
        """
        ...


@runtime_checkable
class Renaming(Protocol):
    """A target at which a client's client_id can be changed, by us and by others."""

    def rename(self, remote_id: str, client_id: str) -> None:
        """Write the client_id and nothing else. Raises Conflict when another client has it."""
        ...


@runtime_checkable
class ChecksPaths(Protocol):
    """A store that does not deliver at every path."""

    def check_path(self, path: str) -> None:
        """Raise DeclarationError for a path at which this store delivers nothing; known without a call."""
        ...


_Facet = TypeVar("_Facet")


def facet(target: Target, kind: type[_Facet]) -> _Facet:
    """Return a target as what its capabilities say that it is. Raises Rejected where its adapter has no such part."""
    if isinstance(target, kind):
        return target
    text = f"the adapter of target {target.name} offers what it cannot do ({kind.__name__}): report it to its author"
    raise Rejected(text, target=target.name)


def key_capabilities(target: Target) -> Capabilities | None:
    """Return what a target can do with API keys; None when it issues none."""
    return target.key_capabilities if isinstance(target, IssuesKeys) else None
