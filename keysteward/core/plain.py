"""Text from elsewhere made safe to show: client names, descriptions and reasons come from servers and files. Pure."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode categories that move the cursor, reverse the line or show nothing: control, format, surrogate, separators."""

_COMMAND: Final = re.compile(r"^(?P<before>\s*)(?=::[A-Za-z])|(?<=#)(?=#[A-Za-z]*\[)", re.MULTILINE)
"""What a CI system reads as a command in a job's output: "::name" at the start of a line (GitHub, which skips white
space before it), "##[name]" anywhere (GitHub, Azure Pipelines), "##vso[" and "##teamcity[" anywhere."""


def plain(value: object) -> str:
    """Return one line of text without control characters; what stood for white space becomes a space."""
    text = str(value)
    if text.isprintable():  # most are, and nothing printable is hidden
        return text
    return "".join(" " if c in "\t\r\n" else c for c in text if c in "\t\r\n" or unicodedata.category(c) not in _HIDDEN)


def one_line(text: str) -> str:
    r"""Return a text as one line that shows all that was in it, control characters as escapes such as "\x1b"."""
    if not text.isprintable():
        text = "".join(_shown(c) for c in text)
    return tame(text)


def _shown(c: str) -> str:
    return c.encode("unicode_escape").decode() if unicodedata.category(c) in _HIDDEN else c


def tame(text: str) -> str:
    """Return lines in which nothing is a command to the CI system that shows them: a backslash stands before it."""
    return _COMMAND.sub(lambda found: f"{found['before'] or ''}\\", text)
