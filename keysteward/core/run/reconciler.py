"""Executes plans: the first step through the ports, its record in the ledger, plan again, until nothing is due.

Going on after a crash is the ordinary path: a run never asks what an earlier one did, only what is so. Every write to
a ledger is a compare-and-set that also renews this run's lease; see docs/life-of-a-credential.md.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, NoReturn

from keysteward.core.assess.examine import examine
from keysteward.core.contract.ports import Descriptor, Material, Stored
from keysteward.core.declare.spec import Spec
from keysteward.core.errors import Conflict, KeystewardError, LeaseHeld, OutcomeUnknown, Rejected, VersionConflict
from keysteward.core.findings import Finding
from keysteward.core.observe.attested import changed_facts
from keysteward.core.observe.snapshot import Snapshot, ledger_key, read_delivered
from keysteward.core.observe.world import Extent, World
from keysteward.core.plan.approval import Approval, unapproved
from keysteward.core.plan.effects import Outcome, about_to_disable, apply
from keysteward.core.plan.guards import LEASE_MEND, lease_of_another, lease_words
from keysteward.core.plan.order import decide
from keysteward.core.plan.planner import plan
from keysteward.core.plan.steps import Plan, Problem, Step, Wait
from keysteward.core.record.evidence import Entry
from keysteward.core.record.ledger import LEASE, Executed, Failed, Lease, Ledger, State, dump_ledger, load_ledger
from keysteward.core.record.steps import Also, At, Do
from keysteward.core.run.change import change
from keysteward.core.run.executor import Tools, Worker
from keysteward.core.run.outbox import numbered

_log = logging.getLogger(__name__)

LONGEST_WAIT = timedelta(minutes=1)
"""A run waits this long for a proof; what takes longer is left to the next run."""

MOST_STEPS = 80
"""A run that has not settled one credential after so many steps is going in circles: a defect, reported as one."""

WRITE_TRIES = 3


class Overruled(VersionConflict):
    """A person revoked the credential while a run worked on it: the run stops, the next one ends what it left."""


class _Stopped(Conflict):
    """What stops a run by its plan, which any look at the credential tells as well: no failure to be noted."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a run did to one credential: the steps in order, the ledger afterwards, and what is left to say."""

    identity: str
    ledger: Ledger | None
    done: tuple[Step, ...] = ()
    findings: tuple[Finding, ...] = ()
    wait: Wait | None = None


class Reconciler:
    """Carries out the plans of one stack. One instance serves all threads of a process."""

    def __init__(self, tools: Tools, snapshot: Snapshot) -> None:
        self.tools = tools
        self.snapshot = snapshot

    def run(
        self,
        identity: str,
        spec: Spec | None,
        *,
        approved: Approval | None = None,
        words: str | None = None,
        incarnation: str | None = None,
        given: Material | None = None,
        asked: frozenset[int] = frozenset(),
    ) -> Result:
        """Bring one credential to where nothing is due.

        `approved` is what the plan announced that a reviewer saw (None: any); a fresh step that ends or widens
        something and is not in it raises Conflict before anything is written. `words` are kept as the executed plan;
        every ledger written carries `incarnation`, when given. `given` is a value that a person hands over, `asked` the
        generations of which a person says that they have ended.
        Raises LeaseHeld when another run works on it, Conflict for a problem the plan names, and the ports' errors.
        """
        seen = self.snapshot.world(identity, spec)
        seen = replace(seen, me=replace(seen.me, given=self.fingerprint(given), asked=asked))
        due = decide(seen)
        renames = self.snapshot.extent is not Extent.LIFECYCLE and self.snapshot.renamed_halfway(seen)
        if due is None and not renames:
            raise_for_lease(seen)
            return Result(identity, seen.ledger, findings=examine(seen))
        return _Run(self, seen, approved, incarnation, given).go(due, words)

    def fingerprint(self, given: Material | None) -> str | None:
        """Return the fingerprint of a value that a person hands over; None for none, "" where there is no key yet."""
        if given is None:
            return None
        return "" if self.tools.fingerprint is None else self.tools.fingerprint(given.canonical.get_secret_value())

    def edit(
        self, identity: str, change_to: Callable[[Ledger], Ledger], *, command: str | None = None, words: str = ""
    ) -> Ledger | None:
        """Change one ledger outside of a run, by compare-and-set; None when there is none.

        A person's `command`, with its reason in `words`, becomes an entry of the audit log.
        """

        def renewed(stored: Stored) -> dict[str, Any] | None:
            if stored.document is None:
                return None
            before = load_ledger(stored.document, stored.version)
            ledger = change_to(before)
            return dump_ledger(ledger if command is None else self._noted(before, ledger, command, words))

        conflict = VersionConflict("its ledger keeps changing; run again", credential=identity)
        stored = change(self.tools.ledgers, ledger_key(identity), renewed, conflict)
        if stored.document is None:
            return None
        self.snapshot.ledgers[identity] = load_ledger(stored.document, stored.version)
        return self.snapshot.ledgers[identity]

    def enter(self, ledger: Ledger, *, command: str, words: str) -> Ledger:
        """Write a ledger that a person let be made from what is there, by compare-and-set on its version.

        Raises VersionConflict when somebody else wrote it meanwhile.
        """
        ledger = replace(
            self._noted(None, ledger, command, words),
            latest=self.tools.ledgers.now(),
            targets=descriptors(ledger.targets, {o.target for o in ledger.objects}, self.tools.targets),
            stores=descriptors(ledger.stores, {p.store for p in ledger.places}, self.tools.stores),
        )
        version = self.tools.ledgers.write(ledger_key(ledger.identity), dump_ledger(ledger), ledger.version)
        self.snapshot.ledgers[ledger.identity] = replace(ledger, version=version)
        return self.snapshot.ledgers[ledger.identity]

    def _noted(self, before: Ledger | None, ledger: Ledger, command: str, words: str) -> Ledger:
        """Add a person's command to the entries of a ledger, with what it changed."""
        if self.tools.author is None:
            return ledger
        owner = ledger.about.owner if ledger.about is not None else ""
        now = self.tools.ledgers.now()
        facts = changed_facts(before, ledger)
        entry = Entry("", now, ledger.identity, command, words, self.tools.author, owner=owner, recorded=facts)
        return replace(ledger, outbox=(*ledger.outbox, *numbered([entry], ledger.version)))

    def open_clock(self) -> tuple[datetime, float]:
        """Return the ledger store's time and the monotonic moment at which it was read."""
        return self.tools.ledgers.now(), self.tools.monotonic()


def raise_for_lease(world: World) -> None:
    """Raise LeaseHeld when another run works on this credential."""
    lease = lease_of_another(world)
    if lease is not None:
        raise LeaseHeld(f"{lease_words(lease)}; {LEASE_MEND}", credential=world.identity)


class _Run:
    """One credential's run: a fresh world, its worker, and the lease it holds."""

    def __init__(
        self,
        reconciler: Reconciler,
        seen: World,
        approved: Approval | None,
        incarnation: str | None = None,
        given: Material | None = None,
    ) -> None:
        self.tools = reconciler.tools
        self.snapshot = reconciler.snapshot
        self.seen = seen
        self.approved = approved
        self.incarnation = incarnation
        self.renamed_from: str | None = None
        self.read_at, self.read_mark = reconciler.open_clock()
        self.entries: list[Entry] = []
        self.found_lease: Lease | None = None
        self.worker = Worker(self.tools, self._fresh(seen), self.now, given)
        self.done: list[Step] = []
        self._note_takeover()

    @property
    def world(self) -> World:
        return self.worker.world

    @world.setter
    def world(self, world: World) -> None:
        self.worker.world = world

    def now(self) -> datetime:
        """Return the ledger store's time: read once, carried on by the monotonic clock; never before the ledger's."""
        now = self.read_at + timedelta(seconds=self.tools.monotonic() - self.read_mark)
        ledger = self.worker.world.ledger if hasattr(self, "worker") else None
        return max(now, ledger.latest) if ledger is not None and ledger.latest is not None else now

    def _fresh(self, seen: World) -> World:
        """Read this credential's ledger, objects and places anew."""
        own = self._read_ledger(seen.identity)
        known = self.snapshot.inherited(
            seen.identity, seen.spec, lambda name: own if name == seen.identity else self._read_ledger(name)
        )
        ledger, self.renamed_from = known.ledger, known.renamed_from
        if ledger is not None and ledger.identity != seen.identity:
            names = tuple(sorted({*ledger.names, ledger.identity} - {seen.identity}))
            version = own.version if own is not None else 0
            ledger = replace(ledger, identity=seen.identity, names=names, version=version)
        self.found_lease = ledger.lease if ledger is not None else None
        world = self.snapshot.world_of(seen.identity, seen.spec, replace(known, ledger=ledger))
        places = {p.key: p for p in (*(seen.spec.places if seen.spec else ()), *(ledger.places if ledger else ()))}
        delivered = read_delivered(self.tools.stores, places.values(), lenient=self.snapshot.only is not None)
        return replace(world, delivered=delivered, now=self.now(), me=seen.me)

    def _read_ledger(self, identity: str) -> Ledger | None:
        stored = self.tools.ledgers.read(ledger_key(identity))
        return None if stored.document is None else load_ledger(stored.document, stored.version)

    def _note(self, step: str, words: str, *, at: datetime, **facts: Any) -> None:  # noqa: ANN401 - fields of Entry
        """Keep one entry until the next write of the ledger takes it along; its id follows from that write."""
        ledger, author = self.world.ledger, self.tools.author
        if author is None:
            return
        about = ledger.about if ledger is not None else None
        owner = self.world.spec.owner if self.world.spec is not None else about.owner if about is not None else ""
        self.entries.append(Entry("", at, self.world.identity, step, words, author, owner=owner, **facts))

    def _note_takeover(self) -> None:
        """Keep what a run that died was about to do: whatever it did not record may have happened."""
        lease = self.found_lease
        if lease is not None and lease.runner != self.tools.runner:
            words = f"{lease.runner} did not finish: {lease.words}" if lease.words else f"{lease.runner} did not finish"
            self._note("take over", words, at=self.now(), outcome="unknown")

    def _note_step(self, before: World, step: Step, outcome: Outcome) -> None:
        if step.do is Do.CHECK and outcome.good:
            return
        ledger, generation = self.world.ledger, None
        if step.generation is not None and ledger is not None:
            generation = next((g for g in ledger.generations if g.number == step.generation), None)
        known = generation.evidence if generation is not None and step.do is Do.END else None
        evidence = "; ".join(filter(None, (step.why, known, outcome.reason if Also.TELLS in step.do.also else "")))
        self._note(
            step.do.value,
            step.words,
            at=outcome.at,
            generation=step.generation,
            fingerprint=generation.fingerprint if generation is not None else None,
            outcome="done" if outcome.good else "refused",
            evidence=evidence,
            recorded=changed_facts(before.ledger, ledger),
        )

    def go(self, due: Step | Wait | Problem | None, words: str | None) -> Result:
        """Look at the objects, check the approval, then step until nothing is due. `due` is what a first look found."""
        try:
            self._look_at_objects(due)
            self.world = self.snapshot.attest(self.world)
            raise_for_lease(self.world)
            shown = plan(self.world)
            if shown.problem is not None and not shown.steps:
                self._raise_problem(shown.problem)
            self._check_approval(shown.steps)
            wait = self._loop(words or self._words(shown))
        except LeaseHeld:
            raise
        except (OutcomeUnknown, VersionConflict):
            self._log_rest()
            raise
        except KeystewardError as error:
            raise self._free(error) or error from None
        finally:
            self.snapshot.absorb(self.seen, self.world)
        if self.renamed_from is not None:
            self._write(self.world.ledger, last=True)
        findings = examine(replace(self.world, now=self.now()))
        return Result(self.world.identity, self.world.ledger, tuple(self.done), findings, wait)

    def _raise_problem(self, problem: Problem) -> NoReturn:
        """Raise a problem, unless it is only that another run has changed the ledger since it was read."""
        stored, ledger = self._read_ledger(self.world.identity), self.world.ledger
        seen = 0 if ledger is None else ledger.version
        if stored is not None and self.renamed_from is None and stored.version != seen:
            raise VersionConflict("its ledger was changed by another run; run again", credential=self.world.identity)
        raise _Stopped(problem.message, credential=self.world.identity)

    def _free(self, error: KeystewardError) -> KeystewardError | None:
        """After an error whose outcome is known: note it, and give the lease back, so that the next run need not wait.

        Returns what a person should read in place of that error: that a revocation took the ground from under it.
        """
        ledger = self.world.ledger
        if ledger is None or ledger.closed is not None:
            return None
        holds = ledger.lease is not None and ledger.lease.runner == self.tools.runner
        failed = ledger.failed if isinstance(error, _Stopped) else Failed(self.now(), error.message)
        known = ledger.failed is not None and failed is not None and ledger.failed.reason == failed.reason
        if not holds and (failed is None or known or self.renamed_from is not None):
            return None
        try:
            self._write(replace(ledger, failed=failed), last=True)
        except KeystewardError as unwritten:
            _log.info("credential=%s operation=free outcome=failed", self.world.identity)
            return unwritten if isinstance(unwritten, Overruled) else None
        return None

    def _log_rest(self) -> None:
        """Put what the ledger did not take straight into the audit log: it was done, whoever has the ledger now."""
        if not self.entries or self.tools.record is None:
            return
        version = self.world.ledger.version if self.world.ledger is not None else 0
        try:
            self.tools.record(numbered(self.entries, version))
        except KeystewardError:
            _log.warning("credential=%s operation=log outcome=failed entries=%d", self.seen.identity, len(self.entries))

    def _look_at_objects(self, due: Step | Wait | Problem | None) -> None:
        """Read each living object once; a client that is to be created is looked for by its name."""
        ledger, spec = self.world.ledger, self.world.spec
        if ledger is not None and not ledger.closed:
            for record in ledger.objects:
                if not record.deleted:
                    self.worker.look(record)
        elif spec is not None and spec.adopt is None and isinstance(due, Step) and due.record is not None:
            self.worker.look(due.record)

    def _check_approval(self, steps: Iterable[Step]) -> None:
        """Refuse what ends or widens something and was not in the plan that a person saw; an executed plan is over."""
        ledger = self.world.ledger
        extra = unapproved(steps, self.approved, ledger.executed.count if ledger is not None else 0)
        if extra:
            raise _Stopped(
                f"the world changed since the preview: {'; '.join(extra)} was not in the plan; preview it again",
                credential=self.world.identity,
            )

    def _words(self, shown: Plan) -> str:
        count = self.world.ledger.executed.count if self.world.ledger else 0
        return f"#{count + 1} {shown.words}"

    def _loop(self, words: str) -> Wait | None:
        decision = self._decide()
        while len(self.done) < MOST_STEPS:
            if isinstance(decision, Step):
                self._check_approval([decision])
                decision = self._step(decision, words)
                continue
            if isinstance(decision, Wait) and decision.until - self._target_now() <= LONGEST_WAIT:
                self._wait(decision)
                decision = self._decide()
                continue
            self._give_back(words)
            if isinstance(decision, Problem):
                self._raise_problem(decision)
            return decision if isinstance(decision, Wait) else None
        raise KeystewardError(
            f"did not settle after {MOST_STEPS} steps, the last being {self.done[-1].words!r}; please report this",
            credential=self.world.identity,
        )

    def _decide(self) -> Step | Wait | Problem | None:
        """Name what comes next, at this moment."""
        self.world = self.snapshot.attest(replace(self.world, now=self.now()))
        return decide(self.world)

    def _target_now(self) -> datetime:
        """Return the time in the clock of the target that is waited for: the one whose proof is late."""
        ledger = self.world.ledger
        generation = ledger.unfinished if ledger is not None else None
        view = self.world.views.get(generation.target) if generation is not None else None
        skew = view.clock - view.taken_at if view is not None and view.clock is not None else timedelta()
        return self.now() + skew

    def _wait(self, wait: Wait) -> None:
        """Wait inside the run until a fresh look can prove what a lost answer left behind."""
        pause = max((wait.until - self._target_now()).total_seconds(), 0.0) + 1.0
        self.tools.tell(self.world.identity, f"waiting {pause:.0f} s: {wait.why}")
        self.tools.sleep(pause)
        started = self._target_now()
        views = {
            name: replace(view, started_at=max(started, view.started_at)) for name, view in self.world.views.items()
        }
        self.world = replace(self.world, views=views)
        if self.world.ledger is not None:
            for record in self.world.ledger.objects:
                if not record.deleted:
                    self.worker.look(record)

    def _step(self, step: Step, words: str) -> Step | Wait | Problem | None:
        """Do one step: the lease first, then the outward call, then its record. Returns what comes next."""
        self.tools.tell(self.world.identity, step.words)
        if step.do is Do.SUSPEND:
            self.world = about_to_disable(self.world, step)
            self._write(self.world.ledger, words=words)
        elif step.do.at is not At.LEDGER and self._lease_short():
            self._write(self.world.ledger, words=words)
        try:
            outcome = self.worker.act(step)
        except OutcomeUnknown:
            self._note(step.do.value, step.words, at=self.now(), generation=step.generation, outcome="unknown")
            self.done.append(step)
            if step.do is not Do.ISSUE or self.world.ledger is None:
                self._keep_entries(words, f"no answer came to: {step.words}")
                raise
            self._after_lost_mint(step)
            return self._decide()
        except KeystewardError as error:
            if not isinstance(error, Rejected) or Also.FINAL not in step.do.also:
                self._note(step.do.value, step.words, at=self.now(), outcome="refused", evidence=error.message)
                raise
            outcome = Outcome(at=self.now(), good=False, reason=error.message)
        self.done.append(step)
        if outcome is None:
            return self._decide()
        before = self.world
        self.world = apply(before, step, outcome)
        self._note_step(before, step, outcome)
        _log.info("credential=%s operation=%s generation=%s", before.identity, step.do, step.generation)
        following = self._decide()
        if self.world.ledger is not None and self.world.ledger != before.ledger:
            self._record(before, step, words, last=not isinstance(following, (Step, Wait)))
        return following

    def _keep_entries(self, words: str, reason: str) -> None:
        """Write down that an outcome is unknown, with the lease kept; it is no worse when that fails as well."""
        ledger = self.world.ledger
        try:
            self._write(None if ledger is None else replace(ledger, failed=Failed(self.now(), reason)), words=words)
        except KeystewardError:
            _log.info("credential=%s operation=note outcome=failed", self.world.identity)

    def _after_lost_mint(self, step: Step) -> None:
        """Go on only where the list can tell what became of a mint whose answer was lost; else the next run decides."""
        ledger = self.world.ledger
        generation = ledger.generation(step.generation or 0) if ledger is not None else None
        if generation is None or generation.nonce in self.world.me.unsent or generation.state is not State.INTENT:
            raise OutcomeUnknown("no answer came; the next run finds out what happened", credential=self.world.identity)

    def _record(self, before: World, step: Step, words: str, *, last: bool) -> None:
        """Write what a step did. The `last` one, behind which nothing is due, gives the lease back as well."""
        ledger = self.world.ledger
        try:
            self._write(self._through(ledger) if last else ledger, last=last, words=words)
        except VersionConflict:
            self._after_lost_race(before, step)
            raise

    def _after_lost_race(self, before: World, step: Step) -> None:
        """After a record that failed behind a mint: delete our own id only if the ledger gave that generation up."""
        if step.do is not Do.ISSUE or before.ledger is None or self.world.ledger is None:
            return
        mine = self.world.ledger.generation(step.generation or 0)
        stored = self._read_ledger(before.identity)
        if stored is None or mine.id is None:
            return
        known = next((g for g in stored.generations if g.number == mine.number), None)
        if known is not None and known.state in {State.ABANDONED, State.RETIRED}:
            self.worker.undo_mint(mine)
            why = "its ledger gave it up while it was issued"
            self._note(
                Do.END.value, f"end generation {mine.number}", at=self.now(), generation=mine.number, evidence=why
            )

    def _lease_short(self) -> bool:
        """Say whether the lease must be taken or renewed before an outward call."""
        ledger = self.world.ledger
        if ledger is None:
            return False
        lease = ledger.lease
        offers = [c for v in self.world.views.values() for c in (v.capabilities, v.key_capabilities) if c is not None]
        longest = max((can.call_timeout for can in offers), default=timedelta(seconds=30))
        return lease is None or lease.runner != self.tools.runner or lease.until - self.now() < longest

    def _give_back(self, words: str) -> None:
        """Give the lease back at the end, where the last step's record did not."""
        ledger = self.world.ledger
        if ledger is not None and ledger.lease is not None and ledger.lease.runner == self.tools.runner:
            self._write(self._through(ledger), last=True, words=words)

    @staticmethod
    def _through(ledger: Ledger | None) -> Ledger | None:
        """Return the ledger of a run that got through: what failed before is over."""
        return ledger if ledger is None or ledger.failed is None else replace(ledger, failed=None)

    def _write(self, ledger: Ledger | None, *, last: bool = False, words: str = "") -> None:
        """Write the ledger by compare-and-set, with the lease renewed, or given back with the executed words."""
        if ledger is None:
            return
        now = self.now()
        lease = None if last else Lease(self.tools.runner, now + LEASE, words)
        executed = ledger.executed
        if last and self.done and words and not ledger.closed:
            executed = Executed(executed.count + 1, words)
        ledger = replace(
            ledger,
            identity=self.world.identity,
            incarnation=self.incarnation or ledger.incarnation,
            lease=lease,
            latest=now,
            executed=executed,
            outbox=(*ledger.outbox, *numbered(self.entries, ledger.version)),
            targets=descriptors(ledger.targets, {o.target for o in ledger.objects}, self.tools.targets),
            stores=descriptors(ledger.stores, {p.store for p in ledger.places}, self.tools.stores),
        )
        version = self._compare_and_set(ledger)
        self.entries = []
        self.world = replace(self.world, ledger=replace(ledger, version=version))
        if self.renamed_from is not None:
            self._close_renamed(self.renamed_from)

    def _close_renamed(self, name: str) -> None:
        """Close the ledger of the old name: its credential goes on under the new one."""
        old = self._read_ledger(name)
        if old is not None and old.closed is None:
            self._compare_and_set(replace(old, closed=self.now(), lease=None))
        self.snapshot.ledgers.pop(name, None)
        self.renamed_from = None

    def _compare_and_set(self, ledger: Ledger) -> int:
        """Write; when the answer is lost, read back whether it was ours that arrived."""
        key, document, why = ledger_key(ledger.identity), dump_ledger(ledger), ""
        for _ in range(WRITE_TRIES):
            try:
                return self.tools.ledgers.write(key, document, ledger.version)
            except VersionConflict:
                raise self._lost_race(ledger.identity) from None
            except OutcomeUnknown as error:
                why = error.message
                stored = self.tools.ledgers.read(key)
                if stored.document == document:
                    return stored.version
                if stored.version != ledger.version:
                    raise self._lost_race(ledger.identity) from None
        raise OutcomeUnknown(f"its ledger could not be written: {why}", credential=ledger.identity)

    def _lost_race(self, identity: str) -> VersionConflict:
        """Return the error of a write that came too late: another run's, or a revocation, which breaks every lease."""
        stored = self._read_ledger(identity)
        known = self.world.ledger.revoked if self.world.ledger is not None else None
        if stored is not None and stored.revoked is not None and stored.revoked != known:
            words = (
                f"it was revoked meanwhile ({stored.revoked.reason}); this run stops, the next one ends what is left"
            )
            return Overruled(words, credential=identity)
        return VersionConflict("its ledger was changed by another run; run again", credential=identity)


def descriptors(known: Mapping[str, Any], names: set[str], ports: Mapping[str, Any]) -> dict[str, Any]:
    """Keep how to reach targets and stores, so that ending works without the program."""
    kept = dict(known)
    for name in names:
        if name in ports:
            descriptor: Descriptor = ports[name].descriptor
            kept[name] = {"kind": descriptor.kind, "settings": dict(descriptor.settings)}
    return kept
