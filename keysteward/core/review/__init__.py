"""Review: what a pull request changes for credentials, by risk, with the rule it touches and who approves it. Pure.

Both sides come as forms, judged with the same `now`; nothing is loaded, called or decided here that a run would do.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from keysteward.core.declare.limits import rules_for
from keysteward.core.declare.owners import UNASSIGNED, Owners
from keysteward.core.declare.spec import Spec
from keysteward.core.declare.stack import HEARTBEAT, Limit
from keysteward.core.findings import Finding
from keysteward.core.review import credentials, people, surroundings
from keysteward.core.review.files import ChangedFile, files
from keysteward.core.review.form import Form
from keysteward.core.review.found import Noted, listed, shown
from keysteward.core.review.pairs import Pair, paired, twice
from keysteward.core.review.sorts import OPPOSITES, WEIGHTS, Risk, Sort

__all__ = ["OPPOSITES", "SECURITY", "WEIGHTS", "Change", "ChangedFile", "Form", "Review", "Risk", "Sort", "review"]

SECURITY = "security"
"""Who approves beside owners where the owners file names nobody."""

_RISKS = list(Risk)
_SORTS = list(Sort)


@dataclass(frozen=True, slots=True)
class Change:
    """One line of a review.

    `subject` is an identity, an owner, a consumer, a target or a stack; `approvers` are names of the owners file, all
    of whom have to agree; `until` is the day until which what was wider, or what is waived or left alone, stays so.
    """

    sort: Sort
    risk: Risk
    subject: str
    message: str
    rule: str = ""
    approvers: tuple[str, ...] = ()
    until: date | None = None

    @property
    def order(self) -> tuple[int, str, int, str, str]:
        """Return what it is sorted by: the risk first; no two different changes are equal."""
        return _RISKS.index(self.risk), self.subject, _SORTS.index(self.sort), self.message, repr(self)


@dataclass(frozen=True, slots=True)
class Review:
    """What a pull request changes, the highest risk first, and what the rules say of it that they did not say before.

    `names` are the identities of declarations that differ, those that are gone included.
    """

    changes: tuple[Change, ...] = ()
    new: tuple[Finding, ...] = ()
    gone: tuple[Finding, ...] = ()
    names: frozenset[str] = frozenset()

    def count(self, risk: Risk) -> int:
        """Return how many changes have a risk."""
        return sum(change.risk is risk for change in self.changes)

    def reaches(self, risk: Risk) -> bool:
        """Say whether a change is of that risk or a higher one."""
        return any(_RISKS.index(change.risk) <= _RISKS.index(risk) for change in self.changes)


def review(
    base: Mapping[str, Form], head: Mapping[str, Form], now: datetime, changed: Iterable[ChangedFile] = ()
) -> Review:
    """Compare the stacks of two sides, by the names of their modules, and the files that are not declarations alone."""
    pairs = paired(base, head)
    known = _each((base or head).values())
    approval = _Approval(known, Owners(), now)
    changes = [change for pair in pairs for change in _stack(pair, known, now)]
    changes += [_change(identity, found, approval) for identity, found in twice(base, head)]
    changes += _people(pairs, list(base.values()), now)
    changes += [_change("files", found, approval) for found in files(changed)]
    new, gone = _findings(base.values(), head.values(), pairs)
    identities = {i for form in (*base.values(), *head.values()) for i in _identities(form)}
    return Review(
        changes=tuple(sorted(dict.fromkeys(changes), key=lambda change: change.order)),
        new=new,
        gone=gone,
        names=frozenset(change.subject for change in changes if change.subject in identities),
    )


def _identities(form: Form) -> Iterator[str]:
    yield from (f"{form.identity}/{name}" for name in (*form.credentials, *form.servers, *form.governed))


def _each(forms: Iterable[Form]) -> list[Owners]:
    """Return the owners of stacks, each once."""
    found: list[Owners] = []
    for form in forms:
        if form.owners not in found:
            found.append(form.owners)
    return found


@dataclass(frozen=True, slots=True)
class _Approval:
    """Who approves: by the owners files of the base, so that nobody makes himself the one to be asked."""

    base: Sequence[Owners]
    head: Owners
    now: datetime

    def names(self, owners: Iterable[str], *, security: bool) -> tuple[str, ...]:
        """Return the names to be asked, each once: owners first, a deputy for one who is gone, then security."""
        asked = [name for owner in owners for name in self._answering(owner)]
        if security or not asked:
            asked += [known.security for known in self.base if known.security] or [self.head.security or SECURITY]
        return tuple(dict.fromkeys(asked))

    def _answering(self, owner: str) -> Iterator[str]:
        for known in (*self.base, self.head):
            found = known.find(owner)
            if found is not None:
                answers = known.deputy_of(owner, self.now.date())
                if answers is not None:
                    yield answers
                return
        if owner != UNASSIGNED:
            yield owner


def _stack(pair: Pair, known: Sequence[Owners], now: datetime) -> Iterator[Change]:
    before, after, either = pair.before, pair.after, pair.either
    old, new = before or _nothing(either), after or _nothing(either)
    approval = _Approval(known if before is None else [old.owners], new.owners, now)
    if before is None:
        yield _change(either.identity, Noted(Sort.STACK_ADDED, "a stack that was not there"), approval)
    elif after is None:
        words = f"the stack is gone: what it issued for {len(old.credentials)} credentials goes on working, unwatched"
        owners = sorted({declared.spec.owner for declared in old.credentials.values()})
        yield _change(either.identity, Noted(Sort.STACK_REMOVED, words), approval, owners=owners)
    elif pair.was != pair.name:
        words = f"its module is {pair.name} (was {pair.was}): a job that names the old one does not find it"
        yield _change(either.identity, Noted(Sort.STACK_RENAMED, words), approval)
    if after is not None:
        yield from _credentials(old, new, approval)
    sets = {**surroundings.subjects(old), **surroundings.subjects(new)}
    for subject, found in surroundings.surroundings(old, new, now) if after is not None else ():
        yield _change(subject, found, approval, owners=_owners_of_server(subject, old, new) or [sets.get(subject)])


def _nothing(form: Form) -> Form:
    """Return the same stack as it would be with nothing in it."""
    limit = Limit()
    return Form(
        form.identity,
        form.owners,
        form.owners_file,
        limit_count=limit.count,
        limit_share=limit.share,
        heartbeat=HEARTBEAT,
    )


def _owners_of_server(subject: str, old: Form, new: Form) -> list[str]:
    """Return the owners of what uses an API: whom a change of it concerns."""
    name = subject.removeprefix(f"{new.identity}/")
    audiences = {form.servers[name].audience for form in (old, new) if name in form.servers}
    using = (d.spec for form in (old, new) for d in form.credentials.values() if audiences & {*d.spec.audiences})
    return sorted({spec.owner for spec in using})


def _credentials(old: Form, new: Form, approval: _Approval) -> Iterator[Change]:
    now = approval.now
    moved = _renamed(old, new)
    for name in sorted({*old.credentials, *new.credentials} - set(moved.values())):
        before, after = old.credentials.get(moved.get(name, name)), new.credentials.get(name)
        if after is None and before is not None:
            found, spec = credentials.removed(before, now), before.spec
        elif before is None and after is not None:
            found, spec = credentials.added(after), after.spec
        elif before is not None and after is not None:
            found, spec = credentials.changes(before, after, now), after.spec
        else:
            continue
        owner = before.spec.owner if before is not None else spec.owner
        for one in found:
            yield _change(f"{new.identity}/{name}", one, approval, spec, [owner])


def _renamed(old: Form, new: Form) -> dict[str, str]:
    """Return the old names of what is declared under a new one."""
    return {
        name: was
        for name, declared in new.credentials.items()
        for was in declared.spec.previously
        if was in old.credentials and was not in new.credentials and name not in old.credentials
    }


def _change(
    subject: str, found: Noted, approval: _Approval, spec: Spec | None = None, owners: Iterable[str | None] = ()
) -> Change:
    weight, key = WEIGHTS[found.sort], spec is not None and spec.key
    security = weight.security or (spec is not None and rules_for(spec).security_approves)
    asked = [name for name in (*owners, *found.people) if name]
    return Change(
        sort=found.sort,
        risk=weight.risk(key=key),
        subject=subject,
        message=found.message,
        rule=found.rule or weight.touches(key=key),
        approvers=approval.names(asked, security=security),
        until=found.until,
    )


def _people(pairs: Iterable[Pair], base: Sequence[Form], now: datetime) -> Iterator[Change]:
    """Yield the changes of each owners file once, however many stacks have it."""
    groups: dict[tuple[str, str], list[tuple[Form, Form]]] = {}
    for pair in pairs:
        after = pair.after
        if after is None:
            continue
        before = pair.before or next((form for form in base if _owners_file(form) == _owners_file(after)), None)
        if before is not None:
            groups.setdefault((_owners_file(before), _owners_file(after)), []).append((before, after))
        elif base:
            known = _each(base)
            was = listed(owners.security for owners in known if owners.security)
            words = (
                f"a new stack has owners of its own; in these security is {shown(after.owners.security)} (was {was})"
            )
            yield _change(_owners_file(after), Noted(Sort.APPROVER_CHANGED, words), _Approval(known, after.owners, now))
    for group in groups.values():
        yield from _of_file(group, now)


def _owners_file(form: Form) -> str:
    """Return where a stack's owners stand: in a file, or in the stack itself."""
    return form.owners_file or form.identity


def _of_file(group: Sequence[tuple[Form, Form]], now: datetime) -> Iterator[Change]:
    before, after = group[0]
    owned: dict[str, list[str]] = {}
    used: dict[str, list[str]] = {}
    answering: dict[str, set[str]] = {}
    for form in (after for _, after in group):
        for name, declared in form.credentials.items():
            owned.setdefault(declared.spec.owner, []).append(name)
            if declared.spec.consumer:
                used.setdefault(declared.spec.consumer, []).append(name)
                answering.setdefault(f"consumer {declared.spec.consumer}", set()).add(declared.spec.owner)
    touched = [{name: tuple(names) for name, names in by.items()} for by in (owned, used)]
    approval = _Approval([before.owners], after.owners, now)
    for subject, found in people.people(before.owners, after.owners, now.date(), *touched):
        owners = [subject.removeprefix("owner ")] if subject.startswith("owner ") else []
        owners += sorted(answering.get(subject, set()))
        yield _change(subject, found, approval, owners=owners)


def _findings(
    base: Iterable[Form], head: Iterable[Form], pairs: Iterable[Pair]
) -> tuple[tuple[Finding, ...], tuple[Finding, ...]]:
    """Return what the rules say of the head and not of the base, and what they do not say any more."""
    names = {
        f"{old.identity}/{was}": f"{new.identity}/{name}"
        for old, new in ((pair.before, pair.after) for pair in pairs)
        if old is not None and new is not None
        for name, was in _renamed(old, new).items()
    }
    before = dict.fromkeys(replace(f, subject=names.get(f.subject, f.subject)) for form in base for f in form.findings)
    after = dict.fromkeys(f for form in head for f in form.findings)
    return tuple(f for f in after if f not in before), tuple(f for f in before if f not in after)
