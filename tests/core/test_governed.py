"""Keys that others make: counted, held against their ceiling, age and number, and never changed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from bench_world import MINTING, NAMED_KEYS, Company

from keysteward.core.declare.credentials import Governed, ResourceServer
from keysteward.core.declare.owners import Owner, Owners
from keysteward.core.declare.stack import Stack
from keysteward.core.drift.governed import GovernedSet, judge_set
from keysteward.core.errors import DeclarationError
from keysteward.core.policy.check import check
from keysteward.testing.memory import MemoryLedgers, MemorySecret

CHECKED_ON = datetime(2026, 12, 1, tzinfo=UTC)


@pytest.fixture
def made() -> Company:
    company = Company(MINTING, keys=NAMED_KEYS)
    company.target.hold("org-2")
    company.declare(company.key())
    company.up()
    return company


def key(company: Company, holder: str, name: str, *scopes: str, days: int = 0) -> None:
    at = company.clock.now - timedelta(days=days)
    secret = MemorySecret(f"id-{name}", name, "key", at, name)
    secret.scopes = frozenset(scopes)
    company.target.objects[holder].secrets.append(secret)


def judged(company: Company, **fields: object) -> GovernedSet:
    given: dict[str, object] = {"target": company.target, "owner": "team-billing", "purpose": "Keys of customers"}
    declared = Governed("customers", **{**given, **fields})  # type: ignore[arg-type]
    objects = company.target.observe(None).objects
    ours = {g.id or "" for g in company.ledger().generations}
    return judge_set(declared, company.stack, objects, ours, company.clock.now)


def test_it_counts_what_others_made_and_not_what_is_declared_by_itself(made: Company) -> None:
    key(made, "org-1", "shop")
    key(made, "org-2", "till")
    found = judged(made)
    assert [str(k) for k in found.keys] == ["id-shop 'shop' of account 'org-1'", "id-till 'till' of account 'org-2'"]
    assert (found.holders, found.findings) == (2, ())


def test_holders_and_names_are_selected_by_patterns(made: Company) -> None:
    key(made, "org-1", "shop-1")
    key(made, "org-2", "shop-2")
    key(made, "org-2", "till")
    assert len(judged(made, holders="org-2").keys) == 2
    assert len(judged(made, holders=["org-*"], keys="shop-*").keys) == 2
    assert judged(made, holder_kind="user").keys == ()


def test_beyond_ceiling_age_and_number_it_is_a_finding_each_and_nothing_changes(made: Company) -> None:
    api = ResourceServer("api", target=made.target, audience="api", scopes={"read": "Read", "write": "Write"})
    key(made, "org-1", "wide", "read", "admin")
    key(made, "org-2", "old", "read", days=400)
    before = made.target.observe(None).objects
    found = judged(made, ceiling={api: ["read"]}, max_age="365d", max_count=1)
    assert [(f.message, f.subject) for f in found.findings] == [
        ("1 key may admin, beyond the ceiling: id-wide 'wide' of account 'org-1'", "acme/test/customers"),
        ("1 key older than 365d: id-old 'old' of account 'org-2'", "acme/test/customers"),
        ("has 2 keys, and 1 were agreed", "acme/test/customers"),
    ]
    assert made.target.observe(None).objects == before


def test_an_expired_key_does_not_count(made: Company) -> None:
    key(made, "org-1", "gone")
    made.target.objects["org-1"].secrets[-1].expires_at = made.clock.now
    assert judged(made).keys == ()


def test_many_keys_are_named_up_to_five(made: Company) -> None:
    for number in range(9):
        key(made, "org-1", f"k{number}", days=10)
    (finding,) = judged(made, max_age="7d").findings
    assert finding.message.startswith("9 keys older than 7d: id-k0")
    assert finding.message.endswith("and 4 more")


def test_a_governed_set_needs_an_owner_and_a_target_with_keys() -> None:
    made = Company(MINTING)
    owners = Owners(teams={"team-billing": Owner(contact="billing@example.com")})

    def refused(owner: str) -> str:
        declared = Governed("customers", target=made.target, owner=owner, purpose="Keys of customers")
        with pytest.raises(DeclarationError) as error:
            check(Stack("acme/test", owners, MemoryLedgers("ledgers", made.clock), [declared]), owners, CHECKED_ON)
        return error.value.message

    assert refused("team-billing") == (
        "Governed 'customers': target: idp shows no API keys; govern those of a target that does"
    )
    made = Company(MINTING, keys=NAMED_KEYS)
    assert refused("nobody") == (
        "Governed 'customers': owner: 'nobody' is not in the owners file (it lists team-billing); add the team "
        "or person to the owners file, or correct the name"
    )
