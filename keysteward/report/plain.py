"""Text from elsewhere made safe to show: client names, descriptions and reasons come from servers and files."""

from __future__ import annotations

import unicodedata

from rich.text import Text

_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode categories that move the cursor, reverse the line or show nothing: control, format, surrogate, separators."""


def plain(value: object) -> str:
    """Return one line of text without control characters; what stood for white space becomes a space."""
    text = str(value)
    if text.isprintable():  # most are, and nothing printable is hidden
        return text
    return "".join(" " if c in "\t\r\n" else c for c in text if c in "\t\r\n" or unicodedata.category(c) not in _HIDDEN)


def line(*parts: tuple[object, str] | str) -> Text:
    """Put pieces of (text, style), or unstyled text, into one line. Nothing in them is read as markup."""
    made = Text()
    for part in parts:
        text, style = (part, "") if isinstance(part, str) else part
        made.append(plain(text), style=style or None)
    return made


def shortened(name: str, longest: int) -> str:
    """Return a name without what is too much of it."""
    text = plain(name)
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
