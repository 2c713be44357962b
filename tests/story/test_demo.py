"""`make demo`: what a newcomer sees first is a story that is short, is done for real, and holds no secret."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

from keysteward.cli.demo.brief import LONGEST, brief

MOST_LINES = 120


def test_the_demo_is_told_in_few_lines() -> None:
    path = os.pathsep.join(p for p in os.environ["PATH"].split(os.pathsep) if not shutil.which("pulumi", path=p))
    command = [sys.executable, "-m", "keysteward.cli.demo"]
    environment = {**os.environ, "PATH": path, "COLUMNS": "132"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=280)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert lines[-1].startswith("Done in ")
    assert len(lines) <= MOST_LINES
    text = "\n".join(lines)
    for told in (
        "7 to create",
        "5 to rotate",
        "Killed by SIGKILL",
        "every segment is whole and in order",
        "ended for good: generation 3",
        "secret values searched in",
        "quick-export-test: unmanaged",
        "scopes added",
    ):
        assert told in text
    assert "somebody else" not in text


def test_of_an_unknown_command_all_is_shown_but_no_endless_line() -> None:
    assert brief(["doctor"], f"one\n\n{'x' * 500}\n") == ["one", f"{'x' * (LONGEST - 1)}…"]
