"""Bugs to be planted one at a time: each a small change of one file of the planner or the reconciler.

Every one of them switches off a rule of docs/safety.md; the simulation must find it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutant:
    """One bug: changes of files of `keysteward/core`, each of a text that stands there exactly once.

    Where two places guard the same rule, the bug is in both.
    """

    name: str
    changes: tuple[tuple[str, str, str], ...]


MUTANTS = (
    Mutant(
        "ledger before store at promote",
        (
            (
                "making.py",
                "    if missing:\n        places = ",
                "    if missing and ledger.current is generation:\n        places = ",
            ),
        ),
    ),
    Mutant(
        "no fence before an ending",
        (
            (
                "retiring.py",
                '    return Step(Do.RETIRE, f"retire generation {generation.number}", why, generation.number, headline=True)',
                '    return Step(Do.END, f"retire generation {generation.number}", why, generation.number, headline=True)',
            ),
        ),
    ),
    Mutant(
        "no nonce: an intent is sent by whoever finds it",
        (
            (
                "making.py",
                "    if generation.nonce not in w.me.unsent:\n        return resolve_lost(w, ledger, generation)\n",
                "",
            ),
        ),
    ),
    Mutant(
        "regenerate without a look",
        (
            (
                "worker.py",
                "        if current is None or primary is None or primary.fingerprint != current.fingerprint:\n            return None\n",
                "        if current is None or primary is None:\n            return None\n",
            ),
            (
                "making.py",
                "    if _holds(rotated, current):\n        return _issue(generation)\n    shown =",
                "    shown =",
            ),
            (
                "making.py",
                "    if shown and not _holds(primary, current):\n        return Step(",
                "    if shown and not primary:\n        return Step(",
            ),
        ),
    ),
    Mutant(
        "numbers are used again",
        (
            (
                "effects.py",
                "    ledger = replace(ledger, generations=(*ledger.generations, generation), next=ledger.next + 1)",
                "    ledger = replace(ledger, generations=(*ledger.generations, generation), next=max(ledger.next, 2))",
            ),
        ),
    ),
    Mutant(
        "an orphan by name is not swept",
        (
            (
                "making.py",
                "    named = [s for s in strangers if s.name and generation.nonce in s.name]",
                "    named: list[ObservedSecret] = []",
            ),
        ),
    ),
    Mutant(
        "revoked credentials get something new",
        (("retiring.py", "    return stop if numbers is None and w.spec is not None else None", "    return None"),),
    ),
    Mutant(
        "a rename forgets the old ledger",
        (
            (
                "reconciler.py",
                "        if self.renamed_from is not None:\n            self._write(self.world.ledger, last=True)\n",
                "        if self.renamed_from is not None:\n            self._close_renamed(self.renamed_from)\n",
            ),
        ),
    ),
    Mutant(
        "a disabled client is taken for a dead secret",
        (
            (
                "planner.py",
                "        if record is not None and found is not None and not found.enabled and not record.suspended:\n            return NOTHING",
                "        if record is not None and found is not None and not found.enabled and not record.suspended:\n            return None",
            ),
        ),
    ),
    Mutant(
        "a ledger older than its deliveries is believed",
        (
            (
                "rebuild.py",
                "        if entry.generation >= (ledger.next if ledger is not None else 1) or promised:",
                "        if promised and entry.generation < 0:",
            ),
        ),
    ),
)
