"""Keys that are not ours, not ours any more, or not seen any more: what a healthy key survives, and a dead one not."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from bench_world import MINTING, NAMED_KEYS, STOCK, TWO_KEYS, Company

from keysteward.core.contract.capabilities import Capabilities
from keysteward.core.declare.credentials import M2MClient, ResourceServer, RotationSchedule, Transitional
from keysteward.core.errors import Conflict, Rejected
from keysteward.core.findings import Kind
from keysteward.core.record.requests import resume, revoke, suspend
from keysteward.testing.memory import MemorySecret

NAME = "acme/test/billing"
USED = replace(MINTING, last_use="secret")


def company(keys: Capabilities = NAMED_KEYS, **fields: object) -> Company:
    made = Company(USED, keys=keys)
    made.declare(made.key(**fields))
    return made


def held(made: Company) -> list[MemorySecret]:
    return made.target.objects["org-1"].secrets


def stranger(made: Company, key_id: str, name: str | None = None) -> None:
    held(made).append(MemorySecret(key_id, key_id, "key", made.clock.now, name))


@pytest.mark.parametrize("can", [NAMED_KEYS, TWO_KEYS], ids=["named", "two"])
def test_a_released_key_stays_somebody_elses_when_its_name_is_declared_again(can: Capabilities) -> None:
    made = company(can, adopt="key-1")
    stranger(made, "key-1")
    made.up()
    made.declare()
    made.up()
    made.pass_time(days=2)
    made.declare(made.key())
    assert "again" not in made.words()
    made.up()
    assert "key-1" in {s.id for s in held(made)}


def test_a_key_whose_holder_is_not_shown_any_more_is_ended_by_its_id(monkeypatch: pytest.MonkeyPatch) -> None:
    made = company(TWO_KEYS)
    made.up()
    look, observe = made.target.look, made.target.observe
    monkeypatch.setattr(made.target, "look", lambda ref, f: None if ref.client_id == "org-1" else look(ref, f))
    monkeypatch.setattr(made.target, "observe", lambda f: replace(observe(f), objects=()))
    made.declare()
    made.up()
    assert held(made) == []


def test_a_key_that_works_on_unseen_is_not_recorded_as_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    made = company(TWO_KEYS)
    made.up()
    monkeypatch.setattr(made.target, "look", lambda _ref, _f: None)
    monkeypatch.setattr(made.target, "retire", lambda _remote_id, _secret: None)
    made.reconciler().edit(NAME, lambda ledger: revoke(ledger, made.clock.now, "leaked"))
    with pytest.raises(Rejected, match="still works, and target idp does not show 'org-1' any more"):
        made.up()
    assert made.states() == ["1 retiring"]


def test_our_own_proofs_of_a_client_are_no_use_of_it() -> None:
    made = company()
    client = made.client("client", rotation=RotationSchedule(every="80d", overlap="7d"))
    transitional = Transitional(migrate_to=client, by=date(2027, 1, 1), retire_when_silent_for="30d")
    made.declare(made.key(classification=transitional, rotation=RotationSchedule(every="300d")), client)
    verify = made.target.verify

    def proof(claim: object) -> object:
        for item in made.target.objects.values():
            for secret in item.secrets:
                if secret.value == claim.material.value.get_secret_value():  # type: ignore[attr-defined]
                    secret.last_used = made.clock.now
        return verify(claim)  # type: ignore[arg-type]

    made.target.verify = proof  # type: ignore[assignment,method-assign]
    for _ in range(40):
        made.up()
        made.pass_time(days=5)
    assert made.ledger("client").next > 2
    assert made.states() == ["1 current"], "the client is used by nobody but us, so the key stays"


def test_a_key_in_its_overlap_that_is_still_used_keeps_the_migration_waiting() -> None:
    made = company()
    client = made.client("client")
    fields = {
        "classification": Transitional(migrate_to=client, by=date(2027, 1, 1), retire_when_silent_for="30d"),
        "rotation": RotationSchedule(every="40d", overlap="39d"),
    }
    made.declare(made.key(**fields), client)
    made.up()
    made.pass_time(days=41)
    made.up()
    assert made.states() == ["1 previous", "2 current"]
    made.pass_time(days=32)
    held(made)[0].last_used = made.clock.now
    next(o for o in made.target.objects.values() if o.client_id == "client").secrets[0].last_used = made.clock.now
    assert "end the key" not in made.words()


def test_a_key_of_another_credential_or_stack_is_not_adopted() -> None:
    made = company()
    made.declare(made.key("shipping"))
    made.up()
    theirs = held(made)[0].id
    stranger(made, "foreign", "other/prod/thing 3 n0001")
    stranger(made, "nameless-copy")
    made.declare(made.key("shipping"), made.key(adopt=theirs))
    with pytest.raises(Conflict, match="belongs to acme/test/shipping"):
        made.up()
    made.declare(made.key("shipping"), made.key(adopt="foreign"))
    with pytest.raises(Conflict, match="belongs to other/prod/thing"):
        made.up()


def test_a_day_of_expiry_before_the_key_was_made_is_a_mistake_and_ends_nothing() -> None:
    made = company(expires=date(2026, 12, 31))
    made.up()
    made.declare(made.key(expires=date(2025, 12, 31)))
    with pytest.raises(Conflict, match="2025-12-31 is before generation 1 was issued"):
        made.up()
    assert made.consumer_works()


def test_a_key_that_its_target_has_expired_is_noticed() -> None:
    made = company()
    made.up()
    held(made)[0].expires_at = made.clock.now
    made.pass_time(hours=1)
    assert made.words() == "check whether generation 1 still works"
    made.up()
    assert Kind.ENDED_ELSEWHERE in {f.kind for f in made.preview()[NAME].findings}


def test_an_adopted_key_that_its_target_will_end_is_replaced_in_time() -> None:
    made = company(adopt="key-1")
    stranger(made, "key-1")
    held(made)[0].expires_at = made.clock.now + timedelta(days=20)
    made.up()
    made.pass_time(days=12)
    assert made.words() == ""
    made.pass_time(days=1)
    assert made.words().startswith("rotate to generation 2 (its target ends the present key on ")


def test_a_key_that_becomes_a_client_leaves_the_holder_as_it_is() -> None:
    made = Company(replace(STOCK, last_use=None), keys=NAMED_KEYS)
    made.declare(made.key())
    made.up()
    before = made.target.objects["org-1"].settings
    made.declare(M2MClient("billing", **_client(made)))  # type: ignore[arg-type]
    made.up()
    assert (made.target.objects["org-1"].settings, made.target.objects["org-1"].mark) == (before, None)
    assert made.states() == ["1 previous", "2 current"]
    made.pass_time(days=8)
    made.up()
    assert held(made) == []
    assert made.consumer_works()


def _client(made: Company) -> dict[str, object]:
    return {
        "target": made.target,
        "owner": "team-billing",
        "purpose": "Invoices",
        "auth_method": "private_key_jwt",
        "rotation": RotationSchedule(every="90d", overlap="7d"),
        "deliver_to": made.store.path("apps/billing"),
    }


def test_resume_enables_what_we_disabled_and_nothing_that_a_person_had() -> None:
    made = company(TWO_KEYS)
    made.up()
    made.pass_time(days=91)
    made.up()
    old, new = held(made)
    old.enabled = False
    made.reconciler().edit(NAME, lambda ledger: suspend(ledger, made.clock.now, "incident"))
    made.up()
    made.reconciler().edit(NAME, resume)
    made.up()
    assert (old.enabled, new.enabled) == (False, True)


@pytest.mark.parametrize("can", [TWO_KEYS, None], ids=["keys", "client"])
def test_a_run_killed_while_it_disables_is_known_to_have_done_it(can: Capabilities | None) -> None:
    made = Company(STOCK, keys=can)
    made.declare(made.key() if can else made.client(auth_method="private_key_jwt"))
    made.up()
    made.reconciler().edit(NAME, lambda ledger: suspend(ledger, made.clock.now, "incident"))

    def killed(operation: str) -> None:
        if operation == "suspend":
            raise KeyboardInterrupt

    made.target.after = killed
    with pytest.raises(KeyboardInterrupt):
        made.up()
    made.target.after = lambda _operation: None
    made.pass_time(minutes=10)
    assert not made.consumer_works()
    made.reconciler().edit(NAME, resume)
    made.up()
    assert made.consumer_works()


def test_narrow_now_ends_every_wider_key_at_once() -> None:
    made = company()
    api = ResourceServer("api", target=made.target, audience="api", scopes={"read": "", "write": ""})
    rotation = RotationSchedule(every="90d", overlap="30d")
    wide = {"access": {api: ["read", "write"]}, "rotation": rotation}
    made.declare(made.key(**wide))
    made.up()
    made.pass_time(days=91)
    made.up()
    made.declare(made.key(access={api: ["read"]}, rotation=rotation, narrow_now=True))
    made.up()
    assert [s.scopes for s in held(made)] == [frozenset({"read"})]


def test_an_adopted_key_that_may_more_than_declared_is_replaced() -> None:
    made = company()
    api = ResourceServer("api", target=made.target, audience="api", scopes={"read": ""})
    stranger(made, "key-1")
    held(made)[0].scopes = frozenset({"read", "admin"})
    made.declare(made.key(adopt="key-1", access={api: ["read"]}))
    made.up()
    assert made.states() == ["1 current"]
    assert made.words().startswith("rotate to generation 2 (scopes, audience or expiry changed")


def test_a_name_that_went_to_another_credential_is_no_copy_of_the_renamed_one() -> None:
    made = company()
    made.up()
    made.declare(made.key("bill2", previously="billing", deliver_to=made.store.path("apps/billing")))
    made.up()
    other = made.store.path("apps/new")
    made.declare(
        made.key("bill2", previously="billing", deliver_to=made.store.path("apps/billing")),
    )
    made.pass_time(days=1)
    made.declare(made.key("bill2", deliver_to=made.store.path("apps/billing")), made.key(deliver_to=other))
    made.up()
    findings = [f for plan in made.preview().values() for f in plan.findings if f.kind is Kind.COPIED_MARK]
    assert findings == []
