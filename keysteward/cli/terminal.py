"""Where output goes: answers to stdout, questions, progress and errors to stderr. Nothing is read as markup."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Any, TextIO, cast

import typer
from pydantic import SecretStr
from rich.console import Console, RenderableType
from rich.text import Text

from keysteward.core.errors import KeystewardError
from keysteward.core.plain import plain, tame

FILE_WIDTH = 200
"""Columns for tables that go to a file or a pipe."""

LONGEST_SECRET = 8_000
"""Characters of a value: servers take no longer header (Apache httpd, LimitRequestFieldSize: 8190)."""

_SECRET = re.compile(rb"[\x21-\x7e]+")
_LINE_BREAKS = (b"\r\n", b"\n")


def console(*, stderr: bool = False) -> Console:
    """Return a console for stdout or stderr as they are now."""
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else FILE_WIDTH
    return Console(file=cast("IO[str]", _Tamed(stream)), width=width, markup=False, highlight=False, emoji=False)


class _Tamed:
    """A stream on which no line is a command to the CI system that reads it, however a table breaks its lines."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write lines, tamed."""
        return self._stream.write(tame(text))

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever else the stream can do
        return getattr(self._stream, name)


@contextmanager
def meanwhile(words: str) -> Iterator[None]:
    """Show on a terminal that something is under way which takes a while. Also a decorator."""
    out = console(stderr=True)
    if not out.is_terminal:
        yield
        return
    with out.status(words):
        yield


def show(lines: Iterable[RenderableType], *, stderr: bool = False) -> None:
    """Print lines and tables. Lines are never wrapped: a terminal does that, and a file needs none."""
    out = console(stderr=stderr)
    for item in lines:
        out.print(item, soft_wrap=isinstance(item, Text))


def show_json(document: Mapping[str, Any]) -> None:
    """Print one JSON document."""
    echo(json.dumps(document, indent=2) + "\n", as_json=True)


def echo(text: str, *, as_json: bool = False) -> None:
    """Print text that ends with its last line, without a command to the CI system that reads it.

    In JSON such a one is written with an escape: it is the same document.
    """
    typer.echo(text.replace("##", "#\\u0023") if as_json else tame(text), nl=False)


def say(text: str) -> None:
    """Tell a person something, on stderr."""
    typer.echo(tame(plain(text)), err=True)


def say_error(error: KeystewardError) -> None:
    """Print an error's sentences on stderr, one a line."""
    for sentence in str(error).splitlines():
        typer.secho(tame(f"error: {plain(sentence)}"), err=True, fg=typer.colors.RED)


def interactive() -> bool:
    """Say whether somebody can answer a question."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def read_secret(what: str) -> SecretStr:
    """Read one value from standard input; at a terminal ask for it, and show nothing.

    One trailing line break is dropped. Raises KeystewardError for what no key can be, without repeating it.
    """
    if interactive() or sys.stdin.isatty():
        raw = str(typer.prompt(f"{what} (not shown)", hide_input=True, err=True)).encode()
    else:
        raw = sys.stdin.buffer.read(LONGEST_SECRET + len(_LINE_BREAKS))
    for end in _LINE_BREAKS:
        if raw.endswith(end):
            raw = raw[: -len(end)]
            break
    if not raw:
        raise KeystewardError("no value was given; pipe it in, or run this at a terminal and paste it")
    if b"\n" in raw or b"\r" in raw:
        raise KeystewardError("more than one line was given; give the value alone")
    if len(raw) > LONGEST_SECRET:
        raise KeystewardError(f"more than {LONGEST_SECRET} characters were given, give the value alone")
    if not _SECRET.fullmatch(raw):
        raise KeystewardError("white space, or what is no ASCII character, was given; give the value alone")
    return SecretStr(raw.decode())


def confirm_or_stop(question: str, *, yes: bool) -> None:
    """Ask on stderr, unless `yes`. Ends the command when declined; raises KeystewardError when nobody can answer."""
    if yes:
        return
    if not interactive():
        raise KeystewardError(
            "nothing was changed: nobody can be asked here; look at the plan with `keysteward preview`, then add --yes"
        )
    if not typer.confirm(f"\n{question}", default=False, err=True):
        say("Nothing was changed.")
        raise typer.Exit(1)
