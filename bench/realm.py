"""One realm with N clients: HTTP calls and time of a preview, and of the creation of its clients."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import islice
from multiprocessing import get_context
from typing import TypedDict

import opentofu
import sight
from company import Company, Tally, create, open_runner, preview
from counting import LIST, HttpCalls
from measurement import Measurement, Results, versions
from stand_ins import make_realm, stand_ins

from keysteward.core.errors import KeystewardError
from keysteward.sandbox.keycloak_server import KeycloakServer, KeycloakStartError, missing_prerequisites

TARGET = "corp"
STAND_IN = "keycloak stand-in"
BESIDE_PAGES = 5
PER_CREATION = 6
FIRST = 300
WITH_VAULT = 100


@dataclass(frozen=True)
class Place:
    """A Keycloak under test. `heard` returns how many calls it has received itself, where it can tell."""

    target: str
    url: str
    versions: dict[str, str]
    heard: Callable[[], int] | None = None


class _About(TypedDict):
    target: str
    versions: dict[str, str]


def on_stand_in(results: Results, sizes: Sequence[int]) -> None:
    """Measure on the stand-in, with local store and ledgers, then with Vault's."""
    with stand_ins() as servers, tempfile.TemporaryDirectory(prefix="keysteward-bench-") as folder:
        place = Place(STAND_IN, servers.keycloak, versions(), lambda: servers.calls(servers.keycloak))
        _grow(results, place, folder, sizes)
    with stand_ins() as servers, tempfile.TemporaryDirectory(prefix="keysteward-bench-") as folder:
        company = Company(servers.keycloak, folder, WITH_VAULT, servers.vault)
        os.environ.update(company.environment)
        stack = company.stack()
        runner = open_runner(stack)
        before = servers.calls(servers.vault)
        create(runner, stack.specs.values(), lambda: 0)
        calls = (servers.calls(servers.vault) - before) / WITH_VAULT
        name = "HTTP calls to Vault per client created (store and ledger)"
        results.add(Measurement(name, calls, "calls", "vault stand-in"))


def on_keycloak(results: Results, sizes: Sequence[int]) -> None:
    """Measure on a real Keycloak, where Java and Maven are; the largest size against OpenTofu, where that is."""
    name, target = "preview and creation", "Keycloak"
    missing = missing_prerequisites()
    if missing:
        results.skip(name, target, "; ".join(missing))
        return
    try:
        with KeycloakServer() as server, tempfile.TemporaryDirectory(prefix="keysteward-bench-") as folder:
            make_realm(server.url)
            place = Place(f"Keycloak {server.version}", server.url, versions(keycloak=server.version))
            _grow(results, place, folder, sizes)
            largest = Company(server.url, folder, sizes[-1])
            opentofu.measure(results, largest, place.target, {"keycloak": server.version})
    except KeycloakStartError as error:
        results.skip(name, target, str(error).splitlines()[0])


def _grow(results: Results, place: Place, folder: str, sizes: Sequence[int]) -> None:
    """Create the clients of each size and preview them all, in the same realm."""
    for size in sizes:
        company = Company(place.url, folder, size)
        os.environ.update(company.environment)
        if size == FIRST:
            _creation(results, place, company)
        else:
            stack = company.stack()
            create(open_runner(stack), stack.specs.values(), lambda: 0)
        _preview(results, place, company)
        sight.measure(results, company, place.target, place.versions, place.heard)


def _creation(results: Results, place: Place, company: Company) -> None:
    """Create the first clients: one by itself, with all that a new process asks once, then the others."""
    stack, tally = company.stack(), Tally()
    with HttpCalls(TARGET) as calls:
        runner = open_runner(stack, tally)
        once = calls.operations.count("log in")
        tally.store.clear()
        tally.ledgers.clear()
        specs = iter(stack.specs.values())
        began = time.monotonic()
        first = create(runner, islice(specs, 1), calls.mine)
        others = create(runner, specs, calls.mine)
        seconds = time.monotonic() - began
    every = [*first, *others]
    count = len(every)
    about: _About = {"target": place.target, "versions": place.versions}
    name = "HTTP calls per client created, delivered and proven"
    alone = f"{name}: first of a process, with its login and key set"
    results.add(
        Measurement(alone, first[0] + once, "calls", goal=PER_CREATION, **about),
        Measurement(f"{name}: mean", sum(every) / count, "calls", goal=PER_CREATION, **about),
        Measurement(f"{name}: most", max(every), "calls", goal=PER_CREATION, **about),
        Measurement(f"creation of {count} clients, local store and ledgers, 4 threads", seconds, "s", **about),
    )
    if place.heard is not None:
        about = {"target": "local store and ledgers", "versions": place.versions}
        store, ledgers = sum(tally.store.values()) / count, sum(tally.ledgers.values()) / count
        results.add(
            Measurement("store calls per client created", store, "calls", **about),
            Measurement("ledger store calls per client created", ledgers, "calls", **about),
            Measurement("ledger writes per client created", tally.ledgers["write"] / count, "calls", **about),
        )


def _preview(results: Results, place: Place, company: Company) -> None:
    """Preview clients of which none is due, as a new process does: with its own login."""
    before = place.heard() if place.heard else 0
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        seen = process.submit(_previewed, company).result()
    if place.heard is not None and place.heard() - before != seen.calls:
        raise KeystewardError("the target heard another number of calls than was counted here")
    about: _About = {"target": place.target, "versions": place.versions}
    name = f"preview of {company.clients} clients"
    beside = seen.calls - seen.pages
    results.add(
        Measurement(f"{name}: HTTP calls beside list pages", beside, "calls", goal=BESIDE_PAGES, **about),
        Measurement(f"{name}: list pages", seen.pages, "calls", **about),
        Measurement(f"{name}: time, embedded", seen.seconds, "s", **about),
    )


@dataclass(frozen=True)
class Previewed:
    """What one preview cost."""

    calls: int
    pages: int
    seconds: float


def _previewed(company: Company) -> Previewed:
    """Preview in this process. Raises KeystewardError when something is due: then nothing was measured."""
    stack = company.stack()
    with HttpCalls(TARGET) as calls:
        began = time.monotonic()
        plans = preview(stack)
        seconds = time.monotonic() - began
    if len(plans) != company.clients or any(seen.plan.words or seen.plan.problem for seen in plans.values()):
        raise KeystewardError("the bench's clients were not created as declared")
    return Previewed(len(calls.operations), calls.operations.count(LIST), seconds)
