"""What the demo shows of each command's output unless all of it is asked for: the lines that tell the story."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final

LONGEST: Final = 132
"""Characters of a line; a longer one is cut."""

_PLANNED = re.compile(r"  [+~!.-] ")
_WHEN = re.compile(r"\d{4}-\d{2}-\d{2} ")
_SUMMARY = re.compile(r"(\d+ (error|warning|note)|Nothing drifted)")
_ABOUT = ("owner", "purpose", "why a key", "scopes", "rotation")
_BREAK = re.compile(r" *<br> *")


def brief(words: Sequence[str], text: str) -> list[str]:
    """Return the lines of one `keysteward` command that are worth reading; `words` are those behind the program."""
    lines = [line.rstrip() for line in text.splitlines() if line.strip()]
    name = " ".join(words[:2]) if words[0] == "audit" else words[0]
    chosen = _CHOICES[name](lines) if name in _CHOICES else lines
    return [line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…" for line in chosen]


def _preview(lines: list[str]) -> list[str]:
    return [line for line in lines if _PLANNED.match(line)] + lines[-1:]


def _show(lines: list[str]) -> list[str]:
    about = [line for line in lines if line.strip().startswith(_ABOUT)]
    return [*about, *(line for line in lines if "in an emergency" in line)]


def _audit(lines: list[str]) -> list[str]:
    return [f"  {line}" for line in lines if _WHEN.match(line)]


def _verified(lines: list[str]) -> list[str]:
    return [line for line in lines if line.strip().startswith(("✓", "✗"))]


def _whose(lines: list[str]) -> list[str]:
    return [*lines[:1], *(line for line in lines if line.strip().startswith(("next", "or ")))]


def _revoked(lines: list[str]) -> list[str]:
    return [line for line in lines if ": ended for good" in line or " works; " in line]


def _drift(lines: list[str]) -> list[str]:
    before = ["", *lines]
    found = [
        line for line, last in zip(lines, before, strict=False) if ": unmanaged: " in line or ": unmanaged: " in last
    ]
    return [*found, *(line for line in lines if _SUMMARY.match(line))]


def _reviewed(lines: list[str]) -> list[str]:
    cells = [line.strip("| ").split(" | ") for line in lines if line.startswith("| **")]
    rows = [f"  {risk}: {name}: {what} ({rule}); {approve}" for risk, name, what, rule, approve in cells]
    plain = [_BREAK.sub(": ", row).replace("*", "").replace("`", "") for row in rows]
    return [*plain, *(line.replace("`", "") for line in lines if line.startswith("Approval needed"))]


_CHOICES: Mapping[str, Callable[[list[str]], list[str]]] = {
    "preview": _preview,
    "up": lambda lines: lines[-1:],
    "show": _show,
    "audit show": _audit,
    "audit verify": _verified,
    "whose": _whose,
    "revoke": _revoked,
    "drift": _drift,
    "review": _reviewed,
}
