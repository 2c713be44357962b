"""The planner alone: builds realistic worlds in memory, plans them, and measures time and memory of this process.

Run as a program by `planner.py`, once per number of credentials; it prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from keysteward.core.assess.examine import Assessed, assess
from keysteward.core.contract.capabilities import Capabilities
from keysteward.core.contract.observed import Delivered, DeliveredEntry, Mark, ObservedObject, ObservedSecret
from keysteward.core.contract.strategy import Strategy
from keysteward.core.declare.delivery import Place
from keysteward.core.declare.spec import Spec, Summary
from keysteward.core.observe.world import Found, Self, View, World
from keysteward.core.plan.steps import Plan
from keysteward.core.record.ledger import Generation, Ledger, ObjectRecord, State

NOW = datetime(2026, 8, 20, 12, tzinfo=UTC)
EVERY, OVERLAP = timedelta(days=90), timedelta(days=7)
REALM = Capabilities(
    methods=("client_secret", "private_key_jwt"),
    keys=16,
    chooses="caller",
    readable=True,
    suspends=True,
    one_method_per_client=True,
    tags_objects=True,
    scopes_global=True,
)
VIEWS = {"corp": View(REALM, started_at=NOW, taken_at=NOW, clock=NOW)}
ME = Self("host/boot/1/1/bench")
CHUNK = 1_000
"""So many worlds are built at a time, outside of the measured time, and forgotten after they were planned."""

DUE_EVERY = 20
"""One credential in twenty (5 %) is due for rotation; the others have nothing due."""

WITH_PREVIOUS_EVERY = 13
"""One in thirteen (7 days of 90) is within its overlap: its previous generation still lives."""


def worlds(numbers: range) -> list[World]:
    """Build the worlds of some credentials: declared, recorded, observed and delivered."""
    return [_world(number) for number in numbers]


def is_due(number: int) -> bool:
    """Say whether a rotation is due for this credential."""
    return number % DUE_EVERY == 0


def _world(number: int) -> World:
    spec = _spec(number)
    since = NOW - (EVERY + timedelta(days=1) if is_due(number) else timedelta(days=1 + number % 60))
    if not is_due(number) and number % WITH_PREVIOUS_EVERY:
        since -= OVERLAP
    overlapping = NOW - since < OVERLAP
    count = 2 + number % 2
    ages = [since - EVERY * back for back in reversed(range(count))]
    generations = tuple(
        _generation(spec, number, index + 1, ages[index : index + 2], overlapping=overlapping) for index in range(count)
    )
    living = [g for g in generations if g.live]
    entries = [DeliveredEntry(g.number, g.fingerprint or "", g.nonce, g.id, _about(spec)) for g in living]
    return World(
        identity=spec.identity,
        spec=spec,
        ledger=_ledger(spec, generations, since),
        views=VIEWS,
        now=NOW,
        me=ME,
        found=(Found(spec.target, _object(spec, number, living)),),
        delivered={
            spec.delivery[0]: Delivered(
                exists=True,
                identity=spec.identity,
                current=entries[-1],
                previous=entries[-2] if len(entries) > 1 else None,
            )
        },
    )


def _about(spec: Spec) -> str:
    return spec.document_digest(spec.client_id, spec.method)


def _spec(number: int) -> Spec:
    name = f"client-{number:06}"
    return Spec(
        identity=f"acme/bench/{name}",
        kind="M2MClient",
        name=name,
        target="corp",
        owner=f"team-{number % 50}",
        purpose=f"Export number {number}",
        environment="production",
        client_id=name,
        client_id_given=False,
        method="private_key_jwt",
        strategy=Strategy.KEY_PAIRS,
        every=EVERY,
        overlap=OVERLAP,
        places=(Place("store", f"apps/{name}"),),
        scopes=frozenset({"invoices:read"}),
        audiences=("https://billing.example.com",),
        token_lifetime=600,
        token_url="https://login.example.com/realms/corp/protocol/openid-connect/token",  # noqa: S106 - an address
    )


def _generation(spec: Spec, number: int, index: int, times: list[datetime], *, overlapping: bool) -> Generation:
    """Return a generation that began at the first of `times` and was replaced at the second."""
    began = times[0]
    replaced = times[1] if len(times) > 1 else None
    last_but_one = replaced is not None and replaced > NOW - OVERLAP and overlapping
    state = State.CURRENT if replaced is None else State.PREVIOUS if last_but_one else State.RETIRED
    return Generation(
        number=index,
        state=state,
        object=1,
        target=spec.target,
        method=spec.method,
        strategy=spec.strategy,
        delivery=spec.delivery,
        nonce=f"{number:012x}{index:04x}",
        facts=spec.facts,
        asked_at=began,
        fingerprint=f"c64b:{number:012x}{index:04x}",
        id=f"kid-{number}-{index}",
        asked_at_target=began,
        issued_at=began,
        current_since=began,
        superseded_at=replaced,
        ended_at=replaced + OVERLAP if replaced is not None and state is State.RETIRED else None,
        evidence=f"proven by {spec.client_id}",
    )


def _ledger(spec: Spec, generations: tuple[Generation, ...], since: datetime) -> Ledger:
    return Ledger(
        identity=spec.identity,
        incarnation=f"i-{spec.name}",
        kind=spec.kind,
        version=12,
        next=len(generations) + 1,
        latest=since,
        about=Summary(spec.owner, spec.purpose, spec.environment),
        places=spec.places,
        objects=(ObjectRecord(1, spec.target, spec.client_id, spec.method, f"o-{spec.name}", f"id-{spec.name}"),),
        generations=generations,
    )


def _object(spec: Spec, number: int, living: list[Generation]) -> ObservedObject:
    return ObservedObject(
        remote_id=f"id-{spec.name}",
        client_id=spec.client_id,
        enabled=True,
        settings=spec.settings(),
        secrets=tuple(ObservedSecret(g.id or str(number), "key", g.fingerprint) for g in living),
        mark=Mark(spec.identity, f"o-{spec.name}"),
    )


def _check(number: int, made: Assessed) -> None:
    """Make sure that the planner was given what this module says. Raises ValueError otherwise."""
    words = made.plan.words
    rotates = "rotate to generation" in words
    if made.plan.problem is not None or made.findings or rotates is not is_due(number) or bool(words) is not rotates:
        raise ValueError(f"credential {number}: not the world that was meant: {words or made}")


LOOP = 2_000_000
"""Turns of the loop beside which the planner is measured: a second or less of plain Python on any machine."""


def loop_seconds() -> float:
    """Measure a fixed loop of plain Python: its processor time stands for how fast this machine is at the moment."""
    total, began = 0, time.process_time()
    for turn in range(LOOP):
        if turn & 3:
            total += turn
    if total <= 0:
        raise AssertionError("the loop adds up")
    return time.process_time() - began


def _chunks(count: int) -> Iterator[range]:
    for first in range(0, count, CHUNK):
        yield range(first, min(first + CHUNK, count))


def main() -> None:
    """Plan, keeping every plan as a preview does; with `--hold`, keep every world too."""
    parser = argparse.ArgumentParser()
    parser.add_argument("count", type=int)
    parser.add_argument("--hold", action="store_true")
    given = parser.parse_args()
    held: list[list[World]] = []
    plans: list[Plan] = []
    seconds, loops = 0.0, [loop_seconds()]
    for numbers in _chunks(given.count):
        built = worlds(numbers)
        began = time.process_time()
        made = [assess(world) for world in built]
        seconds += time.process_time() - began
        for number, one in zip(numbers, made, strict=True):
            _check(number, one)
        plans += [one.plan for one in made]
        if given.hold:
            held.append(built)
    loops.append(loop_seconds())
    loop = sum(loops) / len(loops) * given.count / 100_000
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    shown = {"seconds": seconds, "loops": seconds / loop, "peak_mb": peak, "plans": len(plans), "held": len(held) > 0}
    print(json.dumps(shown))  # noqa: T201


if __name__ == "__main__":
    main()
