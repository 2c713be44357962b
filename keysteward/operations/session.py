"""One process's work on one stack: ports with the right credential, the fingerprint key, the snapshot, and runs.

Both front doors open sessions: a reader's for what is shown, a runner's for what is done.
"""

from __future__ import annotations

import base64
import logging
import secrets
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from keysteward.core.contract.ports import Fingerprint, LedgerStore, Store, Stored, Target
from keysteward.core.declare.spec import Spec
from keysteward.core.declare.stack import Limit
from keysteward.core.errors import Damaged, KeystewardError, VersionConflict
from keysteward.core.observe.snapshot import Snapshot, Sources, old_identities
from keysteward.core.observe.world import Extent
from keysteward.core.record.evidence import Author, Entry
from keysteward.core.record.heartbeat import Heartbeat, heartbeat_key, note_run
from keysteward.core.record.last_use import Usage, later, note_usage, read_usage, seen_days, usage_prefix
from keysteward.core.record.ledger import Ledger, Logged
from keysteward.core.record.revocation import Recorded
from keysteward.core.record.server_ledger import ServerLedger
from keysteward.core.run.change import TRIES, change
from keysteward.core.run.executor import Tools
from keysteward.core.run.outbox import flush
from keysteward.core.run.reconciler import Reconciler
from keysteward.core.run.scopes import ServerReconciler
from keysteward.host.material import fingerprinter, new_material
from keysteward.operations.audit.author import author_of
from keysteward.operations.descriptors import revive
from keysteward.operations.runner import is_dead, new_runner
from keysteward.operations.webhook import notify

if TYPE_CHECKING:
    from keysteward.operations.audit.log import AuditLog

_log = logging.getLogger(__name__)

Access = Literal["reader", "runner"]

KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class FingerprintKey:
    """The key of a stack's fingerprints, under its id. It is never shown."""

    id: str
    key: bytes = field(repr=False)


def fingerprint_key(stored: Stored, stack: str) -> FingerprintKey | None:
    """Read the key of a stack's fingerprints, which stands under "keys/<stack>"; None before the first was made.

    Raises Damaged.
    """
    if stored.document is None:
        return None
    try:
        return FingerprintKey(str(stored.document["id"]), base64.b64decode(stored.document["key"], validate=True))
    except (KeyError, ValueError, TypeError):
        raise Damaged(
            f"the fingerprint key of {stack} cannot be read: restore the ledger store from a backup"
        ) from None


class Session:
    """One stack as one process sees it, with the reader's or the runner's credentials.

    `alone` is the one credential that an emergency is about: nothing that is wrong with another one can stop it.
    `records` are revocations without the ledger store that wait to be noted, by identity.
    """

    def __init__(
        self,
        stack: str,
        ledgers: LedgerStore,
        *,
        access: Access,
        specs: Mapping[str, Spec] | None = None,
        limit: Limit | None = None,
        extent: Extent = Extent.ALL,
        door: str = "keysteward",
        approval: str = "",
        alone: str | None = None,
        records: Mapping[str, Recorded] | None = None,
        tell: Callable[[str, str], None] | None = None,
    ) -> None:
        self.stack = stack
        self.access = access
        self.limit = limit
        self.extent = extent
        self.ledgers = self._port(ledgers)
        self.targets: dict[str, Target] = {}
        self.stores: dict[str, Store] = {}
        self.runner = new_runner()
        self._door = door
        self._approval = approval
        self._alone = alone
        self._records = dict(records or {})
        self._specs = dict(specs or {})
        self._tell = tell or (lambda _identity, _words: None)

    @cached_property
    def author(self) -> Author:
        """Return who the entries of the audit log name: person or CI, commit, door and digest of the approved plan."""
        return replace(author_of(self.runner, self._door, Path.cwd()), plan=self._approval)

    @cached_property
    def _audit(self) -> AuditLog:
        from keysteward.operations.audit.log import AuditLog  # noqa: PLC0415 - with signatures; a look writes no entry
        from keysteward.operations.audit.signing import Signer  # noqa: PLC0415

        return AuditLog(self.ledgers, self.stack, Signer())

    def _record(self, entries: Sequence[Entry]) -> Logged:
        position = self._audit.append(entries)
        return Logged(position.segment, position.head)

    def _entries(self) -> Sequence[Entry]:
        from keysteward.operations.audit.log import AuditLog  # noqa: PLC0415 - with signatures; most looks need no entry

        return AuditLog(self.ledgers, self.stack, None).entries()

    def flush(self, only: Iterable[str] | None = None) -> int:
        """Move the entries that wait in ledgers (of `only` these identities) into the audit log; returns how many.

        Records of revocations that their ledgers have noted are removed. Raises KeystewardError when the log does not
        take the entries: they stay where they are, and the next run moves them.
        """
        if self.access == "reader":
            return 0
        if self._records:
            self._forget_records()
        known = self.snapshot
        return flush(self.ledgers, self._record, known.ledgers, known.server_ledgers, self.runner, only)

    def _forget_records(self) -> None:
        from keysteward.operations.offline.revocations import forget  # noqa: PLC0415 - its records are files beside a card

        try:
            forget(Path.cwd(), self.stack, list(self.snapshot.ledgers.values()))
        except KeystewardError as error:
            _log.warning("operation=revoke stack=%s outcome=kept reason=%r", self.stack, str(error))

    def record(self, identity: str) -> Recorded | None:
        """Return what was revoked of one credential without the ledger store and waits to be noted."""
        return self.snapshot.recorded(identity, self.snapshot.ledgers.get(identity)) if self._records else None

    @property
    def waiting(self) -> bool:
        """Say whether a ledger, as this session read it, has entries that the audit log does not have yet.

        So does what was revoked without the ledger store: its record may be noted already, and still be there.
        """
        known = self.snapshot
        if self._records:
            return True
        return any(ledger.outbox for group in (known.ledgers, known.server_ledgers) for ledger in group.values())

    def _port(self, port: Any) -> Any:  # noqa: ANN401 - any of the three ports
        return port.as_reader() if self.access == "reader" else port

    def open(self) -> None:
        """Build what all threads share; a process whose threads may be the first to ask calls this under a lock."""
        _ = self.credentials, self.servers

    def add_ports(self, targets: Mapping[str, Target], stores: Mapping[str, Store]) -> None:
        """Make targets and stores known; those known already stay."""
        for name, target in targets.items():
            if name not in self.targets:
                self.targets[name] = self._port(target)
        for name, store in stores.items():
            if name not in self.stores:
                self.stores[name] = self._port(store)

    def _complete(self, ledger: Ledger | ServerLedger) -> None:
        for name, descriptor in ledger.targets.items():
            if name not in self.targets:
                self.targets[name] = self._port(revive(descriptor))
        if isinstance(ledger, Ledger):
            for name, descriptor in ledger.stores.items():
                if name not in self.stores:
                    self.stores[name] = self._port(revive(descriptor))

    @cached_property
    def fingerprint(self) -> Fingerprint | None:
        """Return the stack's keyed hash. The first runner makes its key; a reader before that has none.

        Without a key that can be read an emergency goes on by ids, and makes no other: that would match no ledger.
        """
        key = f"keys/{self.stack}"
        for _ in range(TRIES):
            stored = self.ledgers.read(key)
            try:
                known = fingerprint_key(stored, self.stack)
            except Damaged as error:
                if self._alone is None:
                    raise
                _log.warning("operation=fingerprint stack=%s outcome=by-ids reason=%r", self.stack, str(error))
                return None
            if known is not None:
                return fingerprinter(known.key, known.id)
            if self.access == "reader" or self._alone is not None:
                return None
            made = base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()
            try:
                self.ledgers.write(key, {"format": 1, "id": secrets.token_hex(2), "key": made}, stored.version)
            except VersionConflict:
                continue
        raise VersionConflict(f"the fingerprint key of {self.stack} keeps changing; run again")

    @cached_property
    def snapshot(self) -> Snapshot:
        """Return the snapshot that answers everything this process asks."""
        sources = Sources(
            self.targets,
            self.stores,
            self.ledgers,
            self.fingerprint,
            complete=self._complete,
            is_dead=is_dead,
            entries=self._entries,
        )
        if self._alone is None:
            return Snapshot(self.stack, sources, self._specs, self.runner, self.extent, records=self._records)
        specs = {name: spec for name, spec in self._specs.items() if name == self._alone}
        only = {self._alone, *(old for spec in specs.values() for old in old_identities(self.stack, spec))}
        return Snapshot(self.stack, sources, specs, self.runner, self.extent, frozenset(only), self._records)

    @cached_property
    def _tools(self) -> Tools:
        return Tools(
            targets=self.targets,
            stores=self.stores,
            ledgers=self.ledgers,
            fingerprint=self.fingerprint,
            mint=new_material,
            nonce=lambda: secrets.token_hex(8),
            monotonic=time.monotonic,
            sleep=time.sleep,
            runner=self.runner,
            author=self.author if self.access == "runner" else None,
            record=self._record,
            notify=notify if self.access == "runner" else None,
            tell=self._tell,
        )

    @cached_property
    def credentials(self) -> Reconciler:
        """Return what plans and runs credentials."""
        return Reconciler(self._tools, self.snapshot)

    @cached_property
    def servers(self) -> ServerReconciler:
        """Return what plans and runs resource servers."""
        return ServerReconciler(self._tools, self.snapshot)

    def heartbeat(
        self, command: str, outcome: str, counts: Mapping[str, int] | None = None, *, door: str = "keysteward"
    ) -> None:
        """Write down that a run came by and how it ended; see docs/running-in-ci.md.

        Beside it the last use that was seen is noted. That it cannot be written is a warning in the log: what the run
        did is done.
        """
        try:
            beat = Heartbeat(self.ledgers.now(), self.runner, door, command, outcome, counts or {})
            conflict = VersionConflict(f"the heartbeat of {self.stack} keeps changing")
            change(self.ledgers, heartbeat_key(self.stack), lambda stored: note_run(stored.document, beat), conflict)
        except KeystewardError as error:
            _log.warning("operation=heartbeat stack=%s outcome=failed reason=%r", self.stack, str(error))

    def usage(self) -> Usage:
        """Return the last use of clients and keys as earlier runs saw it."""
        return read_usage(stored.document for stored in self.ledgers.list(usage_prefix(self.stack)).values())

    def note_usage(self, seen_by: Snapshot | None = None) -> None:
        """Note the last use that targets show, where it is later than what was noted.

        Only what was listed anyway is noted: by this session, or by the one that planned. That it cannot be written is
        a warning in the log.
        """
        snapshot = seen_by or self.snapshot
        seen = [day for name in snapshot.listed for day in seen_days(name, snapshot.objects(name))]
        try:
            for shard, days in later(self.usage(), seen).items() if seen else ():
                self._note_days(f"{usage_prefix(self.stack)}{shard}", days)
        except KeystewardError as error:
            _log.warning("operation=usage stack=%s outcome=failed reason=%r", self.stack, str(error))

    def _note_days(self, key: str, days: Mapping[str, date]) -> None:
        conflict = VersionConflict(f"the noted use of {self.stack} keeps changing")
        change(self.ledgers, key, lambda stored: note_usage(stored.document, days), conflict)
