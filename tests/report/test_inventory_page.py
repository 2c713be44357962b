"""The page of the inventory in a real browser: what a person sees and clicks, and what a hostile name cannot do."""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from browser import Chromium, Opened
from inventory_company import NOW, STACK, company
from samples import sampled

from keysteward.core.drift.inventory import Inventory, InventoryEntry, Standing
from keysteward.core.findings import Finding, Kind, Severity
from keysteward.report.inventory.page import inventory_page

MANY = 5_000
MOST_BYTES = 10_000_000
KEYSTROKE_MS = 100.0
CSS = Path(__file__).parents[2] / "keysteward" / "report" / "templates" / "inventory" / "page.css"

TYPED = """async (word) => {
  const query = document.getElementById("query"), taken = [];
  for (let end = 0; end <= word.length; end += 1) {
    query.value = word.slice(0, end);
    const begun = performance.now();
    query.dispatchEvent(new Event("input"));
    document.body.offsetHeight;
    taken.push(performance.now() - begun);
    await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  }
  return taken;
}"""
"""Types a word letter by letter; returns how long each took until the page stood, with its layout."""


@pytest.fixture(scope="module")
def html() -> str:
    return inventory_page(company(300))


@pytest.fixture
def page(chromium: Chromium, html: str) -> Iterator[Opened]:
    """The page of a company; it complains about nothing and asks for nothing, whatever a test does to it."""
    with chromium.show(html) as opened:
        yield opened
        assert opened.errors == []
        assert opened.asked == []


def test_it_shows_rows_numbers_and_charts(page: Opened) -> None:
    assert page.page.title() == f"Credentials of {STACK}"
    assert page.count == "300 credentials"
    assert len(page.names) > 15
    assert page.page.locator(".tile").count() == 7
    assert page.page.inner_text(".tile >> nth=0") == "300\ncredentials"
    assert page.page.locator("#ages .mark").count() >= 10
    assert page.page.locator("#calendar .mark").count() >= 30
    assert page.page.locator("#coverage .mark").count() >= 9
    assert page.page.locator("#findings tbody tr").count() == 8
    assert "invoices:purge" in page.page.inner_text("#loose-list")


def test_the_chart_counts_every_secret_once(page: Opened) -> None:
    bars = [int(text.replace(",", "")) for text in page.page.locator("#ages .value").all_text_contents()]
    assert sum(bars) == 300
    page.page.click("#ages-by >> text=kind")
    assert "API key" in page.page.inner_text("#ages-legend")
    bars = [int(text.replace(",", "")) for text in page.page.locator("#ages .value").all_text_contents()]
    assert sum(bars) == 300


@pytest.mark.parametrize(
    ("column", "value"),
    [
        pytest.param("name", lambda e: e.name, marks=pytest.mark.proof),
        ("owner", lambda e: e.owner or None),
        pytest.param("age", lambda e: None if e.age(NOW) is None else -e.age(NOW).days, marks=pytest.mark.proof),
        ("next", lambda e: e.next_rotation),
    ],
)
def test_every_column_sorts_both_ways(page: Opened, column: str, value: object) -> None:
    entries = {entry.name: entry for entry in company(300).entries}
    for direction in (1, 2):
        page.page.click(f"[data-sort={column}]")
        head = page.page.locator(f"th.col-{column} >> nth=0").get_attribute("aria-sort")
        shown = [value(entries[name]) for name in page.names]  # type: ignore[operator]
        known = [each for each in shown if each is not None]
        assert known == shown[: len(known)], "what is not known comes last"
        down = (direction == 2) is not (column == "age")
        assert head == ("descending" if down else "ascending")
        assert len(known) > 15
        assert known == sorted(known, reverse=direction == 2)


def test_search_finds_by_any_word_and_filters_narrow(page: Opened) -> None:
    entries = company(300).entries
    page.page.fill("#query", "invoice team-billing")
    expected = {e.name for e in entries if "invoice" in str(e).lower() and e.owner == "team-billing"}
    assert set(page.names) == expected
    assert page.count == f"{len(expected)} of 300 credentials"
    page.page.click("#clear")
    assert page.count == "300 credentials"

    page.page.select_option("#only-standing", "unmanaged")
    page.page.select_option("#only-kind", "API key")
    expected = {e.name for e in entries if e.standing is Standing.UNMANAGED and e.kind == "API key"}
    assert page.count == f"{len(expected)} of 300 credentials"
    assert set(page.names) <= expected

    page.page.click("#clear")
    page.page.fill("#query", "there is no such thing")
    assert page.page.is_visible("text=Nothing fits")
    assert page.count == "0 of 300 credentials"


def test_a_number_above_narrows_the_list_and_the_chart(page: Opened) -> None:
    page.page.click(".tile >> text=with errors")
    wrong = [e for e in company(300).entries if any(f.severity is Severity.ERROR for f in e.findings)]
    assert set(page.names) == {e.name for e in wrong}
    assert page.page.get_attribute(".tile.error", "aria-pressed") == "true"
    bars = [int(text) for text in page.page.locator("#ages .value").all_text_contents()]
    assert sum(bars) == len(wrong)


def test_findings_lead_to_those_who_answer(page: Opened) -> None:
    first = page.page.inner_text("#findings tbody button >> nth=0")
    page.page.click("#findings tbody button >> nth=0")
    assert page.page.input_value("#only-owner") == first
    page.page.click("#clear")
    page.page.click("#findings-by >> text=rule")
    assert "The owner is still there" in page.page.inner_text("#findings")


def test_details_answer_who_owns_it_how_it_is_scoped_and_how_it_is_revoked(page: Opened) -> None:
    entry = next(e for e in company(300).entries if e.standing is Standing.DECLARED and e.runbook and e.findings)
    page.page.fill("#query", entry.name)
    page.page.click("tr.item")
    told = page.page.inner_text("#details")
    for heading in ("WHO OWNS THIS?", "HOW IS IT SCOPED?", "HOW IS IT REVOKED?"):
        assert heading in told
    for value in (entry.owner, entry.contact, entry.purpose, entry.consumer, *entry.scopes, *entry.reaches):
        assert value in told
    for value in (*entry.revoke, *(f.message for f in entry.findings), *(f.mend for f in entry.findings)):
        assert value in told
    link = page.page.locator("#details a")
    assert link.get_attribute("href") == entry.runbook
    assert link.get_attribute("rel") == "noreferrer noopener"


def test_everything_can_be_done_with_the_keyboard(page: Opened) -> None:
    keyboard = page.page.keyboard
    page.page.focus("tr.item .name >> nth=0")
    keyboard.press("ArrowDown")
    keyboard.press("ArrowDown")
    third = page.names[2]
    assert page.page.evaluate("document.activeElement.textContent") == third
    keyboard.press("Enter")
    assert page.page.inner_text("#details h2") == third
    assert page.page.evaluate("document.activeElement.textContent") == third
    keyboard.press("Escape")
    assert page.page.is_hidden("#details")
    assert page.page.evaluate("document.activeElement.className").endswith("name")
    keyboard.press("End")
    assert page.page.locator("tr.item").last.get_attribute("aria-rowindex") == "301"
    assert page.page.get_attribute("#table", "aria-rowcount") == "301"


def test_only_rows_in_view_are_drawn_and_scrolling_brings_the_others(page: Opened) -> None:
    assert len(page.names) < 60
    seen = set(page.names)
    for _ in range(40):
        page.page.evaluate("document.getElementById('scroller').scrollBy(0, 400)")
        page.page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        seen |= set(page.names)
    assert seen == {entry.name for entry in company(300).entries}


def test_a_print_has_every_row(page: Opened) -> None:
    page.page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert len(page.names) == 300
    page.page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert len(page.names) < 60


@pytest.mark.parametrize("width", [380, 820, 1_440])
def test_nothing_runs_out_of_a_narrow_window(chromium: Chromium, html: str, width: int) -> None:
    with chromium.show(html, width=width) as opened:
        assert opened.page.evaluate("document.documentElement.scrollWidth") <= width
        opened.page.click("tr.item >> nth=1")
        assert opened.page.evaluate("document.documentElement.scrollWidth") <= width
        name = opened.page.locator("tr.item .name >> nth=0").bounding_box()
        assert name is not None
        assert name["width"] > 60


@pytest.mark.parametrize("dark", sampled([False, True], [False]))
def test_a_picture_of_it_is_neither_blank_nor_that_of_a_page_without_data(
    chromium: Chromium, html: str, *, dark: bool
) -> None:
    without_data = inventory_page(Inventory(NOW, (), STACK))
    without_script = html.replace('document.getElementById("data")', 'document.getElementById("date")')
    with chromium.show(html, dark=dark) as opened:
        whole = opened.page.screenshot()
    with chromium.show(without_data, dark=dark) as opened:
        empty = opened.page.screenshot()
        assert opened.errors == []
    with chromium.show(without_script, dark=dark) as opened:
        broken = opened.page.screenshot()
        assert any("Content Security Policy" in error for error in opened.errors)
    with chromium.show("<!doctype html><title>blank</title>", dark=dark) as opened:
        blank = opened.page.screenshot()
    for other in (empty, broken, blank):
        assert chromium.compare(whole, other).differ > 0.08
    assert chromium.compare(whole, whole).differ == 0
    seen = chromium.compare(whole, blank)
    assert seen.most < 0.85
    assert seen.colours > 200
    assert chromium.compare(blank, whole).colours < 5


HOSTILE = (
    "<img src=x onerror=window.taken=1>",
    "</script><script>window.taken=1</script>",
    "<!--<script>",
    '"><svg/onload=window.taken=1>',
    "javascript:window.taken=1",
    "\u202egnp.exe\u2066",
    "{{ 7*7 }}${7*7}",
    "=cmd|' /C calc'!A0",
    "\x1b[31mred\x07",
)


def test_a_hostile_name_is_shown_and_does_nothing(chromium: Chromium) -> None:
    entries = tuple(
        InventoryEntry(
            text,
            "M2M client",
            Standing.UNMANAGED,
            target=text,
            owner=text,
            contact=text,
            purpose=text,
            label=text,
            environment=text,
            runbook=text,
            scopes=(text,),
            reaches=(text,),
            revoke=(text,),
            secrets=1,
            secret_since=NOW,
            findings=(Finding(Kind.UNMANAGED, Severity.ERROR, text, text, text),),
        )
        for text in HOSTILE
    )
    loose = Finding(Kind.NO_RUN, Severity.ERROR, HOSTILE[0], HOSTILE[1], HOSTILE[2])
    html = inventory_page(Inventory(NOW, entries, HOSTILE[1], findings=(loose,), failures=HOSTILE))
    with chromium.show(html) as opened:
        page = opened.page
        assert page.locator("tr.item").count() == len(HOSTILE)
        for number in range(len(HOSTILE)):
            page.click(f"tr.item >> nth={number}")
            assert page.locator("#details a").count() == 0
        shown = page.inner_text("body")
        for text in HOSTILE[:4]:
            assert text in shown
        assert page.evaluate("window.taken") is None
        assert page.evaluate("document.scripts.length") == 2
        assert page.locator("img").count() == 0
        assert not re.search("[\u202e\u2066\x1b\x07]", page.content())
        assert opened.errors == []
        assert opened.asked == []


def test_a_script_that_got_in_would_not_run(chromium: Chromium, html: str) -> None:
    smuggled = html.replace("</main>", "<script>window.taken=1</script><img src=https://example.com/x></main>")
    with chromium.show(smuggled) as opened:
        assert opened.page.evaluate("window.taken") is None
        assert len(opened.errors) == 2
        assert all("Content Security Policy" in error for error in opened.errors)


def test_what_could_not_be_read_stands_on_top(chromium: Chromium) -> None:
    with chromium.show(inventory_page(replace(company(20), failures=("target saas: it is down",)))) as opened:
        assert "target saas: it is down" in opened.page.inner_text(".alarm")


def test_a_first_look_asks_for_no_owners(chromium: Chromium) -> None:
    entry = InventoryEntry("etl", "M2M client", Standing.UNMANAGED, "keycloak", secrets=1, secret_since=NOW)
    with chromium.show(inventory_page(Inventory(NOW, (entry,)))) as opened:
        page = opened.page
        assert page.title() == "First look at keycloak"
        assert page.locator(".tile").all_inner_texts()[0] == "1\ncredentials"
        assert page.is_hidden("text=with errors")
        assert page.is_hidden("#findings-by")
        assert page.is_hidden("#coverage-card")
        assert page.is_hidden("#calendar-card")
        assert page.is_hidden("th.col-owner >> nth=0")
        page.click("tr.item")
        assert "not known: no stack was asked" in page.inner_text("#details")
        assert opened.errors == []


def test_5000_rows_are_small_and_filter_without_freezing(chromium: Chromium) -> None:
    html = inventory_page(company(MANY))
    assert len(html.encode()) < MOST_BYTES
    with chromium.show(html) as opened:
        assert opened.count == "5,000 credentials"
        taken = [
            milliseconds
            for word in ("team-billing", "invoice", "orders:read", "KS014")
            for milliseconds in opened.page.evaluate(TYPED, word)
        ]
        assert opened.count.endswith(" of 5,000 credentials")
        assert statistics.median(taken) < KEYSTROKE_MS
        assert opened.errors == []


def luminance(colour: str) -> float:
    """Relative luminance of #rrggbb (WCAG 2.2)."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_text_and_marks_have_contrast(scheme: int) -> None:
    blocks = re.findall(r":root \{([^}]*)\}", CSS.read_text())
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", blocks[scheme]))
    on_paper = ("ink", "quiet", "accent", "error", "warning", "note")
    for name in on_paper:
        for ground in ("paper", "ground", "hover"):
            assert contrast(colours[name], colours[ground]) >= 4.5, (name, ground)
    for name in ("error", "warning", "note", "accent"):
        assert contrast(colours[name], colours[f"{name}-soft"]) >= 4.5, name
    for name in ("c0", "c3", "c4", "strong-line"):
        assert contrast(colours[name], colours["paper"]) >= (1.5 if name == "strong-line" else 3), name
