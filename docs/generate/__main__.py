"""Writes the pages that are read off the code: types, defaults, errors, capabilities, rules, frameworks.

Run it with `make docs`. A test fails when a page is not what this writes, or when a field has no words here.
"""

from pathlib import Path

from pages import PAGES

for name, page in PAGES.items():
    (Path(__file__).parents[1] / name).write_text(page(), encoding="utf-8")
