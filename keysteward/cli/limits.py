"""What is checked before the first write of a run: how many credentials it would leave without a working secret."""

from __future__ import annotations

from keysteward.core.declare.stack import Limit
from keysteward.core.errors import LimitExceeded
from keysteward.core.plan.blast_radius import ALLOW_ENDING, how_to_allow, how_to_revoke
from keysteward.operations.session import allowance
from keysteward.report.run.plan import Preview

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
