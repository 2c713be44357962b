"""A look at a company of 500 objects finds every planted trouble, and reports nothing else."""

from __future__ import annotations

import copy

import pytest
from mess import Expected, Mess
from plants import PLANTS, Plant

SEEDS = (1, 20_260_107)


@pytest.fixture(scope="module", params=SEEDS)
def company(request: pytest.FixtureRequest) -> Mess:
    return Mess(request.param)


@pytest.fixture
def mess(company: Mess) -> Mess:
    """The company as it was, for one test to damage."""
    return copy.deepcopy(company)


def told(mess: Mess) -> list[Expected]:
    """What a look reports, beside the notes about a neighbour's clients."""
    seen = mess.look()
    assert seen.failures == ()
    found = [Expected(finding.kind, finding.subject) for finding in seen.findings]
    assert mess.neighbours <= set(found)
    return sorted(each for each in found if each not in mess.neighbours)


def test_a_company_in_order_has_no_findings(mess: Mess) -> None:
    assert 480 <= mess.objects <= 540
    assert told(mess) == []


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.__name__)
def test_each_trouble_is_found_and_nothing_else_reported(mess: Mess, plant: Plant) -> None:
    expected = plant(mess)
    assert told(mess) == [expected]


def test_all_troubles_together_are_found_and_nothing_else_reported(mess: Mess) -> None:
    expected = sorted(plant(mess) for plant in PLANTS)
    assert len(set(expected)) == len(PLANTS)
    assert told(mess) == expected


def test_they_are_of_many_kinds_at_every_target(mess: Mess) -> None:
    for plant in PLANTS:
        plant(mess)
    found = mess.look()
    assert len({finding.kind for finding in found.findings}) >= 20
    assert {each.target for each in found.coverage} == {"corp", "saas", "cloud"}
