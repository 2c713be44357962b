"""A consumer moves to another client only when that one may do all that the first may, beyond its scopes too."""

from __future__ import annotations

import pytest
from bench_world import STOCK, Company
from test_stories import NAME, edit, kinds, stranger

from keysteward.core.declare.credentials import RotationSchedule
from keysteward.core.findings import Kind
from keysteward.core.record.requests import reissue

ROLE = "realm_access.roles: reports"


@pytest.fixture
def imported() -> Company:
    """A client of somebody's with a role of its service account, adopted with two clients in turn."""
    made = Company(STOCK)
    stranger(made, "legacy")
    made.target.beyond = {"legacy": frozenset({ROLE, "aud: account"}), "legacy-2": frozenset({"aud: account"})}
    made.declare(made.client(adopt="legacy", alternate_clients=True))
    made.up()
    return made


def asked_anew(made: Company) -> None:
    edit(made, lambda ledger: reissue(ledger, "pasted into a chat", at=made.clock.now))


def works(made: Company) -> bool:
    return made.target.works("legacy", "old")


def test_a_reissue_ends_nothing_while_the_second_client_may_do_less(imported: Company) -> None:
    asked_anew(imported)
    assert "consumers then log in as client legacy-2" in imported.words()
    for _ in range(4):
        imported.up()
        assert works(imported)
        assert imported.reads() is None
    assert Kind.BLOCKED in kinds(imported)
    reason = imported.ledger().blocked
    assert reason is not None
    assert f"client legacy-2 lacks what legacy has beyond its scopes: {ROLE}; give it these" in reason.reason


def test_once_it_may_do_all_of_it_the_consumer_moves(imported: Company) -> None:
    asked_anew(imported)
    for _ in range(3):
        imported.up()
    imported.target.beyond["legacy-2"] = imported.target.beyond["legacy"]
    asked_anew(imported)
    imported.up()
    ledger = imported.ledger()
    assert ledger.current is not None
    assert ledger.object_of(ledger.current).client_id == "legacy-2"
    assert imported.target.works("legacy-2", imported.reads() or "")
    assert Kind.BLOCKED not in kinds(imported)


def test_what_a_delivered_secret_may_do_is_seen_by_using_it() -> None:
    """No right to see roles is needed for a client of ours."""
    made = Company(STOCK)
    made.declare(made.client(alternate_clients=True))
    made.up()
    made.target.beyond = {"billing": frozenset({ROLE})}
    made.pass_time(days=90)
    before = made.reads()
    made.up()
    made.up()
    assert made.reads() == before
    assert made.target.works("billing", before or "")
    assert made.target.calls.count("rights") == 0
    assert Kind.BLOCKED in kinds(made)


def test_a_gap_of_an_imported_client_says_whom_it_cuts_off() -> None:
    made = Company(STOCK)
    stranger(made, "legacy")
    made.declare(made.client(adopt="legacy", accept_gap=True, rotation=RotationSchedule(every="90d")))
    made.up()
    made.pass_time(days=90)
    assert made.words() == "", "it waits until its consumer reads what is delivered"
    asked_anew(made)
    assert "whoever uses the present secret is cut off" in made.words()
    assert NAME in made.preview()
