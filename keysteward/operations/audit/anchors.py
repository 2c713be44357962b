"""Heads of the evidence log kept outside of its ledger store: in a file, in git notes, in an S3 object.

An anchor is one line of JSON, the signed head. Lines are added, never replaced: each is one more place to compare with.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from keysteward.core.audit.chain import Head, canonical, dump_head, load_head
from keysteward.core.errors import Damaged, NotFound
from keysteward.host.files import file_errors, make_folder
from keysteward.host.git import NOTES, add_note, notes
from keysteward.operations.descriptors import imported

GIT_NOTE: Final = "git-note"
S3_SCHEME: Final = "s3://"
S3_OBJECT: Final = "keysteward.providers.aws.s3:S3Object"
"""The class of what an s3:// address names: lines that can be read and added to."""


@dataclass(frozen=True, slots=True)
class Anchored:
    """What one place holds for one stack: heads, and how many lines were no head or had a wrong signature."""

    where: str
    heads: tuple[Head, ...]
    spoilt: int = 0


def line_of(head: Head) -> str:
    """Write a head as one line."""
    return canonical(dump_head(head)).decode("utf-8", "replace")


def anchor_in_file(head: Head, path: Path) -> str:
    """Add a head to a file; returns where it is."""
    with file_errors(str(path)):
        make_folder(path.absolute().parent)
        whole = not path.exists() or path.read_bytes()[-1:] in {b"", b"\n"}
        with path.open("ab") as file:
            file.write(("" if whole else "\n").encode() + line_of(head).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
    return str(path)


def anchor_in_git(head: Head, root: Path, commit: str) -> str:
    """Add a head to the note of a commit; returns where it is."""
    return f"the note of commit {add_note(root, line_of(head), commit)} ({NOTES})"


def anchor_in_s3(head: Head, url: str) -> str:
    """Add a head to an S3 object; returns where it is."""
    imported(S3_OBJECT)(url).add_line(line_of(head))
    return url


def read_anchors(where: str, stack: str, root: Path) -> Anchored:
    """Read the anchors of a stack: "git-note", "s3://bucket/key" or a file. Raises NotFound when there are none."""
    if where == GIT_NOTE:
        lines = notes(root)
    elif where.startswith(S3_SCHEME):
        lines = imported(S3_OBJECT)(where).lines()
    else:
        lines = _lines_of(Path(where))
    found = _anchored(where, stack, lines)
    if not found.heads and not found.spoilt:
        raise NotFound(f"{where} holds no anchor of {stack}; name the place that `keysteward audit anchor` wrote to")
    return found


def _lines_of(path: Path) -> list[str]:
    with file_errors(str(path)):
        if not path.exists():
            raise NotFound(f"there is no file {path}; name the one that `keysteward audit anchor --file` wrote to")
        return path.read_bytes().decode("utf-8", "replace").splitlines()


def _anchored(where: str, stack: str, lines: Iterable[str]) -> Anchored:
    heads, spoilt = [], 0
    for line in filter(str.strip, lines):
        try:
            head = load_head(json.loads(line))
        except (ValueError, RecursionError, Damaged):
            spoilt += 1
            continue
        if head.stack != stack:
            continue
        if head.signature and not head.signed:
            spoilt += 1
        else:
            heads.append(head)
    return Anchored(where, tuple(heads), spoilt)
