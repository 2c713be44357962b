"""What a program that we start gets to see of our environment: what it needs to run, and no credential."""

from __future__ import annotations

import os
import site
from collections.abc import Iterator
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


def environment() -> dict[str, str]:
    """Return the part of our environment that a child gets."""
    return {name: value for name, value in os.environ.items() if name in _NAMES or name.startswith(_FAMILIES)}


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
    return {**kept, **named, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUTF8": "1"}


@contextmanager
def only_for_us() -> Iterator[None]:
    """Take the rest out of our own environment, for children whose starter takes no other; put it back at the end."""
    kept = environment()
    rest = {name: value for name, value in os.environ.items() if name not in kept}
    for name in rest:
        del os.environ[name]
    try:
        yield
    finally:
        os.environ.update(rest)
