"""What local git tells of the declarations: their revision, its trailers, its notes. Nothing here uses the network."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from keysteward.core.errors import DeclarationError, KeystewardError, Unavailable
from keysteward.host import children

TIMEOUT_SECONDS: Final = 10.0
NOTES: Final = "refs/notes/keysteward"
APPROVED_BY: Final = ("Approved-by", "Reviewed-by")
"""Trailers that a forge writes when it merges (GitLab: %{approved_by} and %{reviewed_by} in its template)."""

DECLARING: Final = ("stacks", "modules")
"""Folders in which a new file, too, is a change of the declarations."""

CARDS: Final = ".keysteward"
"""The folder of the stack cards, which may be committed."""

CHECKOUT_SECONDS: Final = 120.0
"""How long a checkout of the base may take."""

_INERT: Final = tuple(
    word
    for setting in ("core.hooksPath=/dev/null", "protocol.allow=never", "submodule.recurse=false")
    for word in ("-c", setting)
)
"""Settings with which git runs no hook and reaches for no server."""

_VERBS: Final = frozenset({"worktree", "diff"})
"""Commands that come after settings."""

ABSENT: Final = "000000"
"""The mode of a file that is not there."""

PLAIN: Final = "100644"
"""The mode of a file that is no executable, no symbolic link and no other repository."""

_BRANCH = re.compile(r"[A-Za-z0-9][A-Za-z0-9_./-]*")
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")

_QUIET: Final = {"GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}


def revision(root: Path) -> str | None:
    """Return the commit that is checked out, with "+dirty" when the files are not what it holds; None without git.

    Dirty: a tracked file of the project's folder differs, or a new one in `stacks` or `modules` is not ignored. A stack
    card, which every run brings up to date, is none of what is declared.
    """
    commit = _ask(root, "rev-parse", "--verify", "--quiet", "HEAD^{commit}")
    if commit is None or not _COMMIT.fullmatch(commit):
        return None
    changed = _ask(root, "status", "--porcelain", "--untracked-files=no", "--", ".", f":(exclude){CARDS}")
    new = _ask(root, "ls-files", "--others", "--exclude-standard", "--", *DECLARING)
    return commit if changed == "" and new == "" else f"{commit}+dirty"


def base_commit(root: Path, ref: str) -> str:
    """Return the commit from which HEAD departed from a ref, or the ref's own where they have none in common.

    Raises DeclarationError for a ref that is not here, with what to fetch where the clone is cut short.
    """
    if _ask(root, "rev-parse", "--git-dir") is None:
        raise DeclarationError(f"--base: {root} is in no git repository, so that there is no base to compare with")
    shallow = _ask(root, "rev-parse", "--is-shallow-repository") == "true"
    commit = _commit(root, ref)
    if commit is None:
        fetch = f"; this clone is shallow, so first run: git fetch --unshallow origin {_branch(ref)}" if shallow else ""
        raise DeclarationError(f"--base: {ref!r} is no commit of the repository at {root}; correct the name{fetch}")
    common = _ask(root, "merge-base", commit, "HEAD")
    if common is None and shallow:
        raise DeclarationError(
            f"--base: this clone is shallow, and does not reach back to where HEAD departed from {ref!r}; "
            "run: git fetch --unshallow (in GitHub Actions: fetch-depth: 0; in GitLab CI: GIT_DEPTH: 0)"
        )
    return common if common is not None and _COMMIT.fullmatch(common) else commit


def _commit(root: Path, ref: str) -> str | None:
    if not ref or not ref.isprintable():
        return None
    found = _ask(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}")
    return found if found is not None and _COMMIT.fullmatch(found) else None


def _branch(ref: str) -> str:
    """Return what a ref that is not here is called where it is fetched from."""
    name = ref.removeprefix("refs/remotes/").removeprefix("refs/heads/").removeprefix("origin/")
    return name if _BRANCH.fullmatch(name) else "BRANCH"


@contextmanager
def checked_out(root: Path, commit: str) -> Iterator[Path]:
    """Check a commit out into a temporary folder; yields where the project's folder is in it, and removes all of it.

    Nothing of the repository runs: no hook, no filter, no monitor, and nothing is fetched. Raises Unavailable.
    """
    inside = folder_of(root)
    with TemporaryDirectory(prefix="keysteward-base-", ignore_cleanup_errors=True) as temporary:
        place = Path(temporary, "base")
        quiet = (*_INERT, *_no_filters(root))
        try:
            _git(root, *quiet, "worktree", "add", "--quiet", "--detach", str(place), commit, patience=CHECKOUT_SECONDS)
            yield place / inside
        finally:
            _ask(root, *_INERT, "worktree", "remove", "--force", "--force", str(place))


@dataclass(frozen=True, slots=True)
class Difference:
    """A file that differs from a commit, by its path in the repository; `was` and `mode` are modes as git has them."""

    path: str
    was: str
    mode: str


def differences(root: Path, commit: str) -> list[Difference]:
    """Return what differs between a commit and the working folder: what git tracks, and what is new and not ignored.

    What cannot be printed in a path is a question mark. Nothing of the repository runs. Raises Unavailable.
    """
    options = ("--raw", "-z", "--no-abbrev", "--no-renames", "--no-ext-diff", "--ignore-submodules=dirty")
    told = _git(root, *_INERT, *_no_filters(root), "diff", *options, commit, "--", patience=CHECKOUT_SECONDS)
    parts = told.split("\0")[:-1]
    tracked = [
        Difference(_printable(path), *facts[1:].split()[:2])
        for facts, path in zip(parts[::2], parts[1::2], strict=True)
    ]
    listed = _git(root, "ls-files", "--others", "--exclude-standard", "-z")
    inside = folder_of(root)
    new = [
        Difference(_printable(f"{inside}/{path}".lstrip("/")), ABSENT, _mode(root / path))
        for path in listed.split("\0")
        if path
    ]
    return tracked + new


def _mode(path: Path) -> str:
    """Return the mode that git would give a file that it does not track yet."""
    if path.is_symlink():
        return "120000"
    if path.is_dir():
        return "160000"
    return "100755" if os.access(path, os.X_OK) else PLAIN


def _printable(path: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in path)


def folder_of(root: Path) -> str:
    """Return where a folder is in its repository, with / between its parts; "" for the repository itself."""
    return _git(root, "rev-parse", "--show-prefix").strip().rstrip("/")


def _no_filters(root: Path) -> list[str]:
    """Return the options that switch off every filter of the configuration: each is a program that would be run."""
    listed = _ask(root, "config", "--name-only", "--get-regexp", r"^filter\..*\.(smudge|process|clean|required)$") or ""
    switched = (f"{name}={'false' if name.endswith('.required') else ''}" for name in listed.splitlines())
    return [word for setting in switched for word in ("-c", setting)]


def tracked(root: Path, folder: str) -> frozenset[str]:
    """Return what git tracks in a folder of the project, in letters of either case, as paths from the project.

    A submodule or link is one path. Nothing is tracked outside of a repository. Raises Unavailable where there is one
    and git cannot tell.
    """
    inside = any((place / ".git").exists() for place in (root, *root.parents)) or "GIT_DIR" in os.environ
    if not inside:
        return frozenset()
    listed = _git(root, "ls-files", "-z", "--", f":(icase){folder}")
    return frozenset(name for name in listed.split("\0") if name)


def top(root: Path) -> Path | None:
    """Return the folder of the repository that a folder is in; None for none."""
    found = _ask(root, "rev-parse", "--show-toplevel")
    return Path(found) if found else None


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


def _git(root: Path, *words: str, more: dict[str, str] | None = None, patience: float = TIMEOUT_SECONDS) -> str:
    program = shutil.which("git")
    if program is None:
        raise Unavailable("git is not installed here; install it, or do without notes and approvals")
    command = [program, "-c", "core.fsmonitor=false", "-C", str(root), *words]
    environment = {**children.environment(), **_QUIET, **(more or {})}
    try:
        done = subprocess.run(  # noqa: S603 - the program found on PATH; what comes from outside is checked above
            command, capture_output=True, check=False, timeout=patience, env=environment
        )
    except (OSError, subprocess.TimeoutExpired):
        done = None
    if done is None or done.returncode != 0:
        verb = next((word for word in words if word in _VERBS), words[0])
        raise Unavailable(f"git {verb} failed in {root}; run it by hand to see why")
    return done.stdout.decode("utf-8", "replace")
