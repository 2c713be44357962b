"""What becomes of one credential between two sides of a pull request. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from keysteward.core.declare.delivery import Place
from keysteward.core.declare.schedule import show_duration
from keysteward.core.declare.spec import DECOMMISSION_GRACE, Spec
from keysteward.core.policy.broad_scopes import sweeping
from keysteward.core.review.form import Declared, WaiverForm
from keysteward.core.review.found import Noted, changed, listed, longer_or_shorter, more_or_less, shown, switched
from keysteward.core.review.sorts import Sort

EXCEPTION, TRANSITIONAL, BOOTSTRAP = "permanent exception", "transitional", "bootstrap"


def added(after: Declared) -> Iterator[Noted]:
    """Yield what a credential brings that was not there before."""
    spec = after.spec
    scopes = spec.scopes | spec.optional_scopes
    opens = f"it may use {listed(scopes) if scopes else 'no scope'} at {spec.target}"
    goes = f"is delivered to {listed(spec.delivery)} for {spec.consumer or 'nobody that is named'}"
    ends = f" until {shown(spec.expires)}" if spec.expires is not None else ""
    yield Noted(Sort.ADDED, f"{spec.kind} added{ends}: {opens}, and {goes}")
    yield from _sweeping(frozenset(), after)
    yield from _standing(None, after)
    yield from _waivers((), after.waivers)
    if spec.adopt is not None:
        yield from _adopts(None, spec)
    for place in spec.places:
        yield from _takes_over(None, place)
    yield from _handling(None, spec)
    yield from former_names((), spec.previously)


def removed(before: Declared, now: datetime) -> Iterator[Noted]:
    """Yield what the end of a declaration means."""
    spec = before.spec
    who = spec.consumer or "its consumer"
    if spec.decommission is not None and now >= spec.decommission + DECOMMISSION_GRACE:
        yield Noted(
            Sort.ENDS_ON_TIME,
            f"removed: it was decommissioned on {shown(spec.decommission)}, and the next run deletes it",
        )
    elif spec.about.adopted and spec.decommission is None:
        yield Noted(
            Sort.RELEASED,
            f"removed: it was taken over, so that it is released at {spec.target}: the mark goes, nothing is deleted, "
            "and nobody rotates or watches it any more",
        )
    else:
        first = "removing it before its decommissioning is over" if spec.decommission else "without decommission="
        yield Noted(
            Sort.ENDS,
            f"removed {first}: the next pulumi up, or keysteward up --prune, ends it at {spec.target}, and {who} stops "
            f"working at once; declare decommission= with a date first, and remove it {DECOMMISSION_GRACE.days} days "
            "after that",
        )


def changes(before: Declared, after: Declared, now: datetime) -> Iterator[Noted]:
    """Yield how a credential differs from what it was."""
    old, new = before.spec, after.spec
    if old.name != new.name:
        yield Noted(Sort.RENAMED, f"renamed from {old.name}: its secrets and its ledger move with it")
    yield from former_names({*old.previously, old.name} - {new.name}, new.previously)
    if old.kind != new.kind:
        yield Noted(Sort.KIND_CHANGED, f"it is of kind {new.kind} (was {old.kind}){_beside(new, now)}")
    yield from _scopes(before, after, now)
    yield from _tokens(old, new)
    yield from _rotation(old, new)
    yield from _ends(old, new)
    yield from _standing(before, after)
    yield from _method(old, new, now)
    yield from _safeguards(old, new)
    yield from _handling(old, new)
    yield from _adopts(old, new)
    yield from _moved(old, new, now)
    yield from _delivery(old.places, new.places)
    yield from _people(old, new)
    yield from _waivers(before.waivers, after.waivers)


def former_names(before: Iterable[str], after: Iterable[str]) -> Iterator[Noted]:
    """Yield what becomes of the names under which there may be a ledger. Both sides know the name before a rename."""
    words = (": what was issued under it, with its ledger, is taken for this one's", "")
    yield from more_or_less(Sort.FORMER_MORE, "previously", before, after, words)


def _until(spec: Spec, now: datetime) -> datetime:
    """Return until when the present secret stays valid when a run applies a change now."""
    return now + (timedelta() if spec.narrow_now else spec.overlap)


def _beside(spec: Spec, now: datetime) -> str:
    if not spec.overlap:
        return "; the present secret ends with the change"
    day, overlap = shown(now + spec.overlap), show_duration(spec.overlap)
    return f"; the present secret stays valid for the overlap of {overlap}: until {day} if a run applies it today"


def _sweeping(before: frozenset[str], after: Declared) -> Iterator[Noted]:
    spec = after.spec
    asked = sorted((spec.scopes | spec.optional_scopes) - before)
    wide = [scope for scope in asked if sweeping(scope, spec.audiences, after.broad_scopes)]
    if wide:
        yield Noted(Sort.SWEEPING, f"access: {listed(wide)} is a wildcard or an administrator's")


def _scopes(before: Declared, after: Declared, now: datetime) -> Iterator[Noted]:
    old, new = before.spec, after.spec
    yield from _sweeping(old.scopes | old.optional_scopes, after)
    sets = (
        (Sort.SCOPES_MORE, "access", "scopes", old.scopes, new.scopes),
        (Sort.OPTIONAL_MORE, "optional_access", "scopes", old.optional_scopes, new.optional_scopes),
        (Sort.AUDIENCE_MORE, "audience", "audiences", old.audiences, new.audiences),
    )
    for widens, what, fact, was, becomes in sets:
        for found in more_or_less(widens, what, was, becomes):
            narrower = found.sort is not widens
            yield _lasting(found, after, now, fact) if narrower else found
    yield from changed(Sort.GRANTS, "grants", tuple(sorted(old.grants)), tuple(sorted(new.grants)))


def _lasting(found: Noted, after: Declared, now: datetime, fact: str) -> Noted:
    """Say until when something narrower leaves the wider secret or token valid."""
    spec = after.spec
    if fact not in after.immutable:
        life = f" ({show_duration(timedelta(seconds=spec.token_lifetime))})" if spec.token_lifetime else ""
        words = f"; from the next run on, and tokens issued before stay valid for their lifetime{life}"
        return replace(found, message=found.message + ("" if spec.key else words))
    day = _until(spec, now)
    if spec.narrow_now or not spec.overlap:
        words = "; the wider key ends with the run that applies it, without overlap"
    else:
        words = (
            f"; {spec.target} cannot change a living key, so the wider one stays valid until its successor's overlap "
            f"of {show_duration(spec.overlap)} is over: {shown(day)} if a run applies it today (narrow_now=True ends "
            "it at once)"
        )
    return replace(found, message=found.message + words, until=day.date())


def _tokens(old: Spec, new: Spec) -> Iterator[Noted]:
    lives = [None if s.token_lifetime is None else timedelta(seconds=s.token_lifetime) for s in (old, new)]
    yield from longer_or_shorter(Sort.TOKENS_LONGER, "token_lifetime", *lives, endless="what the target gives")


def _rotation(old: Spec, new: Spec) -> Iterator[Noted]:
    yield from longer_or_shorter(Sort.INTERVAL_LONGER, "rotation.every", old.every, new.every)
    if old.overlap and not new.overlap:
        yield Noted(Sort.OVERLAP_NONE, f"rotation.overlap: 0s (was {shown(old.overlap)})")
    else:
        yield from longer_or_shorter(Sort.OVERLAP_LONGER, "rotation.overlap", old.overlap, new.overlap)
    waits = [s.unused_for if s.unused_for is not None else timedelta() for s in (old, new)]
    yield from longer_or_shorter(Sort.OLD_SECRET_LONGER, "rotation.retire_when_unused_for", *waits)
    yield from longer_or_shorter(Sort.OLD_SECRET_LONGER, "rotation.report_after", old.report_after, new.report_after)
    yield from changed(Sort.WINDOWS_CHANGED, "rotation.windows", old.windows, new.windows)


def _ends(old: Spec, new: Spec) -> Iterator[Noted]:
    yield from longer_or_shorter(Sort.EXPIRES_LATER, "expires", old.expires, new.expires, endless="never")
    words = ("", ": on that day it is suspended, and no new secret is issued any more")
    yield from longer_or_shorter(
        Sort.DECOMMISSION_LATER, "decommission", old.decommission, new.decommission, endless="never", words=words
    )


def _standing(before: Declared | None, after: Declared) -> Iterator[Noted]:
    """Yield what becomes of the reason why a standing key is there at all."""
    old, new = before.spec if before else None, after.spec
    if old is None or old.classification != new.classification:
        was = f" (was {old.classification or 'not classified'})" if old is not None else ""
        if new.classification == EXCEPTION:
            by = f"accepted by {after.accepted_by}, to be reviewed by {shown(new.renewed_until)}"
            words = f"a permanent exception{was}, {by}: {after.reason}"
            yield Noted(Sort.EXCEPTION, f"classification: {words}")
        elif new.classification == BOOTSTRAP:
            yield Noted(Sort.BOOTSTRAP, f"classification: bootstrap{was}, exchanged for {after.reason}")
        elif new.classification == TRANSITIONAL and old is not None:
            words = f"transitional{was}: {new.migrates_to} takes over by {shown(new.renewed_until)}"
            yield Noted(Sort.MIGRATES, f"classification: {words}")
        elif old is not None:
            yield Noted(Sort.EXCEPTION, f"classification: none{was}, so that nothing says until when it is needed")
        return
    sort = Sort.EXCEPTION_LONGER if new.classification == EXCEPTION else Sort.TRANSITION_LONGER
    what = "classification.review_by" if new.classification == EXCEPTION else "classification.by"
    yield from longer_or_shorter(sort, what, old.renewed_until, new.renewed_until, endless="never")
    silences = [s.silent_for for s in (old, new)]
    yield from longer_or_shorter(Sort.OLD_SECRET_LONGER, "classification.retire_when_silent_for", *silences)
    yield from changed(Sort.MIGRATES, "classification.migrate_to", old.migrates_to, new.migrates_to)
    if before is not None:
        was, becomes = before.accepted_by, after.accepted_by
        yield from changed(Sort.EXCEPTION, "classification.risk_accepted_by", was, becomes)
    if before is not None and before.reason != after.reason:
        sort = Sort.EXCEPTION if new.classification == EXCEPTION else Sort.BOOTSTRAP
        yield Noted(sort, f"classification: the reason is another one: {after.reason} (was: {before.reason})")


def _method(old: Spec, new: Spec, now: datetime) -> Iterator[Noted]:
    if old.method == new.method or old.kind != new.kind:
        return
    sort = Sort.METHOD_STRONGER if new.method == "private_key_jwt" else Sort.METHOD_WEAKER
    yield Noted(sort, f"auth_method: {new.method} (was {old.method}){_beside(new, now)}", _until(new, now).date())


def _safeguards(old: Spec, new: Spec) -> Iterator[Noted]:
    was, becomes = ({f"{name}={value}" for name, value in s.safeguards.items()} for s in (old, new))
    yield from more_or_less(Sort.SAFEGUARD_MORE, f"safeguards of {new.target}", was, becomes)


def _handling(old: Spec | None, new: Spec) -> Iterator[Noted]:
    """Yield the switches that say what may be done to its secrets."""
    gap = ("accept_gap: each rotation leaves its consumer without a working secret for a while", "accept_gap: no more")
    yield from switched(Sort.ACCEPTS_GAP, old is not None and old.accept_gap, new.accept_gap, gap)
    words = "secrets that were there before may end without a sign that nobody uses them"
    retires = (f"retire_adopted: {words}", f"retire_adopted: no more (it was: {words})")
    was = old is not None and old.retire_adopted
    yield from switched(Sort.RETIRES_ADOPTED, was, new.retire_adopted, retires)
    if old is None:
        return
    later, at_once = "narrow_now: a wider key keeps its overlap again", "narrow_now: a wider key ends without overlap"
    yield from switched(Sort.NARROWS_LATER, not old.narrow_now, not new.narrow_now, (later, at_once))
    if old.strategy is not new.strategy and old.method == new.method and old.accept_gap == new.accept_gap:
        yield Noted(Sort.DELIVERY_CHANGED, f"secrets are replaced by {new.strategy.value} (was {old.strategy.value})")
    yield from changed(Sort.PROBE_CHANGED, "proven_by", old.proven_by, new.proven_by)


def _adopts(old: Spec | None, new: Spec) -> Iterator[Noted]:
    if old is not None and old.adopt is not None and new.adopt is None:
        words = "grants, safeguards, description, lifetime of tokens, and scopes of APIs that are not declared"
        sets = f": the next run sets what it found at {new.target} and left as it was to what is declared: {words}"
        yield Noted(Sort.ADOPTS, f"adopt: no more (was {old.adopt}){sets if new.kind == 'M2MClient' else ''}")
    if new.adopt is None or (old is not None and old.adopt == new.adopt):
        return
    words = f"adopt: it takes over {new.adopt} at {new.target}, with the secrets that are there"
    yield Noted(Sort.ADOPTS, words if new.kind != "ClientSecret" else words.replace("adopt", "client", 1))


def _moved(old: Spec, new: Spec, now: datetime) -> Iterator[Noted]:
    where = "holder" if new.kind == "ApiKey" else "client_id"
    named = (old.client_id_given or new.client_id_given or old.name == new.name) and old.kind == new.kind
    pairs = [("target", old.target, new.target)]
    pairs += [(where, old.client_id, new.client_id)] if named else []
    for what, was, becomes in pairs:
        for found in changed(Sort.MOVED, what, was, becomes, _beside(new, now)):
            yield replace(found, until=_until(new, now).date())
    yield from changed(Sort.ENVIRONMENT_CHANGED, "environment", old.environment, new.environment)


def _delivery(before: Iterable[Place], after: Iterable[Place]) -> Iterator[Noted]:
    old, new = ({place.key: place for place in places} for places in (before, after))
    words = (": who can read there has its secret", ": emptied once the overlap is over; who reads there loses it")
    yield from more_or_less(Sort.DELIVERED_MORE, "deliver_to", old, new, words)
    for key in sorted(new):
        was, place = old.get(key), new[key]
        yield from _takes_over(was, place)
        if was is None:
            continue
        for what in ("fields", "webhook", "webhook_key"):
            pair = (_named(getattr(was, what)), _named(getattr(place, what)))
            yield from changed(Sort.DELIVERY_CHANGED, f"deliver_to: {what} of {key}", *pair)


def _named(value: object) -> object:
    return tuple(f"{a}={b}" for a, b in value) if isinstance(value, tuple) else value


def _takes_over(was: Place | None, place: Place) -> Iterator[Noted]:
    words = tuple(f"deliver_to: what somebody else wrote at {place.key} may {n}be taken over" for n in ("", "not "))
    yield from switched(Sort.TAKES_OVER, was is not None and was.take_over, place.take_over, (words[0], words[1]))


def _people(old: Spec, new: Spec) -> Iterator[Noted]:
    for found in changed(Sort.OWNER_CHANGED, "owner", old.owner, new.owner, ": both have to agree"):
        yield replace(found, people=(old.owner, new.owner))
    yield from changed(Sort.CONSUMER_CHANGED, "consumer", old.consumer, new.consumer)
    yield from changed(Sort.PURPOSE_CHANGED, "purpose", old.purpose, new.purpose)
    yield from changed(Sort.RUNBOOK_CHANGED, "runbook", old.runbook, new.runbook)
    yield from changed(Sort.REVIEWED, "reviewed", old.reviewed, new.reviewed)


def _waivers(before: Iterable[WaiverForm], after: Iterable[WaiverForm]) -> Iterator[Noted]:
    """Yield what becomes of the waivers of each rule: only the longest one of a rule counts."""
    old, new = ({w.rule: w for w in sorted(given, key=lambda w: w.until)} for given in (before, after))
    for rule in sorted({*old, *new}):
        was, becomes = old.get(rule), new.get(rule)
        if was == becomes:
            continue
        if becomes is None:
            yield Noted(Sort.WAIVER_LESS, f"the waiver of {rule} is gone: it counts again", rule=rule)
            continue
        words = f"until {becomes.until}, approved by {becomes.approved_by}: {becomes.reason}"
        if was is None:
            yield Noted(Sort.WAIVER, f"{rule} is waived {words}", becomes.until, rule=rule)
        elif becomes.until < was.until:
            yield Noted(Sort.WAIVER_LESS, f"{rule} is waived {words} (was {was.until})", becomes.until, rule=rule)
        else:
            said = f"(was until {was.until}, by {was.approved_by}: {was.reason})"
            yield Noted(Sort.WAIVER_LONGER, f"{rule} is waived {words} {said}", becomes.until, rule=rule)
