"""Secrets on our clients that are not ours: found while a generation is under way too, and never one of its making."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import pytest
from bench_world import MINTING, STOCK, Company, fingerprint
from test_crashes import PHASES, STRATEGIES, Killed, Trap, disarm, settle, strikes

from keysteward import Owners, RotationSchedule, Stack
from keysteward.core.contract.capabilities import Capabilities
from keysteward.core.drift.drift import drift
from keysteward.core.drift.survey import Examined, Seen, TargetSight
from keysteward.core.errors import KeystewardError, OutcomeUnknown
from keysteward.core.findings import Kind
from keysteward.core.record.ledger import State
from keysteward.testing.memory import MemoryObject, MemorySecret

NAME = "acme/test/billing"
GAP: dict[str, object] = {"accept_gap": True, "rotation": RotationSchedule(every="90d")}
OWN = Capabilities(methods=("client_secret",), secrets=4, chooses="caller", tags_objects=True)
"""As a user pool: values of our own beside each other, none of which can be read again."""
MAKING = {
    **STRATEGIES,
    "minted": (replace(MINTING, secrets=4), {}),
    "own values": (OWN, {}),
    "another method in place": (STOCK, {"auth_method": "private_key_jwt", **GAP}),
}
ADDED = ("key pairs", "minted", "named keys", "own values")
"""Where a stranger can add one beside ours."""


def begun(strategy: str, phase: str) -> Company:
    company = PHASES[phase](*MAKING[strategy])
    if strategy == "another method in place" and phase == "rotate":
        company.declare(company.client(auth_method="client_secret", **GAP))
    return company


def calls(strategy: str, phase: str) -> int:
    company = begun(strategy, phase)
    trap = Trap(company, None, 0, after=False)
    company.up()
    return trap.count


def struck(company: Company, strike: type[BaseException], at: int, *, after: bool) -> None:
    """Let a run die at one call, and its lease end."""
    Trap(company, strike, at, after=after)
    with suppress(Killed, KeystewardError):
        company.up()
    disarm(company)


def extra(company: Company) -> list[str]:
    """Return what drift tells of secrets that are not ours."""
    stored = company.ledgers.read(f"ledgers/{NAME}")
    ledger = company.ledger() if stored.document is not None else None
    objects = company.target.observe(fingerprint).objects
    stack = Stack("acme/test", Owners(), company.ledgers, [])
    examined = Examined(NAME, company.specs.get(NAME), ledger)
    seen = Seen(stack, Owners(), company.clock.now, {"idp": TargetSight(objects, ())}, {NAME: examined})
    return [finding.message for finding in drift(seen).findings if finding.kind is Kind.EXTRA_SECRET]


def client(company: Company, client_id: str = "billing") -> MemoryObject:
    return next(item for item in company.target.objects.values() if item.client_id == client_id)


def stranger(company: Company, name: str = "by-hand") -> None:
    """Somebody adds a secret to our client."""
    client(company).secrets.append(MemorySecret(name, name, "key", company.clock.now))


def put_into_the_slot(company: Company, client_id: str = "billing") -> None:
    """A value stands there that we did not choose."""
    item = client(company, client_id)
    theirs = MemorySecret("primary", "by-hand", "primary", company.clock.now)
    item.secrets = [*(secret for secret in item.secrets if secret.slot != "primary"), theirs]


@pytest.mark.parametrize("strike", [Killed, OutcomeUnknown], ids=["killed", "reply lost"])
@pytest.mark.parametrize("phase", ["create", "rotate"])
@pytest.mark.parametrize("strategy", MAKING)
def test_what_a_run_made_that_died_is_never_called_somebody_elses(
    strategy: str, phase: str, strike: type[BaseException]
) -> None:
    unfinished = 0
    for at in range(1, calls(strategy, phase) + 1):
        for after in (False, True):
            company = begun(strategy, phase)
            struck(company, strike, at, after=after)
            for minutes in (0, 6, 60 * 24):
                company.pass_time(minutes=minutes)
                assert extra(company) == [], (at, after, minutes)
            stored = company.ledgers.read(f"ledgers/{NAME}")
            unfinished += stored.document is not None and company.ledger().unfinished is not None
    assert unfinished > 0, "some of these runs died while they made one"


@pytest.mark.parametrize("strategy", ADDED)
def test_what_a_stranger_added_before_is_found_wherever_the_run_died(strategy: str) -> None:
    states = set()
    for at in range(1, calls(strategy, "rotate") + 1):
        for after in (False, True):
            company = begun(strategy, "rotate")
            stranger(company)
            struck(company, Killed, at, after=after)
            making = company.ledger().unfinished
            if making is not None:
                states.add(making.state)
            company.pass_time(minutes=6)
            [told] = extra(company)
            assert told.startswith("client 'billing' at target idp has a secret that is not ours: by-hand"), (at, after)
    assert {State.INTENT, State.VERIFIED} <= states


def died_making(strategy: str, state: State) -> Company:
    """Return a company whose rotation died with a generation in this state, as late as it can; its lease is over."""
    for at in range(calls(strategy, "rotate"), 0, -1):
        company = begun(strategy, "rotate")
        struck(company, Killed, at, after=True)
        making = company.ledger().unfinished
        if making is not None and making.state is state:
            company.pass_time(minutes=6)
            return company
    raise AssertionError(f"no generation was {state} when a run died")


def test_a_key_pair_that_was_added_meanwhile_is_not_the_one_that_was_chosen() -> None:
    for at in range(1, strikes("rotate", "key pairs") + 1):
        company = begun("key pairs", "rotate")
        struck(company, Killed, at, after=True)
        company.pass_time(minutes=6)
        stranger(company)
        assert len(extra(company)) == 1, at


@pytest.mark.parametrize("strategy", ["minted", "named keys", "own values"])
def test_what_came_after_a_secret_was_asked_for_may_be_it_until_that_is_known(strategy: str) -> None:
    company = died_making(strategy, State.INTENT)
    stranger(company)
    assert extra(company) == []
    settle(company)
    told = extra(company)
    suspects = [s for g in company.ledger().generations for s in g.suspects]
    assert bool(told) != bool(suspects), "it is a suspect, or somebody else's"
    company = died_making(strategy, State.VERIFIED)
    stranger(company)
    assert len(extra(company)) == 1


def test_a_run_at_work_is_not_disturbed_by_what_its_ledger_does_not_say_yet() -> None:
    company = begun("minted", "rotate")
    stranger(company)
    at = next(n for n in range(1, 99) if died_at(n))
    struck(company, Killed, at, after=True)
    assert company.ledger().lease is not None
    assert extra(company) == []
    company.pass_time(minutes=6)
    assert len(extra(company)) == 1


def died_at(at: int) -> bool:
    company = begun("minted", "rotate")
    struck(company, Killed, at, after=True)
    return company.ledger().unfinished is not None


def test_the_targets_own_value_stands_in_the_slot_once_the_slots_were_shifted() -> None:
    shifted = 0
    for at in range(1, calls("native overlap", "rotate") + 1):
        company = begun("native overlap", "rotate")
        struck(company, Killed, at, after=True)
        company.pass_time(minutes=6)
        making = company.ledger().unfinished
        values = [fingerprint(secret.value) for secret in client(company).secrets]
        known = {generation.fingerprint for generation in company.ledger().generations}
        shifted += not set(values) <= known
        assert extra(company) == []
        if making is not None and making.state is State.INTENT and making.regen_at is None:
            put_into_the_slot(company)
            assert len(extra(company)) == 1, "nobody has shifted them yet"
    assert shifted > 0


def test_the_targets_own_value_stands_in_the_slot_while_the_method_is_changed() -> None:
    company = died_making("another method in place", State.INTENT)
    put_into_the_slot(company)
    assert extra(company) == []
    company = died_making("gap", State.INTENT)
    put_into_the_slot(company)
    assert len(extra(company)) == 1, "there is no such moment without"


def back_at_the_first(at: int) -> Company:
    """Return two clients in turn whose second rotation, back to the first of them, died at a call."""
    company = begun("two clients in turn", "rotate")
    for days in (8, 90):
        company.up()
        company.pass_time(days=days)
    struck(company, Killed, at, after=True)
    company.pass_time(minutes=6)
    return company


@pytest.mark.parametrize("client_id", ["billing", "billing-2"])
def test_both_of_two_clients_in_turn_are_looked_at(client_id: str) -> None:
    asked = 0
    for at in range(1, 30):
        company = back_at_the_first(at)
        making = company.ledger().unfinished
        if making is None or making.state is not State.INTENT:
            continue
        asked += making.fingerprint is not None
        client(company).enabled = True
        assert extra(company) == []
        put_into_the_slot(company, client_id)
        assert len(extra(company)) == 1
    assert asked > 0


def test_while_one_is_made_at_another_client_the_old_one_is_looked_at_all_the_same() -> None:
    can, _ = MAKING["minted"]
    for at in range(1, 30):
        company = Company(can)
        company.declare(company.client())
        company.up()
        company.declare(company.client(client_id="billing-new"))
        struck(company, Killed, at, after=True)
        company.pass_time(minutes=6)
        stranger(company)
        assert len(extra(company)) == 1, at
