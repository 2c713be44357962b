"""The simulated world: a stack over years, with runs that are struck at any call, strangers, people and clocks.

Everything but time and chance is real: declarations, planner, reconciler, worker, ledgers. Runners are greenlets, so
that two of them interleave call by call, and the same scenario always gives the same story.
"""

from __future__ import annotations

import copy
import hashlib
import itertools
from collections import Counter
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random

from greenlet import greenlet
from previews import Previewed, previewed
from sim_credential import Credential, holder_of
from sim_people import Declarations, People, Strangers
from sim_ports import SimLedgers, SimStore, SimTarget
from sim_scenario import KEY_PROFILES, PAUSED, PROFILES, Action, Fault, Scenario
from sim_watch import Broken, Watch

from keysteward.core.assess.examine import assess
from keysteward.core.assess.now import findings_now
from keysteward.core.declare.spec import Spec
from keysteward.core.errors import KeystewardError, OutcomeUnknown, Unavailable
from keysteward.core.findings import Finding
from keysteward.core.observe.snapshot import Snapshot, Sources, ledger_key
from keysteward.core.observe.world import Extent
from keysteward.core.plan.steps import Plan
from keysteward.core.record.evidence import Author, Entry
from keysteward.core.record.ledger import LEASE, Ledger, Logged, load_ledger
from keysteward.core.run.executor import Tools
from keysteward.core.run.outbox import flush
from keysteward.core.run.reconciler import Reconciler
from keysteward.testing.memory import Clock, Mint

STACK = "acme/sim"
READS = frozenset({"observe", "look", "verify", "delivered", "read", "list"})
STORM_SHARE = 0.3
PAUSE = (10.0, (LEASE - timedelta(minutes=2)).total_seconds())
"""Seconds for which a paused process stands still, at least and at most."""


class Killed(BaseException):
    """The process is gone: nothing after this line ran."""


def fingerprint(text: str) -> str:
    """Name a value."""
    return "k:" + hashlib.sha256(text.encode()).hexdigest()[:12]


@dataclass
class Runner:
    """One process: what strikes it, and where it is. `meddled` is the call before which a stranger acted last."""

    name: str
    faults: dict[int, str]
    rng: Random
    extent: Extent = Extent.ALL
    stormy: bool = False
    calls: int = 0
    meddled: int = -2
    doubled: bool = False
    wakes: float = 0.0
    fault: str | None = None
    before: object = None
    green: greenlet = field(init=False)


class Simulation:
    """One scenario under way. `story` tells it; `counts` says how much of what happened."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.profile = next(p for p in (*PROFILES, *KEY_PROFILES) if p.name == scenario.profile)
        self.rng = Random(scenario.seed)
        self.clock = Clock()
        self.elapsed = 0.0
        can = self.profile.capabilities
        self.targets = {name: SimTarget(name, can, self.clock, self, self.rng) for name in ("idp", "idp2")}
        for target in self.targets.values() if self.profile.keys else ():
            target.key_capabilities = can
            for number in range(1, scenario.credentials + 1):
                target.hold(holder_of(self.profile, f"c{number}"))
        self.stores = {name: SimStore(name, self) for name in ("store", "store2")}
        self.ledgers = SimLedgers("ledgers", self.clock, self)
        self.story: list[str] = []
        self.counts: Counter[str] = Counter()
        self.fingerprint = fingerprint
        self.log: dict[str, Entry] = {}
        self.mint = Mint()
        self.numbers = itertools.count(1)
        self.running: list[Runner] = []
        self.active: Runner | None = None
        self.dead: set[str] = set()
        self.down: dict[str, int] = {}
        self.backups: dict[str, object] = {}
        self.credentials = [Credential(f"c{n}", self) for n in range(1, scenario.credentials + 1)]
        self.watch = Watch(self)
        for port in (*self.targets.values(), self.ledgers):
            port.seen = self.watch
        self.people, self.strangers, self.declarations = People(self), Strangers(self), Declarations(self)
        self.hub = greenlet.getcurrent()

    # Telling

    def tell(self, words: str) -> None:
        """Add a line to the story."""
        self.story.append(f"{self.clock.now:%Y-%m-%d %H:%M:%S}  {words}")

    def count(self, what: str) -> None:
        """Count something that happened."""
        self.counts[what] += 1

    # The gate

    def enter(self, port: str, operation: str, about: str) -> None:
        """Come before a call: the place of faults, of other runners, and of the look at what works now."""
        del about
        runner = self.active
        if runner is None:
            return
        runner.calls += 1
        self.advance(runner.rng.random() * 0.4)
        if len(self.running) > 1 and runner.rng.random() < 0.35:
            self._yield(runner)
        runner.fault = runner.faults.pop(runner.calls, None)
        if runner.fault is None and runner.stormy and runner.rng.random() < STORM_SHARE:
            runner.fault = runner.rng.choice(("429", "answer lost, done", "answer lost, not done"))
        self._strike_before(runner, port, operation)
        if self.down.get(port, 0) > 0:
            self.down[port] -= 1
            raise Unavailable(f"{port} is down")
        runner.before = self.watch.look()

    def _strike_before(self, runner: Runner, port: str, operation: str) -> None:
        fault, what = runner.fault, f"{operation} at {port}"
        if fault is None:
            return
        self.count(fault)
        if not runner.stormy:
            self.tell(f"    {runner.name}: {what}: {fault}")
        if fault == "killed before":
            raise Killed
        if fault == "frozen":
            self.watch.frozen(runner)
            runner.wakes = self.elapsed + (LEASE + timedelta(minutes=2)).total_seconds()
            self._yield(runner)
        elif fault == PAUSED:
            self._sleep(runner.rng.uniform(*PAUSE))
        elif fault.startswith("stranger"):
            runner.meddled = runner.calls
            self.strangers.act(runner.rng, None if fault == "stranger acts" else fault.removeprefix("stranger "))
        elif fault == "down for a while":
            self.down[port] = 6
        elif fault == "429" or (operation in READS and fault.startswith("answer lost")):
            raise Unavailable(f"{port} does not answer now")
        elif fault == "answer lost, not done":
            raise OutcomeUnknown(f"{port} did not answer")
        runner.doubled = fault == "arrives twice"

    def leave(self, port: str, operation: str, about: str) -> None:
        """Come after a write: look at what still works, then perhaps lose the answer."""
        del about
        runner = self.active
        if runner is None:
            return
        self.count("writes")
        self.watch.after(runner, port, operation)
        runner.doubled = False
        if runner.fault == "killed after":
            raise Killed
        if runner.fault == "answer lost, done":
            raise OutcomeUnknown(f"{port} did not answer")

    def doubled(self) -> bool:
        """Say whether this request arrives twice."""
        return self.active is not None and self.active.doubled

    def caller(self) -> str:
        """Name the runner that calls."""
        return self.active.name if self.active is not None else ""

    # Time

    def advance(self, seconds: float) -> None:
        """Let time pass for everybody."""
        self.clock.advance(timedelta(seconds=seconds))
        self.elapsed += seconds

    def _sleep(self, seconds: float) -> None:
        runner = self.active
        if runner is None:
            self.advance(seconds)
            return
        runner.wakes = self.elapsed + seconds
        self._yield(runner)

    def _yield(self, runner: Runner) -> None:
        """Let another runner go on, or time."""
        self.active = None
        self.hub.switch()
        self.active = runner

    def _schedule(self, rng: Random) -> None:
        while self.running:
            awake = [r for r in self.running if r.wakes <= self.elapsed]
            if not awake:
                self.advance(min(r.wakes for r in self.running) - self.elapsed)
                continue
            runner = rng.choice(awake)
            self.active = runner
            runner.green.switch()
            self.active = None
            if runner.green.dead:
                self.running.remove(runner)

    @contextmanager
    def nobody(self):  # type: ignore[no-untyped-def]  # noqa: ANN201
        """Act as somebody who is not a runner: past the gate."""
        before, self.active = self.active, None
        try:
            yield
        finally:
            self.active = before

    # Runs

    def reconciler(self, name: str, extent: Extent = Extent.ALL) -> Reconciler:
        """Return what one process works with."""
        host_knows = self.scenario.same_host
        sources = Sources(
            self.targets,
            self.stores,
            self.ledgers,
            fingerprint,
            is_dead=lambda runner: host_knows and runner in self.dead,
            entries=lambda: tuple(self.log.values()),
        )
        tools = Tools(
            targets=self.targets,
            stores=self.stores,
            ledgers=self.ledgers,
            fingerprint=fingerprint,
            mint=self.mint,
            nonce=lambda: f"n{next(self.numbers):05d}",
            monotonic=lambda: self.elapsed,
            sleep=self._sleep,
            runner=name,
            author=Author(name),
            record=self._record,
        )
        return Reconciler(tools, Snapshot(STACK, sources, self.specs(), name, extent))

    def specs(self) -> dict[str, Spec]:
        """Return what is declared now."""
        specs = [c.spec() for c in self.credentials if c.declared]
        return {spec.identity: spec for spec in specs}

    def _record(self, entries: object) -> Logged:
        for entry in entries:  # type: ignore[attr-defined]
            known = self.log.setdefault(entry.id, entry)
            if known != entry:
                raise Broken(f"two different entries have the id {entry.id}")
        return Logged(len(self.log), "head")

    def ledger(self, identity: str) -> Ledger | None:
        """Return a stored ledger, past the gate."""
        document = self.ledgers.peek(ledger_key(identity))
        version = self.ledgers.documents.get(ledger_key(identity), ("", 0))[1]
        return None if document is None else load_ledger(document, version)

    def _start(self, action: Action, faults: tuple[Fault, ...], number: int) -> Runner:
        name = f"run-{next(self.numbers)}"
        rng = Random(f"{action.pick}/{number}")
        extent = Extent.LIFECYCLE if action.what == "of the lifecycle" else Extent.ALL
        runner = Runner(name, {f.call: f.kind for f in faults}, rng, extent, action.what == "in a storm")
        runner.green = greenlet(lambda: self._process(runner))
        return runner

    def _process(self, runner: Runner) -> None:
        """Be one process from start to end."""
        try:
            reconciler = self.reconciler(runner.name, runner.extent)
            snapshot = reconciler.snapshot
            names = sorted({*snapshot.specs, *snapshot.undeclared()})
            for identity in names:
                self._run_one(runner, reconciler, identity)
            flush(self.ledgers, self._record, snapshot.ledgers, snapshot.server_ledgers, runner.name)
        except Killed:
            self.dead.add(runner.name)
        except (Unavailable, OutcomeUnknown) as error:
            self.dead.add(runner.name)
            self.tell(f"    {runner.name} ends: {error}")
        else:
            self.dead.add(runner.name)

    def _run_one(self, runner: Runner, reconciler: Reconciler, identity: str) -> None:
        try:
            result = reconciler.run(identity, reconciler.snapshot.specs.get(identity))
        except KeystewardError as error:
            if type(error) is KeystewardError:
                raise Broken(f"{identity}: {error}") from error
            self.count(f"ended with {type(error).__name__}")
            if not runner.stormy:
                self.tell(f"    {runner.name}: {identity}: {type(error).__name__}: {error.message}")
            return
        self.counts["steps"] += len(result.done)
        if result.done:
            steps = ", ".join(f"{step.do} {step.generation or ''}".rstrip() for step in result.done)
            self.tell(f"    {runner.name}: {identity}: {steps}")

    def run(self, action: Action) -> None:
        """Carry out one run, or two at once."""
        self.running = [self._start(action, action.faults, 0)]
        if action.kind == "two runs":
            self.running.append(self._start(action, action.other, 1))
        self.count("runs")
        self.down.clear()
        self._schedule(Random(action.pick))
        self.down.clear()

    # The scenario

    def play(self) -> None:
        """Do all that the scenario says. Raises Broken."""
        for number, action in enumerate(self.scenario.actions):
            if action.kind != "pass":
                self.tell(f"{number}: {action}")
            self.act(action)
        self.watch.exits()

    def act(self, action: Action) -> None:
        """Do one thing."""
        if action.kind == "pass":
            self._pass(action.seconds)
        elif action.kind in {"run", "two runs"}:
            self.run(action)
        elif action.kind == "stranger":
            self.strangers.act(Random(action.pick), action.what)
        elif action.kind == "person":
            self.people.act(Random(action.pick), action.what)
        elif action.kind == "declaration":
            self.declarations.act(Random(action.pick), action.what)
        elif action.kind == "clock":
            self._set_clock(action.what)
        elif action.kind == "backup":
            self.backups[action.what] = self._contents(action.what)
        elif action.kind == "restore":
            self._restore(action.what)
        elif action.kind == "calm":
            self.watch.calm()

    def _pass(self, seconds: float) -> None:
        self.advance(seconds)
        self.watch.consumers_read()

    def _set_clock(self, what: str) -> None:
        skews = {"target ahead": timedelta(seconds=70), "target far ahead": timedelta(minutes=20)}
        if what == "ledger store back a little":
            self.ledgers.skew = timedelta(seconds=-45) if not self.ledgers.skew else timedelta()
            return
        for target in self.targets.values():
            target.skew = skews.get(what, timedelta())

    def _contents(self, what: str) -> object:
        if what == "ledger store":
            return dict(self.ledgers.documents)
        return {name: copy.deepcopy(target.objects) for name, target in self.targets.items()}

    def _restore(self, what: str) -> None:
        backup = self.backups.get(what)
        if backup is None:
            return
        self.watch.restored(what)
        if what == "ledger store":
            self.ledgers.documents = dict(backup)  # type: ignore[call-overload]
            return
        for name, objects in copy.deepcopy(backup).items():  # type: ignore[attr-defined]
            self.targets[name].objects = objects
            self.targets[name].remember()

    def preview(self) -> dict[str, Previewed]:
        """Plan everything, past the gate."""
        with self.nobody():
            reconciler = self.reconciler(f"look-{next(self.numbers)}")
            names = sorted({*reconciler.snapshot.specs, *reconciler.snapshot.undeclared()})
            return {name: previewed(reconciler, name, reconciler.snapshot.specs.get(name)) for name in names}

    def looked(self, identity: str) -> tuple[Plan, tuple[Finding, ...]]:
        """Look at one declared credential, past the gate: its plan, and what drift tells of it."""
        with self.nobody():
            snapshot = self.reconciler(f"look-{next(self.numbers)}").snapshot
            world = snapshot.world(identity, snapshot.specs.get(identity))
            made = assess(world)
            return made.plan, findings_now(world, made)

    def edit(self, identity: str, change: Callable[[Ledger], Ledger], command: str) -> None:
        """Let a person's command change a ledger."""
        with self.nobody():
            self.reconciler(f"person-{next(self.numbers)}").edit(identity, change, command=command, words="simulated")


def play(scenario: Scenario) -> tuple[Simulation, str | None]:
    """Play one scenario; returns what it was and, when something broke, what."""
    simulation = Simulation(scenario)
    try:
        simulation.play()
    except Broken as broken:
        return simulation, str(broken)
    except (AssertionError, KeyError, AttributeError, TypeError, ValueError) as error:
        return simulation, f"internal error: {type(error).__name__}: {error}"
    return simulation, None
