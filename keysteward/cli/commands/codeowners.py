"""`keysteward codeowners`: who approves a change of which file, from declarations and owners file. Needs no secret."""

from __future__ import annotations

import difflib
import shlex
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from keysteward.cli.commands.review import StacksOption
from keysteward.cli.source.declarations import find_owners, project_files
from keysteward.cli.terminal import say, show
from keysteward.core.declare.owners import Owners
from keysteward.core.declare.stack import Stack
from keysteward.core.errors import DeclarationError, Unavailable
from keysteward.core.review.codeowners import (
    DEFAULT,
    PLACES,
    Forge,
    InFile,
    Listing,
    listing,
    merged,
    names_everything,
    overruled,
    overruling,
)
from keysteward.host import git
from keysteward.operations.loading import FOLDER, exported, load_stack, module_name, stack_names
from keysteward.operations.owners import owners_of
from keysteward.report.text.plain import line

OUT_OF_DATE = 2
"""Exit code of `--check` when the file is not what would be written."""


def command(
    *,
    stack: StacksOption = None,
    check: Annotated[
        bool,
        typer.Option(
            "--check", help=f"Write nothing; exit with {OUT_OF_DATE} and a diff when the file is out of date."
        ),
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            metavar="FILE",
            help="The file. Default: the one the forge reads, .github/CODEOWNERS if none is there.",
        ),
    ] = None,
    forge: Annotated[Forge, typer.Option("--format", help="Whose syntax.")] = "github",
) -> None:
    """Update CODEOWNERS from the owners file: who approves changes to each file that declares credentials.

    Security is asked for whatever no line names. What stands outside of keysteward's two comments is left as it is.

    Exit code 0: written, or up to date; 1: an error; 2: with --check, out of date, or nobody is asked for some files.
    """
    root = Path.cwd()
    top = git.top(root) or root
    path = output or _where(top, forge)
    made = _listing(root, top, path, stack or ())[forge]
    for problem in made.problems:
        say(f"warning: {problem}")
    text = _read(path)
    wanted = merged(text, made.lines)
    holes = list(_holes(wanted, made, forge, whole=top.resolve() == root.resolve()))
    shown = path.relative_to(root) if path.is_relative_to(root) else path
    for hole in holes:
        say(f"{shown}: {hole}")
    if check:
        _compare(text, wanted, str(shown), _again(stack, forge, output))
        if not made.guards:
            say(f"{shown}: nobody is asked for a file that no line names; write security= into the owners file")
        if holes or not made.guards:
            raise typer.Exit(OUT_OF_DATE)
    elif wanted == text:
        show([line(f"{shown} is up to date")])
    else:
        _write(path, wanted)
        show([line(f"{shown} is written")])


def _holes(text: str, made: Listing, forge: Forge, *, whole: bool) -> Iterator[str]:
    """Warn of lines of people that count in place of ours, or do not count; yield where nobody is asked for a file."""
    for pattern in overruling(text):
        if forge == "github" and names_everything(pattern):
            yield f"{pattern} stands after the part of keysteward and takes every file from it; move it before that"
        else:
            say(f"warning: {pattern} stands after the part of keysteward, and counts where both name a file")
    for pattern in overruled(text) if forge == "github" and whole and made.guards else ():
        say(
            f"warning: {pattern} stands before the part of keysteward, whose first line names every file; move it "
            "behind that part if it is to count"
        )


def _where(top: Path, forge: Forge) -> Path:
    there = (top / place for place in PLACES[forge] if (top / place).is_file())
    return next(there, top / DEFAULT[forge])


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError):
        raise DeclarationError(
            f"{path} cannot be read as text; correct it, or name another file with --output"
        ) from None


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
    except OSError as error:
        raise Unavailable(f"{path} cannot be written ({error.strerror}); name another file with --output") from None


def _again(stack: Sequence[str] | None, forge: Forge, output: Path | None) -> str:
    """Return the command that writes what was checked."""
    words = [word for name in stack or () for word in ("--stack", name)]
    words += [] if forge == "github" else ["--format", forge]
    words += [] if output is None else ["--output", str(output)]
    return shlex.join(["keysteward", "codeowners", *words])


def _compare(text: str, wanted: str, name: str, write: str) -> None:
    if text == wanted:
        show([line(f"{name} is up to date")])
        return
    diff = difflib.unified_diff(text.splitlines(), wanted.splitlines(), name, f"{name} (as it should be)", lineterm="")
    show(line(one) for one in diff)
    say(f"{name} is out of date; run: {write}")
    raise typer.Exit(OUT_OF_DATE)


@dataclass(frozen=True)
class _Loaded:
    """One stack, its owners, and the files of the project that were loaded with it, its own module first."""

    stack: Stack
    owners: Owners
    files: list[Path]


def _listing(root: Path, top: Path, path: Path, stacks: Sequence[str]) -> dict[Forge, Listing]:
    loaded = list(_load(root, stacks))
    if not loaded:
        raise DeclarationError(f"{root / FOLDER} holds no stack; go to the project's folder")
    files = {one.stack.owners for one in loaded if isinstance(one.stack.owners, str)}
    if len({one.owners.model_dump_json() for one in loaded}) > 1:
        raise DeclarationError(f"the stacks have different owners files ({', '.join(sorted(files))}); name one --stack")
    held = [held for one in loaded for held in _held(top, one)]
    folders = [_inside(top, root / FOLDER)]
    kept = [_inside(top, root / file) for file in sorted(files)] + [_inside(top, path)]
    return listing(
        held, _inside(top, root), folders, [name for name in kept if name], loaded[0].owners, datetime.now(UTC).date()
    )


def _load(root: Path, stacks: Sequence[str]) -> Iterator[_Loaded]:
    """Load one stack after the other, each as the only one: a name means what it means there."""
    for name in stacks or stack_names(root):
        if stacks or exported(name) is not None:
            stack = load_stack(name)
            yield _Loaded(stack, owners_of(stack), project_files(root, module_name(name, root)))
        for module in [m for m in sys.modules if m.partition(".")[0] == FOLDER]:
            del sys.modules[module]


def _held(top: Path, loaded: _Loaded) -> Iterator[InFile]:
    """Yield each credential with the file that declares it; what no file names is its stack's module's."""
    specs = loaded.stack.specs.values()
    waived = {declared.name for declared in loaded.stack.credentials if declared.waivers}
    for owner in sorted({spec.owner for spec in specs}):
        theirs = [spec for spec in specs if spec.owner == owner]
        places = find_owners(loaded.files, [spec.name for spec in theirs], owner)
        for spec, place in zip(theirs, places, strict=True):
            path = _inside(top, place.file)
            if path:
                yield InFile(spec, path, waived=spec.name in waived)


def _inside(top: Path, path: Path) -> str:
    """Return a path as the repository names it; "" for one outside of it."""
    place, folder = path.absolute(), top.absolute()
    if not place.is_relative_to(folder):
        place, folder = path.resolve(), top.resolve()
    inside = place.relative_to(folder).as_posix() if place.is_relative_to(folder) else ""
    return "" if inside == "." else inside
