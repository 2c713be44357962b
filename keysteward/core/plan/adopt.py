"""How a secret that is found at a target, and that no run of ours issued here, gets into a ledger. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from keysteward.core.contract.observed import ObservedSecret, Settings
from keysteward.core.contract.ports import Strategy
from keysteward.core.declare.spec import Spec
from keysteward.core.observe.world import World
from keysteward.core.record.ledger import Generation, ObjectRecord, Origin, State

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
    if spec.adopt is None:
        return declared
    records = w.ledger.objects if w.ledger is not None else ()
    beside = next((r for r in records if r.kept is not None and r.target == record.target), None)
    adopted = record if record.kept is not None else beside
    kept = kept_now(w, adopted) if adopted is not None else None
    if kept is None:
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


def kept_now(w: World, record: ObjectRecord) -> Settings | None:
    """Return what was kept of a client at its adoption, without what was made safer since; None where nothing was.

    Who hardens a client is never undone, least of all by us who advise it. What is made wider is, as any other drift.
    Scopes of the stack's own servers do not count: these the declaration gives and takes.
    """
    found, can, kept = w.object(record), w.can(record), record.kept
    if kept is None or found is None or can is None or found.settings == kept:
        return kept
    now = hardened(kept, found.settings, can.safeguards)
    return replace(
        now,
        scopes=now.scopes | (kept.scopes & w.catalogue),
        optional_scopes=now.optional_scopes | (kept.optional_scopes & w.catalogue),
    )


def hardened(kept: Settings, seen: Settings, safe: Mapping[str, str]) -> Settings:
    """Return kept settings with each that is safer by now as it is seen; `safe` are the safe values of switches."""
    return replace(kept, **{name: take(kept, seen, safe) for name, take in SAFER.items()})


def _fewer_on_request(kept: Settings, seen: Settings, _safe: Mapping[str, str]) -> frozenset[str]:
    asked_for = (kept.optional_scopes | kept.scopes) & seen.optional_scopes
    return asked_for | (kept.optional_scopes & seen.scopes)  # given always by now: as wide as that it must not stay


def _safe_switches(kept: Settings, seen: Settings, safe: Mapping[str, str]) -> dict[str, str]:
    now = {name: value for name, value in seen.safeguards.items() if value == safe.get(name)}
    return {name: now.get(name, value) for name, value in kept.safeguards.items()}


def _shorter(kept: Settings, seen: Settings, _safe: Mapping[str, str]) -> int | None:
    was, now = kept.token_lifetime, seen.token_lifetime
    shorter = now is not None and now <= (SHORT_LIFETIME if was is None else was)
    return now if shorter else was


SHORT_LIFETIME = 300
"""Seconds that no target's default for a token is below, as far as we know it: what is shorter is safer than that."""

SAFER: Mapping[str, Callable[[Settings, Settings, Mapping[str, str]], Any]] = {
    "method": lambda kept, _seen, _safe: kept.method,  # only a new generation changes it
    "scopes": lambda kept, seen, _safe: kept.scopes & seen.scopes,  # fewer
    "optional_scopes": _fewer_on_request,
    "token_lifetime": _shorter,
    "grants": lambda kept, seen, _safe: kept.grants & seen.grants,  # fewer
    "description": lambda kept, _seen, _safe: kept.description,  # says nothing of what it may do
    "safeguards": _safe_switches,
}
"""Of each setting of a client that was adopted, what is kept of it from now on: the safer of what was and is.

A scope that is given only on request is safer than one that is always given. What a client has beyond these settings
(redirect addresses, web origins, consent) no run of ours ever writes.
"""


def _strategy(spec: Spec, record: ObjectRecord) -> Strategy:
    """Return how a secret on this client is replaced; one of another method than declared is left by a move."""
    if record.method == spec.method:
        return spec.strategy
    return Strategy.KEY_PAIRS if record.method == "private_key_jwt" else Strategy.GAP
