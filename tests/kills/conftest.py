"""Starts what takes long in processes of their own, as many as there are processors; prints what was counted."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from typing import Any
from unittest import mock

import pytest
import tally

BEGIN = "begin"
Outcome = Future[Any]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "begin(function): begin function(case, folder) in a process when the first asks")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    lines = tally.lines()
    if lines:
        terminalreporter.section("real kills")
        for line in lines:
            terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def begun(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Outcome]]:
    """Begin the cases of all tests that are marked so: each has a sandbox of its own, so that they do not meet."""
    context = multiprocessing.get_context("spawn")
    plain = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    outcomes = {}
    with ProcessPoolExecutor(os.cpu_count(), mp_context=context) as pool:
        with mock.patch.dict(os.environ, plain, clear=True):  # measured, they would take twice as long
            for item in request.session.items:
                marker = item.get_closest_marker(BEGIN)
                skipped = any(mark.args and mark.args[0] for mark in item.iter_markers("skipif"))
                if marker is not None and not skipped:
                    case = item.callspec.params["case"]  # type: ignore[attr-defined]
                    outcomes[item.nodeid] = pool.submit(marker.args[0], case, tmp_path_factory.mktemp("kills"))
        yield outcomes
        pool.shutdown(cancel_futures=True)


@pytest.fixture
def outcome(begun: dict[str, Outcome], request: pytest.FixtureRequest) -> Any:  # noqa: ANN401 - of the test's function
    """Return what the test's own case came to."""
    return begun[request.node.nodeid].result()
