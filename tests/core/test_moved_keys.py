"""A key whose holder was renamed, or that was taken out of it: it exists, and nothing claims that it has ended."""

from __future__ import annotations

from datetime import timedelta

import pytest
from bench_world import MINTING, NAMED_KEYS, OWN_KEYS, TWO_KEYS, Company
from test_changed_by_hand import told

from keysteward.core.assess.blast_radius import must_be_allowed, works
from keysteward.core.contract.capabilities import Capabilities
from keysteward.core.errors import Conflict
from keysteward.core.findings import Finding, Kind, Severity
from keysteward.core.record.requests import reissue, revoke
from keysteward.testing.memory import MemoryObject

NAME = "acme/test/billing"
KINDS = {"named": NAMED_KEYS, "two": TWO_KEYS, "own": OWN_KEYS}


def with_a_key(keys: Capabilities = TWO_KEYS) -> Company:
    company = Company(MINTING, keys=keys)
    company.declare(company.key())
    company.up()
    company.pass_time(hours=1)
    return company


@pytest.fixture(params=KINDS)
def made(request: pytest.FixtureRequest) -> Company:
    return with_a_key(KINDS[request.param])


def rename(made: Company, to: str = "org-2", name: str = "org-1") -> MemoryObject:
    """As IAM renames a user: the name is the id, and the keys stay."""
    item = made.target.objects.pop(name)
    item.remote_id = item.client_id = to
    made.target.objects[to] = item
    return item


def take_out(made: Company) -> MemoryObject:
    """As API Gateway shows a key that was taken out of its usage plan."""
    loose = made.target.hold("no usage plan")
    loose.loose = True
    held = made.target.objects["org-1"].secrets
    loose.secrets, held[:] = list(held), []
    return loose


def key_id(made: Company, number: int = 1) -> str:
    found = made.ledger().generation(number).id
    assert found is not None
    return found


def only(made: Company) -> Finding:
    (finding,) = [f for f in told(made) if f.severity is not Severity.NOTE]
    return finding


def ask_for_another(made: Company) -> None:
    made.reconciler().edit(NAME, lambda ledger: reissue(ledger, "lost", at=made.clock.now))


def test_a_renamed_holder_is_told_with_the_name_that_it_has_now(made: Company) -> None:
    rename(made)
    finding = only(made)
    assert (finding.kind, finding.severity) == (Kind.MISSING, Severity.ERROR)
    assert finding.message == (
        f"account 'org-1' is not at target idp any more; its key {key_id(made)} is at account 'org-2' now, and has not "
        "ended"
    )
    assert 'write holder="org-2"' in finding.mend
    assert "reissue" not in finding.mend
    assert made.words() == "", "a run claims nothing, and begins nothing"
    made.up()
    assert made.states() == ["1 current"]


def test_a_disabled_key_under_the_new_name_is_called_so() -> None:
    made = with_a_key()
    rename(made).secrets[0].enabled = False
    assert "at account 'org-2' now, disabled, and has not ended" in only(made).message


def test_what_is_asked_for_meanwhile_says_where_the_key_is(made: Company) -> None:
    rename(made)
    ask_for_another(made)
    with pytest.raises(Conflict, match=f"its key {key_id(made)} is at account 'org-2' now") as problem:
        made.up()
    assert "have it called 'org-1' again, or write holder=\"org-2\"" in str(problem.value)
    assert made.states() == ["1 current"]


def test_the_new_name_in_the_declaration_gives_consumers_another_key_there_and_ends_the_old_one(made: Company) -> None:
    old, item = key_id(made), rename(made)
    made.declare(made.key(holder="org-2"))
    made.up()
    assert made.states() == ["1 previous", "2 current"]
    assert [s.id for s in item.secrets] == [old, key_id(made, 2)]
    made.pass_time(days=8)
    made.up()
    assert made.states() == ["1 retired", "2 current"]
    assert [s.id for s in item.secrets] == [key_id(made, 2)]
    assert made.words() == ""
    assert [f for f in told(made) if f.severity is not Severity.NOTE] == []


def test_a_name_given_back_ends_the_matter(made: Company) -> None:
    rename(made)
    assert only(made).kind is Kind.MISSING
    rename(made, "org-1", "org-2")
    assert told(made) == []
    assert made.consumer_works()


def test_somebody_else_under_the_old_name_is_not_taken_for_the_holder_that_has_the_key(made: Company) -> None:
    rename(made)
    made.target.hold("org-1")
    finding = only(made)
    assert finding.kind is Kind.MISSING
    assert finding.message.startswith(f"key {key_id(made)} of account 'org-1' at target idp was taken out of it; it is")
    assert made.words() == ""


def test_a_key_in_no_holder_exists_and_its_callers_are_refused() -> None:
    made = with_a_key(OWN_KEYS)
    take_out(made)
    finding = only(made)
    assert (finding.kind, finding.severity) == (Kind.MISSING, Severity.ERROR)
    assert finding.message.endswith("; it is at no usage plan now, and has not ended, but its callers are refused")
    assert "add it to account 'org-1' again at the target, or run: keysteward reissue billing" in finding.mend
    assert made.words() == "", "whoever took it out may have meant it: no run puts it back"


def test_a_reissue_replaces_a_key_that_was_taken_out_and_ends_it_where_it_is() -> None:
    made = with_a_key(OWN_KEYS)
    loose = take_out(made)
    ask_for_another(made)
    made.up()
    assert made.consumer_works()
    made.pass_time(days=8)
    made.up()
    assert made.states() == ["1 retired", "2 current"]
    assert loose.secrets == []
    assert told(made) == []


def test_a_revocation_follows_the_key(made: Company) -> None:
    item = rename(made)
    made.reconciler().edit(NAME, lambda ledger: revoke(ledger, made.clock.now, "leaked"))
    made.up()
    assert item.secrets == []


def test_a_key_in_use_under_another_name_needs_a_persons_word_before_it_ends() -> None:
    made = with_a_key()
    made.clock.advance(timedelta(days=1))
    rename(made).secrets[0].last_used = made.clock.now
    made.declare()
    world = made.reconciler().snapshot.world(NAME, None)
    assert works(world)
    assert must_be_allowed(world, made.clock.now)
