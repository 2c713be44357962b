"""Who may import whom, read off the source: nothing runs. docs/architecture.md draws the same rooms."""

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
    "host": {"core"},
    "operations": {"core", "host"},
    "providers": {"core", "host"},
    "report": {"core", "operations"},
    "modules": {"core", "host", "providers"},
    "sandbox": set(),
    "testing": {"core", "host"},
    "cli": {"core", "host", "operations", "providers", "modules", "report", "sandbox", "testing"},
}
"""What the files of a layer may import of the others."""

BESIDE = {"providers/dynamic.py": {"operations"}}
"""What single files may import besides: Pulumi's door runs operations, as the command line does."""

CORE = (
    *("contract", "declare", "record", "observe", "plan", "assess", "run"),
    *("policy", "review", "drift", "audit", "forecast"),
)
"""The rooms of `core`, from below: each imports only those before it. Files beside the rooms lie below them all."""

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


def module_of(name: str) -> str:
    """Return the name under which a file is imported: "keysteward.host.http" for keysteward/host/http.py."""
    full = name if name.startswith("keysteward/") else f"keysteward/{name}"
    return full.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


MODULES = {module_of(name): name for name in SOURCES if not name.startswith(("stacks/", "__main__"))}


def layer_of(name: str) -> str:
    """Return "core" for keysteward/core/findings.py, "host" for keysteward/host/http.py, "" for its __init__.py."""
    parts = name.removeprefix("keysteward/").split("/")
    return parts[0] if len(parts) > 1 else ""


def imports_of(name: str) -> set[str]:
    """Return the full names a file imports, wherever it does; of `from a import b` both "a" and "a.b"."""
    path = SOURCES[name]
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}:{node.lineno}: write the full name"
            found |= {str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def ours(name: str) -> set[str]:
    """Return the modules of ours that a file imports; a package counts when nothing more exact is meant."""
    found = imports_of(name) & set(MODULES)
    return {m for m in found if not any(other.startswith(f"{m}.") for other in found)} - {module_of(name)}


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
        if imported.split(".")[0] == "keysteward" and not _may(name, imported)
    ]
    assert trespasses == []


def _may(name: str, imported: str) -> bool:
    layer, below = layer_of(name), imported.split(".")[1:]
    if not below or below[0] not in ALLOWED:
        return layer == "cli"  # the public namespace and the version
    return below[0] in ALLOWED[layer] | BESIDE.get(name, set()) | {layer}


def test_the_rooms_of_the_core_are_known() -> None:
    assert {p.name for p in (PACKAGE / "core").iterdir() if (p / "__init__.py").exists()} == set(CORE)


@pytest.mark.parametrize("room", ["", *CORE])
def test_a_room_of_the_core_imports_only_rooms_below_it(room: str) -> None:
    above = set(CORE[CORE.index(room) + 1 :]) if room else set(CORE)
    trespasses = [
        f"{name} imports {imported}"
        for name in SOURCES
        if layer_of(name) == "core" and _room_of(module_of(name)) == room
        for imported in sorted(ours(name))
        if _room_of(imported) in above
    ]
    assert trespasses == []


def _room_of(module: str) -> str:
    """Return "plan" for keysteward.core.plan.steps, "" for keysteward.core.findings and for what is not of the core."""
    parts = module.split(".")
    return parts[2] if parts[1:2] == ["core"] and len(parts) > 2 and parts[2] in CORE else ""


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Late imports, and those for types alone, count like others: a circle of them is one thing in two files."""
    left = {module: ours(name) for module, name in MODULES.items()}
    while free := {module for module, needs in left.items() if not needs & set(left)}:
        left = {module: needs for module, needs in left.items() if module not in free}
    while ends := {module for module in left if not any(module in needs for needs in left.values())}:
        left = {module: needs for module, needs in left.items() if module not in ends}
    assert {module: sorted(needs & set(left)) for module, needs in left.items()} == {}


def test_a_stack_imports_the_public_namespace_only() -> None:
    public = ("keysteward.providers", "keysteward.modules")
    for name in (n for n in SOURCES if n.startswith("stacks/")):
        inside = {i for i in imports_of(name) if i.startswith("keysteward.") and i.split(".")[1] in ALLOWED}
        assert all(i.startswith(public) for i in inside), name


@pytest.mark.parametrize("module", ["providers", "modules"])
def test_one_module_has_one_name(module: str) -> None:
    named = {name for name in SOURCES if any(i.split(".")[0] == module for i in imports_of(name))}
    assert named == set(), f"import keysteward.{module} instead"


def test_the_face_for_adapters_hands_on_the_contract_and_the_errors() -> None:
    allowed = ("keysteward.core.contract.", "keysteward.core.errors")
    assert all(module.startswith(allowed) for module in ours("keysteward/contract.py"))


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


def test_no_name_of_a_class_means_two_things_in_the_core() -> None:
    defined: dict[str, list[str]] = {}
    for name in (n for n in SOURCES if layer_of(n) == "core"):
        for node in ast.parse(SOURCES[name].read_text(encoding="utf-8")).body:
            named = [node.name] if isinstance(node, ast.ClassDef) else _alias(node)
            for word in named:
                defined.setdefault(word, []).append(name)
    assert {word: places for word, places in defined.items() if len(places) > 1} == {}


def _alias(node: ast.stmt) -> list[str]:
    """Return the name of a type that a statement gives: `Rule = Callable[[World], Decision]`."""
    if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.Subscript | ast.BinOp):
        return []
    names = [target.id for target in node.targets if isinstance(target, ast.Name)]
    return [name for name in names if name[0].isupper() and not name.isupper()]
