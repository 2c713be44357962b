"""The ledger's document: what is written is read back, a damaged one is told, age moves every time alike."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import timedelta

import pytest
from bench_world import STOCK, Company
from hypothesis import given
from hypothesis import strategies as st

from keysteward.core.declare.spec import dump_spec, load_spec
from keysteward.core.errors import Damaged, DeclarationError
from keysteward.core.record.ledger import Ledger, age, dump_ledger, load_ledger
from keysteward.core.record.requests import reissue, resolve


def lived() -> Ledger:
    company = Company(STOCK)
    company.declare(company.client(alternate_clients=True))
    for _ in range(4):
        company.up()
        company.pass_time(days=60)
    return company.ledger()


LIVED = lived()


def test_what_is_written_is_read_back_through_json() -> None:
    document = json.loads(json.dumps(dump_ledger(LIVED)))
    assert load_ledger(document, LIVED.version) == LIVED


@given(st.sampled_from(sorted(dump_ledger(LIVED))), st.sampled_from([17, "x", None, [], {}, [{}]]))
def test_a_damaged_document_is_told_or_means_something(field: str, value: object) -> None:
    document = {**dump_ledger(LIVED), field: value}
    with suppress(Damaged):
        assert isinstance(load_ledger(document, 1), Ledger)


def test_another_format_is_refused() -> None:
    with pytest.raises(Damaged, match="format 2"):
        load_ledger({**dump_ledger(LIVED), "format": 2}, 1)


@given(st.timedeltas(timedelta(0), timedelta(days=900)))
def test_age_moves_every_time_and_nothing_else(by: timedelta) -> None:
    aged = age(LIVED, by)
    assert age(aged, -by) == LIVED
    for old, new in zip(LIVED.generations, aged.generations, strict=True):
        assert old.asked_at - new.asked_at == by
        assert (old.state, old.fingerprint, old.nonce) == (new.state, new.fingerprint, new.nonce)


def test_a_declaration_keeps_its_shape_through_json() -> None:
    company = Company(STOCK)
    company.declare(company.client(alternate_clients=True))
    [spec] = company.specs.values()
    document = json.loads(json.dumps(dump_spec(spec)))
    assert load_spec(document) == spec
    assert dump_spec(load_spec(document)) == document


def test_no_secret_stands_in_a_ledger() -> None:
    text = json.dumps(dump_ledger(LIVED))
    assert "secret-1" not in text
    assert "secret-2" not in text


def test_requests_that_make_no_sense_are_refused() -> None:
    with pytest.raises(DeclarationError, match="has no suspect 'x'; it has none"):
        resolve(LIVED, "x", ours=True)
    company = Company(STOCK)
    company.declare(company.client(auth_method="private_key_jwt"))
    company.up()
    company.declare()
    company.up()
    with pytest.raises(DeclarationError, match="nothing to reissue"):
        reissue(company.ledger(), "why not", at=company.clock.now)
