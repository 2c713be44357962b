"""Examines a stack's audit log for the commands: reads it, and asks everybody who can speak against it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from keysteward.core.audit.ledgers import compare
from keysteward.core.audit.verify_log import Defect, ExaminedLog, Witness, Wrong, examine_log
from keysteward.core.declare.stack import Stack
from keysteward.core.errors import DeclarationError
from keysteward.core.run.outbox import oldest_late
from keysteward.host.files import file_errors
from keysteward.operations.audit.anchors import Anchored, read_anchors
from keysteward.operations.audit.ci import Claims, claims_of, keys_of_issuer, shown, verified_claims
from keysteward.operations.audit.log import Around, AuditLog
from keysteward.operations.audit.signing import read_public_key


@dataclass(frozen=True)
class Trust:
    """Which keys may sign: those in files, and those bound by an issuer to a job with these claims."""

    files: tuple[Path, ...] = ()
    issuers: tuple[str, ...] = ()
    claims: Mapping[str, str] = field(default_factory=dict)

    @property
    def asked(self) -> bool:
        """Say whether it matters who signed."""
        return bool(self.files or self.issuers)

    def keys(self, tokens: Iterable[tuple[str, str]]) -> tuple[frozenset[str], dict[str, Claims]]:
        """Return the ids of the keys that may sign, and whose job it was that each token proves to have bound one."""
        trusted = {_read_key(path) for path in self.files}
        issuers = {issuer: keys_of_issuer(issuer) for issuer in self.issuers}
        proven = {}
        for key, token in tokens:
            claims = verified_claims(token, key, issuers)
            if claims is not None and all(claims.get(name) == value for name, value in self.claims.items()):
                trusted.add(key)
                proven[key] = shown(claims)
        return frozenset(trusted), proven


def trust_of(files: Iterable[Path], issuers: Iterable[str], claims: Iterable[str]) -> Trust:
    """Read the options. Raises DeclarationError for claims that strangers' jobs, or those of any branch, have too."""
    pairs = dict(_pair(claim) for claim in claims)
    made = Trust(tuple(files), tuple(issuers), pairs)
    if bool(made.issuers) != bool(pairs):
        raise DeclarationError(
            "--issuer and --claim go together, since an issuer signs for everybody: say whose jobs may sign, "
            "for example --issuer https://token.actions.githubusercontent.com --claim repository=acme/credentials "
            "--claim ref=refs/heads/main"
        )
    if pairs:
        _refuse_wide(pairs)
    return made


_WHOSE = frozenset({"repository", "repository_id", "project_path", "project_id"})
_REVIEWED = frozenset({"ref", "environment", "ref_protected"})
_BOTH = frozenset({"sub", "workflow_ref", "ci_config_ref_uri"})
_ANY_BRANCH = re.compile(r"refs/pull/.*|.*@refs/pull/.*|repo:[^:]+(:pull_request)?")
"""Values that a pull request's job has, or that name a repository and no more."""


def _refuse_wide(claims: Mapping[str, str]) -> None:
    """Raise DeclarationError where the job of any branch, or of anybody's repository, fits these claims."""
    narrow = {name for name, value in claims.items() if not _ANY_BRANCH.fullmatch(value) and value != "false"}
    if narrow & _BOTH or (narrow & _WHOSE and narrow & _REVIEWED):
        return
    if narrow & _REVIEWED:
        raise DeclarationError(
            "--claim: jobs of anybody's repository say this too; add whose it must be, for example --claim "
            "repository=acme/credentials (at GitLab project_path=)"
        )
    raise DeclarationError(
        "--claim: jobs of any branch say this too, and whoever may push a branch writes what its jobs run; add "
        "--claim ref=refs/heads/main (at GitLab ref=main and ref_protected=true), --claim environment= with one that "
        "only the reviewed branch may use, or --claim sub= with the whole subject"
    )


def _pair(claim: str) -> tuple[str, str]:
    name, separator, value = claim.partition("=")
    if not (name and separator and value):
        raise DeclarationError(f"--claim {claim!r}: write it as NAME=VALUE")
    return name, value


def _read_key(path: Path) -> str:
    with file_errors(str(path)):
        return read_public_key(path.read_bytes(), where=str(path))


def examine(stack: Stack, trust: Trust | None = None, anchors: Iterable[str] = ()) -> Verified:
    """Examine a stack's log with the reader's credentials: whoever remembers is asked before the log is read."""
    log = AuditLog(stack.ledgers.as_reader(), stack.identity, None)
    anchored = [read_anchors(where, stack.identity, Path.cwd()) for where in anchors]
    around = log.around()
    documents = log.segments()
    witnesses = (*around.witnesses, *_witnesses(anchored))
    found = examine_log(stack.identity, documents, witnesses)
    trusted, identities = None, {key: shown(claims_of(token)) for key, token in found.tokens}
    if trust is not None and trust.asked:
        trusted, proven = trust.keys(found.tokens)
        identities |= proven
        found = examine_log(stack.identity, documents, witnesses, trusted)
    compared = compare(around.ledgers, (record.entry for record in found.records))
    late = oldest_late(around.ledgers, stack.ledgers.as_reader().now()) if around.waiting else None
    return Verified(
        stack=stack.identity,
        log=_with(found, (*_spoilt(anchored), *_unread(around), *compared.defects)),
        trusted=trusted,
        identities=identities,
        anchors=tuple(f"{len(a.heads)} anchors in {a.where}" for a in anchored),
        waiting=around.waiting,
        late=late,
        ledgers=compared.ledgers,
        unattested=compared.unattested,
    )


def _witnesses(anchored: Iterable[Anchored]) -> list[Witness]:
    return [Witness(f"the anchor in {place.where}", head.position) for place in anchored for head in place.heads]


def _spoilt(anchored: Iterable[Anchored]) -> tuple[Defect, ...]:
    return tuple(
        Defect(Wrong.ALTERED, f"{place.spoilt} lines in {place.where} are no anchors: they were altered after signing")
        for place in anchored
        if place.spoilt
    )


def _unread(around: Around) -> tuple[Defect, ...]:
    return tuple(Defect(Wrong.UNREADABLE, f"{message}; it was not compared with the log") for message in around.damaged)


def _with(found: ExaminedLog, more: tuple[Defect, ...]) -> ExaminedLog:
    return replace(found, defects=(*found.defects, *more)) if more else found


@dataclass(frozen=True, slots=True)
class Verified:
    """A log that was examined, with what else is known: identities behind its keys, anchors asked, entries waiting.

    `trusted` None: nobody said which keys may sign. `identities`: the claims of a CI's token by key. `late` is of when
    the oldest entry is that waits too long. `ledgers` were compared with the log; `unattested` of their clients and
    generations were last changed by versions that did not record them.
    """

    stack: str
    log: ExaminedLog
    trusted: frozenset[str] | None = None
    identities: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    anchors: tuple[str, ...] = ()
    waiting: int = 0
    late: datetime | None = None
    ledgers: int = 0
    unattested: int = 0

    @property
    def sound(self) -> bool:
        """Say whether nothing is wrong with the log, and nothing is missing from it for too long."""
        return self.log.sound and self.late is None
