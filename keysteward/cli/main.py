"""The command line: `keysteward`. Errors reach the user as one sentence each, without frames and without a secret."""

from __future__ import annotations

import errno
import logging
import os
import sys
import traceback
from typing import Annotated, Any, Literal

import typer
from typer.core import TyperGroup

import keysteward
from keysteward.cli.registry import Commands
from keysteward.cli.terminal import say, say_error
from keysteward.core.errors import KeystewardError
from keysteward.core.plain import one_line
from keysteward.operations.exit_codes import INTERRUPTED
from keysteward.operations.notices import NOTICES
from keysteward.report.text.plain import shortened

DEBUG = "KEYSTEWARD_DEBUG"
LONGEST_PATH = 200
"""Characters of a path in an error."""
NOT_REPEATED = "What was typed is not repeated here: it may be a secret."


UsageError: Any = typer.BadParameter.__mro__[1]
"""The class of every wrong option and argument; typer exports only this one subclass of it."""


class _Commands(TyperGroup):
    """The group of commands; 1 is always an error, so that 2 stays free for "something is due"."""

    def __init__(self, **settings: Any) -> None:  # noqa: ANN401 - whatever typer gives a group
        super().__init__(**{**settings, "commands": Commands()})

    def make_context(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - typer's own signature
        """Let a wrong option be an error like any other."""
        try:
            return super().make_context(*args, **kwargs)
        except UsageError as error:
            raise _told(error) from None

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 - typer's own signature
        """Run the command; whatever goes wrong is told in one sentence."""
        try:
            return super().invoke(ctx)
        except KeystewardError as error:
            _trace()
            say_error(error)
            raise typer.Exit(error.exit_code) from None
        except UsageError as error:
            raise _told(error) from None
        except KeyboardInterrupt:
            say("interrupted")
            raise typer.Exit(INTERRUPTED) from None
        except (typer.Exit, typer.Abort):
            raise
        except Exception as error:
            if isinstance(error, OSError) and error.errno == errno.EPIPE:
                raise
            _trace()
            if isinstance(error, OSError) and error.filename is not None and error.strerror:
                name = shortened(os.fsdecode(error.filename), LONGEST_PATH)
                say(f"error: {name} cannot be used ({error.strerror}); fix that, then run again")
                raise typer.Exit(1) from None
            say(f"error: internal error ({type(error).__name__}); run again with {DEBUG}=1 and report it")
            raise typer.Exit(1) from None


def _told(error: Any) -> Any:  # noqa: ANN401 - a UsageError
    """Return the error of wrong words without those words: one of them may be a secret in the wrong place."""
    error.exit_code = 1
    wrong = str(error.message)
    told = ""
    if hasattr(error, "possibilities"):
        told = "No such option."
    elif wrong.startswith("No such command"):
        _, means, command = wrong.rpartition("Did you mean ")
        told = f"No such command. {means}{command if means else ''}".strip()
    elif wrong.startswith("Got unexpected extra argument"):
        told = "There is an argument too many."
    elif isinstance(error, typer.BadParameter) and "'" in wrong:  # a choice, which repeats what was chosen
        _, known, choices = wrong.rpartition(" is not one of ")
        day = "does not match the format" in wrong
        other = "it must be a day, such as 2027-01-31." if day else "it does not take this value."
        told = f"it must be one of {choices}" if known else other
    if told:
        error.message = f"{told} {NOT_REPEATED}"
    return error


def _trace() -> None:
    if os.environ.get(DEBUG):
        typer.echo(_lines(traceback.format_exc()), err=True)


app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"keysteward {keysteward.__version__}")
        raise typer.Exit


@app.callback()
def settings(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"],
        typer.Option("--log-level", envvar="KEYSTEWARD_LOG_LEVEL", help="What is logged to stderr."),
    ] = "warning",
) -> None:
    """Machine credentials under version control: declared, reviewed, rotated with overlap.

    Run it in the project's folder. `pulumi preview` and `pulumi up` do the same through Pulumi.
    """
    del version
    logger = logging.getLogger("keysteward")
    logger.setLevel(log_level.upper())
    for handler in [h for h in logger.handlers if isinstance(h, _Handler)]:
        logger.removeHandler(handler)
    logger.addHandler(_Handler())
    notices = logging.getLogger(NOTICES)
    notices.propagate = False
    notices.handlers = [_Notices(logging.WARNING)]


class _Notices(logging.Handler):
    """Shows what a person should know as a sentence, whatever is logged."""

    def emit(self, record: logging.LogRecord) -> None:
        say(f"warning: {record.getMessage()}")


class _Handler(logging.StreamHandler[Any]):
    """Writes log lines to stderr: one for each message, whatever names from servers are in it."""

    def __init__(self) -> None:
        super().__init__(sys.stderr)
        self.setFormatter(_Formatter("%(levelname)s %(name)s %(message)s"))


class _Formatter(logging.Formatter):
    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the base class's name
        return one_line(super().formatMessage(record))

    def formatException(self, ei: Any) -> str:  # noqa: ANN401, N802 - the base class's signature
        return _lines(super().formatException(ei))


def _lines(text: str) -> str:
    """Return a traceback line by line, each safe to show."""
    return "\n".join(one_line(line) for line in text.splitlines())
