"""Rules for a credential as a whole: what keeps a run from doing anything to it, and what ends or suspends it. Pure."""

from __future__ import annotations

from keysteward.core.declare.schedule import show_duration
from keysteward.core.declare.spec import Spec
from keysteward.core.identity import name_of
from keysteward.core.observe.keys import is_off, resumable
from keysteward.core.observe.unrecorded import behind
from keysteward.core.observe.world import World
from keysteward.core.plan import issue, retire
from keysteward.core.plan.repair import tidy
from keysteward.core.plan.steps import NOTHING, Decision, Problem, Step
from keysteward.core.record.ledger import Lease, Ledger, State
from keysteward.core.record.revocation import is_over, outdated
from keysteward.core.record.steps import Do

_IN_USE = frozenset({State.CURRENT, State.PREVIOUS})


def leased(w: World) -> Decision:
    """Leave a credential alone that another run works on."""
    return NOTHING if lease_of_another(w) is not None else None


def lease_of_another(w: World) -> Lease | None:
    """Return the lease of another run that still works on it; None where there is none."""
    lease = w.ledger.lease if w.ledger else None
    return lease if lease is not None and lease.runner != w.me.runner and lease.until > w.now else None


LEASE_MEND = "nothing to do; the next run goes on"


def lease_words(lease: Lease) -> str:
    """Say who works on a credential."""
    return f"another run ({lease.runner}) works on it until {lease.until:%H:%M:%S} UTC"


def closed(w: World) -> Decision:
    """Leave a closed ledger alone that nobody declares."""
    gone = w.ledger is None or w.ledger.closed is not None
    return NOTHING if gone and w.spec is None else None


def renamed(w: World) -> Decision:
    """Leave a credential alone whose declaration has another name than its ledger; for a run of the lifecycle alone."""
    return NOTHING if w.ledger is not None and w.ledger.identity != w.identity else None


def barred(w: World) -> Decision:
    """Rename nothing to what a person revoked: its revocation would be lifted by nobody's word."""
    if w.barred is None:
        return None
    return Problem(
        f"{w.identity} was revoked before it was closed ({w.barred.reason}), and another one would get its name; "
        f"choose another name, or run: keysteward lift {w.name} --reason TEXT"
    )


def rivalled(w: World) -> Decision:
    """Do nothing while an earlier name is another credential's: its secrets would be left to nobody, and go on."""
    if w.rival is None:
        return None
    name = name_of(w.rival)
    return Problem(
        f"previously: {name!r} is no earlier name of {w.name!r}, both have secrets of their own; remove it from "
        f"`previously`, then declare {name!r} again or let the next `up` end it"
    )


def recorded(w: World) -> Decision:
    """Note what a person revoked without the ledger store, as a step that a plan shows and a reviewer approves."""
    record, ledger = w.recorded, w.ledger
    if record is None or ledger is None or is_over(record, ledger):
        return None
    if outdated(record, ledger):
        lifted = f"{ledger.lifted:%Y-%m-%d %H:%M} UTC"
        return Problem(f"it was revoked ({record.reason}; {record.words}), and lifted since, at {lifted}; {_decide(w)}")
    return Step(Do.REVOKE, f"revoke it: {record.reason}", record.words, headline=True, changes=(record.id,))


def unnoted(w: World) -> Decision:
    """Begin and end nothing of what was revoked without the ledger store until that is carried out.

    For a run of the lifecycle alone: it has nobody's word for it.
    """
    record, ledger = w.recorded, w.ledger
    if record is None or ledger is None or is_over(record, ledger) or ledger.wholly_revoked is not None:
        return None
    return Problem(
        f"it was revoked ({record.reason}; {record.words}); `keysteward up` shows that in its plan and carries it out; "
        f"or {_decide(w)}"
    )


def _decide(w: World) -> str:
    return (
        f"to end it at once run: keysteward revoke {w.name} --all --reason TEXT; or, if that record is wrong: "
        f"keysteward lift {w.name} --reason TEXT"
    )


def revoked(w: World) -> Decision:
    """End what a person revoked, before anything else."""
    return retire.revoke(w, NOTHING) if w.ledger and w.ledger.revoked else None


def ledger_behind(w: World) -> Decision:
    """Do nothing under a ledger that is lost or older than the world: it would issue twice, or end what is in use."""
    why = behind(w)
    if why is None:
        return None
    return Problem(f"{why}; restore the ledger store, or run: keysteward rebuild {w.name}")


def removed(w: World) -> Decision:
    """End what nobody declares any more."""
    return retire.end_all(w, w.ledger) or NOTHING if w.spec is None and w.ledger is not None else None


def suspended(w: World) -> Decision:
    """Disable what a person suspended; nothing begins or ends until it is resumed."""
    ledger = w.ledger
    if ledger is None or ledger.closed or ledger.suspended is None:
        return None
    why = f"suspended: {ledger.suspended.reason}"
    return retire.suspend_all(w, ledger, why) or retire.sweep(w, ledger) or NOTHING


def places_taken(w: World) -> Decision:
    """Begin nothing while a place holds somebody else's document."""
    return issue.obstacle(w, w.spec) if w.spec else None


def decommissioned(w: World) -> Decision:
    """On the day of its end a credential is suspended where the target can, else its generations are retired."""
    spec, ledger = w.spec, w.ledger
    if spec is None or ledger is None or ledger.closed:
        return None
    mistaken = _expired_before_issue(spec, ledger)
    if mistaken is not None:
        return mistaken
    for when, what in ((spec.decommission, "decommissioned"), (spec.expires, "expired")):
        if when is not None and w.now >= when:
            return retire.stop_working(w, ledger, f"{what} on {when:%Y-%m-%d}") or tidy(w) or NOTHING
    return None


def _expired_before_issue(spec: Spec, ledger: Ledger) -> Problem | None:
    """Refuse a day of expiry that was over before the living secret was issued: nobody can have meant that."""
    current = ledger.current
    issued = (current.issued_at or current.asked_at) if current is not None else None
    if current is None or issued is None or spec.expires is None or spec.expires > issued:
        return None
    return Problem(
        f"expires: {spec.expires:%Y-%m-%d} is before generation {current.number} was issued ({issued:%Y-%m-%d}); "
        f"correct the day, or end it now: keysteward revoke {spec.name} --all --reason TEXT"
    )


def migrated(w: World) -> Decision:
    """End a transitional key once its consumers use the client instead and nobody uses the key."""
    spec, ledger = w.spec, w.ledger
    if spec is None or ledger is None or ledger.closed or spec.migrates_to is None:
        return None
    why = f"its consumers use client {spec.migrates_to}"
    if ledger.migrated is not None:
        return retire.stop_working(w, ledger, why) or tidy(w) or NOTHING
    current = ledger.current
    if spec.silent_for is None or current is None or ledger.unfinished is not None or w.successor is None:
        return None
    silences = [retire.silence(w, ledger, g) for g in ledger.generations if g.live]
    known = [silent for silent in silences if silent is not None]
    silent = min(known) if len(known) == len(silences) else None
    if silent is None or silent < spec.silent_for or w.successor < w.now - spec.silent_for:
        return None
    words, why = f"end the key: {why}", f"nobody used the key for {silent.days} days"
    return Step(Do.MIGRATE, words, why, current.number, headline=True)


def resume(w: World) -> Decision:
    """Enable what we disabled, once nothing speaks for that any more."""
    ledger = w.ledger
    if w.spec is None or ledger is None or ledger.closed:
        return None
    for record in ledger.objects:
        if not record.suspended or record.deleted:
            continue
        found = w.object(record)
        used = any(g.object == record.key and g.state in _IN_USE for g in ledger.generations)
        if not used or found is None:
            continue
        if not resumable(record, found):
            continue
        words = f"enable {record.noun}"
        return Step(Do.RESUME, words, "it may work again", object=record.key, headline=True, widens=True)
    return None


def disabled(w: World) -> Decision:
    """While somebody else has disabled the client, nothing can be proven: nothing begins and nothing ends.

    What is over already is destroyed in the stores all the same.
    """
    ledger = w.ledger
    if w.spec is None or ledger is None or ledger.closed:
        return None
    for generation in (ledger.unfinished, ledger.current):
        if generation is None:
            continue
        record = ledger.object_of(generation)
        found = w.object(record)
        if found is None or record.suspended:
            continue
        if is_off(record, found, generation):
            return tidy(w) or NOTHING
    return None


def past(w: World) -> Decision:
    """Refuse a new declaration whose dates leave no time for anything to be issued."""
    spec, ledger = w.spec, w.ledger
    if spec is None or not (ledger is None or ledger.closed is not None):
        return None
    if spec.expires is not None and w.now + spec.overlap >= spec.expires:
        room = "is past" if w.now >= spec.expires else f"leaves no room for an overlap of {show_duration(spec.overlap)}"
        return Problem(f"expires: {spec.expires:%Y-%m-%d} {room}, so nothing would be issued; give a later date")
    if spec.lapsed(w.now):
        return Problem(f"classification: {spec.standing}, and that day is past, so nothing is issued; renew it first")
    return None
