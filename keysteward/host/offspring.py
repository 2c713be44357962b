"""Ends what a child started, however it hid: what is left of it when we go on is nothing.

A program can leave its process group and its parent (setsid, a double fork). On Linux an orphan becomes the child of
the nearest ancestor that asks for it (prctl(2), PR_SET_CHILD_SUBREAPER); elsewhere only the process group can be ended.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from keysteward.core.errors import Unavailable

_PDEATHSIG, _GET_DUMPABLE, _SET_DUMPABLE, _SET_SUBREAPER, _GET_SUBREAPER = 1, 3, 4, 36, 37
"""Numbers of prctl(2), from linux/prctl.h."""

ENDING_SECONDS: Final = 20.0
"""How long what is killed may take to be gone."""

_AGAIN_SECONDS: Final = 0.01

_LINUX: Final = sys.platform == "linux"


@contextmanager
def ended() -> Iterator[None]:
    """End whatever was started meanwhile, by us or below us, and let none of it read our memory or environment.

    Children that are there before are left alone. Raises Unavailable when something cannot be ended.
    """
    before, adopts, shows = _children(), _get(_GET_SUBREAPER), _get(_GET_DUMPABLE)
    _prctl(_SET_SUBREAPER, 1)
    _prctl(_SET_DUMPABLE, 0)
    try:
        yield
    finally:
        try:
            _end_others(before)
        finally:
            _prctl(_SET_DUMPABLE, shows)
            _prctl(_SET_SUBREAPER, adopts)


def end_with_parent() -> None:
    """Have this process killed when its parent is."""
    _prctl(_PDEATHSIG, signal.SIGKILL)


def _end_others(before: frozenset[int]) -> None:
    """Kill our children that were not there before, and theirs, which become ours as soon as they have no parent."""
    deadline = time.monotonic() + ENDING_SECONDS
    while left := _children() - before:
        for child in left:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(child, signal.SIGKILL)
            with suppress(ChildProcessError):
                os.waitpid(child, os.WNOHANG)
        if time.monotonic() > deadline:
            listed = ", ".join(str(child) for child in sorted(left)[:5])
            raise Unavailable(
                f"what the code of the stack started cannot be ended (process {listed}): look at it on this machine, "
                "which is to be trusted no more"
            )
        time.sleep(_AGAIN_SECONDS)


def _children() -> frozenset[int]:
    """Return the processes whose parent we are; none where there is no /proc."""
    if not _LINUX:
        return frozenset()
    ours = os.getpid()
    return frozenset(int(one.name) for one in Path("/proc").iterdir() if one.name.isdigit() and _parent(one) == ours)


def _parent(process: Path) -> int | None:
    """Return the parent of a process: the second field after the name, which stands in brackets and may hold any."""
    try:
        return int((process / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[1])
    except (OSError, IndexError, ValueError):
        return None


def _get(what: int) -> int:
    """Return a setting of this process: prctl answers one of them, and writes the other to an address."""
    if not _LINUX:
        return 0
    found = ctypes.c_int(0)
    answered = _prctl(what, ctypes.byref(found) if what == _GET_SUBREAPER else 0)
    return found.value if what == _GET_SUBREAPER else answered


def _prctl(what: int, value: object) -> int:
    """Call prctl(2); where there is none nothing is done."""
    if not _LINUX:
        return 0
    number = ctypes.c_ulong(value) if isinstance(value, int) else value
    return int(ctypes.CDLL(None).prctl(ctypes.c_int(what), number, 0, 0, 0))
