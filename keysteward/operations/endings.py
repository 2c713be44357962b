"""How many credentials may lose their last working secret: checked for a whole plan, and counted as each ends."""

from __future__ import annotations

import os
from typing import Any

from keysteward.core.assess.blast_radius import (
    ALLOW_ENDING,
    Ending,
    how_to_allow,
    how_to_revoke,
    must_be_allowed,
    note_ending,
    works,
)
from keysteward.core.contract.ports import Stored
from keysteward.core.declare.stack import Limit
from keysteward.core.errors import Conflict, DeclarationError, LimitExceeded, VersionConflict
from keysteward.core.observe.world import World
from keysteward.core.plan.planner import plan
from keysteward.core.run.change import change
from keysteward.operations.session import Session
from keysteward.operations.stack_plan import Preview

_SHOWN = 5


def check_endings(planned: Preview, limit: Limit, open_ledgers: int) -> None:
    """Raise LimitExceeded when a preview would end too much, or ends something without a person's word.

    KEYSTEWARD_ALLOW_ENDING=n lifts both for n credentials. Whole stack: `open_ledgers` counts all that could be lost.
    """
    allowed = allowance()
    stopped = [c for c in planned.credentials if c.plan.problem is not None and not c.plan.steps]
    needing = [c for c in planned.credentials if c.word is not None and c not in stopped]
    if len(needing) > allowed and needing[0].word is not None:
        say = how_to_allow if needing[0].plan.by_record is None else how_to_revoke
        raise LimitExceeded(say(needing[0].name, needing[0].word, len(needing)), credential=needing[0].name)
    ending = [c.name for c in planned.credentials if c.ends]
    if limit.exceeded(len(ending), open_ledgers) and len(ending) > allowed:
        more = f" and {len(ending) - _SHOWN} more" if len(ending) > _SHOWN else ""
        raise LimitExceeded(
            f"{len(ending)} of {open_ledgers} credentials would be left without a working secret "
            f"({', '.join(ending[:_SHOWN])}{more}), and the limit is {limit.count} or {limit.share:.0%}; nothing was "
            f"changed. Restore the declarations, or allow it with {ALLOW_ENDING}={len(ending)}"
        )


def allowance() -> int:
    """Return how many endings KEYSTEWARD_ALLOW_ENDING allows; 0 when it is not set. Raises DeclarationError."""
    text = os.environ.get(ALLOW_ENDING) or "0"
    if not text.isdecimal():
        raise DeclarationError(f"{ALLOW_ENDING} must be a number of credentials, such as 1")
    return int(text)


def allow_ending(session: Session, identity: str, *, recorded: bool = False) -> None:
    """Count one ending before it is done. Raises LimitExceeded with what to do when it must not be.

    One by the record of a revocation (`recorded`) is none where nothing works any more.
    Raises Conflict when a problem keeps anything of it from being ended, so that no permission would help.
    Permission and limit are those of docs/what-is-deleted.md; KEYSTEWARD_ALLOW_ENDING=n lifts both for n.
    """
    allowed = allowance()
    world = session.snapshot.world(identity, None)
    if not _ends_something(world) or (recorded and not works(world)):
        return
    shown = plan(world)
    if shown.problem is not None and not shown.steps:
        raise Conflict(shown.problem.message, credential=identity)
    key = f"endings/{session.stack}"
    ending = Ending(
        identity=identity,
        at=session.ledgers.now(),
        why=must_be_allowed(world, session.snapshot.at),
        open_ledgers=sum(1 for ledger in list(session.snapshot.ledgers.values()) if ledger.closed is None),
        recorded=recorded,
    )

    def counted(stored: Stored) -> dict[str, Any]:
        document, refused = note_ending(stored.document, ending, session.limit or Limit(), allowed)
        if refused is not None:
            raise LimitExceeded(refused, credential=identity)
        return document

    conflict = VersionConflict("the count of endings keeps changing; run again", credential=identity)
    change(session.ledgers, key, counted, conflict)


def _ends_something(world: World) -> bool:
    ledger = world.ledger
    return ledger is not None and ledger.closed is None and not ledger.only_released
