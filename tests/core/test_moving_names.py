"""`mv` gives a credential another identity and nothing else, wherever it is killed on the way."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import pytest
from bench_world import Company
from test_crashes import STRATEGIES, Killed, Trap, disarm

from keysteward.core.errors import KeystewardError, OutcomeUnknown
from keysteward.core.observe.world import Extent

OLD, NEW = "acme/test/billing", "acme/test/invoices"


def ready(strategy: str) -> Company:
    """Return a company in an overlap whose declaration has just got another name, without `previously`."""
    can, fields = STRATEGIES[strategy]
    made = Company(can)
    made.declare(made.client(**fields))
    made.up()
    made.pass_time(days=90)
    made.up()
    made.declare(made.client("invoices", **{**fields, "deliver_to": made.store.path("apps/billing")}))
    return made


def move(made: Company) -> None:
    """Do what the command does, as a new process."""
    made.extent = Extent.RENAME
    try:
        spec = replace(made.specs[NEW], previously=("billing",))
        reconciler = made.reconciler()
        reconciler.snapshot.add(spec)
        reconciler.run(NEW, spec)
    finally:
        made.extent = Extent.ALL


def issued(made: Company) -> list[tuple[str, bool, list[str]]]:
    return [(o.client_id, o.enabled, [s.value for s in o.secrets]) for o in made.target.objects.values()]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_only_the_identity_changes(strategy: str) -> None:
    made = ready(strategy)
    before, value, states = issued(made), made.reads(), made.states()
    move(made)
    assert (issued(made), made.reads()) == (before, value)
    assert made.states("invoices") == states
    assert made.ledger("billing").closed is not None
    assert {o.mark.identity for o in made.target.objects.values() if o.mark} == {NEW}
    assert made.store.owners["apps/billing"] == NEW
    assert {o.settings.description.rpartition(" ")[2] for o in made.target.objects.values()} == {f"{OLD})"}, (
        "settings wait for `up`"
    )
    made.up()
    assert issued(made) == before
    assert OLD not in made.identities()
    made.pass_time(days=8)
    made.up()
    made.pass_time(days=90)
    made.up()
    assert made.reads() != value
    ledger = made.ledger("invoices")
    assert ledger.current is not None
    assert made.target.works(ledger.object_of(ledger.current).client_id, made.reads() or "")


def test_a_rotation_that_is_due_waits_for_its_own_run() -> None:
    made = ready("key pairs")
    made.pass_time(days=90)
    before = issued(made)
    move(made)
    assert issued(made) == before
    made.up()
    assert made.states("invoices")[-1] == "3 current"


@pytest.mark.parametrize("strike", [Killed, OutcomeUnknown], ids=["killed", "reply lost"])
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_call_can_be_the_last(strategy: str, strike: type[BaseException]) -> None:
    counted = ready(strategy)
    trap = Trap(counted, None, 0, after=False)
    move(counted)
    assert trap.count > 3
    for at in range(1, trap.count + 1):
        for after in (False, True):
            where = f"{strategy}, call {at} of {trap.count}, {'after' if after else 'before'}"
            made = ready(strategy)
            before, value, states = issued(made), made.reads(), made.states()
            Trap(made, strike, at, after=after)
            with suppress(Killed, KeystewardError):
                move(made)
            disarm(made)
            assert made.reads() == value, where
            made.pass_time(minutes=6)
            move(made)
            assert (issued(made), made.reads()) == (before, value), where
            assert made.states("invoices") == states, where
            assert made.ledger("billing").closed is not None, where
            assert {o.mark.identity for o in made.target.objects.values() if o.mark} == {NEW}, where
            assert made.store.owners["apps/billing"] == NEW, where
            made.up()
            assert issued(made) == before, where


@pytest.mark.parametrize("strategy", ["key pairs", "two clients in turn"])
def test_after_a_move_that_died_a_plain_up_goes_on_as_soon_as_the_new_ledger_is_there(strategy: str) -> None:
    counted = ready(strategy)
    trap = Trap(counted, None, 0, after=False)
    move(counted)
    for at in range(1, trap.count + 1):
        made = ready(strategy)
        before, value = issued(made), made.reads()
        Trap(made, Killed, at, after=True)
        with suppress(Killed):
            move(made)
        disarm(made)
        if made.ledgers.read(f"ledgers/{NEW}").document is None:
            continue
        made.pass_time(minutes=6)
        reconciler = made.reconciler()
        reconciler.run(NEW, made.specs[NEW])
        assert (issued(made), made.reads()) == (before, value), at
        assert {o.mark.identity for o in made.target.objects.values() if o.mark} == {NEW}, at
