"""Finds out which clients of its targets keysteward itself logs in with: these are nothing to declare."""

from __future__ import annotations

from collections.abc import Mapping

from keysteward.core.contract.ports import Target


def logins_at(targets: Mapping[str, Target]) -> dict[str, frozenset[str]]:
    """Return the client_ids of each target that its references to credentials name, where it can tell them."""
    return {name: frozenset(getattr(target, "logs_in_as", ())) for name, target in targets.items()}
