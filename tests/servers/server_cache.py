"""Where servers for tests are kept: one folder of the user's cache, in which everything is whole or not there."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import platformdirs

OVERRIDE = "KEYSTEWARD_SERVERS"
UNFINISHED = "making-"


class ServerUnavailable(Exception):
    """A server cannot be had here; the message says why."""


def cache() -> Path:
    """Return the folder; `KEYSTEWARD_SERVERS` names another one."""
    return Path(os.environ.get(OVERRIDE) or platformdirs.user_cache_dir("keysteward"))


def make_once(folder: Path, make: Callable[[Path], None]) -> None:
    """Let `make` fill an empty folder that becomes `folder` only when it is whole."""
    if folder.is_dir():
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache(), prefix=UNFINISHED) as scratch:
        whole = Path(scratch) / "whole"
        whole.mkdir()
        make(whole)
        whole.rename(folder)


@contextmanager
def making() -> Iterator[None]:
    """Be the only one who makes servers, and remove what others that were killed had begun."""
    cache().mkdir(parents=True, exist_ok=True)
    with (cache() / ".making").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for unfinished in cache().glob(f"{UNFINISHED}*"):
            shutil.rmtree(unfinished)
        yield
