"""What local git tells of the declarations: their revision, its trailers, its notes. Nothing here uses the network."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

from keysteward.core.errors import KeystewardError, Unavailable
from keysteward.providers import children

TIMEOUT_SECONDS: Final = 10.0
NOTES: Final = "refs/notes/keysteward"
APPROVED_BY: Final = ("Approved-by", "Reviewed-by")
"""Trailers that a forge writes when it merges (GitLab: %{approved_by} and %{reviewed_by} in its template)."""

DECLARING: Final = ("stacks", "modules")
"""Folders in which a new file, too, is a change of the declarations."""

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")

_QUIET: Final = {"GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}


def revision(root: Path) -> str | None:
    """Return the commit that is checked out, with "+dirty" when the files are not what it holds; None without git.

    Dirty: a tracked file of the project's folder differs, or a new one in `stacks` or `modules` is not ignored.
    """
    commit = _ask(root, "rev-parse", "--verify", "--quiet", "HEAD^{commit}")
    if commit is None or not _COMMIT.fullmatch(commit):
        return None
    changed = _ask(root, "status", "--porcelain", "--untracked-files=no", "--", ".")
    new = _ask(root, "ls-files", "--others", "--exclude-standard", "--", *DECLARING)
    return commit if changed == "" and new == "" else f"{commit}+dirty"


def user_email(root: Path) -> str | None:
    """Return the address that git would put on a commit here."""
    return _ask(root, "config", "user.email") or None


def approvers(root: Path, commit: str) -> tuple[str, ...]:
    """Return who approved a commit as its own trailers say; nobody for what is no clean commit that is known here."""
    if not _COMMIT.fullmatch(commit):
        return ()
    keys = ",".join(f"key={key}" for key in APPROVED_BY)
    trailers = _ask(root, "log", "-1", f"--format=%(trailers:{keys},valueonly,unfold)", "--end-of-options", commit)
    lines = (line.strip() for line in (trailers or "").splitlines())
    return tuple(dict.fromkeys(line for line in lines if line))


def add_note(root: Path, text: str, commit: str = "HEAD") -> str:
    """Add a line to the note of a commit; returns the commit. Raises Unavailable when git cannot."""
    known = _ask(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{commit}^{{commit}}")
    if known is None or not _COMMIT.fullmatch(known):
        raise Unavailable(f"{commit} is no commit of a git repository at {root}; name another one, or use --file")
    name = {f"GIT_{who}_NAME": "keysteward" for who in ("AUTHOR", "COMMITTER")}
    address = {f"GIT_{who}_EMAIL": "keysteward@localhost" for who in ("AUTHOR", "COMMITTER")}
    _git(root, "notes", f"--ref={NOTES}", "append", f"--message={text}", known, more={**name, **address})
    return known


def notes(root: Path) -> list[str]:
    """Return the lines of all notes. Raises Unavailable when git cannot read them."""
    listed = _git(root, "notes", f"--ref={NOTES}", "list")
    blobs = [line.split()[0] for line in listed.splitlines() if line]
    return [line for blob in blobs for line in _git(root, "cat-file", "blob", blob).splitlines() if line]


def _ask(root: Path, *words: str) -> str | None:
    """Run git where failing is an answer, too."""
    try:
        return _git(root, *words).strip()
    except KeystewardError:
        return None


def _git(root: Path, *words: str, more: dict[str, str] | None = None) -> str:
    program = shutil.which("git")
    if program is None:
        raise Unavailable("git is not installed here; install it, or do without notes and approvals")
    command = [program, "-c", "core.fsmonitor=false", "-C", str(root), *words]
    environment = {**children.environment(), **_QUIET, **(more or {})}
    try:
        done = subprocess.run(  # noqa: S603 - the program found on PATH; what comes from outside is checked above
            command, capture_output=True, check=False, timeout=TIMEOUT_SECONDS, env=environment
        )
    except (OSError, subprocess.TimeoutExpired):
        done = None
    if done is None or done.returncode != 0:
        raise Unavailable(f"git {words[0]} failed in {root}; run it by hand to see why")
    return done.stdout.decode("utf-8", "replace")
