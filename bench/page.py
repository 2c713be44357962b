"""The page of the inventory with 5,000 rows: its size, the time to write it, how long a browser takes to filter it."""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path

from measurement import Measurement, Results, versions

from keysteward.report.inventory.page import inventory_page

ROWS = 5_000
MEGABYTES = 10.0
FREEZE_MS = 100.0
WORDS = ("team-billing", "invoice", "orders:read", "KS014", "insurer")

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

WATCH = """() => {
  window.long = [];
  new PerformanceObserver((list) => window.long.push(...list.getEntries().map((e) => e.duration)))
    .observe({ type: "longtask" });
}"""
"""Notes tasks of more than 50 ms (W3C Long Tasks)."""

SORTED = """async () => {
  const taken = [];
  for (const column of ["name", "owner", "age", "next", "findings"]) {
    const begun = performance.now();
    document.querySelector(`[data-sort=${column}]`).click();
    document.body.offsetHeight;
    taken.push(performance.now() - begun);
    await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  }
  return taken;
}"""


def measure(results: Results) -> None:
    """Write the page, then type into its search and sort it."""
    sys.path.append(str(Path(__file__).parents[1] / "tests" / "report"))
    # both of the tests, found by the line above
    from browser import chromium, program  # type: ignore[import-not-found]  # noqa: PLC0415
    from inventory_company import company  # type: ignore[import-not-found]  # noqa: PLC0415

    inventory = company(ROWS)
    begun = time.perf_counter()
    html = inventory_page(inventory)
    name = f"inventory page: {ROWS:,} rows"
    results.add(
        Measurement(f"{name}, size", len(html.encode()) / 1e6, "MB", "page", goal=MEGABYTES),
        Measurement(f"{name}, to write it", time.perf_counter() - begun, "s", "page"),
    )
    found = program()
    if found is None:
        results.skip(f"{name}, time to filter", "page", "there is no Chromium on PATH")
        return
    with tempfile.TemporaryDirectory() as folder, chromium(found, Path(folder)) as browser:
        used = versions(chromium=browser.version)
        begun = time.perf_counter()
        with browser.show(html) as opened:
            ready = time.perf_counter() - begun
            opened.page.evaluate(WATCH)
            typed = sorted(ms for word in WORDS for ms in opened.page.evaluate(TYPED, word))
            filtering = opened.page.evaluate("window.long")
            sorts = opened.page.evaluate(SORTED)
    results.add(
        Measurement(f"{name}, opened", ready, "s", "page", versions=used),
        Measurement(f"{name}, a key typed, median", statistics.median(typed), "ms", "page", FREEZE_MS, versions=used),
        Measurement(
            f"{name}, a key typed, 19 of 20", typed[-1 - len(typed) // 20], "ms", "page", FREEZE_MS, versions=used
        ),
        Measurement(f"{name}, a key typed, longest", typed[-1], "ms", "page", versions=used),
        Measurement(
            f"{name}, longest task of the browser while typing",
            max(filtering, default=0.0),
            "ms",
            "page",
            versions=used,
        ),
        Measurement(f"{name}, sorted by another column, longest", max(sorts), "ms", "page", versions=used),
    )
