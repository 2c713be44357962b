"""How a secret that is found at a target, and that no run of ours issued here, gets into a ledger. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from keysteward.core.contract.observed import Mark, ObservedObject, ObservedSecret, Settings
from keysteward.core.contract.strategy import Strategy
from keysteward.core.declare.schedule import first_due
from keysteward.core.declare.spec import Spec
from keysteward.core.observe.attested import contradicts, unproven
from keysteward.core.observe.keys import read_name
from keysteward.core.observe.world import World
from keysteward.core.plan.placement import holder_record
from keysteward.core.plan.steps import NOTHING, Decision, Problem, Step
from keysteward.core.record.ledger import Generation, ObjectRecord, Origin, State
from keysteward.core.record.steps import Do

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
        due_by=first_due(spec.identity, at, spec.every) if current else None,
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


def adopt(w: World) -> Decision:
    """Enter what others made as ours, as it is found; only the mark is written to it."""
    spec, ledger = w.spec, w.ledger
    if spec is None or spec.adopt is None or (ledger and not ledger.closed and ledger.objects):
        return None
    if spec.key:
        return _adopt_key(w, spec, spec.adopt)
    found = w.by_client_id(spec.target, spec.adopt)
    if found is None:
        return Problem(f"adopt: target {spec.target} has no client {spec.adopt!r}; correct the name or remove adopt")
    if found.mark is not None and found.mark.identity not in {spec.identity, *w.names}:
        return Problem(
            f"adopt: {found.named} at target {spec.target} belongs to {found.mark.identity}; "
            "it must be released there first"
        )
    if found.settings.method != spec.method:
        return Problem(
            f"auth_method: {found.named} authenticates by {found.settings.method}; "
            "adopt it with that method first, adoption changes nothing but the mark"
        )
    record = ObjectRecord(
        1,
        spec.target,
        found.client_id,
        found.settings.method,
        "",
        found.remote_id,
        external=spec.external,
        adopted=True,
        marked=spec.external,
        kept=None if spec.external else found.settings,
    )
    noun = f"the secret of client {found.client_id}" if spec.external else f"client {found.client_id}"
    return Step(Do.ADOPT, f"adopt {noun}", "declared with adopt", object=1, record=record, headline=True)


def _adopt_key(w: World, spec: Spec, key_id: str) -> Decision:
    """Enter one living key of a holder as ours; nothing is written to it."""
    found = w.by_client_id(spec.target, spec.client_id)
    secret = next((s for s in found.secrets if s.id == key_id), None) if found is not None else None
    if found is None or secret is None:
        return Problem(f"adopt: {spec.client_id!r} at target {spec.target} has no key {key_id!r}; correct its id")
    name = read_name(secret)
    named = name.identity if name is not None and name.identity not in {spec.identity, *w.names} else None
    owner = w.claimed_by or named
    if owner is not None:
        return Problem(f"adopt: key {key_id!r} belongs to {owner}; it must be released there first")
    record = holder_record(found, spec, 1)
    return Step(Do.ADOPT, f"adopt key {key_id}", "declared with adopt", object=1, record=record, headline=True)


def ours(w: World) -> Decision:
    """Do nothing to a client that carries no mark of ours, unless the audit log says that it is the one we know.

    A ledger can be edited to name somebody else's client. A person's `adopt` is a word of its own.
    """
    for record, found in unproven(w):
        why = contradicts(record, found, w.attested) if w.attested is not None else "the audit log was not read"
        if why is None:
            continue
        message = (
            f"{found.named} at target {record.target} carries no mark of {w.identity}, whose ledger names "
            f"it ({found.remote_id}), and {why}"
        )
        if w.ledger is not None and w.ledger.outbox:
            return Problem(
                f"{message}; entries wait in the ledger, which may say so: run again, then they are in the log"
            )
        return Problem(
            f"{message}: the ledger may have been tampered with, so nothing is done to it. Compare: keysteward audit "
            "verify. Restore the ledger from a backup; or, if the client is yours, declare "
            f"adopt={found.remote_id!r}"
        )
    return None


def mark(w: World) -> Decision:
    """Write our mark where it is missing, and the client_id where somebody changed it.

    A client that carries the mark of another identity is not ours to touch.
    """
    if w.ledger is None or w.ledger.closed:
        return None
    for record in w.ledger.objects:
        found = w.object(record)
        if found is None or record.deleted:
            continue
        if found.client_id != record.client_id and record.remote_id is not None:
            decision = _name(w, record, found)
            if decision is not None:
                return decision
        if record.external:
            continue
        there = found.mark
        if there is not None and there.identity == w.identity and there.nonce == record.nonce:
            continue
        if found.mark is not None and found.mark.identity not in {w.identity, *w.names}:
            return Problem(
                f"{found.named} at target {record.target} now carries the mark of "
                f"{found.mark.identity}; decide whose it is and remove the other declaration"
            )
        return Step(Do.MARK, f"mark client {found.client_id}", "its mark is missing", object=record.key, headline=True)
    return NOTHING if w.ledger.adopted_by == w.me.runner else None


def _name(w: World, record: ObjectRecord, found: ObservedObject) -> Decision:
    """Give a client of ours the client_id back that its consumers have; what others manage may be called anew.

    The remote id and our mark say which client it is, and the ledger what it is called: so consumers were told.
    """
    if record.holder:
        return None
    words = f"client {record.client_id!r} at target {record.target} is called {found.client_id!r} there now"
    if record.external:
        if w.spec is None or found.client_id != w.spec.adopt:
            return None
        return Step(
            Do.NAME, f"call client {record.client_id} {found.client_id}", words, object=record.key, headline=True
        )
    if found.mark != Mark(w.identity, record.nonce):
        return None
    if any(f.target == record.target and f.object.client_id == record.client_id for f in w.found):
        return Problem(
            f"{words}, and another client has its client_id, so that its consumers are refused; find out who made that "
            "one, and delete or rename it there: then the next run gives ours its client_id back"
        )
    again = f"give client {found.client_id} its client_id {record.client_id} back"
    return Step(Do.NAME, again, "somebody renamed it, and its consumers are refused", object=record.key, headline=True)
