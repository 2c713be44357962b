"""Make docs/images/inventory.png again: the page of the inventory in Chromium, with the details of one key.

Run `python tests/report/picture.py` in the repository's folder; it needs Chromium on PATH.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from browser import PROGRAMS, chromium, program
from inventory_company import company

from keysteward.report.inventory.page import inventory_page

PICTURE = Path(__file__).parents[2] / "docs" / "images" / "inventory.png"
COUNT, WIDTH, HEIGHT = 512, 1_440, 1_380


def main() -> None:
    """Take the picture."""
    found = program()
    if found is None:
        sys.exit(f"none of {', '.join(PROGRAMS)} is on PATH")
    page = inventory_page(company(COUNT))
    with (
        tempfile.TemporaryDirectory() as folder,
        chromium(found, Path(folder)) as browser,
        browser.show(page, width=WIDTH, height=HEIGHT) as opened,
    ):
        opened.page.click("th >> nth=0")
        opened.page.click("tr.item >> nth=2")
        opened.page.screenshot(path=str(PICTURE))


if __name__ == "__main__":
    main()
