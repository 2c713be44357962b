"""What happens to a credential: one story per rule of the planner, told through whole runs."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from zoneinfo import ZoneInfo

import pytest
from bench_world import MINTING, NATIVE, STOCK, Company

from keysteward.core.contract.observed import Mark, Settings
from keysteward.core.declare.credentials import ClientSecret, RotationSchedule
from keysteward.core.errors import Conflict, LeaseHeld, OutcomeUnknown
from keysteward.core.findings import Kind, Severity
from keysteward.core.observe.snapshot import ledger_key
from keysteward.core.plan.approval import Approval, keys_to_approve, unapproved
from keysteward.core.plan.steps import Do, Step
from keysteward.core.record.ledger import Held, Ledger, Revoked
from keysteward.core.record.requests import reissue
from keysteward.core.record.server_ledger import ServerLedger, dump_server_ledger
from keysteward.testing.memory import MemoryObject, MemorySecret, MemoryStore, MemoryTarget

NAME = "acme/test/billing"


def company(can: object = STOCK, **fields: object) -> Company:
    made = Company(can)  # type: ignore[arg-type]
    fields = fields or {"auth_method": "private_key_jwt"}
    made.declare(made.client(**fields))
    return made


def running(can: object = STOCK, **fields: object) -> Company:
    made = company(can, **fields)
    made.up()
    return made


def kinds(company: Company) -> set[Kind]:
    return {f.kind for f in company.preview()[NAME].findings}


def edit(company: Company, change: object) -> None:
    company.reconciler().edit(NAME, change)  # type: ignore[arg-type]


def write(company: Company, **fields: object) -> None:
    edit(company, lambda ledger: replace(ledger, **fields))


def stranger(
    company: Company, client_id: str, *, mark: Mark | None = None, values: tuple[str, ...] = ("old",)
) -> MemoryObject:
    """Put a client at the target that was made by other means."""
    item = MemoryObject(f"obj-{client_id}", client_id, Settings("client_secret"), mark)
    item.secrets = [MemorySecret("primary", v, "primary", company.clock.now) for v in values]
    company.target.objects[item.remote_id] = item
    return item


# Rotation by the calendar


def test_the_first_preview_says_everything_that_up_will_do() -> None:
    made = company()
    assert made.words() == (
        "create client billing; issue generation 1 (key pairs); deliver generation 1 to store:apps/billing"
    )
    done = made.up()[NAME].done
    assert [s.do.value for s in done] == ["begin", "stage", "create", "verify", "promote", "settle"]
    assert made.words() == ""
    assert made.ledger().executed.count == 1
    assert made.ledger().lease is None


def test_rotation_waits_for_its_window_unless_it_is_late() -> None:
    made = running(
        auth_method="private_key_jwt",
        rotation=RotationSchedule(every="90d", overlap="7d", windows=["Sun 02:00-04:00 Europe/Berlin"]),
    )
    made.pass_time(days=80)
    while made.words() == "":
        made.pass_time(minutes=30)
    berlin = made.clock.now.astimezone(ZoneInfo("Europe/Berlin"))
    assert berlin.strftime("%a") == "Sun"
    assert 2 <= berlin.hour < 4
    made.pass_time(hours=3)
    assert made.words() == ""
    made.pass_time(days=10)
    assert made.words().startswith("rotate to generation 2")


def test_spread_keeps_credentials_of_one_interval_apart() -> None:
    made = Company()
    names = [f"job-{n}" for n in range(20)]
    made.declare(*(made.client(n, auth_method="private_key_jwt") for n in names))
    made.up()
    due = {plan.due for plan in made.preview().values()}
    assert len(due) == 20
    assert max(due) - min(due) < timedelta(days=3)  # type: ignore[type-var,operator]


def test_no_generation_begins_whose_overlap_would_reach_past_the_expiry() -> None:
    made = running(auth_method="private_key_jwt", expires=date(2026, 4, 8))
    made.pass_time(days=89)
    assert made.words() == ""
    assert Kind.EXPIRING in kinds(made)
    made.pass_time(days=10)
    assert made.words() == "disable client billing"
    made.up()
    assert not made.consumer_works()
    assert made.words() == ""


def test_decommission_suspends_on_the_day_and_a_week_later_may_be_removed() -> None:
    made = running()
    made.declare(made.client(auth_method="private_key_jwt", decommission=date(2026, 1, 20)))
    assert made.words() == "record the changed declaration"
    made.up()
    made.pass_time(days=100)
    assert made.words() == "disable client billing"
    made.up()
    assert not made.consumer_works()
    made.declare()
    made.up()
    assert made.target.objects == {}


# Changes of the declaration


def test_a_drifted_client_is_put_right_and_says_what_differs() -> None:
    made = running()
    item = next(iter(made.target.objects.values()))
    item.settings = replace(item.settings, scopes=frozenset({"admin"}), token_lifetime=86400)
    assert made.words() == "update client billing: scopes -admin, token lifetime 86400 -> default"
    made.up()
    assert item.settings.scopes == frozenset()
    assert made.words() == ""


def test_a_step_that_widens_and_was_not_reviewed_is_refused() -> None:
    made = running()
    item = next(iter(made.target.objects.values()))
    item.settings = replace(item.settings, grants=frozenset())
    with pytest.raises(Conflict, match=r"update client billing: grants \+client_credentials was not in the plan"):
        made.reconciler().run(NAME, made.specs[NAME], approved=Approval(frozenset({"begin generation 2"}), 2))
    seen = made.preview()[NAME]
    assert "grants +client_credentials" in " ".join(keys_to_approve(seen.steps))
    made.reconciler().run(NAME, made.specs[NAME], approved=Approval(keys_to_approve(seen.steps), 2))
    assert item.settings.grants == {"client_credentials"}


def test_an_approved_plan_does_not_approve_what_merely_begins_alike() -> None:
    first = Step(Do.RETIRE, "retire generation 1", generation=1, headline=True)
    twelfth = Step(Do.RETIRE, "retire generation 12", generation=12, headline=True)
    announced = keys_to_approve([first])
    assert unapproved([first], Approval(keys_to_approve([twelfth]), 7)) == ["retire generation 1"]
    assert unapproved([first], Approval(announced | keys_to_approve([twelfth]), 7)) == []
    assert unapproved([first, twelfth], None) == []
    assert unapproved([first], Approval(announced, 7), executed=7) == ["retire generation 1"]
    assert unapproved([replace(first, words="put otherwise")], Approval(announced, 7)) == []


def test_of_several_changes_those_that_were_seen_are_approved_and_no_other() -> None:
    def update(*changes: str) -> Step:
        return Step(Do.UPDATE, ", ".join(changes), object=1, headline=True, widens=True, changes=changes)

    announced = Approval(keys_to_approve([update("scopes +read", "scopes +write")]))
    assert unapproved([update("scopes +read")], announced) == []
    assert unapproved([update("scopes +admin")], announced) == ["scopes +admin"]
    assert unapproved([replace(update("scopes +read"), object=2)], announced) == ["scopes +read"]


def test_a_document_that_somebody_wrote_to_is_looked_at() -> None:
    made = running()
    delivered = made.store.delivered
    made.store.delivered = lambda paths: {  # type: ignore[method-assign]
        path: replace(held, unknown=True, current=None) for path, held in delivered(paths).items()
    }
    assert made.words() == "look at the document at store:apps/billing"


def test_a_staged_copy_that_a_kill_left_behind_a_delivery_is_dropped() -> None:
    made = running()
    held = made.store.documents["apps/billing"]["current"]
    assert held is not None
    made.store.staging["apps/billing"] = {1: held[:2]}
    assert made.words() == "drop the staged copy of generation 1 at store:apps/billing"
    made.up()
    assert made.words() == ""
    assert made.store.staging == {"apps/billing": {}}
    assert made.states() == ["1 current"]


def test_a_move_to_another_path_overlaps_and_then_empties_the_old_place() -> None:
    made = running()
    made.declare(made.client(auth_method="private_key_jwt", deliver_to=made.store.path("apps/new")))
    assert "delivery moves to store:apps/new" in made.words()
    made.up()
    assert made.store.reads("apps/billing") == "key-1"
    assert made.store.reads("apps/new") == "key-2"
    made.pass_time(days=8)
    made.up()
    assert "apps/billing" not in made.store.documents
    assert made.store.reads("apps/new") == "key-2"


def test_a_move_to_another_target_overlaps_and_then_disables_the_old_client() -> None:
    made = running()
    other = MemoryTarget("new-idp", STOCK, made.clock)
    made.targets["new-idp"] = other
    made.declare(made.client(auth_method="private_key_jwt", target=other))
    made.up()
    assert other.works("billing", "key-2")
    assert made.target.works("billing", "key-1")
    made.pass_time(days=8)
    made.up()
    assert [o.enabled for o in made.target.objects.values()] == [False]
    assert made.words() == ""


def test_two_places_get_the_same_generation() -> None:
    made = Company()
    second = MemoryStore("backup")
    made.stores["backup"] = second
    made.declare(
        made.client(auth_method="private_key_jwt", deliver_to=[made.store.path("apps/billing"), second.path("b")])
    )
    made.up()
    assert made.store.reads("apps/billing") == second.reads("b") == "key-1"


def test_a_change_of_method_must_be_chosen_and_overlaps_on_a_second_client() -> None:
    made = running(NATIVE, auth_method="client_secret")
    made.declare(made.client(auth_method="private_key_jwt"))
    problem = made.preview()[NAME].problem
    assert problem is not None
    assert 'client_id="billing-2"' in problem.message
    assert "accept_gap=True" in problem.message
    made.declare(made.client(auth_method="private_key_jwt", client_id="billing-2"))
    made.up()
    assert made.target.works("billing", "secret-1")
    assert made.target.works("billing-2", "key-2")
    made.pass_time(days=8)
    made.up()
    assert {o.client_id: o.enabled for o in made.target.objects.values()} == {"billing": False, "billing-2": True}
    assert made.words() == ""


def test_a_change_of_method_in_place_has_a_gap() -> None:
    made = running(NATIVE, auth_method="client_secret")
    made.declare(made.client(auth_method="private_key_jwt", accept_gap=True))
    made.up()
    assert made.states() == ["1 retired", "2 current"]
    assert made.consumer_works()
    assert len(made.target.objects) == 1
    assert made.words() == ""


def test_a_rename_moves_ledger_and_mark_and_nothing_else() -> None:
    made = running()
    made.declare(
        made.client(
            "invoices", auth_method="private_key_jwt", previously="billing", deliver_to=made.store.path("apps/billing")
        )
    )
    words = made.words("invoices")
    assert words.startswith("mark client billing")
    assert "generation" not in words
    made.up()
    assert made.words("invoices") == ""
    assert made.ledger("billing").closed is not None
    assert [g.number for g in made.ledger("invoices").generations] == [1]
    assert made.target.works("billing", "key-1")
    assert "acme/test/billing" not in made.preview()


def test_a_rename_that_died_half_way_closes_the_old_ledger_at_the_next_run() -> None:
    made = running()
    declared = made.client(
        "invoices", auth_method="private_key_jwt", previously="billing", deliver_to=made.store.path("apps/billing")
    )
    made.declare(declared)
    old = made.ledgers.documents["ledgers/acme/test/billing"]
    made.up()
    made.ledgers.documents["ledgers/acme/test/billing"] = old
    assert made.ledger("billing").closed is None
    made.up()
    assert made.ledger("billing").closed is not None
    assert made.target.works("billing", "key-1")


# What others did


def test_a_secret_deleted_in_the_console_is_not_silently_brought_back() -> None:
    made = running()
    item = next(iter(made.target.objects.values()))
    item.secrets.clear()
    assert made.words() == "check whether generation 1 still works"
    made.up()
    assert Kind.ENDED_ELSEWHERE in kinds(made)
    made.pass_time(days=200)
    made.up()
    assert not made.consumer_works()
    edit(made, lambda ledger: reissue(ledger, "cleared with security", at=made.clock.now, grace=None))
    made.up()
    assert made.consumer_works()
    assert made.states() == ["1 retired", "2 current"]
    assert kinds(made) == set()


def test_a_dead_current_with_a_living_predecessor_is_rolled_back_at_once() -> None:
    made = running()
    made.pass_time(days=90)
    made.up()
    item = next(iter(made.target.objects.values()))
    item.secrets = [s for s in item.secrets if s.value != "key-2"]
    made.up()
    assert made.reads() == "key-1"
    assert made.consumer_works()
    assert made.states() == ["1 current", "2 retired"]
    made.pass_time(days=95)
    made.up()
    assert made.consumer_works()
    assert made.states()[-1] == "3 current"


def test_a_stale_list_is_not_believed() -> None:
    made = running()
    reconciler = made.reconciler()
    view = reconciler.snapshot.target("idp")
    shown = view.by_id["obj-1"]
    view.put(replace(shown, secrets=()))
    result = reconciler.run(NAME, made.specs[NAME])
    assert result.done == ()
    assert made.consumer_works()


def test_somebody_pressed_regenerate_on_a_server_with_a_rotated_slot() -> None:
    made = running(NATIVE, auth_method="client_secret")
    item = next(iter(made.target.objects.values()))
    item.secrets = [
        MemorySecret("rotated", "secret-1", "rotated", made.clock.now),
        MemorySecret("primary", "by-hand", "primary", made.clock.now),
    ]
    assert "somebody regenerated the secret" in made.words()
    made.up()
    assert made.reads() == "secret-2"
    assert made.consumer_works()
    assert made.target.works("billing", "secret-1")
    assert not made.target.works("billing", "by-hand")


def test_a_client_disabled_by_somebody_is_reported_and_not_enabled() -> None:
    made = running()
    item = next(iter(made.target.objects.values()))
    item.enabled = False
    made.pass_time(days=100)
    assert made.words() == ""
    assert Kind.DISABLED_ELSEWHERE in kinds(made)
    made.up()
    assert item.enabled is False
    item.enabled = True
    assert made.words().startswith("rotate to generation 2")


def test_a_target_whose_clock_is_off_retires_nothing() -> None:
    made = running()
    made.pass_time(days=90)
    made.up()
    made.pass_time(days=8)
    made.target.skew = timedelta(minutes=10)
    assert made.words() == ""
    assert Kind.CLOCK_OFF in kinds(made)
    made.target.skew = timedelta(seconds=30)
    assert made.words() == "retire generation 1"


def test_a_cap_filled_by_strangers_stops_rotation_and_names_them() -> None:
    made = running(MINTING, auth_method="client_secret")
    item = next(iter(made.target.objects.values()))
    item.secrets.append(MemorySecret("by-hand", "x", "key", made.clock.now))
    made.pass_time(days=90)
    assert made.words() == ""
    finding = next(f for f in made.preview()[NAME].findings if f.kind is Kind.CAP_FILLED)
    assert "by-hand" in finding.message
    assert made.consumer_works()


def test_a_client_id_or_place_that_is_taken_is_an_error_before_the_first_write() -> None:
    made = company()
    stranger(made, "billing")
    with pytest.raises(Conflict, match='not made by keysteward; declare adopt="billing"'):
        made.up()
    made = company()
    stranger(made, "billing", mark=Mark("other/prod/billing", "n"))
    with pytest.raises(Conflict, match="owned by other/prod/billing"):
        made.up()
    made = company()
    made.store.owners["apps/billing"] = None
    with pytest.raises(Conflict, match="store:apps/billing holds a document not delivered by keysteward"):
        made.up()
    assert made.target.objects == {}
    assert made.ledgers.writes == 0


def test_a_document_is_taken_over_only_on_request() -> None:
    made = Company()
    made.store.owners["apps/billing"] = None
    made.declare(made.client(auth_method="private_key_jwt", deliver_to=made.store.path("apps/billing", take_over=True)))
    made.up()
    assert made.reads() == "key-1"


# Failing proofs


def test_two_failing_generations_block_the_credential_until_it_changes() -> None:
    made = company()
    made.target.refuse = lambda _claim: "audience is missing"
    made.up()
    assert made.reads() is None
    assert made.states() == ["1 retired", "2 retired"]
    assert Kind.BLOCKED in kinds(made)
    made.pass_time(days=1)
    assert made.words() == ""
    made.target.refuse = lambda _claim: None
    assert made.words() == ""
    edit(made, lambda ledger: reissue(ledger, "scope mended", at=made.clock.now, grace=None))
    made.up()
    assert made.consumer_works()
    assert Kind.BLOCKED not in kinds(made)


def test_a_failing_rotation_leaves_the_old_secret_working() -> None:
    for can, fields in (
        (STOCK, {"auth_method": "private_key_jwt"}),
        (NATIVE, {"auth_method": "client_secret"}),
        (STOCK, {"alternate_clients": True}),
        (STOCK, {"accept_gap": True, "rotation": RotationSchedule(every="90d")}),
        (MINTING, {"auth_method": "client_secret"}),
    ):
        made = running(can, **fields)
        before = made.reads()
        made.pass_time(days=90)
        made.target.refuse = lambda claim, old=before: (
            None if claim.material.value.get_secret_value() == old else "scope is missing"
        )
        made.up()
        assert made.reads() == before, fields
        assert made.consumer_works(), fields
        assert Kind.BLOCKED in kinds(made), fields


# A person's word


def test_held_begins_and_ends_nothing() -> None:
    made = running()
    write(made, held=Held(made.clock.now + timedelta(days=120), "freeze"))
    made.pass_time(days=90)
    assert made.words() == ""
    assert Kind.HELD in kinds(made)
    made.pass_time(days=31)
    assert made.words().startswith("rotate to generation 2")


def test_revoked_stays_revoked_whatever_is_declared() -> None:
    made = running()
    made.pass_time(days=90)
    made.up()
    write(made, revoked=Revoked(made.clock.now, "leaked"))
    made.up()
    assert [s.split()[1] for s in made.states()] == ["retired", "retired"]
    assert not made.consumer_works()
    assert next(iter(made.target.objects.values())).enabled is False
    made.pass_time(days=200)
    assert made.words() == ""
    assert Kind.REVOKED in kinds(made)


def test_one_revoked_generation_ends_and_a_new_one_comes() -> None:
    made = running()
    write(made, revoked=Revoked(made.clock.now, "leaked", (1,)))
    made.up()
    assert made.states() == ["1 retired", "2 current"]
    assert made.consumer_works()


def test_a_lease_of_another_run_is_respected_and_named() -> None:
    made = company()
    held = Ledger(NAME, "i", "M2MClient")
    made.ledgers.write(
        f"ledgers/{NAME}",
        {
            "format": 1,
            "identity": NAME,
            "incarnation": "i",
            "kind": "M2MClient",
            "lease": {"runner": "ci-7", "until": (made.clock.now + timedelta(minutes=3)).isoformat()},
        },
        0,
    )
    with pytest.raises(LeaseHeld, match=r"another run \(ci-7\)"):
        made.up()
    assert held.lease is None
    made.pass_time(minutes=4)
    made.up()
    assert made.consumer_works()


# Adoption


def test_adoption_writes_marks_only_and_later_rotates() -> None:
    made = Company(NATIVE)
    stranger(made, "legacy")
    made.declare(made.client(adopt="legacy"))
    assert made.words() == "adopt client legacy; mark client legacy"
    made.up()
    item = made.target.objects["obj-legacy"]
    assert made.target.calls.count("update") == 0
    assert item.mark is not None
    assert item.secrets[0].value == "old"
    assert [f.severity for f in made.preview()[NAME].findings if f.kind is Kind.UNDELIVERED] == [Severity.NOTE]
    made.up()
    assert item.settings == Settings("client_secret")
    ledger = made.ledger()
    assert ledger.current is not None
    assert ledger.current.due_by is not None
    assert made.preview()[NAME].due == ledger.current.due_by, "spread over the interval, and not all at its end"
    made.pass_time(days=90)
    made.up()
    assert made.consumer_works()
    renewed = made.ledger().current
    assert renewed is not None
    assert renewed.due_by is None
    assert made.target.works("legacy", "old")
    made.pass_time(days=30)
    assert Kind.RETIREMENT_WAITS in kinds(made)
    made.declare(made.client(adopt="legacy", retire_adopted=True))
    made.up()
    assert not made.target.works("legacy", "old")
    assert made.consumer_works()


ODD = Settings(
    "client_secret",
    scopes=frozenset({"profile", "roles"}),
    optional_scopes=frozenset({"phone"}),
    token_lifetime=7200,
    grants=frozenset({"client_credentials", "urn:ietf:params:oauth:grant-type:token-exchange"}),
    description="do not touch",
    safeguards={"fullScopeAllowed": "true"},
)


def test_what_the_declaration_does_not_speak_of_stays_as_it_was_found_while_it_says_adopt() -> None:
    made = Company(replace(STOCK, safeguards={"fullScopeAllowed": "false"}))
    item = stranger(made, "legacy")
    item.settings = ODD
    made.declare(made.client(adopt="legacy", alternate_clients=True))
    made.up()
    assert made.words() == ""
    made.up()
    assert item.settings == ODD
    assert made.target.calls.count("update") == 0

    item.settings = replace(ODD, grants=ODD.grants | {"password"}, description="mine now")
    assert made.words() == "update client legacy: grants -password, description"
    made.up()
    assert item.settings == ODD, "as it was found, and not wider"

    made.declare(made.client(adopt="legacy", alternate_clients=True, token_lifetime="5m"))
    made.up()
    assert item.settings == replace(ODD, token_lifetime=300)

    made.pass_time(days=90)
    made.up()
    second = next(o for o in made.target.objects.values() if o.client_id == "legacy-2").settings
    assert (second.scopes, second.optional_scopes) == (ODD.scopes, ODD.optional_scopes), "its consumer moves there"
    assert (second.grants, second.safeguards) == (frozenset({"client_credentials"}), {"fullScopeAllowed": "false"})
    assert second.description is not None
    assert second.description.startswith("Invoices")


def test_without_adopt_an_adopted_client_becomes_what_is_declared() -> None:
    made = Company(replace(STOCK, safeguards={"fullScopeAllowed": "false"}))
    item = stranger(made, "legacy")
    item.settings = ODD
    made.declare(made.client(adopt="legacy", accept_gap=True))
    made.up()
    made.declare(made.client(accept_gap=True))
    for part in ("scopes -profile -roles", "token lifetime 7200 -> default", "fullScopeAllowed true -> false"):
        assert part in made.words()
    made.up()
    assert (item.settings.scopes, item.settings.token_lifetime) == (frozenset(), None)
    assert item.settings.grants == {"client_credentials"}


def test_a_scope_of_the_stacks_own_servers_is_the_declarations_to_give_also_on_an_adopted_client() -> None:
    made = Company()
    item = stranger(made, "legacy")
    item.settings = replace(ODD, scopes=ODD.scopes | {"invoices:write"})
    server = ServerLedger("acme/test/api", "i", "idp", "n", scopes={"invoices:write": "scope-1"})
    made.ledgers.write(ledger_key(server.identity), dump_server_ledger(server), 0)
    made.declare(made.client(adopt="legacy", accept_gap=True))
    made.up()
    assert made.words() == "update client legacy: scopes -invoices:write"


def test_adopting_somebody_elses_or_nothing_is_refused_by_name() -> None:
    made = Company(NATIVE)
    stranger(made, "legacy", mark=Mark("other/prod/x", "n"))
    made.declare(made.client(adopt="legacy"))
    with pytest.raises(Conflict, match="belongs to other/prod/x"):
        made.up()
    made.declare(made.client(adopt="missing"))
    with pytest.raises(Conflict, match="has no client 'missing'"):
        made.up()
    made = Company(NATIVE)
    stranger(made, "legacy")
    made.declare(made.client(adopt="legacy", auth_method="private_key_jwt"))
    with pytest.raises(Conflict, match="adopt it with that method first"):
        made.up()


def test_removing_an_adopted_declaration_releases_the_client() -> None:
    made = Company(NATIVE)
    stranger(made, "legacy")
    made.declare(made.client(adopt="legacy"))
    made.up()
    made.declare()
    assert made.words() == "release client legacy"
    made.up()
    item = made.target.objects["obj-legacy"]
    assert item.mark is None
    assert made.target.works("legacy", "old")
    assert made.preview() == {}


@pytest.mark.parametrize("can", [NATIVE, STOCK], ids=["native", "gap"])
def test_the_secret_of_a_client_that_somebody_else_manages(can: object) -> None:
    made = Company(can)  # type: ignore[arg-type]
    item = stranger(made, "web-login")
    before = item.settings
    gap = {"accept_gap": True, "retire_adopted": True} if can is STOCK else {}
    made.declare(
        ClientSecret(
            "billing",
            client="web-login",
            target=made.target,
            owner="team-web",
            purpose="Login",
            rotation=RotationSchedule(every="90d", overlap="0s" if gap else "7d"),
            deliver_to=made.store.path("apps/billing"),
            **gap,  # type: ignore[arg-type]
        )
    )
    made.up()
    assert item.secrets[0].value == "old"
    made.pass_time(days=90)
    made.up()
    assert made.consumer_works()
    assert (item.settings, item.mark) == (before, None)
    made.declare()
    made.up()
    assert made.target.works("web-login", made.reads() or "")
    assert item.mark is None


def test_a_gap_does_not_end_an_adopted_secret_that_its_consumer_has_from_elsewhere() -> None:
    made = Company()
    stranger(made, "legacy")
    made.declare(made.client(adopt="legacy", accept_gap=True, rotation=RotationSchedule(every="90d")))
    made.up()
    made.pass_time(days=100)
    made.up()
    assert made.target.works("legacy", "old")
    assert Kind.RETIREMENT_WAITS in kinds(made)
    assert Kind.OVERDUE not in kinds(made)
    made.declare(
        made.client(adopt="legacy", accept_gap=True, retire_adopted=True, rotation=RotationSchedule(every="90d"))
    )
    made.up()
    assert not made.target.works("legacy", "old")
    assert made.consumer_works()
    made.pass_time(days=90)
    made.up()
    assert made.consumer_works(), "what we delivered is replaced as the declaration says"


def test_a_ledger_store_that_takes_no_write_says_why() -> None:
    """On a full disk the next step is not "run again"."""
    made = running()

    def full(operation: str) -> None:
        if operation == "write":
            raise OutcomeUnknown("a write could not be finished; free or fix the disk, then run again")

    made.declare(made.client(auth_method="private_key_jwt", token_lifetime="5m"))
    made.ledgers.before = full
    with pytest.raises(OutcomeUnknown, match=r"its ledger could not be written: .*free or fix the disk"):
        made.up()
