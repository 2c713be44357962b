"""What becomes of what is around the credentials of a stack: APIs, sets, allowances, ports, levels. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from keysteward.core.declare.spec import ServerSpec
from keysteward.core.policy import RULES
from keysteward.core.review.credentials import former_names
from keysteward.core.review.form import AllowedForm, Form, PortForm, SetForm
from keysteward.core.review.found import Noted, changed, listed, longer_or_shorter, more_or_less
from keysteward.core.review.sorts import OPPOSITES, Sort

LEVELS = ("off", "note", "warning", "error")

_ANSWERS = ": whoever answers there gets the credentials it refers to"

Pairs = Iterator[tuple[str, Noted]]
"""What it is about, and what was found."""


def surroundings(before: Form, after: Form, now: datetime) -> Pairs:
    """Yield what differs around the credentials, with what it is about."""
    yield from _servers(before, after)
    yield from _sets(before, after)
    yield from _left_alone(before, after, now)
    yield from _stack(before, after)
    yield from ((f"{after.identity}: {name}", found) for name, found in _ports(before, after))
    yield from ((f"{after.identity}: {name}", found) for name, found in _rules(before, after))


def _servers(before: Form, after: Form) -> Pairs:
    moved = {new.name: old for new in after.servers.values() for old in new.previously if old in before.servers}
    for name in sorted({*before.servers, *after.servers} - set(moved.values())):
        old, new = before.servers.get(moved.get(name, name)), after.servers.get(name)
        yield from ((f"{after.identity}/{name}", found) for found in _server(old, new))


def _server(old: ServerSpec | None, new: ServerSpec | None) -> Iterator[Noted]:
    if new is None and old is not None:
        words = f"API removed: its scopes {listed(old.scopes)} go from {old.target} once no client has them"
        yield Noted(Sort.SERVER_REMOVED, words)
    elif new is not None and old is None:
        adopts = ", which exists there and is taken over" if new.adopt else ""
        words = f"API added at {new.target} for {new.audience}{adopts}, with scopes {listed(new.scopes)}"
        yield Noted(Sort.SERVER_ADDED, words)
        yield from former_names((), new.previously)
    elif new is not None and old is not None:
        if old.name != new.name:
            yield Noted(Sort.RENAMED, f"renamed from {old.name}")
        yield from changed(Sort.SERVER_CHANGED, "target", old.target, new.target)
        yield from changed(Sort.SERVER_CHANGED, "audience", old.audience, new.audience)
        yield from more_or_less(Sort.SERVER_SCOPES_MORE, "scopes", old.scopes, new.scopes)
        if new.adopt is not old.adopt:
            words = "is taken over" if new.adopt else "is not taken over any more"
            yield Noted(Sort.ADOPTS, f"adopt: what exists at {new.target} {words}")
        yield from former_names({*old.previously, old.name} - {new.name}, new.previously)
        for scope in sorted({*old.scopes} & {*new.scopes}):
            what = f"description of {scope}"
            yield from changed(Sort.PURPOSE_CHANGED, what, old.scopes[scope], new.scopes[scope])


def _sets(before: Form, after: Form) -> Pairs:
    for name in sorted({*before.governed, *after.governed}):
        old, new = before.governed.get(name), after.governed.get(name)
        yield from ((f"{after.identity}/{name}", found) for found in _set(old, new))


def _set(old: SetForm | None, new: SetForm | None) -> Iterator[Noted]:
    if new is None and old is not None:
        yield Noted(
            Sort.SET_REMOVED, f"nobody counts or judges these keys at {old.target} any more", people=(old.owner,)
        )
    elif new is not None and old is None:
        yield Noted(Sort.SET_ADDED, f"keys that others make at {new.target} are counted and judged")
    elif new is not None and old is not None:
        yield from _set_changes(old, new)


def _set_changes(old: SetForm, new: SetForm) -> Iterator[Noted]:
    for what in ("target", "holders", "holder_kind", "keys"):
        yield from changed(Sort.SET_CHANGED, what, getattr(old, what), getattr(new, what))
    ceilings = [s.ceiling for s in (old, new)]
    if old.ceiling is not None and new.ceiling is not None:
        yield from more_or_less(Sort.CEILING_RAISED, "ceiling", old.ceiling, new.ceiling)
    elif ceilings[0] != ceilings[1]:
        yield Noted(
            Sort.CEILING_RAISED if new.ceiling is None else Sort.CEILING_LOWERED,
            f"ceiling: {'no limit' if new.ceiling is None else listed(new.ceiling)} "
            f"(was {'no limit' if old.ceiling is None else listed(old.ceiling)})",
        )
    yield from longer_or_shorter(Sort.CEILING_RAISED, "max_age", old.max_age, new.max_age, endless="no limit")
    yield from longer_or_shorter(Sort.CEILING_RAISED, "max_count", old.max_count, new.max_count, endless="no limit")
    if old.owner != new.owner:
        words = f"owner: {new.owner} (was {old.owner}): both have to agree"
        yield Noted(Sort.OWNER_CHANGED, words, people=(old.owner, new.owner))
    yield from changed(Sort.PURPOSE_CHANGED, "purpose", old.purpose, new.purpose)


def _left_alone(before: Form, after: Form, now: datetime) -> Pairs:
    """Yield what becomes of each name that is left alone; an entry that is over leaves nothing alone."""
    today = now.date()
    old, new = _entries(before), _entries(after)
    for key in sorted({*old, *new}):
        was, becomes = old.get(key), new.get(key)
        subject = f"{key[0]}: {key[1]}"
        if becomes is None and was is not None:
            yield subject, Noted(Sort.ALLOWED_LESS, f"it is not left alone any more (was until {was.until})")
        elif becomes is not None and was is None:
            yield subject, Noted(Sort.ALLOWED, f"it is left alone {_entry(becomes)}", becomes.until, (becomes.owner,))
        elif becomes is not None and was is not None and was != becomes:
            sort = Sort.ALLOWED if becomes.until >= was.until or was.until <= today else Sort.ALLOWED_LESS
            words = f"it is left alone {_entry(becomes)} (was {_entry(was)})"
            if (was.until, was.owner, was.reason) != (becomes.until, becomes.owner, becomes.reason):
                yield subject, Noted(sort, words, becomes.until, (was.owner, becomes.owner))


def _entries(form: Form) -> Mapping[tuple[str, str], AllowedForm]:
    """Return the entries by target and name; of several for one name, the one that leaves it alone for longest."""
    return {(a.target, name): a for a in sorted(form.allowed, key=lambda a: a.until) for name in a.names}


def _entry(allowed: AllowedForm) -> str:
    return f"until {allowed.until} for {allowed.owner}: {allowed.reason}"


def _stack(before: Form, after: Form) -> Pairs:
    found: list[Noted] = []
    if before.identity != after.identity:
        words = "; whatever the old one issued is neither rotated nor ended by the new one"
        found += changed(Sort.IDENTITY_CHANGED, "identity", before.identity, after.identity, words)
    found += changed(Sort.APPROVER_CHANGED, "owners file", before.owners_file, after.owners_file)
    found += longer_or_shorter(Sort.LIMIT_LOOSENED, "limit.count", before.limit_count, after.limit_count)
    shares = [round(form.limit_share * 100, 2) for form in (before, after)]
    found += longer_or_shorter(Sort.LIMIT_LOOSENED, "limit.share (%)", *shares)
    found += longer_or_shorter(Sort.HEARTBEAT_SLOWER, "heartbeat", before.heartbeat, after.heartbeat)
    more, less = sorted(after.beside - before.beside), sorted(before.beside - after.beside)
    found += [Noted(Sort.BESIDE_MORE, f"{s}: drift does not warn any more of what carries its mark") for s in more]
    found += [Noted(Sort.BESIDE_LESS, f"{s}: drift warns of what carries its mark") for s in less]
    more, less = sorted(after.watched - before.watched), sorted(before.watched - after.watched)
    found += [Noted(Sort.WATCHED_MORE, f"{t}: it is looked at, whatever is declared there") for t in more]
    found += [Noted(Sort.WATCHED_LESS, f"{t}: without a declaration there nobody looks at it any more") for t in less]
    yield from ((after.identity, one) for one in found)


def _ports(before: Form, after: Form) -> Pairs:
    """Yield what differs in targets and stores; those that are gone show by what used them."""
    for name in sorted(after.ports):
        old, new = before.ports.get(name), after.ports[name]
        if old is None:
            settings = listed(f"{setting}={value}" for setting, value in new.settings.items())
            yield name, Noted(Sort.PORT_ADDED, f"{new.kind} with {settings}{_ANSWERS}")
            continue
        yield from ((name, found) for found in changed(Sort.PORT_CHANGED, "its class", old.kind, new.kind))
        yield from ((name, found) for found in _settings(old, new))


def _settings(old: PortForm, new: PortForm) -> Iterator[Noted]:
    for setting in sorted({*old.settings, *new.settings}):
        pair = (old.settings.get(setting), new.settings.get(setting))
        yield from changed(Sort.PORT_CHANGED, setting, *pair, _ANSWERS)


def _rules(before: Form, after: Form) -> Pairs:
    for number in sorted({*before.levels, *after.levels}):
        pair = [form.levels.get(number) for form in (before, after)]
        kinds: dict[tuple[str, str], list[str]] = {}
        for kind, (was, becomes) in _by_kind(number, pair[0], pair[1]).items():
            kinds.setdefault((was, becomes), []).append(kind)
        for (was, becomes), of in kinds.items():
            if was != becomes:
                less = LEVELS.index(becomes) < LEVELS.index(was)
                sort = Sort.LEVEL_LOWERED if less else Sort.LEVEL_RAISED
                yield f"rule {number}", Noted(sort, f"{' and '.join(of)}: {becomes} (was {was})", rule=number)
    for name in sorted({*before.rules, *after.rules}):
        old, new = before.rules.get(name), after.rules.get(name)
        if old is None or new is None:
            sort = Sort.RULE_ADDED if old is None else OPPOSITES[Sort.RULE_ADDED]
            yield f"rule {name}", Noted(sort, "a rule of its own " + ("is added" if old is None else "is gone"))
        elif old != new or not new:
            words = (
                "something that it rests on was edited: its text, its arguments, its module, or one that this imports"
            )
            unreadable = "it cannot be read, so that it counts as changed"
            yield f"rule {name}", Noted(Sort.RULE_CHANGED, words if old and new else unreadable)


def _by_kind(number: str, before: str | None, after: str | None) -> Mapping[str, tuple[str, str]]:
    """Return what a rule counts as before and after, for each kind that it applies to."""
    rule = RULES.get(number)
    kinds = {"API keys": rule.key, "M2M clients": rule.client} if rule is not None else {}
    return {
        kind: (before or str(severity), after or str(severity))
        for kind, severity in kinds.items()
        if severity is not None
    }


def subjects(form: Form) -> Mapping[str, str]:
    """Return who owns what is no credential: governed sets by identity."""
    return {f"{form.identity}/{name}": governed.owner for name, governed in form.governed.items()}
