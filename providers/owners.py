"""Reads the owners file (YAML: `teams` and `people`, each with `contact` and `state`)."""

from __future__ import annotations

from pathlib import Path

import yaml
from pydantic import ValidationError

from keysteward.core.errors import DeclarationError
from keysteward.core.owners import Owners
from keysteward.core.stack import Stack


def owners_of(stack: Stack, root: Path | None = None) -> Owners:
    """Return a stack's owners, reading its file relative to the project root (default: the working folder).

    Raises DeclarationError that names the file, and the line or field that is wrong.
    """
    if isinstance(stack.owners, Owners):
        return stack.owners
    path = (root or Path.cwd()) / stack.owners
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DeclarationError(
            f"owners file {path} cannot be read ({error.strerror}); correct Stack(owners=...)"
        ) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" line {mark.line + 1}" if mark is not None else ""
        raise DeclarationError(f"owners file {path}{line} is not YAML; correct it") from None
    try:
        return Owners.model_validate(document or {})
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in problem["loc"])
        raise DeclarationError(f"owners file {path}: {where}: {problem['msg']}") from None
