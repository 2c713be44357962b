"""Files that are there whole or not at all, for their owner only."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from keysteward.core.errors import AccessDenied, KeystewardError, Unavailable

FILE_MODE = 0o600
FOLDER_MODE = 0o700
_SCRATCH = ".tmp"

_UNNAMED = getattr(os, "O_TMPFILE", 0)
_OPENED = Path("/proc/self/fd")
_HAS_NONE = {errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL}
"""What opening one says on a file system that has no files without a name, and on a kernel before Linux 3.11."""


@contextmanager
def file_errors(what: str) -> Iterator[None]:
    """Turn an OSError into ours, naming the file: AccessDenied for a missing right, else Unavailable."""
    failure: KeystewardError | None = None
    try:
        yield
    except PermissionError as error:
        failure = AccessDenied(f"{what}: no right to use {error.filename}; run as its owner, or give the right")
    except OSError as error:
        failure = Unavailable(f"{what}: {error.filename or 'a file'} cannot be used ({error.strerror}); fix it")
    if failure is not None:
        raise failure


def read_file(path: Path) -> bytes | None:
    """Read a file; None when it is not there."""
    try:
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - a look reads thousands; half the time of a Path's
            return file.readall()
    except (FileNotFoundError, NotADirectoryError):
        return None


def replace_file(path: Path, content: bytes) -> None:
    """Put a file in place of what is there, in one step that a power cut does not halve.

    One process at a time: what another one left half written is removed.
    """
    _remove_scratch(path)
    scratch = _scratch(path, content)
    try:
        scratch.replace(path)
    except BaseException:
        scratch.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def create_file(path: Path, content: bytes) -> bool:
    """Put a file where there is none, whole; say False when there is one already.

    Several processes may do it at once. One that is killed leaves nothing, where there are files without a name.
    """
    make_folder(path.parent)
    try:
        if not _link_unnamed(path, content):
            _link_scratch(path, content)
    except FileExistsError:
        return False
    sync_folder(path.parent)
    return True


def remove_file(path: Path) -> None:
    """Remove a file for good, with what was left half written of it; gone already is success."""
    _remove_scratch(path)
    path.unlink(missing_ok=True)
    if path.parent.is_dir():
        sync_folder(path.parent)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it that only its owner may enter; one that is there stays as it is.

    The name of each that is made lasts through a power cut: else a file in it, synced itself, would be out of reach.
    """
    missing = []
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    for item in reversed(missing):
        item.mkdir(mode=FOLDER_MODE, exist_ok=True)
        sync_folder(item.parent)


def sync_folder(folder: Path) -> None:
    """Make a change of names in a folder last through a power cut."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock among threads and processes; the system frees it when the holder dies."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT, FILE_MODE)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _link_unnamed(path: Path, content: bytes) -> bool:
    """Write a file without a name and give it its one; False where there are none (open(2), O_TMPFILE).

    Raises FileExistsError.
    """
    if not (_UNNAMED and _OPENED.is_dir()):
        return False
    try:
        handle = os.open(path.parent, os.O_WRONLY | _UNNAMED, FILE_MODE)
    except OSError as error:
        if error.errno in _HAS_NONE:
            return False
        raise
    with os.fdopen(handle, "wb") as file:
        _write(file, content)
        # Only with a folder given does link() follow what is a symbolic link in /proc.
        os.link(_OPENED / str(handle), path, src_dir_fd=handle, follow_symlinks=True)
    return True


def _link_scratch(path: Path, content: bytes) -> None:
    """Write a file beside it and give it its name. Raises FileExistsError."""
    scratch = _scratch(path, content)
    try:
        path.hardlink_to(scratch)
    finally:
        scratch.unlink(missing_ok=True)


def _scratch(path: Path, content: bytes) -> Path:
    """Write a synced temporary file beside `path`; such names begin with a dot, which no document's does."""
    make_folder(path.parent)
    handle, name = tempfile.mkstemp(prefix=_scratch_prefix(path), suffix=_SCRATCH, dir=path.parent)
    with os.fdopen(handle, "wb") as file:
        _write(file, content)
    return Path(name)


def _write(file: BinaryIO, content: bytes) -> None:
    file.write(content)
    file.flush()
    os.fsync(file.fileno())


def _remove_scratch(path: Path) -> None:
    """Remove the temporary files that killed processes left beside `path`."""
    for left in path.parent.glob(f"{_scratch_prefix(path)}*{_SCRATCH}"):
        left.unlink(missing_ok=True)


def _scratch_prefix(path: Path) -> str:
    """Return how the temporary files of one name begin; hashed, since a name may be as long as names can be."""
    return f".{hashlib.sha256(os.fsencode(path.name)).hexdigest()[:12]}-"
