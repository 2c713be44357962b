"""A person's word: held, suspended, resumed, rolled back; under every strategy, as the consumer sees it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

import pytest
from bench_world import MINTING, NAMED, NATIVE, STOCK, Company

from keysteward.core.contract.capabilities import Capabilities
from keysteward.core.declare.credentials import RotationSchedule
from keysteward.core.errors import DeclarationError
from keysteward.core.findings import Kind
from keysteward.core.observe.world import Extent
from keysteward.core.record.ledger import Ledger, State
from keysteward.core.record.requests import hold, release, resume, rollback, suspend

NAME = "acme/test/billing"
OVERLAPPING: dict[str, tuple[Capabilities, dict[str, object]]] = {
    "key pairs": (STOCK, {"auth_method": "private_key_jwt"}),
    "native overlap": (NATIVE, {}),
    "two clients in turn": (STOCK, {"alternate_clients": True}),
    "minted": (MINTING, {}),
    "named keys": (NAMED, {}),
}
GAP: tuple[Capabilities, dict[str, object]] = (
    STOCK,
    {"accept_gap": True, "rotation": RotationSchedule(every="90d")},
)


def running(can: Capabilities = STOCK, **fields: object) -> Company:
    made = Company(can)
    made.declare(made.client(**(fields or ({"auth_method": "private_key_jwt"} if can is STOCK else {}))))
    made.up()
    return made


def edit(made: Company, change: Callable[[Ledger], Ledger]) -> None:
    assert made.reconciler().edit(NAME, change) is not None


def kinds(made: Company) -> set[Kind]:
    return {f.kind for f in made.preview()[NAME].findings}


def watch(made: Company) -> list[str]:
    """Ask before and after every call whether what the consumer reads works; returns the calls at which it did not."""
    bad: list[str] = []

    def look(operation: str) -> None:
        value = made.reads()
        clients = {o.client_id for o in made.target.objects.values()}
        if value is not None and not any(made.target.works(client, value) for client in clients):
            bad.append(operation)

    for port in (made.target, made.store, made.ledgers):
        port.before = port.after = look
    return bad


def die_at_proof(made: Company) -> None:
    """Let a run die before it proves what it has issued."""

    def die(operation: str) -> None:
        if operation == "verify":
            raise KeyboardInterrupt

    made.target.before = die
    with pytest.raises(KeyboardInterrupt):
        made.up()
    made.target.before = lambda _operation: None


# Held


def test_a_hold_stops_what_would_begin_or_end_and_ends_by_itself() -> None:
    made = running()
    made.pass_time(days=90)
    made.up()
    edit(made, lambda ledger: hold(ledger, made.clock.now + timedelta(days=100), "trade fair"))
    made.pass_time(days=95)
    assert made.words() == ""
    assert Kind.HELD in kinds(made)
    made.up()
    assert made.states() == ["1 previous", "2 current"]
    made.pass_time(days=6)
    assert Kind.HELD not in kinds(made)
    made.up()
    assert made.states() == ["1 retired", "2 previous", "3 current"]
    assert made.consumer_works()


def test_released_it_goes_on_at_once_and_what_is_not_held_cannot_be_released() -> None:
    made = running()
    edit(made, lambda ledger: hold(ledger, made.clock.now + timedelta(days=400), "audit"))
    made.pass_time(days=90)
    assert made.words() == ""
    edit(made, release)
    assert made.words().startswith("rotate to generation 2")
    with pytest.raises(DeclarationError, match="is not held; there is nothing to release"):
        edit(made, release)


def test_a_hold_does_not_stop_what_was_begun() -> None:
    made = running()
    made.pass_time(days=90)
    die_at_proof(made)
    edit(made, lambda ledger: hold(ledger, made.clock.now + timedelta(days=9), "freeze"))
    made.pass_time(minutes=6)
    made.up()
    assert made.states() == ["1 previous", "2 current"]


# Suspended


@pytest.mark.parametrize("strategy", OVERLAPPING)
def test_suspended_nothing_works_and_resumed_the_same_secret_does(strategy: str) -> None:
    can, fields = OVERLAPPING[strategy]
    made = running(can, **fields)
    if not can.suspends:
        edit(made, lambda ledger: suspend(ledger, made.clock.now, "odd traffic"))
        assert made.words() == "", "the command refuses; the note alone does nothing"
        return
    made.pass_time(days=90)
    made.up()
    before = made.reads()
    edit(made, lambda ledger: suspend(ledger, made.clock.now, "odd traffic"))
    assert made.words().startswith("disable client billing")
    made.up()
    assert not any(o.enabled for o in made.target.objects.values())
    assert Kind.SUSPENDED in kinds(made)
    made.pass_time(days=200)
    assert made.words() == "", "nothing begins or ends meanwhile"
    made.up()
    assert made.states() == ["1 previous", "2 current"]

    edit(made, resume)
    made.extent = Extent.LIFECYCLE
    made.up()
    assert made.target.works(made.ledger().objects[-1].client_id, before or "")
    assert made.consumer_works()
    with pytest.raises(DeclarationError, match="was not suspended with `keysteward suspend`"):
        edit(made, resume)


def test_what_is_not_declared_any_more_can_be_suspended_from_its_ledger() -> None:
    made = running()
    made.declare()
    edit(made, lambda ledger: suspend(ledger, made.clock.now, "odd traffic"))
    made.extent = Extent.LIFECYCLE
    assert made.words() == "disable client billing"
    made.up()
    assert not next(iter(made.target.objects.values())).enabled
    assert made.states() == ["1 current"], "nothing is deleted by that"
    made.extent = Extent.ALL
    assert made.words().startswith("delete client billing")


def test_an_extended_expiry_enables_the_credential_again_but_not_one_suspended_by_a_person() -> None:
    made = running(auth_method="private_key_jwt", expires=date(2026, 2, 1))
    made.pass_time(days=40)
    made.up()
    assert not made.consumer_works()
    made.declare(made.client(auth_method="private_key_jwt", expires=date(2027, 2, 1)))
    assert made.words() == "enable client billing"
    edit(made, lambda ledger: suspend(ledger, made.clock.now, "odd traffic"))
    assert made.words() == ""
    edit(made, resume)
    made.up()
    assert made.consumer_works()
    assert made.states() == ["1 current"]


def test_resuming_does_not_enable_what_has_expired_meanwhile() -> None:
    made = running(auth_method="private_key_jwt", expires=date(2026, 2, 1))
    edit(made, lambda ledger: suspend(ledger, made.clock.now, "odd traffic"))
    made.up()
    made.pass_time(days=40)
    edit(made, resume)
    assert made.words() == ""
    made.up()
    assert not made.consumer_works()


# Rolled back


@pytest.mark.parametrize("strategy", OVERLAPPING)
def test_a_rollback_gives_the_old_secret_back_and_lets_the_new_one_live_for_the_overlap(strategy: str) -> None:
    can, fields = OVERLAPPING[strategy]
    made = running(can, **fields)
    old = made.reads() or ""
    made.pass_time(days=90)
    made.up()
    new = made.reads() or ""
    made.pass_time(days=2)
    bad = watch(made)

    edit(made, lambda ledger: rollback(ledger, "me", made.clock.now))
    words = made.words()
    assert "check whether generation 1 still works" in words
    assert "roll back to generation 1" in words
    made.up()
    assert made.reads() == old
    assert made.consumer_works()
    assert made.words() == ""
    clients = [o.client_id for o in made.target.objects.values()]

    def works(value: str) -> bool:
        return any(made.target.works(client, value) for client in clients)

    made.pass_time(days=6)
    made.up()
    assert works(new), "who has the newer secret keeps it for the overlap"
    assert made.consumer_works()
    made.pass_time(days=2)
    made.up()
    assert not works(new)
    assert made.consumer_works()
    assert bad == []

    made.pass_time(days=90)
    made.up()
    assert made.states()[-1] == "3 current"
    assert made.consumer_works()
    assert bad == []


@pytest.mark.parametrize("strategy", OVERLAPPING)
def test_rolled_back_the_next_rotation_comes_when_it_would_have_come(strategy: str) -> None:
    can, fields = OVERLAPPING[strategy]
    made = running(can, **fields)
    made.pass_time(days=90)
    made.up()
    due = made.preview()[NAME].due
    made.pass_time(days=7, hours=-1)
    edit(made, lambda ledger: rollback(ledger, "me", made.clock.now))
    made.up()
    made.pass_time(days=8)
    made.up()
    assert made.states() == ["1 current", "2 retired"]
    rotation = made.preview()[NAME].due
    assert due is not None
    assert rotation is not None
    assert rotation - made.clock.now > timedelta(days=60), "not at once"


def test_with_a_gap_nothing_is_left_to_roll_back_to() -> None:
    can, fields = GAP
    made = running(can, **fields)
    made.pass_time(days=90)
    made.up()
    with pytest.raises(DeclarationError, match="no previous generation that still lives; generation 2 is the only one"):
        edit(made, lambda ledger: rollback(ledger, "me", made.clock.now))


def test_a_rollback_to_a_secret_that_died_is_not_done() -> None:
    made = running()
    made.pass_time(days=90)
    made.up()
    new = made.reads()
    item = next(iter(made.target.objects.values()))
    item.secrets = [s for s in item.secrets if s.value != "key-1"]
    edit(made, lambda ledger: rollback(ledger, "me", made.clock.now))
    made.up()
    assert made.reads() == new
    assert made.consumer_works()
    assert made.ledger().rollback is None
    assert made.states()[-1] == "2 current"
    assert made.words() == ""


def test_a_rollback_stops_a_retirement_that_has_begun() -> None:
    made = running()
    made.pass_time(days=90)
    made.up()
    edit(made, lambda ledger: ledger.with_generation(1, state=State.RETIRING))
    edit(made, lambda ledger: rollback(ledger, "me", made.clock.now))
    made.up()
    assert made.reads() == "key-1"
    assert made.consumer_works()


def test_no_rollback_while_another_run_works_on_it() -> None:
    made = running()
    made.pass_time(days=90)
    die_at_proof(made)
    with pytest.raises(DeclarationError, match="another run"):
        edit(made, lambda ledger: rollback(ledger, "me", made.clock.now))
