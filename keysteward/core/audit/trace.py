"""From a fingerprint to the credential: whose a secret is, whether it still works, and what to do. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from keysteward.core.record.ledger import Generation, Ledger, State


class Works(StrEnum):
    """Whether a secret still works, as far as its ledger tells."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Trace:
    """One generation as somebody who found its secret must know it. `words` say what `works` rests on."""

    ledger: Ledger
    generation: Generation
    works: Works
    words: str

    @property
    def name(self) -> str:
        """Return the name without the stack."""
        return self.ledger.name


_LIVING = {
    State.CURRENT: (Works.YES, "it still works: consumers use it"),
    State.PREVIOUS: (Works.YES, "it still works until its overlap ends"),
    State.RETIRING: (Works.UNKNOWN, "it may still work: its retirement has begun, and the next run ends it"),
    State.VERIFIED: (Works.YES, "it works: it is about to be delivered"),
    State.ISSUED: (Works.YES, "it works: it is not proven yet"),
    State.INTENT: (Works.UNKNOWN, "it may work: issuing it was begun, and the next run finds out"),
    State.ABANDONED: (Works.UNKNOWN, "it may still work: it was given up, and a run ends it"),
}


def trace(ledger: Ledger, generation: Generation) -> Trace:
    """Say from the ledger alone what is known of one generation."""
    works, words = _living(ledger, generation)
    return Trace(ledger, generation, works, words)


def _living(ledger: Ledger, generation: Generation) -> tuple[Works, str]:
    record = next((o for o in ledger.objects if o.key == generation.object), None)
    if generation.state is State.RETIRED:
        when = f" on {generation.ended_at:%Y-%m-%d %H:%M} UTC" if generation.ended_at is not None else ""
        return Works.NO, f"it does not work any more: it ended{when}"
    if ledger.closed is not None:
        return Works.NO, f"it does not work any more: its credential ended on {ledger.closed:%Y-%m-%d}"
    if record is not None and record.deleted:
        return Works.NO, f"it does not work any more: client {record.client_id} was deleted"
    if ledger.ended_elsewhere == generation.number:
        return Works.NO, "it does not work any more: it was ended at the target, not by keysteward"
    if record is not None and record.suspended:
        return Works.NO, f"it does not work while {record.noun} is disabled, and works again after that"
    revoked = ledger.revoked
    if revoked is not None and (revoked.generations is None or generation.number in revoked.generations):
        return Works.UNKNOWN, f"it may still work: it is revoked ({revoked.reason}), and the next run ends it"
    return _LIVING[generation.state]


def traces(ledgers: Iterable[Ledger], key_id: str) -> dict[str, list[Trace]]:
    """Return every generation whose fingerprint was made with this key, by fingerprint without the key's id.

    A credential that was renamed is known by its new name.
    """
    found: dict[str, list[Trace]] = {}
    for ledger in ledgers:
        for generation in ledger.generations:
            made_with, _, fingerprint = (generation.fingerprint or "").partition(":")
            if made_with == key_id and fingerprint:
                found.setdefault(fingerprint, []).append(trace(ledger, generation))
    return {fingerprint: _renamed(known) for fingerprint, known in found.items()}


def _renamed(known: list[Trace]) -> list[Trace]:
    nonces = {t.generation.nonce for t in known if t.ledger.closed is None}
    return [t for t in known if t.ledger.closed is None or t.generation.nonce not in nonces]


def other_keys(ledgers: Iterable[Ledger], key_id: str) -> int:
    """Count the generations whose fingerprints were made with another key, and so cannot be compared."""
    fingerprints = [g.fingerprint for ledger in ledgers for g in ledger.generations if g.fingerprint]
    return sum(1 for fingerprint in fingerprints if fingerprint.partition(":")[0] != key_id)


def what_next(found: Trace, *, secret: bool, declared: bool) -> list[tuple[str, str]]:
    """Return the commands to run, each with what it does; empty when nothing has to be done."""
    if not secret or (found.works is Works.NO and not _may_come_back(found)):
        return []
    if found.generation.strategy.by_person:
        return _by_hand(found, declared=declared)
    number, name = found.generation.number, found.name
    revoke = (f"keysteward revoke {name} --generation {number} --reason TEXT", "end this one at once")
    if found.generation.state is not State.CURRENT:
        return [revoke]
    reissue = (f"keysteward reissue {name} --reason TEXT", "a new secret now, and this one ends once it is delivered")
    earlier = [g.number for g in found.ledger.generations if g.state is State.PREVIOUS]
    then = f"go back to generation {max(earlier)}" if earlier and declared else "stop until a new one is issued"
    stops = (revoke[0], f"end this one at once: its consumers {then}")
    return [reissue, stops] if declared else [stops]


def _by_hand(found: Trace, *, declared: bool) -> list[tuple[str, str]]:
    """Return the commands for a key that only a person can end; each follows on what that person did at its system."""
    number, name, system = found.generation.number, found.name, found.generation.target
    again = "" if declared else "once it is declared again, and "
    ended = (f"keysteward deliver {name} --ended {number}", f"{again}once a person has ended it at {system}")
    new = (f"keysteward deliver {name}", f"once a person has made a new one at {system}")
    return [new, ended] if declared and found.generation.state is State.CURRENT else [ended]


def _may_come_back(found: Trace) -> bool:
    """Say whether what does not work now works again when somebody enables its client."""
    records = found.ledger.objects
    suspended = any(o.key == found.generation.object and o.suspended and not o.deleted for o in records)
    return found.ledger.closed is None and found.generation.state is not State.RETIRED and suspended
