"""Markdown for a forge's comment, in which text from elsewhere stays text. Pure.

Who names a client or writes a purpose must not format the comment, link, show an image, run a quick action, or call
somebody: forges look for mentions and references in the text that Markdown has become, where escaping is gone again.
So what is special to Markdown or HTML becomes a character reference (CommonMark 0.31, section 2.5: such a reference
is never structure), and what is special to a forge is parted from what follows it by a space without width.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from keysteward.report.text.plain import plain

LONGEST = 300
"""Characters of one piece of text; what is longer is cut, so that nobody pushes the rest of a comment out of sight."""

APART = "&#8203;"
"""A space without width, which neither names nor links may contain."""

_HARMLESS = frozenset(" ,.;:'\"()/-=?")
"""Punctuation that means nothing within a line, to Markdown, HTML or a forge."""

_LINKS = re.compile(r"(?i)(?<=www)(?=\.)|(?<=\bgh)(?=-\d)")
_CALLING = re.compile(r"([@#!%~$&^](?=\S)|:(?=//|[\w+-]+:))")
"""What a forge reads as somebody or something when a name follows: @team, #1, !2, %milestone, ~label, $3, &4, ^5,
:rocket:, ://.
"""

_NOT_IN_CODE = frozenset("`|\\")
"""What would end code in a line, or a cell."""

_STRUCTURE = re.compile(r"^(\d*)([-=.)])")


def cut(value: object, longest: int = LONGEST) -> str:
    """Return one line of plain text, cut to a length."""
    text = plain(value).strip()
    return text if len(text) <= longest else text[: longest - 1].rstrip() + "…"


def escape(value: object, longest: int = LONGEST) -> str:
    """Return text from elsewhere as Markdown that shows it, letter by letter, within a line or a table's cell."""
    parted = _LINKS.sub("\0", _CALLING.sub("\\1\0", cut(value, longest)))
    written = "".join(_written(character) for character in parted)
    return _STRUCTURE.sub(lambda found: f"{found[1]}&#{ord(found[2])};", written)


def _written(character: str) -> str:
    if character == "\0":
        return APART
    if character.isalnum() or character in _HARMLESS or ord(character) > 0x7F:  # noqa: PLR2004 - ASCII ends there
        return character
    return f"&#{ord(character)};"


def code(value: object, longest: int = LONGEST) -> str:
    """Return text from elsewhere as code: a name, a scope, a place. No forge looks for anybody in there."""
    text = cut(value, longest)
    if text.isascii() and text and not _NOT_IN_CODE.intersection(text):
        return f"`{text}`"
    return f"<code>{escape(text, longest)}</code>" if text else ""


def codes(values: Iterable[object], none: str = "none") -> str:
    """Return several pieces of text as code, with commas."""
    return ", ".join(code(value) for value in values) or none


def row(cells: Iterable[str]) -> str:
    """Return one row of a table; its cells are Markdown already."""
    return f"| {' | '.join(cells)} |"


def table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> list[str]:
    """Return a table's lines; cells are Markdown already."""
    names = list(heads)
    return [row(names), row("---" for _ in names), *(row(cells) for cells in rows)]
