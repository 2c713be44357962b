"""Rules for whose an object is: adoption of what others made, and the mark on what is ours. Pure; for the planner."""

from __future__ import annotations

from keysteward.core.contract.observed import Mark, ObservedObject
from keysteward.core.decision import NOTHING, Decision
from keysteward.core.declare.spec import Spec
from keysteward.core.observe.attested import contradicts, unproven
from keysteward.core.observe.keys import read_name
from keysteward.core.observe.world import World
from keysteward.core.plan.placement import holder_record
from keysteward.core.plan.steps import Do, Problem, Step
from keysteward.core.record.ledger import ObjectRecord


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
        if found.mark == Mark(w.identity, record.nonce):
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
