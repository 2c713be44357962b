"""What a pull request changes beside declarations: programs, and what jobs run or are steered by. Pure.

A program of the head answers for the head: it can tell less than it does. What is told here is told from the names of
files alone, before any of it runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from keysteward.core.review.found import Noted
from keysteward.core.review.sorts import Sort
from keysteward.core.review.what_runs import PROGRAM, RECORDS, STACKS, runs_as

_SHOWN = 12

_CARDS = ".keysteward/"
_DECLARING = "declarations that are a program"

_WORDS = {
    RECORDS: "no record is committed: one that is would end a secret or stop its rotation",
    _CARDS: "an emergency works from it where the stack does not load",
    _DECLARING: "what this review says of them they said themselves, so read the diff; jobs run them with credentials",
}
_RUN = "jobs run it, or are steered by it, with credentials; no review can say what it does, so read the diff"


@dataclass(frozen=True, slots=True)
class ChangedFile:
    """A file that differs between the sides, by its path in the repository, with / between its parts.

    `project` is the folder of the project there ("" for the repository itself). `runs` says that it is one of those
    that need no name to be run: an executable, a symbolic link or another repository.
    """

    path: str
    how: Literal["added", "changed", "removed"] = "changed"
    project: str = ""
    runs: bool = False


def files(changed: Iterable[ChangedFile]) -> Iterator[Noted]:
    """Yield what to know of the files that no declaration tells about, those of one kind together."""
    kinds: dict[str, list[ChangedFile]] = {}
    for file in changed:
        what = _what(file)
        if what is not None:
            kinds.setdefault(what, []).append(file)
    for what, of_kind in sorted(kinds.items()):
        sort = {RECORDS: Sort.RECORD_COMMITTED, _CARDS: Sort.CARD_CHANGED, _DECLARING: Sort.STACK_PROGRAM}.get(what)
        title = "stack card" if what == _CARDS else what
        words = f"{title}: {_named(of_kind)}: {_WORDS.get(what, _RUN)}"
        yield Noted(sort or Sort.RUN_BY_JOBS, words)


def _what(file: ChangedFile) -> str | None:
    folder = f"{file.project}/" if file.project else ""
    inside = file.path.removeprefix(folder) if file.path.startswith(folder) else None
    what = runs_as(file.path, file.project)
    if what == RECORDS and inside is not None and inside.count("/") == 1 and inside.endswith(".json"):
        return _CARDS
    if what is None and inside is not None and file.runs:
        return PROGRAM
    if what is None and inside is not None and inside.startswith(f"{STACKS}/") and inside.endswith((".py", ".pyw")):
        return _DECLARING
    return what


def _named(of_kind: Sequence[ChangedFile]) -> str:
    named = [f"{file.path} ({file.how})" for file in sorted(of_kind, key=lambda file: file.path)]
    more = f" and {len(named) - _SHOWN} more" if len(named) > _SHOWN else ""
    return f"{', '.join(named[:_SHOWN])}{more}"
