"""Who listens: every logger, and every process that others start."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import onlooker
import pytest
from canary import READER_SECRET, RUNNER_SECRET, VAULT_READER, VAULT_RUNNER, WATCH, WRONG_SECRET, Evidence, Known


@pytest.fixture
def known() -> Known:
    secrets = (READER_SECRET, RUNNER_SECRET, WRONG_SECRET, VAULT_READER, VAULT_RUNNER)
    return Known(dict.fromkeys(secrets, "administrator's secret"))


@pytest.fixture
def evidence() -> Iterator[Evidence]:
    """Listen to every logger at its most talkative."""
    made = Evidence()
    loggers = [logging.getLogger(name) for name in ("", "keysteward", "urllib3", "requests", "hvac", "grpc", "pulumi")]
    levels = [logger.level for logger in loggers]
    silenced = _heard_again()
    logging.getLogger().addHandler(made)
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
    yield made
    logging.getLogger().removeHandler(made)
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)
    for logger, filters in silenced.items():
        logger.filters[:] = filters


def _heard_again() -> dict[logging.Logger, list[logging.Filter]]:
    """Take away what keeps libraries silent, as AWS's adapters do for a whole process; returns it."""
    names = ["urllib3", *(n for n in logging.root.manager.loggerDict if n.startswith("urllib3."))]
    kept = {logger: list(logger.filters) for logger in map(logging.getLogger, names)}
    for logger in kept:
        logger.filters.clear()
    return kept  # type: ignore[return-value]


@pytest.fixture
def watch(tmp_path: Path) -> dict[str, str]:
    folder = tmp_path / "watch"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(WATCH)
    path = os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {"PYTHONPATH": path, "CANARY_FILE": str(folder / "values")}


@pytest.fixture
def onlookers(watch: dict[str, str], evidence: Evidence) -> Iterator[dict[str, str]]:
    """See what is started and removed, here and in every Python process started with the environment this returns."""
    seen = Path(watch["CANARY_FILE"]).parent / "seen"
    seen.mkdir()
    site = seen.parent / "sitecustomize.py"
    own = site.read_text().replace('os.environ["CANARY_FILE"]', repr(watch["CANARY_FILE"]))
    by_us = f"\nlook(into(Path({str(seen)!r})))\nif os.getppid() != {os.getpid()}:\n"
    told = f"    tell_of_this_process(into(Path({str(seen)!r})))\n"
    site.write_text(Path(onlooker.__file__).read_text(encoding="utf-8") + own + by_us + told)
    given = "environment of keysteward"  # by whoever types the command, with the credentials in it
    onlooker.look(lambda where, content: None if where == given else evidence.add(where, content))
    yield watch
    onlooker.look_away()
