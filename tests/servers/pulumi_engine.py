"""The Pulumi engine, built from its own Go module, with the launcher of dynamic providers beside it.

It has no language host: a program is run by whoever calls the engine and gives the address of a server that has it, as
the Automation API does with inline programs.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from server_cache import ServerUnavailable, cache, make_once

HERE = Path(__file__).parent
MODULE = "github.com/pulumi/pulumi/pkg/v3"
VERSION_VARIABLE = "github.com/pulumi/pulumi/sdk/v3/go/common/version.Version"
LAUNCHER = HERE / "pulumi-resource-pulumi-python"


def version() -> str:
    """Return the version that go.mod names."""
    found = re.search(rf"{re.escape(MODULE)} v(\S+)", (HERE / "go.mod").read_text(encoding="utf-8"))
    assert found is not None
    return found[1]


def missing() -> list[str]:
    """Say what is lacking to build it: one phrase each, none when all is there."""
    return [] if shutil.which("go") else ["go: not on PATH (go.mod in tests/servers says which version is needed)"]


def folder() -> Path:
    return cache() / "pulumi" / version()


def make() -> None:
    make_once(folder(), _build)


def _build(whole: Path) -> None:
    link = f"-s -w -X {VERSION_VARIABLE}=v{version()}"
    done = subprocess.run(
        ["go", "build", "-buildvcs=false", "-ldflags", link, "-o", str(whole / "pulumi"), f"{MODULE}/cmd/pulumi"],
        cwd=HERE,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise ServerUnavailable("go could not build it:\n" + "\n".join(done.stderr.splitlines()[-15:]))
    shutil.copy2(LAUNCHER, whole)


def search_path() -> str:
    """Return a PATH on which the engine and its launcher come first, then the Python that runs this."""
    return os.pathsep.join([str(folder()), str(Path(sys.executable).parent), os.environ["PATH"]])
