"""The evidence of one period, pure: for each generation who made it, how, and on what evidence it ended."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from keysteward.core.record.evidence import Entry
from keysteward.core.record.steps import Do

UNKNOWN: Final = "unknown"

MADE: Final = frozenset(map(str, (Do.SETTLE, Do.PROMOTE)))
"""Steps after which consumers have a generation: the moment of its rotation."""

BEGUN: Final = frozenset(map(str, (Do.BEGIN, Do.ISSUE, Do.SHIFT, Do.STAGE, Do.CREATE, Do.ADOPT)))

ENDED: Final = frozenset({str(Do.END), "revoke"})
"""A step and a command after which a generation's secret does not work any more."""

ENDING: Final = ENDED | set(map(str, (Do.RETIRE, Do.ABANDON, Do.CHECK, Do.SUSPEND, Do.DELETE)))
"""What belongs to an ending: where its evidence stands."""

Approved = Callable[[str], str]
"""Says who approved a commit, "unknown" where nobody can tell."""


@dataclass(frozen=True, slots=True)
class Period:
    """Whole days in UTC, both included."""

    first: date
    last: date

    def __contains__(self, moment: datetime) -> bool:
        begin = datetime.combine(self.first, time(), UTC)
        return begin <= moment < self.end

    @property
    def end(self) -> datetime:
        """Return the first moment after it."""
        return datetime.combine(self.last, time(), UTC) + timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Row:
    """The evidence about one generation; without `generation`, what was done to the credential as a whole.

    `approved_by` is "unknown" unless the commit's own trailers tell. `events`: what else was done in the period, what
    was refused, and what ended unknown, in words.
    """

    credential: str
    generation: int | None
    fingerprint: str
    owner: str
    approved_by: str
    ran_by: str
    door: str
    commit: str
    plan: str
    rotated_at: datetime | None
    ended_at: datetime | None
    ended_by: str
    evidence: str
    events: tuple[str, ...]


def rows(entries: Iterable[Entry], period: Period, approved: Approved) -> list[Row]:
    """Return a row for each generation (and each credential as a whole) to which something was done in the period.

    A row also says what happened to its generation before the period, nothing of what came after it.
    """
    groups: dict[tuple[str, int], list[Entry]] = {}
    for entry in entries:
        if entry.at < period.end:
            groups.setdefault((entry.identity, entry.generation or 0), []).append(entry)
    found = []
    for identity, generation in sorted(groups):
        own = sorted(groups[identity, generation], key=lambda entry: entry.at)
        deleted = _deleted(groups.get((identity, 0), ()), own[0].at) if generation else None
        if deleted is not None and any(_ends(entry) for entry in own):
            deleted = None
        if any(entry.at in period for entry in (own if deleted is None else (*own, deleted))):
            found.append(_row(own, deleted, period, approved))
    return found


def _ends(entry: Entry) -> bool:
    return entry.outcome == "done" and entry.step in ENDED


def _deleted(whole: Iterable[Entry], since: datetime) -> Entry | None:
    """Return what deleted the last client of a credential before its ledger was closed: no secret works after it.

    A ledger that is closed without it was released, and what its secrets do is not ours to say.
    """
    done = sorted((e for e in whole if e.outcome == "done" and e.at >= since), key=lambda entry: entry.at)
    closed = next((number for number, entry in enumerate(done) if entry.step == Do.CLOSE), 0)
    return next((entry for entry in reversed(done[:closed]) if entry.step == Do.DELETE), None)


def _row(entries: list[Entry], deleted: Entry | None, period: Period, approved: Approved) -> Row:
    done = [entry for entry in entries if entry.outcome == "done"]
    begun = _first(done, BEGUN)
    made = _first(done, MADE)
    ended = _first(done, ENDED) or deleted
    of = made or begun or entries[0]
    why = dict.fromkeys(entry.evidence for entry in done if entry.step in ENDING and entry.evidence)
    if deleted is not None:
        why[f"{deleted.words} ({deleted.evidence})" if deleted.evidence else deleted.words] = None
    told = {id(entry) for entry in (made, ended) if entry is not None}
    return Row(
        credential=of.identity,
        generation=of.generation,
        fingerprint=next((entry.fingerprint for entry in reversed(entries) if entry.fingerprint), ""),
        owner=next((entry.owner for entry in reversed(entries) if entry.owner), UNKNOWN),
        approved_by=approved(of.author.commit),
        ran_by=of.author.actor,
        door=of.author.door,
        commit=of.author.commit,
        plan=of.author.plan,
        rotated_at=made.at if made is not None else None,
        ended_at=ended.at if ended is not None else None,
        ended_by=ended.author.actor if ended is not None else "",
        evidence="; ".join(why),
        events=tuple(_event(entry) for entry in entries if entry.at in period and id(entry) not in told),
    )


def _first(entries: Iterable[Entry], steps: frozenset[str]) -> Entry | None:
    return next((entry for entry in entries if entry.step in steps), None)


def _event(entry: Entry) -> str:
    outcome = "" if entry.outcome == "done" else f" ({entry.outcome})"
    return f"{entry.at.astimezone(UTC):%Y-%m-%d %H:%M} {entry.step}: {entry.words}{outcome}"
