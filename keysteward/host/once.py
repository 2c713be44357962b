"""One object of equal settings in a process: clients keep connections, tokens and keys, which targets share by it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import cache, wraps
from typing import ParamSpec, TypeVar

Given = ParamSpec("Given")
Made = TypeVar("Made")


def once(make: Callable[Given, Made]) -> Callable[Given, Made]:
    """Make `make` return what it made for equal arguments before; threads that ask at once get the same object."""
    kept = cache(make)
    lock = threading.Lock()

    @wraps(make)
    def made(*args: Given.args, **kwargs: Given.kwargs) -> Made:
        with lock:
            return kept(*args, **kwargs)  # type: ignore[arg-type]  # the arguments are hashable settings

    return made
