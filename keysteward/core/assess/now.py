"""What is so of one credential at this moment, whatever a run would do about it: drift and inventory tell it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta

from keysteward.core.assess.blast_radius import ending_needs, must_be_allowed
from keysteward.core.assess.examine import Assessed, late, standing
from keysteward.core.contract.observed import ObservedObject
from keysteward.core.declare.spec import NO_KEYS
from keysteward.core.findings import Finding, Kind, Severity
from keysteward.core.observe.diff import METHOD, Difference, differences
from keysteward.core.observe.keys import intruder, nameless, shown
from keysteward.core.observe.world import World
from keysteward.core.plan.adopt import wanted
from keysteward.core.plan.issue import fields_changed, held_anywhere, overwritten
from keysteward.core.plan.retire import came_back
from keysteward.core.plan.rotate import home_again, next_rotation
from keysteward.core.plan.steps import Plan
from keysteward.core.record.ledger import ObjectRecord
from keysteward.core.record.steps import Do

PUTS_BACK = "keysteward up puts ours back"


SETTLED = timedelta(minutes=1)
"""Beyond its list lag, a target's list shows by then what was made."""


def findings_now(w: World, made: Assessed) -> tuple[Finding, ...]:
    """Return what is so of one credential now: what is left after a run, what a run would mend, and what stops it.

    That a rotation is late, or that a client is gone, must show before a run mends it.
    """
    if w.ledger is not None and w.ledger.closed is not None and w.spec is None:
        return ()
    planned, gone = made.plan, [*_gone(w), *_moved(w)]
    told = dict.fromkeys((*standing(w), *made.findings, *late(w)))
    found = [*gone, *(f for f in told if not (gone and f.kind is Kind.ENDED_ELSEWHERE))]
    found += [*_renamed(w), *_forged(w), *_overwritten(w), *_there_again(w), *_misdeclared(w)]
    found += [*_enabled_again(w, planned), *_changed(w, planned), *_never_issued(w, planned)]
    return (*found, *_stopped(w, planned, found), *failed(w, planned))


def _stopped(w: World, planned: Plan, found: Iterable[Finding]) -> Iterator[Finding]:
    """Report what stops a credential, whatever else is told of it; a lost ledger is told with its own words."""
    lost = any(f.kind is Kind.UNRECORDED and f.severity is Severity.ERROR for f in found)
    if planned.problem is not None and not lost:
        yield Finding(Kind.BLOCKED, Severity.ERROR, w.identity, planned.problem.message)


def failed(w: World, planned: Plan) -> Iterator[Finding]:
    """Report that the last run did not get through, while what it should have done is still due.

    A plan may look as if it mended everything: so did the one before.
    """
    ledger = w.ledger
    if ledger is None or ledger.closed is not None or not (planned.steps or planned.problem or planned.wait):
        return
    severity = Severity.WARNING if ledger.current is not None else Severity.ERROR
    lease = ledger.lease
    if ledger.failed is not None:
        message = f"the last run failed on {ledger.failed.at:%Y-%m-%d %H:%M} UTC: {ledger.failed.reason}"
        yield Finding(Kind.FAILED, severity, w.identity, message, "fix that; the next run tries again")
    elif lease is not None and lease.until <= w.now:
        message = f"a run ({lease.runner}) did not finish: its lease ended on {lease.until:%Y-%m-%d %H:%M} UTC"
        yield Finding(Kind.FAILED, severity, w.identity, message, "see why it died; the next run goes on")


def _misdeclared(w: World) -> Iterator[Finding]:
    """Report a client whose secrets its target rotates, or ends, though it is declared as one that does not."""
    ledger = w.ledger
    for record in ledger.objects if ledger is not None and ledger.closed is None else ():
        found, can = w.object(record), w.can(record)
        primary = found.slot("primary") if found is not None else None
        if found is None or primary is None or can is None or can.native_slot or record.deleted:
            continue
        ends, rotated = primary.expires_at, found.slot("rotated")
        if ends is None and rotated is None:
            continue
        does = [
            *(["keeps a replaced secret beside the present one"] if rotated is not None else []),
            *([f"ends its secret on {ends:%Y-%m-%d}"] if ends is not None else []),
        ]
        due = next_rotation(w.spec, ledger, w.now)
        early = ends is not None and (due is None or ends < due)
        message = f"of {record.noun} target {record.target} {' and '.join(does)}, and is declared as one that cannot"
        mend = "declare the target as it is, or take the client out of what does that there; keysteward doctor helps"
        severity = Severity.ERROR if early and w.spec is not None else Severity.WARNING
        yield Finding(Kind.MISDECLARED, severity, w.identity, message, mend)


def _gone(w: World) -> Iterator[Finding]:
    """Report the client, or holder, of a living generation that its target does not list any more."""
    ledger = w.ledger
    for record in ledger.objects if ledger is not None and ledger.closed is None else ():
        living = [g for g in ledger.generations if g.object == record.key and g.live] if ledger is not None else []
        view = w.views.get(record.target)
        if record.deleted or record.remote_id is None or not living or view is None or w.object(record) is not None:
            continue
        lag = view.capabilities.list_lag + SETTLED
        if any(w.moved_to(g) for g in living) or any(w.now - (g.issued_at or g.asked_at) < lag for g in living):
            continue
        what = "holder" if record.holder else "client"
        message = (
            f"{what} {record.client_id!r} is not at target {record.target} any more; a step of ours did not end it"
        )
        again = f"run: keysteward reissue {w.name} --reason TEXT"
        remove = f"or remove the declaration{ending_needs(must_be_allowed(w, w.now))}"
        mend = f"find out why; then {again}, {remove}"
        if record.holder:
            bounds = (view.key_capabilities or NO_KEYS).shown_holders
            message += f"; nor is its key, as far as is looked ({bounds})" if bounds else ""
            mend = f"find out why; write another holder, or {again} once it is there again, {remove}"
        yield Finding(Kind.MISSING, Severity.ERROR, w.identity, message, mend)


def _moved(w: World) -> Iterator[Finding]:
    """Report a living key that its holder does not have any more and that exists still: it has not ended."""
    ledger = w.ledger
    for generation in ledger.generations if ledger is not None and ledger.closed is None else ():
        there = w.moved_to(generation) if generation.live else None
        if ledger is None or there is None:
            continue
        record = ledger.object_of(generation)
        own = w.object(record)
        holder = own.named if own is not None else f"{there.holder} {record.client_id!r}"
        message = f"{holder} is not at target {record.target} any more"
        if own is not None:
            message = f"key {generation.id} of {holder} at target {record.target} was taken out of it"
        key = "it" if own is not None else f"its key {generation.id}"
        off = any(secret.id == generation.id and not secret.enabled for secret in there.secrets)
        message += f"; {key} is at {there.named} now{', disabled' if off else ''}, and has not ended"
        if there.loose:
            message += ", but its callers are refused"
        severity = Severity.ERROR if generation is ledger.current else Severity.WARNING
        yield Finding(Kind.MISSING, severity, w.identity, message, _home_again(w, record, own, there))


def _home_again(w: World, record: ObjectRecord, own: ObservedObject | None, there: ObservedObject) -> str:
    another = f"keysteward reissue {w.name} --reason TEXT, which gives its consumers another key and ends this one"
    if own is None:
        issues = "keysteward up then issues the next key, and ends this one after its overlap"
        return f"find out why; {home_again(record, there)}: {issues}"
    if there.loose:
        return f"find out why; add it to {own.named} again at the target, or run: {another}"
    return f'find out who moved it; put it back there, write holder="{there.client_id}", or run: {another}'


def _overwritten(w: World) -> Iterator[Finding]:
    """Report delivered documents that somebody else wrote to; only a run may read what stands there now."""
    current = w.ledger.current if w.ledger is not None and w.ledger.closed is None else None
    if current is None:
        return
    for key in current.delivery:
        held = w.at(key)
        if held.unknown and held.exists:
            severity, message = Severity.WARNING, f"somebody else wrote to {key}, and what it holds now is not known"
            mend = "find out who; keysteward up, or rotate --due, reads it and writes again what is its own"
        elif key in overwritten(w, current):
            severity, message = Severity.ERROR, f"{key} holds another value than generation {current.number}"
            mend = "find out who wrote it; keysteward up delivers again, or issues another where nothing holds it"
            if w.spec is not None and not w.spec.strategy.overlaps and not held_anywhere(w, current):
                mend = f"find out who wrote it; then run: keysteward reissue {w.name} --reason TEXT"
        elif fields_changed(held):
            severity = Severity.ERROR
            message = f"somebody changed the fields beside the secret in {key}, which say where it is sent"
            mend = (
                "keysteward up writes them again; find out who changed them, and if a consumer read them meanwhile, "
                f"run: keysteward reissue {w.name} --reason TEXT"
            )
        else:
            continue
        yield Finding(Kind.OVERWRITTEN, severity, w.identity, message, mend)


def _renamed(w: World) -> Iterator[Finding]:
    """Report clients with a living secret that have another client_id than their consumers were told."""
    ledger = w.ledger
    for record in ledger.objects if ledger is not None and ledger.closed is None else ():
        found = w.object(record)
        if found is None or record.deleted or record.holder or record.remote_id is None:
            continue
        living = ledger is not None and any(g.object == record.key and g.live for g in ledger.generations)
        if found.client_id == record.client_id or not living:
            continue
        message = (
            f"client {record.client_id!r} at target {record.target} is called {found.client_id!r} there now; "
            "whoever uses it by the name that was delivered is refused"
        )
        mend = "find out who renamed it; keysteward up gives it its client_id back"
        if record.external:
            mend = f'have it renamed back, or write client="{found.client_id}": keysteward up then delivers that'
        yield Finding(Kind.CHANGED, Severity.ERROR, w.identity, message, mend)


def _forged(w: World) -> Iterator[Finding]:
    """Report that the key consumers use was replaced, or lost its name, at the target."""
    ledger, current = w.ledger, w.ledger.current if w.ledger is not None and w.ledger.closed is None else None
    if ledger is None or current is None:
        return
    record = ledger.object_of(current)
    found = w.object(record)
    if found is None:
        return
    forged = intruder(found, current) is not None
    what = "another key stands there" if forged else "its kid was taken from it"
    if forged or nameless(shown(found, current), current):
        message = (
            f"the key of generation {current.number} was changed at {record.noun} at target {record.target}: {what}, "
            "and consumers are refused"
        )
        mend = f"find out who wrote that; {PUTS_BACK}"
        if not held_anywhere(w, current):
            mend = f"find out who wrote that; then run: keysteward reissue {w.name} --reason TEXT"
        yield Finding(Kind.CHANGED, Severity.ERROR, w.identity, message, mend)


def _there_again(w: World) -> Iterator[Finding]:
    """Report secrets of ours that were ended, revoked ones too, and that their target has again."""
    ledger = w.ledger
    for generation in ledger.generations if ledger is not None and ledger.closed is None else ():
        if ledger is not None and came_back(w, ledger, generation) is not None:
            where = f"{ledger.object_of(generation).noun} at target {generation.target}"
            message = f"generation {generation.number} was ended, and {where} has it again"
            mend = "find out how it came back; keysteward up ends it again"
            yield Finding(Kind.EXTRA_SECRET, Severity.ERROR, w.identity, message, mend)


def _enabled_again(w: World, planned: Plan) -> Iterator[Finding]:
    """Report what we disabled and somebody enabled, while it is to stay disabled."""
    records = {record.key: record for record in w.ledger.objects} if w.ledger is not None else {}
    stopped = w.ledger is not None and (w.ledger.suspended is not None or w.ledger.revoked is not None)
    for step in planned.steps:
        record = records.get(step.object) if step.do is Do.SUSPEND and step.object is not None else None
        if record is not None and record.suspended:
            severity = Severity.ERROR if stopped else Severity.WARNING
            message = (
                f"{record.noun} at target {record.target} was enabled again, and not by a step of ours ({step.why})"
            )
            mend = "find out who enabled it; keysteward up disables it again"
            yield Finding(Kind.CHANGED, severity, w.identity, message, mend)


def _never_issued(w: World, planned: Plan) -> Iterator[Finding]:
    if w.spec is None or w.spec.strategy.by_person or planned.problem is not None:
        return
    if w.ledger is not None and (w.ledger.generations or w.ledger.revoked or w.ledger.blocked):
        return
    if any(step.do is Do.ADOPT for step in planned.steps):
        yield Finding(Kind.MISSING, Severity.WARNING, w.identity, "it was not adopted yet", _run("adopts"))
    elif any(step.do is Do.BEGIN for step in planned.steps):
        yield Finding(Kind.MISSING, Severity.WARNING, w.identity, "it was never issued", _run("issues"))


def _run(verb: str) -> str:
    return f"keysteward up, or pulumi up, {verb} it"


def _changed(w: World, planned: Plan) -> Iterator[Finding]:
    """Report fields of our clients that differ from what is declared, and marks that are missing."""
    if w.spec is None or w.ledger is None or w.ledger.closed is not None:
        return
    for record in w.ledger.objects:
        found = w.object(record)
        living = any(g.object == record.key and g.live for g in w.ledger.generations)
        if found is None or record.deleted or record.external or record.holder or not living:
            continue
        here = record.target == w.spec.target
        differing = differences(wanted(w, w.spec, record), found.settings) if here else ()
        if differing:
            message = f"{found.named} at target {record.target} differs from its declaration: "
            mend = "find out who changed it; keysteward up writes what is declared"
            if any(d.field == METHOD for d in differing):
                mend = f"the method is set again with the next generation: keysteward reissue {w.name} --reason TEXT"
            words = "; ".join(_field(d) for d in differing)
            yield Finding(Kind.CHANGED, Severity.WARNING, w.identity, message + words, mend)
        if any(step.do is Do.MARK and step.object == record.key for step in planned.steps) and found.mark is None:
            message = f"{found.named} at target {record.target} has lost its mark"
            yield Finding(Kind.CHANGED, Severity.WARNING, w.identity, message, "keysteward up writes it again")


def _field(difference: Difference) -> str:
    """Say of one field what is there and what is declared: "scopes: a is not declared, b is missing"."""
    words = difference.declared.split(" ")
    if all(word[:1] in {"+", "-"} for word in words):
        parts = [f"{w[1:]} {'is missing' if w[0] == '+' else 'is not declared'}" for w in words]
        return f"{difference.label}: {', '.join(parts)}"
    return f"{difference.label}: {difference.observed!r} there, {difference.declared!r} declared"
