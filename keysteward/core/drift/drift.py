"""Drift: what differs between what is declared and what is there, at all targets and stores of a stack. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from keysteward.core.assess.blast_radius import ending_needs, must_be_allowed
from keysteward.core.assess.examine import Assessed, late, standing
from keysteward.core.contract.observed import OVERWRITTEN, ObservedObject, ObservedSecret
from keysteward.core.declare.schedule import parse_duration, show_duration
from keysteward.core.declare.spec import NO_KEYS, capabilities_of
from keysteward.core.declare.stack import IDENTITY
from keysteward.core.drift.importing import advice
from keysteward.core.drift.inventory import Coverage, Standing
from keysteward.core.drift.survey import Seen, Thing, coverage
from keysteward.core.drift.unmanaged import judge_kept
from keysteward.core.findings import Finding, Kind, Severity
from keysteward.core.identity import in_stack, stack_of
from keysteward.core.observe.diff import METHOD, Difference, differences
from keysteward.core.observe.keys import expired, intruder, nameless, shown
from keysteward.core.observe.world import TOLERATED_SKEW, World
from keysteward.core.plan.adopt import wanted
from keysteward.core.plan.issue import fields_changed, held_anywhere, overwritten
from keysteward.core.plan.retire import came_back
from keysteward.core.plan.rotate import home_again, next_rotation
from keysteward.core.plan.steps import Plan
from keysteward.core.policy import counted, outranked
from keysteward.core.policy.waivers import subject_of
from keysteward.core.record.heartbeat import last_beat
from keysteward.core.record.ledger import Generation, Ledger, ObjectRecord, State
from keysteward.core.record.server_ledger import ServerLedger
from keysteward.core.record.steps import Do
from keysteward.core.run.outbox import HOW_TO_MOVE, late_words, oldest_late

_RANK = (Severity.NOTE, Severity.WARNING, Severity.ERROR)

PUTS_BACK = "keysteward up puts ours back"

SETTLED = timedelta(minutes=1)
"""Beyond its list lag, a target's list shows by then what was made."""


@dataclass(frozen=True, slots=True)
class Drift:
    """What one look found. `failures` are what could not be read, with why: an error, never "clean".

    `findings` are sorted, the worst first, then by subject; each appears once.
    """

    stack: str
    at: datetime
    findings: tuple[Finding, ...]
    coverage: tuple[Coverage, ...] = ()
    failures: tuple[str, ...] = ()

    def at_or_above(self, severity: Severity) -> tuple[Finding, ...]:
        """Return the findings of this severity or a worse one; what is waived is a note."""
        return tuple(f for f in self.findings if _RANK.index(f.severity) >= _RANK.index(severity))


def drift(seen: Seen) -> Drift:
    """Compare what is declared with what one look saw."""
    everything = seen.things
    of_credentials = [finding for item in seen.credentials.values() for finding in item.findings]
    found = [
        *of_credentials,
        *outranked(seen.policy, of_credentials),
        *seen.findings,
        *(finding for each in seen.governed for finding in each.findings),
        *(finding for thing in everything for finding in _standing(seen, thing)),
        *_extra_secrets(seen, everything),
        *_kept(seen, everything),
        *_scopes(seen),
        *_strays(seen),
        *_shared(seen, everything),
        *_silent(seen),
        *_unlogged(seen),
        *_allowances(seen),
    ]
    unique = {(f.kind, f.subject, f.message): f for f in found}
    ordered = sorted(unique.values(), key=lambda f: (-_RANK.index(f.severity), f.subject, f.kind, f.message))
    counted = [coverage(name, [t for t in everything if t.target == name]) for name in sorted(seen.targets)]
    return Drift(seen.stack.identity, seen.at, tuple(ordered), tuple(counted), seen.failures)


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
        yield Finding(Kind.FAILED, severity, w.identity, message, "mend that; the next run tries again")
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


def _standing(seen: Seen, thing: Thing) -> Iterator[Finding]:
    """Report what exists and is nobody's, or another stack's: those beside this one are known, and others are not."""
    if not thing.machine:
        return
    subject = f"{thing.target}: {thing.id}"
    if thing.standing is Standing.UNMANAGED:
        message = f"{_described(thing)} is not declared"
        yield Finding(Kind.UNMANAGED, Severity.WARNING, subject, message, advice(seen, thing))
    elif thing.standing is Standing.ELSEWHERE:
        stack = stack_of(thing.identity or "")
        message = (
            f"{_described(thing)} {'carries the mark of' if thing.key is None else 'is named as'} {thing.identity}"
        )
        if stack in seen.stack.beside:
            yield Finding(Kind.ELSEWHERE, Severity.NOTE, subject, message, "nothing to do while that stack is run")
        else:
            message += f", and this stack knows no stack {stack} beside it"
            mend = "anybody can write a mark: find out who did"
            if IDENTITY.fullmatch(stack):
                mend = f'if that is a stack of yours, write Stack(beside=["{stack}"]); {mend}'
            yield Finding(Kind.ELSEWHERE, Severity.WARNING, subject, message, mend)


def _described(thing: Thing) -> str:
    item, key = thing.object, thing.key
    if key is not None:
        name = f" {key.name!r}" if key.name else ""
        whose = f"key {key.id}{name} of {item.named}"
        return whose if key.enabled else f"{whose} (disabled)"
    what = f"login {item.named}" if item.interactive else item.named
    if item.built_in:
        what = f"built-in client, which was given a service account, {item.client_id!r}"
    return what if item.enabled else f"{what} (disabled)"


def _extra_secrets(seen: Seen, everything: Iterable[Thing]) -> Iterator[Finding]:
    """Report secrets on our clients that no generation accounts for, and none that is being made may come to."""
    for thing in everything:
        item = seen.credentials.get(thing.identity or "")
        ledger = item.ledger if item is not None else None
        if thing.key is not None or ledger is None or _at_work(ledger, seen.at) or not thing.object.enabled:
            continue
        record = next((o for o in ledger.objects if o.remote_id == thing.object.remote_id), None)
        if record is None or record.deleted or not ledger.generations:
            continue
        where = f"{thing.object.named} at target {thing.target}"
        for secret in _unaccounted(ledger, record, thing.object, seen.at):
            forged = next((g for g in ledger.generations if secret.slot == "key" and g.id == secret.id), None)
            if forged is None:
                message = f"{where} has a secret that is not ours: {_secret_words(secret)}"
                mend = "find out who uses it, then end it at the target"
                yield Finding(Kind.EXTRA_SECRET, Severity.WARNING, ledger.identity, message, mend)
            elif forged.state is not State.CURRENT:  # of the current one findings_now tells
                message = f"{where} has another key under the kid of generation {forged.number}, {secret.id}"
                mend = "no honest key has that kid: find out who wrote it, then end it at the target"
                yield Finding(Kind.EXTRA_SECRET, Severity.ERROR, ledger.identity, message, mend)


def _kept(seen: Seen, everything: Iterable[Thing]) -> Iterator[Finding]:
    """Report what is wrong with clients that were taken over, where their declarations leave them as they were."""
    waivers = dict(zip(seen.stack.specs, (declared.waivers for declared in seen.stack.credentials), strict=True))
    catalogues = {name: {scope.name: scope for scope in sight.scopes} for name, sight in seen.targets.items()}
    for thing in everything:
        item = seen.credentials.get(thing.identity or "")
        spec = item.spec if item is not None else None
        if spec is None or spec.adopt is None or thing.key is not None or thing.target != spec.target:
            continue
        can = capabilities_of(seen.stack.targets[spec.target], spec.kind)
        found = judge_kept(thing, spec, can, seen.at, catalogues[thing.target])
        yield from counted(found, seen.stack, waivers[spec.identity], seen.at.date())


def _unaccounted(
    ledger: Ledger, record: ObjectRecord, found: ObservedObject, now: datetime
) -> Iterator[ObservedSecret]:
    """Yield what is on a client beside the secrets of its generations, where the target shows enough to tell."""
    generations = [g for g in ledger.generations if g.object == record.key]
    suspects = {s for g in generations for s in g.suspects}
    for secret in found.secrets:
        tells = secret.fingerprint is not None or (secret.slot == "key" and any(g.id for g in generations))
        known = secret.id in suspects or any(_is(g, secret) for g in generations)
        if tells and not expired(secret, now) and not known and not _may_be_made(ledger, record, secret):
            yield secret


def _at_work(ledger: Ledger, now: datetime) -> bool:
    """Say whether a run may be making a generation just now: what a list shows may be newer than the ledger read."""
    return ledger.unfinished is not None and ledger.lease is not None and ledger.lease.until > now


def _may_be_made(ledger: Ledger, record: ObjectRecord, secret: ObservedSecret) -> bool:
    """Say whether a secret may be what an unfinished generation made, whose run died before it could record it.

    Once it is issued it is known by its id or value. Before, nothing but its own client is touched, and a value that we
    choose is recorded before the first call; what was there already is not of it, nor is another value. In a slot the
    target's own value may stand between two calls: while the method is changed, or once the slots were shifted.
    """
    making, current = ledger.unfinished, ledger.current
    if making is None or making.object != record.key or making.state is not State.INTENT:
        return False
    if not making.strategy.by_server and making.fingerprint is None:
        return False
    if secret.slot == "key":
        if making.strategy.public_keys and secret.id != making.id:
            return False
        another = making.fingerprint is not None and secret.fingerprint is not None
        return not another and secret.id not in making.baseline
    switching = current is not None and current.object == record.key and current.method != making.method
    return switching or making.regen_at is not None


def _is(generation: Generation, secret: ObservedSecret) -> bool:
    """Say whether a secret is that of a generation: by its value where both are known, for an id can be taken over."""
    if secret.fingerprint is not None and generation.fingerprint is not None:
        return secret.fingerprint == generation.fingerprint
    return secret.slot == "key" and secret.id == generation.id


def _secret_words(secret: ObservedSecret) -> str:
    made = f", made on {secret.created_at:%Y-%m-%d}" if secret.created_at is not None else ""
    used = f", last used on {secret.last_used:%Y-%m-%d}" if secret.last_used is not None else ""
    return f"{secret.name or secret.id}{made}{used}"


def _scopes(seen: Seen) -> Iterator[Finding]:
    """Report scopes of the catalogues that are not declared: ours by their mark, and nobody's."""
    with_servers = {server.target for server in seen.stack.server_specs.values()}
    for target, sight in seen.targets.items():
        for scope in sight.scopes if target in with_servers else ():
            other = scope.mark is not None and not in_stack(seen.stack.identity, scope.mark.identity)
            declared = (target, scope.name) in seen.declared_scopes
            if scope.built_in or other or declared or seen.allowed(target, (scope.name, scope.remote_id)):
                continue
            whose = "carries our mark and is not declared" if scope.mark is not None else "is not declared"
            subject, mend = (
                f"{target}: {scope.name}",
                "declare it with its ResourceServer, allow it, or delete it there",
            )
            message = f"scope {scope.name!r} {whose}"
            yield Finding(Kind.UNDECLARED_SCOPE, Severity.WARNING, subject, message, mend)


def _strays(seen: Seen) -> Iterator[Finding]:
    for key, held in sorted(seen.strays.items()):
        identity = held.identity or ""
        known = seen.credentials.get(identity)
        if not in_stack(seen.stack.identity, identity) or (
            known is not None and known.ledger is not None and _has(known.ledger, key)
        ):
            continue
        if known is not None and known.spec is not None:
            message = f"{key} holds a document of it, and is no place that it is delivered to"
            mend = "find out who reads it, then delete it; keysteward reissue gives the credential another secret"
            yield Finding(Kind.SHARED_SECRET, Severity.ERROR, identity, message, mend)
        else:
            message = f"{key} holds a document of {identity}, which nothing declares"
            mend = "see what reads it; delete it, or declare it again and run keysteward rebuild"
            yield Finding(Kind.STRAY_DELIVERY, Severity.WARNING, key, message, mend)


def _has(ledger: Ledger, key: str) -> bool:
    return ledger.closed is None and key in {place.key for place in ledger.places}


def _shared(seen: Seen, everything: Iterable[Thing]) -> Iterator[Finding]:
    """Report one secret value on two objects, or in the documents of two credentials."""
    where: dict[str, dict[str, str]] = {}
    for thing in everything:
        secrets = (thing.key,) if thing.key is not None else thing.object.secrets
        words = f"key {thing.id} of {thing.object.named}" if thing.key is not None else thing.object.named
        for secret in secrets:
            if secret.fingerprint is not None:
                owner = thing.identity or f"{thing.target}: {thing.id}"
                where.setdefault(secret.fingerprint, {})[f"{words} at target {thing.target}"] = owner
    for key, held in seen.delivered.items():
        for entry in (held.current, held.previous):
            if entry is None or held.identity is None or entry.fingerprint == OVERWRITTEN:
                continue
            known = where.setdefault(entry.fingerprint, {})
            if held.identity not in known.values():
                known[f"the document of {held.identity} in {key}"] = held.identity
    for places in where.values():
        if len(places) > 1:
            ours = (owner for owner in places.values() if owner in seen.credentials)
            subject = min(ours, default=min(places.values()))
            message = f"one secret is in {len(places)} places: {', '.join(sorted(places))}"
            mend = "give each a secret of its own: keysteward reissue NAME --reason TEXT, or the target's console"
            yield Finding(Kind.SHARED_SECRET, Severity.ERROR, subject, message, mend)


def _silent(seen: Seen) -> Iterator[Finding]:
    """Report that no run came by for longer than the stack's heartbeat."""
    longest = parse_duration(seen.stack.heartbeat)
    if not any(item.ledger is not None for item in seen.credentials.values()):
        return
    mend = "see why the scheduled job does not run; keysteward rotate --due --yes does its work"
    at = last_beat(seen.heartbeat)
    if at is None or seen.at - at > longest or at > seen.at + TOLERATED_SKEW:
        when = "no run has left a heartbeat" if at is None else f"the last run was on {at:%Y-%m-%d %H:%M} UTC"
        if seen.heartbeat is not None and at is None:
            when = "the heartbeat cannot be read"
        elif at is not None and at > seen.at:
            when = f"the heartbeat is of {at:%Y-%m-%d %H:%M} UTC, which is yet to come"
        message = f"{when}; one is expected every {show_duration(longest)}"
        yield Finding(Kind.NO_RUN, Severity.WARNING, seen.stack.identity, message, mend)


def _unlogged(seen: Seen) -> Iterator[Finding]:
    """Report entries that wait for the audit log longer than a run takes."""
    ledgers: list[Ledger | ServerLedger] = list(seen.servers.values())
    ledgers += (item.ledger for item in seen.credentials.values() if item.ledger is not None)
    since = oldest_late(ledgers, seen.at)
    if since is not None:
        waiting = sum(len(ledger.outbox) for ledger in ledgers)
        yield Finding(Kind.UNLOGGED, Severity.WARNING, seen.stack.identity, late_words(waiting, since), HOW_TO_MOVE)


def _allowances(seen: Seen) -> Iterator[Finding]:
    for entry in seen.stack.allowed:
        if seen.at.date() >= entry.until:
            message = f"the allowance for {', '.join(entry.names)} ended on {entry.until} ({entry.reason})"
            mend = f"{entry.owner}: end what it names, declare it, or have the entry approved with a new day"
            yield Finding(Kind.ALLOWANCE_OVER, Severity.WARNING, subject_of(entry), message, mend)
