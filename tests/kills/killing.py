"""One kill point: the world as it was, a run killed there, at most two further runs, and what must then be so."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from command_line import KILLED
from scene import Scene
from strikes import MOMENTS, Moment

MOST_RUNS = 2
"""Further runs within which everything must have settled."""

SAMPLE = 6
"""A sample kills at every sixth point, and begins with another one for each moment."""


@dataclass(frozen=True)
class Phase:
    """Something a run does: how the world is prepared for it, and what may be asked of its consumer.

    `words` are the run's. `ends`: nothing works afterwards. `keeps_old`: what was delivered before goes on working, for
    consumers that have read it already. `leaves`: the place that nobody reads any more.
    """

    prepare: Callable[[Scene, Mapping[str, str]], None]
    words: tuple[str, ...] = ("up", "--yes")
    ends: bool = False
    keeps_old: bool = False
    leaves: str | None = None

    @property
    def gate(self) -> tuple[str, ...]:
        return ("preview", "--expect-no-changes", *(word for word in self.words if word == "--prune"))


@dataclass(frozen=True)
class Start:
    """The world before each kill, what was delivered then, and how the world is when nothing is killed."""

    world: bytes
    records: bytes
    delivered: Mapping[str, Any] | None
    undisturbed: Mapping[str, Any]
    secrets: int


class Killing:
    """All kill points of one phase on one scene. `problems` says what was not so, and at which point."""

    def __init__(self, scene: Scene, phase: Phase, name: str, *, gap: bool = False) -> None:
        self.scene, self.phase, self.name, self.gap = scene, phase, name, gap
        self.problems: list[str] = []
        self.settled: Counter[int] = Counter()
        self.where = f"{name}, undisturbed"

    def prepare(self, fields: Mapping[str, str]) -> None:
        """Prepare the world and see what an undisturbed run makes of it."""
        scene = self.scene
        self.phase.prepare(scene, fields)
        delivered, world = scene.delivered(), scene.save()
        scene.restore(world)
        records = scene.records()
        scene.left = self.phase.leaves
        scene.old = delivered if self.phase.keeps_old and not self.gap else None
        self._settle(most=1)
        self._see_nothing_stopped()
        assert self.problems == [], self.problems
        assert scene.everything()["wrong with the log"] == [], "the undisturbed world is no measure"
        self.start = Start(world, records, delivered, scene.everything(), len(scene.seen.secrets))

    def strike_everywhere(self, kind: str, strike: Callable[[int, Moment], Mapping[str, Any]], every: int = 1) -> None:
        """Kill one run at each point, or at every so many, until runs come to their end before it."""
        for start, moment in enumerate(MOMENTS):
            for at in itertools.count(1 + start % every, every):
                self.where = f"{self.name}, killed {moment} {kind} {at}"
                self.scene.restore(self.start.world)
                ended = self.scene.run(*self.phase.words, **strike(at, moment))
                if ended.code != KILLED:
                    self._expect(ended.code == 0, ended.text)
                    break
                self._recover()

    def _recover(self) -> None:
        """Look right after the kill, run again, and look at everything.

        Where the world is still byte for byte as it was, what a run makes of it is known: the undisturbed one.
        """
        if self.scene.records() == self.start.records:
            self.settled[1] += 1
            return
        self._consumer_goes_on()
        runs = self._settle(most=MOST_RUNS)
        self._compare()
        self._see_nothing_stopped()
        self._consumer_is_served()
        self.settled[runs] += 1

    def _expect(self, good: bool, words: str) -> None:
        if not good:
            self.problems.append(f"{self.where}: {words}")

    def _consumer_goes_on(self) -> None:
        """Ask for tokens right after the kill, as the consumer does, with what is delivered and what was before."""
        document, start = self.scene.delivered(), self.start
        if start.delivered is None or self.gap or self.phase.ends:
            return
        works = document is not None and self.scene.gets_a_token(document)
        self._expect(works, "the delivered secret gets no token after the kill")
        if self.phase.keeps_old:
            old = self.scene.gets_a_token(start.delivered)
            self._expect(old, "the secret delivered before gets no token after the kill")

    def _settle(self, most: int) -> int:
        """Run until the gate is open; returns how many runs that took."""
        runs = 0
        while True:
            runs += 1
            done = self.scene.run(*self.phase.words)
            gate = self.scene.run(*self.phase.gate)
            if gate.code == 0 or runs == most:
                break
        self._expect((done.code, gate.code) == (0, 0), f"not settled in {runs} runs\n{done.text}\n{gate.text}")
        return runs

    def _compare(self) -> None:
        """Compare with the undisturbed world."""
        now, start = self.scene.everything(), self.start
        for key, value in start.undisturbed.items():
            self._expect(now[key] == value, f"{key} {now[key]}, not {value}")
        count = len(self.scene.seen.secrets)
        self._expect(count == start.secrets, f"{count} secrets were seen at the target, not {start.secrets}")

    def _see_nothing_stopped(self) -> None:
        """Tell when a delivered secret did not work at any call; with an accepted gap, or at an ending, it may not."""
        if not (self.gap or self.phase.ends):
            for words in dict.fromkeys(self.scene.seen.stopped):
                self._expect(False, words)

    def _consumer_is_served(self) -> None:
        if not self.phase.ends:
            document = self.scene.delivered()
            works = document is not None and self.scene.gets_a_token(document)
            self._expect(works, "the delivered secret gets no token in the end")
        elif self.start.delivered is not None:
            self._expect(not self.scene.plaintext(self.start.delivered), "Vault still holds a deleted secret")
