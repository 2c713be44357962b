"""What is wrong with one credential, and what a person should know of it: findings, each with how to mend it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from keysteward.core.assess.blast_radius import ending_needs, must_be_allowed
from keysteward.core.contract.observed import ObservedObject
from keysteward.core.declare.schedule import LATE_SHARE, show_duration
from keysteward.core.declare.spec import Spec
from keysteward.core.findings import Finding, Kind, Severity
from keysteward.core.observe.keys import is_off
from keysteward.core.observe.unrecorded import behind, copied_names, strange_objects
from keysteward.core.observe.world import Found, World
from keysteward.core.plan.guards import LEASE_MEND, lease_of_another, lease_words
from keysteward.core.plan.issue import cap_filled, held_anywhere, would_cut_off
from keysteward.core.plan.placement import new_home
from keysteward.core.plan.planner import Played, plan_from, play
from keysteward.core.plan.retire import clock_off, retirement_at, silence
from keysteward.core.plan.rotate import rotation_at, rotation_near
from keysteward.core.plan.steps import Plan
from keysteward.core.record.ledger import UNFINISHED, Generation, Ledger, ObjectRecord, Origin, State

HANDOVER_NOTICE = timedelta(days=14)
"""So long before a person must make a new key this is a finding."""

EXPIRY_NOTICE = timedelta(days=30)
"""So long before its expiry a credential is a finding."""


@dataclass(frozen=True, slots=True)
class Assessed:
    """One credential at one moment: what a run would do, and what a person should know once that is done."""

    plan: Plan
    findings: tuple[Finding, ...]


def assess(world: World) -> Assessed:
    """Plan one credential, and examine it as the plan would leave it."""
    played = play(world)
    return Assessed(plan_from(world, played), left_after(world, played))


def left_after(world: World, played: Played) -> tuple[Finding, ...]:
    """Return what a person should know once everything that is due has been done. Of a plan in circles nothing is."""
    return examine(world if played.cut else played.after)


def examine(w: World) -> tuple[Finding, ...]:
    """Return what a person should know about this credential."""
    ledger = w.ledger
    if ledger is None or ledger.closed is not None:
        if w.spec is None:
            return ()
        return (
            *_revoked(w, ledger),
            *_expiring(w, w.spec),
            *_strange(w),
            *_new_value(w, w.spec, None),
            *_full_holder(w, w.spec, ledger),
        )
    findings = [*_strange(w), *_states(w, ledger), *_observed(w, ledger)]
    if w.spec is None:
        message = f"{w.identity} has an open ledger and no declaration"
        mend = f"declare it again, or run with --prune{ending_needs(must_be_allowed(w, w.now))}"
        findings.append(_find(w, Kind.UNDECLARED, Severity.WARNING, message, mend))
    else:
        findings += [
            *_expiring(w, w.spec),
            *_late(w, w.spec, ledger),
            *_retirement(w, w.spec, ledger),
        ]
        findings += _full_holder(w, w.spec, ledger)
        findings += [*_unnotified(w, w.spec, ledger), *_not_renewed(w, w.spec, ledger), *_new_value(w, w.spec, ledger)]
    return tuple(findings)


def late(w: World) -> tuple[Finding, ...]:
    """Return what `examine` says of a rotation that is late now, whatever a run would do about it."""
    if w.spec is None or w.ledger is None or w.ledger.closed is not None:
        return ()
    return tuple(finding for finding in _late(w, w.spec, w.ledger) if finding.kind is Kind.OVERDUE)


def standing(w: World) -> tuple[Finding, ...]:
    """Return what `examine` says of a block and of a secret that ended elsewhere now, whatever a run would do about it.

    The plan that would mend it may fail, as it may have failed before.
    """
    if w.ledger is None or w.ledger.closed is not None:
        return ()
    if w.ledger.blocked is None and w.ledger.ended_elsewhere is None:
        return ()
    return tuple(f for f in _states(w, w.ledger) if f.kind in {Kind.BLOCKED, Kind.ENDED_ELSEWHERE})


def _find(w: World, kind: Kind, severity: Severity, message: str, mend: str = "") -> Finding:
    return Finding(kind, severity, w.identity, message, mend)


def _revoked(w: World, ledger: Ledger | None) -> Iterable[Finding]:
    if ledger is not None and ledger.revoked is not None:
        mend = f"once the reason is dealt with run: keysteward lift {w.name} --reason TEXT"
        numbers = sorted(ledger.revoked.generations or ())
        which = f"generation {', '.join(map(str, numbers))} " if numbers else ""
        yield _find(w, Kind.REVOKED, Severity.WARNING, f"{which}revoked: {ledger.revoked.reason}", mend)


def _states(w: World, ledger: Ledger) -> Iterable[Finding]:
    lease = lease_of_another(w)
    if lease is not None:
        yield _find(w, Kind.LEASED, Severity.WARNING, lease_words(lease), LEASE_MEND)
    if ledger.blocked is not None:
        yield _find(
            w,
            Kind.BLOCKED,
            Severity.ERROR,
            f"blocked: {ledger.blocked.reason}",
            f"fix the declaration, or run: keysteward reissue {w.name} --reason TEXT",
        )
    yield from _revoked(w, ledger)
    if ledger.suspended is not None:
        yield _find(
            w,
            Kind.SUSPENDED,
            Severity.NOTE,
            f"suspended since {ledger.suspended.at:%Y-%m-%d}: {ledger.suspended.reason}",
            f"to enable it again run: keysteward resume {w.name}",
        )
    if ledger.held is not None and ledger.held.until > w.now:
        until = f"{ledger.held.until:%Y-%m-%d}"
        yield _find(w, Kind.HELD, Severity.NOTE, f"held until {until}: {ledger.held.reason}")
    if ledger.ended_elsewhere is not None and ledger.current is None:
        yield _find(
            w,
            Kind.ENDED_ELSEWHERE,
            Severity.ERROR,
            f"generation {ledger.ended_elsewhere} ended without a step of ours; it is not silently brought back",
            f"find out why, then run: keysteward reissue {w.name} --reason TEXT",
        )
    for generation in ledger.generations:
        for suspect in generation.suspects:
            yield _find(
                w,
                Kind.SUSPECT,
                Severity.WARNING,
                f"secret {suspect} may be an orphan of generation {generation.number}, or somebody else's",
                f"run: keysteward resolve {w.name} {suspect} --ours | --theirs",
            )


def _strange(w: World) -> Iterable[Finding]:
    """Report what carries our mark and is in no ledger: ours, or copies."""
    ours, copies = strange_objects(w)
    yield from _unrecorded(w, ours)
    yield from _copied(w, copies)


def copied(w: World) -> Iterable[Finding]:
    """Report what carries our mark and gives no right to touch it: a copy of our client, as far as we can know."""
    return _copied(w, strange_objects(w)[1])


def _unrecorded(w: World, ours: Iterable[Found]) -> Iterable[Finding]:
    """Report what a lost or restored ledger store left without a record."""
    mend = f"run: keysteward rebuild {w.name}"
    why = behind(w)
    if why is not None:
        yield _find(w, Kind.UNRECORDED, Severity.ERROR, f"{why}; nothing is done before that is fixed", mend)
        return
    for found in ours if w.ledger is not None and w.ledger.closed is None else ():
        message = f"{found.object.named} at target {found.target} carries its mark and is in no ledger"
        yield _find(w, Kind.UNRECORDED, Severity.WARNING, message, mend)


def _copied(w: World, copies: Iterable[Found]) -> Iterable[Finding]:
    for found in copies:
        item = found.object
        message = (
            f"{item.named} at target {found.target}, id {item.remote_id}, carries a copy of its mark: "
            "neither ledger, declaration nor delivered document names it; no run touches it"
        )
        mend = (
            "find out whose it is, and take its mark away there; one of ours that was left behind is entered by "
            f'adopt="{item.client_id}" and: keysteward rebuild {w.name}'
        )
        yield _find(w, Kind.COPIED_MARK, Severity.WARNING, message, mend)
    for target, holder, secret in copied_names(w):
        message = (
            f"key {secret.id} of {holder} at target {target} is named as one of its own, {secret.name!r}, and neither "
            "ledger nor delivered document knows it; no run touches it"
        )
        mend = (
            "find out whose it is, and end it there; one of ours that was left behind is entered by "
            f'adopt="{secret.id}" once nothing else of this credential lives'
        )
        yield _find(w, Kind.COPIED_MARK, Severity.WARNING, message, mend)


def _observed(w: World, ledger: Ledger) -> Iterable[Finding]:
    for record in ledger.objects:
        found = w.object(record)
        if found is None or record.deleted:
            continue
        if _switched_off(ledger, record, found):
            yield _find(
                w,
                Kind.DISABLED_ELSEWHERE,
                Severity.WARNING,
                f"{record.noun} was disabled at target {record.target} without a step of ours",
                "enable it there when that was not meant; nothing new is issued before",
            )
        if w.spec is not None:
            yield from _full(w, ledger, record, found)
    current = ledger.current
    if current is not None and not any(w.at(key).unknown for key in current.delivery) and not held_anywhere(w, current):
        mend = (
            "consumers get the next generation; for one now, with time for those who have the present one, run: "
            f"keysteward reissue {w.name} --grace 7d --reason TEXT"
        )
        if current.strategy.by_person:
            mend = f"restore the store, or {_make_one(w, current.target)}"
        message, severity = f"no store holds generation {current.number}", Severity.WARNING
        if current.origin is Origin.ADOPTED:
            message, severity = f"{message}, which was adopted: whoever uses it has it from elsewhere", Severity.NOTE
        yield _find(w, Kind.UNDELIVERED, severity, message, mend)


def _switched_off(ledger: Ledger, record: ObjectRecord, found: ObservedObject) -> bool:
    """Say whether something of ours that works, or is about to, was disabled and not by us."""
    if record.suspended or (found.enabled and not record.holder):
        return False
    used = (g for g in ledger.generations if g.object == record.key and (g.live or g.state in UNFINISHED))
    return any(is_off(record, found, g) for g in used)


def _full(w: World, ledger: Ledger | None, record: ObjectRecord, found: ObservedObject) -> Iterable[Finding]:
    can = w.can(record)
    if can is None or not cap_filled(w, ledger, record, found):
        return
    generations = ledger.generations if ledger is not None else ()
    live = [g.id for g in generations if g.object == record.key and g.live]
    others = [s.id for s in found.secrets if s.id not in live]
    if others:
        yield _find(
            w,
            Kind.CAP_FILLED,
            Severity.WARNING,
            f"all {can.secrets} secrets of {record.client_id} are taken, "
            f"{', '.join(others)} not by a living generation",
            "end one of them at the target; rotation goes on then",
        )
    elif ledger is not None and ledger.reissue:
        message = f"all {can.secrets} secrets of {record.client_id} are its own; the next one waits until one has ended"
        yield _find(w, Kind.CAP_FILLED, Severity.NOTE, message, "nothing to do; the old one ends with its overlap")


def _full_holder(w: World, spec: Spec, ledger: Ledger | None) -> Iterable[Finding]:
    """Report that the declared holder of a key has no room for its first one."""
    found = w.by_client_id(spec.target, spec.client_id) if spec.key else None
    record = new_home(w, spec, ledger) if found is not None else None
    if found is not None and isinstance(record, ObjectRecord):
        known = ledger is not None and ledger.closed is None and any(o.key == record.key for o in ledger.objects)
        yield from () if known else _full(w, ledger, record, found)


def _unnotified(w: World, spec: Spec, ledger: Ledger) -> Iterable[Finding]:
    current = ledger.current
    for place in spec.places if current is not None and w.me.told else ():
        if current is not None and (current.number, place.key) in w.me.told and place.key not in current.notified:
            yield _find(
                w,
                Kind.UNNOTIFIED,
                Severity.WARNING,
                f"the webhook of {place.key} did not take the news of generation {current.number}",
                "the next run tries again; until then its consumer reads the old secret, which works for the overlap",
            )


def _expiring(w: World, spec: Spec) -> Iterable[Finding]:
    if spec.expires is not None and w.now >= spec.expires - EXPIRY_NOTICE:
        verb = "expired" if w.now >= spec.expires else "expires"
        yield _find(
            w,
            Kind.EXPIRING,
            Severity.WARNING,
            f"{verb} on {spec.expires:%Y-%m-%d}",
            "extend expires, or remove the declaration",
        )


def _late(w: World, spec: Spec, ledger: Ledger) -> Iterable[Finding]:
    current = ledger.current
    if current is None or spec.decommission is not None or spec.strategy.by_person:
        return
    if ledger.migrated is not None or spec.lapsed(w.now):
        return
    due = rotation_near(spec, current, w.now)
    if due is None:
        return
    if would_cut_off(w, spec, ledger):
        yield from _cut_off(w, current, due)
        return
    if w.now > due + spec.every / LATE_SHARE:
        yield _find(w, Kind.OVERDUE, Severity.WARNING, f"rotation was due on {due:%Y-%m-%d}", "see why it waits")


def _cut_off(w: World, current: Generation, due: datetime) -> Iterable[Finding]:
    """Report a rotation that is due and waits, since it would end a secret whose consumer does not read our store."""
    if w.now >= due:
        message = f"rotation was due on {due:%Y-%m-%d}; it would end adopted generation {current.number} at once, which"
        mend = "let its consumer read the place that it is delivered to, then write retire_adopted=True"
        yield _find(w, Kind.RETIREMENT_WAITS, Severity.WARNING, f"{message} no store of ours has given out", mend)


def _retirement(w: World, spec: Spec, ledger: Ledger) -> Iterable[Finding]:
    for generation in ledger.generations:
        if not generation.endable and _should_have_ended(w, spec, generation):
            yield _by_hand(w, generation)
    for generation in ledger.in_state(State.PREVIOUS):
        if not generation.endable:
            continue
        due = retirement_at(spec, generation)
        if due is None:
            yield _adopted_waits(w, generation)
        elif spec.unused_for is not None and generation.ends_at is None and w.now > due + spec.report_after:
            yield _still_used(w, spec, ledger, generation)
        elif due <= w.now and clock_off(w, generation.target):
            minutes = int(w.views[generation.target].skew.total_seconds() // 60)
            yield _find(
                w,
                Kind.CLOCK_OFF,
                Severity.WARNING,
                f"the clock of target {generation.target} is {minutes} minutes off, so generation "
                f"{generation.number} is not retired",
                "correct the target's clock",
            )


def _should_have_ended(w: World, spec: Spec, generation: Generation) -> bool:
    if generation.state in {State.RETIRING, State.ABANDONED}:
        return True
    due = retirement_at(spec, generation)
    return generation.state is State.PREVIOUS and due is not None and due <= w.now


def _by_hand(w: World, generation: Generation) -> Finding:
    number = generation.number
    return _find(
        w,
        Kind.RETIREMENT_WAITS,
        Severity.WARNING,
        f"generation {number} may still work at {generation.target}, where only a person can end it",
        f"end it there, then run: keysteward deliver {w.name} --ended {number}",
    )


def _new_value(w: World, spec: Spec, ledger: Ledger | None) -> Iterable[Finding]:
    """Report that a person is to make a new key at a system without an API."""
    if not spec.strategy.by_person or spec.decommission is not None:
        return
    if ledger is not None and ledger.wholly_revoked:
        return
    current, mend = ledger.current if ledger is not None else None, _make_one(w, spec.target)
    if ledger is None or current is None:
        why = "no value of it works" if ledger is not None and ledger.generations else "no value was handed over yet"
        yield _find(w, Kind.NEW_VALUE_DUE, Severity.WARNING, why, mend)
        return
    if ledger.reissue is not None:
        yield _find(w, Kind.NEW_VALUE_DUE, Severity.WARNING, f"a new value was asked for: {ledger.reissue}", mend)
        return
    due = rotation_at(spec, current)
    if w.now >= due - HANDOVER_NOTICE:
        late = w.now >= due
        verb = "was" if late else "is"
        severity = Severity.WARNING if late else Severity.NOTE
        yield _find(w, Kind.NEW_VALUE_DUE, severity, f"a new value {verb} due on {due:%Y-%m-%d}", mend)


def _make_one(w: World, system: str) -> str:
    return f"make one at {system}, then run: keysteward deliver {w.name}"


def _not_renewed(w: World, spec: Spec, ledger: Ledger) -> Iterable[Finding]:
    """Report a key that gets no new generation, since the day its classification gave is past."""
    if ledger.migrated is not None and spec.migrates_to is not None:
        message = f"it has ended, since its consumers use client {spec.migrates_to}"
        yield _find(w, Kind.NOT_RENEWED, Severity.NOTE, message, "remove its declaration")
        return
    if not spec.lapsed(w.now):
        return
    until = f"; the present one works until {spec.expires:%Y-%m-%d}" if spec.expires and ledger.current else ""
    yield _find(
        w,
        Kind.NOT_RENEWED,
        Severity.ERROR,
        f"nothing new is issued: {spec.standing}{until}",
        "finish the migration and remove the key, or have the exception reviewed and its date renewed in a commit",
    )


def _still_used(w: World, spec: Spec, ledger: Ledger, generation: Generation) -> Finding:
    silent = silence(w, ledger, generation)
    when = "its target does not show its use now" if silent is None else f"last used {silent.days} days ago"
    needed = show_duration(spec.unused_for) if spec.unused_for else ""
    return _find(
        w,
        Kind.RETIREMENT_WAITS,
        Severity.WARNING,
        f"generation {generation.number} should have ended long ago; it ends once unused for {needed} ({when})",
        f"find its user, or end it now: keysteward revoke {w.name} --generation {generation.number} --reason TEXT",
    )


def _adopted_waits(w: World, generation: Generation) -> Finding:
    what = "adopted" if generation.origin is Origin.ADOPTED else "previous"
    return _find(
        w,
        Kind.RETIREMENT_WAITS,
        Severity.NOTE,
        f"{what} generation {generation.number} still works; the target cannot show that nobody uses it",
        "write retire_adopted=True once you know",
    )
