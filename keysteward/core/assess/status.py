"""The state of one credential in a few public words: what Pulumi shows as outputs and `keysteward show` prints."""

from __future__ import annotations

from typing import Any

from keysteward.core.observe.world import World
from keysteward.core.plan.planner import next_due
from keysteward.core.record.ledger import Ledger, State


def status_of(ledger: Ledger | None) -> str:
    """Return "active", "overlap", "suspended", "revoked", "blocked", "ended elsewhere", "pending" or "closed"."""
    if ledger is None:
        return "pending"
    current = ledger.current
    answers = (
        (ledger.closed is not None, "closed"),
        (ledger.revoked is not None and current is None, "revoked"),
        (ledger.ended_elsewhere is not None and current is None, "ended elsewhere"),
        (ledger.blocked is not None, "blocked"),
        (current is None, "pending"),
        (current is not None and ledger.object_of(current).suspended, "suspended"),
        (bool(ledger.in_state(State.PREVIOUS)), "overlap"),
    )
    return next((word for holds, word in answers if holds), "active")


def outputs(world: World) -> dict[str, Any]:
    """Return what other resources and people may know: references, ids, dates, fingerprint; never a value."""
    ledger = world.ledger
    if ledger is None:
        return {"status": "pending"}
    current = ledger.current
    ids = [o.client_id for o in ledger.objects if not o.deleted]
    due = next_due(world)
    return {
        "status": status_of(ledger),
        "incarnation": ledger.incarnation,
        "client_id": ledger.object_of(current).client_id if current else (ids[0] if ids else None),
        "client_ids": ids,
        "generation": current.number if current else None,
        "fingerprint": current.fingerprint if current else None,
        "delivered_to": list(current.delivery) if current else [],
        "rotated_at": current.current_since.isoformat() if current and current.current_since else None,
        "next_due": due.isoformat() if due else None,
    }


OUTPUT_NAMES = (
    "status",
    "incarnation",
    "client_id",
    "client_ids",
    "generation",
    "fingerprint",
    "delivered_to",
    "rotated_at",
    "next_due",
)
