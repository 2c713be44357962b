"""An emergency revocation against everything that may be going on at that moment: no secret of it works afterwards."""

from __future__ import annotations

from contextlib import suppress

import pytest
from bench_world import NAMED, NATIVE, Company
from test_crashes import PHASES, STRATEGIES, disarm

from keysteward.core.contract.observed import Mark
from keysteward.core.declare.spec import spec_of
from keysteward.core.errors import KeystewardError
from keysteward.core.observe.snapshot import Snapshot
from keysteward.core.observe.world import Extent
from keysteward.core.record import requests
from keysteward.core.record.ledger import Ledger
from keysteward.core.run.reconciler import Reconciler
from keysteward.testing.memory import MemoryObject

NAME = "acme/test/billing"


def note(company: Company, *generations: int) -> None:
    """Write a person's word into the ledger, as the command does."""
    noted = company.reconciler("person").edit(
        NAME, lambda ledger: requests.revoke(ledger, company.clock.now, "leaked", generations or None)
    )
    assert noted is not None


def revoke(company: Company) -> Ledger | None:
    """Revoke all and end it at once, as the command does."""
    note(company)
    reconciler = company.reconciler("revoker")
    return reconciler.run(NAME, company.specs.get(NAME)).ledger


def working(company: Company) -> list[str]:
    """Return what still authenticates as this credential."""
    return [s.value for o in company.target.objects.values() if o.enabled and is_ours(o) for s in o.secrets]


def stopped(company: Company) -> str | None:
    """Run, and return how the run was told that it comes too late."""
    try:
        company.up()
    except KeystewardError as error:
        return str(error)
    return None


def is_ours(item: MemoryObject) -> bool:
    return item.mark is not None and item.mark.identity == NAME


def hire_mailer(company: Company) -> str:
    """Give the company a healthy credential beside; returns its secret."""
    mailer = (
        spec_of(company.client("mailer", auth_method="private_key_jwt"), company.stack)
        if company.can.keys
        else (spec_of(company.client("mailer"), company.stack))
    )
    company.specs[mailer.identity] = mailer
    company.reconciler().run(mailer.identity, mailer)
    return company.reads("mailer") or ""


def only_revoking(company: Company) -> Reconciler:
    """Return what runs revocations alone, as without a stack."""
    made = company.reconciler("revoker")
    return Reconciler(made.tools, Snapshot(company.stack, made.snapshot.sources, {}, "revoker", Extent.REVOKE))


class Interloper:
    """Lets a person revoke at one of the port calls of a run, and counts the calls."""

    def __init__(self, company: Company, at: int, *, after: bool) -> None:
        self.company, self.at, self.after, self.count = company, at, after, 0
        for port in (company.target, company.store, company.ledgers):
            port.before, port.after = self._before, self._after

    def _strike(self) -> None:
        disarm(self.company)
        if self.company.ledgers.read(f"ledgers/{NAME}").document is not None:
            with suppress(KeystewardError):
                revoke(self.company)
        self.at = 0
        for port in (self.company.target, self.company.store, self.company.ledgers):
            port.before, port.after = self._before, self._after

    def _before(self, _operation: str) -> None:
        self.count += 1
        if not self.after and self.count == self.at:
            self._strike()

    def _after(self, _operation: str) -> None:
        if self.after and self.count == self.at:
            self._strike()


@pytest.mark.parametrize("phase", ["create", "rotate", "retire"])
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_revocation_wins_at_every_call_of_a_run(strategy: str, phase: str) -> None:
    if (strategy, phase) == ("gap", "retire"):
        pytest.skip("with a gap nothing is left to retire")
    counted = Interloper(company := PHASES[phase](*STRATEGIES[strategy]), 0, after=False)
    company.up()
    assert counted.count > 3
    for at in range(1, counted.count + 1):
        for after in (False, True):
            where = f"{strategy}, {phase}, call {at} of {counted.count}, {'after' if after else 'before'}"
            company = PHASES[phase](*STRATEGIES[strategy])
            mailer = hire_mailer(company)
            Interloper(company, at, after=after)
            told = stopped(company)
            disarm(company)
            assert told is None or "it was revoked meanwhile (leaked); this run stops" in told, (where, told)
            if company.ledger().revoked is None:
                continue
            for _ in range(2):
                company.pass_time(minutes=6)
                company.up()
            assert company.target.works(company.ledger("mailer").objects[-1].client_id, mailer), where
            assert working(company) == [], (where, company.states())
            assert {s.split()[1] for s in company.states()} <= {"retired"}, (where, company.states())
            assert not any(p.steps or p.wait for p in company.preview().values()), where


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_without_a_declaration_a_revocation_ends_secrets_and_deletes_nothing(strategy: str) -> None:
    company = PHASES["rotate"](*STRATEGIES[strategy])
    company.up()
    clients = set(company.target.objects)
    note(company)
    ended = only_revoking(company).run(NAME, None)
    assert working(company) == []
    assert {s.split()[1] for s in company.states()} == {"retired"}
    assert set(company.target.objects) == clients
    assert not {step.do.value for step in ended.done} & {"delete", "empty", "release", "close"}
    assert ended.ledger is not None
    assert ended.ledger.closed is None


def test_without_a_declaration_nothing_that_was_not_revoked_is_touched() -> None:
    company = PHASES["rotate"](*STRATEGIES["named keys"])
    company.up()
    assert only_revoking(company).run(NAME, None).done == ()
    note(company, 1)
    only_revoking(company).run(NAME, None)
    assert company.states() == ["1 retired", "2 current"]
    assert company.consumer_works()
    assert only_revoking(company).run(NAME, None).done == (), "repeatable"


def test_one_revoked_generation_ends_though_the_current_one_cannot_be_proven_now() -> None:
    company = PHASES["rotate"](NATIVE, {})
    company.up()
    company.target.refuse = lambda _claim: "the audience is missing"
    note(company, 1)
    company.up()
    assert company.states() == ["1 retired", "2 current"]


def test_when_the_current_generation_is_revoked_consumers_go_back_to_the_living_one() -> None:
    company = PHASES["rotate"](NAMED, {})
    first = company.reads()
    company.up()
    note(company, 2)
    company.up()
    assert company.states() == ["1 current", "2 retired"]
    assert company.reads() == first
    assert company.consumer_works()


def test_a_client_that_carries_the_mark_of_somebody_else_is_not_disabled() -> None:
    company = PHASES["rotate"](NATIVE, {})
    [client] = company.target.objects.values()
    client.mark = Mark("other/stack/billing", "n")
    revoke(company)
    assert client.enabled, "only the secret that the ledger names is ended"
    assert company.states() == ["1 retired"]


def test_a_lifted_credential_gets_a_new_generation_and_its_old_secrets_stay_ended() -> None:
    company = PHASES["rotate"](NATIVE, {})
    leaked = company.reads() or ""
    revoke(company)
    company.pass_time(days=200)
    assert company.words() == ""
    company.reconciler().edit(NAME, lambda ledger: requests.lift(ledger, company.clock.now))
    company.up()
    assert company.states() == ["1 retired", "2 current"]
    assert company.consumer_works()
    assert not company.target.works("billing", leaked)
