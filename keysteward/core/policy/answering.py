"""Rules of who answers for a credential, who uses it, and what it is for. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from keysteward.core.findings import Kind, Severity
from keysteward.core.owners import UNASSIGNED
from keysteward.core.policy.rule import Case, Rule

LEAVING_NOTICE = timedelta(days=30)
"""So long before an owner leaves, or a consumer is retired, this is a finding."""

FEWEST_WORDS = 2
"""A purpose of fewer words says nothing that the name does not say."""


def _listed(case: Case) -> Iterable[str]:
    owner = case.spec.owner
    if owner != UNASSIGNED and case.owners.find(owner) is None:
        known = ", ".join(case.owners.names) or "nobody"
        yield f"owner: {owner!r} is not in the owners file (it lists {known})"


def _gone(case: Case) -> Iterable[str]:
    owner, today = case.owners.find(case.spec.owner), case.now.date()
    if owner is not None and owner.gone(today) and case.owners.deputy_of(case.spec.owner, today) is None:
        yield f"owner: {case.spec.owner!r} is gone, and nobody answers in their place"


def _leaving(case: Case) -> Iterable[str]:
    name, today = case.spec.owner, case.now.date()
    owner = case.owners.find(name)
    if owner is None:
        return
    deputy = case.owners.deputy_of(name, today)
    if owner.gone(today) and deputy is not None:
        yield f"owner: {name!r} is gone, and {deputy!r} answers in their place"
    elif owner.leaves is not None and not owner.gone(today) and _near(owner.leaves, case.now):
        yield f"owner: {name!r} leaves on {owner.leaves}"


def _near(day: object, now: datetime) -> bool:
    return str(day) <= f"{now + LEAVING_NOTICE:%Y-%m-%d}"


def _unassigned(case: Case) -> Iterable[str]:
    until = case.owners.unassigned_until
    if case.spec.owner == UNASSIGNED and until is not None and case.now.date() < until:
        yield f"owner: nobody answers for it yet; it needs an owner until {until}"


def _unassigned_too_long(case: Case) -> Iterable[str]:
    until = case.owners.unassigned_until
    if case.spec.owner == UNASSIGNED and until is None:
        yield "owner: nobody answers for it, and the owners file has no unassigned_until"
    elif case.spec.owner == UNASSIGNED and until is not None and case.now.date() >= until:
        yield f"owner: nobody answers for it, which was allowed until {until}"


def _consumer_named(case: Case) -> Iterable[str]:
    if not case.spec.consumer:
        yield "consumer: nobody is named who uses it"


def _consumer_listed(case: Case) -> Iterable[str]:
    name = case.spec.consumer
    if name and case.owners.consumers and name not in case.owners.consumers:
        yield f"consumer: {name!r} is not in the owners file"


def _consumer_active(case: Case) -> Iterable[str]:
    name = case.spec.consumer
    consumer = case.owners.consumers.get(name) if name else None
    if consumer is None:
        return
    if consumer.gone(case.now.date()):
        yield f"consumer: {name!r} is retired"
    elif consumer.retires is not None and _near(consumer.retires, case.now):
        yield f"consumer: {name!r} is retired on {consumer.retires}"


def _purpose(case: Case) -> Iterable[str]:
    purpose = case.spec.purpose
    same = purpose.casefold().replace(" ", "-") == case.spec.name.casefold()
    if same or len(purpose.split()) < FEWEST_WORDS:
        yield f"purpose: {purpose!r} does not say what it is for"


RULES = (
    Rule(
        "KS001",
        "The owner is in the owners file",
        "A credential that nobody answers for is neither reviewed, nor rotated with care, nor ended.",
        "add the team or person to the owners file, or correct the name",
        Severity.ERROR,
        Severity.ERROR,
        ("NHI1:2025",),
        _listed,
        waivable=False,
    ),
    Rule(
        "KS002",
        "The owner is still there, or has a deputy",
        "What belonged to somebody who left is what attackers find: nobody would notice its use.",
        "name an active owner (keysteward offboard OWNER --to OTHER does it for all of theirs), "
        "or let offboard revoke it",
        Severity.ERROR,
        Severity.ERROR,
        ("NHI1:2025",),
        _gone,
        kind=Kind.OWNER_GONE,
    ),
    Rule(
        "KS003",
        "The owner stays",
        "A hand-over needs time: whoever takes over should hear it from whoever leaves.",
        "hand it over: keysteward offboard OWNER --to OTHER changes the declarations, then open a pull request",
        Severity.WARNING,
        Severity.WARNING,
        ("NHI1:2025",),
        _leaving,
        kind=Kind.OWNER_GONE,
    ),
    Rule(
        "KS004",
        "An imported credential gets an owner",
        "Import takes over what exists; until somebody answers for it, it is only known and not governed.",
        "find out who uses it, and name an owner in the declaration",
        Severity.WARNING,
        Severity.WARNING,
        ("NHI1:2025",),
        _unassigned,
        kind=Kind.UNASSIGNED,
    ),
    Rule(
        "KS005",
        "Nothing stays without owner beyond its day",
        "A date that can pass without consequence is no date.",
        "name an owner in the declaration, or move unassigned_until in the owners file in a reviewed commit",
        Severity.ERROR,
        Severity.ERROR,
        ("NHI1:2025",),
        _unassigned_too_long,
        kind=Kind.UNASSIGNED,
        waivable=False,
    ),
    Rule(
        "KS006",
        "It is said who uses it",
        "Without a named consumer nobody can tell whether it may end, and whom its rotation concerns.",
        "write consumer=",
        Severity.NOTE,
        Severity.WARNING,
        ("NHI1:2025", "NHI9:2025"),
        _consumer_named,
    ),
    Rule(
        "KS007",
        "The consumer is in the owners file",
        "Only a consumer that is listed can be seen to be retired.",
        "add it under consumers in the owners file, or correct the name",
        Severity.WARNING,
        Severity.WARNING,
        ("NHI1:2025",),
        _consumer_listed,
    ),
    Rule(
        "KS008",
        "The consumer is still there",
        "What a retired system used works for whoever finds it in its backups.",
        "write decommission= with a date, or name the consumer that uses it now",
        Severity.WARNING,
        Severity.WARNING,
        ("NHI1:2025",),
        _consumer_active,
        kind=Kind.CONSUMER_GONE,
    ),
    Rule(
        "KS009",
        "The purpose says what it is for",
        "Whoever reviews it in a year must be able to tell whether it is still needed.",
        "write a sentence: what its consumer does with it",
        Severity.NOTE,
        Severity.WARNING,
        ("NHI1:2025", "NHI5:2025"),
        _purpose,
    ),
)
