"""A folder of YAML files declares what Python does; what is wrong in it is said with file, line and field."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from bench_world import MINTING, NAMED_KEYS, Company
from hypothesis import given
from hypothesis import strategies as st

from keysteward import (
    Allowed,
    ApiKey,
    ClientSecret,
    Governed,
    M2MClient,
    ManualKey,
    Owners,
    ResourceServer,
    RotationSchedule,
    Stack,
    Transitional,
    Waiver,
    Webhook,
)
from keysteward.core.errors import DeclarationError
from keysteward.core.policy.check import check
from keysteward.host import strict_yaml
from keysteward.host.strict_yaml import LARGEST_FILE, read_text
from keysteward.modules.catalog import Catalog, catalog
from keysteward.modules.catalog_form import FORMS, KINDS
from keysteward.providers.manual import Manual, Probe
from keysteward.testing.memory import MemoryLedgers

OWNERS = Owners.model_validate({"teams": {"team-billing": {"contact": "b@example.com"}}})
CRM = Manual("crm", probe=Probe("https://api.crm.example.com/v1/me"))

BILLING = """\
# Billing: what the invoices need
defaults:
  target: idp
  owner: team-billing
  rotation: {every: 90d, overlap: 7d}
  deliver_to: "store:apps/{name}"

resource_servers:
  billing-api:
    audience: https://billing.example.com
    scopes: {"invoices:read": Read invoices, "invoices:write": Create invoices}

m2m_clients:
  billing-exporter:
    purpose: Nightly invoice export
    consumer: warehouse-etl
    access: {billing-api: ["invoices:read"], orders: "orders:read"}
    token_lifetime: 10m
    reviewed: 2026-11-30
    waivers:
      - {rule: KS016, reason: A migration is under way, approved_by: security, until: 2027-01-31}
"""

KEYS = """\
client_secrets:
  shop:
    target: idp
    client: web-shop
    owner: team-billing
    purpose: Logs customers in
    environment: production
    rotation: {every: 180d}
    deliver_to:
      - store:apps/shop
      - store: store
        path: legacy/shop
        fields: {client_secret: SHOP_SECRET}
        take_over: true
        webhook: {url: "https://shop.example.com/reload", key: "env:RELOAD"}
api_keys:
  partner:
    target: idp
    holder: org-1
    owner: team-billing
    purpose: Order status for a partner
    expires: 2027-12-31
    classification: {transitional: {migrate_to: billing-exporter, by: 2027-01-31}}
    access: {billing-api: ["invoices:read"]}
    rotation: {every: 60d, overlap: 7d}
    deliver_to: store:partners/one
manual_keys:
  crm-sync:
    target: crm
    owner: team-billing
    purpose: Copies customers every night
    expires: 2027-06-30
    rotation: {every: 90d}
    deliver_to: store:apps/crm
governed:
  customers:
    target: idp
    owner: team-billing
    purpose: Keys that customers make
    holders: "org-*"
    ceiling: {billing-api: ["invoices:read"]}
    max_age: 365d
    max_count: 3
allowed:
  old-jobs:
    target: idp
    names: ["job-*"]
    owner: team-billing
    reason: Ends with the old platform
    until: 2027-03-31
"""


@pytest.fixture
def company() -> Company:
    return Company(replace(MINTING, last_use="secret"), keys=NAMED_KEYS)


@pytest.fixture
def load(company: Company, tmp_path: Path) -> Callable[..., Catalog]:
    """Write files and read their folder as a stack does."""
    orders = ResourceServer("orders", target=company.target, audience="https://o", scopes={"orders:read": "Read"})

    def read(**files: str) -> Catalog:
        for name, text in files.items():
            path = tmp_path / "stacks" / "prod" / f"{name.replace('__', '/')}.yaml"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        given: dict[str, Any] = {"targets": [company.target, CRM], "stores": [company.store], "servers": [orders]}
        return catalog("stacks/prod", root=tmp_path, **given)

    return read


def test_a_folder_declares_what_python_does(load: Callable[..., Catalog], company: Company) -> None:
    made = load(billing=BILLING, deeper__keys=KEYS)
    orders = ResourceServer("orders", target=company.target, audience="https://o", scopes={"orders:read": "Read"})
    api = ResourceServer(
        "billing-api",
        target=company.target,
        audience="https://billing.example.com",
        scopes={"invoices:read": "Read invoices", "invoices:write": "Create invoices"},
    )
    common: dict[str, Any] = {"target": company.target, "owner": "team-billing"}
    exporter = M2MClient(
        "billing-exporter",
        purpose="Nightly invoice export",
        consumer="warehouse-etl",
        access={api: ["invoices:read"], orders: "orders:read"},
        token_lifetime="10m",
        reviewed=date(2026, 11, 30),
        rotation=RotationSchedule(every="90d", overlap="7d"),
        deliver_to=company.store.path("apps/billing-exporter"),
        waivers=[
            Waiver("KS016", reason="A migration is under way", approved_by="security", until=date(2027, 1, 31)),
        ],
        **common,
    )
    shop = ClientSecret(
        "shop",
        client="web-shop",
        purpose="Logs customers in",
        rotation=RotationSchedule(every="180d"),
        deliver_to=[
            company.store.path("apps/shop"),
            company.store.path(
                "legacy/shop",
                fields={"client_secret": "SHOP_SECRET"},
                take_over=True,
                webhook=Webhook("https://shop.example.com/reload", "env:RELOAD"),
            ),
        ],
        **common,
    )
    partner = ApiKey(
        "partner",
        holder="org-1",
        purpose="Order status for a partner",
        expires=date(2027, 12, 31),
        classification=Transitional(migrate_to="billing-exporter", by=date(2027, 1, 31)),
        access={api: ["invoices:read"]},
        rotation=RotationSchedule(every="60d", overlap="7d"),
        deliver_to=company.store.path("partners/one"),
        **common,
    )
    crm = ManualKey(
        "crm-sync",
        purpose="Copies customers every night",
        expires=date(2027, 6, 30),
        rotation=RotationSchedule(every="90d"),
        deliver_to=company.store.path("apps/crm"),
        **{**common, "target": CRM},
    )
    governed = Governed(
        "customers",
        purpose="Keys that customers make",
        holders="org-*",
        ceiling={api: ["invoices:read"]},
        max_age="365d",
        max_count=3,
        **common,
    )
    assert [*made] == [api, exporter, shop, partner, crm, governed]
    assert made.allowed == (Allowed(["job-*"], reason="Ends with the old platform", until=date(2027, 3, 31), **common),)
    stack = Stack("acme/test", OWNERS, MemoryLedgers("ledgers", company.clock), [orders, *made], allowed=made.allowed)
    check(stack, OWNERS, datetime(2026, 12, 1, tzinfo=UTC))
    spec = stack.specs["acme/test/billing-exporter"]
    assert (spec.every, spec.scopes) == (timedelta(days=90), frozenset({"invoices:read", "orders:read"}))


def test_defaults_are_a_files_own_and_what_an_entry_says_outranks_them(load: Callable[..., Catalog]) -> None:
    more = "m2m_clients:\n  other:\n    owner: team-billing\n"
    with pytest.raises(DeclarationError) as wrong:
        load(billing=BILLING, more=more)
    assert wrong.value.message.splitlines() == [
        f"stacks/prod/more.yaml, line 2: m2m_clients.other: {field}: is required"
        for field in ("target", "purpose", "rotation", "deliver_to")
    ]
    more = "defaults: {environment: test}\n" + KEYS
    made = {d.name: d for d in load(billing=BILLING, more=more)}
    assert isinstance(made["shop"], ClientSecret)
    assert isinstance(made["partner"], ApiKey)
    assert (made["shop"].environment, made["partner"].environment) == ("production", "test")


def broken(old: str, new: str) -> str:
    assert old in BILLING
    return BILLING.replace(old, new)


WRONG: dict[str, tuple[str, str]] = {
    "a wrong field": (
        broken("    consumer:", "    consumr:"),
        "line 16: m2m_clients.billing-exporter: consumr: is not a field here; did you mean consumer?",
    ),
    "a wrong field far down": (
        broken("approved_by: security", "approver: security"),
        "line 21: m2m_clients.billing-exporter: waivers.approver: is not a field here; remove or correct it",
    ),
    "a wrong section": (
        broken("m2m_clients:", "m2m_client:"),
        "line 13: m2m_client: is no section of a catalog; did you mean m2m_clients?",
    ),
    "a missing field": (
        broken("    purpose: Nightly invoice export\n", ""),
        "line 14: m2m_clients.billing-exporter: purpose: is required",
    ),
    "an empty field": (
        broken("Nightly invoice export", '" "'),
        "line 15: m2m_clients.billing-exporter: purpose: must not be empty",
    ),
    "a field without value": (
        broken("consumer: warehouse-etl", "consumer:"),
        "line 16: m2m_clients.billing-exporter: consumer: must be text; put it in quotes",
    ),
    "a number for text": (
        broken("consumer: warehouse-etl", "consumer: 0x10"),
        "line 16: m2m_clients.billing-exporter: consumer: must be text; put it in quotes",
    ),
    "text for a yes or no": (
        broken("    token_lifetime: 10m", "    accept_gap: yes"),
        "line 18: m2m_clients.billing-exporter: accept_gap: must be true or false",
    ),
    "no date": (
        broken("2026-11-30", "2026-11-31"),
        "line 19: m2m_clients.billing-exporter: reviewed: is not a date; write for example 2027-01-31",
    ),
    "a date as seconds": (
        broken("2026-11-30", "1790000000"),
        "line 19: m2m_clients.billing-exporter: reviewed: is not a date; write for example 2027-01-31",
    ),
    "no duration": (
        broken("10m", "ten minutes"),
        (
            "line 18: m2m_clients.billing-exporter: token_lifetime: 'ten minutes' is not a duration; write for example "
            '"90d", "12h" or "1h30m"'
        ),
    ),
    "an endless duration": (
        broken("10m", "999999999999w"),
        "line 18: m2m_clients.billing-exporter: token_lifetime: '999999999999w' is longer than a duration can be",
    ),
    "an overlap longer than its interval, said once where it stands": (
        broken("overlap: 7d", "overlap: 90d"),
        "line 5: m2m_clients.billing-exporter: rotation: overlap (90d) must be shorter than every (90d)",
    ),
    "a wrong default": (broken("  owner: team-billing", "  ower: x"), "line 4: defaults: ower: is not a field here"),
    "an unknown target": (
        broken("  target: idp", "  target: corp"),
        (
            "line 3: m2m_clients.billing-exporter: target: 'corp' is no target that the stack gives to this catalog; "
            "it gives crm, idp"
        ),
    ),
    "an unknown store": (
        broken("store:apps", "vault:apps"),
        "line 6: m2m_clients.billing-exporter: deliver_to: 'vault' is no store that the stack gives to this catalog",
    ),
    "no place": (
        broken('"store:apps/{name}"', "apps"),
        "line 6: defaults: deliver_to: write it as store:path, such as secrets:apps/billing",
    ),
    "a path out of its folder": (
        broken("apps/{name}", "apps/../{name}"),
        "line 6: defaults: deliver_to.path: is not a path; ",
    ),
    "an unknown server": (
        broken("orders: ", "order: "),
        (
            "line 17: m2m_clients.billing-exporter: access.order: no file of this catalog declares it, nor is it among "
            "servers=[...]; known: billing-api, orders"
        ),
    ),
    "no mapping": (broken("scopes: {", "scopes: [").replace("invoices}", "invoices]"), "line 11: resource_servers"),
    "a list of entries": ("m2m_clients:\n  - a\n", "line 1: m2m_clients: must be a mapping of names"),
    "a list": ("- a\n", "line 1: must be a mapping with defaults, "),
    "a hostile name": (
        (
            'm2m_clients:\n  "../x":\n    {target: idp, owner: o, purpose: p, rotation: {every: 9d},\n'
            '    deliver_to: "store:a"}\n'
        ),
        "line 2: m2m_clients.../x: use letters, digits and _.-",
    ),
    "a key twice": (
        broken("    consumer: warehouse-etl", "    purpose: Another"),
        "line 16: m2m_clients.billing-exporter.purpose: stands there a second time (first: line 15); remove one",
    ),
    "a name twice in a section": (
        BILLING + "  billing-exporter: {}\n",
        "line 22: m2m_clients.billing-exporter: stands there a second time (first: line 14); remove one",
    ),
    "a name twice in a file": (
        BILLING.replace("m2m_clients:", "governed:\n  billing-exporter: {purpose: Keys}\nm2m_clients:"),
        "line 14: governed.billing-exporter: stacks/prod/wrong.yaml, line 16, has the same name; rename one of them",
    ),
    "a tab": (broken("    consumer", "\tconsumer"), "line 16: a tab stands there; YAML is indented with spaces"),
    "no YAML": (broken("{every: 90d", "{every: 90d]"), "line 5: it is not YAML ("),
    "an anchor": (
        broken("  rotation: {", "  rotation: &r {"),
        "line 5: anchors and aliases (& and *) are not taken; write the value out",
    ),
    "an anchor bomb": (
        "a: &a [x, x]\n" + "".join(f"{b}: &{b} [*{a}, *{a}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)),
        "line 1: anchors and aliases",
    ),
    "a number that is no character": ('m2m_clients: {"\\UFFFFFFFF": {}}\n', "line 1: "),  # libyaml has other words
    "half a character": ('m2m_clients: {job: {purpose: "\\ud800"}}\n', "line 1: "),
    "an alias alone": ("m2m_clients: *x\n", "line 1: anchors and aliases"),
    "a tag": ("m2m_clients: !!python/object/apply:os.system [id]\n", "line 1: tags (!) are not taken"),
    "a directive": ("%YAML 1.1\n---\nm2m_clients: {}\n", "line 1: remove the directive; this is YAML 1.2"),
    "two documents": ("m2m_clients: {}\n---\nm2m_clients: {}\n", "line 2: a second document begins there"),
    "depth": ("a: " + "[" * 5000, "line 1: it is nested more than 16 levels deep"),
    "a control character": ("a: \x1b[31m\n", "line 1: a character stands there that YAML does not allow"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_one_sentence_with_file_line_and_field(what: str, load: Callable[..., Catalog]) -> None:
    text, sentence = WRONG[what]
    with pytest.raises(DeclarationError) as wrong:
        load(wrong=text)
    told = wrong.value.message.splitlines()
    assert any(line.startswith(f"stacks/prod/wrong.yaml, {sentence}") for line in told), told
    assert len(told) <= 2


BLOCKS = """\
defaults:
  owner: team-billing
  rotation:
    every: 90d
    overlap: 7d
m2m_clients:
  job:
    target: idp
    purpose: Nightly job
    deliver_to:
      store: store
      path: apps/job
      webhook:
        url: "https://job.example.com/reload"
        key: "env:RELOAD"
    waivers:
      - rule: KS016
        reason: A migration is under way
        approved_by: security
        until: 2027-01-31
"""
ROTATION = "    rotation:\n      every: 30d\n      overlap: 60d\n"
OF_SEVERAL: dict[str, tuple[str, str, str]] = {
    "an overlap longer than its interval": (
        "    purpose: Nightly job\n",
        f"    purpose: Nightly job\n{ROTATION}",
        "line 12: m2m_clients.job: rotation: overlap (60d) must be shorter than every (30d)",
    ),
    "an overlap longer than its interval, among the defaults": (
        "overlap: 7d",
        "overlap: 90d",
        "line 5: m2m_clients.job: rotation: overlap (90d) must be shorter than every (90d)",
    ),
    "too short an interval": (
        "every: 90d\n    overlap: 7d",
        "overlap: 1m\n    every: 30m",
        "line 5: m2m_clients.job: rotation: every is 30m; the shortest interval is 1h",
    ),
    "no maintenance window": (
        "    overlap: 7d",
        "    overlap: 7d\n    windows: Sunday night",
        "line 6: m2m_clients.job: rotation.windows: 'Sunday night' is not a maintenance window; ",
    ),
    "a place without its list": (
        "path: apps/job",
        "path: /apps",
        "line 12: m2m_clients.job: deliver_to.path: is not a path; use names of letters, ",
    ),
    "a webhook without its key": (
        "env:RELOAD",
        "secret",
        "line 15: m2m_clients.job: deliver_to: webhook: key must refer to the signing key, such as ",
    ),
    "a webhook at no address": (
        "https://job",
        "job",
        "line 14: m2m_clients.job: deliver_to: webhook: url must be an address that begins with https://",
    ),
    "a day of a waiver": (
        "until: 2027-01-31",
        "until: soon",
        "line 20: m2m_clients.job: waivers.until: is not a date; write for example 2027-01-31",
    ),
}


@pytest.mark.parametrize("what", OF_SEVERAL)
def test_what_is_wrong_between_fields_names_the_line_of_the_one_it_begins_with(
    what: str, load: Callable[..., Catalog]
) -> None:
    old, new, sentence = OF_SEVERAL[what]
    assert len(load(sound=BLOCKS)) == 1
    assert BLOCKS.count(old) == 1
    with pytest.raises(DeclarationError) as wrong:
        load(sound=BLOCKS.replace(old, new))
    [told] = wrong.value.message.splitlines()
    assert told.startswith(f"stacks/prod/sound.yaml, {sentence}")


def test_a_name_of_two_targets_or_stores_is_no_name(tmp_path: Path) -> None:
    """Which of them a file means would be whichever stands last."""
    (tmp_path / "stacks").mkdir()
    other = Manual("crm", probe=Probe(url="https://other.example.com/me"))
    with pytest.raises(DeclarationError) as wrong:
        catalog("stacks", targets=[CRM, other], root=tmp_path)
    assert wrong.value.message == "catalog: two different targets are called 'crm'; rename one of them"
    assert len(catalog("stacks", targets=[CRM, CRM], root=tmp_path)) == 0


def test_all_problems_of_all_files_are_told_at_once(load: Callable[..., Catalog]) -> None:
    with pytest.raises(DeclarationError) as wrong:
        load(
            a=broken("    consumer:", "    consumr:").replace("10m", "soon"),
            b="x: [}",
            c=KEYS.replace("client:", "clint:"),
        )
    assert [line.partition(": ")[0] for line in wrong.value.message.splitlines()] == [
        "stacks/prod/a.yaml, line 16",
        "stacks/prod/a.yaml, line 18",
        "stacks/prod/b.yaml, line 1",
        "stacks/prod/c.yaml, line 2",
        "stacks/prod/c.yaml, line 4",
    ]


def test_files_that_cannot_be_read_are_named(load: Callable[..., Catalog], tmp_path: Path) -> None:
    with pytest.raises(DeclarationError, match="catalog: there is no folder stacks/prod in "):
        load()
    assert len(load(empty="# nothing yet\n")) == 0
    (tmp_path / "stacks" / "prod" / "latin.yml").write_bytes(b"# a\nowner: \xfcber\n")
    (tmp_path / "stacks" / "prod" / "large.yaml").write_bytes(b"#" * (LARGEST_FILE + 1))
    (tmp_path / "stacks" / "prod" / "notes.txt").write_text("- not read\n", encoding="utf-8")
    with pytest.raises(DeclarationError) as wrong:
        load()
    assert wrong.value.message.splitlines() == [
        "stacks/prod/large.yaml: it is larger than 2 MB; split it",
        "stacks/prod/latin.yml, line 2: it is not UTF-8; save it as UTF-8",
    ]


def test_every_field_of_every_kind_can_be_written() -> None:
    for section, cls in KINDS.items():
        fields = set(cls.__pydantic_fields__) - {"name"}  # type: ignore[attr-defined]
        assert set(FORMS[section].model_fields) == fields, section


def told(text: str) -> str:
    try:
        read_text(text, "x.yaml")
    except DeclarationError as error:
        return error.message
    return ""


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=200))
def test_any_text_is_read_or_refused_with_a_sentence(text: str) -> None:
    sentence = told(text)
    assert not sentence or sentence.startswith("x.yaml, line ")
    assert len(sentence.splitlines()) <= 1


SCALARS = """\
text: [yes, on, 12:30:00, 0777x, 2027-01-31, "null", '~', =, <<]
other: [~, null, "", true, FALSE, 12, -3, 0o17, 0x1F, 1.5, 1e3, .inf, 123456789012345678901234567890123]
"""


@pytest.mark.parametrize("parser", [strict_yaml._Loader, strict_yaml.Slow], ids=["libyaml", "Python"])
def test_both_parsers_read_yaml_1_2_alike(parser: type, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strict_yaml, "_Loader", parser)
    assert read_text(SCALARS, "x").value == {
        "text": ["yes", "on", "12:30:00", "0777x", "2027-01-31", "null", "~", "=", "<<"],
        "other": [
            None,
            None,
            "",
            True,
            False,
            12,
            -3,
            15,
            31,
            1.5,
            1000.0,
            float("inf"),
            "123456789012345678901234567890123",
        ],
    }
    for what in ("a key twice", "a tab", "no YAML", "an anchor", "an anchor bomb", "a tag", "a directive", "depth"):
        assert told(WRONG[what][0]), what
    assert told("a: b\n\tc: d\n").startswith("x.yaml, line 2: ")
    assert read_text("\ufeffa: b\n", "x").value == {"a": "b"}
