"""What a program that we start gets to see of our environment: what it needs to run, and no credential."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
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
