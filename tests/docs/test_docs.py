"""Everything a user meets is documented, and what is generated is up to date."""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer.main
from offers import STRATEGIES, TARGETS
from pages import PAGES as WRITTEN
from typer.core import TyperGroup

from keysteward.cli.main import app
from keysteward.core import errors
from keysteward.core.assess.status import OUTPUT_NAMES
from keysteward.core.contract.capabilities import Capabilities
from keysteward.core.contract.strategy import Strategy
from keysteward.core.findings import Kind
from keysteward.core.record.ledger import State
from keysteward.providers.manual import Probe

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.glob("*.md"), ROOT / "README.md", ROOT / "CHANGELOG.md"])
SOURCES = sorted([*(ROOT / "keysteward").rglob("*.py"), *(ROOT / "providers").rglob("*.py")])

FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ +(.+)$", re.MULTILINE)
PAGE_IN_CODE = re.compile(r"docs/[a-z-]+\.md")
COMMAND_IN_TEXT = re.compile(r"(?:`|run: |^ *(?:- run: )?)keysteward ([a-z]+)(?: ([a-z]+))?", re.MULTILINE)


def page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def table_keys(name: str) -> set[str]:
    """Return what stands in backticks at the beginning of the rows of a page's tables."""
    return {match for line in page(name).splitlines() for match in re.findall(r"^\| `([^`]+)`", line)}


@pytest.mark.parametrize("name", sorted(WRITTEN))
def test_a_generated_page_is_up_to_date(name: str) -> None:
    assert page(name) == WRITTEN[name](), "run: make docs"


def test_every_error_is_documented() -> None:
    classes = {
        name for name, value in inspect.getmembers(errors, inspect.isclass) if issubclass(value, errors.KeystewardError)
    }
    assert table_keys("errors.md") == classes


def test_every_finding_is_documented() -> None:
    assert table_keys("findings.md") == {kind.value for kind in Kind}


def test_every_state_and_strategy_is_documented() -> None:
    life = page("life-of-a-credential.md")
    assert [state for state in State if f"| `{state.value}` |" not in life] == []
    assert set(STRATEGIES) == set(Strategy)
    for strategy, letter in STRATEGIES.items():
        assert re.search(rf"^\| {letter} \| `{re.escape(strategy.value)}`", life, re.MULTILINE), strategy


def test_every_output_is_documented() -> None:
    assert [name for name in OUTPUT_NAMES if f"`{name}`" not in page("pulumi.md")] == []


def commands() -> dict[str, set[str]]:
    """Return every command and the options it takes; those of a group as "policy vault"."""
    found: dict[str, set[str]] = {}

    def walk(group: TyperGroup, prefix: str) -> None:
        for name, command in group.commands.items():
            if isinstance(command, TyperGroup):
                walk(command, f"{prefix}{name} ")
            else:
                found[prefix + name] = {o for p in command.params for o in p.opts if o.startswith("--")}

    root = typer.main.get_command(app)
    assert isinstance(root, TyperGroup)
    walk(root, "")
    return found


@pytest.mark.parametrize("command", sorted(commands()))
def test_every_command_and_option_is_documented(command: str) -> None:
    text = page("cli.md")
    assert f"keysteward {command}" in text
    assert [option for option in commands()[command] - {"--help"} if option not in text] == []


def test_no_text_names_a_command_that_does_not_exist() -> None:
    known = {name.split()[0] for name in commands()}
    wrong = [
        f"{path.relative_to(ROOT)}: keysteward {match.group(1)}"
        for path in [*PAGES, *SOURCES]
        for match in COMMAND_IN_TEXT.finditer(path.read_text(encoding="utf-8"))
        if match.group(1) not in known
    ]
    assert sorted(set(wrong)) == []


def shipped_targets() -> Iterator[type]:
    """Yield the targets that the folders of providers/ export."""
    for folder in sorted((ROOT / "providers").iterdir()):
        if (folder / "__init__.py").exists():
            module = importlib.import_module(f"keysteward.providers.{folder.name}")
            for name in getattr(module, "__all__", ()):
                exported = getattr(module, name)
                if inspect.isclass(exported) and hasattr(exported, "verify"):
                    yield exported


def page_of(target: type) -> str:
    """Return the page of a target: that of its vendor's folder in providers/."""
    return f"{target.__module__.split('.')[2]}.md"


def test_every_target_is_in_the_table_and_has_a_page() -> None:
    shown = {type(target) for target in TARGETS.values()}
    shipped = set(shipped_targets())
    assert shipped
    assert shown == shipped
    for target in shipped:
        assert (DOCS / page_of(target)).exists()
    for field in dataclasses.fields(Capabilities):
        assert f"(`{field.name}`)" in page("targets.md")


@pytest.mark.parametrize("target", list(shipped_targets()), ids=lambda target: target.__name__)
def test_every_setting_of_a_target_is_documented(target: type) -> None:
    settings = {field.name for field in dataclasses.fields(target)} - {"reading"}
    assert settings <= table_keys(page_of(target))


def test_every_setting_of_a_probe_is_documented() -> None:
    assert {field.name for field in dataclasses.fields(Probe)} <= table_keys("manual.md")


def anchors(path: Path) -> set[str]:
    """Return the anchors of a page's headings, as they are made by GitHub."""
    headings = HEADING.findall(FENCE.sub("", path.read_text(encoding="utf-8")))
    return {re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    broken = []
    for link in LINK.findall(FENCE.sub("", path.read_text(encoding="utf-8"))):
        if link.startswith(("https://", "http://", "mailto:")):
            continue
        file, _, anchor = link.partition("#")
        there = (path.parent / file).resolve() if file else path
        if not there.exists() or (anchor and anchor not in anchors(there)):
            broken.append(link)
    assert broken == []


def test_pages_that_the_code_names_exist() -> None:
    named = {match for path in SOURCES for match in PAGE_IN_CODE.findall(path.read_text(encoding="utf-8"))}
    assert sorted(name for name in named if not (ROOT / name).exists()) == []


def test_python_in_pages_is_python() -> None:
    for path in PAGES:
        for block in re.findall(r"^```python\n(.*?)^```", path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL):
            compile(block, str(path), "exec")


def test_every_make_target_of_the_pages_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = {
        m for path in PAGES for m in re.findall(r"(?:`|^)make ([a-z]+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert named <= targets, named - targets


def test_the_readme_links_every_page() -> None:
    read_on = (ROOT / "README.md").read_text(encoding="utf-8").partition("## Read on")[2]
    pages = {f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")}
    assert pages - set(LINK.findall(read_on)) == set()
