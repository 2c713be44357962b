"""Lines of `keysteward doctor`, for a terminal and as JSON. Pure.

JSON (`format: 1`): `format`, `ok` (whether nothing failed) and `sections[]` with `title` and `checks[]` (`subject`,
`state`: ok, warning or failed; `detail`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from rich.text import Text

from keysteward.core.contract.ports import Check
from keysteward.report.run.plan import JSON_FORMAT
from keysteward.report.text.plain import line, many

_SYMBOLS = {"ok": ("✓", "green"), "warning": ("!", "yellow"), "failed": ("✗", "bold red")}


@dataclass(frozen=True, slots=True)
class Section:
    """Checks that belong together."""

    title: str
    checks: tuple[Check, ...]


def state(check: Check) -> str:
    """Return "ok", "warning" or "failed". A warning is never a failure, whichever way it was found."""
    if check.warning:
        return "warning"
    return "ok" if check.ok else "failed"


def failed(sections: Iterable[Section]) -> bool:
    """Say whether anything failed."""
    return any(state(check) == "failed" for section in sections for check in section.checks)


def check_lines(sections: Sequence[Section]) -> Iterable[Text]:
    """Write all checks, and one line that counts them."""
    counts = {"ok": 0, "warning": 0, "failed": 0}
    for section in sections:
        yield line((section.title, "bold"))
        for check in section.checks:
            counts[state(check)] += 1
            yield line("  ", _SYMBOLS[state(check)], f" {check.subject}: {check.detail}")
        yield Text()
    yield line(f"{counts['ok']} ok, {many(counts['warning'], 'warning')}, {counts['failed']} failed.")


def checks_json(sections: Sequence[Section]) -> dict[str, Any]:
    """Return all checks as JSON; see the module for the format."""
    return {
        "format": JSON_FORMAT,
        "ok": not failed(sections),
        "sections": [
            {
                "title": section.title,
                "checks": [{"subject": c.subject, "state": state(c), "detail": c.detail} for c in section.checks],
            }
            for section in sections
        ],
    }
