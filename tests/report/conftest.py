"""A browser for the pages of reports."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import browser
import pytest


@pytest.fixture(scope="session")
def chromium(real_parts: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[browser.Chromium]:  # noqa: ANN401
    program = browser.program()
    if program is None:
        real_parts.skip("Chromium", f"none of {', '.join(browser.PROGRAMS)} is on PATH")
        return
    with browser.chromium(program, tmp_path_factory.mktemp("pages")) as started:
        real_parts.used("Chromium", started.version)
        yield started
