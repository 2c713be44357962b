"""What every contract of a target needs to know of the one under test, whatever it issues."""

from __future__ import annotations

from abc import ABC
from contextlib import AbstractContextManager

from keysteward.core.contract.facets import (
    ManagesClients,
    ManagesScopes,
    PreparesOverlap,
    Suspends,
    key_capabilities,
)
from keysteward.core.contract.ports import Fingerprint, Target


class Profile(ABC):
    """How to reach one target under test. `target` writes; what is optional returns None where it cannot be had."""

    target: Target
    fingerprint: Fingerprint

    def settle(self) -> None:
        """Wait until the last write shows in lists and works everywhere; nothing where it does at once."""
        return

    def calls(self) -> int | None:
        """Return how many calls the target has received so far."""
        return None

    def lost_reply(self) -> AbstractContextManager[None] | None:
        """Return a context in which the next object or key is made and the reply is lost."""
        return None

    def missing_facets(self) -> list[str]:
        """Return what the target's capabilities offer and its adapter has no facet for."""
        can, keys = self.target.capabilities, key_capabilities(self.target)
        offered = {
            ManagesClients: bool(can.methods),
            ManagesScopes: bool(can.methods) and "catalogue" not in can.lacks,
            PreparesOverlap: can.native_slot,
            Suspends: can.suspends or (keys is not None and keys.suspends),
        }
        return [kind.__name__ for kind, wanted in offered.items() if wanted and not isinstance(self.target, kind)]

    def cost_of_observing(self) -> int:
        """Return how many calls one listing takes; only where calls are counted."""
        before, _, after = self.calls(), self.target.observe(self.fingerprint), self.calls()
        assert before is not None
        assert after is not None
        return after - before
