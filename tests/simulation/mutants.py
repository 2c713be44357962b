"""Bugs to be planted one at a time: each a small change of the planner or the reconciler.

Every one of them switches off a rule of docs/safety.md; the simulation must find it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutant:
    """One bug: changes of files of `keysteward/core`, each of a text that stands there exactly once.

    Where several places guard the same rule, the bug is in all of them. `family` names the scenarios of `sim_dense` in
    which the rule is needed most often.
    """

    name: str
    changes: tuple[tuple[str, str, str], ...]
    family: str = "years"


MUTANTS = (
    Mutant(
        "ledger before store at promote",
        (
            (
                "plan/issue.py",
                "    if missing:\n        places = ",
                "    if missing and ledger.current is generation:\n        places = ",
            ),
        ),
    ),
    Mutant(
        "no fence before an ending",
        (
            (
                "plan/retire.py",
                '    return Step(Do.RETIRE, f"retire generation {generation.number}", why, generation.number, headline=True)',
                '    return Step(Do.END, f"retire generation {generation.number}", why, generation.number, headline=True)',
            ),
        ),
    ),
    Mutant(
        "no nonce: an intent is sent by whoever finds it",
        (
            (
                "plan/issue.py",
                "    if generation.nonce not in w.me.unsent:\n        return resolve_lost(w, ledger, generation)\n",
                "",
            ),
        ),
        family="struck",
    ),
    Mutant(
        "regenerate without a look",
        (
            (
                "run/executor.py",
                "        if current is None or primary is None or primary.fingerprint != current.fingerprint:\n            return None\n",
                "        if current is None or primary is None:\n            return None\n",
            ),
            (
                "plan/issue.py",
                "    if _holds(rotated, current):\n        return _issue(generation)\n    shown =",
                "    shown =",
            ),
            (
                "plan/issue.py",
                "    if shown and not _holds(primary, current):\n        return Step(",
                "    if shown and not primary:\n        return Step(",
            ),
        ),
    ),
    Mutant(
        "numbers are used again",
        (
            (
                "plan/effects.py",
                "    ledger = replace(ledger, generations=(*ledger.generations, generation), next=ledger.next + 1)",
                "    ledger = replace(ledger, generations=(*ledger.generations, generation), next=max(ledger.next, 2))",
            ),
        ),
    ),
    Mutant(
        "an orphan by name is not swept",
        (
            (
                "plan/issue.py",
                "    named = [s for s in strangers if s.name and generation.nonce in s.name]",
                "    named: list[ObservedSecret] = []",
            ),
        ),
        family="struck",
    ),
    Mutant(
        "revoked credentials get something new",
        (("plan/retire.py", "    return stop if numbers is None and w.spec is not None else None", "    return None"),),
    ),
    Mutant(
        "a rename forgets the old ledger",
        (
            (
                "run/reconciler.py",
                "        if self.renamed_from is not None:\n            self._write(self.world.ledger, last=True)\n",
                "        if self.renamed_from is not None:\n            self._close_renamed(self.renamed_from)\n",
            ),
        ),
    ),
    Mutant(
        "a disabled client is taken for a dead secret",
        (
            (
                "plan/guards.py",
                "        if is_off(record, found, generation):\n            return tidy(w) or NOTHING",
                "        if is_off(record, found, generation):\n            return None",
            ),
        ),
    ),
    Mutant(
        "a ledger older than its deliveries is believed",
        (
            (
                "observe/unrecorded.py",
                "        if entry.generation >= following or (entry.generation in promised and not staged):",
                "        if promised and entry.generation < 0:",
            ),
        ),
    ),
    Mutant(
        "absence believed at once: what an answer that was lost left behind",
        (("plan/issue.py", "    if view.started_at < proof_at:\n", "    if proof_at < asked:\n"),),
        family="struck",
    ),
    Mutant(
        "absence believed at once: a delivered secret that a list does not show",
        (
            (
                "run/reconciler.py",
                "                if not record.deleted:\n                    self.worker.look(record)\n        elif",
                "                if not record.deleted and record.remote_id is None:\n                    self.worker.look(record)\n        elif",
            ),
            (
                "run/executor.py",
                '        """Find out whether a secret that the list does not show is dead: look again, then use it."""\n',
                "        return Outcome(at=self.clock(), good=step.generation == self.ledger.rollback, reason=step.why)\n",
            ),
        ),
        family="struck",
    ),
    Mutant(
        "no lease",
        (
            (
                "plan/guards.py",
                "    return lease if lease is not None and lease.runner != w.me.runner and lease.until > w.now else None",
                "    return None",
            ),
            (
                "run/reconciler.py",
                "        return lease is None or lease.runner != self.tools.runner or lease.until - self.now() < longest",
                "        return False",
            ),
            (
                "run/reconciler.py",
                "        lease = None if last else Lease(self.tools.runner, now + LEASE, words)",
                "        lease = None",
            ),
        ),
        family="paused",
    ),
    Mutant(
        "a suspect is taken for ours",
        (
            (
                "plan/issue.py",
                "generation.number, suspects=suspects)",
                "generation.number, secret_id=next(iter(suspects), None))",
            ),
        ),
        family="beset",
    ),
    Mutant(
        "a proof without patience",
        (
            (
                "run/executor.py",
                "        pause = timedelta(seconds=1)\n        verification = target.verify(claim)\n",
                "        patience, pause = timedelta(), timedelta(seconds=1)\n        verification = target.verify(claim)\n",
            ),
        ),
        family="struck",
    ),
    Mutant(
        "no last look before an ending",
        (
            (
                "run/executor.py",
                "            refused = self._current_refused(current)\n",
                "            refused = None\n",
            ),
        ),
        family="bereft",
    ),
)
