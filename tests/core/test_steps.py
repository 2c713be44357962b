"""Each kind of step is a row, and has what its row says that it needs."""

from __future__ import annotations

from keysteward.core.plan.effects import EFFECTS
from keysteward.core.record.steps import Also, At, Do
from keysteward.core.run.executor import Worker

NOTED = {Do.BEGIN, Do.ADOPT}
"""Steps in the ledger alone for which the executor brings what only it has: nonces, and a fresh look."""


def test_every_kind_of_step_has_an_effect() -> None:
    assert set(EFFECTS) == set(Do)


def test_what_acts_outside_of_the_ledger_has_an_executor_and_nothing_else_has() -> None:
    assert set(Worker.ACTS) == {do for do in Do if do.at is not At.LEDGER} | NOTED


def test_what_stops_a_secret_must_have_been_seen_by_a_reviewer() -> None:
    assert {do for do in Do if Also.STOPS in do.also} <= {do for do in Do if Also.ENDS in do.also}


def test_what_writes_to_a_target_acts_there() -> None:
    assert {do.at for do in Do if do.also & {Also.WRITES, Also.FINAL, Also.SCOPES}} == {At.TARGET}
