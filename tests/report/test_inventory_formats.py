"""The inventory as JSON, CSV and a table: what programs rely on, what a person reads, and names that play no tricks."""

from __future__ import annotations

import csv
import importlib.resources
import io
import json
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import fields, replace
from datetime import UTC, date, datetime, timedelta
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from inventory_company import DAY, NOW, STACK, company
from jsonschema import Draft202012Validator, FormatChecker
from rich.console import Console

from keysteward.core.contract.observed import ObservedObject, ObservedSecret, Settings
from keysteward.core.declare.owners import UNASSIGNED
from keysteward.core.drift.inventory import Coverage, Inventory, InventoryEntry, Standing
from keysteward.core.drift.survey import Thing
from keysteward.core.findings import Finding, Kind, Severity
from keysteward.report.inventory.entries import KINDS as DECLARED_KINDS
from keysteward.report.inventory.existing import kind_of
from keysteward.report.inventory.formats import COLUMNS, FORMULA_STARTS, cell, inventory_csv, inventory_json
from keysteward.report.inventory.page import inventory_page
from keysteward.report.inventory.selection import SHORT, Order, Selection, fits_a_kind, ownerless, summary_of
from keysteward.report.inventory.table import MOST_ROWS, inventory_lines
from keysteward.report.text.plain import plain

SCHEMA = json.loads((importlib.resources.files("keysteward") / "schemas" / "inventory.schema.json").read_text())
VALIDATOR = Draft202012Validator(SCHEMA, format_checker=FormatChecker())

LATE = Finding(Kind.OVERDUE, Severity.WARNING, "acme/prod/etl", "late by 12 days", "keysteward up")
GONE = Finding(
    Kind.OWNER_GONE, Severity.ERROR, "acme/prod/etl", "owner: 'billing-lead' is gone", "name another", "KS002"
)
OLD = Finding(Kind.POLICY, Severity.WARNING, "corp: legacy", "its secret is 800 days old", "replace it", "KS014")
STRANGER = Finding(Kind.UNMANAGED, Severity.WARNING, "corp: legacy", "nobody declares it", "declare it")
SILENT = Finding(Kind.NO_RUN, Severity.WARNING, STACK, "no run has left a heartbeat", "see why")

ETL = InventoryEntry(
    "etl", "M2M client", Standing.DECLARED, "corp", identity=f"{STACK}/etl", clients=("etl",), owner="billing-lead",
    owner_state="gone", contact="billing-lead@example.com", scopes=("a:read",), secrets=1, secret_since=NOW - 97 * DAY,
    last_used=NOW - timedelta(hours=2), next_rotation=NOW + 3 * DAY, reviewed=date(2026, 3, 1), findings=(LATE, GONE),
)  # fmt: skip
LEGACY = InventoryEntry(
    "legacy", "M2M client", Standing.UNMANAGED, "corp", clients=("legacy",), secrets=2, secret_since=NOW - 800 * DAY,
    findings=(OLD, STRANGER), enabled=False,
)  # fmt: skip
KEY = InventoryEntry(
    "key 1", "API key", Standing.GOVERNED, "saas", owner="team-data", owner_state="active", key_ids=("k1",), secrets=1,
    label="Northwind", secret_since=NOW - DAY,
)  # fmt: skip
LOGIN = InventoryEntry("account", "client without secret", Standing.BUILT_IN, "corp", secrets=0)
COVERAGE = (Coverage("corp", 1, 0, 0, 0, 1), Coverage("saas", 0, 1, 0, 0, 0))
SMALL = Inventory(NOW, (ETL, LEGACY, LOGIN, KEY), STACK, COVERAGE, (SILENT,), ("target idp: it is down",))


def text_of(inventory: Inventory, width: int = 100, **asked: object) -> str:
    out = io.StringIO()
    console = Console(file=out, width=width, markup=False, highlight=False, emoji=False, color_system=None)
    for item in inventory_lines(inventory, width=width, **asked):  # type: ignore[arg-type]
        console.print(item, soft_wrap=not hasattr(item, "columns"))
    return out.getvalue()


def names(inventory: Inventory) -> list[str]:
    return [entry.name for entry in inventory.entries]


# Numbers


def test_the_summary_counts_what_a_person_asks_first() -> None:
    summary = summary_of(SMALL)
    assert summary.entries == 4
    assert summary.standings[Standing.DECLARED] == 1
    assert summary.standings[Standing.BUILT_IN] == 1
    assert (summary.ownerless, summary.overdue, summary.with_errors, summary.with_warnings) == (1, 2, 1, 1)
    assert (summary.oldest_name, summary.oldest_days(NOW)) == ("legacy", 800)


@pytest.mark.parametrize(
    ("entry", "nobodys"),
    [
        (LEGACY, True),
        (replace(ETL, owner=UNASSIGNED), True),
        (replace(ETL, owner="who", owner_state="unknown"), True),
        (ETL, False),
        (LOGIN, False),
        (replace(LEGACY, standing=Standing.ELSEWHERE), False),
    ],
)
def test_ownerless_is_what_nobody_is_known_to_answer_for(entry: InventoryEntry, *, nobodys: bool) -> None:
    assert ownerless(entry) is nobodys


def test_an_empty_inventory_has_numbers_too() -> None:
    summary = summary_of(Inventory(NOW, ()))
    assert (summary.entries, summary.oldest, summary.oldest_days(NOW)) == (0, None, None)


# Selection


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (Selection(), ["account", "etl", "legacy", "key 1"]),
        (Selection(targets=("sa*",)), ["key 1"]),
        (Selection(owners=("team-*",)), ["key 1"]),
        (Selection(owners=("nobody",)), ["legacy"]),
        (Selection(owners=("nobody", "billing-lead")), ["etl", "legacy"]),
        (Selection(kinds=("api-key",)), ["key 1"]),
        (Selection(kinds=("M2M client",)), ["etl", "legacy"]),
        (Selection(findings=("overdue",)), ["etl"]),
        (Selection(findings=("ks014",)), ["legacy"]),
        (Selection(findings=("owner-gone", "KS014")), ["etl", "legacy"]),
        (Selection(findings=("error",)), ["etl"]),
        (Selection(findings=("any",)), ["etl", "legacy"]),
        (Selection(targets=("corp",), findings=("any",), owners=("billing-lead",)), ["etl"]),
        (Selection(order=Order.AGE), ["legacy", "etl", "key 1", "account"]),
        (Selection(order=Order.USED), ["etl", "account", "legacy", "key 1"]),
        (Selection(order=Order.NEXT), ["etl", "account", "legacy", "key 1"]),
        (Selection(order=Order.OWNER), ["etl", "key 1", "account", "legacy"]),
        (Selection(order=Order.FINDINGS), ["etl", "legacy", "account", "key 1"]),
    ],
)
def test_a_selection_shows_what_fits_in_order(selection: Selection, expected: list[str]) -> None:
    assert names(selection.of(SMALL)) == expected


def test_findings_of_no_single_credential_stay_unless_an_owner_or_kind_is_asked_for() -> None:
    assert Selection().of(SMALL).findings == (SILENT,)
    assert Selection(findings=("no run",)).of(SMALL).findings == (SILENT,)
    assert Selection(findings=("KS014",)).of(SMALL).findings == ()
    assert Selection(owners=("billing-lead",)).of(SMALL).findings == ()
    assert [c.target for c in Selection(targets=("saas",)).of(SMALL).coverage] == ["saas"]


# JSON


def keys_of(schema: dict[str, object]) -> set[str]:
    return set(schema["properties"])  # type: ignore[call-overload]


def test_json_is_as_the_schema_says() -> None:
    for inventory in (SMALL, company(200), Inventory(NOW, (LEGACY,)), Inventory(NOW, ())):
        document = json.loads(json.dumps(inventory_json(inventory)))
        VALIDATOR.validate(document)
        assert set(document) == keys_of(SCHEMA)
        for name, listed in (("entry", "entries"), ("coverage", "coverage"), ("finding", "findings")):
            for item in document[listed]:
                assert set(item) == keys_of(SCHEMA["$defs"][name])
        assert set(document["summary"]) == keys_of(SCHEMA["$defs"]["summary"])


def test_json_has_every_field_of_an_entry() -> None:
    assert {field.name for field in fields(InventoryEntry)} <= set(inventory_json(SMALL)["entries"][0])


def test_json_says_what_is_so() -> None:
    document = inventory_json(SMALL)
    etl, legacy, login, _ = document["entries"]
    assert (etl["age_days"], etl["overdue"], etl["severity"], etl["ownerless"]) == (97, True, "error", False)
    assert (legacy["ownerless"], legacy["severity"], legacy["last_used"]) == (True, "warning", None)
    assert (login["severity"], login["age_days"], login["secrets"]) == (None, None, 0)
    assert etl["next_rotation"] == "2026-11-28T09:00:00+00:00"
    assert etl["reviewed"] == "2026-03-01"
    assert document["coverage"][0] == {
        "target": "corp", "declared": 1, "governed": 0, "allowed": 0, "others": 0, "unmanaged": 1, "total": 2,
        "share": 0.5,
    }  # fmt: skip
    assert document["failures"] == ["target idp: it is down"]


@pytest.mark.parametrize("field", ["format", "stack", "entries", "failures"])
def test_the_schema_notices_what_is_missing(field: str) -> None:
    document = inventory_json(SMALL)
    del document[field]
    assert not VALIDATOR.is_valid(document)


# CSV


def rows(inventory: Inventory) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(inventory_csv(inventory), newline=""), strict=True))


def test_csv_has_one_line_an_entry_and_says_what_is_so() -> None:
    found = rows(SMALL)
    assert list(found[0]) == list(COLUMNS)
    assert [row["name"] for row in found] == ["etl", "legacy", "account", "key 1"]
    etl, legacy, login, _ = found
    assert (etl["owner"], etl["age in days"], etl["enabled"], etl["next rotation"]) == (
        "billing-lead", "97", "yes", "2026-11-28T09:00:00+00:00"
    )  # fmt: skip
    assert etl["findings"] == "warning: overdue: late by 12 days; error: KS002: owner: 'billing-lead' is gone"
    assert (legacy["enabled"], legacy["owner"], legacy["last used"]) == ("no", "", "")
    assert login["secrets"] == "0"


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "＝1", "\u202e=1", "\x1b=1"])  # noqa: RUF001
def test_a_cell_is_never_a_formula(text: str) -> None:
    assert cell(text).startswith("'")
    assert cell((text, "b")).startswith("'")


def test_a_cell_that_is_no_formula_stays() -> None:
    assert [cell(v) for v in ("a-b", "1+1", "", None, True, 0, ("a", "b"), ())] == [
        "a-b", "1+1", "", "", "yes", "0", "a; b", ""
    ]  # fmt: skip


# The table


def test_the_table_begins_with_what_it_comes_to() -> None:
    shown = text_of(SMALL)
    first, second, *_ = shown.splitlines()
    assert first == "acme/prod: 4 credentials: 1 declared, 1 governed, 1 unmanaged, 1 built-in"
    assert second.split("  ·  ") == [
        "  1 without owner", "2 overdue", "1 with errors", "1 with warnings", "oldest secret: 800 days (legacy)"
    ]  # fmt: skip


def test_the_table_shows_each_target_and_its_credentials() -> None:
    shown = text_of(SMALL)
    assert "corp  3 listed  1 of 2 declared or governed (50 %)" in shown
    [etl] = [line for line in shown.splitlines() if line.startswith("✗ etl")]
    assert re.sub(" +", " ", etl) == "✗ etl client declared billing-lead 97 d today 3 d KS002 overdue"
    [legacy] = [line for line in shown.splitlines() if line.startswith("! legacy")]
    assert re.sub(" +", " ", legacy).strip() == "! legacy client unmanaged nobody 800 d KS014"
    assert "key 1·Northwind" in shown
    assert "not read: target idp: it is down" in shown
    assert "no run has left a heartbeat" in shown


def test_a_wide_table_has_the_scopes_too_and_those_on_request_in_brackets() -> None:
    etl = replace(ETL, scopes=("a:read", "a:write"), optional_scopes=("b:read",), secrets=2)
    [row] = [
        line for line in text_of(replace(SMALL, entries=(etl,)), width=160).splitlines() if line.startswith("✗ etl")
    ]
    assert re.sub(" +", " ", row).startswith("✗ etl client declared billing-lead a:read a:write (b:read) 2 97 d")
    assert "a:read" not in text_of(SMALL)


def test_findings_are_told_once_for_all_that_have_them() -> None:
    entries = tuple(replace(LEGACY, name=f"legacy-{number}") for number in range(8))
    shown = text_of(Inventory(NOW, entries))
    assert "! KS014  8 times: legacy-0, legacy-1, legacy-2, legacy-3, legacy-4 and 3 more; such as: its secret" in shown
    assert shown.count("→ replace it") == 1


def test_findings_without_a_number_are_told_apart_by_what_mends_them() -> None:
    wide = Finding(Kind.POLICY, Severity.WARNING, "corp: legacy", "fullScopeAllowed is true", "set it to false")
    passwords = Finding(Kind.POLICY, Severity.WARNING, "corp: legacy", "passwords pass through it", "turn it off")
    entries = (replace(LEGACY, findings=(wide, passwords)), replace(LEGACY, name="older", findings=(wide,)))
    shown = text_of(Inventory(NOW, entries, STACK))
    assert "! policy  2 times: legacy, older; such as: fullScopeAllowed is true\n    → set it to false\n" in shown
    assert "! policy  legacy: passwords pass through it\n    → turn it off\n" in shown


@pytest.mark.parametrize(("days", "words"), [(1, "1 day ("), (2, "2 days ("), (1200, "1,200 days (")])
def test_a_number_and_its_word_agree(days: int, words: str) -> None:
    dated = replace(LEGACY, secret_since=NOW - timedelta(days=days))
    assert f"oldest secret: {words}" in text_of(Inventory(NOW, (dated,), STACK))


def test_every_kind_of_entry_can_be_asked_for_and_has_a_short_word() -> None:
    login, silent = (Settings("client_secret", grants=frozenset(grants)) for grants in (["implicit"], []))
    bare = ObservedObject("i", "c", enabled=True, settings=silent)
    secret = ObservedSecret("s", "primary")
    seen = [
        (replace(bare, settings=login), None),
        (replace(bare, secrets=(secret,)), None),
        (bare, None),
        (bare, secret),
    ]
    kinds = {kind_of(Thing("corp", item, key, Standing.UNMANAGED)) for item, key in seen}
    assert kinds | {*DECLARED_KINDS.values()} == {*SHORT}
    for kind in SHORT:
        listed = Inventory(NOW, tuple(replace(LEGACY, name=each, kind=each) for each in SHORT))
        for word in (kind, kind.casefold().replace(" ", "-")):
            assert fits_a_kind(word)
            assert [entry.kind for entry in Selection(kinds=(word,)).of(listed).entries] == [kind]


def test_a_long_table_is_folded_to_the_worst() -> None:
    entries = tuple(replace(KEY, name=f"key-{number:03}") for number in range(200))
    entries = (*entries, replace(ETL, name="zebra", target="saas"))
    folded, whole = text_of(Inventory(NOW, entries)), text_of(Inventory(NOW, entries), all_rows=True)
    assert "and 161 more" in folded
    assert "zebra" in folded
    assert sum("  key-" in line[:8] for line in folded.splitlines()) == MOST_ROWS - 1
    assert sum("  key-" in line[:8] for line in whole.splitlines()) == 200


def test_a_choice_says_from_how_many() -> None:
    assert text_of(Inventory(NOW, (ETL,), STACK), of=512).startswith("acme/prod: 1 of 512 credentials")


def test_the_table_is_readable_at_100_columns() -> None:
    shown = text_of(company(400)).splitlines()
    tables = [line for line in shown if re.match(r"[✗!· ] \S+ +(client|key|login)", line)]
    assert len(tables) > 60
    assert max(map(len, tables)) <= 100
    assert not [line for line in tables if re.search(r"\d…|d…|(un|de)[a-z]*…", line)], "no number or standing is cut"


# Names that an attacker chose

UGLY = st.text(
    st.one_of(
        st.characters(),
        st.sampled_from("\x1b\x07\x00\r\n\t\u202e\u2066\u200b\ufeff\u2028=+-@|`*[]<>&'\"\\{}\ud800"),
    ),
    max_size=24,
)


@st.composite
def inventories(draw: st.DrawFn) -> Inventory:
    def entry(text: str) -> InventoryEntry:
        finding = Finding(draw(st.sampled_from(Kind)), draw(st.sampled_from(Severity)), text, text, text)
        return InventoryEntry(
            text, "M2M client", draw(st.sampled_from(Standing)), text, identity=text, label=text, clients=(text,),
            owner=text, contact=text, purpose=text, consumer=text, environment=text, runbook=text, method=text,
            scopes=(text, text), reaches=(text,), grants=(text,), delivered_to=(text,), status=text, revoke=(text,),
            secrets=draw(st.integers(0, 3)), secret_since=NOW - draw(st.integers(0, 4_000)) * DAY, findings=(finding,),
        )  # fmt: skip

    entries = tuple(entry(draw(UGLY)) for _ in range(draw(st.integers(1, 3))))
    text = draw(UGLY)
    loose = Finding(Kind.NO_RUN, Severity.NOTE, text, text, text)
    return Inventory(
        NOW, entries, draw(st.one_of(st.none(), UGLY)), (Coverage(text, 1, 0, 0, 0, 0),), (loose,), (text,)
    )


def hidden(text: str, allowed: str) -> list[str]:
    return [c for c in text if c not in allowed and unicodedata.category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"}]


@settings(deadline=None, max_examples=150)
@given(inventories())
def test_ugly_names_move_nothing_in_a_terminal(inventory: Inventory) -> None:
    assert hidden(text_of(inventory), "\n") == []


@settings(deadline=None, max_examples=150)
@given(inventories())
def test_ugly_names_are_cells_and_no_formulas(inventory: Inventory) -> None:
    text = inventory_csv(inventory)
    text.encode()
    assert hidden(text, "\r\n") == []
    parsed = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    assert len(parsed) == len(inventory.entries) + 1
    for row in parsed:
        assert len(row) == len(COLUMNS)
        for each in row:
            assert "\n" not in each
            assert each.strip()[:1] == "" or each.strip()[0] not in FORMULA_STARTS


@settings(deadline=None, max_examples=100)
@given(inventories())
def test_ugly_names_come_back_from_json(inventory: Inventory) -> None:
    text = json.dumps(inventory_json(inventory))
    assert text.isascii()
    document = json.loads(text)
    VALIDATOR.validate(document)
    assert [entry["name"] for entry in document["entries"]] == names(inventory)


class Tags(HTMLParser):
    """The elements of a page, and the text of its data."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, tuple[str, ...]]] = []
        self.data = ""

    def handle_starttag(self, tag: str, attrs: Iterable[tuple[str, str | None]]) -> None:
        self.tags.append((tag, tuple(name for name, _ in attrs)))

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1][0] == "script" and "id" in self.tags[-1][1]:
            self.data += data


@settings(deadline=None, max_examples=100)
@given(inventories())
def test_ugly_names_are_text_in_the_page(inventory: Inventory) -> None:
    ours, page = Tags(), Tags()
    plain_names = replace(inventory, entries=(), stack="s", coverage=(), findings=(), failures=("f",))
    ours.feed(inventory_page(plain_names))
    html = inventory_page(inventory)
    page.feed(html)
    assert page.tags == ours.tags
    assert hidden(html, "\n") == []
    document = json.loads(page.data)
    assert [row["name"] for row in document["rows"]] == [plain(name) for name in names(inventory)]
    for row, entry in zip(document["rows"], inventory.entries, strict=True):
        told = [document["texts"][number].replace("\0", row["name"]) for number in row.get("revoke", [])]
        assert told == [plain(sentence) for sentence in entry.revoke]


def test_times_are_those_of_the_look() -> None:
    at = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
    assert "2026-01-02 03:04 UTC" in inventory_page(Inventory(at, ()))
