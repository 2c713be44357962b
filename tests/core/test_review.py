"""What a pull request changes is named, weighed, and given to those who must approve it; what it leaves is not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise, permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from review_sides import (
    CLIENTS,
    KEYS,
    NOW,
    Side,
    compared,
    exception,
    owners,
    schedule,
    sorts,
    transitional,
    waiver,
)

from keysteward.core.declare.credentials import Bootstrap, ResourceServer
from keysteward.core.declare.stack import Limit
from keysteward.core.policy import RULES
from keysteward.core.review import OPPOSITES, WEIGHTS, Change, ChangedFile, Risk, Sort, review
from keysteward.core.review.form import Form

Make = Callable[[Side], Form]


def client(**fields: object) -> Make:
    return lambda side: side.form(side.client(**{k: v(side) if callable(v) else v for k, v in fields.items()}))


def key(**fields: object) -> Make:
    return lambda side: side.form(
        side.client(), side.key(**{k: v(side) if callable(v) else v for k, v in fields.items()})
    )


def people(**changes: object) -> Make:
    return lambda side: side.form(side.client(), people=owners(**changes))


def stack(**fields: object) -> Make:
    return lambda side: side.form(side.client(), **fields)


def governed(**fields: object) -> Make:
    return lambda side: side.form(
        side.client(), side.governed(**{k: v(side) if callable(v) else v for k, v in fields.items()})
    )


def allowed(**fields: object) -> Make:
    return lambda side: side.form(side.client(), allowed=[side.allowed(**fields)])


def api(**fields: object) -> Make:
    def make(side: Side) -> Form:
        given = {"target": side.corp, "audience": "https://new.example.com", "scopes": {"new:read": "Read"}, **fields}
        return side.form(side.client(), ResourceServer(given.pop("name", "new"), **given))

    return make


def access(*scopes: str) -> Callable[[Side], Any]:
    return lambda side: {side.api: list(scopes)}


def path(*names: str, **fields: object) -> Callable[[Side], Any]:
    return lambda side: [side.store.path(name, **fields) for name in names]


def far(side: Side) -> Form:
    return side.form(side.client(target=side.other, access={side.far: ["read-far"]}))


DAY = date(2027, 3, 1)
LATER = date(2027, 9, 1)
PLAIN = client()
KEY = key()

ONE_CHANGE: list[tuple[Make, Make, Sort]] = [
    (client(token_lifetime="10m"), client(token_lifetime="2h"), Sort.TOKENS_LONGER),
    (client(token_lifetime="10m"), PLAIN, Sort.TOKENS_LONGER),
    (PLAIN, client(access=access("read", "write")), Sort.SCOPES_MORE),
    (PLAIN, client(optional_access=access("write")), Sort.OPTIONAL_MORE),
    (PLAIN, client(rotation=schedule(every="180d")), Sort.INTERVAL_LONGER),
    (PLAIN, client(rotation=schedule(overlap="30d")), Sort.OVERLAP_LONGER),
    (KEY, key(rotation=schedule(retire_when_unused_for="14d")), Sort.OLD_SECRET_LONGER),
    (PLAIN, client(rotation=schedule(report_after="60d")), Sort.OLD_SECRET_LONGER),
    (client(expires=DAY), client(expires=LATER), Sort.EXPIRES_LATER),
    (client(expires=DAY), PLAIN, Sort.EXPIRES_LATER),
    (client(decommission=DAY), client(decommission=LATER), Sort.DECOMMISSION_LATER),
    (client(decommission=DAY), PLAIN, Sort.DECOMMISSION_LATER),
    (PLAIN, client(accept_gap=True), Sort.ACCEPTS_GAP),
    (PLAIN, client(previously="older"), Sort.FORMER_MORE),
    (api(), api(previously="older"), Sort.FORMER_MORE),
    (client(adopt="old"), client(adopt="old", retire_adopted=True), Sort.RETIRES_ADOPTED),
    (PLAIN, client(deliver_to=path("apps/exporter", take_over=True)), Sort.TAKES_OVER),
    (PLAIN, client(auth_method="client_secret"), Sort.METHOD_WEAKER),
    (PLAIN, client(deliver_to=path("apps/exporter", "apps/copy")), Sort.DELIVERED_MORE),
    (KEY, key(access=access("read", "write")), Sort.SCOPES_MORE),
    (key(narrow_now=True), KEY, Sort.NARROWS_LATER),
    (key(classification=exception()), key(classification=exception(review_by=LATER)), Sort.EXCEPTION_LONGER),
    (key(classification=transitional()), key(classification=transitional(by=LATER)), Sort.TRANSITION_LONGER),
    (stack(levels={"KS016": "error"}), stack(), Sort.LEVEL_LOWERED),
    (stack(), stack(levels={"KS016": "off"}), Sort.LEVEL_LOWERED),
    (stack(own_rules={"ours": "1"}), stack(), Sort.RULE_REMOVED),
    (stack(), stack(limit=Limit(count=10)), Sort.LIMIT_LOOSENED),
    (stack(), stack(limit=Limit(share=0.9)), Sort.LIMIT_LOOSENED),
    (stack(), stack(heartbeat="30d"), Sort.HEARTBEAT_SLOWER),
    (stack(), stack(beside=["acme/lab"]), Sort.BESIDE_MORE),
    (lambda side: side.form(side.client(), watched=[side.corp]), stack(), Sort.WATCHED_LESS),
    (stack(), allowed(), Sort.ALLOWED),
    (governed(max_count=3), governed(max_count=9), Sort.CEILING_RAISED),
    (governed(max_age="30d"), governed(), Sort.CEILING_RAISED),
    (governed(ceiling=access("read")), governed(ceiling=access("read", "write")), Sort.CEILING_RAISED),
    (governed(ceiling=access("read")), governed(), Sort.CEILING_RAISED),
    (api(), api(scopes={"new:read": "Read", "new:write": "Write"}), Sort.SERVER_SCOPES_MORE),
    (people(unassigned_until="2027-01-01"), people(unassigned_until="2027-06-01"), Sort.UNASSIGNED_LONGER),
    (people(), people(unassigned_until="2027-06-01"), Sort.UNASSIGNED_LONGER),
]
"""Each widens in one way; taken back, it narrows in one way."""

OTHERS: list[tuple[Make, Make, set[Sort]]] = [
    (PLAIN, client(rotation=schedule(windows="Sun 02:00-04:00 UTC")), {Sort.WINDOWS_CHANGED}),
    (stack(), lambda side: side.form(side.client(), side.client("second")), {Sort.ADDED}),
    (PLAIN, lambda side: side.form(side.client(), side.key()), {Sort.ADDED, Sort.BOOTSTRAP}),
    (lambda side: side.form(side.client(), side.client("second")), PLAIN, {Sort.ENDS}),
    (client(decommission=date(2026, 11, 1)), lambda side: side.form(), {Sort.ENDS_ON_TIME}),
    (client(decommission=date(2026, 11, 28)), lambda side: side.form(), {Sort.ENDS}),
    (client(adopt="old"), lambda side: side.form(), {Sort.RELEASED}),
    (client(adopt="old", decommission=DAY), lambda side: side.form(), {Sort.ENDS}),
    (PLAIN, client(name="export", previously="exporter", deliver_to=path("apps/exporter")), {Sort.RENAMED}),
    (
        PLAIN,
        lambda side: side.form(side.secret()),
        {Sort.KIND_CHANGED, Sort.SCOPES_LESS, Sort.AUDIENCE_LESS, Sort.ADOPTS},
    ),
    (PLAIN, client(adopt="old"), {Sort.ADOPTS}),
    (client(adopt="old"), PLAIN, {Sort.ADOPTS}),
    (PLAIN, client(access=access("read", "admin")), {Sort.SCOPES_MORE, Sort.SWEEPING}),
    (client(access=access()), PLAIN, {Sort.SCOPES_MORE, Sort.AUDIENCE_MORE}),
    (PLAIN, client(rotation=schedule(overlap="0s")), {Sort.OVERLAP_NONE}),
    (client(rotation=schedule(overlap="0s")), PLAIN, {Sort.OVERLAP_LONGER}),
    (KEY, key(classification=exception()), {Sort.EXCEPTION}),
    (key(classification=exception()), key(classification=exception(justification="now another")), {Sort.EXCEPTION}),
    (key(classification=exception()), KEY, {Sort.BOOTSTRAP}),
    (KEY, key(classification=Bootstrap(exchanged_for="a token")), {Sort.BOOTSTRAP}),
    (KEY, key(classification=transitional()), {Sort.MIGRATES}),
    (PLAIN, far, {Sort.MOVED, Sort.SCOPES_MORE, Sort.SCOPES_LESS, Sort.AUDIENCE_MORE, Sort.AUDIENCE_LESS}),
    (PLAIN, client(client_id="exporter-2"), {Sort.MOVED}),
    (KEY, key(holder="org-2"), {Sort.MOVED}),
    (PLAIN, client(environment="staging"), {Sort.ENVIRONMENT_CHANGED}),
    (PLAIN, client(deliver_to=path("apps/elsewhere")), {Sort.DELIVERED_MORE, Sort.DELIVERED_LESS}),
    (PLAIN, client(deliver_to=path("apps/exporter", fields={"client_id": "ID"})), {Sort.DELIVERY_CHANGED}),
    (PLAIN, client(owner="orders"), {Sort.OWNER_CHANGED}),
    (PLAIN, client(consumer="mailer"), {Sort.CONSUMER_CHANGED}),
    (PLAIN, client(purpose="Another purpose altogether"), {Sort.PURPOSE_CHANGED}),
    (PLAIN, client(runbook="https://run.example.com"), {Sort.RUNBOOK_CHANGED}),
    (PLAIN, client(reviewed=date(2026, 11, 30)), {Sort.REVIEWED}),
    (PLAIN, client(waivers=[waiver()]), {Sort.WAIVER}),
    (client(waivers=[waiver()]), client(waivers=[waiver(until=LATER)]), {Sort.WAIVER_LONGER}),
    (client(waivers=[waiver()]), client(waivers=[waiver(reason="another")]), {Sort.WAIVER_LONGER}),
    (client(waivers=[waiver(until=LATER)]), client(waivers=[waiver()]), {Sort.WAIVER_LESS}),
    (client(waivers=[waiver()]), PLAIN, {Sort.WAIVER_LESS}),
    (PLAIN, api(), {Sort.SERVER_ADDED}),
    (api(), PLAIN, {Sort.SERVER_REMOVED}),
    (api(), api(audience="https://elsewhere.example.com"), {Sort.SERVER_CHANGED}),
    (api(), api(adopt=True), {Sort.ADOPTS}),
    (api(adopt=True), api(), {Sort.ADOPTS}),
    (key(adopt="k-1"), KEY, {Sort.ADOPTS}),
    (key(classification=exception()), key(classification=exception(risk_accepted_by="orders")), {Sort.EXCEPTION}),
    (api(), api(name="newer", previously="new"), {Sort.RENAMED}),
    (PLAIN, governed(), {Sort.SET_ADDED}),
    (governed(), PLAIN, {Sort.SET_REMOVED}),
    (governed(), governed(holders="org-*"), {Sort.SET_CHANGED}),
    (governed(), governed(owner="orders"), {Sort.OWNER_CHANGED}),
    (allowed(), allowed(until=LATER), {Sort.ALLOWED}),
    (allowed(until=LATER), allowed(), {Sort.ALLOWED_LESS}),
    (stack(), stack(file="other.yaml"), {Sort.APPROVER_CHANGED}),
    (stack(own_rules={"ours": "1"}), stack(own_rules={"ours": "2"}), {Sort.RULE_CHANGED}),
    (people(), people(teams={"new": {"contact": "n@example.com"}}), {Sort.OWNER_LISTED}),
    (people(), people(people={"billing-lead": None}), {Sort.OWNER_DROPPED}),
    (people(), people(people={"billing-lead": {"state": "gone"}}), {Sort.OWNER_GONE}),
    (people(), people(people={"billing-lead": {"state": "leaving", "leaves": "2026-11-30"}}), {Sort.OWNER_GONE}),
    (people(), people(people={"billing-lead": {"state": "leaving", "leaves": "2027-01-31"}}), {Sort.OWNER_LEAVING}),
    (people(people={"billing-lead": {"state": "gone"}}), people(), {Sort.OWNER_BACK}),
    (people(), people(people={"billing-lead": {"deputy": "billing"}}), {Sort.OWNER_DETAILS}),
    (people(), people(teams={"billing": {"contact": "b2@example.com"}}), {Sort.OWNER_DETAILS}),
    (people(), people(people={"billing-lead": {"contact": "billing-lead-2@example.com"}}), {Sort.APPROVER_CHANGED}),
    (people(), people(teams={"billing": {"forge": "@mallory"}}), {Sort.APPROVER_CHANGED}),
    (people(), people(security="billing-lead"), {Sort.APPROVER_CHANGED}),
    (people(), people(consumers={"shop": {"contact": "s@example.com"}}), {Sort.CONSUMER_LISTED}),
    (people(), people(consumers={"mailer": None}), {Sort.CONSUMER_DROPPED}),
    (people(), people(consumers={"mailer": {"state": "retired"}}), {Sort.CONSUMER_RETIRED}),
    (people(), people(consumers={"mailer": {"state": "retiring", "retires": "2027-01-31"}}), {Sort.CONSUMER_RETIRED}),
    (people(consumers={"mailer": {"state": "retired"}}), people(), {Sort.CONSUMER_BACK}),
]
"""Other changes, and everything that each of them is told as."""


def changes(before: Make, after: Make) -> tuple[Change, ...]:
    return compared(before(Side()), after(Side())).changes


@pytest.mark.parametrize(("before", "after", "sort"), ONE_CHANGE, ids=lambda value: getattr(value, "value", ""))
def test_what_widens_is_told_as_one_change_and_taken_back_as_its_opposite(
    before: Make, after: Make, sort: Sort
) -> None:
    assert sorts(changes(before, after)) == [sort.value]
    assert sorts(changes(after, before)) == [OPPOSITES[sort].value]
    assert changes(before, before) == changes(after, after) == ()


@pytest.mark.parametrize(("before", "after", "told"), OTHERS, ids=lambda _: "")
def test_every_other_change_is_told(before: Make, after: Make, told: set[Sort]) -> None:
    assert sorts(changes(before, after)) == sorted(sort.value for sort in told)
    assert changes(before, before) == changes(after, after) == ()


def test_safeguards_and_targets_that_change_are_told() -> None:
    bare = PLAIN(Side(replace(CLIENTS, safeguards={})))
    assert sorts(compared(PLAIN(Side()), bare).changes) == ["safeguard removed"]
    assert sorts(compared(bare, PLAIN(Side())).changes) == ["safeguard added"]
    before = PLAIN(Side())
    port = before.ports["target corp"]
    port = replace(port, settings={**port.settings, "url": "https://evil.example"})
    told = compared(before, replace(before, ports={**before.ports, "target corp": port})).changes
    assert [(c.sort, c.risk, c.approvers) for c in told] == [(Sort.PORT_CHANGED, Risk.HIGH, ("sec",))]
    assert "https://evil.example" in told[0].message


def test_a_probe_and_grants_and_a_way_to_replace_are_told() -> None:
    side = Side()
    before = side.form(side.client())
    declared = before.credentials["exporter"]
    for change, sort in ((({"proven_by": "crm"}), Sort.PROBE_CHANGED), ({"grants": {"password"}}, Sort.GRANTS)):
        spec = replace(declared.spec, **change)  # type: ignore[arg-type]
        after = replace(before, credentials={"exporter": replace(declared, spec=spec)})
        assert sorts(compared(before, after).changes) == [sort.value]


def test_stacks_that_come_and_go_are_told() -> None:
    side = Side()
    made = side.form(side.client())
    come = review({}, {"prod": made}, NOW).changes
    assert Counter(c.sort for c in come) == {
        Sort.STACK_ADDED: 1,
        Sort.ADDED: 1,
        Sort.SERVER_ADDED: 2,
        Sort.PORT_ADDED: 4,
    }
    gone = review({"prod": made}, {}, NOW).changes
    assert [(c.sort, c.risk) for c in gone] == [(Sort.STACK_REMOVED, Risk.HIGH)]
    assert "1 credentials" in gone[0].message
    assert gone[0].approvers == ("billing", "sec")
    other = review({"prod": made}, {"prod": side.form(side.client(), identity="acme/live")}, NOW).changes
    assert [c.sort for c in other] == [Sort.IDENTITY_CHANGED]
    assert review({}, {}, NOW).changes == ()


def widened(side: Side, **fields: object) -> Form:
    return side.form(side.client(access={side.api: ["read", "write"]}), **fields)


MINE = owners(security="billing-lead", teams={"billing": {"forge": "@mallory"}})


def test_a_stack_whose_module_is_renamed_is_the_stack_it_was() -> None:
    before = PLAIN(Side())
    told = review({"prod": before}, {"live": widened(Side(), people=MINE)}, NOW).changes
    assert [(c.sort, c.risk, c.approvers) for c in told] == [
        (Sort.SCOPES_MORE, Risk.HIGH, ("billing",)),
        (Sort.APPROVER_CHANGED, Risk.HIGH, ("billing", "sec")),
        (Sort.APPROVER_CHANGED, Risk.HIGH, ("sec",)),
        (Sort.STACK_RENAMED, Risk.MEDIUM, ("sec",)),
    ]
    assert told[-1].message == "its module is live (was prod): a job that names the old one does not find it"


def test_a_stack_that_takes_the_name_of_another_is_not_taken_for_it() -> None:
    before = {"prod": PLAIN(Side()), "test": stack(identity="acme/test")(Side())}
    swapped = {"prod": stack(identity="acme/test")(Side()), "test": widened(Side())}
    told = Counter((c.sort, c.subject) for c in review(before, swapped, NOW).changes)
    assert told == {
        (Sort.SCOPES_MORE, "acme/prod/exporter"): 1,
        (Sort.STACK_RENAMED, "acme/prod"): 1,
        (Sort.STACK_RENAMED, "acme/test"): 1,
    }


def test_a_new_identity_in_a_renamed_module_is_still_compared_by_what_it_declares() -> None:
    told = review({"prod": PLAIN(Side())}, {"live": widened(Side(), identity="acme/live", people=MINE)}, NOW).changes
    assert {Sort.IDENTITY_CHANGED, Sort.STACK_RENAMED, Sort.SCOPES_MORE, Sort.APPROVER_CHANGED} == {
        c.sort for c in told
    }
    assert {name for c in told for name in c.approvers} == {"billing", "sec"}


def test_a_module_that_declares_a_stack_once_more_is_compared_with_it() -> None:
    before = {"prod": PLAIN(Side())}
    told = review(before, {**before, "evil": widened(Side(), people=MINE, file="mine.yaml")}, NOW).changes
    assert Counter(c.sort for c in told) == {
        Sort.STACK_TWICE: 1,
        Sort.SCOPES_MORE: 1,
        Sort.STACK_RENAMED: 1,
        Sort.APPROVER_CHANGED: 3,
    }
    assert {name for c in told for name in c.approvers} == {"billing", "sec"}
    both = {**before, "again": PLAIN(Side())}
    assert review(both, both, NOW).changes == ()


def test_a_new_stack_is_approved_by_the_owners_of_the_base_and_says_that_it_has_others() -> None:
    before = {"prod": PLAIN(Side())}
    side = Side()
    new = side.form(side.client("second"), identity="acme/new", people=MINE, file="mine.yaml")
    told = review(before, {**before, "new": new}, NOW).changes
    assert {name for c in told for name in c.approvers} == {"billing", "sec"}
    (other,) = [c for c in told if c.sort is Sort.APPROVER_CHANGED]
    assert (other.subject, other.risk, other.approvers) == ("mine.yaml", Risk.HIGH, ("sec",))
    assert other.message == "a new stack has owners of its own; in these security is billing-lead (was sec)"
    same = review(before, {**before, "new": replace(new, owners_file="owners.yaml")}, NOW).changes
    assert {c.subject for c in same if c.sort is Sort.APPROVER_CHANGED} == {"owner billing", "owners file"}


def test_two_owners_files_that_become_one_are_both_compared() -> None:
    own = {"identity": "acme/test", "file": "test.yaml"}
    before = {"prod": PLAIN(Side()), "test": stack(people=owners(security="billing-lead"), **own)(Side())}
    after = {"prod": PLAIN(Side()), "test": stack(**{**own, "file": "owners.yaml"})(Side())}
    told = [(c.subject, c.approvers) for c in review(before, after, NOW).changes]
    assert told == [("acme/test", ("billing-lead",)), ("owners file", ("billing-lead",))]


def test_a_target_under_a_new_name_shows_where_it_is_and_needs_security() -> None:
    before = PLAIN(Side())
    evil = replace(before.ports["target corp"], settings={"name": "corp-2", "url": "https://evil.example"})
    (told,) = compared(before, replace(before, ports={**before.ports, "target corp-2": evil})).changes
    assert (told.sort, told.risk, told.approvers) == (Sort.PORT_ADDED, Risk.HIGH, ("sec",))
    assert "url=https://evil.example: whoever answers there gets the credentials" in told.message


def test_a_longer_entry_before_a_shorter_one_for_the_same_name_is_told() -> None:
    def entries(*days: date) -> Make:
        return lambda side: side.form(side.client(), allowed=[side.allowed(until=day) for day in days])

    (told,) = changes(entries(DAY), entries(LATER, DAY))
    assert (told.sort, told.until) == (Sort.ALLOWED, LATER)


def test_files_that_jobs_run_are_told_by_kind_and_given_to_security() -> None:
    side = {"prod": PLAIN(Side())}
    paths = ["hvac.py", ".github/workflows/apply.yml", "CODEOWNERS", ".keysteward/revoked/x.json", "stacks/prod.py"]
    changed = [ChangedFile(path) for path in (*paths, ".keysteward/stacks.prod.json", "README.md", "owners.yaml")]
    told = review(side, side, NOW, changed).changes
    assert {c.approvers for c in told} == {("sec",)}
    assert Counter((c.sort, c.risk) for c in told) == {
        (Sort.RUN_BY_JOBS, Risk.HIGH): 2,
        (Sort.RECORD_COMMITTED, Risk.HIGH): 1,
        (Sort.CARD_CHANGED, Risk.MEDIUM): 1,
        (Sort.STACK_PROGRAM, Risk.MEDIUM): 1,
    }
    assert not any(path in c.message for c in told for path in ("README.md", "owners.yaml"))


def test_files_need_security_where_no_stack_says_who_that_is() -> None:
    (told,) = review({}, {}, NOW, [ChangedFile("hvac.py", "added")]).changes
    assert told.approvers == ("security",)


def test_files_of_two_owners_files_are_approved_by_security_of_both() -> None:
    test = stack(identity="acme/test", file="test.yaml", people=owners(security="orders"))(Side())
    side = {"prod": PLAIN(Side()), "test": test}
    (told,) = review(side, side, NOW, [ChangedFile("hvac.py", "added")]).changes
    assert told.approvers == ("sec", "orders")


def test_a_flood_of_files_is_one_line() -> None:
    many = [ChangedFile(f"tools/m{number:03}.py", "added") for number in range(500)]
    (told,) = review({}, {}, NOW, many).changes
    assert "tools/m011.py (added) and 488 more" in told.message


def test_a_link_or_a_repository_or_an_executable_counts_wherever_it_lies_in_the_project() -> None:
    links = [
        ChangedFile("infra/yaml", "added", "infra", runs=True),
        ChangedFile("app/yaml", "added", "infra", runs=True),
    ]
    (told,) = review({}, {}, NOW, links).changes
    assert "infra/yaml (added): jobs run it" in told.message


def test_every_sort_has_a_weight_a_rule_that_exists_and_a_case_here() -> None:
    told = {sort for _, _, sort in ONE_CHANGE} | {OPPOSITES[sort] for _, _, sort in ONE_CHANGE}
    told |= {sort for _, _, sorts_ in OTHERS for sort in sorts_}
    elsewhere = {
        Sort.GRANTS,
        Sort.IDENTITY_CHANGED,
        Sort.PORT_CHANGED,
        Sort.PROBE_CHANGED,
        Sort.SAFEGUARD_LESS,
        Sort.SAFEGUARD_MORE,
        Sort.PORT_ADDED,
        Sort.STACK_ADDED,
        Sort.STACK_REMOVED,
        Sort.STACK_RENAMED,
        Sort.STACK_TWICE,
        *(Sort.RUN_BY_JOBS, Sort.STACK_PROGRAM, Sort.RECORD_COMMITTED, Sort.CARD_CHANGED),
    }
    assert set(Sort) == told | elsewhere
    assert set(WEIGHTS) == set(Sort)
    rules = {rule for weight in WEIGHTS.values() for rule in (weight.rule, weight.key_rule)} - {""}
    assert rules <= set(RULES)


def test_a_narrower_key_says_until_when_the_wider_one_stays_valid() -> None:
    wide, narrow = access("read", "write"), access("read")
    (change,) = changes(key(access=wide), key(access=narrow))
    assert (change.sort, change.risk, change.until) == (Sort.SCOPES_LESS, Risk.LOW, date(2026, 12, 8))
    assert "corp cannot change a living key" in change.message
    assert "2026-12-08 if a run applies it today" in change.message
    (change,) = changes(key(access=wide, narrow_now=True), key(access=narrow, narrow_now=True))
    assert change.until == NOW.date()
    assert "without overlap" in change.message


def test_a_narrower_client_says_what_becomes_of_its_tokens() -> None:
    (change,) = changes(
        client(access=access("read", "write"), token_lifetime="10m"),
        client(access=access("read"), token_lifetime="10m"),
    )
    assert change.until is None
    assert "tokens issued before stay valid for their lifetime (10m)" in change.message


def test_a_narrower_key_where_keys_can_change_says_nothing_of_an_overlap() -> None:
    able = replace(KEYS, immutable=())
    before, after = Side(keys=able), Side(keys=able)
    wide = before.form(before.client(), before.key(access={before.api: ["read", "write"]}))
    (change,) = compared(wide, after.form(after.client(), after.key())).changes
    assert change.until is None
    assert change.message == "access: write removed"


def test_what_moves_says_until_when_the_old_one_stays_valid() -> None:
    (change,) = changes(PLAIN, client(auth_method="client_secret"))
    assert change.until == date(2026, 12, 8)
    assert "stays valid for the overlap of 7d: until 2026-12-08" in change.message


def test_what_is_removed_says_what_that_means() -> None:
    (change,) = changes(PLAIN, lambda side: side.form())
    assert change.risk is Risk.HIGH
    assert "keysteward up --prune" in change.message
    assert "warehouse stops working at once" in change.message
    assert "declare decommission= with a date first" in change.message
    (change,) = changes(client(adopt="old"), lambda side: side.form())
    assert "nothing is deleted" in change.message


def test_what_stayed_as_it_was_found_does_so_only_while_it_is_adopted() -> None:
    (change,) = changes(client(adopt="old"), PLAIN)
    assert "the next run sets what it found at corp" in change.message


def test_an_api_key_counts_more_than_a_client_and_needs_security() -> None:
    (of_client,) = changes(client(expires=DAY), client(expires=LATER))
    (of_key,) = changes(key(expires=DAY), key(expires=LATER))
    assert (of_client.risk, of_client.approvers) == (Risk.MEDIUM, ("billing",))
    assert (of_key.risk, of_key.approvers) == (Risk.HIGH, ("billing", "sec"))
    assert of_key.rule == of_client.rule == "KS010"


def test_a_hand_over_needs_both_owners() -> None:
    (change,) = changes(PLAIN, client(owner="orders"))
    assert change.approvers == ("billing", "orders")
    (change,) = changes(KEY, key(owner="orders"))
    assert change.approvers == ("billing", "orders", "sec")


def test_who_approves_is_what_the_base_says() -> None:
    side = Side()
    mine = owners(teams={"billing": {"state": "gone", "deputy": "billing-lead"}}, security="billing-lead")
    before = side.form(side.client(), side.key())
    after = side.form(side.client(), side.key(expires=date(2028, 6, 30)), people=mine)
    of_key = next(c for c in compared(before, after).changes if c.sort is Sort.EXPIRES_LATER)
    assert of_key.approvers == ("billing", "sec")
    nobody = owners(security=None)
    told = compared(side.form(side.key(), people=nobody), side.form(people=nobody)).changes
    assert told[0].approvers == ("billing", "security")


def test_a_deputy_is_asked_for_an_owner_who_is_gone() -> None:
    side = Side()
    gone = owners(teams={"billing": {"state": "gone", "deputy": "orders"}})
    told = compared(side.form(side.client(), people=gone), side.form(side.client(expires=DAY), people=gone)).changes
    assert [c.approvers for c in told] == [("orders",)]
    alone = owners(teams={"billing": {"state": "gone"}})
    told = compared(side.form(side.client(), people=alone), side.form(side.client(expires=DAY), people=alone)).changes
    assert [c.approvers for c in told] == [("sec",)]


def test_an_owner_who_goes_says_which_credentials_that_touches() -> None:
    side = Side()
    many = [side.client(f"job-{n}") for n in range(7)]
    before = side.form(*many)
    after = side.form(*many, people=owners(teams={"billing": {"state": "gone", "deputy": "orders"}}))
    gone = next(c for c in compared(before, after).changes if c.sort is Sort.OWNER_GONE)
    assert gone.subject == "owner billing"
    assert "orders answers in their place; it touches job-0, job-1, job-2, job-3, job-4 and 2 more" in gone.message
    assert set(gone.approvers) == {"billing", "orders", "sec"}
    retired = side.form(*many, people=owners(consumers={"warehouse": {"state": "retired"}}))
    told = compared(before, retired).changes
    assert [(c.sort, c.approvers) for c in told] == [(Sort.CONSUMER_RETIRED, ("billing", "orders"))]


def test_an_owners_file_of_two_stacks_is_told_once() -> None:
    side = Side()
    before = {"a": side.form(side.client()), "b": side.form(side.client("second"), identity="acme/test")}
    gone = owners(teams={"billing": {"state": "gone"}})
    after = {
        "a": side.form(side.client(), people=gone),
        "b": side.form(side.client("second"), identity="acme/test", people=gone),
    }
    told = review(before, after, NOW)
    assert [c.sort for c in told.changes] == [Sort.OWNER_GONE]
    assert "exporter, second" in told.changes[0].message
    assert {f.rule for f in told.new} == {"KS002"}


def test_a_waiver_names_the_rule_that_it_waives() -> None:
    (change,) = changes(PLAIN, client(waivers=[waiver("KS012")]))
    assert (change.rule, change.until, change.approvers) == ("KS012", DAY, ("billing", "sec"))
    assert "approved by sec: a migration" in change.message


def test_a_level_is_told_for_every_kind_that_it_changes() -> None:
    (lowered,) = changes(stack(levels={"KS018": "warning"}), stack(levels={"KS018": "off"}))
    assert (lowered.sort, lowered.message) == (Sort.LEVEL_LOWERED, "API keys and M2M clients: off (was warning)")
    (raised,) = changes(stack(), stack(levels={"KS018": "warning"}))
    assert raised.message == "M2M clients: warning (was note)"


def test_findings_that_are_new_and_gone_are_told() -> None:
    told = compared(PLAIN(Side()), client(rotation=schedule(overlap="0s"))(Side()))
    assert [(f.rule, f.subject) for f in told.new] == [("KS013", "acme/prod/exporter")]
    assert told.gone == ()
    back = compared(client(rotation=schedule(overlap="0s"))(Side()), PLAIN(Side()))
    assert [f.rule for f in back.gone] == ["KS013"]
    assert back.new == ()


def test_a_rename_has_no_findings_of_its_own() -> None:
    before = client(rotation=schedule(overlap="0s"))
    after = client(
        name="export", previously="exporter", deliver_to=path("apps/exporter"), rotation=schedule(overlap="0s")
    )
    told = compared(before(Side()), after(Side()))
    assert [c.sort for c in told.changes] == [Sort.RENAMED]
    assert told.new == told.gone == ()
    assert told.names == {"acme/prod/export"}


FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "access": st.sets(st.sampled_from(["read", "write", "admin"])),
        "optional_access": st.sets(st.sampled_from(["read", "write", "admin"])),
        "token_lifetime": st.sampled_from(["5m", "10m", "2h"]),
        "every": st.sampled_from(["30d", "90d", "400d"]),
        "overlap": st.sampled_from(["1d", "7d", "20d"]),
        "expires": st.sampled_from([DAY, LATER]),
        "decommission": st.sampled_from([DAY, LATER]),
        "accept_gap": st.booleans(),
        "auth_method": st.sampled_from(["client_secret", "private_key_jwt"]),
        "places": st.sets(st.sampled_from(["apps/exporter", "apps/b", "apps/c"]), min_size=1),
        "owner": st.sampled_from(["billing", "orders", "billing-lead"]),
        "purpose": st.sampled_from(["One purpose of two", "Another purpose of two"]),
        "waivers": st.sets(st.sampled_from(["KS012", "KS016"])),
    },
)


def build(fields: dict[str, Any]) -> Form:
    side, given = Side(), dict(fields)
    rotation = schedule(every=given.pop("every", "90d"), overlap=given.pop("overlap", "7d"))
    made: dict[str, Any] = {"rotation": rotation, "access": {side.api: sorted(given.pop("access", {"read"}))}}
    if optional := given.pop("optional_access", None):
        made["optional_access"] = {side.api: sorted(optional)}
    if places := given.pop("places", None):
        made["deliver_to"] = [side.store.path(place) for place in sorted(places)]
    made["waivers"] = [waiver(rule) for rule in sorted(given.pop("waivers", ()))]
    return side.form(side.client(**made, **given))


@given(FIELDS)
def test_a_stack_compared_with_itself_changes_nothing(fields: dict[str, Any]) -> None:
    told = compared(build(fields), build(fields))
    assert (told.changes, told.new, told.gone, told.names) == ((), (), (), frozenset())


@given(FIELDS, FIELDS)
def test_narrowing_taken_back_is_widening(one: dict[str, Any], two: dict[str, Any]) -> None:
    forth, back = compared(build(one), build(two)), compared(build(two), build(one))
    directed = [Counter(c.sort for c in told.changes if c.sort in OPPOSITES) for told in (forth, back)]
    assert Counter(OPPOSITES[sort] for sort in directed[0].elements()) == directed[1]
    assert (set(forth.new), set(forth.gone)) == (set(back.gone), set(back.new))


@given(FIELDS, FIELDS)
def test_the_order_is_by_risk_and_total(one: dict[str, Any], two: dict[str, Any]) -> None:
    told = compared(build(one), build(two)).changes
    risks = [list(Risk).index(c.risk) for c in told]
    assert risks == sorted(risks)
    assert all(a.order < b.order for a, b in pairwise(told))
    for mixed in list(permutations(told[:4]))[:6]:
        assert tuple(sorted(mixed, key=lambda c: c.order)) == told[:4]


def test_the_day_of_a_wider_key_follows_the_overlap() -> None:
    for days in (1, 3, 30):
        rotation = schedule(overlap=timedelta(days=days))
        told = changes(key(access=access("read", "write"), rotation=rotation), key(rotation=rotation))
        assert [c.until for c in told] == [(NOW + timedelta(days=days)).date()]
