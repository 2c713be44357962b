"""Reads stacks in a process of its own and tells them in plain values.

Started as `python -P -m keysteward.operations.read_side FILE`. The request is JSON on standard input: `now`, `stacks`
(names) and `named` (those that a person named). The answer is JSON in FILE: for each stack its `form`, its `problem` in
words, or neither where there is no such stack. Whoever starts this gives it the project's folder and no credential.
"""

from __future__ import annotations

import json
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

from keysteward.core.errors import KeystewardError
from keysteward.core.policy.check import check
from keysteward.core.review.form import dump_form, form_of
from keysteward.host.confinement import confine
from keysteward.host.offspring import end_with_parent
from keysteward.operations.loading import exported, load_stack, module_name, stack_names
from keysteward.operations.owners import owners_of
from keysteward.operations.rule_source import digests


def answer(name: str, now: datetime, *, named: bool) -> dict[str, Any]:
    """Read one stack. A module that exports no stack is none, unless a person named it."""
    if not _there(name):
        return {}
    try:
        if not named and exported(name) is None:
            return {}
        stack = load_stack(name)
        owners = owners_of(stack)
        findings = check(stack, owners, now, strict=False)
        return {"form": dump_form(form_of(stack, owners, findings, digests(stack.rules, Path.cwd())))}
    except KeystewardError as error:
        return {"problem": str(error)}
    except SystemExit:
        return {"problem": "the stack ends the process when it is loaded"}
    except Exception as error:  # noqa: BLE001 - a stack is a program: its own rules, too, may be wrong
        return {"problem": f"{type(error).__name__} when it is checked"}


def _there(name: str) -> bool:
    """Say whether there is such a stack in the working folder."""
    if name in stack_names(Path.cwd()):
        return True
    path = Path(*module_name(name, Path.cwd()).split("."))
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def main() -> None:
    """Answer one request."""
    end_with_parent()
    asked = json.loads(sys.stdin.read())
    confine(Path.cwd(), Path.home())
    now = datetime.fromisoformat(asked["now"])
    told = {name: answer(name, now, named=name in asked["named"]) for name in asked["stacks"]}
    Path(sys.argv[1]).write_text(json.dumps({"format": 1, "stacks": told}), encoding="utf-8")


if __name__ == "__main__":
    main()
