"""Troubles, planted one by one: each damages a `Mess` and says which findings a look must then show, and no others."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from mess import DAY, STACK, Expected, Mess

from keysteward.core.contract.observed import OVERWRITTEN, ObservedScope
from keysteward.core.contract.ports import StageEntry
from keysteward.core.declare.credentials import M2MClient, PermanentException
from keysteward.core.declare.owners import UNASSIGNED, Consumer, Owner
from keysteward.core.findings import Kind
from keysteward.core.record.heartbeat import heartbeat_key
from keysteward.core.record.ledger import Blocked, age
from keysteward.core.record.requests import revoke, suspend
from keysteward.testing.memory import MemoryObject, MemorySecret, material

Plant = Callable[[Mess], Expected]


def _about(name: str) -> str:
    return f"{STACK}/{name}"


def _settings(item: MemoryObject, **fields: object) -> None:
    item.settings = replace(item.settings, **fields)  # type: ignore[arg-type]


def an_unmanaged_client(mess: Mess) -> Expected:
    mess.client(mess.corp, "quick-test")
    return Expected(Kind.UNMANAGED, "corp: quick-test")


def an_unmanaged_key(mess: Mess) -> Expected:
    mess.key(mess.saas, "org-07", "left-over", "orders:read")
    return Expected(Kind.UNMANAGED, "saas: left-over")


def an_unmanaged_key_of_a_user(mess: Mess) -> Expected:
    mess.key(mess.cloud, "intern", "AKIB-9")
    return Expected(Kind.UNMANAGED, "cloud: AKIB-9")


def a_client_of_another_stack(mess: Mess) -> Expected:
    mess.client(mess.corp, "probe", mark="acme/lab/probe")
    return Expected(Kind.ELSEWHERE, "corp: probe")


def a_client_with_our_mark_in_no_ledger(mess: Mess) -> Expected:
    mess.client(mess.corp, "ghost", mark=_about("ghost"))
    return Expected(Kind.UNRECORDED, _about("ghost"))


def a_copy_of_our_client(mess: Mess) -> Expected:
    name = mess.pick("corp")
    mark = mess.held(name).mark
    mess.client(mess.corp, "copy").mark = mark
    return Expected(Kind.COPIED_MARK, _about(name))


def a_client_named_after_the_id_of_one_of_ours(mess: Mess) -> Expected:
    """Whoever makes a client chooses its client_id, and an id is no secret."""
    name = mess.held(mess.pick("corp")).remote_id
    mess.client(mess.corp, name)
    return Expected(Kind.UNMANAGED, f"corp: {name}")


def a_client_with_a_mark_that_no_stack_of_ours_can_have(mess: Mess) -> Expected:
    """A stack whose identity begins with ours is another one."""
    mess.client(mess.corp, "below", mark=f"{STACK}/eu/below")
    return Expected(Kind.ELSEWHERE, "corp: below")


def _ended(mess: Mess, name: str) -> None:
    """Remove it and end it by a run; what its target had then is given back, as from a backup."""
    item, secrets = mess.held(name), list(mess.held(name).secrets)
    target = next(t for t in mess.targets if item in t.objects.values())
    del mess.declared[name]
    mess.prune()
    item.secrets = secrets
    target.objects[item.remote_id] = item
    mess.clock.advance(timedelta(hours=1))


def a_client_that_was_ended_and_is_there_again(mess: Mess) -> Expected:
    name = mess.pick("corp")
    _ended(mess, name)
    return Expected(Kind.UNRECORDED, _about(name))


def a_key_that_was_ended_and_is_there_again(mess: Mess) -> Expected:
    name = mess.pick("saas key")
    _ended(mess, name)
    return Expected(Kind.UNRECORDED, _about(name))


def an_ended_secret_that_its_target_has_again(mess: Mess) -> Expected:
    name = mess.pick("saas")
    old = copy.copy(mess.secret(name))
    mess.reissue(name)
    mess.held(name).secrets.append(old)
    mess.clock.advance(timedelta(hours=1))
    return Expected(Kind.EXTRA_SECRET, _about(name))


def an_ended_key_that_its_target_has_again(mess: Mess) -> Expected:
    name = mess.pick("cloud key")
    old = copy.copy(mess.secret(name))
    mess.reissue(name)
    mess.held(name).secrets.append(old)
    mess.clock.advance(timedelta(hours=1))
    return Expected(Kind.EXTRA_SECRET, _about(name))


def a_declaration_removed_and_nothing_ended(mess: Mess) -> Expected:
    name = mess.pick("corp")
    del mess.declared[name]
    return Expected(Kind.UNDECLARED, _about(name))


def a_client_deleted_in_the_console(mess: Mess) -> Expected:
    name = mess.pick("corp")
    del mess.corp.objects[mess.held(name).remote_id]
    return Expected(Kind.MISSING, _about(name))


def a_key_deleted_in_the_console(mess: Mess) -> Expected:
    name = mess.pick("saas key")
    mess.held(name).secrets.remove(mess.secret(name))
    return Expected(Kind.ENDED_ELSEWHERE, _about(name))


def a_user_deleted_with_its_key(mess: Mess) -> Expected:
    name = mess.pick("cloud key")
    del mess.cloud.objects[mess.held(name).remote_id]
    return Expected(Kind.MISSING, _about(name))


def a_user_renamed_in_the_console(mess: Mess) -> Expected:
    """Its name is its id, and its key goes with it."""
    name = mess.pick("cloud key")
    item = mess.held(name)
    del mess.cloud.objects[item.remote_id]
    item.remote_id = item.client_id = f"{item.client_id}-renamed"
    mess.cloud.objects[item.remote_id] = item
    return Expected(Kind.MISSING, _about(name))


def a_key_taken_out_of_its_holder(mess: Mess) -> Expected:
    name = mess.pick("cloud key")
    secret = mess.secret(name)
    mess.held(name).secrets.remove(secret)
    loose = mess.cloud.hold("no account")
    loose.loose, loose.secrets = True, [secret]
    return Expected(Kind.MISSING, _about(name))


def a_declaration_that_no_run_carried_out(mess: Mess) -> Expected:
    name = mess.name("new")
    pattern = mess.declared[mess.pick("corp")]
    assert isinstance(pattern, M2MClient)
    mess.declare(replace(pattern, name=name, deliver_to=mess.vault.path(f"apps/{name}")))
    return Expected(Kind.MISSING, _about(name))


def a_login_client_that_nobody_declared(mess: Mess) -> Expected:
    mess.client(mess.corp, "dashboard", grants="authorization_code")
    return Expected(Kind.UNMANAGED, "corp: dashboard")


def a_key_named_as_one_of_ours(mess: Mess) -> Expected:
    name = mess.pick("saas key")
    mess.key(mess.saas, "org-11", "id-of-a-copy", "orders:read").name = f"{_about(name)} 9 nonce-of-a-copy"
    return Expected(Kind.COPIED_MARK, _about(name))


def a_key_pair_exchanged_under_its_name(mess: Mess) -> Expected:
    """Somebody put a key of theirs in place of ours, and called it the same."""
    name = mess.pick("corp")
    mess.secret(name).canonical = "the thumbprint of another key"
    return Expected(Kind.CHANGED, _about(name))


def a_mark_taken_away(mess: Mess) -> Expected:
    name = mess.pick("corp")
    mess.held(name).mark = None
    return Expected(Kind.CHANGED, _about(name))


def a_scope_described_otherwise(mess: Mess) -> Expected:
    scope = mess.saas.scopes["orders:write"]
    mess.saas.scopes["orders:write"] = replace(scope, description="Everything")
    return Expected(Kind.CHANGED, _about("orders-api"))


def a_scope_added_in_the_console(mess: Mess) -> Expected:
    name = mess.pick("corp")
    item = mess.held(name)
    _settings(item, scopes=item.settings.scopes | {"invoices:write"})
    return Expected(Kind.CHANGED, _about(name))


def a_login_switched_on_in_the_console(mess: Mess) -> Expected:
    name = mess.pick("saas")
    item = mess.held(name)
    _settings(item, grants=item.settings.grants | {"authorization_code"})
    return Expected(Kind.CHANGED, _about(name))


def longer_tokens(mess: Mess) -> Expected:
    name = mess.pick("corp")
    _settings(mess.held(name), token_lifetime=86_400)
    return Expected(Kind.CHANGED, _about(name))


def a_client_disabled_in_the_console(mess: Mess) -> Expected:
    name = mess.pick("corp")
    mess.held(name).enabled = False
    return Expected(Kind.DISABLED_ELSEWHERE, _about(name))


def a_second_secret_on_our_client(mess: Mess) -> Expected:
    name = mess.pick("saas")
    now = mess.clock.now
    mess.held(name).secrets.append(MemorySecret("made-by-hand", "by-hand", "key", now, last_used=now))
    return Expected(Kind.EXTRA_SECRET, _about(name))


def a_second_key_on_our_client(mess: Mess) -> Expected:
    name = mess.pick("corp")
    mess.held(name).secrets.append(MemorySecret("kid-of-another", "public", "key", mess.clock.now))
    return Expected(Kind.EXTRA_SECRET, _about(name))


def a_scope_nobody_declares(mess: Mess) -> Expected:
    mess.corp.scopes["payments:admin"] = ObservedScope("scope-x", "payments:admin", "All payments")
    return Expected(Kind.UNDECLARED_SCOPE, "corp: payments:admin")


def a_rotation_that_never_came(mess: Mess) -> Expected:
    name = mess.pick("corp")
    mess.rewrite(name, age(mess.ledger(name), 120 * DAY))
    return Expected(Kind.OVERDUE, _about(name))


def an_end_in_three_weeks(mess: Mess) -> Expected:
    name = mess.pick("corp")
    mess.change(name, expires=mess.today + 20 * DAY)
    return Expected(Kind.EXPIRING, _about(name))


def a_credential_that_is_blocked(mess: Mess) -> Expected:
    name = mess.pick("corp")
    digest = mess.stack.specs[_about(name)].digest()
    blocked = Blocked("two generations in a row did not work: the audience is missing", digest, mess.clock.now)
    mess.rewrite(name, replace(mess.ledger(name), blocked=blocked))
    return Expected(Kind.BLOCKED, _about(name))


def a_secret_that_may_be_an_orphan(mess: Mess) -> Expected:
    name = mess.pick("saas")
    now = mess.clock.now
    mess.held(name).secrets.append(MemorySecret("orphan", "orphan", "key", now, last_used=now))
    ledger = mess.ledger(name)
    assert ledger.current is not None
    mess.rewrite(name, ledger.with_generation(ledger.current.number, suspects=("orphan",)))
    return Expected(Kind.SUSPECT, _about(name))


def a_secret_ended_in_an_incident(mess: Mess) -> Expected:
    """Deleted at the target, and found to be gone by a run."""
    name = mess.pick("saas")
    mess.held(name).secrets.clear()
    mess.up(name)
    return Expected(Kind.ENDED_ELSEWHERE, _about(name))


def a_document_deleted_in_the_store(mess: Mess) -> Expected:
    name = mess.pick("corp")
    for store in (mess.vault, mess.files):
        store.documents.pop(f"apps/{name}", None)
        store.owners.pop(f"apps/{name}", None)
    return Expected(Kind.UNDELIVERED, _about(name))


def a_document_of_nobody(mess: Mess) -> Expected:
    entry = StageEntry(_about("forgotten"), 3, "k:forgotten", "nonce-of-forgotten")
    mess.vault.documents["apps/forgotten"] = {"current": (entry, material("forgotten"), "about"), "previous": None}
    mess.vault.owners["apps/forgotten"] = _about("forgotten")
    return Expected(Kind.STRAY_DELIVERY, "vault:apps/forgotten")


def a_document_copied_for_somebody_else(mess: Mess) -> Expected:
    name = mess.pick("corp")
    store = mess.vault if f"apps/{name}" in mess.vault.documents else mess.files
    store.documents["apps/copied"] = dict(store.documents[f"apps/{name}"])
    store.owners["apps/copied"] = _about(name)
    return Expected(Kind.SHARED_SECRET, _about(name))


def an_exception_past_its_review(mess: Mess) -> Expected:
    name = mess.pick("cloud key")
    past = PermanentException(justification="no OAuth", risk_accepted_by="security", review_by=mess.today - DAY)
    mess.change(name, classification=past)
    return Expected(Kind.NOT_RENEWED, _about(name))


def our_key_at_another_holder(mess: Mess) -> Expected:
    """The same value under a key that is known and left alone."""
    name = mess.pick("cloud key")
    mess.key(mess.cloud, mess.name("robot"), mess.name("AKIA")).value = mess.secret(name).value
    return Expected(Kind.SHARED_SECRET, _about(name))


def an_owner_who_left(mess: Mess) -> Expected:
    name = mess.pick("corp")
    _with_person(mess, Owner(contact="person@example.com"))
    mess.change(name, owner="person-1")
    mess.up(name)
    _with_person(mess, Owner(contact="person@example.com", state="gone"))
    return Expected(Kind.OWNER_GONE, _about(name))


def _with_person(mess: Mess, owner: Owner) -> None:
    mess.owners = mess.owners.model_copy(update={"people": {"person-1": owner}})


def a_consumer_that_was_retired(mess: Mess) -> Expected:
    name = mess.pick("corp")
    _with_mainframe(mess, Consumer(contact="host@example.com"))
    mess.change(name, consumer="mainframe")
    mess.up(name)
    _with_mainframe(mess, Consumer(contact="host@example.com", state="retired"))
    return Expected(Kind.CONSUMER_GONE, _about(name))


def _with_mainframe(mess: Mess, consumer: Consumer) -> None:
    mess.owners = mess.owners.model_copy(update={"consumers": {**mess.owners.consumers, "mainframe": consumer}})


def an_import_that_nobody_took(mess: Mess) -> Expected:
    name = mess.pick("corp")
    mess.owners = mess.owners.model_copy(update={"unassigned_until": mess.today + 30 * DAY})
    mess.change(name, owner=UNASSIGNED)
    mess.up(name)
    return Expected(Kind.UNASSIGNED, _about(name))


def a_review_that_is_due(mess: Mess) -> Expected:
    name = mess.pick("cloud key")
    mess.change(name, reviewed=mess.today - 200 * DAY)
    return Expected(Kind.REVIEW_OVERDUE, _about(name))


def a_client_that_nobody_uses(mess: Mess) -> Expected:
    """Its secret is current for 172 days, of which it was used in the first 22."""
    name = mess.pick("slow")
    mess.rewrite(name, age(mess.ledger(name), 130 * DAY))
    mess.secret(name).last_used = mess.clock.now - 150 * DAY
    return Expected(Kind.UNUSED, _about(name))


def a_key_that_was_never_used(mess: Mess) -> Expected:
    name = mess.pick("saas key")
    mess.rewrite(name, age(mess.ledger(name), 35 * DAY))
    mess.secret(name).last_used = None
    return Expected(Kind.UNUSED, _about(name))


def a_customers_key_beyond_the_ceiling(mess: Mess) -> Expected:
    mess.key(mess.saas, "org-03", "customer-admin", "orders:write")
    return Expected(Kind.GOVERNED, _about("customer-keys"))


def an_allowance_that_is_over(mess: Mess) -> Expected:
    """It is over with nothing left that it allowed."""
    mess.allow(mess.corp, "moved-away-*", days=-1)
    return Expected(Kind.ALLOWANCE_OVER, "corp: allowed moved-away-*")


def no_run_for_ten_days(mess: Mess) -> Expected:
    text, version = mess.ledgers.documents[heartbeat_key(STACK)]
    document = json.loads(text)
    document["at"] = (mess.clock.now - timedelta(days=10)).isoformat()
    mess.ledgers.documents[heartbeat_key(STACK)] = (json.dumps(document), version)
    return Expected(Kind.NO_RUN, STACK)


def _beat(mess: Mess, at: object) -> None:
    text, version = mess.ledgers.documents[heartbeat_key(STACK)]
    mess.ledgers.documents[heartbeat_key(STACK)] = (json.dumps({**json.loads(text), "at": at}), version)


def a_heartbeat_that_is_no_time(mess: Mess) -> tuple[Expected, ...]:
    _beat(mess, "yesterday")
    return (Expected(Kind.NO_RUN, STACK),)


def a_heartbeat_without_a_time_zone(mess: Mess) -> tuple[Expected, ...]:
    _beat(mess, "2026-02-16T00:00:00")
    return (Expected(Kind.NO_RUN, STACK),)


def a_heartbeat_that_is_yet_to_come(mess: Mess) -> tuple[Expected, ...]:
    """It would say for years that all is well."""
    _beat(mess, (mess.clock.now + 1_000 * DAY).isoformat())
    return (Expected(Kind.NO_RUN, STACK),)


def a_suspended_client_enabled_in_the_console(mess: Mess) -> tuple[Expected, ...]:
    name = mess.pick("saas")
    mess.rewrite(name, suspend(mess.ledger(name), mess.clock.now, "an incident"))
    mess.up(name)
    mess.held(name).enabled = True
    return Expected(Kind.CHANGED, _about(name)), Expected(Kind.SUSPENDED, _about(name))


def a_suspended_key_enabled_in_the_console(mess: Mess) -> tuple[Expected, ...]:
    name = mess.pick("cloud key")
    mess.rewrite(name, suspend(mess.ledger(name), mess.clock.now, "an incident"))
    mess.up(name)
    mess.secret(name).enabled = True
    return Expected(Kind.CHANGED, _about(name)), Expected(Kind.SUSPENDED, _about(name))


def a_revoked_client_enabled_in_the_console(mess: Mess) -> tuple[Expected, ...]:
    name = mess.pick("corp")
    item = mess.held(name)
    mess.rewrite(name, revoke(mess.ledger(name), mess.clock.now, "leaked"))
    mess.up(name)
    item.enabled = True
    return Expected(Kind.CHANGED, _about(name)), Expected(Kind.REVOKED, _about(name))


def one_value_in_the_documents_of_two(mess: Mess) -> tuple[Expected, ...]:
    """At a target that shows no values: consumers of both read the same secret."""
    names = sorted(mess.pick("saas") for _ in range(2))
    stores = [mess.vault if f"apps/{name}" in mess.vault.documents else mess.files for name in names]
    first, second = (store.documents[f"apps/{name}"] for name, store in zip(names, stores, strict=True))
    entry, value, about = second["current"]
    second["current"] = (replace(entry, fingerprint=first["current"][0].fingerprint), value, about)
    return Expected(Kind.SHARED_SECRET, _about(names[0])), Expected(Kind.UNDELIVERED, _about(names[1]))


def two_documents_overwritten_by_hand(mess: Mess) -> tuple[Expected, ...]:
    """Nobody can tell that both got one value: it is not a secret that two share."""
    names = [mess.pick("saas") for _ in range(2)]
    for name in names:
        store = mess.vault if f"apps/{name}" in mess.vault.documents else mess.files
        document = store.documents[f"apps/{name}"]
        entry, value, about = document["current"]
        document["current"] = (replace(entry, fingerprint=OVERWRITTEN), value, about)
    return tuple(Expected(Kind.OVERWRITTEN, _about(name)) for name in names)


def an_allowance_for_ever(mess: Mess) -> Expected:
    mess.allow(mess.corp, "archive-*", days=181)
    return Expected(Kind.POLICY, "corp: allowed archive-*")


def an_allowance_that_ends_today_with_all_it_allowed(mess: Mess) -> tuple[Expected, ...]:
    mess.allow(mess.corp, "pilot-*", days=0)
    mess.client(mess.corp, "pilot-1")
    return Expected(Kind.ALLOWANCE_OVER, "corp: allowed pilot-*"), Expected(Kind.UNMANAGED, "corp: pilot-1")


def a_holder_that_has_no_room_for_another(mess: Mess) -> tuple[Expected, ...]:
    """Five secrets at the most, four of them made by hand."""
    name = mess.pick("saas")
    item, now = mess.held(name), mess.clock.now
    item.secrets += [MemorySecret(f"hand-{n}", f"by-hand-{n}", "key", now, last_used=now) for n in range(4)]
    return Expected(Kind.CAP_FILLED, _about(name)), *[Expected(Kind.EXTRA_SECRET, _about(name))] * 4


def an_adopted_client_made_again_under_its_name(mess: Mess) -> tuple[Expected, ...]:
    """Adopted by its client_id, then deleted; somebody, or Terraform, makes another that is called the same."""
    name = mess.pick("corp")
    mess.change(name, adopt=mess.held(name).client_id)
    old = mess.corp.objects.pop(mess.held(name).remote_id)
    mess.client(mess.corp, old.client_id)
    return Expected(Kind.MISSING, _about(name)), Expected(Kind.UNMANAGED, f"corp: {old.client_id}")


PLANTS: tuple[Plant, ...] = (
    a_client_that_nobody_uses,
    a_key_that_was_never_used,
    a_secret_ended_in_an_incident,
    a_client_that_was_ended_and_is_there_again,
    a_key_that_was_ended_and_is_there_again,
    an_ended_secret_that_its_target_has_again,
    an_ended_key_that_its_target_has_again,
    an_owner_who_left,
    a_consumer_that_was_retired,
    an_import_that_nobody_took,
    an_unmanaged_client,
    an_unmanaged_key,
    an_unmanaged_key_of_a_user,
    a_client_of_another_stack,
    a_client_with_our_mark_in_no_ledger,
    a_copy_of_our_client,
    a_client_named_after_the_id_of_one_of_ours,
    a_client_with_a_mark_that_no_stack_of_ours_can_have,
    a_declaration_removed_and_nothing_ended,
    a_client_deleted_in_the_console,
    a_key_deleted_in_the_console,
    a_user_deleted_with_its_key,
    a_user_renamed_in_the_console,
    a_key_taken_out_of_its_holder,
    a_declaration_that_no_run_carried_out,
    a_login_client_that_nobody_declared,
    a_key_named_as_one_of_ours,
    a_key_pair_exchanged_under_its_name,
    a_mark_taken_away,
    a_scope_described_otherwise,
    a_document_copied_for_somebody_else,
    an_exception_past_its_review,
    a_scope_added_in_the_console,
    a_login_switched_on_in_the_console,
    longer_tokens,
    a_client_disabled_in_the_console,
    a_second_secret_on_our_client,
    a_second_key_on_our_client,
    a_scope_nobody_declares,
    a_rotation_that_never_came,
    an_end_in_three_weeks,
    a_credential_that_is_blocked,
    a_secret_that_may_be_an_orphan,
    a_document_deleted_in_the_store,
    a_document_of_nobody,
    our_key_at_another_holder,
    a_review_that_is_due,
    a_customers_key_beyond_the_ceiling,
    an_allowance_that_is_over,
    an_allowance_for_ever,
    no_run_for_ten_days,
)
"""All of them, in an order in which they can all be planted: a run notes what was used, and that there was a run."""

SEVERAL: tuple[Callable[[Mess], tuple[Expected, ...]], ...] = (
    one_value_in_the_documents_of_two,
    two_documents_overwritten_by_hand,
    a_suspended_client_enabled_in_the_console,
    a_suspended_key_enabled_in_the_console,
    a_revoked_client_enabled_in_the_console,
    a_heartbeat_that_is_no_time,
    a_heartbeat_without_a_time_zone,
    a_heartbeat_that_is_yet_to_come,
    an_adopted_client_made_again_under_its_name,
    an_allowance_that_ends_today_with_all_it_allowed,
    a_holder_that_has_no_room_for_another,
)
"""Troubles that are several findings each."""
