"""Starts what takes long in processes of their own, as many as there are processors; prints what was counted.

They begin with the session and give way to it, and the tests that wait for them come last: a processor is free most of
the time.
"""

from __future__ import annotations

import multiprocessing
import os
import tempfile
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import tally

BEGIN = "begin"
LOWEST_PRIORITY = 19
Outcome = Future[Any]

BEGUN = pytest.StashKey[dict[str, Outcome]]()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "begin(function): begin function(case, folder) in a process with the session")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    lines = tally.lines()
    if lines:
        terminalreporter.section("real kills")
        for line in lines:
            terminalreporter.write_line(line)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.get_closest_marker(BEGIN) is not None)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Begin the cases of all tests that are marked so: each has a sandbox of its own, so that they do not meet."""
    session.config.stash[BEGUN] = outcomes = {}
    cases = {item: marker for item in session.items if (marker := item.get_closest_marker(BEGIN)) is not None}
    if not cases or session.config.option.collectonly:
        return
    folders = tempfile.TemporaryDirectory(prefix="kills-")
    session.config.add_cleanup(folders.cleanup)
    context = multiprocessing.get_context("spawn")
    plain = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    pool = ProcessPoolExecutor(os.cpu_count(), context, os.nice, (LOWEST_PRIORITY,))
    session.config.add_cleanup(lambda: pool.shutdown(cancel_futures=True))  # before the folders: the last comes first
    with mock.patch.dict(os.environ, plain, clear=True):  # measured, they would take twice as long
        for number, (item, marker) in enumerate(cases.items()):
            if not any(mark.args and mark.args[0] for mark in item.iter_markers("skipif")):
                folder = Path(folders.name) / str(number)
                folder.mkdir()
                case = item.callspec.params["case"]  # type: ignore[attr-defined]
                outcomes[item.nodeid] = pool.submit(marker.args[0], case, folder)


@pytest.fixture
def outcome(request: pytest.FixtureRequest) -> Any:  # noqa: ANN401 - of the test's function
    """Return what the test's own case came to."""
    return request.config.stash[BEGUN][request.node.nodeid].result()
