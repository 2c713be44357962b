"""A run is killed before and after every single call; the next runs must settle and no consumer may notice."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

import pytest
from bench_world import ASSIGNING, MINTING, NAMED, NATIVE, STOCK, Company

from keysteward.core.contract.capabilities import Capabilities
from keysteward.core.declare.credentials import RotationSchedule
from keysteward.core.errors import KeystewardError, OutcomeUnknown
from keysteward.core.findings import Kind
from keysteward.core.record.ledger import dump_ledger
from keysteward.core.record.requests import resolve

STRATEGIES: dict[str, tuple[Capabilities, dict[str, object]]] = {
    "key pairs": (STOCK, {"auth_method": "private_key_jwt"}),
    "native overlap": (NATIVE, {}),
    "two clients in turn": (STOCK, {"alternate_clients": True}),
    "gap": (STOCK, {"accept_gap": True, "rotation": RotationSchedule(every="90d")}),
    "minted": (MINTING, {}),
    "minted under an assigned client_id": (ASSIGNING, {}),
    "named keys": (NAMED, {}),
}


class Killed(BaseException):
    """The process is gone: nothing after this line ran."""


class Trap:
    """Counts port calls and strikes at one of them: before the work or after it."""

    def __init__(self, company: Company, strike: type[BaseException] | None, at: int, *, after: bool) -> None:
        self.count = 0
        self.at, self.after, self.strike = at, after, strike
        for port in (company.target, company.store, company.ledgers):
            port.before = self._before
            port.after = self._after

    def _before(self, _operation: str) -> None:
        self.count += 1
        if self.strike and not self.after and self.count == self.at:
            raise self.strike("struck before")

    def _after(self, _operation: str) -> None:
        if self.strike and self.after and self.count == self.at:
            raise self.strike("struck after")


def disarm(company: Company) -> None:
    Trap(company, None, 0, after=False)


def first_life(can: Capabilities, fields: dict[str, object]) -> Company:
    company = Company(can)
    company.declare(company.client(**fields))
    return company


def rotated(can: Capabilities, fields: dict[str, object]) -> Company:
    company = first_life(can, fields)
    company.up()
    company.pass_time(days=90)
    return company


def retiring(can: Capabilities, fields: dict[str, object]) -> Company:
    company = rotated(can, fields)
    company.up()
    company.pass_time(days=8)
    return company


def removed(can: Capabilities, fields: dict[str, object]) -> Company:
    company = rotated(can, fields)
    company.up()
    company.declare()
    return company


PHASES = {"create": first_life, "rotate": rotated, "retire": retiring, "delete": removed}


def settle(company: Company) -> int:
    """Run until nothing is due, each time after the lease has ended; returns how many runs that took."""
    for runs in range(1, 4):
        company.pass_time(minutes=6)
        company.up()
        plans = company.preview().values()
        if not any(p.steps or p.wait for p in plans):
            return runs
    raise AssertionError(f"not settled: {[p.words for p in company.preview().values()]}")


def resolve_as_ours(company: Company) -> None:
    """At the cap an orphan that cannot be proven stops rotation until a person decides."""
    kinds = {f.kind for f in company.preview()["acme/test/billing"].findings}
    assert {Kind.SUSPECT, Kind.CAP_FILLED} <= kinds
    ledger = company.ledger()
    [suspect] = [s for g in ledger.generations for s in g.suspects]
    document = dump_ledger(resolve(ledger, suspect, ours=True))
    company.ledgers.write("ledgers/acme/test/billing", document, ledger.version)
    company.up()


def strikes(phase: str, strategy: str) -> int:
    """Count the port calls of one phase."""
    company = PHASES[phase](*STRATEGIES[strategy])
    trap = Trap(company, None, 0, after=False)
    company.up()
    return trap.count


@pytest.mark.parametrize("strike", [Killed, OutcomeUnknown], ids=["killed", "reply lost"])
@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_call_can_be_the_last(strategy: str, phase: str, strike: type[BaseException]) -> None:
    if (strategy, phase) == ("gap", "retire"):
        pytest.skip("with a gap nothing is left to retire")
    points = strikes(phase, strategy)
    assert points > 3
    for at in range(1, points + 1):
        for after in (False, True):
            where = f"{strategy}, {phase}, call {at} of {points}, {'after' if after else 'before'}"
            company = PHASES[phase](*STRATEGIES[strategy])
            worked = phase in {"rotate", "retire"} and strategy != "gap"
            before = company.reads()
            Trap(company, strike, at, after=after)
            with suppress(Killed, KeystewardError):
                company.up()
            disarm(company)
            if worked:
                value = company.reads()
                clients = {o.client_id for o in company.target.objects.values()}
                assert any(company.target.works(c, value or "") for c in clients), where
            assert settle(company) <= 2, where
            if phase == "delete":
                assert company.target.objects == {}, where
                assert company.store.documents == {}, where
                continue
            assert company.consumer_works(), where
            assert company.store.staging in ({}, {"apps/billing": {}}), where
            living = sum(len(o.secrets) for o in company.target.objects.values() if o.enabled)
            unproven = sum(len(g.suspects) for g in company.ledger().generations)
            if unproven and strategy.startswith("minted") and phase == "rotate":
                resolve_as_ours(company)
                unproven = 0
                living = sum(len(o.secrets) for o in company.target.objects.values() if o.enabled)
            assert company.reads() != before or phase in {"create", "retire"}, where
            expected = {"rotate": 2}.get(phase, 1) if strategy != "gap" else 1
            assert living - unproven == expected, (where, company.states(), company.target.objects)


def test_a_rotation_that_died_is_not_taken_over_before_its_lease_ends() -> None:
    company = rotated(*STRATEGIES["key pairs"])
    Trap(company, Killed, strikes("rotate", "key pairs") - 3, after=False)
    with pytest.raises(Killed):
        company.up()
    disarm(company)
    held = company.ledger().lease
    assert held is not None
    shown = company.preview()["acme/test/billing"]
    assert [f.kind.value for f in shown.findings] == ["leased"]
    assert shown.steps == ()
    company.clock.now = held.until + timedelta(seconds=1)
    company.up()
    assert company.states() == ["1 previous", "2 current"]


def test_what_was_minted_after_a_pause_and_then_lost_is_reported() -> None:
    company = rotated(*STRATEGIES["minted"])

    def stands_still(operation: str) -> None:
        if operation == "issue mint":
            company.pass_time(minutes=4)

    def dies(operation: str) -> None:
        if operation == "issue mint":
            raise Killed

    company.target.before, company.target.after = stands_still, dies
    with pytest.raises(Killed):
        company.up()
    disarm(company)
    settle(company)
    [orphan] = [s for o in company.target.objects.values() for s in o.secrets if s.value != company.reads()]
    [reported] = [f for f in company.preview()["acme/test/billing"].findings if f.kind is Kind.SUSPECT]
    assert orphan.id in reported.message
