"""Troubles, planted one by one: each damages a `Mess` and says which findings a look must then show, and no others."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import NamedTuple

from mess import DAY, STACK, Mess

from keysteward.core.findings import Kind
from keysteward.core.heartbeat import heartbeat_key
from keysteward.core.ledger import Blocked, age
from keysteward.core.observed import ObservedScope
from keysteward.core.owners import UNASSIGNED, Consumer, Owner
from keysteward.core.ports import StageEntry
from keysteward.testing.memory import MemoryObject, MemorySecret, material


class Expected(NamedTuple):
    """A finding, by its kind and what it is about."""

    kind: Kind
    subject: str


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
    return Expected(Kind.MISSING, _about(name))


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
    return Expected(Kind.STRAY_DELIVERY, "vault: apps/forgotten")


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
    return Expected(Kind.ALLOWANCE_OVER, "corp: moved-away-*")


def no_run_for_ten_days(mess: Mess) -> Expected:
    text, version = mess.ledgers.documents[heartbeat_key(STACK)]
    document = json.loads(text)
    document["at"] = (mess.clock.now - timedelta(days=10)).isoformat()
    mess.ledgers.documents[heartbeat_key(STACK)] = (json.dumps(document), version)
    return Expected(Kind.NO_RUN, STACK)
