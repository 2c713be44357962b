"""What is built from the sources holds real files and works where only it is installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = (
    "keysteward",
    "providers",
    "modules",
    "stacks",
    "docs",
    "pyproject.toml",
    "README.md",
    "CHANGELOG.md",
    "LICENSE",
    "Makefile",
    "requirements.txt",
    "Pulumi.yaml",
    "__main__.py",
)

USE = """
import datetime, pathlib, sys
import keysteward
from keysteward.core.drift.inventory import Inventory
from keysteward.providers.keycloak import Keycloak
from keysteward.providers.vault import Vault
from keysteward.providers.vault.policy import KINDS, policy
from keysteward.report.inventory.page import inventory_page
import keysteward.modules, keysteward.testing.target_contract

folder = pathlib.Path(keysteward.__file__).parent
assert pathlib.Path(sys.prefix) in folder.parents, folder
assert not [p for p in folder.rglob("*") if p.is_symlink()]
assert (folder / "py.typed").exists()
for kind in KINDS:
    assert "secret/" in policy(kind, delivered="apps/*")
page = inventory_page(Inventory(datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC), (), "acme/prod"))
assert "<title>Credentials of acme/prod</title>" in page
corp = Keycloak("corp", url="https://id.example.com", realm="prod", admin="env:KEYCLOAK_ADMIN")
store = Vault("secrets", url="https://vault.example.com", admin="env:VAULT_RUNNER")
keysteward.M2MClient("a", target=corp, owner="t", purpose="p", rotation=keysteward.RotationSchedule(every="90d"),
                     auth_method="private_key_jwt", deliver_to=store.path("apps/a"))
print(keysteward.__version__)
"""


def run(*command: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command outside the sources; what it printed is shown when it fails."""
    settings = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd="/", env={**settings, **environment}, timeout=120
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the sources, so that nothing is built in the project's folder."""
    copy = tmp_path_factory.mktemp("source")
    for name in SOURCES:
        original, ignored = ROOT / name, shutil.ignore_patterns("__pycache__")
        if original.is_dir():
            shutil.copytree(original, copy / name, symlinks=True, ignore=ignored)
        else:
            shutil.copy(original, copy / name)
    return copy


@pytest.fixture(scope="module")
def wheel(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run(
        sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index",
        "--disable-pip-version-check", "--wheel-dir", folder, source,
    )  # fmt: skip
    [built] = folder.glob("keysteward-*.whl")
    return built


def expected() -> set[str]:
    """Return every file of the package, the mounted folders included, by its name in the wheel."""
    mounted = {"providers": ROOT / "providers", "modules": ROOT / "modules"}
    folders = {"": ROOT / "keysteward", **mounted}
    names = set()
    for prefix, folder in folders.items():
        for path in folder.rglob("*"):
            inner = path.relative_to(folder)
            if path.is_file() and "__pycache__" not in inner.parts and (prefix or inner.parts[0] not in mounted):
                names.add(Path("keysteward", prefix, inner).as_posix())
    return names


def test_the_wheel_holds_real_files_of_the_mounted_folders(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
        links = [i.filename for i in archive.infolist() if (i.external_attr >> 16) & 0o170000 == 0o120000]
    assert held == expected()
    assert {"keysteward/providers/vault/policies/reader.hcl", "keysteward/py.typed"} <= held
    assert {"keysteward/report/templates/inventory/list.js", "keysteward/schemas/inventory.schema.json"} <= held
    assert links == []


def test_it_works_where_only_the_wheel_is_installed(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", with_pip=False, symlinks=True)
    python = tmp_path / "venv" / "bin" / "python"
    run(
        sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index",
        "--disable-pip-version-check", wheel,
    )  # fmt: skip
    [site] = (tmp_path / "venv" / "lib").glob("python*/site-packages")
    [dependencies] = {path for path in sys.path if path.endswith("site-packages") and Path(path, "pydantic").exists()}
    assert not Path(dependencies, "keysteward").exists(), "the sources are installed editable"
    # After its own folder; as a plain path, so that the editable install of the sources is not found through it.
    done = run(python, "-c", USE, PYTHONPATH=os.pathsep.join([str(site), dependencies]))
    assert done.stdout.strip() == "0.1.0"
    assert "keysteward" in run(tmp_path / "venv" / "bin" / "keysteward", "--version", PYTHONPATH=dependencies).stdout


def test_the_sdist_builds_the_same_wheel(source: Path, wheel: Path, tmp_path: Path) -> None:
    program = "import sys, hatchling.build as b; print(b.build_sdist(sys.argv[1]))"
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=True, cwd=source
    )
    with tarfile.open(tmp_path / done.stdout.split()[-1]) as archive:
        archive.extractall(tmp_path, filter="data")
    [unpacked] = (p for p in tmp_path.iterdir() if p.is_dir())
    run(
        sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index",
        "--disable-pip-version-check", "--wheel-dir", tmp_path, unpacked,
    )  # fmt: skip
    [built] = tmp_path.glob("*.whl")
    with zipfile.ZipFile(built) as one, zipfile.ZipFile(wheel) as other:
        assert set(one.namelist()) == set(other.namelist())
