"""Reads the owners file (YAML: `teams`, `people` and `consumers`, each with `contact` and `state`)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from keysteward.core.declare.owners import INCONSISTENT, Owners
from keysteward.core.declare.stack import Stack
from keysteward.core.errors import DeclarationError
from keysteward.host.strict_yaml import read_file

WORDS = {"missing": "is required", "extra_forbidden": "is not a field here; remove or correct it"}


def owners_of(stack: Stack, root: Path | None = None) -> Owners:
    """Return a stack's owners, reading its file relative to the project root (default: the working folder).

    Raises DeclarationError with one sentence for each problem, each naming the file, line and field.
    """
    if isinstance(stack.owners, Owners):
        return stack.owners
    path = (root or Path.cwd()) / stack.owners
    try:
        with path.open("rb"):
            document = read_file(path, f"owners file {path}")
    except OSError as error:
        raise DeclarationError(
            f"owners file {path} cannot be read ({error.strerror}); correct Stack(owners=...)"
        ) from None
    try:
        return Owners.model_validate_json(json.dumps(document.value or {}), strict=True)
    except ValidationError as error:
        sentences = [
            f"{document.name}, line {document.line(path)}: {'.'.join(map(str, path)) or 'it'}: {text}"
            for path, text in _problems(error)
        ]
        raise DeclarationError("\n".join(sentences)) from None


def _problems(error: ValidationError) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield each problem with the path of its field."""
    for problem in error.errors(include_url=False, include_input=False):
        if problem["type"] == INCONSISTENT:
            yield from problem["ctx"]["problems"]
        else:
            yield problem["loc"], WORDS.get(problem["type"], problem["msg"].removeprefix("Value error, "))
