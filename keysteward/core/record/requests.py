"""What a person may write into a ledger: requests and decisions. Pure functions from ledger to ledger.

A handle only notes a person's word. The next run carries it out; the commands run it at once. All raise
DeclarationError where the word makes no sense for this ledger.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from keysteward.core.errors import DeclarationError
from keysteward.core.record.ledger import Generation, Held, Ledger, Revoked, State, Suspended
from keysteward.core.record.revocation import Recorded


def reissue(ledger: Ledger, reason: str, *, at: datetime, grace: timedelta | None = timedelta()) -> Ledger:
    """Ask for a new generation at the next run, whatever ended or blocked the last one.

    The present one ends `grace` after its successor is delivered (None: after the declared overlap). Those that were
    superseded before end at once when there is a grace, since some targets have no room for a third.
    """
    _must_be_open(ledger, "there is nothing to reissue")
    if ledger.wholly_revoked:
        raise DeclarationError(f"{ledger.identity} is revoked ({ledger.wholly_revoked.reason}); nothing new is issued")
    asked = replace(ledger, reissue=reason, grace=grace, blocked=None, migrated=None)
    if grace is not None:
        for generation in ledger.generations:
            if generation.state is State.PREVIOUS or (generation.state is State.ABANDONED and generation.ends_at):
                asked = asked.with_generation(generation.number, ends_at=at)
    return asked


def resolve(ledger: Ledger, suspect: str, *, ours: bool) -> Ledger:
    """Decide about a suspect: ours is ended by the next run, theirs is forgotten."""
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


def confirm_ended(ledger: Ledger, number: int, words: str) -> Ledger:
    """Take a person's word, `words`, that what only a person can end has ended; the next run records its end."""
    may_be_ended(ledger, number)
    return ledger.with_generation(number, state=State.ABANDONED, evidence=words, confirmed=words)


def hold(ledger: Ledger, until: datetime, reason: str) -> Ledger:
    """Let no rotation begin and no overlap end until a moment; what was begun is finished."""
    _must_be_open(ledger, "there is nothing to hold")
    return replace(ledger, held=Held(until, reason))


def release(ledger: Ledger) -> Ledger:
    """End a hold."""
    if ledger.held is None:
        raise DeclarationError(f"{ledger.identity} is not held; there is nothing to release")
    return replace(ledger, held=None)


def suspend(ledger: Ledger, at: datetime, reason: str) -> Ledger:
    """Disable a credential, reversibly, until it is resumed."""
    _must_be_open(ledger, "there is nothing to suspend")
    return replace(ledger, suspended=Suspended(at, reason))


def resume(ledger: Ledger) -> Ledger:
    """End a suspension."""
    if ledger.suspended is None:
        raise DeclarationError(f"{ledger.identity} was not suspended with `keysteward suspend`; nothing to resume")
    return replace(ledger, suspended=None)


def rollback(ledger: Ledger, runner: str, now: datetime) -> Ledger:
    """Ask that the newest previous generation, which must still live, becomes current again; it is proven first.

    The retirement of that generation is stopped. What is current now lives on for the overlap, then it ends.
    """
    _must_be_open(ledger, "there is nothing to roll back")
    must_be_free(ledger, runner, now)
    candidates = [g for g in ledger.generations if g.state in {State.PREVIOUS, State.RETIRING}]
    current = ledger.current
    if not candidates:
        now_works = f"generation {current.number} is the only one that works" if current else "none works"
        raise DeclarationError(f"{ledger.identity} has no previous generation that still lives; {now_works}")
    back = candidates[-1]
    if current is None:
        return ledger.with_generation(back.number, state=State.PREVIOUS, ends_at=None)
    return replace(ledger.with_generation(back.number, state=State.PREVIOUS, ends_at=None), rollback=back.number)


def revoke(ledger: Ledger, at: datetime, reason: str, generations: Iterable[int] | None = None) -> Ledger:
    """End generations at once and for good: those named, or all with everything that may come (None).

    It breaks another run's lease: that run's next record fails, and what it left open is resolved by the next run.
    Repeatable; a wider revocation replaces a narrower one.
    """
    _must_be_open(ledger, "nothing of it can be revoked in its ledger")
    numbers = None if generations is None else tuple(sorted(generations))
    known = {g.number for g in ledger.generations}
    for number in numbers or ():
        if number not in known:
            listed = ", ".join(str(n) for n in sorted(known)) or "none"
            raise DeclarationError(f"{ledger.identity} has no generation {number}; it has {listed}")
    before = ledger.revoked
    if before is not None and numbers is not None:
        numbers = None if before.generations is None else tuple(sorted({*before.generations, *numbers}))
    return replace(ledger, revoked=Revoked(at, reason, numbers), lease=None, reissue=None, grace=None, rollback=None)


def note_record(ledger: Ledger, record: Recorded, at: datetime) -> Ledger:
    """Take the word of a record: it is revoked as a whole, and what the record disabled is known as disabled by us."""
    if ledger.closed is None and ledger.wholly_revoked is None:
        ledger = revoke(ledger, at, record.reason)
    for item in ledger.objects:
        if item.remote_id is not None and item.remote_id in record.disabled.get(item.target, ()):
            ledger = ledger.with_object(item.key, suspended=True)
    return replace(ledger, recorded=(*(known for known in ledger.recorded if known != record.id), record.id))


def lift(ledger: Ledger, at: datetime) -> Ledger:
    """Let a revoked credential live again: what ended stays ended, the next run issues a new generation."""
    if ledger.revoked is None:
        raise DeclarationError(f"{ledger.identity} is not revoked; there is nothing to lift")
    return replace(ledger, revoked=None, ended_elsewhere=None, lifted=at)


def must_be_free(ledger: Ledger, runner: str, now: datetime) -> None:
    """Refuse while another run works on it: a write would stop that run half way, which only what is urgent may do."""
    lease = ledger.lease
    if lease is not None and lease.runner != runner and lease.until > now:
        raise DeclarationError(
            f"another run ({lease.runner}) works on {ledger.identity} until {lease.until:%H:%M:%S} UTC; try again then"
        )


def _must_be_open(ledger: Ledger, so: str) -> None:
    if ledger.closed is not None:
        raise DeclarationError(f"{ledger.identity} is closed since {ledger.closed:%Y-%m-%d}; {so}")


def may_be_ended(ledger: Ledger, number: int) -> Generation:
    """Return a generation of which a person may say that it has ended. Raises DeclarationError for any other."""
    name = ledger.name
    known = {g.number: g for g in ledger.generations}
    if number not in known:
        raise DeclarationError(f"{name!r} has no generation {number}; it has {', '.join(map(str, known)) or 'none'}")
    generation = known[number]
    if not generation.strategy.by_person:
        raise DeclarationError(f"generation {number} of {name!r} was not made by hand; keysteward ends it")
    if generation.state is State.RETIRED:
        when = f" on {generation.ended_at:%Y-%m-%d}" if generation.ended_at is not None else ""
        raise DeclarationError(f"generation {number} of {name!r} is recorded as ended already{when}")
    if generation.state in {State.INTENT, State.VERIFIED}:
        raise DeclarationError(f"generation {number} of {name!r} is still being taken in; run `keysteward up` first")
    return generation
