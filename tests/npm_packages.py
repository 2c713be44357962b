"""Packages that tests take from npm, by name and exact version, kept in the user's cache; their scripts do not run."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

import platformdirs

INSTALL_SECONDS = 280
OPTIONS = ("--ignore-scripts", "--omit=optional", "--no-save", "--no-audit", "--no-fund", "--loglevel=error")


class NpmUnavailable(Exception):
    """A package cannot be had here; the message says why."""


def installed(name: str, version: str) -> Path:
    """Return the folder of an installed package, its dependencies beside it; fetched at first use."""
    kept = Path(platformdirs.user_cache_dir("keysteward")) / "npm" / f"{name.strip('@').replace('/', '-')}-{version}"
    if not kept.is_dir():
        _install(name, version, kept)
    return kept / "node_modules" / name


def _install(name: str, version: str, kept: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise NpmUnavailable("npm is not on PATH")
    kept.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=kept.parent, prefix="fetching-") as folder:
        command = [npm, "install", *OPTIONS, "--prefix", folder, f"{name}@{version}"]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, check=False, cwd=folder, timeout=INSTALL_SECONDS
            )
        except subprocess.TimeoutExpired:
            raise NpmUnavailable(f"npm did not fetch {name}@{version} within {INSTALL_SECONDS} s") from None
        if done.returncode != 0:
            raise NpmUnavailable(f"npm could not fetch {name}@{version}: {done.stderr.strip().splitlines()[0]}")
        whole = Path(folder) / "whole"
        whole.mkdir()
        (Path(folder) / "node_modules").rename(whole / "node_modules")
        try:
            whole.rename(kept)
        except OSError:
            if not kept.is_dir():
                raise
