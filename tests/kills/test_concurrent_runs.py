"""Two processes at once: one is held before each of its requests in turn, until the other has come to its end."""

from __future__ import annotations

import functools
import itertools
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import tally
from command_line import CommandLine, Ended
from killing import SAMPLE
from scene import HANG_SECONDS, Scene, Watch, generations, open_scene
from test_vault_kills import PHASES, STRATEGIES
from werkzeug.wrappers import Request

GATE = ("preview", "--expect-no-changes")
MEETINGS = [("key pairs", "create"), *((strategy, "rotate") for strategy in STRATEGIES)]
ROTATED = ["1 previous", "2 current"]
REVOKE = ("revoke", "exporter", "--all", "--reason", "leaked", "--yes")


@dataclass
class Gate:
    """Holds the request number `at` of the first run until it is opened."""

    at: int
    reached: threading.Event = field(default_factory=threading.Event)
    open: threading.Event = field(default_factory=threading.Event)

    def hold(self, number: int, _request: Request) -> None:
        if number == self.at:
            self.reached.set()
            assert self.open.wait(HANG_SECONDS)


@dataclass(frozen=True)
class Both:
    """How a run that was held ended, and what the other one did meanwhile.

    `lease` is whose the lease was while the first one, of process `pid`, was held; `states` are those of the
    generations then.
    """

    at: int
    first: Ended
    second: Ended
    pid: int
    lease: str
    states: list[str]

    @property
    def leased(self) -> bool:
        return f"/{self.pid}/" in self.lease

    def __str__(self) -> str:
        return f"held before request {self.at}, lease {self.lease}\n-- first: {self.first}\n-- second: {self.second}"


@dataclass
class Beside:
    """What came of all interleavings: how many there were, how many met a lease, and what was wrong.

    `revived`: how often a request that was under way when all was revoked brought a secret back until the next run.
    """

    count: int = 0
    leased: int = 0
    revived: int = 0
    problems: list[str] = field(default_factory=list)

    def expect(self, good: bool, words: object, both: Both) -> None:
        if not good:
            self.problems.append(f"{words}: {both}")


@contextmanager
def two_lines(folder: Path, strategy: str, phase: str) -> Iterator[tuple[Scene, CommandLine, bytes]]:
    """Prepare a scene with a second command line, and keep its world."""
    with open_scene(folder, rotation=strategy == "native overlap") as scene, CommandLine(folder, "second.txt") as other:
        PHASES[phase].prepare(scene, STRATEGIES[strategy])
        world = scene.save()
        scene.restore(world)
        yield scene, other, world


def interleaved(
    scene: Scene, world: bytes, beside: Beside, second: Callable[[], Ended], *, waits: bool = True, every: int = 1
) -> Iterator[Both]:
    """Run `up --yes` once for each of its requests, or for every so many, held there while `second` runs.

    Each time it is the same world.

    `waits`: the second one does nothing against a lease, and says whose it is.
    """
    for at in itertools.count(1, every):
        scene.restore(world)
        gate = Gate(at)
        watch = Watch(scene.look, hold=gate.hold)
        with ThreadPoolExecutor(1) as pool, scene.watched(watch):
            pid = scene.line.start("up", "--yes", environment=scene.environment)
            waiting = pool.submit(scene.line.wait)
            waiting.add_done_callback(lambda _ended, gate=gate: gate.reached.set())
            assert gate.reached.wait(HANG_SECONDS)
            if waiting.done():
                return
            ledger = scene.ledger()
            lease, states = (ledger.get("lease") or {}).get("runner", "nobody's"), generations(ledger)
            meanwhile = second()
            gate.open.set()
            both = Both(at, waiting.result(), meanwhile, pid, lease, states)
            watch.quiet()
        beside.count += 1
        beside.leased += both.leased
        beside.expect(in_a_sentence(both.first), "the run that was held did not end in a sentence", both)
        beside.expect(in_a_sentence(both.second), "the other run did not end in a sentence", both)
        if both.leased and waits:
            said = f"another run ({both.lease})" in both.second.text
            beside.expect(said, "the other run does not say who holds the lease", both)
            beside.expect(both.first.code == 0, "the run that holds the lease was made to fail", both)
        yield both


def in_a_sentence(ended: Ended) -> bool:
    return ended.code in {0, 1, 2} and "internal error" not in ended.text and "Traceback" not in ended.text


def two_runs(case: tuple[str, str], folder: Path, every: int = 1) -> Beside:
    """Let two `up`s meet everywhere, or at every so many requests: one more run finds the world of a single one."""
    strategy, beside, gap = case[0], Beside(), case[0] == "accepted gap"
    with two_lines(folder, *case) as (scene, other, world):
        before = scene.delivered()
        scene.up()
        undisturbed, secrets = scene.everything(), len(scene.seen.secrets)
        scene.old = None if gap else before
        second = functools.partial(other.run, "up", "--yes", environment=scene.environment)
        for both in interleaved(scene, world, beside, second, every=every):
            codes = [scene.run("up", "--yes").code, scene.run(*GATE).code]
            beside.expect(codes == [0, 0], f"a further run and its gate end with {codes}", both)
            now = scene.everything()
            for key, value in undisturbed.items():
                beside.expect(now[key] == value, f"{strategy}: {key} {now[key]}, not {value}", both)
            issued = len(scene.seen.secrets)
            beside.expect(issued == secrets, f"{issued} secrets were issued, not {secrets}", both)
            beside.expect(gap or not scene.seen.stopped, scene.seen.stopped, both)
            document = scene.delivered()
            works = document is not None and scene.gets_a_token(document)
            beside.expect(works, "the delivered secret gets no token", both)
    return beside


def nightly_preview(case: str, folder: Path) -> Beside:
    """Let a preview look at every moment of an `up`, which must end as if nobody had."""
    beside = Beside()
    with two_lines(folder, case, "rotate") as (scene, other, world):
        scene.old = scene.delivered()
        for both in interleaved(scene, world, beside, lambda: other.run(*GATE, environment=scene.environment)):
            beside.expect(both.first.code == 0, "the run failed", both)
            over = both.lease == "nobody's" and both.states == ROTATED
            beside.expect(both.second.code == (0 if over else 2), "the gate is open too early, or shut for long", both)
            beside.expect(not scene.seen.stopped, scene.seen.stopped, both)
            states = scene.everything()["generations"]
            beside.expect(states == ROTATED, states, both)
    return beside


@dataclass
class Emergency:
    """A leak of one client, found at any moment of an `up` that rotates it, beside a client that is healthy."""

    scene: Scene
    other: CommandLine
    beside: Beside = field(default_factory=Beside)
    at_once: set[tuple[str, str]] = field(default_factory=set)
    """What of the leaked client worked when `revoke` had ended and the run was still held."""

    def revoke(self) -> Ended:
        ended = self.other.run(*REVOKE, environment=self.scene.environment)
        self.at_once = self.working()
        return ended

    def working(self) -> set[tuple[str, str]]:
        return {secret for secret in self.scene.secrets() if secret[0].startswith("exporter")}

    def healthy(self) -> tuple[object, ...]:
        """Return all there is of the neighbour: its client, what is delivered to it, and its ledger."""
        scene = self.scene
        clients = [c.representation() for c in scene.clients if c.client_id == "neighbour"]
        return clients, scene.documents()["secret:apps/neighbour"], scene.ledger("neighbour")

    def check(self, both: Both, neighbour: tuple[object, ...], delivered: Mapping[str, Any]) -> None:
        """Look right after both ended, and after each of the next runs."""
        scene, expect = self.scene, self.beside.expect
        self.beside.revived += bool(self.working())
        expect(both.second.code == 0, "revoke failed", both)
        expect("its consumers have no working secret now" in both.second.text, "revoke does not say so", both)
        expect(not self.at_once, f"{len(self.at_once)} secrets authenticate right after revoke", both)
        told = "it was revoked meanwhile (leaked)" in both.first.text
        expect(both.first.code == int(told), "the run that was overtaken does not tell it", both)
        expect(told or not both.leased, "a run lost its lease and did not notice", both)
        for _ in range(2):
            after = scene.run("up", "--yes")
            expect(after.code == 0, f"the next run fails: {after}", both)
            expect(not self.working(), f"{len(self.working())} secrets still authenticate", both)
        gate = scene.run(*GATE)
        expect(gate.code == 0, f"something is due: {gate}", both)
        documents = [delivered, *(d for d in scene.documents().values() if d.get("client_id") != "neighbour")]
        expect(not any(scene.gets_a_token(d) for d in documents if "generation" in d), "a token is given", both)
        expect("revoked" in scene.ledger(), "the ledger forgot that it is revoked", both)
        expect(self.healthy() == neighbour, "the neighbour was touched", both)


def emergency(case: str, folder: Path) -> Beside:
    """Revoke at every moment of an `up`: nothing works after the next run, and nothing new ever comes."""
    with two_lines(folder, case, "rotate beside a neighbour") as (scene, other, world):
        leak = Emergency(scene, other)
        neighbour, delivered = leak.healthy(), scene.documents()["secret:apps/exporter"]
        for both in interleaved(scene, world, leak.beside, leak.revoke, waits=False):
            leak.check(both, neighbour, delivered)
    return leak.beside


@pytest.mark.timeout(900)
def test_two_runs_that_meet_at_every_sixth_request_issue_one_secret(tmp_path: Path) -> None:
    outcome = two_runs(("native overlap", "rotate"), tmp_path, SAMPLE)
    look_at("another up", outcome, least=8)
    assert outcome.leased > 2, "the other run hardly ever met a lease"


@pytest.mark.proof
@pytest.mark.timeout(900)
@pytest.mark.parametrize("case", MEETINGS, ids=", ".join)
def test_two_runs_at_once_issue_one_secret(case: tuple[str, str], tmp_path: Path) -> None:
    outcome = two_runs(case, tmp_path)
    look_at("another up", outcome)
    assert outcome.leased > 10, f"{case}: the other run hardly ever met a lease"


@pytest.mark.proof
@pytest.mark.timeout(900)
def test_a_nightly_preview_sees_who_works_and_disturbs_nothing(tmp_path: Path) -> None:
    outcome = nightly_preview("key pairs", tmp_path)
    look_at("a preview", outcome)
    assert outcome.leased > 10, "the preview hardly ever met a lease"


@pytest.mark.proof
@pytest.mark.timeout(900)
@pytest.mark.parametrize("case", ["key pairs", "native overlap"])
def test_an_emergency_revoke_beside_a_run_ends_everything_for_good(case: str, tmp_path: Path) -> None:
    outcome = emergency(case, tmp_path)
    look_at("an emergency revoke", outcome)
    assert outcome.leased > 10, f"{case}: the revocation hardly ever met a lease"


def look_at(kind: str, outcome: Beside, least: int = 20) -> None:
    met = {"met": outcome.count, "against a lease": outcome.leased, "came back": outcome.revived}
    tally.meet(kind, met)
    assert outcome.problems == [], "\n\n".join(outcome.problems)
    assert outcome.count > least, "hardly anything happened"
