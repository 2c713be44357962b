"""Sees what a process starts and what it has on the disk for a while. Other processes load it as sitecustomize.py."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

Tell = Callable[[str, bytes], None]
KEY = f".{hashlib.sha256(b'age.key').hexdigest()[:12]}-"
"""How the file begins under which the local store's own key is made, beside the key and with its mode."""
_listening: list[Tell] = []
_hooked: list[bool] = []


def look(tell: Tell) -> None:
    """Tell arguments and environment of every program started from here, and every file before it is gone.

    Until `look_away`; the audit hook itself cannot be taken away again.
    """
    _listening.append(tell)
    if len(_hooked) > 0:
        return
    _hooked.append(True)

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if not _listening:
            return
        tell = _listening[-1]
        if event == "subprocess.Popen":
            program, words, _folder, environment = arguments
            seen = os.environ if environment is None else environment
            tell(f"arguments of {Path(os.fsdecode(program)).name}", repr(words).encode())  # type: ignore[arg-type]
            tell(f"environment of {Path(os.fsdecode(program)).name}", repr(seen).encode())  # type: ignore[arg-type]
        elif event in {"os.remove", "os.rename"} and isinstance(arguments[0], (str, bytes, os.PathLike)):
            path = Path(os.fsdecode(arguments[0]))
            if "__pycache__" not in str(path) and not path.name.startswith(KEY) and path.is_file():
                with suppress(OSError):
                    tell("file for a while", os.fsencode(path) + b"\n" + path.read_bytes())

    sys.addaudithook(hook)


def look_away() -> None:
    """Tell nothing more."""
    _listening.clear()


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
