"""API keys and governed sets at the command line, and the rules of the two kinds."""

from __future__ import annotations

import json
import re
from datetime import date, timedelta

import pytest
from bench_world import NAMED_KEYS, TWO_KEYS
from cli_project import Project

from keysteward import ApiKey, Governed, PermanentException, RotationSchedule
from keysteward.core.errors import Unavailable
from keysteward.testing.memory import MemorySecret

NAME = "partner"


@pytest.fixture
def keys(project: Project) -> Project:
    project.target.key_capabilities = NAMED_KEYS
    project.target.hold("org-1")
    return project


def key(project: Project, name: str = NAME, **fields: object) -> ApiKey:
    given: dict[str, object] = {
        "target": project.target,
        "holder": "org-1",
        "owner": "team-billing",
        "purpose": "Order status for a partner",
        "expires": date(2027, 6, 30),
        "classification": PermanentException(
            justification="the partner has no OAuth", risk_accepted_by="security", review_by=date(2026, 6, 1)
        ),
        "rotation": RotationSchedule(every="60d", overlap="7d"),
        "deliver_to": project.store.path("partners/one"),
    }
    return ApiKey(name, **{**given, **fields})  # type: ignore[arg-type]


def test_a_key_is_issued_shown_and_revoked_by_its_name(keys: Project) -> None:
    keys.declare(key(keys))
    assert "+ partner  issue generation 1" in keys.run("preview").out
    assert keys.run("up", "--yes").code == 0
    shown = keys.run("show", NAME).out
    assert "ApiKey" in shown
    assert "org-1" in shown
    assert f"keysteward revoke {NAME} --all" in shown
    assert f"by hand: end key {key_id(keys)} of org-1 in the console of target corp" in shown
    assert keys.run("revoke", NAME, "--all", "--reason", "leaked", "--yes").code == 0
    assert keys.target.objects["org-1"].secrets == []
    assert keys.run("preview", "--expect-no-changes").code == 0


def key_id(project: Project, number: int = 1) -> str:
    found = project.ledger(NAME).generation(number).id
    assert found is not None
    return found


def said(project: Project) -> list[str]:
    """Return the sentences about how it is revoked."""
    sentences: list[str] = json.loads(project.run("show", NAME, "--json").out)["revoke"]
    return sentences


def down(_operation: str) -> None:
    raise Unavailable("no answer")


def test_show_names_keys_by_their_ids_and_only_those_that_live(keys: Project) -> None:
    strangers = MemorySecret("key-of-a-stranger", "theirs", "key", keys.clock.now, "shop")
    keys.target.objects["org-1"].secrets.append(strangers)
    keys.declare(key(keys))
    keys.run("up", "--yes")
    keys.pass_time(days=60)
    keys.run("up", "--yes")
    first, second = key_id(keys, 1), key_id(keys, 2)
    shown = keys.run("show", NAME).out
    assert re.search(r"no\. +state +key +fingerprint", shown)
    assert re.search(rf"1 +previous +{first} ", shown)
    assert re.search(rf"2 +current +{second} ", shown)
    by_hand = "by hand: end key {} of org-1 in the console of target corp; it is not silently brought back"
    assert by_hand.format(f"{first}, {second}") in said(keys)
    asked = keys.run("revoke", NAME, "--reason", "leak", "--yes").err
    assert re.search(rf"2 +current +{second} ", asked)

    keys.pass_time(days=8)
    keys.run("up", "--yes")
    assert by_hand.format(second) in said(keys)
    keys.run("revoke", NAME, "--all", "--reason", "leak", "--yes")
    assert not [sentence for sentence in said(keys) if "by hand" in sentence]


def test_show_says_what_decommissioning_does_where_a_key_cannot_be_disabled(keys: Project) -> None:
    keys.declare(key(keys))
    keys.run("up", "--yes")
    assert (
        "to end it in good order: declare decommission=<date>, on which its keys end for good, since target corp "
        "cannot disable them; remove the declaration a week later"
    ) in said(keys)
    keys.declare(key(keys, decommission=date(2026, 1, 6)))
    keys.pass_time(days=2)
    keys.run("up", "--yes")
    assert keys.target.objects["org-1"].secrets == []
    assert keys.states(NAME) == ["1 retired"]

    keys.target.key_capabilities = TWO_KEYS
    keys.declare(key(keys))
    assert "decommission=<date>, on which it is disabled and can still be enabled again" in " ".join(said(keys))
    keys.run("up", "--yes")
    keys.run("suspend", NAME, "--reason", "holiday", "--yes")
    assert f"key {key_id(keys, 2)} of org-1 is disabled at target corp" in said(keys)


def test_an_adopted_key_is_left_as_it_is_and_its_document_too(keys: Project) -> None:
    theirs = MemorySecret("key_theirs", "theirs", "key", keys.clock.now, "shop")
    keys.target.objects["org-1"].secrets.append(theirs)
    keys.declare(key(keys, adopt="key_theirs", rotation=RotationSchedule(every="30d", overlap="7d")))
    keys.run("up", "--yes")
    [last] = [sentence for sentence in said(keys) if sentence.startswith("to end it for good")]
    assert last.endswith("this leaves key key_theirs as it is, since it was not made here")

    keys.pass_time(days=31)
    keys.run("up", "--yes")
    assert keys.states(NAME) == ["1 previous", "2 current"]
    [last] = [sentence for sentence in said(keys) if sentence.startswith("to end it for good")]
    mine = key_id(keys, 2)
    assert last.endswith(f"this ends key {mine}, leaves key key_theirs as it is, since it was not made here")
    document = keys.store.reads("partners/one")
    keys.declare(keys.api)
    keys.run("up", "--prune", "--yes")
    assert [secret.id for secret in keys.target.objects["org-1"].secrets] == ["key_theirs"]
    assert keys.store.reads("partners/one") == document, "what it said is what happens"


def test_an_issued_key_ends_and_its_place_is_emptied(keys: Project) -> None:
    keys.declare(key(keys))
    keys.run("up", "--yes")
    [last] = [sentence for sentence in said(keys) if sentence.startswith("to end it for good")]
    assert last.endswith(f"this ends key {key_id(keys)}, empties secrets:partners/one")


def test_with_the_ledger_store_down_target_names_keys_by_their_names_and_ends_none(keys: Project) -> None:
    keys.declare(key(keys), key(keys, "other", deliver_to=keys.store.path("partners/two")))
    keys.run("up", "--yes")
    before = [secret.id for secret in keys.target.objects["org-1"].secrets]
    mine = key_id(keys)
    keys.ledgers.before = down
    asked = keys.run("revoke", NAME, "--all", "--reason", "leak", "--yes")
    assert asked.code == 1
    assert "a key carries no mark: end it in the console of corp" in asked.err
    assert "disable it by its mark" not in asked.err

    done = keys.run("revoke", NAME, "--target", "corp", "--reason", "leak", "--yes")
    assert done.code == 1
    assert f"end key {mine} of org-1 in the console of target corp: its name says that it is of" in done.out
    assert "no client there carries the mark" not in done.out
    assert not [other for other in before if other != mine and other in done.out]
    assert [secret.id for secret in keys.target.objects["org-1"].secrets] == before, "a name gives no right"
    document = json.loads(keys.run("revoke", NAME, "--target", "corp", "-r", "leak", "--yes", "--json").out)
    assert document["by_hand"] == [{"target": "corp", "holder": "org-1", "id": mine, "said_by": "its name"}]

    keys.ledgers.before = lambda _operation: None
    assert keys.run("up", "--yes").code == 0
    assert keys.states(NAME) == ["1 retired"], "the word was kept"
    done = keys.run("revoke", NAME, "--target", "corp", "--reason", "leak", "--yes")
    assert done.code == 0
    assert mine not in done.out, "what has ended is nobody's work any more"


def test_where_keys_carry_no_name_the_delivered_document_tells_their_ids(keys: Project) -> None:
    keys.target.key_capabilities = TWO_KEYS
    keys.target.objects["org-1"].secrets.append(MemorySecret("key_theirs", "theirs", "key", keys.clock.now))
    keys.declare(key(keys))
    keys.run("up", "--yes")
    mine = key_id(keys)
    keys.ledgers.before = down
    done = keys.run("revoke", NAME, "--target", "corp", "--reason", "leak", "--yes")
    assert f"end key {mine} of org-1 in the console of target corp: secrets:partners/one says" in done.out
    assert "key_theirs" not in done.out

    keys.store.before = down
    blind = keys.run("revoke", NAME, "--target", "corp", "--reason", "leak", "--yes")
    assert (
        "a key carries no mark, and secrets:partners/one does not tell which one it is: end what org-1 has of this "
        "credential in the console of target corp"
    ) in blind.out
    assert len(keys.target.objects["org-1"].secrets) == 2


def test_a_key_whose_target_is_down_is_named_and_not_called_a_client(keys: Project) -> None:
    keys.declare(key(keys))
    keys.run("up", "--yes")
    mine = key_id(keys)
    keys.target.before = down
    begun = keys.run("revoke", NAME, "--all", "--reason", "leak", "--yes")
    assert begun.code == 1
    assert f"or by hand: end key {mine} of org-1 in the console of corp" in begun.out
    assert "--target" not in begun.out
    assert "client" not in begun.out


def test_suspend_where_a_key_cannot_be_disabled_names_a_command_that_works(keys: Project) -> None:
    keys.declare(key(keys))
    keys.run("up", "--yes")
    refused = keys.run("suspend", NAME, "--reason", "holiday", "--yes")
    assert "target corp cannot disable the key at org-1" in refused.err
    advised = "keysteward revoke partner --all --reason TEXT"
    assert refused.err.strip().endswith(advised)
    assert keys.run(*advised.replace("TEXT", "leak").split()[1:], "--yes").code == 0
    assert keys.states(NAME) == ["1 retired"]


def test_whose_names_the_key_and_its_holder(keys: Project) -> None:
    keys.declare(key(keys))
    keys.run("up", "--yes")
    value = keys.store.reads("partners/one")
    assert value is not None
    (keys.root / "paste.txt").write_text(value, encoding="utf-8")
    shown = keys.run("whose", "paste.txt").out
    assert f"corp, key {key_id(keys)} of org-1" in shown
    assert "client" not in shown

    keys.target.key_capabilities = TWO_KEYS
    keys.run("suspend", NAME, "--reason", "holiday", "--yes")
    assert "it does not work while the key at org-1 is disabled" in keys.run("whose", "paste.txt").out


def test_doctor_counts_holders_of_keys_apart_from_clients(keys: Project) -> None:
    assert "lists 0 clients, 1 holders of keys and 0 scopes" in keys.run("doctor").out


def test_a_key_of_a_lost_ledger_and_no_declaration_is_reported_by_its_name(keys: Project) -> None:
    keys.declare(key(keys))
    keys.run("up", "--yes")
    mine = key_id(keys)
    keys.ledgers.documents.clear()
    keys.declare(keys.api)
    shown = keys.run("preview")
    assert (
        f"key {mine} of account 'org-1' at target corp is named as acme/demo/partner, which is neither declared"
        in shown.out
    )
    assert "keysteward rebuild partner" in shown.out
    assert "carries its mark" not in shown.out
    keys.run("up", "--yes", "--prune")
    assert [secret.id for secret in keys.target.objects["org-1"].secrets] == [mine], "a name gives no right"


def test_a_released_key_is_a_strangers_again_and_counts_in_its_set(keys: Project) -> None:
    keys.target.objects["org-1"].secrets.append(MemorySecret("key_theirs", "theirs", "key", keys.clock.now, "shop"))
    customers = Governed("customers", target=keys.target, owner="team-billing", purpose="Keys of customers")
    keys.declare(key(keys, adopt="key_theirs"), customers)
    keys.run("up", "--yes")
    assert "customers  0 keys" in keys.run("preview").out
    keys.declare(customers)
    keys.run("up", "--prune", "--yes")
    assert "customers  1 key of 1 holder" in keys.run("preview").out
    keys.declare(key(keys), customers)
    keys.run("up", "--yes")
    assert "customers  1 key of 1 holder" in keys.run("preview").out, "its name is issued again, and it is not"


def test_an_ended_key_that_a_list_still_shows_was_not_made_by_others(keys: Project) -> None:
    customers = Governed("customers", target=keys.target, owner="team-billing", purpose="Keys of customers")
    keys.declare(key(keys), customers)
    keys.run("up", "--yes")
    ended = list(keys.target.objects["org-1"].secrets)
    keys.run("reissue", NAME, "--reason", "a test", "--yes")
    assert keys.states(NAME) == ["1 retired", "2 current"]
    keys.target.objects["org-1"].secrets[:0] = ended
    assert "customers  0 keys" in keys.run("preview").out


def test_what_breaks_a_rule_of_its_kind_is_a_warning(keys: Project) -> None:
    keys.declare(key(keys, rotation=RotationSchedule(every="200d", overlap="20d"), reviewed=date(2025, 1, 1)))
    out = keys.run("preview").out
    assert "rotation.every: it is 200d, for an API key the rule is 90d at most" in out
    assert "rotation.overlap: it is 20d, for an API key the rule is 14d at most" in out
    assert "reviewed: the last review was on 2025-01-01, and an API key is reviewed every 180d" in out


def test_a_governed_set_is_counted_and_judged_in_the_preview(keys: Project) -> None:
    old = keys.clock.now - timedelta(days=400)
    for number in range(3):
        keys.target.objects["org-1"].secrets.append(MemorySecret(f"k{number}", f"v{number}", "key", old, "shop"))
    keys.declare(
        key(keys),
        Governed(
            "customers",
            target=keys.target,
            owner="team-billing",
            purpose="Keys of customers",
            max_age="365d",
            max_count=5,
        ),
    )
    shown = keys.run("preview")
    assert "customers  3 keys of 1 holder at corp" in shown.out
    assert "customers: 3 keys older than 365d: k0 'shop' of account 'org-1'" in shown.out
    assert json.loads(keys.run("preview", "--json").out)["governed"] == [
        {"name": "customers", "target": "corp", "owner": "team-billing", "keys": 3, "holders": 1}
    ]
    keys.run("up", "--yes")
    assert "3 keys of 1 holder" in keys.run("preview").out, "our own key is not among them"
    assert len(keys.target.objects["org-1"].secrets) == 4


def test_the_rules_of_the_two_kinds_stand_side_by_side(project: Project) -> None:
    shown = project.run("rules").out
    assert shown.index("M2M client") < shown.index("API key")
    assert "rotation interval, at most  90d" in shown
    kinds = {kind["kind"]: kind for kind in json.loads(project.run("rules", "--json").out)["kinds"]}
    assert kinds["API key"]["rotation_interval"] < kinds["M2M client"]["rotation_interval"]
    assert kinds["M2M client"]["life"] is None
