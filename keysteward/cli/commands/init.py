"""`keysteward init`: a new repository with a stack, owners, an example of a catalog, and the pipelines of a forge."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

import typer
from rich.text import Text

from keysteward.cli.locking import LOCK, NO_HASH
from keysteward.cli.new_repository import OWNERS_FILE, Choice, Forge, files
from keysteward.cli.terminal import say, show
from keysteward.core.errors import DeclarationError, Unavailable
from keysteward.host.children import environment
from keysteward.report.text.plain import line

FORGES: Mapping[str, tuple[Forge, ...]] = {
    "github": ("github",),
    "gitlab": ("gitlab",),
    "both": ("github", "gitlab"),
    "none": (),
}
SECONDS = 120
LONGEST_ENVIRONMENT = 40

_ORGANISATION = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
_ENVIRONMENT = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


def command(
    folder: Annotated[
        Path, typer.Argument(metavar="[FOLDER]", help="Folder to write to; created if it does not exist.")
    ] = Path(),
    *,
    organisation: Annotated[str, typer.Option(metavar="NAME", help="The first part of the stack's identity.")] = "acme",
    env: Annotated[
        str,
        typer.Option("--environment", metavar="NAME", help="The stack, and the second part of its identity."),
    ] = "prod",
    target: Annotated[
        str,
        typer.Option(
            metavar="KIND",
            help="What issues credentials: a kind that an installed package brings, such as keycloak, workos or iam.",
        ),
    ] = "keycloak",
    store: Annotated[
        str,
        typer.Option(
            metavar="KIND",
            help="Where secrets are delivered and ledgers lie: vault, aws, or local (one machine).",
        ),
    ] = "vault",
    ci: Annotated[
        Literal["github", "gitlab", "both", "none"], typer.Option(help="Which pipelines to write.")
    ] = "github",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be written, and write nothing.")] = False,
) -> None:
    """Create a new repository: a stack, owners, an example, and pipelines for review, apply, drift and rotation.

    Nothing that is there is overwritten. Places to fill in are marked "yours".

    Exit code 0: written; 1: an error, such as a file that is there already.
    """
    choice = _choice(organisation, env, target, store, FORGES[ci])
    made = files(choice)
    _refuse_to_overwrite(folder, list(made))
    if not dry_run:
        _write(folder, made)
        for forge in choice.forges:
            _codeowners(folder, choice.module, forge)
    show(_told(folder, made, choice, dry_run=dry_run))


def _choice(organisation: str, env: str, target: str, store: str, forges: tuple[Forge, ...]) -> Choice:
    if not _ORGANISATION.fullmatch(organisation):
        raise DeclarationError("--organisation takes letters, digits and _.- (at most 63, a letter or digit first)")
    if not _ENVIRONMENT.fullmatch(env) or len(env) > LONGEST_ENVIRONMENT:
        raise DeclarationError(
            "--environment takes small letters, digits and - between them (at most 40, a letter first)"
        )
    return Choice(organisation, env, target, store, forges, datetime.now(UTC).date())


def _refuse_to_overwrite(folder: Path, names: list[PurePosixPath]) -> None:
    """Raise DeclarationError when a file is there already, or when one stands where a folder must be."""
    if folder.exists() and not folder.is_dir():
        raise DeclarationError(f"{folder} is no folder; nothing was written")
    there = [str(name) for name in sorted(names) if os.path.lexists(folder / name)]
    there += sorted(
        {str(up) for name in names for up in name.parents if (folder / up).is_symlink() or (folder / up).is_file()}
    )
    if there:
        raise DeclarationError(
            f"nothing was written, since {folder} has {', '.join(there)} already; choose another folder, or move these"
        )


def _write(folder: Path, made: Mapping[PurePosixPath, str]) -> None:
    try:
        for name, text in made.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("x", encoding="utf-8") as file:
                file.write(text)
    except OSError as error:
        raise Unavailable(f"{folder} cannot be written ({error.strerror}); some files may be there already") from None


def _codeowners(folder: Path, module: str, forge: Forge) -> None:
    """Let the new repository say who approves what, by the command that keeps it up to date."""
    program = "from keysteward.cli.main import app; app()"
    words = ["codeowners", "--stack", module, "--format", forge, "--output", OWNERS_FILE[forge]]
    done = subprocess.run(  # noqa: S603 - our own interpreter and module
        [sys.executable, "-P", "-c", program, *words],
        cwd=folder,
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )
    if done.returncode:
        say(f"warning: {OWNERS_FILE[forge]} was not written; run `keysteward codeowners` there: {done.stderr.strip()}")


def _told(folder: Path, made: Mapping[PurePosixPath, str], choice: Choice, *, dry_run: bool) -> Iterator[Text]:
    place = folder.resolve()
    yield line("Would write to " if dry_run else "Written to ", (str(place), "bold"))
    yield from (line(f"  {name}") for name in sorted(made))
    if dry_run:
        return
    yield Text()
    yours = ", ".join(str(name) for name in sorted(made) if "# yours" in made[name])
    yield line(f'Fill in what is marked "yours" in {yours}; then:')
    if place != Path.cwd():
        yield line(f"  cd {folder}")
    if NO_HASH in made[PurePosixPath("requirements.txt")]:
        yield line(f"  {LOCK}")
        yield line("                                  # requirements.txt lacks a hash yet: jobs refuse it")
    yield line("  python -Pm venv .venv && .venv/bin/pip install -r requirements.txt")
    yield line("  .venv/bin/keysteward doctor     # says which credentials and rights are missing")
    yield line("  .venv/bin/keysteward preview    # what a first run would make")
    if choice.forges:
        yield line("  .venv/bin/keysteward codeowners # once the owners are yours")
    yield line("README.md says what to set up at the forge." if choice.forges else "README.md says what comes then.")
