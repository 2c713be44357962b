"""Numbers of things in words. Pure."""

from __future__ import annotations


def many(count: int, one: str, more: str = "") -> str:
    """Return "1 key" or "1,200 keys"; `more` is the word for several where that is not the one with an s."""
    return f"{count:,} {one if count == 1 else more or f'{one}s'}"
