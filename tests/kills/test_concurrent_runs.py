"""Two processes at once: one is held before each of its requests in turn, until the other has come to its end."""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

import pytest
import tally
from command_line import CommandLine, Ended
from scene import Scene, Watch, open_scene
from test_vault_kills import PHASES, STRATEGIES
from werkzeug.wrappers import Request

from keysteward.core import handles
from keysteward.providers.session import Session
from keysteward.providers.vault import Vault

GATE = ("preview", "--expect-no-changes")


@dataclass
class Gate:
    """Holds the request number `at` of the first run until it is opened."""

    at: int
    reached: threading.Event = field(default_factory=threading.Event)
    open: threading.Event = field(default_factory=threading.Event)

    def hold(self, number: int, _request: Request) -> None:
        if number == self.at:
            self.reached.set()
            assert self.open.wait(60)


@dataclass(frozen=True)
class Both:
    """How a run that was held ended, and what the other one did meanwhile.

    `lease` is whose the lease was while the first one, of process `pid`, was held.
    """

    at: int
    first: Ended
    second: Ended
    pid: int
    lease: str

    @property
    def leased(self) -> bool:
        return f"/{self.pid}/" in self.lease

    def __str__(self) -> str:
        return f"held before request {self.at}, lease {self.lease}\n-- first: {self.first}\n-- second: {self.second}"


@dataclass
class Beside:
    """What came of all interleavings: how many there were, how many met a lease, and what was wrong."""

    count: int = 0
    leased: int = 0
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


def interleaved(scene: Scene, world: bytes, beside: Beside, second: Callable[[], Ended]) -> Iterator[Both]:
    """Run `up --yes` once for each of its requests, held there while `second` runs; each time in the same world."""
    for at in itertools.count(1):
        scene.restore(world)
        gate = Gate(at)
        watch = Watch(scene.look, hold=gate.hold)
        with ThreadPoolExecutor(1) as pool, scene.watched(watch):
            pid = scene.line.start("up", "--yes", environment=scene.environment)
            waiting = pool.submit(scene.line.wait)
            waiting.add_done_callback(lambda _ended, gate=gate: gate.reached.set())
            assert gate.reached.wait(60)
            if waiting.done():
                return
            lease = (scene.ledger().get("lease") or {}).get("runner", "nobody's")
            meanwhile = second()
            gate.open.set()
            both = Both(at, waiting.result(), meanwhile, pid, lease)
            watch.quiet()
        beside.count += 1
        beside.leased += both.leased
        beside.expect(in_a_sentence(both.first), "the run that was held did not end in a sentence", both)
        beside.expect(in_a_sentence(both.second), "the other run did not end in a sentence", both)
        if both.leased and both.second.text:
            said = f"another run ({both.lease})" in both.second.text
            beside.expect(said, "the other run does not say who holds the lease", both)
        yield both


def in_a_sentence(ended: Ended) -> bool:
    return ended.code in {0, 1, 2} and "internal error" not in ended.text and "Traceback" not in ended.text


def two_runs(case: tuple[str, str], folder: Path) -> Beside:
    """Let two `up`s meet everywhere, and look whether one more run finds the world of a single one."""
    strategy, beside, gap = case[0], Beside(), case[0] == "accepted gap"
    with two_lines(folder, *case) as (scene, other, world):
        before = scene.delivered()
        scene.up()
        undisturbed, secrets = scene.everything(), len(scene.seen.secrets)
        scene.old = None if gap else before
        for both in interleaved(scene, world, beside, lambda: other.run("up", "--yes", environment=scene.environment)):
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
            beside.expect(both.second.code in {0, 2}, "the preview failed", both)
            beside.expect(not scene.seen.stopped, scene.seen.stopped, both)
            states = scene.everything()["generations"]
            beside.expect(states == ["1 previous", "2 current"], states, both)
    return beside


def emergency(case: str, folder: Path) -> Beside:
    """Revoke at every moment of an `up`: nothing works after the next run, and nothing new ever comes."""
    beside = Beside()
    with two_lines(folder, case, "rotate") as (scene, _, world), mock.patch.dict(os.environ, scene.environment):
        for both in interleaved(scene, world, beside, lambda: revoke(scene, "leaked")):
            after = scene.run("up", "--yes")
            beside.expect(after.code == 0, f"the next run fails: {after}", both)
            beside.expect(not scene.secrets(), f"{len(scene.secrets())} secrets still authenticate", both)
            again = scene.run("up", "--yes")
            beside.expect(again.code == 0, f"the run after it fails: {again}", both)
            beside.expect(not scene.secrets(), "a secret came back", both)
            beside.expect("revoked" in scene.ledger(), "the ledger forgot that it is revoked", both)
    return beside


def revoke(scene: Scene, reason: str) -> Ended:
    """Revoke all of the client, in the ledger alone, as an emergency begins; the next run ends what is left."""
    ledgers = Vault("first", url=scene.sandbox.vault.url, admin="env:KILLS_VAULT_RUNNER").ledgers("keysteward")
    session = Session("acme/kills", ledgers, access="runner")
    changed = session.credentials.edit(
        "acme/kills/exporter", lambda ledger: handles.revoke(ledger, ledgers.now(), reason)
    )
    assert changed is not None
    return Ended(0, "")


@pytest.mark.begin.with_args(two_runs)
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "case", [("key pairs", "create"), *((strategy, "rotate") for strategy in STRATEGIES)], ids=", ".join
)
def test_two_runs_at_once_issue_one_secret(case: tuple[str, str], outcome: Beside) -> None:
    look_at(outcome)
    assert outcome.leased > 10, f"{case}: the other run hardly ever met a lease"


@pytest.mark.begin.with_args(nightly_preview)
@pytest.mark.timeout(900)
@pytest.mark.parametrize("case", ["key pairs"])
def test_a_nightly_preview_sees_who_works_and_disturbs_nothing(case: str, outcome: Beside) -> None:
    look_at(outcome)
    assert outcome.leased > 10, f"{case}: the preview hardly ever met a lease"


@pytest.mark.begin.with_args(emergency)
@pytest.mark.timeout(900)
@pytest.mark.parametrize("case", ["key pairs", "native overlap"])
def test_an_emergency_revoke_beside_a_run_ends_everything_for_good(case: str, outcome: Beside) -> None:
    look_at(outcome)
    assert outcome.leased > 10, f"{case}: the revocation hardly ever met a lease"


def look_at(outcome: Beside) -> None:
    tally.INTERLEAVINGS.update({"met": outcome.count, "leased": outcome.leased})
    assert outcome.problems == [], "\n\n".join(outcome.problems)
    assert outcome.count > 20, "hardly anything happened"
