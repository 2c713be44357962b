"""What somebody does to a client of ours in its target's console, where its consumers are refused from then on."""

from __future__ import annotations

from dataclasses import replace

import pytest
from bench_world import MINTING, STOCK, Company
from test_stories import NAME, company, running, stranger

from keysteward import ClientSecret, RotationSchedule
from keysteward.core.assess.examine import assess
from keysteward.core.assess.now import findings_now
from keysteward.core.contract.capabilities import Capabilities
from keysteward.core.errors import Conflict, OutcomeUnknown
from keysteward.core.findings import Finding, Kind, Severity
from keysteward.core.record.steps import Do
from keysteward.testing.memory import MemoryObject, MemorySecret


def told(made: Company) -> list[Finding]:
    """Return what a look tells of the credential now."""
    world = made.reconciler().snapshot.world(NAME, made.specs.get(NAME))
    return list(findings_now(world, assess(world)))


def client(made: Company) -> MemoryObject:
    return next(iter(made.target.objects.values()))


def only_error(made: Company) -> str:
    [finding] = [f for f in told(made) if f.severity is Severity.ERROR]
    return finding.message


# Its client_id


def test_a_renamed_client_is_an_error_and_gets_its_client_id_back() -> None:
    made = running()
    client(made).client_id = "billing-old"
    assert not made.consumer_works()
    assert only_error(made) == (
        "client 'billing' at target idp is called 'billing-old' there now; whoever uses it by the name that was "
        "delivered is refused"
    )
    assert made.words() == "give client billing-old its client_id billing back"
    assert [s.do for s in made.up()[NAME].done] == [Do.NAME]
    assert made.consumer_works()
    assert made.words() == ""
    assert told(made) == []


def test_a_client_id_that_another_has_by_now_is_a_problem_and_nothing_is_written() -> None:
    made = running()
    client(made).client_id = "billing-old"
    theirs = stranger(made, "billing")
    before = len(made.target.calls)
    assert any("another client has its client_id" in f.message for f in told(made) if f.severity is Severity.ERROR)
    with pytest.raises(Conflict, match="delete or rename it there"):
        made.up()
    assert set(made.target.calls[before:]) <= {"observe", "look"}
    del made.target.objects[theirs.remote_id]
    made.up()
    assert made.consumer_works()
    assert told(made) == []


def test_one_made_between_the_look_and_the_write_is_not_displaced() -> None:
    made = running()
    client(made).client_id = "billing-old"

    def makes_one(operation: str) -> None:
        if operation == "rename":
            stranger(made, "billing")

    made.target.before = makes_one
    with pytest.raises(Conflict, match="is taken"):
        made.up()
    assert client(made).client_id == "billing-old"


def test_a_rotation_of_a_renamed_client_is_proven_by_the_name_that_is_delivered() -> None:
    made = running()
    client(made).client_id = "billing-old"
    made.pass_time(days=91)
    done = [s.do for s in made.up()[NAME].done]
    assert done[0] is Do.NAME
    assert made.states() == ["1 previous", "2 current"]
    assert made.consumer_works()


def web(made: Company, name: str) -> ClientSecret:
    return ClientSecret(
        "billing",
        client=name,
        target=made.target,
        owner="team-billing",
        purpose="Login",
        rotation=RotationSchedule(every="90d"),
        accept_gap=True,
        retire_adopted=True,
        deliver_to=made.store.path("apps/billing"),
    )


def test_a_client_of_others_is_called_as_they_call_it_once_that_is_declared() -> None:
    made = Company()
    item = stranger(made, "web")
    made.declare(web(made, "web"))
    made.up()
    made.pass_time(days=91)
    made.up()
    assert made.consumer_works()
    item.client_id = "web-app"
    assert made.words() == "", "it is theirs to name"
    assert 'write client="web-app"' in next(f.mend for f in told(made) if f.severity is Severity.ERROR)
    made.declare(web(made, "web-app"))
    assert made.words().startswith("call client web web-app")
    made.up()
    assert made.consumer_works()
    assert item.client_id == "web-app"
    assert made.words() == ""
    assert told(made) == []


# Its key


def swap(made: Company, *, keep: bool = False, number: int = 1) -> MemorySecret:
    """Put another key under the `kid` of one of ours, in its place or before it."""
    kid = made.ledger().generation(number).id
    item = client(made)
    theirs = MemorySecret(str(kid), "forged", "key", made.clock.now)
    item.secrets = [theirs, *(s for s in item.secrets if keep or s.id != kid)]
    return theirs


@pytest.mark.parametrize("keep", [False, True], ids=["in its place", "before it"])
def test_another_key_under_our_kid_is_an_error_and_ours_is_put_back(keep: bool) -> None:
    made = running()
    foreign = MemorySecret("their-own", "their-own", "key", made.clock.now)
    client(made).secrets.append(foreign)
    swap(made, keep=keep)
    assert only_error(made) == (
        "the key of generation 1 was changed at client billing at target idp: another key stands there, and consumers "
        "are refused"
    )
    assert made.words() == "put the key of generation 1 back under its kid"
    assert [s.do for s in made.up()[NAME].done] == [Do.RESTORE]
    assert made.consumer_works()
    assert not made.target.works("billing", "forged"), "whoever has the other passes for our consumer no longer"
    assert foreign in client(made).secrets
    assert made.words() == ""
    assert made.states() == ["1 current"], "the key is ours as before: it is no new secret"
    assert [f for f in told(made) if f.severity is Severity.ERROR] == []


def test_a_key_without_its_kid_is_put_back_under_it() -> None:
    made = running()
    [secret] = client(made).secrets
    client(made).secrets = [replace(secret, id="no kid: x")]
    assert "its kid was taken from it" in only_error(made)
    made.up()
    assert made.consumer_works()
    assert [s.id for s in client(made).secrets if s.value == secret.value][-1] == secret.id


def test_a_key_that_was_taken_away_is_not_brought_back() -> None:
    """Who deletes a key means that it ends: in an incident, perhaps."""
    made = running()
    client(made).secrets = []
    made.up()
    assert made.states() == ["1 abandoned"]
    assert made.ledger().ended_elsewhere == 1
    assert {f.kind for f in told(made)} == {Kind.ENDED_ELSEWHERE}


def test_without_a_copy_in_the_store_a_swapped_key_has_ended() -> None:
    made = running()
    swap(made)
    made.store.documents.clear()
    made.up()
    assert made.ledger().ended_elsewhere == 1
    assert not made.consumer_works()


def test_what_stands_under_the_kid_of_a_key_that_ends_goes_with_it() -> None:
    made = running()
    made.pass_time(days=91)
    made.up()
    swap(made, number=1)
    made.pass_time(days=8)
    made.up()
    assert made.states()[0] == "1 retired"
    assert not made.target.works("billing", "forged")
    assert made.consumer_works()


def test_a_first_preview_of_a_new_credential_knows_nothing_of_all_this() -> None:
    made = company()
    assert {f.kind for f in told(made)} == {Kind.MISSING}


@pytest.mark.parametrize(
    ("can", "method"),
    [(STOCK, "private_key_jwt"), (replace(MINTING, chooses="caller"), "client_secret")],
    ids=["key pairs", "added secrets"],
)
def test_a_client_whose_creation_got_no_answer_is_made_and_nothing_on_it_put_back(
    can: Capabilities, method: str
) -> None:
    made = company(can, auth_method=method)

    def lose(operation: str) -> None:
        if operation == "create":
            raise OutcomeUnknown("no answer")

    made.target.after = lose
    with pytest.raises(OutcomeUnknown):
        made.up()
    made.target.after = lambda _operation: None
    made.pass_time(minutes=10)
    assert "back under its kid" not in made.words()
    made.up()
    assert made.states() == ["1 current"]
