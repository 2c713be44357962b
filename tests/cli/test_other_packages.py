"""A target that somebody else's package brings: known by its word wherever ours are, and nothing of ours is edited."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cli_project import Project
from ledgerly import ADMIN, READER, LedgerlyStandIn

from keysteward.core.findings import Severity
from keysteward.core.policy.check import check
from keysteward.operations.kinds import store_kinds, target_kinds
from keysteward.operations.loading import load_stack
from keysteward.operations.owners import owners_of

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "ledgerly.py"
GENERATOR = Path(__file__).parents[2] / "docs" / "generate" / "offers.py"
BROUGHT = '''

def _introduction(cls):
    return port.Introduction(
        shown={"Ledgerly": {"name": "books", "admin": "env:LEDGERLY_ADMIN"}},
        starter=port.Starter(
            called="books",
            classes=("Ledgerly",),
            declaration=(
                'books = Ledgerly("books", reader="env:LEDGERLY_READER", admin="env:LEDGERLY_ADMIN")  # yours'
            ),
            credentials=CREDENTIALS,
            reader=("LEDGERLY_READER",),
            runner=("LEDGERLY_ADMIN",),
        ),
    )


CREDENTIALS = """m2m_clients:
  order-reports: # yours
    target: books
    purpose: Books the orders of the day for the report that sales get by mail
    consumer: order-reports
    rotation:
      every: 90d
      overlap: 7d
    deliver_to: secrets:apps/order-reports
"""
Ledgerly.introduction = classmethod(_introduction)
Ledgerly.key_capabilities = dataclasses.replace(
    Ledgerly.key_capabilities, broad_scopes=(port.BroadScopes(("books:close",), "the end of a year's books"),)
)
'''


@pytest.fixture
def package(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Another package is installed: the example of the documentation, with its introduction and entry points."""
    site = tmp_path_factory.mktemp("site")
    text = EXAMPLE.read_text(encoding="utf-8").replace(
        "from dataclasses import", "import dataclasses\nfrom dataclasses import", 1
    )
    (site / "ledgerly_target.py").write_text(
        text.replace('"ledgerly:', '"ledgerly_target:') + BROUGHT, encoding="utf-8"
    )
    about = site / "ledgerly_target-1.4.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: ledgerly-target\nVersion: 1.4\n")
    points = ("ledgerly = ledgerly_target:Ledgerly", "keycloak = ledgerly_target:Ledgerly")
    (about / "entry_points.txt").write_text("[keysteward.targets]\n" + "\n".join(points) + "\n")
    monkeypatch.syspath_prepend(str(site))
    for kinds in (target_kinds, store_kinds):
        kinds.cache_clear()
    yield
    for kinds in (target_kinds, store_kinds):
        kinds.cache_clear()
    sys.modules.pop("ledgerly_target", None)


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[LedgerlyStandIn]:
    monkeypatch.setenv("LEDGERLY_ADMIN", ADMIN)
    monkeypatch.setenv("LEDGERLY_READER", READER)
    with LedgerlyStandIn() as started:
        yield started


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """An empty folder, without any stack."""
    monkeypatch.chdir(tmp_path)
    return Project(tmp_path)


@pytest.mark.usefixtures("package")
def test_it_is_looked_at_by_the_word_that_it_brings(nowhere: Project, stand_in: LedgerlyStandIn) -> None:
    key = {"name": "nightly", "scopes": ["books:close"], "expires": None}
    _, made = stand_in.issue(stand_in.account(), key)
    assert isinstance(made, dict)
    words = ("--target", "ledgerly", "--url", stand_in.url, "--reader", "env:LEDGERLY_READER")
    shown = nowhere.run("inventory", *words, "--json")
    assert shown.code == 0, shown
    assert made["id"] in shown.out
    assert made["value"] not in shown.out + shown.err
    assert "'books:close' is the end of a year's books" in shown.out
    assert "KS016" in shown.out
    assert "--url" in nowhere.run("inventory", "--target", "ledgerly", "--no-such").err


@pytest.mark.usefixtures("package")
def test_no_other_package_takes_a_word_of_ours() -> None:
    assert target_kinds()["keycloak"].value == "keysteward.providers.keycloak:Keycloak"


@pytest.mark.usefixtures("package")
def test_a_new_repository_begins_with_it_and_locks_its_package(project: Project) -> None:
    answer = project.run("init", "new", "--target", "ledgerly", "--store", "local", "--ci", "both")
    assert answer.code == 0, answer
    folder = project.root / "new"
    assert "from ledgerly_target import Ledgerly\n" in (folder / "stacks/prod.py").read_text(encoding="utf-8")
    assert "ledgerly-target==1.4\n" in (folder / "requirements.in").read_text(encoding="utf-8")
    assert "ledgerly-target==1.4  # no hash yet\n" in (folder / "requirements.txt").read_text(encoding="utf-8")
    workflow = (folder / ".github/workflows/keysteward-drift.yml").read_text(encoding="utf-8")
    assert "LEDGERLY_READER: ${{ secrets.LEDGERLY_READER }}" in workflow
    assert "LEDGERLY_ADMIN" not in workflow


@pytest.mark.usefixtures("package")
def test_what_it_writes_loads_and_breaks_no_rule(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    assert project.run("init", "new", "--target", "ledgerly", "--store", "local", "--ci", "none").code == 0
    monkeypatch.chdir(project.root / "new")
    for name in [name for name in sys.modules if name == "stacks" or name.startswith("stacks.")]:
        monkeypatch.delitem(sys.modules, name)
    stack = load_stack("prod")
    found = check(stack, owners_of(stack), datetime(2026, 12, 1, tzinfo=UTC))
    assert [credential.name for credential in stack.credentials] == ["order-reports"]
    assert [finding for finding in found if finding.severity is not Severity.NOTE] == []


@pytest.mark.usefixtures("package")
def test_the_table_of_targets_shows_it() -> None:
    spec = importlib.util.spec_from_file_location("offers_with_it", GENERATOR)
    assert spec is not None
    assert spec.loader is not None
    shown: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(shown)
    assert "Ledgerly" in shown.TARGETS
    assert "| Ledgerly | M2M clients | 3 | A |" in shown.readme()
    assert "`books:close`" in shown.targets()
