"""What an import wrote and what it left out, as people and programs read it. Pure.

JSON (`format: 1`): `format`, `stack`, `target`, `written` (false for a dry run), `folder`, `files[]` (`path`,
`entries`), `counts` (section to number), `entries[]` (`section`, `name`, `id`, `file`), `skipped[]` (`id`, `why`),
`managed[]` (`id`, `what`), `loose_scopes[]`, `guessed_expiry[]` (names), `unassigned_until`, and `next[]` (what to do).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from rich.console import RenderableType

from keysteward.core.drift.importing import Draft, Intake
from keysteward.report.run.plan import JSON_FORMAT
from keysteward.report.text.plain import line, many, plain

MANY = 10
"""So many names are told one by one; of more only how many there are."""


@dataclass(frozen=True, slots=True)
class Imported:
    """One import: what was decided, which files hold it, and what a person does next."""

    stack: str
    intake: Intake
    folder: str
    files: Mapping[str, list[Draft]] = field(default_factory=dict)
    unassigned_until: str = ""
    next: tuple[str, ...] = ()
    written: bool = True


def import_lines(done: Imported) -> Iterator[RenderableType]:
    """Say what was written, what was left out and why, and what to do next."""
    intake = done.intake
    verb = "written" if done.written else "would be written"
    total = sum(intake.counts.values())
    counted = ", ".join(f"{number} {section}" for section, number in intake.counts.items())
    yield line(
        (f"{many(total, 'declaration')} for target {intake.target} {verb} to {done.folder}", "bold"),
        f": {counted}" if counted else "",
    )
    for path, drafts in done.files.items():
        yield line(("+ ", "green"), f"{path}: {len(drafts)}")
    for why, number in Counter(item.why for item in intake.skipped).most_common():
        names = [plain(item.id) for item in intake.skipped if item.why == why]
        told = f": {', '.join(names)}" if number <= MANY else ""
        yield line(("  ", ""), f"left out, {why}: {number}{told}")
    for item in intake.managed:
        yield line(("! ", "yellow"), f"{item.id}: {item.why}")
    if intake.loose:
        told = ", ".join(intake.loose)
        yield line(("! ", "yellow"), f"scopes that stay as they are, since no API of yours is known for them: {told}")
    if intake.guessed:
        keys = many(len(intake.guessed), "key shows", "keys show")
        told = f"{keys} no last day; look at expires of {', '.join(intake.guessed[:MANY])}"
        yield line(("! ", "yellow"), told)
    for text in done.next:
        yield line(("> ", "cyan"), text)


def import_json(done: Imported) -> dict[str, Any]:
    """Return an import as JSON; see the module for the format."""
    intake = done.intake
    return {
        "format": JSON_FORMAT,
        "stack": done.stack,
        "target": intake.target,
        "written": done.written,
        "folder": done.folder,
        "files": [{"path": path, "entries": len(drafts)} for path, drafts in done.files.items()],
        "counts": intake.counts,
        "entries": [
            {"section": draft.section, "name": draft.name, "id": draft.id, "file": path}
            for path, drafts in done.files.items()
            for draft in drafts
        ],
        "skipped": [{"id": item.id, "why": item.why} for item in intake.skipped],
        "managed": [{"id": item.id, "what": item.why} for item in intake.managed],
        "loose_scopes": list(intake.loose),
        "guessed_expiry": list(intake.guessed),
        "unassigned_until": done.unassigned_until,
        "next": list(done.next),
    }
