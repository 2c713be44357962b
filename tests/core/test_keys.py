"""API keys of a holder: each generation a key of its own, ours by its id in the ledger, everything else left alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from bench_world import MINTING, NAMED_KEYS, OWN_KEYS, TWO_KEYS, Company, fingerprint

from keysteward.core.contract.capabilities import Capabilities
from keysteward.core.contract.ports import Proof, Verification
from keysteward.core.declare.credentials import (
    ApiKey,
    Bootstrap,
    M2MClient,
    ResourceServer,
    RotationSchedule,
    Transitional,
)
from keysteward.core.declare.owners import Owner, Owners
from keysteward.core.declare.stack import Stack
from keysteward.core.errors import Conflict, DeclarationError, OutcomeUnknown, Rejected
from keysteward.core.findings import Kind
from keysteward.core.policy.check import check
from keysteward.core.record.requests import resume, revoke, suspend
from keysteward.testing.memory import MemoryLedgers, MemorySecret, MemoryTarget

CHECKED_ON = datetime(2026, 12, 1, tzinfo=UTC)

NAME = "acme/test/billing"
NO_CLIENTS = Capabilities(methods=())
KINDS = {"named": NAMED_KEYS, "two": TWO_KEYS, "own": OWN_KEYS}


@pytest.fixture(params=KINDS)
def made(request: pytest.FixtureRequest) -> Company:
    company = Company(MINTING, keys=KINDS[request.param])
    company.declare(company.key())
    return company


def keys(company: Company) -> list[MemorySecret]:
    return company.target.objects["org-1"].secrets


def stranger(company: Company, key_id: str = "theirs") -> None:
    keys(company).append(MemorySecret(key_id, key_id, "key", company.clock.now))


def kinds(company: Company) -> set[Kind]:
    return {f.kind for f in company.preview()[NAME].findings}


def test_a_year_of_a_key(made: Company) -> None:
    room = made.keys is not TWO_KEYS
    if room:
        stranger(made)
    assert made.words().startswith("issue generation 1 (")
    made.up()
    assert made.words() == ""
    for _ in range(60):
        made.pass_time(days=7)
        made.up()
        assert made.consumer_works()
        assert made.words() == ""
    assert made.ledger().next > 4
    ids = {s.id for s in keys(made)}
    living = {g.id for g in made.ledger().generations if g.live}
    assert ids == living | ({"theirs"} if room else set())


def test_a_key_whose_value_is_shown_once_is_known_by_its_id_alone(made: Company) -> None:
    """As at WorkOS and IAM: the ledger knows the fingerprint, the target shows none, and a year goes by."""
    readable = made.keys is OWN_KEYS
    made.up()
    (key,) = made.target.observe(fingerprint).by_id["org-1"].secrets
    (generation,) = made.ledger().generations
    assert generation.fingerprint is not None
    assert (key.id, key.fingerprint) == (generation.id, generation.fingerprint if readable else None)
    assert made.target.observe(None).by_id["org-1"].secrets[0].fingerprint is None
    client = Company(Capabilities(methods=("private_key_jwt",), keys=4, tags_objects=True))
    client.declare(client.client(auth_method="private_key_jwt"))
    client.up()
    (shown,) = client.target.observe(fingerprint).objects[0].secrets
    assert shown.fingerprint == client.ledger().generation(1).fingerprint, "a public key is no secret"


def test_keys_of_one_holder_do_not_touch_each_other() -> None:
    made = Company(MINTING, keys=NAMED_KEYS)
    made.declare(made.key(), made.key("shipping"))
    made.up()
    assert len(keys(made)) == 2
    made.declare(made.key("shipping"))
    made.up()
    assert [s.name.split()[0] for s in keys(made) if s.name] == ["acme/test/shipping"]
    assert made.ledger().closed is not None
    assert made.reads() is None
    assert made.consumer_works("shipping")


def test_a_removed_declaration_ends_its_keys_and_leaves_the_holder(made: Company) -> None:
    stranger(made)
    made.up()
    made.declare()
    assert made.words() == "retire generation 1"
    made.up()
    assert [s.id for s in keys(made)] == ["theirs"]
    assert made.ledger().closed is not None


def test_a_permission_changes_by_rotation_and_the_preview_says_how_long_the_wider_key_works() -> None:
    made = Company(MINTING, keys=NAMED_KEYS)
    server = ResourceServer("api", target=made.target, audience="api", scopes={"read": "", "write": ""})
    made.declare(made.key(access={server: ["read", "write"]}))
    made.up()
    made.declare(made.key(access={server: ["read"]}))
    assert made.words().startswith(
        "rotate to generation 2 (scopes, audience or expiry changed, which this target cannot change on a living "
        "secret), while the one that also allows write ends 7d later"
    )
    made.up()
    assert [s.scopes for s in keys(made)] == [frozenset({"read", "write"}), frozenset({"read"})]
    made.declare(made.key(access={server: ["read", "write"]}))
    made.up()
    made.declare(made.key(access={server: ["write"]}, narrow_now=True))
    made.up()
    assert made.ledger().generation(3).state.value == "retired", "narrow_now skips the overlap"
    assert made.consumer_works()


def test_the_vendor_is_told_the_expiry_and_extending_it_is_a_rotation() -> None:
    made = Company(MINTING, keys=NAMED_KEYS)
    made.declare(made.key(expires=date(2026, 6, 1)))
    made.up()
    assert [s.expires_at.date() for s in keys(made) if s.expires_at] == [date(2026, 6, 1)]
    made.declare(made.key(expires=date(2026, 12, 1)))
    assert "rotate to generation 2" in made.words()


def test_on_its_last_day_a_key_is_suspended_where_that_can_be_and_else_ended() -> None:
    for can, left in ((TWO_KEYS, [False]), (NAMED_KEYS, [])):
        made = Company(MINTING, keys=can)
        made.declare(made.key(expires=date(2026, 3, 1)))
        made.up()
        made.clock.now = made.clock.now.replace(month=3, day=2)
        made.up()
        assert [s.enabled for s in keys(made)] == left
        assert made.words() == ""
        assert Kind.EXPIRING in kinds(made)


def test_suspend_and_resume_touch_our_keys_alone() -> None:
    made = Company(MINTING, keys=TWO_KEYS)
    stranger(made)
    made.declare(made.key())
    made.up()
    made.reconciler().edit(NAME, lambda ledger: suspend(ledger, made.clock.now, "holiday"))
    assert made.words() == "disable the key at org-1"
    made.up()
    assert {s.id: s.enabled for s in keys(made)} == {"theirs": True, made.ledger().generation(1).id: False}
    assert made.words() == ""
    made.reconciler().edit(NAME, resume)
    made.up()
    assert all(s.enabled for s in keys(made))
    assert made.consumer_works()


def test_a_key_that_somebody_disabled_is_a_finding_and_nothing_is_ended() -> None:
    made = Company(MINTING, keys=TWO_KEYS)
    made.declare(made.key())
    made.up()
    keys(made)[0].enabled = False
    made.pass_time(days=100)
    assert made.words() == ""
    assert Kind.DISABLED_ELSEWHERE in kinds(made)


def test_a_full_holder_is_a_finding_with_the_ids_and_nothing_of_a_stranger_is_ended() -> None:
    made = Company(MINTING, keys=TWO_KEYS)
    stranger(made)
    made.declare(made.key())
    made.up()
    made.pass_time(days=95)
    assert made.words() == ""
    finding = next(f for f in made.preview()[NAME].findings if f.kind is Kind.CAP_FILLED)
    assert "theirs" in finding.message
    assert len(keys(made)) == 2


def test_a_revoked_key_ends_now_and_stays_ended(made: Company) -> None:
    made.up()
    made.reconciler().edit(NAME, lambda ledger: revoke(ledger, made.clock.now, "leaked"))
    made.up()
    assert not made.consumer_works()
    assert not any(s.enabled for s in keys(made))
    made.pass_time(days=200)
    assert made.words() == ""


def test_a_key_that_vanished_is_not_silently_brought_back(made: Company) -> None:
    made.up()
    keys(made).clear()
    made.up()
    assert Kind.ENDED_ELSEWHERE in kinds(made)
    made.pass_time(days=100)
    made.up()
    assert keys(made) == []


def test_one_living_key_is_adopted_by_its_id_and_its_neighbours_stay_strangers() -> None:
    made = Company(MINTING, keys=NAMED_KEYS)
    stranger(made, "key-1")
    stranger(made, "key-2")
    made.declare(made.key(adopt="key-1"))
    assert made.words() == "adopt key key-1"
    made.up()
    assert made.states() == ["1 current"]
    made.pass_time(days=91)
    made.up()
    assert made.states() == ["1 previous", "2 current"]
    made.declare()
    made.up()
    assert [s.id for s in keys(made)] == ["key-1", "key-2"], "what was adopted is left, what we issued ends"
    made.declare(made.key(adopt="nothing"))
    with pytest.raises(Conflict, match="'org-1' at target idp has no key 'nothing'"):
        made.up()


def test_a_holder_that_does_not_exist_is_an_error_before_any_write() -> None:
    made = Company(MINTING, keys=NAMED_KEYS)
    made.declare(made.key(holder="org-9"))
    with pytest.raises(Conflict, match="target idp has no 'org-9'"):
        made.up()
    assert NAME not in made.reconciler().snapshot.ledgers


def test_a_lost_answer_leaves_no_unknown_key(made: Company) -> None:
    """The reply to the call that issues the key is lost after the work: by name or by value nothing is left over."""
    lost = []

    def lose(operation: str) -> None:
        if operation.startswith("issue") and not lost:
            lost.append(operation)
            raise OutcomeUnknown("no answer", target="idp")

    made.target.after = lose
    for _ in range(3):
        try:
            made.up()
        except OutcomeUnknown:
            made.pass_time(minutes=10)
    assert lost
    assert made.consumer_works()
    ledger = made.ledger()
    known = {g.id for g in ledger.generations} | {s for g in ledger.generations for s in g.suspects}
    assert {s.id for s in keys(made)} <= known


# Proofs


def proven_elsewhere(proof: Proof) -> Company:
    """Declare a key at a target that can prove none, with a system whose probe answers in one way."""
    made = Company(MINTING, keys=NAMED_KEYS)
    prover = MemoryTarget("probe", NO_CLIENTS, made.clock, Capabilities(methods=("api_key",), by_hand=True))
    made.targets["probe"] = prover
    made.target.verify = lambda _claim: Verification(Proof.CANNOT)  # type: ignore[method-assign]
    prover.verify = lambda _claim: Verification(proof, "so says the probe")  # type: ignore[method-assign]
    made.declare(made.key(proven_by=prover))
    return made


def test_where_a_target_can_prove_no_key_a_declared_probe_does() -> None:
    made = proven_elsewhere(Proof.PROVEN)
    made.up()
    assert made.states() == ["1 current"]
    made.pass_time(days=91)
    made.up()
    made.pass_time(days=8)
    made.up()
    assert made.states() == ["1 retired", "2 current"]
    without = proven_elsewhere(Proof.PROVEN)
    without.declare(without.key())
    for unproven in (without, proven_elsewhere(Proof.REFUSED)):
        unproven.up()
        assert unproven.states() == ["1 retired", "2 retired"], "what nothing proves is delivered to nobody"
        assert unproven.reads() is None
        assert keys(unproven) == []


def test_a_probe_that_tells_nothing_delivers_nothing_and_gives_nothing_up() -> None:
    made = proven_elsewhere(Proof.WRONG)
    with pytest.raises(Rejected, match="generation 1 cannot be tried: so says the probe"):
        made.up()
    assert made.states() == ["1 issued"]
    assert made.reads() is None
    made.targets["probe"].verify = lambda _claim: Verification(Proof.PROVEN)  # type: ignore[method-assign]
    made.up()
    assert made.states() == ["1 current"]


# Dates and classifications


def test_a_transitional_key_past_its_day_is_not_renewed_and_the_preview_says_why() -> None:
    made = Company(MINTING, keys=NAMED_KEYS)
    client = made.client("billing-client")
    made.declare(made.key(classification=Transitional(migrate_to=client, by=date(2026, 3, 1))), client)
    made.up()
    made.pass_time(days=100)
    made.up()
    assert made.states() == ["1 current"]
    assert made.consumer_works()
    finding = next(f for f in made.preview()[NAME].findings if f.kind is Kind.NOT_RENEWED)
    assert finding.message == (
        "nothing new is issued: it is transitional: its consumer was to use client billing-client by 2026-03-01; "
        "the present one works until 2028-01-01"
    )


def test_a_transitional_key_ends_once_its_client_is_in_use_and_nobody_uses_the_key() -> None:
    made = Company(Capabilities(methods=("client_secret",), secrets=2, last_use="secret"), keys=NAMED_KEYS)
    client = made.client("billing-client")
    key = made.key(
        classification=Transitional(migrate_to=client, by=date(2026, 12, 1), retire_when_silent_for="30d"),
        rotation=RotationSchedule(every="300d", overlap="7d"),
    )
    made.declare(key, client)
    made.up()
    made.pass_time(days=40)
    assert made.words() == "", "the client is not in use yet"
    item = next(o for o in made.target.objects.values() if o.client_id == "billing-client")
    item.secrets[0].last_used = made.clock.now
    keys(made)[0].last_used = made.clock.now - timedelta(days=29)
    assert made.words() == "", "the key was used less than thirty days ago"
    made.pass_time(days=1)
    assert made.words() == "end the key: its consumers use client billing-client; retire generation 1"
    made.up()
    assert keys(made) == []
    made.pass_time(days=400)
    assert made.words() == ""


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"expires": date(2025, 1, 1)}, "expires: 2025-01-01 is past, so nothing would be issued; give a later date"),
        ({"expires": date(2026, 1, 8)}, "expires: 2026-01-08 leaves no room for an overlap of 7d"),
        (
            {"classification": Transitional(migrate_to="x", by=date(2025, 1, 1))},
            "classification: it is transitional: .* by 2025-01-01, and that day is past",
        ),
    ],
)
def test_a_new_key_whose_days_are_over_is_an_error_and_nothing_is_issued(
    fields: dict[str, object], message: str
) -> None:
    made = Company(MINTING, keys=NAMED_KEYS)
    made.declare(made.key(**fields))
    with pytest.raises(Conflict, match=message):
        made.up()
    assert keys(made) == []


def declare_badly(**fields: object) -> None:
    made = Company(MINTING, keys=NAMED_KEYS)
    given = {
        "target": made.target,
        "holder": "org-1",
        "owner": "team-billing",
        "purpose": "Invoices",
        "rotation": RotationSchedule(every="90d", overlap="7d"),
        "deliver_to": made.store.path("apps/x"),
        **fields,
    }
    ApiKey("billing", **given)  # type: ignore[arg-type]


STAYS = Bootstrap(exchanged_for="a workload identity")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"classification": STAYS}, "ApiKey 'billing': expires: is required"),
        ({"expires": date(2027, 1, 1)}, "ApiKey 'billing': classification: is required"),
        (
            {"expires": date(2027, 1, 1), "classification": [STAYS, STAYS]},
            "ApiKey 'billing': classification: takes exactly one of Transitional, PermanentException and Bootstrap",
        ),
        ({"expires": "soon", "classification": STAYS}, "ApiKey 'billing': expires: is not a date"),
        (
            {"expires": date(2027, 1, 1), "classification": "because"},
            "ApiKey 'billing': classification: write Transitional",
        ),
    ],
)
def test_a_key_without_its_reasons_is_refused_in_one_sentence(fields: dict[str, object], message: str) -> None:
    with pytest.raises(DeclarationError) as refused:
        declare_badly(**fields)
    assert refused.value.message.startswith(message)
    assert "\n" not in refused.value.message


def checked(*declared: ApiKey | M2MClient, made: Company) -> str:
    owners = Owners(teams={"team-billing": Owner(contact="billing@example.com")})
    stack = Stack("acme/test", owners, MemoryLedgers("ledgers", made.clock), declared)
    with pytest.raises(DeclarationError) as refused:
        check(stack, owners, CHECKED_ON)
    return refused.value.message


def test_whole_stack_checks_name_declaration_field_and_mend() -> None:
    made = Company(MINTING, keys=TWO_KEYS)
    gone = made.key(classification=Transitional(migrate_to="nobody", by=date(2026, 9, 1)))
    assert "classification: migrate_to names 'nobody', and the stack declares no such M2MClient" in checked(
        gone, made=made
    )
    assert "holder: 'org-1' at target idp is already used by 'billing'" in checked(
        made.key(), made.key("second"), made=made
    )
    silent = made.key(
        classification=Transitional(migrate_to="client", by=date(2026, 9, 1), retire_when_silent_for="30d")
    )
    assert "retire_when_silent_for needs client 'client' at a target that shows its use" in checked(
        silent, made.client("client"), made=made
    )
    without = Company(MINTING)
    assert "target: idp issues no API keys" in checked(without.key(), made=without)
    assert "proven_by: target idp has no probe; write Manual(name, probe=Probe(url=...))" in checked(
        made.key(proven_by=made.target), made=made
    )
    only = Company(Capabilities(methods=()), keys=TWO_KEYS)
    assert "target: idp has no M2M clients; declare an ApiKey there" in checked(only.client(), made=only)


def test_two_declarations_cannot_adopt_one_thing() -> None:
    made = Company(MINTING, keys=NAMED_KEYS)
    assert checked(made.key(adopt="key_1"), made.key("second", adopt="key_1"), made=made) == (
        "ApiKey 'second': adopt: 'key_1' at target idp is already that of 'billing'; let one of them have it"
    )
    assert checked(made.client(adopt="obj-1"), made.client("second", adopt="obj-1"), made=made) == (
        "M2MClient 'second': adopt: 'obj-1' at target idp is already that of 'billing'; let one of them have it"
    )


def test_a_migration_ends_no_later_than_its_key() -> None:
    made = Company(MINTING, keys=NAMED_KEYS)
    why = Transitional(migrate_to="client", by=date(2026, 9, 2))
    assert checked(made.key(classification=why, expires=date(2026, 9, 1)), made.client("client"), made=made) == (
        "ApiKey 'billing': classification: by (2026-09-02) is after expires (2026-09-01), so that the key ends before "
        "its consumer has to have moved; let by be that day at the latest"
    )
    in_time = made.key(classification=why, expires=date(2026, 9, 2))
    owners = Owners(teams={"team-billing": Owner(contact="billing@example.com")})
    stack = Stack("acme/test", owners, MemoryLedgers("ledgers", made.clock), [in_time, made.client("client")])
    check(stack, owners, CHECKED_ON)


def test_permissions_are_refused_where_keys_carry_none() -> None:
    made = Company(MINTING, keys=replace(TWO_KEYS, lacks=frozenset({"catalogue"})))
    api = ResourceServer("api", target=made.target, audience="api", scopes={"read": "Read"})
    assert checked(api, made.key(access={api: ["read"]}), made=made) == (
        "ApiKey 'billing': access: keys of target idp carry no permissions of ours; remove it"
    )
