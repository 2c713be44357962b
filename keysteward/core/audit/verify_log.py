"""Examines an evidence log, pure: what was removed, altered, reordered, truncated or rewritten, a sentence each."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from keysteward.core.audit.chain import (
    Head,
    Position,
    Segment,
    attestation_of,
    genesis,
    link,
    load_entry,
    load_segment,
)
from keysteward.core.errors import Damaged
from keysteward.core.record.evidence import Entry

NAMES_SHOWN = 3
"""A sentence about many witnesses names this many."""


class Wrong(StrEnum):
    """What is wrong with a log."""

    REMOVED = "removed"
    ADDED = "added"
    ALTERED = "altered"
    REORDERED = "reordered"
    TRUNCATED = "truncated"
    REWRITTEN = "rewritten"
    UNSIGNED = "unsigned"
    UNTRUSTED = "untrusted"
    CONTRADICTION = "contradiction"
    UNREADABLE = "unreadable"
    LEDGER = "ledger differs"


@dataclass(frozen=True, slots=True)
class Defect:
    """One thing that is wrong, and what it means."""

    what: Wrong
    message: str
    segment: int | None = None


@dataclass(frozen=True, slots=True)
class Witness:
    """Somebody who remembers a position of the log: a ledger, an anchor, the head beside the log."""

    name: str
    position: Position


@dataclass(frozen=True, slots=True)
class Located:
    """One entry and where it stands."""

    segment: int
    entry: Entry


@dataclass(frozen=True, slots=True)
class ExaminedLog:
    """A log that was examined: its entries, each once, in order, and what is wrong with it.

    `keys`: how many segments each key signed ("": no key, or a wrong signature). `tokens`: the CI's identity tokens,
    with the key that each of them binds. `repeated`: entries that stand in the log more than once with the same
    content, as a run leaves them that died before it could note that they were kept.
    """

    last: Head | None
    segments: int
    records: tuple[Located, ...]
    repeated: int
    keys: Mapping[str, int]
    tokens: tuple[tuple[str, str], ...] = field(repr=False)
    defects: tuple[Defect, ...] = ()

    @property
    def sound(self) -> bool:
        """Say whether nothing is wrong."""
        return not self.defects


@dataclass
class _Reading:
    """What is gathered while the segments are read in order."""

    stack: str
    last: Head | None = None
    heads: dict[int, str] = field(default_factory=dict)
    by_id: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    records: list[Located] = field(default_factory=list)
    repeated: int = 0
    signed_by: dict[str, list[int]] = field(default_factory=dict)
    tokens: dict[str, tuple[str, str]] = field(default_factory=dict)
    attested: dict[str, int] = field(default_factory=dict)


def examine_log(
    stack: str,
    documents: Mapping[int, Mapping[str, Any]],
    witnesses: Iterable[Witness] = (),
    trusted: Collection[str] | None = None,
) -> ExaminedLog:
    """Examine a log: segment documents by number, who remembers positions in it, and ids of the keys that may sign.

    Witnesses must have been asked before the documents were read. Without `trusted` any key may sign.
    """
    reading = _Reading(stack)
    defects: list[Defect] = []
    for number in sorted(documents):
        defects += _gap(reading, number)
        try:
            segment = load_segment(documents[number])
        except Damaged:
            message = f"segment {number} cannot be read: it was altered, or damaged in the ledger store"
            defects.append(Defect(Wrong.UNREADABLE, message, number))
            reading.last = Head(1, stack, number, "", reading.last.count if reading.last else 0, "")
            continue
        defects += _segment(reading, number, segment)
    defects += _attestations(reading)
    defects += _untrusted(reading, trusted)
    defects += _remembered(reading, witnesses)
    last = reading.last if reading.last is not None and reading.last.head else None
    return ExaminedLog(
        last=last,
        segments=len(documents),
        records=tuple(reading.records),
        repeated=reading.repeated,
        keys={key: len(numbers) for key, numbers in reading.signed_by.items()},
        tokens=tuple(reading.tokens.values()),
        defects=tuple(defects),
    )


def _gap(reading: _Reading, number: int) -> Iterator[Defect]:
    """Find numbers that are not there; afterwards nothing is known of what came before."""
    expected = reading.last.number + 1 if reading.last is not None else 1
    if number > expected:
        what = _range(expected, number - 1)
        yield Defect(Wrong.REMOVED, f"{what} missing: the entries in there were removed", expected)
        reading.last = Head(1, reading.stack, number - 1, "", 0, "")


def _segment(reading: _Reading, number: int, segment: Segment) -> Iterator[Defect]:
    head = segment.head
    if head.stack != reading.stack:
        yield Defect(Wrong.REWRITTEN, f"segment {number} is of the log of {head.stack!r}: it was put here", number)
    if head.number != number:
        message = f"segment {head.number} is stored as number {number}: segments were reordered"
        yield Defect(Wrong.REORDERED, message, number)
    yield from _follows(reading, number, segment)
    yield from _lines(number, segment)
    yield from _signature(reading, number, segment)
    yield from _entries(reading, number, segment)
    reading.last = head if head.number == number else Head(1, reading.stack, number, "", head.count, head.head)
    reading.heads[number] = head.head


def _follows(reading: _Reading, number: int, segment: Segment) -> Iterator[Defect]:
    """Compare with the segment before: its head, and how many entries there were. After a gap nothing is known."""
    last, head = reading.last, segment.head
    if last is not None and not last.head:
        return
    before = last.head if last is not None else genesis(reading.stack)
    if head.previous != before:
        message = f"segment {number} does not follow {_before(number)}: one of both was replaced, or moved"
        yield Defect(Wrong.REORDERED if head.previous in reading.heads.values() else Wrong.REWRITTEN, message, number)
        return
    difference = head.count - (last.count if last is not None else 0) - len(segment.lines)
    if difference > 0:
        yield Defect(Wrong.REMOVED, f"{difference} entries of segment {number} were removed", number)
    elif difference < 0:
        yield Defect(Wrong.ADDED, f"{-difference} entries of segment {number} were added afterwards", number)


def _before(number: int) -> str:
    return f"segment {number - 1}" if number > 1 else "the beginning of this stack's log"


def _lines(number: int, segment: Segment) -> Iterator[Defect]:
    """Compute every hash again; after one that is wrong, go on from the stored one, to find what else is."""
    known = {segment.head.previous, *(line.hash for line in segment.lines)}
    previous = segment.head.previous
    for place, line in enumerate(segment.lines, 1):
        if link(previous, line.entry) != line.hash:
            kind, what = Wrong.ALTERED, "does not match its hash: it was altered, or the entry before it was removed"
            if any(link(other, line.entry) == line.hash for other in known):
                kind, what = Wrong.REORDERED, "is whole, but not where it was written: entries were moved"
            yield Defect(kind, f"entry {place} of segment {number} {what}", number)
        previous = line.hash
    if previous != segment.head.head:
        message = f"segment {number} does not end at its head: entries at its end were removed, added or altered"
        yield Defect(Wrong.ALTERED, message, number)


def _signature(reading: _Reading, number: int, segment: Segment) -> Iterator[Defect]:
    head, token = segment.head, segment.token
    if token is not None and attestation_of(token) != head.attestation:
        message = f"the identity token in segment {number} is not the one that was signed: it was put there later"
        yield Defect(Wrong.ALTERED, message, number)
    elif token is not None:
        reading.tokens.setdefault(head.attestation, (head.key, token))
    if head.attestation:
        reading.attested.setdefault(head.attestation, number)
    if head.signed:
        reading.signed_by.setdefault(head.key, []).append(number)
        return
    reading.signed_by.setdefault("", []).append(number)
    if not head.signature:
        message = f"segment {number} carries no signature: anybody who may write the ledger store can have made it"
        yield Defect(Wrong.UNSIGNED, message, number)
    else:
        message = f"the signature of segment {number} is wrong: its head, number or key was altered after it was signed"
        yield Defect(Wrong.ALTERED, message, number)


def _entries(reading: _Reading, number: int, segment: Segment) -> Iterator[Defect]:
    """Read the entries, each once. The same one again is what a killed run leaves; with other content it is wrong."""
    for place, line in enumerate(segment.lines, 1):
        try:
            entry = load_entry(line.entry)
        except Damaged:
            message = f"entry {place} of segment {number} cannot be read: it was altered, or damaged"
            yield Defect(Wrong.UNREADABLE, message, number)
            continue
        known = reading.by_id.setdefault(entry.id, line.entry)
        if known is line.entry:
            reading.records.append(Located(number, entry))
        elif known == line.entry:
            reading.repeated += 1
        else:
            message = f"entry {place} of segment {number} has the id of an earlier one and says something else"
            yield Defect(Wrong.CONTRADICTION, f"{message}: one of both was made up (id {entry.id})", number)


def _attestations(reading: _Reading) -> Iterator[Defect]:
    for attestation, number in reading.attested.items():
        if attestation not in reading.tokens:
            message = f"the identity token that segment {number} was signed under is gone from the log"
            yield Defect(Wrong.REMOVED, message, number)


def _untrusted(reading: _Reading, trusted: Collection[str] | None) -> Iterator[Defect]:
    if trusted is None:
        return
    for key, numbers in reading.signed_by.items():
        if key and key not in trusted:
            which = _numbers(numbers)
            message = f"{which} signed by {key}, a key that is not trusted: somebody else may have rewritten the log"
            yield Defect(Wrong.UNTRUSTED, message, numbers[0])


def _remembered(reading: _Reading, witnesses: Iterable[Witness]) -> Iterator[Defect]:
    """Compare with what others remember. Of those who know of more than there is, the one who knows most is named."""
    by_position: dict[Position, list[str]] = {}
    for witness in witnesses:
        by_position.setdefault(witness.position, []).append(witness.name)
    end = max(reading.heads, default=0) if reading.last is None else reading.last.number
    beyond = max((position for position in by_position if position.segment > end), default=None)
    if beyond is not None:
        names = _names(by_position[beyond])
        message = f"the log ends at segment {end}, but {names} of segment {beyond.segment}: its end was cut off"
        yield Defect(Wrong.TRUNCATED, message, end + 1)
    for position, who in sorted(by_position.items()):
        if reading.heads.get(position.segment, position.head) != position.head:
            message = f"segment {position.segment} is not the one that was there: {_names(who)} of another one"
            yield Defect(Wrong.REWRITTEN, f"{message}; the log was rewritten", position.segment)


def _names(who: list[str]) -> str:
    more = len(who) - NAMES_SHOWN
    shown = ", ".join(sorted(who)[:NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")
    return f"{shown} {'knows' if len(who) == 1 else 'know'}"


def _range(first: int, last: int) -> str:
    return f"segment {first} is" if first == last else f"segments {first} to {last} are"


def _numbers(numbers: list[int]) -> str:
    if len(numbers) == 1:
        return f"segment {numbers[0]} is"
    return f"{len(numbers)} segments ({numbers[0]} to {numbers[-1]}) are"
