"""Says where in the source stands what an error or a finding is about: declarations, allowances, the stack itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from keysteward.cli.source import python_source
from keysteward.cli.source.declarations import lines_by_identity, project_files
from keysteward.cli.source.places import Written, relative
from keysteward.core.declare.credentials import Allowed
from keysteward.core.declare.stack import Stack
from keysteward.core.errors import DeclarationError
from keysteward.core.policy.waivers import subject_of
from keysteward.operations.loading import module_name

Line = tuple[str, int]
"""A file, relative to the project, and a line in it; 0 is the file as a whole."""


def places_of(stack: Stack, module: str) -> dict[str, Line]:
    """Return file and line by subject, as far as they can be known; of the stack itself at least its module."""
    root = Path.cwd()
    files = project_files(root, module)
    found = lines_by_identity(root, files, [f"{stack.identity}/{declared.name}" for declared in stack.declarations])
    found |= _allowances(root, files, stack.allowed)
    for file in files[:1]:
        found[stack.identity] = _stack(root, files, stack.identity) or (relative(file, root), 0)
    return found


def placing(name: str | None) -> Callable[[DeclarationError, Stack], DeclarationError]:
    """Return what tells where errors of a whole stack stand, which was loaded by this name: for `deploy`."""
    return lambda error, stack: placed(error, stack, name)


def placed(error: DeclarationError, stack: Stack, name: str | None) -> DeclarationError:
    """Return an error of a whole stack whose sentences begin with file and line of what each is about, where known.

    `name` is the stack's, as it was loaded.
    """
    places = places_of(stack, module_name(name, Path.cwd()))
    for declared in stack.declarations:
        place = places.get(f"{stack.identity}/{declared.name}")
        if place is not None:
            places[f"{type(declared).__name__} {declared.name!r}"] = place
    if stack.identity in places:
        places[f"Stack {stack.identity!r}"] = places[stack.identity]
    return DeclarationError("\n".join(_placed(sentence, places) for sentence in error.message.splitlines()))


def _placed(sentence: str, places: Mapping[str, Line]) -> str:
    """Return a sentence behind the place of its subject, which may have colons in it."""
    parts = sentence.split(": ")
    for count in range(len(parts) - 1, 0, -1):
        place = places.get(": ".join(parts[:count]))
        if place is not None:
            return f"{place[0]}{f', line {place[1]}' if place[1] else ''}: {sentence}"
    return sentence


def _stack(root: Path, files: Iterable[Path], identity: str) -> Line | None:
    """Return where a stack is made, if that stands there literally and once."""
    made = [(relative(f, root), n) for f in files if f.suffix == ".py" for n in python_source.stack_lines(f, identity)]
    return made[0] if len(made) == 1 else None


def _allowances(root: Path, files: Iterable[Path], allowed: Iterable[Allowed]) -> dict[str, Line]:
    """Return where allowances stand, by subject: each that one place alone can mean, by all that it says literally."""
    entries = list(allowed)
    if not entries:
        return {}
    written = [each for file in files for each in _written(file)]
    found: dict[str, set[Line]] = {}
    for entry in entries:
        fitting = [each for each in written if _means(each, entry)]
        lines = {(relative(each.file, root), each.line) for each in fitting if len(fitting) == 1}
        found.setdefault(subject_of(entry), set()).update(lines or {("", 0)})
    return {subject: lines.pop() for subject, lines in found.items() if len(lines) == 1 and ("", 0) not in lines}


def _written(file: Path) -> Iterable[Written]:
    if file.suffix == ".py":
        return python_source.allowances(file)
    from keysteward.cli.source import catalog_source  # noqa: PLC0415 - only where there are catalog files

    return catalog_source.allowances(file)


def _means(written: Written, entry: Allowed) -> bool:
    said = {"target": entry.target.name, "owner": entry.owner, "reason": entry.reason, "until": str(entry.until)}
    return written.names == tuple(entry.names) and all(said[field] == text for field, text in written.says.items())
