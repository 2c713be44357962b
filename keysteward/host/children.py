"""What a program that we start gets to see of our environment: what it needs to run, and no credential."""

from __future__ import annotations

import os
import site
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_NAMES: Final = frozenset(
    {
        *("PATH", "HOME", "USER", "LOGNAME", "LANG", "TZ", "TMPDIR", "TEMP", "TMP", "VIRTUAL_ENV", "LD_LIBRARY_PATH"),
        *("SYSTEMROOT", "USERPROFILE", "APPDATA", "LOCALAPPDATA", "PATHEXT", "COMSPEC"),
        *("PULUMI_HOME", "PULUMI_SKIP_UPDATE_CHECK"),
    }
)
_FAMILIES: Final = ("LC_", "XDG_", "GIT_", "PYTHON")
"""An administrator's credential may stand under any other name: what is not known to be needed is left out."""


_SAFE_PATH: Final = {"PYTHONSAFEPATH": "1"}
"""Python puts the working folder on `sys.path` without it: a file there could stand in for any module."""


def environment() -> dict[str, str]:
    """Return the part of our environment that a child gets."""
    kept = {name: value for name, value in os.environ.items() if name in _NAMES or name.startswith(_FAMILIES)}
    return {**kept, **_SAFE_PATH}


_BARE: Final = frozenset(
    {
        *("PATH", "LANG", "TZ", "TMPDIR", "TEMP", "TMP", "VIRTUAL_ENV", "LD_LIBRARY_PATH"),
        *("SYSTEMROOT", "PATHEXT", "COMSPEC"),
    }
)
_BARE_FAMILIES: Final = ("LC_", "PYTHON")


def bare_environment(home: Path) -> dict[str, str]:
    """Return the environment of a Python program that nobody has reviewed: no credential, and an empty home.

    Git's variables are left out as well, since they can carry a header with a token; packages that are installed for
    the user are found by their path.
    """
    kept = {n: value for n, value in os.environ.items() if n in _BARE or n.startswith(_BARE_FAMILIES)}
    named = {"HOME": str(home), "USERPROFILE": str(home), "PYTHONUSERBASE": site.getuserbase()}
    return {**kept, **named, **_SAFE_PATH, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUTF8": "1"}


@contextmanager
def only_for_us() -> Iterator[None]:
    """Take the rest out of our own environment, for children whose starter takes no other; put it back at the end."""
    before = dict(os.environ)
    _become(environment())
    try:
        yield
    finally:
        _become(before)


def _become(wanted: Mapping[str, str]) -> None:
    for name in set(os.environ) - set(wanted):
        del os.environ[name]
    os.environ.update(wanted)
