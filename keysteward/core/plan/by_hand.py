"""Keys that a person makes and ends by hand: when a value is taken, what may be said to have ended. Pure."""

from __future__ import annotations

from keysteward.core.declare.schedule import show_duration
from keysteward.core.declare.spec import Spec
from keysteward.core.observe.world import World
from keysteward.core.record.ledger import UNFINISHED, Generation, Ledger


def new_value(w: World) -> bool:
    """Say whether a person hands over a value that no living generation has."""
    return w.me.given is not None and holder_of(w, w.me.given) is None


def holder_of(w: World, fingerprint: str) -> Generation | None:
    """Return the generation that has a value and may work, or is to be proven; None when there is none."""
    if w.ledger is None or w.ledger.closed is not None:
        return None
    living = (g for g in w.ledger.generations if g.live or g.state in UNFINISHED)
    return next((g for g in living if fingerprint in {g.fingerprint, *_staged(w, g)}), None)


def _staged(w: World, generation: Generation) -> set[str]:
    entries = (w.at(key).stage(generation.number) for key in generation.delivery)
    return {entry.fingerprint for entry in entries if entry is not None}


def why_not(w: World, spec: Spec) -> str | None:
    """Say why no value may be handed over now, and what to do; None when one may be."""
    name, ledger = spec.name, w.ledger
    if not spec.strategy.by_person:
        return f"{name!r} is a {spec.kind}: target {spec.target} issues its values, and nobody hands one over"
    if ledger is not None and ledger.closed is None:
        return _forbidden(w, spec, ledger) or _dates(w, spec)
    if ledger is not None and ledger.wholly_revoked:
        return _revoked(spec, ledger.wholly_revoked.reason)
    return _dates(w, spec)


def _revoked(spec: Spec, reason: str) -> str:
    lift = f"keysteward lift {spec.name} --reason TEXT"
    return f"{spec.name!r} is revoked ({reason}), so no value is taken; first run: {lift}"


def _forbidden(w: World, spec: Spec, ledger: Ledger) -> str | None:
    name, lease, held = spec.name, ledger.lease, ledger.held
    if lease is not None and lease.runner != w.me.runner and lease.until > w.now:
        return f"another run ({lease.runner}) works on {name!r} until {lease.until:%H:%M:%S} UTC; try again then"
    if ledger.wholly_revoked:
        return _revoked(spec, ledger.wholly_revoked.reason)
    if ledger.suspended is not None:
        return f"{name!r} is suspended ({ledger.suspended.reason}); first run: keysteward resume {name}"
    if held is not None and held.until > w.now:
        until = f"{held.until:%Y-%m-%d}"
        return f"{name!r} is held until {until} ({held.reason}); wait, or run: keysteward release {name}"
    return None


def _dates(w: World, spec: Spec) -> str | None:
    if spec.decommission is not None:
        return f"{spec.name!r} is decommissioned on {spec.decommission:%Y-%m-%d}, so no new value is taken"
    if spec.expires is not None and w.now + spec.overlap >= spec.expires:
        room = (
            "which is past" if w.now >= spec.expires else f"too early for an overlap of {show_duration(spec.overlap)}"
        )
        return f"{spec.name!r} expires on {spec.expires:%Y-%m-%d}, {room}; give a later day in the declaration"
    if spec.lapsed(w.now):
        return f"{spec.name!r} gets no new value: {spec.standing}; renew that in the declaration first"
    return None
