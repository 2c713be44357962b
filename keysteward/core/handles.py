"""What a person may write into a ledger: requests and decisions. Pure functions from ledger to ledger."""

from __future__ import annotations

from dataclasses import replace

from keysteward.core.errors import DeclarationError
from keysteward.core.ledger import Ledger, State


def reissue(ledger: Ledger, reason: str) -> Ledger:
    """Ask for a new generation at the next run, whatever ended or blocked the last one. The old one keeps its overlap.

    Raises DeclarationError for a credential that is closed or revoked.
    """
    if ledger.closed is not None:
        raise DeclarationError(f"{ledger.identity} is not declared any more; there is nothing to reissue")
    if ledger.revoked is not None and ledger.revoked.generations is None:
        raise DeclarationError(f"{ledger.identity} is revoked ({ledger.revoked.reason}); nothing new is issued")
    return replace(ledger, reissue=reason, blocked=None)


def resolve(ledger: Ledger, suspect: str, *, ours: bool) -> Ledger:
    """Decide about a suspect: ours is ended by the next run, theirs is forgotten.

    Raises DeclarationError when no generation has this suspect.
    """
    for generation in ledger.generations:
        if suspect not in generation.suspects:
            continue
        rest = tuple(s for s in generation.suspects if s != suspect)
        if not ours:
            return ledger.with_generation(generation.number, suspects=rest)
        return ledger.with_generation(
            generation.number,
            suspects=rest,
            id=suspect,
            state=State.ABANDONED,
            ended_at=None,
            evidence="a person said that it is ours",
        )
    known = ", ".join(s for g in ledger.generations for s in g.suspects) or "none"
    raise DeclarationError(f"{ledger.identity} has no suspect {suspect!r}; it has {known}")
