"""How a secret that is found at a target, and that no run of ours issued here, gets into a ledger. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from keysteward.core.ledger import Generation, ObjectRecord, Origin, State
from keysteward.core.observed import ObservedSecret, Settings
from keysteward.core.ports import Strategy
from keysteward.core.spec import Spec
from keysteward.core.world import World

ADOPTED_MARK = "adopted-"
"""What the nonce in the mark of an adopted object begins with: made by others, it is released and never deleted, even
when its ledger is lost."""


def adopted_nonce(nonce: str) -> str:
    """Return the nonce for the mark of an object that is adopted by this attempt."""
    return ADOPTED_MARK + nonce


def marked_as_adopted(nonce: str) -> bool:
    """Say whether a mark with this nonce was written by an adoption."""
    return nonce.startswith(ADOPTED_MARK)


def age_of(secret: ObservedSecret) -> tuple[int, float]:
    """Return what sorts secrets by age, oldest first: a rotated slot before others, the primary one last."""
    order = {"rotated": 0, "primary": 2}.get(secret.slot, 1)
    return order, secret.created_at.timestamp() if secret.created_at else 0.0


def entered(
    secret: ObservedSecret,
    record: ObjectRecord,
    spec: Spec,
    *,
    number: int,
    nonce: str,
    at: datetime,
    current: bool,
) -> Generation:
    """Return a found secret as a generation: the current one, or one that was replaced. Its times count from now."""
    return Generation(
        number=number,
        state=State.CURRENT if current else State.PREVIOUS,
        object=record.key,
        target=record.target,
        method=record.method,
        strategy=_strategy(spec, record),
        delivery=spec.delivery,
        nonce=nonce,
        facts=spec.facts if secret.scopes in {None, spec.scopes} else "",
        asked_at=at,
        origin=Origin.ADOPTED,
        fingerprint=secret.fingerprint,
        id=secret.id,
        issued_at=secret.created_at,
        current_since=at if current else None,
        superseded_at=None if current else at,
    )


def wanted(w: World, spec: Spec, record: ObjectRecord) -> Settings:
    """Return the settings that a client of this declaration must have.

    While a declaration says `adopt`, what it does not speak of stays as it was found: description, grants, safeguards,
    a token lifetime that is not declared, and scopes that no resource server of the stack has. A second client beside
    an adopted one gets its scopes and token lifetime, since the consumer moves there; the rest of it is as declared.
    """
    declared = spec.settings(record.method)
    records = w.ledger.objects if w.ledger is not None else ()
    beside = next((r.kept for r in records if r.kept is not None and r.target == record.target), None)
    kept = record.kept or beside
    if kept is None or spec.adopt is None:
        return declared
    settings = replace(
        declared,
        scopes=declared.scopes | (kept.scopes - declared.optional_scopes - w.catalogue),
        optional_scopes=declared.optional_scopes | (kept.optional_scopes - declared.scopes - w.catalogue),
        token_lifetime=kept.token_lifetime if declared.token_lifetime is None else declared.token_lifetime,
    )
    if record.kept is None:
        return settings
    grants = kept.grants | declared.grants
    return replace(settings, grants=grants, description=kept.description, safeguards=kept.safeguards)


def _strategy(spec: Spec, record: ObjectRecord) -> Strategy:
    """Return how a secret on this client is replaced; one of another method than declared is left by a move."""
    if record.method == spec.method:
        return spec.strategy
    return Strategy.KEY_PAIRS if record.method == "private_key_jwt" else Strategy.GAP
