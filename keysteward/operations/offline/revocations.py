"""Revocations while the ledger store is down: clients disabled on our mark alone, keys named, records for later runs.

A record (`.keysteward/revoked/<identity>.json` in the project) has `format` (1), `identity`, `reason`, `at`, `actor`
and `disabled` (by target, the remote ids of the clients that were disabled). Plans have it as a step, whose ledger
notes the record's id, so that it acts once; the file is removed after that. Records are changed under the lock of their
folder (`.lock`), which nobody holds while something answers.

A record is a person's word on this machine, left by a command that had the target's credential. One that came with the
project's files is the word of whoever wrote a commit: it is refused.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from keysteward.core.contract.facets import Suspends, facet
from keysteward.core.contract.observed import Delivered, Observation
from keysteward.core.contract.ports import Store, Target
from keysteward.core.declare.spec import Spec
from keysteward.core.declare.stack import IDENTITY
from keysteward.core.errors import Conflict, Damaged, DeclarationError
from keysteward.core.observe.keys import read_name
from keysteward.core.observe.snapshot import read_delivered
from keysteward.core.record.ledger import Ledger
from keysteward.core.record.revocation import Recorded
from keysteward.host import git
from keysteward.host.files import file_errors, locked, make_folder, remove_file, replace_file
from keysteward.operations.audit.author import author_of
from keysteward.operations.offline.stack_card import FOLDER

FORMAT = 1

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Marked:
    """One client at a target that carries our mark: whether it worked before, and whether it was disabled now."""

    target: str
    remote_id: str
    client_id: str
    was_enabled: bool


@dataclass(frozen=True, slots=True)
class SaidKey:
    """One key that a person has to end: `said_by` tells whose it is, and gives no right."""

    target: str
    holder: str
    id: str
    said_by: str


def disable_marked(target: Target, identity: str, seen: Observation | None = None) -> Iterator[Marked]:
    """Disable every client of a target that carries the mark of this identity; yields each as soon as it is done.

    Only the mark gives the right, so that nothing is deleted and no secret is ended. `seen` is what the target was seen
    to have a moment ago. Raises Conflict, before any is disabled, at a target that cannot disable a client.
    """
    objects = (seen or target.observe(None)).objects
    found = [o for o in objects if o.mark is not None and o.mark.identity == identity]
    if found and not target.capabilities.suspends:
        names = ", ".join(item.client_id for item in found)
        words = f"target {target.name} cannot disable a client: end the secrets of {names} in its console"
        raise Conflict(words, target=target.name)
    for item in found:
        if item.enabled:
            facet(target, Suspends).suspend(item.remote_id)
            _log.info("operation=disable target=%s client=%s outcome=done", target.name, item.client_id)
        yield Marked(target.name, item.remote_id, item.client_id, item.enabled)


def named_keys(seen: Observation, identity: str) -> list[SaidKey]:
    """Return the keys at holders whose names say that they are of this identity."""
    return [
        SaidKey(seen.target, item.client_id, secret.id, "its name")
        for item in seen.objects
        for secret in (item.secrets if item.holder else ())
        if (name := read_name(secret)) is not None and name.identity == identity
    ]


def delivered_keys(spec: Spec, stores: Mapping[str, Store]) -> tuple[list[SaidKey], list[str]]:
    """Return the keys that the places of a credential name by their ids, and the places that do not tell."""
    found: dict[str, SaidKey] = {}
    silent = []
    held = read_delivered(stores, spec.places, lenient=True)
    for place in spec.delivery:
        delivered = held.get(place, Delivered(unknown=True))
        if delivered.unknown or delivered.identity not in {spec.identity, None}:
            silent.append(place)
            continue
        for entry in (delivered.current, delivered.previous, *delivered.staged):
            if entry is not None and entry.remote_id is not None:
                found.setdefault(entry.remote_id, SaidKey(spec.target, spec.client_id, entry.remote_id, place))
    return list(found.values()), silent


def record_path(root: Path, identity: str) -> Path:
    """Return where the record of an identity stands. Raises DeclarationError for what is no identity."""
    if not IDENTITY.fullmatch(identity):
        raise DeclarationError(f"{identity!r} is not the name of a credential")
    return root / FOLDER / "revoked" / f"{identity}.json"


def keep(root: Path, identity: str, reason: str, marked: Iterable[Marked]) -> Path:
    """Write a record, or add to one that stands there; returns its path.

    Raises AccessDenied or Unavailable when it cannot be written, and Damaged for what stands there and is no record.
    """
    path = record_path(root, identity)
    actor = author_of("", "keysteward", root).actor
    with file_errors("the record of the revocation"), _folder_locked(path):
        disabled = dict(read_record(path).disabled) if path.exists() else {}
        for item in marked:
            disabled[item.target] = tuple(sorted({*disabled.get(item.target, ()), item.remote_id}))
        document = {
            "format": FORMAT,
            "identity": identity,
            "reason": reason,
            "at": datetime.now(UTC).isoformat(),
            "actor": actor,
            "disabled": disabled,
        }
        replace_file(path, (json.dumps(document, indent=2, sort_keys=True) + "\n").encode())
    return path


@contextmanager
def _folder_locked(path: Path) -> Iterator[None]:
    make_folder(path.parent)
    with locked(path.parent / ".lock"):
        yield


def read_record(path: Path) -> Recorded:
    """Read a record back. Raises Damaged when it is none."""
    with suppress(OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        document = json.loads(path.read_text(encoding="utf-8"))
        at = datetime.fromisoformat(document["at"])
        if document["format"] == FORMAT and at.tzinfo is not None:
            return Recorded(
                identity=str(document["identity"]),
                reason=str(document["reason"]),
                at=at.astimezone(UTC),
                actor=str(document["actor"]),
                disabled={str(name): tuple(map(str, ids)) for name, ids in document["disabled"].items()},
            )
    raise Damaged(
        f"{path} cannot be read as the record of a revocation; see in it what was revoked, run keysteward revoke "
        "for that, then delete the file"
    )


def waiting(root: Path, stack: str) -> dict[Path, Recorded]:
    """Return the records of a stack that no ledger has yet.

    Raises Damaged for one that cannot be read, and DeclarationError for one that came with the project's files.
    """
    folder = root / FOLDER / "revoked" / stack
    paths = sorted(folder.glob("*.json"))
    _refuse_brought(root, paths)
    records = {path: read_record(path) for path in paths}
    for path, record in records.items():
        if record.identity != f"{stack}/{path.stem}":
            raise Damaged(f"{path} is the record of {record.identity}; move it where that belongs")
    return records


def _refuse_brought(root: Path, paths: list[Path]) -> None:
    """Refuse records that came by a commit: tracked by git, in a submodule, or reached by a link."""
    brought = git.tracked(root, FOLDER) if paths else frozenset()
    for path in paths:
        shown = path.relative_to(root)
        names = {str(part).casefold() for part in (shown, *shown.parents)}
        linked = path.resolve() != root.resolve() / shown
        if linked or names & {name.casefold() for name in brought}:
            how = "is reached by a link" if linked else "is tracked by git"
            raise DeclarationError(
                f"{shown} {how}: a record of a revocation never comes with the project's files, and nothing is revoked "
                f"by it; remove it there. If {path.stem} has to end: keysteward revoke {path.stem} --all --reason TEXT"
            )


def of_stack(root: Path, stack: str) -> dict[str, Recorded]:
    """Return what waits to be noted in the ledgers of a stack, by identity. Raises as `waiting` does."""
    return {record.identity: record for record in waiting(root, stack).values()}


def forget(root: Path, stack: str, ledgers: Iterable[Ledger]) -> None:
    """Remove the records that a ledger has noted, and those of which all ledgers are closed."""
    known = list(ledgers)
    for path, record in waiting(root, stack).items():
        concerned = [ledger for ledger in known if record.identity in {ledger.identity, *ledger.names}]
        noted = any(record.id in ledger.recorded for ledger in concerned)
        if not noted and (not concerned or any(ledger.closed is None for ledger in concerned)):
            continue
        with file_errors("the record of the revocation"), _folder_locked(path):
            if path.exists() and read_record(path) == record:  # what was added meanwhile waits for the next run
                remove_file(path)
        _log.warning("credential=%s operation=revoke outcome=noted file=%s", record.identity, path)
