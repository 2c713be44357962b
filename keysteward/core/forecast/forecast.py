"""The planner run ahead: what will be done to one credential, when, if runs come regularly and nothing else happens.

No date is worked out here. The planner is asked at one moment, its steps are played on paper, and then it is asked
again with a moving now (`moving`) when its answer would change; the next run after that is played next. Between runs
only time passes: whatever a target ends by itself ends, whoever used a secret last is its last user, and no person does
anything. Credentials are played one by one: keys that share a holder do not see each other's room there.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from typing import Final

from keysteward.core.assess.blast_radius import ends
from keysteward.core.assess.examine import examine
from keysteward.core.declare.schedule import parse_window
from keysteward.core.findings import Finding, Kind
from keysteward.core.forecast.events import Event, What, Writes, happens, means, target_of, writes_to
from keysteward.core.forecast.moving_clock import INSTANT, Turns, moving
from keysteward.core.observe.keys import shown
from keysteward.core.observe.world import Self, View, World, still
from keysteward.core.plan.order import decide
from keysteward.core.plan.planner import Played, play
from keysteward.core.plan.steps import Problem, Step, Wait
from keysteward.core.record.fast_replace import replace
from keysteward.core.record.steps import Do
from keysteward.core.run.reconciler import LONGEST_WAIT

MOST_WAITS = 5
"""So many waits within one run are played; a run that waits more often is not sound."""


@dataclass(frozen=True, slots=True)
class Runs:
    """When runs happen: the first at `first`, then one each `every`, as far as `end`; the forecast starts at `begin`.

    From `halted` on none does anything (None: all do). What a run does it records when it has run for `lasts`: an
    overlap of 7 days is not over yet when the run comes that began 7 days later.
    """

    begin: datetime
    first: datetime
    every: timedelta
    end: datetime
    halted: datetime | None = None
    lasts: timedelta = timedelta()

    def act(self, moment: datetime) -> bool:
        """Say whether what happens at a moment at which somebody looks is a run."""
        return self.first <= moment and (self.halted is None or moment < self.halted)

    def at_or_after(self, moment: datetime) -> datetime:
        """Return when the first run happens that is not before a moment."""
        if moment <= self.first:
            return self.first
        return self.first + -((self.first - moment) // self.every) * self.every


@dataclass(slots=True)
class Outlook:
    """What is ahead of one credential: events in order, writes by run, and the runs that leave it without a secret.

    `opened` is when its ledger is opened, None where it was open before or is never.
    """

    identity: str
    events: list[Event] = field(default_factory=list)
    writes: list[Writes] = field(default_factory=list)
    endings: list[datetime] = field(default_factory=list)
    opened: datetime | None = None


def forecast(world: World, runs: Runs) -> Outlook:
    """Run the planner ahead over one credential, from run to run, as far as `runs.end`."""
    ahead = _Ahead(world, runs)
    at = runs.begin
    while at <= runs.end:
        ahead.arrive(at)
        if runs.act(at):
            ahead.run()
        following = ahead.after_run() if runs.act(at) else ahead.without_run()
        if following is None:
            break
        at = following
    ahead.arrive(max(runs.end, runs.begin))
    return ahead.outlook


class Ask(Enum):
    """That the planner is yet to be asked."""

    NOW = "now"


ASK: Final = Ask.NOW


class _Ahead:
    """One credential on its way: the world as it is by then, and what was told already."""

    def __init__(self, world: World, runs: Runs) -> None:
        self.world = world
        self.runs = runs
        self.outlook = Outlook(world.identity)
        self.began, self.views = world.now, world.views
        self.at = self.now = world.now
        self.turns = Turns(world.now)
        self.known: frozenset[tuple[Kind, str]] = frozenset()
        self.told: set[str] = set()
        self.count = 0
        self.lost = False
        self.first: Step | Wait | Problem | Ask | None = ASK

    def arrive(self, at: datetime) -> None:
        """Be another process at a later moment; what targets end by themselves meanwhile has ended."""
        before, self.at = self.now, at
        self.count += 1
        self._pass(at, Self(f"forecast {self.count}", self.world.me.extent))
        ledger = self.world.ledger
        for generation in ledger.generations if ledger is not None else ():
            found = self.world.object(ledger.object_of(generation)) if ledger is not None and generation.live else None
            secret = shown(found, generation) if found is not None else None
            if secret is not None and secret.expires_at is not None and before < secret.expires_at <= at:
                words = f"generation {generation.number} ends at {generation.target} by a day of its own"
                self._tell(What.EXPIRED, words, generation.number, generation.target, at=secret.expires_at)

    def _pass(self, at: datetime, me: Self) -> None:
        """Let time pass; all clocks are set, and move on while the planner is asked."""
        self.now, self.turns, by = at, Turns(at), at - self.began
        views = {name: _later(view, by, self.turns) for name, view in self.views.items()}
        self.world = replace(self.world, now=moving(at, self.turns), views=views, me=me)

    def ask(self, world: World) -> Step | Wait | Problem | None:
        """Ask the planner anew, with a moving now, which learns when its answer changes.

        What was asked to know whether there is something to do is not asked twice.
        """
        if self.first is not ASK:
            decision, self.first = self.first, ASK
            return decision
        self.turns.forget()
        decision = decide(world)
        if isinstance(decision, Step) and decision.until is not None:
            return replace(decision, until=still(decision.until))
        return decision

    def run(self) -> None:
        """Play what a run does now, with the waits that a run waits out."""
        opened = self.world.ledger is not None and self.world.ledger.closed is None
        self.first = self.ask(self.world)
        if isinstance(self.first, Step) and self.runs.lasts:
            self._pass(self.at + self.runs.lasts, self.world.me)
        start, steps = self.world, list[Step]()
        for _ in range(MOST_WAITS):
            played = play(self.world, self.ask)
            self.world = played.after
            steps += played.steps
            self._note(played)
            wait = played.wait
            if wait is None or self._pause(wait) > LONGEST_WAIT:
                break
            pause = max(self._pause(wait), timedelta()) + timedelta(seconds=1)
            self._pass(self.now + pause, self.world.me)
        else:
            self._once(What.BLOCKED, f"it still waits after {MOST_WAITS} waits of one run")
        if ends(start, steps, self.world):
            self.outlook.endings.append(self.at)
        if not opened and self.world.ledger is not None and self.outlook.opened is None:
            self.outlook.opened = self.at

    def after_run(self) -> datetime | None:
        """Hear what a person would be told after a run; returns the next run that may find something to do or say."""
        self._heard(examine(self.world))
        following, halted = self._next_run(), self.runs.halted
        if self.lost or following is None:
            return None
        return following if halted is None else min(following, halted)

    def without_run(self) -> datetime | None:
        """Tell what is due and not done, and what a person would be told; returns when that changes, or runs begin."""
        steps = play(self.world).steps
        made = {step.generation for step in steps if step.do is Do.BEGIN}
        for step in steps:
            follows = step.do is Do.NOTIFY or (step.do is Do.PROMOTE and step.generation in made)
            if step.headline and not follows:
                self._once(What.MISSED, step.words, step.generation)
        self._heard(examine(self.world))
        begins = self.runs.act(self.runs.first) and self.now < self.runs.first
        moments = [self.runs.first if begins else None, self.turns.soonest]
        if self.turns.unclear:
            moments.append(self.now + self.runs.every)
        return min((m for m in moments if m is not None), default=None)

    def _next_run(self) -> datetime | None:
        """Return the next run that may find something else: after what turns, or inside a maintenance window."""
        turns, following = self.turns, self.runs.at_or_after(self.now + INSTANT)
        if turns.unclear:
            return following
        last = self.runs.at_or_after(turns.soonest) if turns.soonest is not None else None
        if not turns.zoned or self.world.spec is None:
            return last
        windows = [parse_window(text) for text in self.world.spec.windows]
        until = self.runs.end if last is None else last
        while following < until:
            if any(window.contains(following) for window in windows):
                return following
            following += self.runs.every
        return last

    def _note(self, played: Played) -> None:
        """Turn the steps of a run into events and writes."""
        begun: dict[int | None, str] = {}
        writes: Counter[str] = Counter()
        for world, step in zip(played.worlds, played.steps, strict=False):
            target = target_of(world, step)
            if target is not None and writes_to(world, step):
                writes[target] += 1
            if step.do is Do.BEGIN:
                begun[step.generation] = step.words
            for what, words in happens(world, step, begun):
                self._tell(what, words, step.generation, target)
        self.outlook.writes += [Writes(self.at, target, count) for target, count in sorted(writes.items())]
        if played.problem is not None:
            self._once(What.BLOCKED, played.problem.message)
        if played.cut:
            self.lost = True
            self._once(What.BLOCKED, f"its plan does not come to an end; its last step is: {played.steps[-1].words}")
        if played.wait is not None and self._pause(played.wait) > LONGEST_WAIT:
            self._once(What.WAITS, f"waits until {played.wait.until:%Y-%m-%d %H:%M} UTC: {played.wait.why}")

    def _heard(self, findings: tuple[Finding, ...]) -> None:
        """Tell what a person would be told now and was not before."""
        heard = {(f.kind, f.message if f.kind in DATED else ""): f for f in findings}
        for key, finding in heard.items():
            what = means(self.world, finding)
            if key not in self.known and what is not None:
                self._tell(what, finding.message)
        self.known = frozenset(heard)

    def _pause(self, wait: Wait) -> timedelta:
        """Return how long a run would wait, by the clock of the target that it waits for."""
        ledger = self.world.ledger
        generation = ledger.unfinished if ledger is not None else None
        view = self.views.get(generation.target) if generation is not None else None
        skew = view.clock - view.taken_at if view is not None and view.clock is not None else timedelta()
        return wait.until - (self.now + skew)

    def _once(self, what: What, words: str, generation: int | None = None) -> None:
        if words not in self.told:
            self.told.add(words)
            self._tell(what, words, generation)

    def _tell(
        self,
        what: What,
        words: str,
        generation: int | None = None,
        target: str | None = None,
        *,
        at: datetime | None = None,
    ) -> None:
        when = self.at if at is None else at
        self.outlook.events.append(Event(when, self.world.identity, what, words, generation, target))


DATED = frozenset({Kind.OVERDUE, Kind.NEW_VALUE_DUE, Kind.EXPIRING})
"""Findings whose words hold a date, so that each wording is news; of the others only that they come up is."""


def _later(view: View, by: timedelta, turns: Turns) -> View:
    """Return what another process sees later, when nobody but the clock did anything."""
    clock = None if view.clock is None else moving(view.clock + by, turns)
    return replace(
        view, started_at=moving(view.started_at + by, turns), taken_at=moving(view.taken_at + by, turns), clock=clock
    )
