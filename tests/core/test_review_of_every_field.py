"""Whatever can be declared is told when it changes: every field of every class, and every option of every port.

The fields are asked of the classes, so that one that is added later fails here until the review tells of it.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from datetime import date
from typing import Any

import pytest
from pydantic import BaseModel
from review_sides import CLIENTS, KEYS, OWNERS, Side, compared, exception, owners, schedule, transitional, waiver

import keysteward
import keysteward.providers
from keysteward.core.declare.credentials import (
    Allowed,
    ApiKey,
    Bootstrap,
    ClientSecret,
    Governed,
    M2MClient,
    ManualKey,
    PermanentException,
    ResourceServer,
    RotationSchedule,
    Transitional,
    Waiver,
)
from keysteward.core.declare.delivery import Delivery, Webhook
from keysteward.core.declare.owners import Consumer, Owner, Owners
from keysteward.core.declare.stack import Limit, Stack
from keysteward.core.review.form import Form, port_form
from keysteward.providers.aws import ApiGateway, Cognito, DynamoLedgers, Iam, SecretsManager
from keysteward.providers.keycloak import Keycloak
from keysteward.providers.kit.adapter import Adapter
from keysteward.providers.local import LocalLedgers, LocalStore
from keysteward.providers.manual import Manual, Probe
from keysteward.providers.vault import Vault, VaultLedgers
from keysteward.providers.workos import WorkOS

DAY, LATER = date(2027, 3, 1), date(2027, 9, 1)

Make = Callable[[Side], Form]
Pair = tuple[Make, Make]

ONE_AT_A_TIME = replace(CLIENTS, secrets=1, keys=1, native_slot=True)


def given(value: Any, side: Side) -> Any:  # noqa: ANN401 - the value of any field
    """Return a value, made on its side where it needs that side's targets and stores."""
    return value(side) if inspect.isfunction(value) else value


def declared(kind: str, **fixed: object) -> Callable[..., Pair]:
    """Return what declares one thing of a kind twice, one field apart."""

    def pair(field: str, before: object, after: object) -> Pair:
        def side_with(value: object) -> Make:
            def make(side: Side) -> Form:
                wanted = {**fixed, field: value} if value is not None else fixed
                return placed(side, kind, {name: given(one, side) for name, one in wanted.items()})

            return make

        return side_with(before), side_with(after)

    return pair


def placed(side: Side, kind: str, wanted: Mapping[str, Any]) -> Form:
    if kind == "allowed":
        return side.form(side.client(), allowed=[side.allowed(**wanted)])
    if kind == "api":
        fixed = {"target": side.corp, "audience": "https://new.example.com", "scopes": {"new:read": "Read"}}
        return side.form(side.client(), ResourceServer(**{"name": "new", **fixed, **wanted}))
    if kind == "manual":
        fixed = {"name": "crm", "expires": DAY, "classification": exception()}
        return side.form(side.client("other"), ManualKey(**{**side.fields("crm"), **fixed, **wanted}))
    if kind == "key":
        return side.form(side.client("other"), side.client("exporter"), side.key(**wanted))
    makes = {"client": side.client, "secret": side.secret, "governed": side.governed}
    named = wanted.get("name")
    if named is not None and kind in {"secret", "governed"}:
        found = makes[kind](**{name: one for name, one in wanted.items() if name != "name"})
        return side.form(side.client("other"), replace(found, name=named))
    return side.form(side.client("other"), makes[kind](**wanted))


def path(*names: str, **more: object) -> Callable[[Side], Any]:
    return lambda side: [side.store.path(name, **more) for name in names]


def scopes(*names: str) -> Callable[[Side], Any]:
    return lambda side: {side.api: list(names)}


CREDENTIAL: dict[str, tuple[object, object]] = {
    "name": ("exporter", "export"),
    "owner": ("billing", "orders"),
    "purpose": ("Nightly export of invoices", "Nightly export of orders"),
    "rotation": (schedule(), schedule(every="30d")),
    "deliver_to": (path("apps/a"), path("apps/a", "apps/b")),
    "environment": ("production", "staging"),
    "consumer": ("warehouse", "mailer"),
    "runbook": (None, "https://run.example.com"),
    "reviewed": (None, DAY),
    "expires": (DAY, LATER),
    "decommission": (DAY, LATER),
    "previously": (None, ["older"]),
    "retire_adopted": (True, False),
    "accept_gap": (True, False),
    "waivers": ([], [waiver()]),
}
CLIENT_FIELDS: dict[str, tuple[object, object]] = {
    **CREDENTIAL,
    "target": (lambda side: side.corp, lambda side: side.other),
    "access": (scopes("read"), scopes("read", "write")),
    "optional_access": (scopes(), scopes("write")),
    "auth_method": ("client_secret", "private_key_jwt"),
    "token_lifetime": ("10m", "20m"),
    "client_id": ("one", "two"),
    "adopt": ("one", "two"),
    "alternate_clients": (True, False),
}
KEY_FIELDS: dict[str, tuple[object, object]] = {
    **CREDENTIAL,
    "target": (lambda side: side.corp, lambda side: side.other),
    "holder": ("org-1", "org-2"),
    "classification": (exception(), transitional()),
    "access": (scopes("read"), scopes("read", "write")),
    "narrow_now": (True, False),
    "proven_by": (None, lambda _side: Manual("crm", probe=Probe("https://crm.example.com/me"))),
    "adopt": (None, "key-1"),
}
MANUAL = "manual"


def manual_target(name: str) -> Callable[[Side], Any]:
    return lambda _side: Manual(name, probe=Probe("https://crm.example.com/me"))


def changes_of(kind: str, table: Mapping[str, tuple[object, object]], **fixed: object) -> dict[str, Pair]:
    return {name: declared(kind, **fixed)(name, *values) for name, values in table.items()}


def nested(
    kind: str, field: str, make: Callable[..., object], table: Mapping[str, tuple[object, object]]
) -> dict[str, Pair]:
    """Return pairs in which one field of a value in a field differs."""
    return {
        name: declared(kind)(field, *(make(**{name: value} if value is not None else {}) for value in values))
        for name, values in table.items()
    }


def delivered(*, store: str = "store", path: str = "apps/a", **more: Any) -> Callable[[Side], Any]:  # noqa: ANN401
    return lambda side: Delivery(getattr(side, store), path, **more)


def called(**more: str) -> Callable[[Side], Any]:
    hook = {"url": "https://app.example.com/reload", "key": "env:RELOAD", **more}
    return lambda side: side.store.path("apps/a", webhook=Webhook(**hook))


def stacked(field: str, before: object, after: object) -> Pair:
    def side_with(value: object) -> Make:
        return lambda side: side.form(side.client(), **{field: given(value, side)})

    return side_with(before), side_with(after)


def listed_with(**entry: object) -> Owners:
    return owners(people={"lead": {"contact": "lead@example.com", **entry}})


def used_by(**entry: object) -> Owners:
    return owners(consumers={"shop": {"contact": "shop@example.com", **entry}})


def people(before: Owners, after: Owners) -> Pair:
    return stacked("people", before, after)


TABLES: dict[type, dict[str, Pair]] = {
    M2MClient: {
        **changes_of("client", CLIENT_FIELDS),
        "target": declared("client", access=lambda _side: {})("target", *CLIENT_FIELDS["target"]),
        "alternate_clients": declared("client", auth_method="client_secret")("alternate_clients", True, False),
    },
    ClientSecret: changes_of(
        "secret",
        {
            **CREDENTIAL,
            "target": CLIENT_FIELDS["target"],
            "client": ("web", "web-2"),
            "auth_method": CLIENT_FIELDS["auth_method"],
        },
    )
    | {"accept_gap": declared("secret", rotation=schedule(overlap="0s"))("accept_gap", True, False)},
    ApiKey: {
        **changes_of("key", KEY_FIELDS),
        "target": declared("key", access=lambda _side: {})("target", *KEY_FIELDS["target"]),
        "classification": declared("key")("classification", exception(), Bootstrap(exchanged_for="a role")),
        "name": declared("key")("name", "partner", "partner-2"),
    },
    ManualKey: changes_of(
        MANUAL,
        {
            **CREDENTIAL,
            "target": (manual_target("crm-1"), manual_target("crm-2")),
            "classification": (exception(), Bootstrap(exchanged_for="a role")),
        },
        target=manual_target("crm-1"),
    ),
    RotationSchedule: nested(
        "key",
        "rotation",
        schedule,
        {
            "every": ("90d", "60d"),
            "overlap": ("7d", "5d"),
            "windows": (None, "Sun 02:00-04:00 UTC"),
            "retire_when_unused_for": (None, "14d"),
            "report_after": ("30d", "60d"),
        },
    ),
    ResourceServer: changes_of(
        "api",
        {
            "name": ("new", "newer"),
            "target": (lambda side: side.corp, lambda side: side.other),
            "audience": ("https://one.example.com", "https://two.example.com"),
            "scopes": ({"new:read": "Read"}, {"new:read": "Read all"}),
            "adopt": (True, False),
            "previously": ("older", "oldest"),
        },
    ),
    Waiver: {
        name: declared("client")("waivers", [waiver()], [waiver(**{name: value})])
        for name, value in {"rule": "KS016", "reason": "another", "approved_by": "orders", "until": LATER}.items()
    },
    Transitional: nested(
        "key",
        "classification",
        transitional,
        {"migrate_to": ("other", "exporter"), "by": (DAY, LATER), "retire_when_silent_for": (None, "7d")},
    ),
    PermanentException: nested(
        "key",
        "classification",
        exception,
        {"justification": ("one", "two"), "risk_accepted_by": ("sec", "orders"), "review_by": (DAY, LATER)},
    ),
    Bootstrap: nested("key", "classification", Bootstrap, {"exchanged_for": ("a role", "a token")}),
    Delivery: {
        name: declared("client")("deliver_to", delivered(), delivered(**{name: value}))
        for name, value in {
            "store": "second",
            "path": "apps/b",
            "fields": {"client_id": "ID"},
            "take_over": True,
            "webhook": Webhook("https://app.example.com/reload", "env:RELOAD"),
        }.items()
    },
    Webhook: {
        name: declared("client")("deliver_to", called(), called(**{name: value}))
        for name, value in {"url": "https://evil.example.com", "key": "env:OTHER"}.items()
    },
    Governed: changes_of(
        "governed",
        {
            "name": ("customers", "partners"),
            "target": (lambda side: side.corp, lambda side: side.other),
            "owner": ("billing", "orders"),
            "purpose": ("Keys of our customers", "Keys of our partners"),
            "holders": ("org-*", "org-1"),
            "holder_kind": (None, "user"),
            "keys": ("a*", "b*"),
            "ceiling": (scopes("read"), scopes("read", "write")),
            "max_age": (None, "90d"),
            "max_count": (None, 3),
        },
    ),
    Allowed: changes_of(
        "allowed",
        {
            "names": ("a*", "b*"),
            "target": (lambda side: side.corp, lambda side: side.other),
            "owner": ("billing", "orders"),
            "reason": ("being moved", "being mended"),
            "until": (DAY, LATER),
        },
    ),
    Limit: {name: stacked("limit", Limit(), Limit(**{name: 7})) for name in ("count", "share")},
    Stack: {
        "identity": stacked("identity", "acme/prod", "acme/live"),
        "owners": stacked("people", owners(), owners(security="billing")),
        "declarations": (
            lambda side: side.form(side.client()),
            lambda side: side.form(side.client(), side.client("second")),
        ),
        "ledgers": stacked("ledgers", "ledgers", "elsewhere"),
        "rules": stacked("own_rules", {}, {"ours": "1"}),
        "limit": stacked("limit", Limit(), Limit(count=7)),
        "levels": stacked("levels", {}, {"KS016": "off"}),
        "allowed": stacked("allowed", (), lambda side: [side.allowed()]),
        "heartbeat": stacked("heartbeat", "7d", "30d"),
        "beside": stacked("beside", [], ["acme/lab"]),
        "watched": stacked("watched", (), lambda side: [side.corp]),
    },
    Owner: {
        "contact": people(listed_with(), listed_with(contact="elsewhere@example.com")),
        "state": people(listed_with(), listed_with(state="gone")),
        "leaves": people(
            listed_with(state="leaving", leaves="2027-03-01"), listed_with(state="leaving", leaves="2027-09-01")
        ),
        "deputy": people(listed_with(), listed_with(deputy="sec")),
        "forge": people(listed_with(), listed_with(forge="@mallory")),
    },
    Consumer: {
        "contact": people(used_by(), used_by(contact="elsewhere@example.com")),
        "kind": people(used_by(), used_by(kind="partner")),
        "owner": people(used_by(), used_by(owner="sec")),
        "state": people(used_by(), used_by(state="retired")),
        "retires": people(
            used_by(state="retiring", retires="2027-03-01"), used_by(state="retiring", retires="2027-09-01")
        ),
    },
    Owners: {
        "teams": people(owners(), owners(teams={"new": {"contact": "n@example.com"}})),
        "people": people(owners(), owners(people={"new": {"contact": "n@example.com"}})),
        "consumers": people(owners(), owners(consumers={"new": {"contact": "n@example.com"}})),
        "unassigned_until": people(owners(), owners(unassigned_until="2027-06-01")),
        "security": people(owners(), owners(security="orders")),
    },
}


def names_of(cls: type) -> set[str]:
    return set(cls.model_fields) if issubclass(cls, BaseModel) else {field.name for field in fields(cls)}


def cases() -> Iterator[Any]:
    for cls, table in TABLES.items():
        for name, pair in table.items():
            yield pytest.param(*pair, id=f"{cls.__name__}.{name}")


def side_for(name: str) -> Side:
    """Return a side whose target can do what a field is for."""
    one = name.endswith((".alternate_clients", ".accept_gap"))
    return Side(ONE_AT_A_TIME if one else CLIENTS, KEYS)


@pytest.mark.parametrize("cls", TABLES, ids=lambda cls: cls.__name__)
def test_no_field_is_missing_here(cls: type) -> None:
    assert names_of(cls) == set(TABLES[cls])


def test_no_class_of_a_declaration_is_missing_here() -> None:
    written = {getattr(keysteward, name) for name in keysteward.__all__}
    classes = {one for one in written if isinstance(one, type) and not issubclass(one, Exception)}
    assert classes == set(TABLES)
    assert set(OWNERS) <= names_of(Owners)


@pytest.mark.parametrize(("before", "after"), list(cases()))
def test_every_field_is_told_when_it_changes(before: Make, after: Make, request: pytest.FixtureRequest) -> None:
    name = request.node.callspec.id
    old, new = before(side_for(name)), after(side_for(name))
    assert compared(old, new).changes, f"{name} can be changed in silence"
    assert compared(new, old).changes, f"{name} can be changed back in silence"
    assert compared(old, old).changes == compared(new, new).changes == ()


ACCESS = {"admin": ("env:ADMIN", "env:OTHER"), "reader": ("env:READER", "env:OTHER")}
SERVED = {"environments": (("production",), ("staging",))}
AWS = {**ACCESS, "region": ("eu-central-1", "eu-west-1"), "endpoint_url": ("http://127.0.0.1:1", "http://127.0.0.1:2")}
VAULT = {
    **ACCESS,
    "url": ("https://one.example.com", "https://two.example.com"),
    "mount": ("secret", "kv"),
    "auth": ("jwt", "approle"),
    "auth_mount": ("one", "two"),
    "role": ("one", "two"),
    "namespace": ("one", "two"),
    "ca": ("one.pem", "two.pem"),
    "allow_http": (False, True),
}
PORTS: dict[type, dict[str, tuple[object, object]]] = {
    Keycloak: {
        **ACCESS,
        **SERVED,
        "url": VAULT["url"],
        "realm": ("one", "two"),
        "secret_rotation": (False, True),
        "ca": VAULT["ca"],
        "allow_http": (False, True),
    },
    WorkOS: {
        **ACCESS,
        **SERVED,
        "authkit_domain": ("one.authkit.app", "two.authkit.app"),
        "client_id": ("client_1", "client_2"),
        "organization": ("org_1", "org_2"),
        "user_keys": (False, True),
        "url": VAULT["url"],
        "ca": VAULT["ca"],
    },
    Iam: {**AWS, **SERVED, "users": (("a*",), ("b*",)), "path_prefix": ("/a/", "/b/")},
    Cognito: {
        **ACCESS,
        **SERVED,
        "user_pool": ("eu-central-1_Ab12Cd34E", "eu-central-1_Ab12Cd34F"),
        "domain": ("one", "two"),
        "endpoint_url": AWS["endpoint_url"],
    },
    ApiGateway: {**AWS, **SERVED},
    Manual: {
        **SERVED,
        "probe": (Probe("https://one.example.com/me"), Probe("https://two.example.com/me")),
        "ca": VAULT["ca"],
    },
    Vault: {**VAULT, "staging": ("one", "two")},
    VaultLedgers: {**VAULT, "prefix": ("one", "two")},
    SecretsManager: {
        **AWS,
        "kms_key": ("alias/one", "alias/two"),
        "staging_kms_key": ("alias/one", "alias/two"),
        "staging": ("one", "two"),
        "recovery_days": (7, 30),
    },
    DynamoLedgers: {**AWS, "table": ("one", "two"), "partition": ("one", "two")},
    LocalStore: {"root": ("one", "two"), "key": ("one", "two")},
    LocalLedgers: {"path": ("one", "two")},
}
PROBE: dict[str, tuple[object, object]] = {
    "url": VAULT["url"],
    "method": ("GET", "HEAD"),
    "header": ("X-One: {value}", "X-Two: {value}"),
    "basic": ("one:{value}", "two:{value}"),
    "body": ('{"one": "{value}"}', '{"two": "{value}"}'),
    "content_type": ("application/json", "application/x-www-form-urlencoded"),
    "headers": ({"Version": "1"}, {"Version": "2"}),
    "ok": ((200,), (204,)),
    "refused": ((401,), (403,)),
}
NO_CHANGE_OF_A_PORT = {
    "name": "the port then has another name, and is told as added",
    "reading": "whether it is used with the reader's credential: the command says so, and no declaration",
    "clock": "the clock of a test",
}


@pytest.mark.parametrize("cls", PORTS, ids=lambda cls: cls.__name__)
def test_no_option_of_a_port_is_missing_here(cls: type) -> None:
    options = set(inspect.signature(cls).parameters)
    assert options - set(NO_CHANGE_OF_A_PORT) == set(PORTS[cls])


def test_no_port_is_missing_here() -> None:
    found = set()
    for module in pkgutil.walk_packages(keysteward.providers.__path__, "keysteward.providers."):
        named = vars(importlib.import_module(module.name)).values()
        found |= {one for one in named if isinstance(one, type) and hasattr(one, "descriptor")}
    bases = {one for one in found if issubclass(one, Adapter) and not is_dataclass(one)}
    assert {one for one in found - bases if not getattr(one, "_is_protocol", False)} == set(PORTS)
    assert names_of(Probe) == set(PROBE)


@pytest.mark.parametrize(("cls", "option"), [(cls, option) for cls, table in PORTS.items() for option in table])
def test_every_option_of_a_port_is_told_when_it_changes(cls: type, option: str) -> None:
    first = {name: values[0] for name, values in PORTS[cls].items()}
    made = [cls("corp", **{**first, option: value}) for value in PORTS[cls][option]]
    told_of(*made)


@pytest.mark.parametrize("option", PROBE)
def test_every_part_of_a_probe_is_told_when_it_changes(option: str) -> None:
    carries = {"content_type": {"method": "POST", "body": PROBE["body"][0]}, "body": {"method": "POST"}}
    fixed = {"url": "https://crm.example.com/me", **carries.get(option, {})}
    if option == "content_type":
        fixed["body"] = "a={value}"
    told_of(*(Manual("crm", probe=Probe(**{**fixed, option: value})) for value in PROBE[option]))


def told_of(before: Any, after: Any) -> None:  # noqa: ANN401 - a target or a store
    side = Side()
    form = side.form(side.client())
    old, new = (replace(form, ports={"target corp": port_form(one.descriptor)}) for one in (before, after))
    assert [str(change.sort) for change in compared(old, new).changes] == ["target or store changed"]
    assert compared(old, old).changes == ()
