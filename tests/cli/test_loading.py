"""A stack is found by its name; whatever is wrong with it is one sentence that says where."""

from __future__ import annotations

import os
import py_compile
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from cli_project import Project

from keysteward import RotationSchedule
from keysteward.core.errors import DeclarationError
from keysteward.host.stack_modules import refuse_stand_ins


def module(project: Project, text: str, name: str = "demo") -> None:
    (project.root / "stacks" / f"{name}.py").write_text(text, encoding="utf-8")


def test_the_only_stack_needs_no_name_and_two_do(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    module(project, "from project_in_memory import stack\n", "prod")

    ambiguous = project.run("preview")
    assert ambiguous.code == 1
    assert "no stack was named; choose one with --stack: demo, prod" in ambiguous.err
    assert project.run("preview", "--stack", "demo").code == 0
    assert project.run("preview", "--stack", "stacks.prod").code == 0
    monkeypatch.setenv("KEYSTEWARD_STACK", "prod")
    assert project.run("preview").code == 0


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("from keysteward import Stak\n", "stacks/demo.py, line 1: ImportError: cannot import name 'Stak'"),
        ("stack = \n", "stacks/demo.py, line 1: SyntaxError: invalid syntax"),
        ("import os\n\nstack = os.environ['NO_SUCH']\n", "stacks/demo.py, line 3: KeyError: 'NO_SUCH'"),
        ("stak = 1\n", "module stacks.demo exports no stack; write: stack = Stack(...)"),
        ("stack = 1\n", "module stacks.demo exports a int as stack"),
        (
            "from keysteward import RotationSchedule\n\nRotationSchedule(every='7d', overlap='7d')\n",
            "stacks/demo.py, line 3: RotationSchedule: overlap (7d) must be shorter than every (7d)",
        ),
    ],
)
def test_a_stack_with_a_mistake(project: Project, text: str, sentence: str) -> None:
    module(project, text)
    shown = project.run("preview")
    assert shown.code == 1
    assert sentence in shown.err
    assert "Traceback" not in shown.err


def test_an_edit_of_the_same_second_and_length_is_seen_whatever_byte_code_there_is(project: Project) -> None:
    source = project.root / "stacks" / "demo.py"
    module(project, "stack = 'apples'\n")
    written = source.stat()
    py_compile.compile(str(source), invalidation_mode=py_compile.PycInvalidationMode.TIMESTAMP, doraise=True)
    module(project, "stack = 'quince'\n")
    os.utime(source, ns=(written.st_atime_ns, written.st_mtime_ns))

    loaded = "from keysteward.operations.loading import exported; print(exported('demo'))"
    shown = subprocess.run((sys.executable, "-c", loaded), cwd=project.root, capture_output=True, text=True, check=True)
    assert shown.stdout == "quince\n"


def test_a_stack_that_is_not_there(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "there is no stack module stacks.prod" in project.run("preview", "-s", "prod").err
    assert "is not the name of a module" in project.run("preview", "-s", "stacks/demo.py").err
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert "go to the project's folder" in project.run("preview").err


def test_declarations_are_checked_before_any_call(project: Project) -> None:
    project.declare(project.client(owner="team-biling"), project.client("other", owner="billing-lead"))
    shown = project.run("up", "--yes")
    assert shown.code == 1
    assert "error: M2MClient 'billing-exporter': owner: 'team-biling' is not in the owners file" in shown.err
    assert (
        "error: M2MClient 'other': owner: 'billing-lead' is gone, and nobody answers in their place; name an active"
        in shown.err
    )
    assert project.target.calls == []

    project.declare(project.client(auth_method="client_secret"))
    assert "choose auth_method=" in project.run("preview").err


def test_an_owners_file_that_is_missing_or_broken(project: Project) -> None:
    project.owners = "stacks/owners.yaml"
    project.declare(project.client(rotation=RotationSchedule(every="90d", overlap="7d")))
    assert "owners.yaml cannot be read" in project.run("preview").err
    (project.root / "stacks" / "owners.yaml").write_text("teams: [}", encoding="utf-8")
    assert "owners.yaml, line 1: it is not YAML" in project.run("preview").err
    (project.root / "stacks" / "owners.yaml").write_text(
        "teams:\n  team-billing:\n    contact: billing@example.com\n", encoding="utf-8"
    )
    assert project.run("preview").code == 0


PLANTED = (
    "hvac",
    "requests",
    "keysteward",
    "pulumi",
    "yaml",
    "json",
    "sitecustomize",
    "usercustomize",
    "conftest",
    "simplejson",
)


@pytest.fixture
def planted(project: Project) -> Path:
    """A project as a pull request leaves it that adds files beside `stacks`; each says so when it is imported."""
    trace = project.root / "planted.ran"
    text = f"from pathlib import Path\nPath({str(trace)!r}).write_text(__name__)\n"
    for name in PLANTED:
        (project.root / f"{name}.py").write_text(text, encoding="utf-8")
    (project.root / "tenacity").mkdir()
    (project.root / "tenacity" / "__init__.py").write_text(text, encoding="utf-8")
    (project.root / "planted.pth").write_text("import hvac\n", encoding="utf-8")
    module(
        project,
        "from keysteward import Stack\nfrom keysteward.providers.keycloak import Keycloak\n"
        "from keysteward.providers.vault import Vault\n\n"
        "Keycloak('corp', url='http://127.0.0.1:9', realm='prod', reader='env:READER', admin='env:ADMIN')\n"
        "secrets = Vault('secrets', url='http://127.0.0.1:9', mount='secret', reader='env:READER', admin='env:ADMIN')\n"
        "stack = Stack('acme/prod', owners='owners.yaml', ledgers=secrets.ledgers('k'), declarations=[])\n",
    )
    (project.root / "owners.yaml").write_text(
        "teams:\n  team-billing:\n    contact: billing@example.com\n", encoding="utf-8"
    )
    return trace


@pytest.mark.parametrize(
    "words",
    [("preview",), ("drift",), ("rotate", "--due", "--yes"), ("doctor",), ("codeowners", "--check"), ("show", "x")],
)
def test_a_file_beside_stacks_runs_in_no_command(project: Project, planted: Path, words: tuple[str, ...]) -> None:
    program = Path(sys.executable).parent / "keysteward"
    settings = {**os.environ, "READER": "reader:value", "ADMIN": "admin:value"}
    done = subprocess.run(
        [program, *words], cwd=project.root, env=settings, capture_output=True, text=True, check=False, timeout=120
    )
    assert "internal error" not in done.stderr
    assert not planted.exists(), planted.read_text(encoding="utf-8")


def test_a_file_beside_stacks_runs_in_no_process_that_a_command_starts(project: Project, planted: Path) -> None:
    program = (
        "from pathlib import Path\nfrom keysteward.operations.processes import helpers\n\n"
        "if __name__ == '__main__':\n    with helpers(1) as pool:\n        print(pool.submit(len, 'three').result())\n"
    )
    script = project.root.parent / "helped.py"
    script.write_text(program, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-P", script], cwd=project.root, capture_output=True, text=True, check=False, timeout=120
    )
    assert (done.stdout, done.stderr) == ("5\n", "")
    assert not planted.exists(), planted.read_text(encoding="utf-8")


def test_what_a_stack_imports_from_beside_it_is_told_where_to_go(project: Project) -> None:
    (project.root / "acme_wide.py").write_text("EVERY = '90d'\n", encoding="utf-8")
    module(project, "\nfrom acme_wide import EVERY\n")
    shown = project.run("preview")
    assert shown.code == 1
    assert shown.err == (
        "error: stacks/demo.py, line 2: ModuleNotFoundError: No module named 'acme_wide': acme_wide.py lies outside of "
        "stacks/, the one folder of a project that is imported from; move it to stacks/acme_wide.py and write "
        "`from stacks import acme_wide`, or install it as a package\n"
    )
    (project.root / "acme_wide.py").rename(project.root / "stacks/acme_wide.py")
    module(project, "from stacks.acme_wide import EVERY\nfrom project_in_memory import stack\n")
    assert project.run("preview", "--stack", "demo").code == 0


def test_a_file_beside_stacks_stops_the_pulumi_door_where_it_has_an_installed_name(project: Project) -> None:
    (project.root / "acme_wide.py").touch()
    (project.root / "notes").mkdir()
    refuse_stand_ins(project.root)
    (project.root / "hvac.py").touch()
    (project.root / "yaml").mkdir()
    (project.root / "yaml" / "__init__.py").touch()
    (project.root / "json.so").touch()
    (project.root / "google").mkdir()
    (project.root / "google" / "__init__.py").touch()
    with pytest.raises(
        DeclarationError, match=r"^google, hvac\.py, json\.so, yaml in .* in place of an installed module"
    ):
        refuse_stand_ins(project.root)


def test_the_pulumi_program_imports_nothing_from_beside_it(project: Project, planted: Path) -> None:
    """As Pulumi starts it: the SDK is loaded, and the project's folder is first on sys.path."""
    shutil.copy(Path(__file__).parents[2] / "__main__.py", project.root)
    start = (
        "import runpy, pulumi\n"
        "pulumi.get_stack = lambda: 'demo'\n"
        "try:\n    runpy.run_path({root!r}, run_name='__main__')\nexcept pulumi.RunError as error:\n    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", start.format(root=str(project.root))],
        cwd=project.root, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert "hvac.py" in done.stdout, done.stderr
    assert "would be imported in place of an installed module" in done.stdout
    assert not planted.exists(), planted.read_text(encoding="utf-8")


def test_the_plugin_that_pulumi_starts_looks_no_further_than_stacks(project: Project) -> None:
    (project.root / "simplejson.py").write_text("raise SystemExit('planted')\n", encoding="utf-8")
    (project.root / "stacks" / "own.py").write_text("MARK = 'own target'\n", encoding="utf-8")
    start = (
        "import sys, types\nsys.path.insert(0, '')\n"
        "main = sys.modules['__main__']\nmain.__spec__ = types.SimpleNamespace(name='pulumi.dynamic.__main__')\n"
        "import keysteward.providers.dynamic\n"
        "from importlib.util import find_spec\nfrom stacks.own import MARK\nprint(find_spec('simplejson'), MARK)\n"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", start], cwd=project.root, capture_output=True, text=True, check=False, timeout=120
    )
    assert (done.stdout, done.stderr) == ("None own target\n", "")
