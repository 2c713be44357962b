"""The ledger store is lost, or restored from a backup: nothing is issued twice or ended, and `rebuild` goes on."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable
from dataclasses import replace

import pytest
from bench_world import MINTING, NAMED, NAMED_KEYS, NATIVE, OWN_KEYS, STOCK, TWO_KEYS, Company

from keysteward.core.contract.capabilities import Capabilities
from keysteward.core.declare.credentials import ClientSecret, RotationSchedule
from keysteward.core.errors import Conflict
from keysteward.core.findings import Kind
from keysteward.core.observe.unrecorded import behind, unrecorded
from keysteward.core.observe.world import Extent
from keysteward.core.plan.steps import Problem
from keysteward.core.record.ledger import Ledger, Origin, State
from keysteward.core.record.requests import reissue, revoke
from keysteward.core.run.rebuild import rebuild, words_of
from keysteward.testing.memory import MemorySecret, MemoryTarget

NAME = "acme/test/billing"
STRATEGIES: dict[str, tuple[Capabilities, dict[str, object]]] = {
    "key pairs": (STOCK, {"auth_method": "private_key_jwt"}),
    "native overlap": (NATIVE, {}),
    "two clients in turn": (STOCK, {"alternate_clients": True}),
    "gap": (STOCK, {"accept_gap": True, "rotation": RotationSchedule(every="90d")}),
    "minted": (MINTING, {}),
    "named keys": (NAMED, {}),
}


def running(strategy: str, *, rotations: int = 0) -> Company:
    can, fields = STRATEGIES[strategy]
    made = Company(can)
    made.declare(made.client(**fields))
    made.up()
    for _ in range(rotations):
        made.pass_time(days=90)
        made.up()
    return made


def lose_the_ledgers(made: Company) -> None:
    made.ledgers.documents.clear()


def values(made: Company) -> dict[int, str]:
    """Return what a runner reads: fingerprints of the values that the store holds."""
    from bench_world import fingerprint  # noqa: PLC0415 - used here alone

    found = {}
    for held in made.store.documents.get("apps/billing", {}).values():
        if held is not None:
            found[held[0].generation] = fingerprint(held[1].canonical.get_secret_value())
    return found


def rebuilt(made: Company, *, read: bool = True) -> Ledger:
    """Rebuild as the command does; returns the ledger written."""
    reconciler = made.reconciler()
    spec = made.specs[NAME]
    world = reconciler.snapshot.everywhere(reconciler.snapshot.world(NAME, spec))
    after = rebuild(world, spec, "again", values(made) if read else {})
    return reconciler.enter(after, command="rebuild", words="; ".join(words_of(world.ledger, after)))


def secrets(made: Company) -> dict[str, list[str]]:
    return {o.client_id: [s.value for s in o.secrets] for o in made.target.objects.values()}


@pytest.mark.parametrize("rotations", [0, 1])
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_after_a_lost_ledger_store_nothing_is_issued_or_ended_and_rebuild_goes_on(
    strategy: str, rotations: int
) -> None:
    made = running(strategy, rotations=rotations)
    before, value = secrets(made), made.reads()
    number = made.ledger().current.number  # type: ignore[union-attr]
    lose_the_ledgers(made)

    shown = made.preview()[NAME]
    assert {f.kind for f in shown.findings} == {Kind.UNRECORDED}
    assert shown.steps == ()
    with pytest.raises(Conflict, match="run: keysteward rebuild billing"):
        made.up()
    made.extent = Extent.LIFECYCLE
    assert made.preview()[NAME].steps == ()
    made.extent = Extent.ALL
    assert secrets(made) == before

    ledger = rebuilt(made)
    assert ledger.current is not None
    assert ledger.current.number == number, "the delivered one keeps its number"
    assert all(g.origin is Origin.ADOPTED for g in ledger.generations)
    assert made.consumer_works()
    assert not [f for f in made.preview()[NAME].findings if f.kind is Kind.UNRECORDED]
    assert made.words() == "", "what is there is what is declared"
    made.up()
    assert (secrets(made), made.reads()) == (before, value)
    assert behind(made.reconciler().snapshot.world(NAME, made.specs[NAME])) is None

    made.declare(replace_retiring(made, strategy))
    made.pass_time(days=8)
    made.up()
    made.pass_time(days=90)
    made.up()
    numbers = [g.number for g in made.ledger().generations]
    assert len(set(numbers)) == len(numbers)
    assert made.ledger().current.number > number  # type: ignore[union-attr]
    assert made.reads() != value
    assert made.consumer_works()


def replace_retiring(made: Company, strategy: str):  # type: ignore[no-untyped-def]  # noqa: ANN201 - a declaration
    """Declare that adopted secrets may end by the schedule: what a person does once nobody uses them."""
    return made.client(**{**STRATEGIES[strategy][1], "retire_adopted": True})


@pytest.mark.parametrize("strategy", ["key pairs", "minted", "named keys", "native overlap", "two clients in turn"])
def test_a_backup_from_before_a_rotation_is_completed(strategy: str) -> None:
    made = running(strategy)
    backup = dict(made.ledgers.documents)
    made.pass_time(days=90)
    made.up()
    before, value = secrets(made), made.reads()
    made.ledgers.documents = backup
    assert made.words() == ""
    assert {f.kind for f in made.preview()[NAME].findings} >= {Kind.UNRECORDED}

    ledger = rebuilt(made)
    assert [(g.number, g.state) for g in ledger.generations] == [(1, State.PREVIOUS), (2, State.CURRENT)]
    assert ledger.next == 3
    assert made.words() == ""
    made.up()
    assert (secrets(made), made.reads()) == (before, value)
    assert made.consumer_works()
    made.pass_time(days=8)
    made.up()
    assert made.states() == ["1 retired", "2 current"], "the first one is ours by the backup, so it ends by schedule"
    assert made.consumer_works()


@pytest.mark.parametrize("strategy", ["key pairs", "minted", "native overlap"])
def test_a_backup_from_the_middle_of_a_rotation_is_completed(strategy: str) -> None:
    made = running(strategy)
    made.pass_time(days=90)
    saved: list[dict[str, tuple[str, int]]] = []

    def remember(_operation: str) -> None:
        saved.append(dict(made.ledgers.documents))

    made.ledgers.after = remember
    made.up()
    made.ledgers.after = lambda _operation: None
    before, value = secrets(made), made.reads()
    assert len(saved) >= 3
    for backup in saved[:-1]:
        made.ledgers.documents = dict(backup)
        world = made.reconciler().snapshot.world(NAME, made.specs[NAME])
        if behind(world) is not None:
            rebuilt(made)
        made.pass_time(minutes=6)
        made.up()
        made.pass_time(minutes=6)
        made.up()
        assert made.reads() == value, made.states()
        assert secrets(made) == before, "nothing is issued again and nothing ended"
        assert made.ledger().next == 3


def test_a_ledger_that_names_everything_is_left_alone() -> None:
    made = running("key pairs", rotations=1)
    world = made.reconciler().snapshot.world(NAME, made.specs[NAME])
    assert behind(world) is None
    assert unrecorded(world) == ()
    assert rebuild(world, made.specs[NAME], "again", {}) == world.ledger


def test_a_strangers_secret_in_a_recorded_client_is_not_entered() -> None:
    made = running("minted")
    item = next(iter(made.target.objects.values()))
    item.secrets.append(replace(item.secrets[0], id="by-hand", value="x", canonical="x"))
    world = made.reconciler().snapshot.world(NAME, made.specs[NAME])
    assert rebuild(world, made.specs[NAME], "again", {}) == world.ledger


def test_without_the_values_the_old_fingerprints_count() -> None:
    made = running("two clients in turn", rotations=1)
    lose_the_ledgers(made)
    ledger = rebuilt(made, read=False)
    assert ledger.current is not None
    assert ledger.current.number == 2


def test_under_a_new_fingerprint_key_the_delivered_one_is_found_by_its_value_or_key_id() -> None:
    for strategy in ("key pairs", "two clients in turn", "minted"):
        made = running(strategy, rotations=1)
        lose_the_ledgers(made)
        for held in made.store.documents["apps/billing"].values():
            assert held is not None
        made.store.documents["apps/billing"] = {
            slot: None if held is None else (replace(held[0], fingerprint=f"old:{slot}"), held[1], held[2])
            for slot, held in made.store.documents["apps/billing"].items()
        }
        ledger = rebuilt(made)
        assert ledger.current is not None, strategy
        assert ledger.current.number == 2, strategy
        assert made.words() == "", strategy
        assert made.consumer_works(), strategy


def test_disabled_clients_count_as_retired_and_take_their_turn_again() -> None:
    made = running("two clients in turn", rotations=1)
    made.pass_time(days=8)
    made.up()
    assert made.states() == ["1 retired", "2 current"]
    lose_the_ledgers(made)
    ledger = rebuilt(made)
    assert sorted((g.state.value, ledger.object_of(g).client_id) for g in ledger.generations) == [
        ("current", "billing-2"),
        ("retired", "billing"),
    ]
    assert made.words() == ""
    made.pass_time(days=90)
    made.up()
    assert made.consumer_works()
    assert made.ledger().current.object == 1  # type: ignore[union-attr]


def test_a_client_left_at_another_target_by_a_move_is_found() -> None:
    made = running("key pairs")
    other = MemoryTarget("new-idp", STOCK, made.clock)
    made.targets["new-idp"] = other
    made.declare(made.client(auth_method="private_key_jwt", target=other))
    made.up()
    lose_the_ledgers(made)
    ledger = rebuilt(made)
    assert {o.target for o in ledger.objects} == {"idp", "new-idp"}
    assert ledger.object_of(ledger.current).target == "new-idp"  # type: ignore[arg-type]
    made.up()
    assert made.target.works("billing", "key-1")
    assert other.works("billing", "key-2")


def test_the_secret_of_somebody_elses_client_is_found_by_its_place() -> None:
    made = Company(NATIVE)
    from test_stories import stranger  # noqa: PLC0415 - a neighbour's bench

    item = stranger(made, "web-login")
    made.declare(
        ClientSecret(
            "billing",
            client="web-login",
            target=made.target,
            owner="team-web",
            purpose="Login",
            rotation=RotationSchedule(every="90d", overlap="7d"),
            deliver_to=made.store.path("apps/billing"),
        )
    )
    made.up()
    made.pass_time(days=90)
    made.up()
    before = [s.value for s in item.secrets]
    lose_the_ledgers(made)
    assert Kind.UNRECORDED in {f.kind for f in made.preview()[NAME].findings}
    ledger = rebuilt(made)
    assert ledger.objects[0].external
    assert ledger.current is not None
    assert ledger.current.number == 2
    made.up()
    assert [s.value for s in item.secrets] == before
    assert made.consumer_works()


def test_where_only_the_document_is_left_its_numbers_are_not_used_again() -> None:
    made = running("key pairs", rotations=2)
    made.target.objects.clear()
    lose_the_ledgers(made)
    ledger = rebuilt(made)
    assert (ledger.objects, ledger.next) == ((), 4)
    made.up()
    assert made.states() == ["4 current"]
    assert made.consumer_works()


@pytest.mark.parametrize("strategy", ["key pairs", "native overlap", "two clients in turn", "gap", "minted"])
def test_what_was_revoked_does_not_come_back_to_life_with_its_ledger(strategy: str) -> None:
    made = running(strategy)
    made.reconciler().edit(NAME, lambda ledger: revoke(ledger, made.clock.now, "leaked"))
    made.up()
    assert not any(o.enabled for o in made.target.objects.values())
    lose_the_ledgers(made)
    rebuilt(made)
    made.pass_time(days=100)
    made.up()
    assert not any(o.enabled for o in made.target.objects.values())
    assert made.reads() is None
    assert {f.kind for f in made.preview()[NAME].findings} & {Kind.BLOCKED, Kind.DISABLED_ELSEWHERE}


def test_a_client_that_comes_back_with_a_restored_realm_is_entered_again() -> None:
    made = running("key pairs")
    realm = copy.deepcopy(made.target.objects)
    made.target.objects.clear()
    made.up()
    edit = reissue_now(made)
    made.reconciler().edit(NAME, edit)
    made.target.objects = realm
    assert "run: keysteward rebuild billing" in (made.preview()[NAME].problem or Problem("")).message
    assert Kind.UNRECORDED in {f.kind for f in made.preview()[NAME].findings}
    rebuilt(made)
    made.up()
    made.up()
    assert made.consumer_works()
    assert len(made.target.objects) == 1
    [item] = made.target.objects.values()
    assert [s.value for s in item.secrets] == [made.reads()], "what was dead does not come back to life"


def reissue_now(made: Company) -> Callable[[Ledger], Ledger]:
    return lambda ledger: reissue(ledger, "the realm was rebuilt", at=made.clock.now)


def copied(made: Company, client_id: str, *, of: str = "billing") -> str:
    """Let a stranger copy a client of ours with all that is on it, mark and keys included; returns the remote id."""
    [original] = [o for o in made.target.objects.values() if o.client_id == of]
    copied = replace(copy.deepcopy(original), client_id=client_id, remote_id=f"copy-{client_id}")
    made.target.objects = {copied.remote_id: copied, **made.target.objects}
    return copied.remote_id


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_strangers_copy_of_our_client_is_a_finding_and_never_entered_or_ended(strategy: str) -> None:
    made = running(strategy, rotations=1)
    theirs = copied(made, "aaa-copied")
    twin = copied(made, "billing-7")
    lose_the_ledgers(made)
    ledger = rebuilt(made)
    assert {o.client_id for o in ledger.objects} <= {"billing", "billing-2"}
    assert ledger.current is not None
    found = [f.message for f in made.preview()[NAME].findings if f.kind is Kind.COPIED_MARK]
    assert len(found) == 2
    assert any("at target idp, id copy-aaa-copied, carries a copy of its mark" in words for words in found)
    assert not [f for f in made.preview()[NAME].findings if f.kind is Kind.UNRECORDED]
    made.up()
    made.specs = {}
    made.up()
    assert set(made.target.objects) == {theirs, twin}, "ours are deleted with their declaration, theirs are not"
    assert all(o.enabled and o.mark and o.secrets for o in made.target.objects.values())


def test_a_copy_beside_a_ledger_that_knows_ours_is_a_finding_too() -> None:
    made = running("key pairs")
    copied(made, "theirs")
    plan = made.preview()[NAME]
    assert plan.steps == ()
    assert [f.kind for f in plan.findings] == [Kind.COPIED_MARK]


def test_a_copy_of_what_was_deleted_does_not_come_to_life_with_a_new_declaration() -> None:
    made = running("key pairs")
    theirs = copied(made, "theirs")
    specs, made.specs = made.specs, {}
    made.up()
    made.pass_time(minutes=10)
    made.specs = specs
    made.up()
    assert made.states()[-1] == "2 current"
    assert {o.remote_id for o in made.ledger().objects} & {theirs} == set()
    assert Kind.COPIED_MARK in {f.kind for f in made.preview()[NAME].findings}


def test_a_client_of_another_name_is_ours_when_the_delivered_document_names_it() -> None:
    made = Company(STOCK)
    made.declare(made.client(auth_method="private_key_jwt", client_id="exports"))
    made.up()
    made.declare(made.client(auth_method="private_key_jwt", client_id="billing"))
    made.up()
    made.declare(made.client(auth_method="private_key_jwt", client_id="invoices"))
    lose_the_ledgers(made)
    ledger = rebuilt(made)
    assert {o.client_id for o in ledger.objects} == {"billing", "exports"}, "as the current and the previous entry"
    made.store.documents.clear()
    lose_the_ledgers(made)
    made.store.owners.clear()
    shown = {f.kind for f in made.preview()[NAME].findings}
    assert shown == {Kind.COPIED_MARK}
    made.declare(made.client(auth_method="private_key_jwt", adopt="billing"))
    assert {o.client_id for o in rebuilt(made).objects} == {"billing"}, "a person's word names it"


def test_what_was_adopted_is_released_after_a_rebuild_that_did_not_know_of_it() -> None:
    made = Company(STOCK)
    from test_stories import stranger  # noqa: PLC0415 - a neighbour's bench

    item = stranger(made, "billing")
    made.declare(made.client(accept_gap=True, adopt="billing", rotation=RotationSchedule(every="90d")))
    made.up()
    made.declare(made.client(accept_gap=True, rotation=RotationSchedule(every="90d")))
    made.up()
    before = [s.value for s in item.secrets]
    lose_the_ledgers(made)
    ledger = rebuilt(made)
    assert [o.adopted for o in ledger.objects] == [True]
    assert all(g.origin is Origin.ADOPTED for g in ledger.generations)
    made.specs = {}
    assert "release client billing" in made.preview()[NAME].words
    made.up()
    assert [s.value for s in made.target.objects[item.remote_id].secrets] == before
    assert item.mark is None


# Keys of a holder


@pytest.fixture(params={"named": NAMED_KEYS, "two": TWO_KEYS, "own values": OWN_KEYS}.items(), ids=lambda pair: pair[0])
def keys(request: pytest.FixtureRequest) -> Company:
    made = Company(MINTING, keys=request.param[1])
    made.declare(made.key())
    made.up()
    return made


def test_after_a_lost_ledger_a_key_is_entered_by_its_document_or_name_and_its_neighbours_are_not(keys: Company) -> None:
    held = keys.target.objects["org-1"].secrets
    mine = held[0].id
    held.append(MemorySecret("theirs", "theirs", "key", keys.clock.now, "acme/test/other 1 n0"))
    lose_the_ledgers(keys)
    with pytest.raises(Conflict, match="run: keysteward rebuild billing"):
        keys.up()
    assert len(held) == 2, "nothing is issued twice"
    ledger = rebuilt(keys)
    assert [(g.number, g.id, g.state, g.origin) for g in ledger.generations] == [
        (1, mine, State.CURRENT, Origin.ADOPTED)
    ]
    assert ledger.objects[0].holder
    assert keys.consumer_works()
    held[:] = [s for s in held if s.id != "theirs"]
    keys.pass_time(days=90)
    keys.up()
    assert keys.states() == ["1 previous", "2 current"]


def test_a_key_of_an_attempt_that_a_document_knows_is_found_by_its_name_at_another_target() -> None:
    made = Company(MINTING, keys=NAMED_KEYS)
    other = MemoryTarget("idp2", MINTING, made.clock, NAMED_KEYS)
    other.hold("org-1")
    other._ids = itertools.count(500)  # ids are unique across targets
    made.targets["idp2"] = other
    made.declare(made.key())
    made.up()
    kept = copy.deepcopy(made.ledgers.documents)
    made.declare(made.key(target=other))
    made.up()
    made.ledgers.documents = kept
    made.declare(made.key())
    with pytest.raises(Conflict, match="holds generation 2, of which its ledger does not know"):
        made.up()
    ledger = rebuilt(made)
    assert [(g.number, g.target, g.state) for g in ledger.generations] == [
        (1, "idp", State.PREVIOUS),
        (2, "idp2", State.CURRENT),
    ]


@pytest.mark.parametrize("name", ["acme/test/billing 99 n9999", "acme/test/billing 1 copied"])
def test_a_strangers_key_that_is_named_like_ours_blocks_nothing_and_is_never_entered(name: str) -> None:
    made = Company(MINTING, keys=NAMED_KEYS)
    held = made.target.objects["org-1"].secrets
    held.append(MemorySecret("theirs", "theirs", "key", made.clock.now, name))
    made.declare(made.key())
    made.up()
    assert made.states() == ["1 current"]
    finding = next(f for f in made.preview()[NAME].findings if f.kind is Kind.COPIED_MARK)
    assert "key theirs of account 'org-1' at target idp is named as one of its own" in finding.message
    lose_the_ledgers(made)
    ledger = rebuilt(made)
    assert [g.id for g in ledger.generations] == [held[1].id]
    made.pass_time(days=90)
    made.up()
    made.declare()
    made.up()
    assert "theirs" in {s.id for s in held}


def test_a_copy_of_a_keys_whole_name_is_told_from_it_by_its_id() -> None:
    made = Company(MINTING, keys=NAMED_KEYS)
    made.declare(made.key())
    made.up()
    held = made.target.objects["org-1"].secrets
    held.append(MemorySecret("copy", "copy", "key", made.clock.now, held[0].name))
    lose_the_ledgers(made)
    ledger = rebuilt(made)
    assert [g.id for g in ledger.generations] == [held[0].id]
