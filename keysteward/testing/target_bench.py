"""What the contract of a target needs: a profile of the target under test, and a workbench that makes objects at it."""

from __future__ import annotations

import itertools
import secrets
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

from keysteward.core.contract.facets import ManagesClients, ManagesScopes, facet
from keysteward.core.contract.observed import Mark, ObservedObject, Settings
from keysteward.core.contract.ports import (
    Action,
    Claim,
    Material,
    ObjectRef,
    Order,
    ScopeWant,
    Verification,
)
from keysteward.testing.profile import Profile

AUDIENCE = "https://billing.example.com"


class TargetProfile(Profile):
    """How to reach one target of clients under test."""

    @abstractmethod
    def new_material(self, method: str) -> Material:
        """Make a fresh secret or key pair."""

    def write_foreign_field(self, remote_id: str) -> Callable[[], object] | None:
        """Write a field that no part of keysteward knows, and return a way to read it back."""
        del remote_id
        return None


@dataclass(frozen=True)
class Made:
    """One object under test with everything known about it."""

    remote_id: str
    client_id: str
    want: Settings
    mark: Mark
    material: Material
    audience: str = AUDIENCE

    def claim(self, material: Material | None = None) -> Claim:
        """Return what must hold for its secret."""
        wanted = self.want
        return Claim(
            self.client_id,
            material or self.material,
            (self.audience,) if wanted.scopes else (),
            wanted.scopes,
            wanted.optional_scopes,
            wanted.token_lifetime,
        )


class Workbench:
    """Makes objects and scopes at the target, and deletes them at the end."""

    def __init__(self, profile: TargetProfile) -> None:
        self.profile = profile
        self.target = profile.target
        self.clients = facet(profile.target, ManagesClients)
        self._numbers = itertools.count(1)
        self._run = secrets.token_hex(4)
        self.audience = self.target.capabilities.audience or AUDIENCE
        self._objects: list[str] = []
        self._scopes: list[str] = []

    def name(self, what: str) -> str:
        """Return a name that nothing else has."""
        return f"{what}-{self._run}-{next(self._numbers)}"

    def mark(self) -> Mark:
        """Return a mark that nothing else has."""
        return Mark(f"acme/test/{self.name('credential')}", secrets.token_hex(8))

    def scope(self) -> ScopeWant:
        """Put a fresh scope into the catalogue."""
        want = ScopeWant(self.scope_name("invoices:read"), "Read invoices", self.audience, self.mark())
        self._scopes.append(facet(self.target, ManagesScopes).put_scope(want, None))
        return want

    def scope_name(self, what: str) -> str:
        """Return the name of a scope that nothing else has, as the target wants it."""
        name = self.name(what)
        return f"{self.audience}/{name}" if self.target.capabilities.qualified_scopes else name

    def forget_scope(self, remote_id: str) -> None:
        """Delete a scope at the end that the test made itself."""
        self._scopes.append(remote_id)

    def want(self, method: str, *, scopes: int = 1, optional: int = 1) -> Settings:
        """Return settings with fresh scopes, within what the target offers."""
        lacks = self.target.capabilities.lacks
        if "catalogue" in lacks:
            scopes = optional = 0
        if "optional scopes" in lacks:
            scopes, optional = scopes + optional, 0
        return Settings(
            method,
            scopes=frozenset(self.scope().name for _ in range(scopes)),
            optional_scopes=frozenset(self.scope().name for _ in range(optional)),
            token_lifetime=None if "token lifetime" in lacks else 300,
            description=None if "description" in lacks else "Nightly invoice export to the warehouse",
            safeguards=self.target.capabilities.safeguards,
        )

    def make(self, method: str | None = None, **scopes: int) -> Made:
        """Create an object with one secret that works."""
        chosen = method or self.target.capabilities.methods[0]
        want, mark, client_id = self.want(chosen, **scopes), self.mark(), self.name("client")
        chosen_here = self.chooses(chosen)
        material = self.profile.new_material(chosen) if chosen_here else None
        created = self.clients.create(client_id, want, mark, material)
        self._objects.append(created.remote_id)
        if material is None:
            material = self.target.issue(created.remote_id, Order(Action.MINT, name=self.name("key"))).material
        self.profile.settle()
        assert material is not None, "a minted secret is shown by the call that mints it"
        return Made(created.remote_id, created.client_id, want, mark, material, self.audience)

    def keep(self, remote_id: str) -> None:
        """Delete an object at the end that the test made itself."""
        self._objects.append(remote_id)

    def chooses(self, method: str) -> bool:
        """Say whether values of ours are taken."""
        return method != "client_secret" or self.target.capabilities.chooses == "caller"

    def look(self, made: Made) -> ObservedObject:
        """Read the object; it must be there."""
        self.profile.settle()
        found = self.target.look(ObjectRef(made.client_id, made.remote_id), self.profile.fingerprint)
        assert found is not None, "the object is there"
        return found

    def verify(self, made: Made, material: Material | None = None) -> Verification:
        """Verify one of its secrets."""
        self.profile.settle()
        return self.target.verify(made.claim(material))

    def fingerprint(self, material: Material) -> str:
        """Return the fingerprint of one secret."""
        return self.profile.fingerprint(material.canonical.get_secret_value())

    def clear(self) -> None:
        """Delete what was made."""
        for remote_id in self._objects:
            self.clients.delete(remote_id)
        for remote_id in self._scopes:
            facet(self.target, ManagesScopes).drop_scope(remote_id)
