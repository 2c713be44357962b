"""What becomes of owners and consumers in a pull request, and which credentials that touches. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date

from keysteward.core.declare.owners import Consumer, Owner, Owners
from keysteward.core.review.found import Noted, changed
from keysteward.core.review.sorts import Sort

_SHOWN = 5

Named = Mapping[str, tuple[str, ...]]
"""Names of credentials by their owner, or by their consumer."""


def people(before: Owners, after: Owners, today: date, owned: Named, used: Named) -> Iterator[tuple[str, Noted]]:
    """Yield what differs in the owners file, with what it is about.

    `owned` and `used` are the credentials of the head: those that a change of their owner or consumer touches.
    """
    for name in sorted({*before.names, *after.names}):
        for found in _owner(name, before, after, today, _touched(owned.get(name, ()))):
            yield f"owner {name}", found
    for name in sorted({*before.consumers, *after.consumers}):
        old, new = before.consumers.get(name), after.consumers.get(name)
        for found in _consumer(old, new, today, _touched(used.get(name, ()))):
            yield f"consumer {name}", found
    if before.unassigned_until != after.unassigned_until:
        longer = _until(after) > _until(before)
        sort = Sort.UNASSIGNED_LONGER if longer else Sort.UNASSIGNED_SHORTER
        for found in changed(sort, "unassigned_until", before.unassigned_until, after.unassigned_until):
            yield "owners file", found
    for found in changed(Sort.APPROVER_CHANGED, "security", before.security, after.security):
        yield "owners file", found


def _until(owners: Owners) -> date:
    """Return until when a credential may have no owner; without a day it may not at all."""
    return owners.unassigned_until or date.min


def _touched(names: tuple[str, ...]) -> str:
    if not names:
        return "; no credential is touched"
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"; it touches {', '.join(sorted(names)[:_SHOWN])}{more}"


def _owner(name: str, before: Owners, after: Owners, today: date, touched: str) -> Iterator[Noted]:
    old, new = before.find(name), after.find(name)
    if new is None:
        yield Noted(Sort.OWNER_DROPPED, f"is not listed any more{touched}")
    elif old is None:
        yield Noted(Sort.OWNER_LISTED, f"is listed, to be reached at {new.contact}{_approves(new)}")
        if new.gone(today) or new.leaves is not None:
            yield from _state(Owner(contact=new.contact), new, after, name, today, touched)
    else:
        yield from _state(old, new, after, name, today, touched)
        yield from changed(Sort.APPROVER_CHANGED, "forge", old.forge, new.forge, ": who approves there is another one")
        plain = Sort.OWNER_DETAILS if old.forge or new.forge else Sort.APPROVER_CHANGED
        yield from changed(plain, "contact", old.contact, new.contact)
        answers = Sort.APPROVER_CHANGED if old.gone(today) or new.gone(today) else Sort.OWNER_DETAILS
        yield from changed(answers, "deputy", old.deputy, new.deputy)
        if (name in before.teams) is not (name in after.teams):
            yield Noted(Sort.OWNER_DETAILS, "is a team" if name in after.teams else "is a person")


def _approves(owner: Owner) -> str:
    return f" (at the forge: {owner.forge})" if owner.forge else ""


def _state(old: Owner, new: Owner, owners: Owners, name: str, today: date, touched: str) -> Iterator[Noted]:
    was, gone = old.gone(today), new.gone(today)
    if gone and not was:
        deputy = owners.deputy_of(name, today)
        answers = f"{deputy} answers in their place" if deputy is not None else "nobody answers in their place"
        yield Noted(Sort.OWNER_GONE, f"is gone, and {answers}{touched}", people=tuple(filter(None, (deputy,))))
    elif was and not gone:
        yield Noted(Sort.OWNER_BACK, f"is {new.state} (was {old.state}){touched}")
    elif not gone and old.leaves != new.leaves:
        leaves = f"leaves on {new.leaves}" if new.leaves is not None else "stays"
        was_said = f"was to leave on {old.leaves}" if old.leaves is not None else "did not leave before"
        sort = Sort.OWNER_LEAVING if new.leaves is not None else Sort.OWNER_BACK
        yield Noted(sort, f"{leaves} ({was_said}){touched}", new.leaves)


def _consumer(old: Consumer | None, new: Consumer | None, today: date, touched: str) -> Iterator[Noted]:
    runs = tuple(c.owner for c in (old, new) if c is not None and c.owner is not None)
    if new is None:
        yield Noted(Sort.CONSUMER_DROPPED, f"is not listed any more{touched}", people=runs)
        return
    was = old is not None and old.gone(today)
    if old is None:
        yield Noted(Sort.CONSUMER_LISTED, f"is listed, a {new.kind} to be reached at {new.contact}", people=runs)
    if new.gone(today) and not was:
        yield Noted(Sort.CONSUMER_RETIRED, f"is retired{touched}", people=runs)
    elif was and not new.gone(today):
        yield Noted(Sort.CONSUMER_BACK, f"is {new.state} again{touched}", people=runs)
    elif not was and new.retires != (old.retires if old is not None else None):
        words = f"is retired on {new.retires}" if new.retires is not None else "stays"
        sort = Sort.CONSUMER_RETIRED if new.retires is not None else Sort.CONSUMER_BACK
        yield Noted(sort, f"{words}{touched}", new.retires, runs)
    if old is not None:
        for what in ("kind", "owner", "contact"):
            pair = (getattr(old, what), getattr(new, what))
            for found in changed(Sort.CONSUMER_LISTED, what, *pair):
                yield Noted(found.sort, found.message, people=runs)
