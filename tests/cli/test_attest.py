"""A review is noted in the source, in Python and in YAML, and changes nothing else there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cli_project import Project

from keysteward import M2MClient, Owners, ResourceServer
from keysteward.cli.source.declarations import find_places, lines_by_identity, project_files

TODAY = f"{datetime.now(UTC):%Y-%m-%d}"
SOURCE = """# Überall gleich
from datetime import date

from keysteward import M2MClient, RotationSchedule
from keysteward.modules.catalog import catalog
from project_in_memory import project

quarterly = RotationSchedule(every="90d", overlap="7d")
where = {"target": project.target, "rotation": quarterly, "auth_method": "private_key_jwt", "purpose": "Ünïcode söurce"}

job = M2MClient

stack = project.stack_of(
    M2MClient("first", owner="team-billing", deliver_to=project.store.path("apps/first"), **where),
    M2MClient(
        "second",
        owner="team-billing",  # says who
        reviewed=date(2026, 1, 31),  # by hand
        deliver_to=project.store.path("apps/second"),
        **where,
    ),
    M2MClient(
        "third",
        deliver_to=project.store.path("apps/third"),
        owner=('team-billing'),
        **where,
    ),
    job("fourth", owner="team-billing", deliver_to=project.store.path("apps/fourth"), **where),
    *(M2MClient(f"job-{n}", owner="team-billing", deliver_to=project.store.path(f"jobs/{n}"), **where) for n in (1, 2)),
    *catalog("stacks/demo", targets=[project.target], stores=[project.store]),
)
"""
CATALOG = """# Billing — was die Rechnungen brauchen
defaults:
  target: corp
  owner: team-billing
  auth_method: private_key_jwt
  rotation: {every: 90d, overlap: 7d}   # quarterly
  deliver_to: "secrets:apps/{name}"
m2m_clients:
  exporter:     # the nightly one
    purpose: Nightly export
    owner: team-billing   # says who
    consumer: "warehouse"
  mailer: {purpose: 'Sends invöices', reviewed: "2026-01-31"}
  importer:
      purpose: >-
        Reads invoices
        every hour
      reviewed: 2026-01-31 # by hand
  sender: {purpose: Sends invoices}
"""


@pytest.fixture
def company(project: Project) -> Project:
    contact = {"contact": "x@example.com"}
    project.owners = Owners.model_validate({"teams": dict.fromkeys(("team-billing", "team-new"), contact)})
    project.held.project = project  # type: ignore[attr-defined]

    def stack_of(*declared: ResourceServer | M2MClient) -> object:
        project.declare(*declared)
        return project.stack

    project.stack_of = stack_of  # type: ignore[attr-defined]
    source(project).write_text(SOURCE, encoding="utf-8")
    yaml(project).parent.mkdir()
    yaml(project).write_text(CATALOG, encoding="utf-8")
    return project


def source(project: Project) -> Path:
    return project.root / "stacks" / "demo.py"


def yaml(project: Project) -> Path:
    return project.root / "stacks" / "demo" / "billing.yaml"


def test_a_review_is_added_or_renewed_and_every_other_byte_stays(company: Project) -> None:
    done = company.run("attest", "first", "second", "exporter", "mailer", "importer", "sender", "--on", "2026-11-24")
    assert done.code == 0, done.err
    assert done.out.splitlines() == [
        "✓ stacks/demo.py:14: first is noted as reviewed on 2026-11-24",
        "✓ stacks/demo.py:18: second is noted as reviewed on 2026-11-24 (before: 2026-01-31)",
        "✓ stacks/demo/billing.yaml:12: exporter is noted as reviewed on 2026-11-24",
        "✓ stacks/demo/billing.yaml:13: mailer is noted as reviewed on 2026-11-24 (before: 2026-01-31)",
        "✓ stacks/demo/billing.yaml:18: importer is noted as reviewed on 2026-11-24 (before: 2026-01-31)",
        "✓ stacks/demo/billing.yaml:19: sender is noted as reviewed on 2026-11-24",
        "commit the change and have it reviewed",
    ]
    day = "reviewed=date(2026, 11, 24)"
    assert source(company).read_text(encoding="utf-8") == SOURCE.replace(
        '"first", owner="team-billing"', f'"first", owner="team-billing", {day}'
    ).replace("reviewed=date(2026, 1, 31)", day)
    assert yaml(company).read_text(encoding="utf-8") == CATALOG.replace("2026-01-31", "2026-11-24").replace(
        "owner: team-billing   # says who", "owner: team-billing   # says who\n    reviewed: 2026-11-24"
    ).replace("sender: {", "sender: {reviewed: 2026-11-24, ")
    assert company.run("preview").code == 0
    reviewed = {spec.name: str(spec.reviewed) for spec in company.stack.specs.values() if spec.reviewed is not None}
    assert reviewed == dict.fromkeys(("first", "second", "exporter", "mailer", "importer", "sender"), "2026-11-24")
    assert (
        "exporter is noted as reviewed on 2026-11-24 already"
        in company.run("attest", "exporter", "--on", "2026-11-24").out
    )


def test_today_is_noted_and_a_dry_run_changes_nothing(company: Project) -> None:
    shown = company.run("attest", "acme/demo/second", "--dry-run")
    assert f"second would be noted as reviewed on {TODAY}" in shown.out
    assert source(company).read_text(encoding="utf-8") == SOURCE
    assert company.run("attest", "second").code == 0
    assert "reviewed=date({0.year}, {0.month}, {0.day})".format(datetime.now(UTC)) in source(company).read_text(
        encoding="utf-8"
    )


def test_what_cannot_be_done_safely_is_refused_and_nothing_is_changed(company: Project) -> None:
    refused = company.run("attest", "first", "third", "fourth", "job-1", "exporter")
    assert refused.code == 1
    hand = "or write reviewed by hand"
    assert refused.err.splitlines() == [
        f"error: third: stacks/demo.py, line 22: what stands around its owner is not understood, {hand}",
        f"error: fourth: stacks/demo.py, line 28: it is declared by job(...), which may not take it, {hand}",
        "error: job-1: no declaration says this name in the source; write reviewed= by hand",
    ]
    unknown = company.run("attest", "exportr")
    assert "'exportr' is neither declared nor in the ledgers of this stack; did you mean exporter" in unknown.err
    later = f"{datetime.now(UTC) + timedelta(days=2):%Y-%m-%d}"
    assert f"--on: {later} is still to come" in company.run("attest", "exporter", "--on", later).err
    assert company.run("attest", "exporter", "--on", "soon").code == 1
    assert (source(company).read_text(encoding="utf-8"), yaml(company).read_text(encoding="utf-8")) == (SOURCE, CATALOG)


def test_a_name_in_two_places_or_read_otherwise_is_refused(company: Project) -> None:
    text = CATALOG + "  first: {purpose: Another one}\n"
    yaml(company).with_name("old.yaml").write_text("m2m_clients:\n  second: {owner: team-old}\n", encoding="utf-8")
    source(company).write_text(SOURCE.replace("stacks/demo", "stacks/other"), encoding="utf-8")
    (company.root / "stacks" / "other").mkdir()
    (company.root / "stacks" / "other" / "b.yaml").write_text(text, encoding="utf-8")
    project_only = company.run("attest", "second", "--dry-run")
    assert "has the same name" not in project_only.err, "the folder that is read is the one that is searched"
    text = text.replace("  first: {purpose: Another one}\n", "")
    (company.root / "stacks" / "other" / "b.yaml").write_text(text, encoding="utf-8")
    doubled = (
        SOURCE.replace("stacks/demo", "stacks/other")
        + '\nunused = [M2MClient("exporter", owner="x")] if False else []\n'
    )
    source(company).write_text(doubled, encoding="utf-8")
    refused = company.run("attest", "exporter")
    assert (
        "exporter: stacks/demo.py, line 33: b.yaml, line 9, declares that name too; write reviewed by hand"
        in refused.err
    )
    changed = SOURCE.replace("stacks/demo", "stacks/other").replace("return", "return")
    source(company).write_text(
        changed.replace("stack = ", "fields = {'reviewed': date(2026, 2, 2)}\nstack = ").replace(
            '"first", owner', '"first", **fields, owner'
        ),
        encoding="utf-8",
    )
    assert "first: stacks/demo.py, line 15: its review is not what the stack says" in company.run("attest", "first").err


def test_a_file_without_dates_says_what_it_needs(company: Project) -> None:
    text = SOURCE.replace("from datetime import date\n\n", "").replace(
        "        reviewed=date(2026, 1, 31),  # by hand\n", ""
    )
    source(company).write_text(text, encoding="utf-8")
    refused = company.run("attest", "second")
    assert "the file imports no date: write `from datetime import date` there" in refused.err
    module = "import datetime as dt\n" + text
    source(company).write_text(module, encoding="utf-8")
    assert company.run("attest", "second", "--on", "2026-11-24").code == 0
    assert source(company).read_text(encoding="utf-8") == module.replace(
        'owner="team-billing",  # says who',
        'owner="team-billing",\n        reviewed=dt.date(2026, 11, 24),  # says who',
    )


def test_windows_line_ends_and_a_byte_order_mark_are_kept(company: Project) -> None:
    text = "\ufeff" + CATALOG.replace("\n", "\r\n")
    yaml(company).write_bytes(text.encode())
    assert company.run("attest", "exporter", "importer", "--on", "2026-11-24").code == 0
    changed = yaml(company).read_bytes().decode()
    assert changed == text.replace("says who\r\n", "says who\r\n    reviewed: 2026-11-24\r\n").replace(
        "reviewed: 2026-01-31 #", "reviewed: 2026-11-24 #"
    )


def test_a_hand_over_reaches_catalog_files_and_their_defaults(company: Project) -> None:
    assert company.run("up", "--yes").code == 0
    done = company.run("offboard", "team-billing", "--to", "team-new", "--keep-secrets", "--yes")
    assert done.code == 1
    assert "stacks/demo/billing.yaml, line 11: the owner of exporter is changed" in done.out
    assert "stacks/demo/billing.yaml, line 4: the owner of mailer is changed" in done.out
    changed = yaml(company).read_text(encoding="utf-8")
    assert changed == CATALOG.replace("owner: team-billing", "owner: team-new")
    assert "job-1: edit stacks/demo.py by hand" in done.out


def test_places_are_told_by_identity_for_reports(company: Project) -> None:
    company.run("preview")
    files, names = project_files(company.root, "stacks.demo"), ("second", "sender", "job-1")
    found = lines_by_identity(company.root, files, [f"acme/demo/{name}" for name in names])
    assert found == {"acme/demo/second": ("stacks/demo.py", 15), "acme/demo/sender": ("stacks/demo/billing.yaml", 19)}
    assert find_places([], ["second"]) == {}


@pytest.mark.parametrize("owner", ["null", "a: b", "- x", "#1", "1e3", "a, b", "team new"])
def test_an_owner_of_any_name_is_written_as_text(owner: str, company: Project) -> None:
    contact = {"contact": "x@example.com"}
    company.owners = Owners.model_validate({"teams": dict.fromkeys(("team-billing", owner), contact)})
    assert company.run("up", "--yes").code == 0
    company.run("offboard", "team-billing", "--to", owner, "--keep-secrets", "--yes")
    assert company.run("preview").code == 0
    owners = {spec.name: spec.owner for spec in company.stack.specs.values()}
    assert (owners["exporter"], owners["mailer"], owners["first"], owners["second"]) == (owner,) * 4
