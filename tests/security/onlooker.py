"""Sees what a process starts and what it has on the disk for a while. Other processes load it as sitecustomize.py."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from pathlib import Path
from types import ModuleType
from typing import Any

Tell = Callable[[str, bytes], None]
KEY = f".{hashlib.sha256(b'age.key').hexdigest()[:12]}-"
"""How the file begins under which the local store's own key is made, beside the key and with its mode."""
_instead_of: list[tuple[ModuleType, str, Callable[..., Any]]] = []


def look(tell: Tell) -> None:
    """Tell arguments and environment of every program started from here, and every file before it is gone.

    Until `look_away`. What another module kept under a name of its own before is not seen: in a process that runs
    already that is `tempfile`, when it closes a file it named.

    This is no audit hook: one cannot be taken away again, and is called whenever coverage begins to trace a thread.
    Python 3.11 refuses a second thread that begins meanwhile ("Cannot install a trace function while another trace
    function is being installed", python/cpython#98257), which then dies with its work undone.
    """

    def announced(event: str, *arguments: Any) -> None:  # noqa: ANN401 - what the event comes with
        if event == "subprocess.Popen":
            program, words, _folder, environment = arguments
            seen = os.environ if environment is None else environment
            tell(f"arguments of {Path(os.fsdecode(program)).name}", repr(words).encode())
            tell(f"environment of {Path(os.fsdecode(program)).name}", repr(seen).encode())

    def going(*arguments: object, **named: object) -> None:
        name = arguments[0] if arguments else named.get("path", named.get("src"))
        if isinstance(name, (str, bytes, os.PathLike)):
            path = Path(os.fsdecode(name))
            if "__pycache__" not in str(path) and not path.name.startswith(KEY) and path.is_file():
                with suppress(OSError):
                    tell("file for a while", os.fsencode(path) + b"\n" + path.read_bytes())

    _see_first(sys, "audit", announced)  # subprocess says there what it starts
    for name in ("remove", "unlink", "rename", "replace"):
        _see_first(os, name, going)


def _see_first(module: ModuleType, name: str, see: Callable[..., None]) -> None:
    """Have every call of a function seen before it is made."""
    function = getattr(module, name)

    @wraps(function)
    def seen(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401 - what the function takes and returns
        see(*arguments, **named)
        return function(*arguments, **named)

    if function in os.supports_dir_fd:
        os.supports_dir_fd.add(seen)
    _instead_of.append((module, name, function))
    setattr(module, name, seen)


def look_away() -> None:
    """Tell nothing more."""
    while _instead_of:
        module, name, function = _instead_of.pop()
        os.supports_dir_fd.discard(getattr(module, name))
        setattr(module, name, function)


def tell_of_this_process(tell: Tell) -> None:
    """Tell what the system shows of this process to others."""
    if sys.platform == "linux":
        for part in ("cmdline", "environ"):
            tell(f"{part} of a process", Path(f"/proc/self/{part}").read_bytes())


def into(folder: Path) -> Tell:
    """Return a way to tell that keeps each thing in a file of its own."""
    count = 0

    def tell(where: str, content: bytes) -> None:
        nonlocal count
        count += 1
        (folder / f"{os.getpid()}-{count}").write_bytes(where.encode() + b"\n" + content)

    return tell
