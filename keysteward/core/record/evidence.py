"""Evidence: what one changing step did, who ran it, from which commit and under which approved plan. Never a secret."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime


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
