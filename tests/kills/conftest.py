"""Prints how many kill points were tested."""

from __future__ import annotations

import pytest
import tally


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if tally.COUNTS:
        terminalreporter.section("real kills")
        for line in tally.lines():
            terminalreporter.write_line(line)
