"""Drift: what differs between what is declared and what is there, at all targets and stores of a stack. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from keysteward.core.contract.observed import OVERWRITTEN, TOLERATED_SKEW, ObservedObject, ObservedSecret
from keysteward.core.declare.schedule import parse_duration, show_duration
from keysteward.core.declare.spec import capabilities_of
from keysteward.core.declare.stack import IDENTITY
from keysteward.core.drift.importing import advice
from keysteward.core.drift.inventory import Coverage, Standing
from keysteward.core.drift.survey import Seen, Thing, coverage
from keysteward.core.drift.unmanaged import judge_kept
from keysteward.core.findings import Finding, Kind, Severity
from keysteward.core.identity import in_stack, stack_of
from keysteward.core.observe.keys import expired
from keysteward.core.policy import counted, outranked
from keysteward.core.policy.waivers import subject_of
from keysteward.core.record.heartbeat import last_beat
from keysteward.core.record.ledger import Generation, Ledger, ObjectRecord, State
from keysteward.core.record.server_ledger import ServerLedger
from keysteward.core.run.outbox import HOW_TO_MOVE, late_words, oldest_late

_RANK = (Severity.NOTE, Severity.WARNING, Severity.ERROR)


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
