"""The public interface from the user's side: api.py must pass a strict type checker, with no plugin and no settings."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_what_a_user_writes_passes_mypy_strict(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            sys.executable,
            *("-m", "mypy", "--strict", "--config-file=", f"--cache-dir={tmp_path / 'cache'}"),
            str(Path(__file__).parent / "api.py"),
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stdout + done.stderr
