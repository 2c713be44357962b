"""The two sides of a pull request: the base from git, the head from the working folder, each read in its own process.

What is read there is a program that nobody may have reviewed: it gets no credential, its output goes nowhere, and what
it answers is data.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pydantic import ValidationError

from keysteward.core.errors import DeclarationError
from keysteward.core.review import ChangedFile, Form
from keysteward.core.review.form import load_form
from keysteward.host import git, offspring
from keysteward.host.children import bare_environment
from keysteward.operations.loading import module_name, stack_names

PATIENCE_SECONDS = 120.0
"""How long a side may take to load."""

LONGEST_ANSWER = 256 * 1024 * 1024
"""Bytes that a side may answer: far more than 100,000 credentials need."""

_MEND = "look for code in the stack that writes or ends where it should only declare"


@dataclass(frozen=True, slots=True)
class Sides:
    """The stacks of both sides by name, the commit of the base, and the files that differ."""

    commit: str
    base: dict[str, Form]
    head: dict[str, Form]
    changed: tuple[ChangedFile, ...] = ()


def read_sides(root: Path, ref: str, stacks: Sequence[str], now: datetime) -> Sides:
    """Read both sides: the stacks that are named, or all that either side has. Raises DeclarationError, Unavailable."""
    commit = git.base_commit(root, ref)
    # Files and the base first: once code of the head has run, nothing on this disk is sure any more.
    changed = _changed(root, commit)
    with git.checked_out(root, commit) as before:
        names = list(dict.fromkeys(stacks)) or sorted({*stack_names(root), *stack_names(before)})
        for name in names:
            module_name(name, root)
        if not names:
            raise DeclarationError(f"neither {root} nor {ref} has a stack; run this in the project's folder")
        others = sorted({*stack_names(before)} - {*names})
        base = _read(before, names, others, now, f"the base ({ref})", named=bool(stacks)) if before.is_dir() else {}
    head = _read(root, names, [], now, "the head", named=bool(stacks))
    for name in stacks:
        if name not in head and name not in base:
            raise DeclarationError(f"there is no stack {name!r} on either side; correct --stack")
    meant = {form.identity for form in head.values()}
    return Sides(commit, {n: f for n, f in base.items() if n in names or f.identity in meant}, head, changed)


def _changed(root: Path, commit: str) -> tuple[ChangedFile, ...]:
    project = git.folder_of(root)
    return tuple(
        ChangedFile(
            file.path,
            "removed" if file.mode == git.ABSENT else "added" if file.was == git.ABSENT else "changed",
            project,
            runs=not {file.was, file.mode} <= {git.ABSENT, git.PLAIN},
        )
        for file in git.differences(root, commit)
    )


def _read(root: Path, names: list[str], others: list[str], now: datetime, side: str, *, named: bool) -> dict[str, Form]:
    """Read the stacks of a side; those of the others that do not load are left out, for nobody asked for them."""
    asked = {"now": now.isoformat(), "stacks": [*names, *others], "named": names if named else []}
    told = _ask(root, json.dumps(asked), side)
    problems = [f"{side}: stack {n}: {line}" for n in names for line in _problem(told.get(n)).splitlines()]
    if problems:
        raise DeclarationError("\n".join(problems))
    try:
        return {name: load_form(one["form"]) for name in [*names, *others] if (one := told.get(name)) and "form" in one}
    except (ValidationError, TypeError, KeyError):
        raise DeclarationError(f"{side}: what the process that reads it answered is no stack; {_MEND}") from None


def _problem(told: object) -> str:
    return str(told.get("problem", "")) if isinstance(told, dict) else ""


def _ask(root: Path, request: str, side: str) -> dict[str, Any]:
    """Let a process of its own read a side; it and whatever it started is ended before anything else is done."""
    with TemporaryDirectory(prefix="keysteward-side-", ignore_cleanup_errors=True) as temporary:
        home, file = Path(temporary, "home"), Path(temporary, "answer.json")
        home.mkdir()
        with offspring.ended():
            _run([sys.executable, "-P", "-m", "keysteward.operations.read_side", str(file)], root, home, request, side)
        return _answer(file, side)


def _run(command: list[str], root: Path, home: Path, request: str, side: str) -> None:
    child = subprocess.Popen(  # noqa: S603 - our own interpreter and module
        command,
        cwd=root,
        env=bare_environment(home),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        child.communicate(request.encode(), timeout=PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        raise DeclarationError(f"{side}: it does not load within {PATIENCE_SECONDS:.0f} seconds; {_MEND}") from None
    finally:
        _end(child)


def _end(child: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def _answer(file: Path, side: str) -> dict[str, Any]:
    try:
        fits = not file.is_symlink() and file.stat().st_size <= LONGEST_ANSWER
        told = json.loads(file.read_text(encoding="utf-8"))["stacks"] if fits else None
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise DeclarationError(f"{side}: the process that reads it ended without an answer; {_MEND}") from None
    if not isinstance(told, dict):
        raise DeclarationError(f"{side}: the process that reads it answered something else; {_MEND}")
    return told
