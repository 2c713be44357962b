"""Evidence: what one changing step did, who ran it, from which commit and under which approved plan. Never a secret."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Author:
    """Who changes something. All words are as the environment tells them; "unknown" where it does not.

    `actor` is a person or a CI identity, `commit` the revision of the declarations, `door` "keysteward" or "pulumi",
    `plan` the digest of the approved plan ("" when nothing was approved beforehand), `runner` the run's id.
    """

    runner: str
    actor: str = "unknown"
    commit: str = "unknown"
    door: str = "keysteward"
    plan: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """One changing step as it is kept in the log. `at` is aware UTC in the ledger store's clock.

    `id` is unique and stable: the same step written twice (by a run that died in between) has the same one. `step` is
    a step's name ("issue", "retire", ...) or a person's command ("revoke", "hold", ...); `outcome` is "done",
    "refused" or "unknown"; `evidence` says why a generation could end, or what a proof showed. `recorded` is what the
    ledger says since, of each client and generation that the step changed (keysteward.core.observe.attested).
    """

    id: str
    at: datetime
    identity: str
    step: str
    words: str
    author: Author
    generation: int | None = None
    fingerprint: str | None = None
    outcome: str = "done"
    evidence: str = ""
    owner: str = ""
    recorded: Mapping[str, Mapping[str, str]] | None = None


class Do(StrEnum):
    """What one step does; the comment says where: at the target (T), in the stores (S), in the ledger only (L)."""

    ADOPT = "adopt"  # L
    MARK = "mark"  # T
    NAME = "name"  # T: our client gets its client_id back; L: the one that others gave to theirs is taken over
    UPDATE = "update"  # T
    PREPARE = "prepare"  # T
    BEGIN = "begin"  # L
    STAGE = "stage"  # S
    CREATE = "create"  # T
    FENCE = "fence"  # L, before SHIFT
    SHIFT = "shift"  # T
    RESTORE = "restore"  # T: the current secret's value is put back into its slot
    ISSUE = "issue"  # T
    RECOVER = "recover"  # L: the store shows what was issued
    RESUME = "resume"  # T
    VERIFY = "verify"  # T
    PROMOTE = "promote"  # S
    SETTLE = "settle"  # L
    ABANDON = "abandon"  # L
    RETIRE = "retire"  # L, the fence before END
    END = "end"  # T, S
    CHECK = "check"  # T
    NOTIFY = "notify"  # the consumer's webhook
    ROLLBACK = "rollback"  # S
    SUSPEND = "suspend"  # T
    RECORD = "record"  # L
    KEEP = "keep"  # L: what was made safer on an adopted client
    DELETE = "delete"  # T
    EMPTY = "empty"  # S
    DISCARD = "discard"  # S: one generation's plaintext at one place
    RELEASE = "release"  # T
    CLOSE = "close"  # L
    MIGRATE = "migrate"  # L: its consumers use a client instead
    REVOKE = "revoke"  # L: the record of a revocation without the ledger store is noted
