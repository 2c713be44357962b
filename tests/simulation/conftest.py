"""The simulation's lines in the summary of a test run."""

from __future__ import annotations

import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print what was played, what happened, and what was excused."""
    from test_simulation import SUMMARY  # noqa: PLC0415 - known only where the simulation was collected

    lines = config.stash.get(SUMMARY, [])
    if lines:
        terminalreporter.section("simulation")
        for line in lines:
            terminalreporter.write_line(line)
