"""A forecast says what runs will do: it is held against real runs over the same world, with time moved on."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from bench_world import ASSIGNING, MINTING, NAMED, NAMED_KEYS, NATIVE, OWN_KEYS, STOCK, TWO_KEYS, Company
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keysteward.core.contract.capabilities import Capabilities
from keysteward.core.declare.credentials import RotationSchedule
from keysteward.core.declare.stack import Limit
from keysteward.core.errors import KeystewardError, OutcomeUnknown, Rejected
from keysteward.core.forecast.events import What
from keysteward.core.forecast.forecast import Outlook, Runs, forecast
from keysteward.core.forecast.what_if import stops
from keysteward.core.plan.steps import Step
from keysteward.core.record.ledger import Held, Origin, Revoked, State, Suspended, dump_ledger
from keysteward.core.record.steps import Do

DAY = timedelta(days=1)
NAME = "acme/test/billing"
KEYS = Capabilities(methods=())

CLIENTS: dict[str, tuple[Capabilities, dict[str, Any]]] = {
    "key pairs": (STOCK, {"auth_method": "private_key_jwt"}),
    "native overlap": (NATIVE, {}),
    "two clients in turn": (STOCK, {"alternate_clients": True}),
    "gap": (STOCK, {"accept_gap": True}),
    "minted": (MINTING, {}),
    "minted, under an assigned client_id": (ASSIGNING, {}),
    "named keys": (NAMED, {}),
    "our value beside others": (replace(MINTING, chooses="caller", readable=True), {}),
    "late in lists": (replace(MINTING, list_lag=timedelta(minutes=3)), {}),
}
HELD_KEYS: dict[str, Capabilities] = {"named": NAMED_KEYS, "two": TWO_KEYS, "own": OWN_KEYS}
WRITING = ("create", "update", "mark", "release", "prepare", "issue", "retire", "suspend", "resume", "delete")


class Killed(BaseException):
    """The process is gone."""


def writes_of(company: Company) -> int:
    return sum(call.startswith(WRITING) for call in company.target.calls)


def ahead_of(company: Company, runs: Runs) -> Outlook:
    """Forecast from what a reader sees now; nothing is called afterwards, and nothing is written."""
    before = (company.ledgers.writes, writes_of(company))
    world = company.reconciler("reader").snapshot.world(NAME, company.specs[NAME])
    calls = len(company.target.calls)
    outlook = forecast(world, runs)
    assert (company.ledgers.writes, writes_of(company)) == before
    assert len(company.target.calls) == calls
    return outlook


@dataclass
class Lived:
    """What real runs did, each at its time."""

    issued: list[tuple[datetime, int]] = field(default_factory=list)
    retired: list[tuple[datetime, int]] = field(default_factory=list)
    writes: dict[datetime, int] = field(default_factory=dict)


def states(company: Company) -> dict[int, State]:
    with suppress(AssertionError):
        return {g.number: g.state for g in company.ledger().generations}
    return {}


def live(company: Company, runs: Runs) -> Lived:
    """Let real runs come by, one after another, with the clock moved on."""
    lived, at = Lived(), runs.first
    while at <= runs.end:
        company.clock.now = max(at, company.clock.now)
        before, writes = states(company), writes_of(company)
        reconciler = company.reconciler()
        assert reconciler.snapshot.at == company.clock.now
        company.clock.advance(runs.lasts)
        with suppress(KeystewardError):
            reconciler.run(NAME, company.specs[NAME])
        after = states(company)
        for number, state in after.items():
            made = before.get(number) in {None, State.INTENT, State.ISSUED, State.VERIFIED}
            adopted = company.ledger().generation(number).origin is Origin.ADOPTED
            if made and not adopted and state in {State.CURRENT, State.PREVIOUS}:
                lived.issued.append((at, number))
            if state is State.RETIRED and before.get(number) is not State.RETIRED:
                lived.retired.append((at, number))
        if writes_of(company) > writes:
            lived.writes[at] = writes_of(company) - writes
        at += runs.every
    return lived


def told(outlook: Outlook, what: What) -> list[tuple[datetime, int]]:
    return sorted((e.at, e.generation or 0) for e in outlook.events if e.what is what)


def compare(company: Company, runs: Runs) -> Outlook:
    outlook = ahead_of(company, runs)
    lived = live(company, runs)
    assert told(outlook, What.ISSUED) == sorted(lived.issued)
    assert told(outlook, What.RETIRED) == sorted(lived.retired)
    forecast_writes: dict[datetime, int] = {}
    for written in outlook.writes:
        forecast_writes[written.at] = forecast_writes.get(written.at, 0) + written.count
    assert forecast_writes == lived.writes
    return outlook


def edit(company: Company, **changes: Any) -> None:  # noqa: ANN401 - fields of Ledger
    ledger = company.ledger()
    company.ledgers.write(f"ledgers/{NAME}", dump_ledger(replace(ledger, **changes)), ledger.version)


def strike(company: Company, at: int, how: type[BaseException]) -> None:
    """Let the next run die, or lose an answer, at its n-th call."""
    count = iter(range(at + 1))

    def call(_operation: str) -> None:
        if next(count, None) is None:
            raise how("struck")

    for port in (company.target, company.store, company.ledgers):
        port.before = call
    with suppress(Killed, KeystewardError):
        company.up()
    for port in (company.target, company.store, company.ledgers):
        port.before = lambda _operation: None


@dataclass
class Story(Company):
    """A company that tells in short what was drawn."""

    told: list[str] = field(default_factory=list)

    def _repr_pretty_(self, printer: Any, _cycle: bool) -> None:  # noqa: ANN401 - hypothesis's printer
        printer.text("; ".join(self.told))


@st.composite
def stories(draw: st.DrawFn) -> Story:
    """Draw a company with one credential of any strategy, some time into its life, with anything done to it."""
    every = draw(st.sampled_from([5, 12, 30, 90]))
    overlap = draw(st.sampled_from([timedelta(days=1), timedelta(days=3), timedelta(hours=30)]))
    windows = draw(st.sampled_from([[], ["Sun 02:00-04:00 UTC"], ["daily 08:00-10:00 Europe/Berlin"]]))
    silent = draw(st.sampled_from([None, "2d"]))
    of_key = draw(st.booleans())
    kind = draw(st.sampled_from(sorted(HELD_KEYS if of_key else CLIENTS)))
    fields: dict[str, Any] = {} if of_key else dict(CLIENTS[kind][1])
    schedule: dict[str, Any] = {"every": f"{every}d", "overlap": overlap, "windows": windows}
    if kind in {"minted, under an assigned client_id", "named", "two"}:
        schedule["retire_when_unused_for"] = silent
    if kind == "gap":
        schedule["overlap"] = timedelta()
    fields["rotation"] = RotationSchedule(**schedule)
    company = Story(KEYS, keys=HELD_KEYS[kind]) if of_key else Story(CLIENTS[kind][0])
    start = company.clock.now
    end = draw(st.none() | st.integers(2, 160))
    if end is not None and draw(st.booleans()):
        fields["decommission"] = (start + end * DAY).date()
    elif end is not None:
        fields["expires"] = (start + end * DAY).date()
    company.told += [f"{'key' if of_key else 'client'} {kind}", str(schedule), f"ends {end}: {sorted(fields)}"]
    make = company.key if of_key else company.client
    company.declare(make(**fields))
    for days in draw(st.lists(st.integers(0, every + 5), max_size=3)):
        company.pass_time(days=days, minutes=draw(st.integers(0, 600)))
        company.told.append(f"run at {company.clock.now:%d.%m. %H:%M}")
        with suppress(KeystewardError):
            company.up()
    disturb(draw, company)
    return company


def disturb(draw: st.DrawFn, company: Story) -> None:
    """Do something to it that is still to be dealt with when the forecast is made, or nothing."""
    what = draw(
        st.sampled_from(["", "", "", "kill", "lost", "held", "reissue", "back", "stop", "revoke", "dead", "off"])
    )
    if what in {"kill", "lost"}:
        company.pass_time(days=draw(st.sampled_from([0, 30, 95])))
        company.told.append(f"run at {company.clock.now:%d.%m. %H:%M} struck: {what}")
        strike(company, draw(st.integers(0, 25)), Killed if what == "kill" else OutcomeUnknown)
        return
    if not states(company):
        return
    company.told.append(what)
    now, ledger = company.clock.now, company.ledger()
    if what == "held":
        edit(company, held=Held(now + draw(st.integers(1, 40)) * DAY, "freeze"))
    elif what == "reissue":
        edit(company, reissue="asked for", grace=draw(st.sampled_from([None, timedelta(hours=6)])))
    elif what == "back" and ledger.in_state(State.PREVIOUS):
        edit(company, rollback=ledger.in_state(State.PREVIOUS)[-1].number)
    elif what == "stop":
        edit(company, suspended=Suspended(now, "looked into"))
    elif what == "revoke":
        numbers = tuple(g.number for g in ledger.generations if g.live)[:1]
        edit(company, revoked=Revoked(now, "leak", draw(st.sampled_from([None, numbers]))))
    elif what == "dead":
        kill_secrets(draw, company)
    elif what == "off":
        for item in company.target.objects.values():
            item.enabled = bool(item.holder)
            for secret in item.secrets if item.holder else ():
                secret.enabled = False


def kill_secrets(draw: st.DrawFn, company: Story) -> None:
    """Let somebody end secrets at the target, or let the target end them by itself one day."""
    for item in company.target.objects.values():
        for secret in list(item.secrets):
            after = draw(st.sampled_from([None, 0, 3, 20]))
            company.told.append(f"secret {secret.id} ends after {after} d")
            if after == 0:
                item.secrets.remove(secret)
            elif after is not None and item.holder:
                secret.expires_at = company.clock.now + after * DAY


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(
    stories(), st.sampled_from([6, 24, 60]), st.sampled_from([0, 1, 14]), st.integers(5, 40), st.sampled_from([0, 2])
)
def test_a_forecast_names_what_the_runs_then_do_and_when(
    company: Story, hours: int, idle_days: int, count: int, minutes: int
) -> None:
    every, now = timedelta(hours=hours), company.clock.now
    half_past = timedelta(minutes=(30 - now.minute) % 60)  # a run that lasts beyond its window's end is another story
    first = now + idle_days * DAY + half_past
    compare(company, Runs(now, first, every, first + count * every, lasts=timedelta(minutes=minutes)))


@pytest.mark.parametrize("kind", [*CLIENTS, *HELD_KEYS])
def test_a_hundred_days_of_every_strategy(kind: str) -> None:
    schedule = RotationSchedule(every="30d", overlap="0s" if kind == "gap" else "3d")
    if kind in CLIENTS:
        company = Company(CLIENTS[kind][0])
        company.declare(company.client(rotation=schedule, **CLIENTS[kind][1]))
    else:
        company = Company(KEYS, keys=HELD_KEYS[kind])
        company.declare(company.key(rotation=schedule))
    now = company.clock.now
    outlook = compare(company, Runs(now, now, DAY, now + 100 * DAY, lasts=timedelta(minutes=1)))
    assert [number for _, number in told(outlook, What.ISSUED)] == [1, 2, 3, 4]
    assert [number for _, number in told(outlook, What.RETIRED)] == [1, 2, 3]
    assert outlook.opened == now
    assert outlook.endings == []


def test_what_is_blocked_or_held_is_told_and_not_played() -> None:
    company = Company(STOCK)
    company.declare(company.client(auth_method="private_key_jwt"))
    company.up()

    def refuse(operation: str) -> None:
        if operation.startswith("issue"):
            raise Rejected("the realm has enough keys")

    company.target.before = refuse
    company.pass_time(days=90)
    company.up()
    now = company.clock.now
    outlook = ahead_of(company, Runs(now, now, DAY, now + 60 * DAY))
    assert told(outlook, What.ISSUED) == []
    assert [e.words for e in outlook.events if e.what is What.BLOCKED] == ["blocked: the realm has enough keys"]
    assert [e.at.date().isoformat() for e in outlook.events if e.what is What.LATE] == ["2026-04-13"]

    company.target.before = lambda _operation: None
    edit(company, blocked=None, held=Held(now + 20 * DAY, "freeze"))
    outlook = compare(company, Runs(now, now, DAY, now + 60 * DAY))
    assert told(outlook, What.ISSUED) == [(now + 20 * DAY, 3)]


def test_a_plan_without_end_ends_the_forecast(monkeypatch: pytest.MonkeyPatch) -> None:
    company = Company(STOCK)
    company.declare(company.client(auth_method="private_key_jwt"))
    company.up()
    again = Step(Do.RECORD, "record the changed declaration", headline=True)
    monkeypatch.setattr("keysteward.core.forecast.forecast.decide", lambda _world: again)
    now = company.clock.now
    outlook = ahead_of(company, Runs(now, now, DAY, now + 3650 * DAY))
    [event] = outlook.events
    assert event.what is What.BLOCKED
    assert event.words == "its plan does not come to an end; its last step is: record the changed declaration"


def test_a_lease_of_another_run_is_waited_for() -> None:
    company = Company(STOCK)
    company.declare(company.client(auth_method="private_key_jwt"))
    strike(company, 6, Killed)
    assert company.ledger().lease is not None
    now = company.clock.now
    outlook = compare(company, Runs(now, now, timedelta(minutes=2), now + timedelta(minutes=20)))
    assert outlook.events[0].what is What.WAITS
    assert told(outlook, What.ISSUED) == [(now + timedelta(minutes=6), 1)]


def test_the_limit_stops_the_run_that_would_end_too_much() -> None:
    company = Company(STOCK)
    day = company.clock.now + 10 * DAY
    fields: dict[str, Any] = {"auth_method": "private_key_jwt"}
    company.declare(*(company.client(f"job-{n}", **fields) for n in range(6)))
    company.up()
    company.declare(
        *(company.client(f"job-{n}", decommission=day.date(), **fields) for n in range(4)),
        *(company.client(f"job-{n}", **fields) for n in (4, 5)),
    )
    now = company.clock.now
    runs = Runs(now, now, DAY, now + 30 * DAY)
    snapshot = company.reconciler("reader").snapshot
    outlooks = [forecast(snapshot.world(i, spec), runs) for i, spec in company.specs.items()]
    [stop] = stops(outlooks, Limit(), 6)
    assert (stop.at, stop.ending, stop.of) == (day, 4, 6)
    assert stop.names == ("job-0", "job-1", "job-2", "job-3")
    assert stops(outlooks, Limit(share=0.7), 6) == ()
    assert stops(outlooks, Limit(count=4), 6) == ()
