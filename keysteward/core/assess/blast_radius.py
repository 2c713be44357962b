"""The brake on endings: how many credentials may be ended within a day, and which need a person's word. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from keysteward.core.declare.environments import is_production
from keysteward.core.declare.spec import DECOMMISSION_GRACE
from keysteward.core.declare.stack import Limit
from keysteward.core.errors import Damaged
from keysteward.core.identity import name_of
from keysteward.core.observe.keys import is_off, ours
from keysteward.core.observe.world import World
from keysteward.core.plan.steps import Step
from keysteward.core.record.ledger import Ledger
from keysteward.core.record.steps import Also, Do

DAY = timedelta(hours=24)
ALLOW_ENDING = "KEYSTEWARD_ALLOW_ENDING"


def ends(before: World, steps: Iterable[Step], after: World) -> bool:
    """Say whether something works before these steps and nothing after them, by one that takes it away."""
    return any(Also.STOPS in step.do.also for step in steps) and works(before) and not works(after)


def works(world: World) -> bool:
    """Say whether a target shows an enabled secret of a generation that lives."""
    ledger = world.ledger
    if ledger is None:
        return False
    for generation in ledger.generations:
        record = ledger.object_of(generation)
        found = world.moved_to(generation) or world.object(record)
        if generation.live and found is not None and not is_off(record, found, generation):
            return True
    return False


def must_be_allowed(w: World, now: datetime) -> str | None:
    """Say why deleting this credential needs a person's word; None when it does not.

    It does when it was used in the last 24 hours, or when its use cannot be shown and its environment counts as
    production (an unknown word does), unless it was decommissioned a week ago. What never worked and what is only
    released needs none.
    """
    ledger = w.ledger
    if ledger is None or ledger.closed is not None or _nothing_to_lose(ledger):
        return None
    about = ledger.about
    if about is not None and about.decommission is not None and now >= about.decommission + DECOMMISSION_GRACE:
        return None
    last_use = _last_use(w, ledger)
    if last_use is not None:
        return f"it was used on {last_use:%Y-%m-%d %H:%M} UTC" if now - last_use < DAY else None
    shows = any((can := w.can(record)) is not None and can.last_use for record in ledger.objects)
    if shows or (about is not None and not is_production(about.environment)):
        return None
    return "it is a production credential, and its target cannot show whether it is still used"


def _nothing_to_lose(ledger: Ledger) -> bool:
    return ledger.only_released or not any(generation.live for generation in ledger.generations)


def _last_use(w: World, ledger: Ledger) -> datetime | None:
    times = []
    for record in ledger.objects:
        found = w.object(record)
        if found is not None:
            secrets = ours(ledger, record, found) if record.holder else found.secrets
            times += [None if record.holder else found.last_used, *(s.last_used for s in secrets)]
    for generation in ledger.generations:
        there = w.moved_to(generation) if generation.live else None
        times += [s.last_used for s in there.secrets if s.id == generation.id] if there is not None else []
    return max((t for t in times if t is not None), default=None)


def ending_needs(why: str | None) -> str:
    """Return what to add to an advice that would end something: the variable, where a person's word is needed."""
    return "" if why is None else f", which needs {ALLOW_ENDING}=1, since {why}"


def how_to_allow(name: str, why: str, allowed: int) -> str:
    """Return the sentence of a refused ending: why, how to restore, and how to allow it."""
    return (
        f"{why}. Restore the declaration of {name!r}; or declare decommission=<date> on it, which suspends it then, "
        f"and remove it a week later; or allow it now with {ALLOW_ENDING}={allowed}"
    )


def how_to_revoke(name: str, why: str, allowed: int) -> str:
    """Return the sentence of a record that would end what works: anybody can write one, so that it needs a word."""
    return (
        f"{why}, and the record of a revocation would end it. If it has to end: keysteward revoke {name} --all "
        f"--reason TEXT, or allow the record with {ALLOW_ENDING}={allowed}; if the record is wrong: keysteward lift "
        f"{name} --reason TEXT"
    )


def word_for(w: World, steps: Iterable[Step], now: datetime) -> str | None:
    """Say why what a plan ends as a whole needs a person's word; None when it does not, or ends nothing so.

    The record of a revocation ends without one what is disabled already.
    """
    by_record = any(step.do is Do.REVOKE for step in steps) and works(w)
    return must_be_allowed(w, now) if w.spec is None or by_record else None


@dataclass(frozen=True, slots=True)
class Ending:
    """One ending about to happen: whose, when, why it needs a person's word (None: it does not).

    `recorded` says that it is the record of a revocation that would end it.
    """

    identity: str
    at: datetime
    why: str | None
    open_ledgers: int
    recorded: bool = False


def _recent(document: Mapping[str, Any] | None, ending: Ending) -> list[dict[str, Any]]:
    """Return what was ended within a day. Raises Damaged when the document does not say it: then nothing may end."""
    try:
        known = [
            {"identity": str(e["identity"]), "at": e["at"], "open": int(e["open"]), "needed": bool(e.get("needed"))}
            for e in (document or {}).get("endings", ())
        ]
        return [e for e in known if ending.at - datetime.fromisoformat(e["at"]) < DAY]
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        pass
    raise Damaged(
        "the count of endings in the ledger store (endings/ and the stack) cannot be read, so nothing is ended: "
        "restore that document from a backup, or delete it, and the last day's endings count as none",
        credential=ending.identity,
    )


def note_ending(
    document: Mapping[str, Any] | None, ending: Ending, limit: Limit, allowed: int
) -> tuple[dict[str, Any], str | None]:
    """Count one more ending of the last day; returns the document to write, and why it must not be (or None).

    An ending noted already (by a run that died) counts once. `allowed` is how many endings a person has allowed:
    it lifts the limit, and the permission that single endings need, for so many credentials within a day.
    """
    recent = _recent(document, ending)
    noted = next((e for e in recent if e["identity"] == ending.identity), None)
    if noted is None:
        noted = {"identity": ending.identity, "at": ending.at.isoformat(), "open": ending.open_ledgers}
        recent.append(noted)
    noted["needed"] = bool(noted.get("needed")) or ending.why is not None
    needed = sum(1 for e in recent if e.get("needed"))
    of = max(e["open"] for e in recent)
    refused = None
    if ending.why is not None and needed > allowed:
        say = how_to_revoke if ending.recorded else how_to_allow
        refused = say(name_of(ending.identity), ending.why, needed)
    elif limit.exceeded(len(recent), of) and len(recent) > allowed:
        refused = (
            f"{len(recent)} of {of} credentials would have been ended within a day, and the limit is {limit.count} "
            f"or {limit.share:.0%}; restore the declarations, or allow it with {ALLOW_ENDING}={len(recent)}"
        )
    return {"format": 1, "endings": recent}, refused
