"""Rules of who answers for a credential, who uses it, and what it is for. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from datetime import date, timedelta

from keysteward.core.declare.owners import UNASSIGNED, Owners
from keysteward.core.findings import Kind, Severity
from keysteward.core.policy.rule import Case, Rule, RuleCheck, rule

LEAVING_NOTICE = timedelta(days=30)
"""So long before an owner leaves, or a consumer is retired, this is a finding."""

FEWEST_WORDS = 2
FEWEST_SIGNS = 4
"""A purpose of fewer words says nothing that the name does not say; of fewer signs, where words are not parted."""

OwnerCheck = Callable[[str, Owners, date], Iterable[str]]
"""As a check, of the name of an owner: sets and allowances have owners too."""


def _of_owner(check: OwnerCheck) -> RuleCheck:
    return lambda case: check(case.spec.owner, case.owners, case.today)


def _listed(name: str, owners: Owners, _: date) -> Iterable[str]:
    if name != UNASSIGNED and owners.find(name) is None:
        yield f"owner: {name!r} is not in the owners file (it lists {', '.join(owners.names) or 'nobody'})"


def _gone(name: str, owners: Owners, today: date) -> Iterable[str]:
    owner = owners.find(name)
    if owner is not None and owner.gone(today) and owners.deputy_of(name, today) is None:
        yield f"owner: {name!r} is gone, and nobody answers in their place"


def _leaving(name: str, owners: Owners, today: date) -> Iterable[str]:
    owner = owners.find(name)
    if owner is None:
        return
    deputy = owners.deputy_of(name, today)
    if owner.gone(today) and deputy is not None:
        yield f"owner: {name!r} is gone, and {deputy!r} answers in their place"
    elif not owner.gone(today) and _near(owner.leaves, today):
        yield f"owner: {name!r} leaves on {owner.leaves}"


def _near(day: date | None, today: date) -> bool:
    return day is not None and today >= day - LEAVING_NOTICE


def _unassigned(name: str, owners: Owners, today: date) -> Iterable[str]:
    until = owners.unassigned_until
    if name == UNASSIGNED and until is not None and today < until:
        yield f"owner: nobody answers for it yet; it needs an owner until {until}"


def _unassigned_too_long(name: str, owners: Owners, today: date) -> Iterable[str]:
    until = owners.unassigned_until
    if name == UNASSIGNED and until is None:
        yield "owner: nobody answers for it, and the owners file has no unassigned_until"
    elif name == UNASSIGNED and until is not None and today >= until:
        yield f"owner: nobody answers for it, which was allowed until {until}"


OF_OWNERS: Mapping[str, OwnerCheck] = {
    "KS001": _listed,
    "KS002": _gone,
    "KS003": _leaving,
    "KS004": _unassigned,
    "KS005": _unassigned_too_long,
}
"""The rules that hold for the owner of a governed set, and of an allowance, as well."""

_LISTED = rule(
    "KS001",
    "The owner is in the owners file",
    reason="A credential that nobody answers for is neither reviewed, nor rotated with care, nor ended.",
    breaks="`owner` is no team and no person of the owners file.",
    mend="add the team or person to the owners file, or correct the name",
    client=Severity.ERROR,
    key=Severity.ERROR,
    owasp=("NHI1",),
    waivable=False,
)(_of_owner(_listed))

_GONE = rule(
    "KS002",
    "The owner is still there, or has a deputy",
    reason="What belonged to somebody who left is what attackers find: nobody would notice its use.",
    breaks="`owner` is `gone`, or past the day in `leaves`, and `deputy`, from one to the next, leads to nobody.",
    mend="name an active owner (keysteward offboard OWNER --to OTHER does it for all of theirs), "
    "or let offboard revoke it",
    client=Severity.ERROR,
    key=Severity.ERROR,
    owasp=("NHI1",),
    kind=Kind.OWNER_GONE,
)(_of_owner(_gone))

_LEAVING = rule(
    "KS003",
    "The owner stays",
    reason="A hand-over needs time: whoever takes over should hear it from whoever leaves.",
    breaks=f"`owner` leaves within {LEAVING_NOTICE.days} days, or is gone and a deputy answers.",
    mend="hand it over: keysteward offboard OWNER --to OTHER changes the declarations, then open a pull request",
    client=Severity.WARNING,
    key=Severity.WARNING,
    owasp=("NHI1",),
    kind=Kind.OWNER_GONE,
)(_of_owner(_leaving))

_UNASSIGNED = rule(
    "KS004",
    "An imported credential gets an owner",
    reason="Import takes over what exists; until somebody answers for it, it is only known and not governed.",
    breaks=f"`owner` is `{UNASSIGNED}`, before the day in `unassigned_until` of the owners file.",
    mend="find out who uses it, and name an owner in the declaration",
    client=Severity.WARNING,
    key=Severity.WARNING,
    owasp=("NHI1",),
    kind=Kind.UNASSIGNED,
)(_of_owner(_unassigned))

_UNASSIGNED_TOO_LONG = rule(
    "KS005",
    "Nothing stays without owner beyond its day",
    reason="A date that can pass without consequence is no date.",
    breaks=f"`owner` is `{UNASSIGNED}`, from the day in `unassigned_until` on, or the owners file has no such day.",
    mend="name an owner in the declaration, or move unassigned_until in the owners file in a reviewed commit",
    client=Severity.ERROR,
    key=Severity.ERROR,
    owasp=("NHI1",),
    kind=Kind.UNASSIGNED,
    waivable=False,
)(_of_owner(_unassigned_too_long))


@rule(
    "KS006",
    "It is said who uses it",
    reason="Without a named consumer nobody can tell whether it may end, and whom its rotation concerns.",
    breaks="`consumer` is not given.",
    mend="write consumer=",
    client=Severity.NOTE,
    key=Severity.WARNING,
    owasp=("NHI1", "NHI9"),
)
def _consumer_named(case: Case) -> Iterable[str]:
    if not case.spec.consumer:
        yield "consumer: nobody is named who uses it"


@rule(
    "KS007",
    "The consumer is in the owners file",
    reason="Only a consumer that is listed can be seen to be retired.",
    breaks="The owners file has `consumers`, and `consumer` is none of them.",
    mend="add it under consumers in the owners file, or correct the name",
    client=Severity.WARNING,
    key=Severity.WARNING,
    owasp=("NHI1",),
)
def _consumer_listed(case: Case) -> Iterable[str]:
    name = case.spec.consumer
    if name and case.owners.consumers and name not in case.owners.consumers:
        yield f"consumer: {name!r} is not in the owners file"


@rule(
    "KS008",
    "The consumer is still there",
    reason="What a retired system used works for whoever finds it in its backups.",
    breaks=f"`consumer` is `retired`, past the day in `retires`, or within {LEAVING_NOTICE.days} days of it, and no "
    "`decommission` is given.",
    mend="write decommission= with a date, or name the consumer that uses it now",
    client=Severity.WARNING,
    key=Severity.WARNING,
    owasp=("NHI1", "NHI3"),
    kind=Kind.CONSUMER_GONE,
)
def _consumer_active(case: Case) -> Iterable[str]:
    name = case.spec.consumer
    consumer = case.owners.consumers.get(name) if name else None
    if consumer is None or case.spec.decommission is not None:
        return
    if consumer.gone(case.today):
        yield f"consumer: {name!r} is retired"
    elif _near(consumer.retires, case.today):
        yield f"consumer: {name!r} is retired on {consumer.retires}"


@rule(
    "KS009",
    "The purpose says what it is for",
    reason="Whoever reviews it in a year must be able to tell whether it is still needed.",
    breaks="`purpose` is a single word, or nothing but the name.",
    mend="write a sentence: what its consumer does with it",
    client=Severity.NOTE,
    key=Severity.WARNING,
    owasp=("NHI1", "NHI5"),
)
def _purpose(case: Case) -> Iterable[str]:
    purpose, name = case.spec.purpose, case.spec.name
    same = _words(purpose) == _words(name)
    if same or (len(purpose.split()) < FEWEST_WORDS and not _unparted(purpose)):
        yield f"purpose: {purpose!r} does not say what it is for"


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold().replace("_", " "))


def _unparted(text: str) -> bool:
    """Say whether a text is in a script that does not part its words (Chinese, Japanese, Thai), and long enough."""
    return sum(unicodedata.category(sign) == "Lo" for sign in text) >= FEWEST_SIGNS


RULES: tuple[Rule, ...] = (
    _LISTED,
    _GONE,
    _LEAVING,
    _UNASSIGNED,
    _UNASSIGNED_TOO_LONG,
    _consumer_named,
    _consumer_listed,
    _consumer_active,
    _purpose,
)
