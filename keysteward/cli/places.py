"""Where each declaration of a stack stands in the repository: for findings that are shown beside the source."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from keysteward.cli.declarations import project_files
from keysteward.cli.loading import module_name
from keysteward.cli.opening import Opened
from keysteward.report.sarif import Places


def places_of(opened: Opened, stack: str | None) -> Places:
    """Return file, relative to the repository, and line by identity; the stack is where its module begins."""
    root = Path.cwd()
    files = project_files(root, module_name(stack, root))
    top = _top(root)
    found: dict[str, tuple[str, int]] = {}
    names = {d.name for d in opened.stack.declarations}
    for file in files:
        for name, line in _named(file):
            if name in names:
                found.setdefault(opened.identity(name), (_short(file, top), line))
    if files:
        found.setdefault(opened.stack.identity, (_short(files[0], top), 1))
    return found


def _named(file: Path) -> Iterator[tuple[str, int]]:
    """Yield each literal first argument of a call, with the call's line."""
    try:
        tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        first = node.args[0]
        if isinstance(first, ast.Constant) and isinstance(first.value, str):
            yield first.value, node.lineno


def _top(root: Path) -> Path:
    """Return the folder of the repository that holds the project; the project itself where there is none."""
    return next((folder for folder in (root, *root.parents) if (folder / ".git").exists()), root)


def _short(file: Path, top: Path) -> str:
    return file.relative_to(top.resolve()).as_posix() if file.is_relative_to(top.resolve()) else file.as_posix()
