"""The evidence log of one stack in its ledger store: appended to by runs, read by `keysteward audit`.

Each append is one segment, a document of its own that is only ever created. Of two that want the same number the loser
takes the next one, and follows the winner. Beside the segments stands the newest head, as a hint that saves looking.
"""

from __future__ import annotations

import hashlib
import logging
import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from keysteward.core.audit.chain import (
    AUDIT_FORMAT,
    Head,
    Position,
    Segment,
    Signing,
    canonical,
    dump_entry,
    dump_head,
    dump_segment,
    genesis,
    load_head,
    load_segment,
    make_segment,
)
from keysteward.core.audit.verify_log import Witness, Wrong, examine_log
from keysteward.core.contract.ports import LedgerStore
from keysteward.core.errors import AccessDenied, Damaged, KeystewardError, OutcomeUnknown, VersionConflict
from keysteward.core.identity import in_stack
from keysteward.core.observe.snapshot import LEDGERS, read_ledger
from keysteward.core.record.evidence import Entry
from keysteward.core.record.ledger import Ledger
from keysteward.core.record.server_ledger import ServerLedger
from keysteward.operations.audit.signing import Signer

log = logging.getLogger(__name__)

SEGMENTS: Final = "audit"
HEADS: Final = "audit-heads"

LARGEST_SEGMENT: Final = 200
"""Entries in one segment at most: about 150 KB."""

LARGEST_SEGMENT_BYTES: Final = 256 * 1024
"""Entries of one segment at most, if it has more than one: DynamoDB takes 400 KB, a Vault on Consul 512 KB."""

TRIES: Final = 50
"""How often a number may be lost to others in one append. Each time one of them got on."""

STEPS_BEFORE_LISTING: Final = 8
"""How far behind the end a writer may be before listing all segments is cheaper than reading one after the other."""

_NUMBER = re.compile(r"\d{8,}")


@dataclass(frozen=True, slots=True)
class Around:
    """What the ledger store knows of a log beside its segments.

    `witnesses` remember positions in it; `waiting` entries are still with their ledgers. `damaged` says why some of the
    ledgers are not among those that can be compared with it.
    """

    witnesses: tuple[Witness, ...]
    waiting: int
    ledgers: tuple[Ledger | ServerLedger, ...] = ()
    damaged: tuple[str, ...] = ()


class AuditLog:
    """One stack's log. Thread-safe; several processes may append at once.

    Without `signer` segments carry no signature, which `keysteward audit verify` reports.
    """

    def __init__(self, ledgers: LedgerStore, stack: str, signer: Signer | None) -> None:
        self._ledgers = ledgers
        self._stack = stack
        self._signer = signer
        self._lock = threading.Lock()
        self._known: Head | None = None
        self._hint_version: int | None = None
        self._token_kept = False

    def append(self, entries: Sequence[Entry]) -> Position:
        """Add entries in one segment (more than 200: in several) and return where the log ends now.

        It may be called again with the same entries after any failure: an entry that stands in the log twice counts
        once. Raises what the ledger store raises; what was not added then can be added later.
        """
        with self._lock:
            if self._hint_version is None:
                self._look()
            if not entries and self._known is None:
                return Position(0, genesis(self._stack))
            signing = self._signer.signing() if self._signer is not None and entries else None
            for some in _batches(entries):
                self._known = self._create(some, signing)
                self._token_kept = True
            if self._known is None:
                raise Damaged(f"the audit log of {self._stack} has no head")
            if entries:
                self._leave_hint(self._known)
            return self._known.position

    def segments(self) -> dict[int, Mapping[str, Any]]:
        """Read all segments by number."""
        prefix = f"{SEGMENTS}/{self._stack}/"
        found = {}
        for key, stored in self._ledgers.list(prefix).items():
            number = key.removeprefix(prefix)
            if _NUMBER.fullmatch(number) and stored.document is not None:  # others are of stacks below this name
                found[int(number)] = stored.document
        return found

    def entries(self) -> tuple[Entry, ...]:
        """Read the entries of all segments in which nothing is wrong, signed or not."""
        found = examine_log(self._stack, self.segments())
        wrong = {defect.segment for defect in found.defects if defect.what is not Wrong.UNSIGNED}
        return tuple(record.entry for record in found.records if record.segment not in wrong)

    def around(self) -> Around:
        """Ask the ledgers and the head beside the log. Do it before reading the segments, which grow meanwhile."""
        remembered, waiting = [], 0
        ledgers: list[Ledger | ServerLedger] = []
        damaged: list[str] = []
        for key, stored in self._ledgers.list(f"{LEDGERS}/{self._stack}/").items():
            if not in_stack(self._stack, key.removeprefix(f"{LEDGERS}/")):
                continue
            try:
                ledgers.append(read_ledger(stored, key.removeprefix(f"{LEDGERS}/")))
            except Damaged as error:
                damaged.append(error.message)
            document = stored.document if isinstance(stored.document, Mapping) else {}
            position, outbox = _position(document.get("logged")), document.get("outbox")
            waiting += len(outbox) if isinstance(outbox, list) else 0
            if position is not None:
                remembered.append(Witness(f"the ledger of {key.removeprefix(f'{LEDGERS}/')}", position))
        hint, _ = self._hint()
        if hint is not None and hint.signed:
            remembered.append(Witness("the head beside the log", hint.position))
        return Around(tuple(remembered), waiting, tuple(ledgers), tuple(damaged))

    def _look(self) -> None:
        """Find the end of the log: by the hint, or where that does not lead to a segment of the log, by the segments.

        Whoever may write the head can sign it with a key of their own: what counts is what it leads to.
        """
        hint, version = self._hint()
        if hint is None or not self._leads_to(hint):
            hint = self._listed_end()
        self._known, self._hint_version = hint, version

    def _leads_to(self, hint: Head) -> bool:
        """Say whether a head is that of a segment which follows the one before it."""
        if self._head_at(hint.number) != hint:
            return False
        if hint.number == 1:
            return hint.previous == genesis(self._stack)
        before = self._head_at(hint.number - 1)
        return before is not None and before.head == hint.previous

    def _hint(self) -> tuple[Head | None, int]:
        stored = self._ledgers.read(f"{HEADS}/{self._stack}")
        try:
            head = load_head(stored.document)
        except Damaged:
            head = None
        return head if head is not None and head.stack == self._stack else None, stored.version

    def _create(self, entries: Sequence[Entry], signing: Signing | None) -> Head:
        """Create the next segment; where another one took its number, follow that one."""
        after = self._known
        for _ in range(TRIES):
            segment = self._made(after, entries, signing)
            number = segment.head.number
            try:
                self._ledgers.write(self._key(number), dump_segment(segment), 0)
            except (VersionConflict, AccessDenied, OutcomeUnknown) as error:  # denied: a right to create alone
                found = self._read(number)
                if found is None:
                    if not isinstance(error, OutcomeUnknown):
                        raise
                    continue  # not written, or not yet: then the next try meets it
                if found != segment:
                    after = self._end_after(found.head)
                    continue
            return segment.head
        raise VersionConflict(f"the audit log of {self._stack} keeps growing; run again")

    def _made(self, after: Head | None, entries: Sequence[Entry], signing: Signing | None) -> Segment:
        segment = make_segment(self._stack, after, entries, signing)
        return Segment(segment.head, segment.lines) if self._token_kept else segment

    def _end_after(self, known: Head) -> Head:
        """Return the newest head behind a known one: step by step, since a number that is not next is not the log's."""
        for _ in range(STEPS_BEFORE_LISTING):
            after = self._head_at(known.number + 1)
            if after is None:
                return known
            known = after
        return self._listed_end(known) or known

    def _listed_end(self, known: Head | None = None) -> Head | None:
        """Return the head of the last segment before the first number, behind a known one, that is missing."""
        documents, end = self.segments(), known
        while (number := end.number + 1 if end is not None else 1) in documents:
            end = self._segment(number, documents[number]).head
        return end

    def _leave_hint(self, head: Head) -> None:
        """Note the newest head. That another process noted its own, or that this fails, costs the next one a look."""
        try:
            self._hint_version = self._ledgers.write(f"{HEADS}/{self._stack}", dump_head(head), self._hint_version or 0)
        except VersionConflict:
            self._renew_hint(head)
        except KeystewardError as error:
            self._hint_failed(error)

    def _renew_hint(self, head: Head) -> None:
        try:
            newer, version = self._hint()
            if newer is None or newer.number < head.number:
                version = self._ledgers.write(f"{HEADS}/{self._stack}", dump_head(head), version)
            self._hint_version = version
        except KeystewardError as error:
            self._hint_failed(error)

    def _hint_failed(self, error: KeystewardError) -> None:
        log.info("operation='note head' stack=%s outcome=%s", self._stack, type(error).__name__)

    def _read(self, number: int) -> Segment | None:
        """Read one segment; one that is damaged, deleted or of another number keeps its place, but not its head."""
        stored = self._ledgers.read(self._key(number))
        return None if stored.version == 0 else self._segment(number, stored.document)

    def _segment(self, number: int, document: Mapping[str, Any] | None) -> Segment:
        try:
            segment = load_segment(document or {})
        except Damaged:
            pass
        else:
            if segment.head.number == number:
                return segment
        lost = hashlib.sha256(canonical(document)).hexdigest()
        return Segment(Head(AUDIT_FORMAT, self._stack, number, "", 0, lost), ())

    def _head_at(self, number: int) -> Head | None:
        segment = self._read(number)
        return None if segment is None else segment.head

    def _key(self, number: int) -> str:
        return f"{SEGMENTS}/{self._stack}/{number:08d}"


def _batches(entries: Sequence[Entry]) -> list[list[Entry]]:
    batches: list[list[Entry]] = []
    size = 0
    for entry in entries:
        more = len(canonical(dump_entry(entry)))
        if not batches or len(batches[-1]) == LARGEST_SEGMENT or size + more > LARGEST_SEGMENT_BYTES:
            batches.append([])
            size = 0
        batches[-1].append(entry)
        size += more
    return batches


def _position(logged: object) -> Position | None:
    if not isinstance(logged, Mapping):
        return None
    segment, head = logged.get("segment"), logged.get("head")
    return Position(segment, head) if isinstance(segment, int) and isinstance(head, str) and segment > 0 else None
