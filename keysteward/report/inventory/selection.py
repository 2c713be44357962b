"""Which entries of an inventory are shown, in which order, and what they come to in numbers. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any

from keysteward.core.declare.owners import UNASSIGNED
from keysteward.core.drift.inventory import Inventory, InventoryEntry, Standing
from keysteward.core.findings import Finding, Kind, Severity
from keysteward.core.policy import RULES

NOBODY = "nobody"
"""The word for the owner of what has none."""

OLD_SECRET = "KS014"  # noqa: S105 - the number of a rule
"""The rule that a secret breaks which is too old."""

WITHOUT_SECRET = "client without secret"  # noqa: S105 - a kind
SHORT = {
    "M2M client": "client",
    "client secret": "secret",
    "API key": "key",
    "manual key": "by hand",
    "login client": "login",
    WITHOUT_SECRET: "no secret",
}
"""Every kind of entries, and what a narrow column calls it."""

KINDS = tuple(sorted(kind.casefold().replace(" ", "-") for kind in SHORT))
"""The same kinds as they can be written."""

SEVERITIES = (Severity.NOTE, Severity.WARNING, Severity.ERROR)
_NEVER = datetime.max.replace(tzinfo=UTC)


class Order(StrEnum):
    """By what entries are sorted: `age` and `used` the oldest first, `next` the nearest, `findings` the worst."""

    NAME = "name"
    AGE = "age"
    USED = "used"
    NEXT = "next"
    OWNER = "owner"
    FINDINGS = "findings"


def worst(findings: Iterable[Finding]) -> Severity | None:
    """Return the highest severity, None without findings."""
    return max((f.severity for f in findings), key=SEVERITIES.index, default=None)


def ownerless(entry: InventoryEntry) -> bool:
    """Say whether nobody is known to answer for it: no owner, none yet, or a name that the owners file lacks.

    Who answers for what another stack declares, that stack knows.
    """
    return (
        counted(entry)
        and entry.standing is not Standing.ELSEWHERE
        and (entry.owner in {"", UNASSIGNED} or entry.owner_state == "unknown")
    )


def overdue(entry: InventoryEntry) -> bool:
    """Say whether its rotation is late, or its secret older than the rules allow."""
    return any(f.kind is Kind.OVERDUE or f.rule == OLD_SECRET for f in entry.findings)


def counted(entry: InventoryEntry) -> bool:
    """Say whether it is a credential of somebody: not the target's own, and not a client without any secret."""
    return entry.standing is not Standing.BUILT_IN and entry.kind != WITHOUT_SECRET


@dataclass(frozen=True, slots=True)
class Selection:
    """What was asked for; an empty field asks for everything.

    `targets`, `owners` and `kinds` are patterns ("team-*"; owner "nobody": none is known; a kind may be written with
    hyphens: "api-key"). `findings` are kinds of findings ("overdue"), numbers of rules ("KS014"), severities, or "any".
    """

    targets: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()
    order: Order = Order.NAME

    @property
    def narrows(self) -> bool:
        """Say whether something may be left out."""
        return bool(self.targets or self.owners or self.kinds or self.findings)

    def covers(self, target: str) -> bool:
        """Say whether a target is among those that were asked for."""
        return not self.targets or _any(target, self.targets)

    def of(self, inventory: Inventory) -> Inventory:
        """Return what fits, in order; findings of no single credential only where neither owner nor kind is asked."""
        entries = sorted((e for e in inventory.entries if self._fits(e)), key=_order(self.order))
        loose = () if self.owners or self.kinds else tuple(f for f in inventory.findings if self._loose(f))
        shown = tuple(c for c in inventory.coverage if self.covers(c.target))
        return replace(inventory, entries=tuple(entries), findings=loose, coverage=shown)

    def _fits(self, entry: InventoryEntry) -> bool:
        return (
            self.covers(entry.target)
            and (not self.owners or _any(entry.owner, self.owners) or (NOBODY in self.owners and ownerless(entry)))
            and (not self.kinds or _any(_kind(entry.kind), map(_kind, self.kinds)))
            and (not self.findings or any(_is(f, word) for f in entry.findings for word in self.findings))
        )

    def _loose(self, finding: Finding) -> bool:
        return self.covers(finding.subject.partition(":")[0]) and (
            not self.findings or any(_is(finding, word) for word in self.findings)
        )


def is_word(word: str) -> bool:
    """Say whether some finding could be meant: by its kind, its rule, its severity, or any."""
    kinds = {text for kind in Kind for text in (kind.value, kind.value.replace(" ", "-"))}
    return word.casefold() in {*kinds, *(s.value for s in Severity), *(rule.casefold() for rule in RULES), "any"}


def fits_a_kind(pattern: str) -> bool:
    """Say whether a pattern fits some kind of entry."""
    return any(fnmatchcase(kind, _kind(pattern)) for kind in KINDS)


def _any(text: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(text, pattern) for pattern in patterns)


def _kind(word: str) -> str:
    return word.casefold().replace(" ", "-")


def _is(finding: Finding, word: str) -> bool:
    named = {finding.kind.value, finding.kind.value.replace(" ", "-"), finding.severity.value, finding.rule.casefold()}
    return word.casefold() in {*named, "any"}


def _order(order: Order) -> Callable[[InventoryEntry], tuple[Any, ...]]:
    """Return the key by which entries are sorted; those of which it is not known come last."""
    keys: Mapping[Order, Callable[[InventoryEntry], Any]] = {
        Order.NAME: lambda e: e.target,
        Order.AGE: lambda e: e.secret_since or e.created_at or _NEVER,
        Order.USED: lambda e: e.last_used or _NEVER,
        Order.NEXT: lambda e: e.next_rotation or _NEVER,
        Order.OWNER: lambda e: (not e.owner, e.owner),
        Order.FINDINGS: _badness,
    }
    return lambda entry: (keys[order](entry), entry.target, entry.name.casefold(), entry.name)


def _badness(entry: InventoryEntry) -> tuple[int, ...]:
    counts = [sum(f.severity is severity for f in entry.findings) for severity in reversed(SEVERITIES)]
    return tuple(-count for count in counts)


@dataclass(frozen=True, slots=True)
class Summary:
    """An inventory in numbers; what is a target's own, and clients without secret, are counted in `entries` alone.

    `standings` counts all entries; `oldest` is since when the oldest secret is valid, None where no date is known.
    """

    entries: int
    standings: Mapping[Standing, int]
    ownerless: int
    overdue: int
    with_errors: int
    with_warnings: int
    oldest: datetime | None
    oldest_name: str = ""

    def oldest_days(self, now: datetime) -> int | None:
        """Return how many whole days ago that was."""
        return None if self.oldest is None else (now - self.oldest).days


def summary_of(inventory: Inventory) -> Summary:
    """Count the entries of an inventory."""
    entries = inventory.entries
    dated = [(e.secret_since or e.created_at, e.name) for e in entries if counted(e) and e.secrets != 0]
    oldest, name = min(((at, name) for at, name in dated if at is not None), default=(None, ""))
    return Summary(
        entries=len(entries),
        standings={standing: sum(e.standing is standing for e in entries) for standing in Standing},
        ownerless=sum(map(ownerless, entries)),
        overdue=sum(map(overdue, entries)),
        with_errors=sum(worst(e.findings) is Severity.ERROR for e in entries),
        with_warnings=sum(worst(e.findings) is Severity.WARNING for e in entries),
        oldest=oldest,
        oldest_name=name,
    )
