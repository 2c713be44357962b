"""Writes what a person wants in a file: whole or not at all, readable for its owner only."""

from __future__ import annotations

from pathlib import Path

from keysteward.core.errors import DeclarationError, NotFound
from keysteward.host.files import file_errors, replace_file


def write_output(option: str, path: Path, content: bytes) -> None:
    """Write a file that an option names, over one that is there.

    A link, a pipe and a device such as /dev/stdout are written to, and never replaced.
    """
    with file_errors(option):
        if not path.parent.is_dir():
            raise NotFound(f"{option}: there is no folder {path.parent}; make it, or name another file")
        if path.is_dir():
            raise DeclarationError(f"{option}: {path} is a folder; name a file in it")
        if path.is_symlink() or (path.exists() and not path.is_file()):
            path.write_bytes(content)
        else:
            replace_file(path, content)
