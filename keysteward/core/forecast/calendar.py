"""What declarations, ledgers and the owners file say comes, and when. Pure; read off, nothing is planned.

Of rotations it is the next one of each credential: when the one after that comes depends on when this one is done. The
planner run ahead (`forecast`) tells those.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from keysteward.core.declare.credentials import Allowed
from keysteward.core.declare.limits import rules_for
from keysteward.core.declare.owners import UNASSIGNED, Owners
from keysteward.core.declare.spec import Spec, midnight
from keysteward.core.plan.retire import next_retirement
from keysteward.core.plan.rotate import next_rotation
from keysteward.core.record.ledger import Ledger, State


class Occasion(StrEnum):
    """What kind of date it is."""

    ROTATION = "rotation"
    RETIREMENT = "retirement"
    EXPIRY = "expiry"
    DECOMMISSION = "decommission"
    REVIEW = "review"
    EXCEPTION = "exception"  # a permanent exception is to be reviewed
    MIGRATION = "migration"  # a transitional key is to be replaced by its client
    WAIVER = "waiver"
    ALLOWANCE = "allowance"
    OWNER = "owner"
    CONSUMER = "consumer"


@dataclass(frozen=True, slots=True, order=True)
class Coming:
    """One date: when, what comes in words, and what kind it is. `generation` is the one that begins or ends."""

    at: datetime
    what: str
    occasion: Occasion
    generation: int | None = None


def scheduled(spec: Spec | None, ledger: Ledger | None, now: datetime) -> list[Coming]:
    """Return what is due for one credential by its schedule and its declared end, soonest first."""
    if spec is None or ledger is None or ledger.closed is not None:
        return []
    ahead = [
        Coming(at, f"retire generation {g.number}", Occasion.RETIREMENT, g.number)
        for g in ledger.in_state(State.PREVIOUS)
        if (at := next_retirement(spec, ledger, g)) is not None
    ]
    ahead += [
        Coming(g.ends_at, f"end generation {g.number}", Occasion.RETIREMENT, g.number)
        for g in ledger.in_state(State.ABANDONED)
        if g.ends_at is not None
    ]
    if spec.decommission is not None:
        ahead.append(Coming(spec.decommission, "decommissioned", Occasion.DECOMMISSION))
    if spec.expires is not None:
        ahead.append(Coming(spec.expires, "expires", Occasion.EXPIRY))
    rotation = next_rotation(spec, ledger, now)
    if rotation is not None:
        by_hand = ", by hand" if spec.strategy.by_person else ""
        words = f"rotate to generation {ledger.next}{by_hand}"
        ahead.append(Coming(rotation, words, Occasion.ROTATION, ledger.next))
    return sorted(ahead)


def reviewed(spec: Spec) -> list[Coming]:
    """Return by when people are to look at one declaration again, soonest first."""
    ahead = []
    last = midnight(spec.reviewed)
    if last is not None:
        ahead.append(Coming(last + rules_for(spec).review_every, "review it and renew `reviewed`", Occasion.REVIEW))
    if spec.renewed_until is not None and spec.classification == "permanent exception":
        ahead.append(Coming(spec.renewed_until, "review its exception and renew `review_by`", Occasion.EXCEPTION))
    elif spec.renewed_until is not None:
        client = f" to client {spec.migrates_to}" if spec.migrates_to is not None else ""
        ahead.append(Coming(spec.renewed_until, f"its consumer is to have moved{client}", Occasion.MIGRATION))
    return sorted(ahead)


def leaving(owners: Owners) -> list[tuple[str, Coming]]:
    """Return the days on which owners leave and consumers are retired, each with its name."""
    ahead = []
    for name, owner in {**owners.teams, **owners.people}.items():
        if (at := midnight(owner.leaves)) is not None:
            deputy = f"; {owner.deputy} answers then" if owner.deputy is not None else ""
            ahead.append((name, Coming(at, f"leaves{deputy}", Occasion.OWNER)))
    for name, consumer in owners.consumers.items():
        if (at := midnight(consumer.retires)) is not None:
            ahead.append((name, Coming(at, "is retired", Occasion.CONSUMER)))
    return ahead


def unowned(owners: Owners, specs: Iterable[Spec]) -> list[tuple[str, Coming]]:
    """Return the day from which on credentials without owner stop every run, if there are any."""
    count = sum(spec.owner == UNASSIGNED for spec in specs)
    at = midnight(owners.unassigned_until)
    if at is None or not count:
        return []
    whose = "1 credential that has" if count == 1 else f"{count} credentials that have"
    return [(UNASSIGNED, Coming(at, f"every run stops for {whose} no owner by then", Occasion.OWNER))]


def allowances(allowed: Iterable[Allowed]) -> list[tuple[str, Coming]]:
    """Return until when what is knowingly left alone is left alone, each with what it is."""
    ahead = []
    for entry in allowed:
        if (at := midnight(entry.until)) is not None:
            what = f"is left alone no longer ({entry.reason})"
            ahead.append((f"{entry.target.name}: {', '.join(entry.names)}", Coming(at, what, Occasion.ALLOWANCE)))
    return ahead
