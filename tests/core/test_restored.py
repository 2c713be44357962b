"""Ledger store and target come back from backups of different days: what a run finds is told apart, and goes on."""

from __future__ import annotations

import copy

import pytest
from bench_world import MINTING, STOCK, Company
from test_lost_ledgers import NAME, STRATEGIES, rebuilt

from keysteward.core.errors import Conflict
from keysteward.core.findings import Kind
from keysteward.core.record.requests import reissue, revoke


def declared_anew(made: Company, **fields: object) -> None:
    """Remove the declaration, and put it back: another client has the name now."""
    made.declare()
    made.up()
    made.declare(made.client(**fields))
    made.up()


def test_a_client_is_not_taken_for_gone_because_an_earlier_one_of_its_name_is() -> None:
    made = Company(MINTING)
    made.declare(made.client())
    made.up()
    ledgers = dict(made.ledgers.documents)
    declared_anew(made, deliver_to=made.store.path("apps/second"))
    made.ledgers.documents = ledgers
    made.declare(made.client(deliver_to=made.store.path("apps/moved")))
    made.reconciler().edit(NAME, lambda ledger: reissue(ledger, "restored", at=made.clock.now))

    with pytest.raises(Conflict, match="marked as ours, but no ledger knows it; run: keysteward rebuild billing"):
        made.up()
    rebuilt(made)
    made.up()
    assert [o.client_id for o in made.target.objects.values()] == ["billing"]
    assert made.target.works("billing", made.store.reads("apps/moved") or "")


def test_an_earlier_client_of_the_name_that_a_restored_target_has_again_takes_its_turn() -> None:
    made = Company(STOCK)
    made.declare(made.client(alternate_clients=True))
    made.up()
    realm = copy.deepcopy(made.target.objects)
    declared_anew(made, alternate_clients=True)
    ledgers = dict(made.ledgers.documents)
    made.pass_time(days=90)
    made.up()
    made.target.objects, made.ledgers.documents = realm, ledgers

    rebuilt(made)
    made.reconciler().edit(NAME, lambda ledger: reissue(ledger, "restored", at=made.clock.now))
    made.up()
    assert [o.client_id for o in made.target.objects.values()] == ["billing"]
    assert made.consumer_works()
    assert made.words() == ""


def test_while_the_restored_client_is_disabled_no_store_keeps_what_is_over() -> None:
    made = Company(STOCK)
    made.declare(made.client(alternate_clients=True))
    made.up()
    realm, ledgers = copy.deepcopy(made.target.objects), dict(made.ledgers.documents)
    made.declare(made.client(alternate_clients=True, deliver_to=made.store.path("apps/moved")))
    made.up()
    made.pass_time(days=8)
    made.up()
    made.target.objects, made.ledgers.documents = realm, ledgers
    [client] = made.target.objects.values()
    client.enabled = False
    assert made.store.reads("apps/moved") == "secret-2"

    rebuilt(made)
    made.up()
    assert made.store.reads("apps/moved") is None, "the client it was for is gone"
    assert Kind.DISABLED_ELSEWHERE in {f.kind for f in made.preview()[NAME].findings}
    assert [s.value for s in client.secrets] == ["secret-1"], "nothing ends that may be alive"
    assert not client.enabled
    client.enabled = True
    made.up()
    assert made.target.works("billing-2", made.store.reads("apps/moved") or "")


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_what_was_revoked_is_ended_on_a_deleted_client_that_a_restored_target_has_again(strategy: str) -> None:
    can, fields = STRATEGIES[strategy]
    made = Company(can)
    made.declare(made.client(**fields))
    made.up()
    value = made.reads() or ""
    realm = copy.deepcopy(made.target.objects)
    declared_anew(made, **fields)
    made.pass_time(days=1)
    made.target.objects = realm
    made.reconciler().edit(NAME, lambda ledger: revoke(ledger, made.clock.now, "leaked"))
    assert made.target.works("billing", value)

    made.up()
    assert not made.target.works("billing", value)
    assert made.words() == ""
