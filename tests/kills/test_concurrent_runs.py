"""Two processes at once: one is held before each of its requests in turn, until the other has come to its end."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from command_line import CommandLine, Ended
from scene import Scene, Watch, open_scene
from test_vault_kills import PHASES, STRATEGIES
from werkzeug.wrappers import Request

from keysteward.core import handles
from keysteward.providers.session import Session
from keysteward.providers.vault import Vault

MOST_CALLS = 200
IDENTITY = "acme/kills/exporter"


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
    """How a run that was held ended, and what the other one did meanwhile; `pid` is the first one's process."""

    at: int
    first: Ended
    second: Ended
    pid: int

    @property
    def words(self) -> str:
        return f"held before request {self.at}\n--- first: {self.first}\n--- second: {self.second}"


def interleaved(scene: Scene, world: bytes, second: Callable[[], Ended]) -> Iterator[Both]:
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
                assert at > 20, "hardly anything happened"
                return
            meanwhile = second()
            gate.open.set()
            both = Both(at, waiting.result(), meanwhile, pid)
            watch.quiet()
        yield both


@pytest.fixture
def scenes(tmp_path: Path) -> Iterator[Callable[..., tuple[Scene, CommandLine]]]:
    """Open a scene with a second command line."""
    with ExitStack() as stack:

        def make(*, rotation: bool = False) -> tuple[Scene, CommandLine]:
            scene = stack.enter_context(open_scene(tmp_path, rotation=rotation))
            return scene, stack.enter_context(CommandLine(tmp_path, "second.txt"))

        yield make


def in_a_sentence(ended: Ended) -> bool:
    return ended.code in {0, 1} and "internal error" not in ended.text and "Traceback" not in ended.text


def settled(scene: Scene) -> None:
    scene.up()
    gate = scene.run("preview", "--expect-no-changes")
    assert gate.code == 0, gate.text


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("strategy", "phase"), [("key pairs", "create"), *((strategy, "rotate") for strategy in STRATEGIES)]
)
def test_two_runs_at_once_issue_one_secret(
    strategy: str, phase: str, scenes: Callable[..., tuple[Scene, CommandLine]]
) -> None:
    scene, other = scenes(rotation=strategy == "native overlap")
    PHASES[phase].prepare(scene, STRATEGIES[strategy])
    gap, world, before = strategy == "accepted gap", scene.save(), scene.delivered()
    scene.restore(world)
    settled(scene)
    undisturbed, secrets = scene.everything(), len(scene.seen.secrets)
    scene.old = None if gap else before
    leased = 0
    problems = []
    for both in interleaved(scene, world, lambda: other.run("up", "--yes", environment=scene.environment)):
        if f"/{both.pid}/" in both.second.text:
            leased += 1
            if "another run" not in both.second.text:
                problems.append(f"the second run does not say who works: {both.words}")
        if not (in_a_sentence(both.first) and in_a_sentence(both.second)):
            problems.append(f"a run did not end in a sentence: {both.words}")
        done = scene.run("up", "--yes")
        gate = scene.run("preview", "--expect-no-changes")
        if (done.code, gate.code) != (0, 0):
            problems.append(f"not settled by one run: {both.words}\n--- then: {done}\n{gate}")
        now = scene.everything()
        problems += [f"{k} {now[k]}, not {v}: {both.words}" for k, v in undisturbed.items() if now[k] != v]
        if len(scene.seen.secrets) != secrets:
            problems.append(f"{len(scene.seen.secrets)} secrets were issued, not {secrets}: {both.words}")
        if scene.seen.stopped and not gap:
            problems.append(f"{scene.seen.stopped}: {both.words}")
        document = scene.delivered()
        assert document is not None
        if not scene.gets_a_token(document):
            problems.append(f"the delivered secret gets no token: {both.words}")
    assert problems == [], "\n\n".join(problems)
    assert leased > 10, "the second run hardly ever met the first one's lease"


@pytest.mark.timeout(600)
def test_a_nightly_preview_sees_who_works_and_disturbs_nothing(
    scenes: Callable[..., tuple[Scene, CommandLine]],
) -> None:
    scene, other = scenes()
    PHASES["rotate"].prepare(scene, STRATEGIES["key pairs"])
    world, scene.old = scene.save(), scene.delivered()
    leased = 0
    gate = ("preview", "--expect-no-changes")
    for both in interleaved(scene, world, lambda: other.run(*gate, environment=scene.environment)):
        assert both.first.code == 0, both.words
        assert both.second.code in {0, 2}, both.words
        leased += f"/{both.pid}/" in both.second.text
        assert scene.seen.stopped == [], both.words
        assert scene.everything()["generations"] == ["1 previous", "2 current"], both.words
    assert leased > 10


@pytest.mark.timeout(600)
def test_an_emergency_revoke_beside_a_run_ends_everything_for_good(
    scenes: Callable[..., tuple[Scene, CommandLine]], monkeypatch: pytest.MonkeyPatch
) -> None:
    scene, _ = scenes()
    PHASES["rotate"].prepare(scene, STRATEGIES["key pairs"])
    world = scene.save()
    for name, value in scene.environment.items():
        monkeypatch.setenv(name, value)
    problems = []
    for both in interleaved(scene, world, lambda: revoke(scene, "leaked")):
        if not in_a_sentence(both.first):
            problems.append(f"the run did not end in a sentence: {both.words}")
        after = [scene.run("up", "--yes") for _ in range(2)][-1]
        if after.code != 0:
            problems.append(f"later runs fail: {both.words}\n--- then: {after}")
        if scene.secrets():
            problems.append(f"{scene.secrets()} still authenticate: {both.words}\n--- then: {after}")
        if "revoked" not in scene.ledger():
            problems.append(f"the ledger forgot that it is revoked: {both.words}")
    assert problems == [], "\n\n".join(problems)


def revoke(scene: Scene, reason: str) -> Ended:
    """Revoke everything at once, from the ledger alone, as an emergency does."""
    ledgers = Vault("first", url=scene.sandbox.vault.url, admin="env:KILLS_VAULT_RUNNER").ledgers("keysteward")
    session = Session("acme/kills", ledgers, access="runner")
    session.credentials.edit(IDENTITY, lambda ledger: handles.revoke(ledger, ledgers.now(), reason))
    return Ended(0, "revoked")
