"""What an adoption left as it was found: it may become safer at any hand, and is never made wider again by ours."""

from __future__ import annotations

import dataclasses
from dataclasses import fields, replace
from datetime import timedelta

import pytest
from bench_world import STOCK, Company
from test_stories import NAME, running, stranger

from keysteward import ResourceServer
from keysteward.core.assess.examine import assess
from keysteward.core.assess.now import findings_now
from keysteward.core.contract.observed import ObservedScope, Settings
from keysteward.core.declare.spec import Summary
from keysteward.core.findings import Finding, Kind
from keysteward.core.observe.world import Extent
from keysteward.core.plan.adopt import SAFER
from keysteward.core.record.steps import Do
from keysteward.testing.memory import MemoryObject

SAFE = {"fullScopeAllowed": "false", "publicClient": "false"}
CAN = replace(STOCK, safeguards=SAFE)
KEPT = Settings(
    "client_secret",
    scopes=frozenset({"profile", "orders:write"}),
    optional_scopes=frozenset({"email"}),
    token_lifetime=3600,
    grants=frozenset({"client_credentials", "authorization_code", "implicit", "password"}),
    description="made by hand",
    safeguards={"fullScopeAllowed": "true", "publicClient": "false"},
)
"""As somebody left it, years ago."""

BY_SETTING: dict[str, tuple[dict[str, object], dict[str, object]]] = {
    "method": ({}, {}),
    "description": ({}, {"description": "renamed by hand"}),
    "scopes": (
        {"scopes": frozenset({"orders:write"})},
        {"scopes": frozenset({"profile", "orders:write", "admin"})},
    ),
    "optional_scopes": ({"optional_scopes": frozenset()}, {"optional_scopes": frozenset({"email", "admin"})}),
    "token_lifetime": ({"token_lifetime": 300}, {"token_lifetime": 86400}),
    "grants": (
        {"grants": frozenset({"client_credentials", "authorization_code"})},
        {"grants": KEPT.grants | {"urn:ietf:params:oauth:grant-type:device_code"}},
    ),
    "safeguards": (
        {"safeguards": {"fullScopeAllowed": "false", "publicClient": "false"}},
        {"safeguards": {"fullScopeAllowed": "true", "publicClient": "true"}},
    ),
}
"""Of each setting a change that is safer, and one that is not; {} where there is none."""

OTHERS: dict[str, dict[str, object]] = {
    "given on request only": {
        "scopes": frozenset({"orders:write"}),
        "optional_scopes": frozenset({"email", "profile"}),
    },
    "password alone": {"grants": KEPT.grants - {"password"}},
    "implicit alone": {"grants": KEPT.grants - {"implicit"}},
    "login alone": {"grants": KEPT.grants - {"authorization_code"}},
    "all scopes": {"scopes": frozenset(), "optional_scopes": frozenset()},
}
HARDER = {name: safer for name, (safer, _) in BY_SETTING.items() if safer} | OTHERS
WIDER = {name: wider for name, (_, wider) in BY_SETTING.items() if wider}


def adopted(kept: Settings = KEPT, extent: Extent = Extent.ALL, **fields: object) -> Company:
    made = Company(CAN)
    item = stranger(made, "billing")
    item.settings = kept
    given = {"accept_gap": True, "retire_adopted": True, "adopt": "billing", **fields}
    made.declare(made.client(**given))
    made.up()
    assert item.settings == kept, "an adoption writes its mark alone"
    made.up()
    made.extent = extent
    return made


def client(made: Company) -> MemoryObject:
    return next(iter(made.target.objects.values()))


def changed(made: Company) -> list[Finding]:
    world = made.reconciler().snapshot.world(NAME, made.specs[NAME])
    return [f for f in findings_now(world, assess(world)) if f.kind is Kind.CHANGED]


def test_every_setting_has_a_safer_direction_or_says_that_it_has_none() -> None:
    names = {field.name for field in dataclasses.fields(Settings)}
    assert set(SAFER) == names
    assert set(BY_SETTING) == names


@pytest.mark.parametrize("extent", [Extent.ALL, Extent.LIFECYCLE])
@pytest.mark.parametrize("how", HARDER)
def test_what_somebody_made_safer_is_taken_over_and_never_undone(how: str, extent: Extent) -> None:
    made = adopted(extent=extent)
    hard = replace(KEPT, **HARDER[how])  # type: ignore[arg-type]
    client(made).settings = hard
    assert changed(made) == [], "nobody is asked to undo it"
    assert made.words().startswith("keep client billing as it was made safer: ")
    assert not any(step.widens for step in made.preview()[NAME].steps)
    assert [step.do for step in made.up()[NAME].done] == [Do.KEEP]
    assert client(made).settings == hard
    assert made.ledger().objects[0].kept == hard
    assert made.words() == ""
    made.pass_time(days=91)
    made.up()
    assert client(made).settings == hard


@pytest.mark.parametrize("how", HARDER)
def test_what_was_made_safer_and_is_widened_again_is_drift_and_undone(how: str) -> None:
    made = adopted()
    hard = replace(KEPT, **HARDER[how])  # type: ignore[arg-type]
    client(made).settings = hard
    made.up()
    client(made).settings = KEPT
    assert len(changed(made)) == 1
    made.up()
    assert client(made).settings == hard


@pytest.mark.parametrize("how", WIDER)
def test_what_was_made_wider_than_it_was_found_is_drift_and_undone(how: str) -> None:
    made = adopted()
    client(made).settings = replace(KEPT, **WIDER[how])  # type: ignore[arg-type]
    assert len(changed(made)) == 1
    made.up()
    assert client(made).settings == KEPT


def test_one_thing_made_safer_and_another_wider_is_taken_over_and_undone() -> None:
    made = adopted()
    client(made).settings = replace(KEPT, grants=frozenset({"client_credentials"}), token_lifetime=86400)
    made.up()
    assert client(made).settings == replace(KEPT, grants=frozenset({"client_credentials"}))


@pytest.mark.parametrize(("seconds", "left"), [(300, 300), (86400, None)])
def test_a_lifetime_given_where_there_was_none_stays_when_it_is_short(seconds: int, left: int | None) -> None:
    made = adopted(replace(KEPT, token_lifetime=None))
    client(made).settings = replace(KEPT, token_lifetime=seconds)
    made.up()
    assert client(made).settings.token_lifetime == left


def test_what_is_declared_is_written_whatever_was_kept() -> None:
    made = adopted(token_lifetime="30m")
    assert client(made).settings.token_lifetime == 1800
    client(made).settings = replace(client(made).settings, token_lifetime=60, grants=frozenset({"password"}))
    made.up()
    assert client(made).settings.token_lifetime == 1800
    assert client(made).settings.grants == {"client_credentials", "password"}


def test_a_scope_that_is_declared_comes_back_and_one_of_others_does_not() -> None:
    made = Company(CAN)
    server = ResourceServer("orders", target=made.target, audience="https://orders", scopes={"orders:write": "Write"})
    made.target.scopes["orders:write"] = ObservedScope("s1", "orders:write", "Write", "https://orders")
    item = stranger(made, "billing")
    item.settings = KEPT
    made.declare(made.client(accept_gap=True, adopt="billing", access={server: ["orders:write"]}))
    made.up()
    item.settings = replace(KEPT, scopes=frozenset())
    made.up()
    assert item.settings.scopes == {"orders:write"}


def test_the_second_of_two_clients_gets_no_more_than_the_first_has_now() -> None:
    made = adopted(accept_gap=False, alternate_clients=True)
    first = client(made)
    first.settings = replace(KEPT, scopes=frozenset({"orders:write"}), token_lifetime=300)
    made.clock.advance(timedelta(days=91))
    made.up()
    [second] = [item for item in made.target.objects.values() if item is not first]
    assert second.settings.scopes == {"orders:write"}
    assert second.settings.token_lifetime == 300


@pytest.mark.parametrize("name", [f.name for f in fields(Summary)])
def test_whatever_a_ledger_keeps_of_a_declaration_is_recorded_anew_when_it_changes(name: str) -> None:
    made = running()
    spec = made.specs[NAME]
    assert spec.is_kept_as(spec.about)
    changed = {"adopted": not spec.about.adopted, "decommission": made.clock.now}.get(name, "another")
    assert not spec.is_kept_as(replace(spec.about, **{name: changed}))
    assert not spec.is_kept_as(None)
