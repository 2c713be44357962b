"""Texts from elsewhere, which anybody may have chosen, as names and as plain text. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

from keysteward.core.declare.credentials import NAME

LONGEST_NAME: Final = 100


class Names:
    """Gives each thing a valid name that nothing else has."""

    def __init__(self, taken: Iterable[str]) -> None:
        self._taken = set(taken)

    def give(self, text: str, otherwise: str, *, own: str | None = None) -> str:
        """Return a name made from a text from elsewhere; `own` is taken by the very thing that gets the name."""
        name = base = readable(text) or otherwise
        number = 1
        while name in self._taken and name != own:
            number += 1
            name = f"{base}-{number}"
        self._taken.add(name)
        return name


def readable(text: str) -> str:
    """Return a text from elsewhere as a valid name: letters, digits and _.- in place of anything else."""
    ascii_only = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", ascii_only).strip("-._")[:LONGEST_NAME].rstrip("-._")
    return name if NAME.fullmatch(name) else ""


def clean(text: str) -> str:
    """Return a text without control characters and without white space around it."""
    hidden = {"Cc", "Cf", "Cs", "Zl", "Zp", "Cn", "Co"}
    spaced = "".join(" " if c in "\t\r\n" else c for c in text)
    return "".join(c for c in spaced if unicodedata.category(c) not in hidden).strip()
