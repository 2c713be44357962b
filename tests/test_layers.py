"""Who may import whom, read off the source: nothing runs."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "keysteward"

ALLOWED = {
    "core": set(),
    "sandbox": set(),
    "testing": {"core"},
    "providers": {"core"},
    "report": {"core"},
    "modules": {"core", "providers"},
    "cli": {"core", "providers", "modules", "report", "sandbox", "testing"},
}
"""What the files of a layer may import of the others."""

MAY_IMPORT_PULUMI = {"providers/dynamic.py", "__main__.py"}


def sources() -> Iterator[Path]:
    """Yield every file of the package, once: the mounted folders by their own names."""
    for folder in (PACKAGE, ROOT / "providers", ROOT / "modules"):
        yield from sorted(p for p in folder.rglob("*.py") if not _through_link(p, folder))
    yield from sorted((ROOT / "stacks").rglob("*.py"))
    yield ROOT / "__main__.py"


def _through_link(path: Path, folder: Path) -> bool:
    return any(part.is_symlink() for part in path.parents if part != folder and folder in part.parents)


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


SOURCES = {name_of(path): path for path in sources()}


def layer_of(name: str) -> str:
    """Return "core" for keysteward/core/findings.py, "host" for keysteward/host/http.py, "" for its __init__.py."""
    parts = name.removeprefix("keysteward/").split("/")
    return parts[0] if len(parts) > 1 else ""


def imports_of(name: str) -> set[str]:
    """Return the full names a file imports; of `from a import b` both "a" and "a.b"."""
    path = SOURCES[name]
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}:{node.lineno}: write the full name"
            found |= {str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def test_every_layer_is_known() -> None:
    layers = {layer_of(name) for name in SOURCES} - {"", "stacks"}
    assert layers == set(ALLOWED)


@pytest.mark.parametrize("layer", sorted(ALLOWED))
def test_a_layer_imports_only_what_lies_below_it(layer: str) -> None:
    trespasses = [
        f"{name} imports {imported}"
        for name in SOURCES
        if layer_of(name) == layer
        for imported in sorted(imports_of(name))
        if imported.split(".")[0] == "keysteward" and not _may(layer, imported)
    ]
    assert trespasses == []


def _may(layer: str, imported: str) -> bool:
    below = imported.split(".")[1:]
    if not below or below[0] not in ALLOWED:
        return layer == "cli"  # the public namespace and the version
    return below[0] in ALLOWED[layer] | {layer}


def test_a_stack_imports_the_public_namespace_only() -> None:
    public = ("keysteward.providers", "keysteward.modules")
    for name in (n for n in SOURCES if n.startswith("stacks/")):
        inside = {i for i in imports_of(name) if i.startswith("keysteward.") and i.split(".")[1] in ALLOWED}
        assert all(i.startswith(public) for i in inside), name


@pytest.mark.parametrize("module", ["providers", "modules"])
def test_one_module_has_one_name(module: str) -> None:
    named = {name for name in SOURCES if any(i.split(".")[0] == module for i in imports_of(name))}
    assert named == set(), f"import keysteward.{module} instead"


def test_pulumi_is_imported_by_the_bridge_alone() -> None:
    importing = {name for name in SOURCES if any(i.split(".")[0] == "pulumi" for i in imports_of(name))}
    assert importing == MAY_IMPORT_PULUMI


def test_clients_alone_use_the_http_session() -> None:
    session = "keysteward.host.http.Session"
    importing = [name for name in SOURCES if session in imports_of(name)]
    assert importing
    assert all(name.endswith("/client.py") for name in importing), importing


def test_the_core_reads_neither_clock_nor_randomness_nor_the_network() -> None:
    forbidden = {"time", "random", "secrets", "os", "socket", "requests", "subprocess", "pulumi", "uuid"}
    for name in (n for n in SOURCES if layer_of(n) == "core"):
        assert not {i.split(".")[0] for i in imports_of(name)} & forbidden, name


def test_the_public_namespace_is_light() -> None:
    program = "import sys, keysteward; print([m for m in ('pulumi', 'requests', 'hvac', 'typer') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd="/")
    assert done.stdout.strip() == "[]"


def test_everything_the_public_namespace_promises_is_there() -> None:
    import keysteward  # noqa: PLC0415 - read off the source above, looked at here

    assert [name for name in keysteward.__all__ if not hasattr(keysteward, name)] == []
