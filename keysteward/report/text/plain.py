"""Lines for a terminal of text from elsewhere, made safe to show."""

from __future__ import annotations

from rich.text import Text

from keysteward.core.plain import plain

__all__ = ["line", "plain", "shortened"]


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


def many(count: int, one: str, more: str = "") -> str:
    """Return "1 key" or "1,200 keys"; `more` is the word for several where that is not the one with an s."""
    return f"{count:,} {one if count == 1 else more or f'{one}s'}"
