"""Confines this process to what a stack needs to be read: the project, Python and the system's libraries, no network.

On Linux from 5.13 on, by Landlock (landlock(7)), which needs no privilege and holds for all that is started later.
Elsewhere, and for what an older kernel cannot refuse, nothing is confined. Writing is not.
"""

from __future__ import annotations

import ctypes
import os
import site
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
"""Numbers of the system calls, the same on every architecture."""

_VERSION, _PATH_BENEATH = 1, 1
_READ_FILE, _READ_DIR = 1 << 2, 1 << 3
_ALL_TCP: Final = 0b11
_ALL_SCOPES: Final = 0b11
"""Sockets without a name in the file system, and signals to processes outside."""

_SIZES: Final = ((6, 24), (4, 16), (1, 8))
"""From which version on the set of rules has how many bytes: files, then the network, then scopes."""

_NO_NEW_PRIVILEGES: Final = 38
"""Number of prctl(2): no program that is started gains rights, sudo included."""

_SYSTEM: Final = (
    *("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store"),
    *("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom"),
    *("/etc/ssl", "/etc/pki", "/etc/ca-certificates", "/etc/localtime", "/etc/timezone", "/etc/ld.so.cache"),
    *("/etc/passwd", "/etc/group", "/etc/nsswitch.conf", "/etc/hosts", "/etc/mime.types"),
)


class _RuleSet(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scopes", ctypes.c_uint64))


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("file", ctypes.c_int32))


def confine(root: Path, home: Path) -> bool:
    """Let this process read no more than the repository of `root` (but for what git keeps there), Python, and `home`.

    Returns whether the kernel can do that.
    """
    if sys.platform != "linux":
        return False
    system = ctypes.CDLL(None)
    system.prctl(_NO_NEW_PRIVILEGES, ctypes.c_ulong(1), ctypes.c_ulong(0), ctypes.c_ulong(0), ctypes.c_ulong(0))
    version = system.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _VERSION)
    if version < 1:
        return False
    size = next(size for since, size in _SIZES if version >= since)
    wanted = _RuleSet(_READ_FILE | _READ_DIR, _ALL_TCP, _ALL_SCOPES)
    rules = system.syscall(_CREATE_RULESET, ctypes.byref(wanted), ctypes.c_size_t(size), 0)
    if rules < 0:
        return False
    places = [_top(root), *_of_python()]
    for path in {*_SYSTEM, *map(str, _without_git(places)), str(home)}:
        _allow(system, rules, path, _READ_FILE | _READ_DIR)
    for place in places:
        _allow(system, rules, str(place), _READ_DIR)
    done = int(system.syscall(_RESTRICT_SELF, rules, 0))
    os.close(rules)
    return done == 0


def _allow(system: ctypes.CDLL, rules: int, path: str, rights: int) -> None:
    """Allow to read a file, or a folder and what is in it; what is not there needs no leave."""
    with suppress(OSError):
        file = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            rule = _Beneath(rights if Path(path).is_dir() else _READ_FILE, file)
            system.syscall(_ADD_RULE, rules, _PATH_BENEATH, ctypes.byref(rule), 0)
        finally:
            os.close(file)


def _of_python() -> Iterator[Path]:
    """Yield where Python, its packages and the libraries that they have loaded are."""
    folders = [sys.prefix, sys.base_prefix, sys.exec_prefix, site.getuserbase(), *sys.path]
    folders += os.environ.get("LD_LIBRARY_PATH", "").split(":")
    folders += (os.path.dirname(path) for path in _loaded())  # noqa: PTH120 - many, and as text
    for name, module in [*sys.modules.items()]:
        if name.startswith("__editable__"):  # how setuptools finds a package that is installed from its folder
            folders += getattr(module, "MAPPING", {}).values()
    yield from (Path(folder).resolve() for folder in dict.fromkeys(folders) if folder)


def _loaded() -> Iterable[str]:
    with suppress(OSError):
        lines = Path("/proc/self/maps").read_text(encoding="utf-8", errors="replace").splitlines()
        return {line.partition("/")[1] + line.partition("/")[2] for line in lines if ".so" in line}
    return ()


def _top(root: Path) -> Path:
    """Return the folder of the repository that a folder is in; the folder itself where it is in none."""
    return next((folder for folder in (root, *root.parents) if (folder / ".git").exists()), root).resolve()


def _without_git(folders: Iterable[Path]) -> Iterator[Path]:
    """Yield folders; of a repository what is in it, without its git folder, and without links that lead out of it."""
    for folder in folders:
        if (folder / ".git").exists():
            yield from (one for one in folder.iterdir() if one.name != ".git" and not one.is_symlink())
        else:
            yield folder
