"""A look at a company of 500 objects finds every planted trouble, and reports nothing else."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
from mess import Expected, Mess
from plants import PLANTS, SEVERAL, Plant, a_copy_of_our_client, an_unmanaged_key, an_unmanaged_key_of_a_user

from keysteward.operations import session

SEED, OTHER_SEED = 1, 20_260_107


@pytest.fixture(scope="module")
def company() -> Mess:
    return Mess(SEED)


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


@pytest.mark.parametrize("plant", SEVERAL, ids=lambda plant: plant.__name__)
def test_what_is_several_troubles_is_reported_as_each_of_them(
    mess: Mess, plant: Callable[[Mess], tuple[Expected, ...]]
) -> None:
    expected = sorted(plant(mess))
    assert told(mess) == expected


def test_all_troubles_together_are_found_and_nothing_else_reported(mess: Mess) -> None:
    expected = sorted(plant(mess) for plant in PLANTS)
    assert len(set(expected)) == len(PLANTS)
    assert len({each.kind for each in expected}) >= 20
    assert told(mess) == expected


def test_another_company_with_the_same_troubles() -> None:
    mess = Mess(OTHER_SEED)
    assert told(mess) == []
    assert sorted(plant(mess) for plant in PLANTS) == told(mess)


def test_what_exists_is_counted_by_how_it_stands(mess: Mess) -> None:
    an_unmanaged_key(mess)
    counted = {c.target: (c.declared, c.governed, c.allowed, c.others, c.unmanaged) for c in mess.look().coverage}
    assert counted == {"corp": (100, 0, 30, 30, 0), "saas": (111, 80, 20, 0, 1), "cloud": (40, 0, 20, 0, 0)}


def test_a_copy_of_our_client_is_not_counted_as_ours(mess: Mess) -> None:
    a_copy_of_our_client(mess)
    (counted,) = (c for c in mess.look().coverage if c.target == "corp")
    assert (counted.declared, counted.unmanaged) == (100, 1)


def test_a_target_that_only_ledgers_name_is_looked_at_as_a_whole(mess: Mess, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last declaration of a target was removed; what strangers have there shows as before."""
    monkeypatch.setattr(session, "revive", lambda _descriptor: mess.cloud)
    mess.declared = {name: d for name, d in mess.declared.items() if d.target is not mess.cloud}
    an_unmanaged_key_of_a_user(mess)
    seen = mess.look()
    assert [c.unmanaged for c in seen.coverage if c.target == "cloud"] == [41]
    assert "cloud: AKIB-9" in {finding.subject for finding in seen.findings}
