"""`keysteward drift`: what a nightly job sees, in every format, and how it ends."""

from __future__ import annotations

import json
import re
import threading
from datetime import date, timedelta
from pathlib import Path

import pytest
from cli_project import OWNERS, STOCK, Project

from keysteward import Allowed, Owners
from keysteward.core.contract.observed import Mark, Settings
from keysteward.core.errors import AccessDenied, DeclarationError, Unavailable
from keysteward.testing.memory import MemoryObject, MemorySecret, MemoryTarget

NAME = "billing-exporter"


@pytest.fixture
def settled(project: Project) -> Project:
    """All that is declared was issued, and nothing else is there."""
    client = project.client(access={project.api: ["invoices:read"]}, consumer="warehouse-etl")
    project.declare(project.api, client)
    assert project.run("up", "--yes").code == 0
    return project


def stranger(project: Project, name: str, **fields: object) -> None:
    """Somebody makes a client at the console."""
    made = MemoryObject(f"id-{name}", name, Settings("client_secret", **fields), None)  # type: ignore[arg-type]
    made.secrets = [MemorySecret("primary", f"value of {name}", "primary", project.clock.now)]
    project.target.objects[made.remote_id] = made


def kinds(project: Project, *options: str) -> list[tuple[str, str]]:
    shown = json.loads(project.run("drift", "--json", *options).out)
    return [(finding["kind"], finding["subject"]) for finding in shown["findings"]]


def test_a_stack_in_order_is_clean(settled: Project) -> None:
    shown = settled.run("drift")
    assert (shown.code, shown.err) == (0, "")
    assert "Nothing drifted; 100 % of 1 credential declared or governed." in shown.out


def test_a_client_made_at_the_console_is_found(settled: Project) -> None:
    stranger(settled, "quick-test")
    shown = settled.run("drift")
    assert shown.code == 2
    assert "quick-test: unmanaged: client 'quick-test' is not declared" in shown.out
    assert "→ declare it (keysteward import corp), allow it until a day, or end it at the target" in shown.out
    assert "50 % of 2 credentials declared or governed" in shown.out
    assert settled.run("drift", "--fail-on", "error").code == 0
    assert settled.run("drift", "--fail-on", "none").code == 0


def test_a_client_that_is_called_by_an_id_is_told_with_its_name(settled: Project) -> None:
    stranger(settled, "client_01H")
    settled.target.objects["id-client_01H"].label = "Quick test"
    assert "unmanaged: client 'client_01H' (Quick test) is not declared" in settled.run("drift").out


def test_a_mark_of_a_stack_that_nobody_named_hides_no_client(settled: Project) -> None:
    for name in ("theirs", "forged"):
        stranger(settled, name)
    settled.target.objects["id-theirs"].mark = Mark("acme/lab/theirs", "n")
    settled.target.objects["id-forged"].mark = Mark("acme/demo/eu/forged", "n")
    settled.declare(*settled.stack.declarations, beside=["acme/lab"], heartbeat="365d")
    found = {f["subject"]: f for f in json.loads(settled.run("drift", "--json").out)["findings"]}
    theirs, forged = found["corp: theirs"], found["corp: forged"]
    assert (theirs["kind"], theirs["severity"]) == ("elsewhere", "note")
    assert (forged["kind"], forged["severity"]) == ("elsewhere", "warning")
    assert 'if that is a stack of yours, write Stack(beside=["acme/demo/eu"])' in forged["mend"]
    assert settled.run("drift").code == 2
    settled.declare(*settled.stack.declarations, beside=["acme/lab", "acme/demo/eu"], heartbeat="365d")
    assert settled.run("drift").code == 0


def test_a_target_is_watched_before_anything_is_declared_there(settled: Project) -> None:
    other = MemoryTarget("other", STOCK, settled.clock)
    made = MemoryObject("id-1", "quick-test", Settings("client_secret"), None)
    other.objects[made.remote_id] = made
    settled.declare(*settled.stack.declarations, heartbeat="365d")
    assert settled.run("drift").code == 0
    settled.declare(*settled.stack.declarations, watched=[other], heartbeat="365d")
    assert kinds(settled) == [("unmanaged", "other: quick-test")]


def test_a_stack_without_any_target_is_never_clean(project: Project) -> None:
    project.declare()
    shown = project.run("drift")
    assert shown.code == 1
    assert "error: nothing was looked at, for the stack has no target: declare something" in shown.err
    assert json.loads(project.run("drift", "--json").out)["clean"] is False


def test_nothing_is_proposed_that_only_an_attacker_could_have_named(settled: Project) -> None:
    stranger(settled, "forged")
    settled.target.objects["id-forged"].mark = Mark('x"], allowed=[*everything/forged', "n")
    [found] = json.loads(settled.run("drift", "--json").out)["findings"]
    assert (found["kind"], found["mend"]) == ("elsewhere", "anybody can write a mark: find out who did")


@pytest.mark.parametrize("beside", ["acme/lab", ["acme/demo"], ["acme lab"]])
def test_stacks_beside_a_stack_are_others_and_a_list(beside: object, settled: Project) -> None:
    with pytest.raises(DeclarationError, match=r"Stack 'acme/demo': beside: "):
        settled.declare(beside=beside)


def test_what_is_knowingly_left_alone_is_none_until_its_day(settled: Project) -> None:
    stranger(settled, "legacy-etl")
    ends = date(2026, 2, 1)
    left = Allowed("legacy-*", target=settled.target, owner="team-billing", reason="goes with the old ERP", until=ends)
    settled.declare(*settled.stack.declarations, allowed=[left], heartbeat="365d")
    assert settled.run("drift").code == 0
    settled.pass_time(days=27)
    assert kinds(settled) == [("unmanaged", "corp: legacy-etl"), ("allowance over", "corp: allowed legacy-*")][::-1]
    assert "the allowance for legacy-* ended on 2026-02-01 (goes with the old ERP)" in settled.run("drift").out


def test_all_targets_list_at_once_while_the_stores_are_read(settled: Project) -> None:
    other = MemoryTarget("other", STOCK, settled.clock)
    settled.declare(*settled.stack.declarations, settled.client("second", target=other))
    assert settled.run("up", "--yes").code == 0
    met = threading.Event()
    three = threading.Barrier(3, met.set, timeout=120)

    def meet(operation: str) -> None:
        if operation in {"observe", "delivered"} and not met.is_set():
            three.wait()

    settled.target.before = other.before = settled.store.before = meet
    shown = settled.run("drift", "--json")
    assert (shown.code, shown.err) == (0, "")
    assert sum(each["declared"] for each in json.loads(shown.out)["coverage"]) == 2


def test_a_target_that_does_not_answer_is_an_error_and_hides_nothing(settled: Project) -> None:
    def down(operation: str) -> None:
        if operation == "observe":
            raise Unavailable("corp does not answer", target="corp")

    settled.target.before = down
    settled.pass_time(days=30)
    shown = settled.run("drift")
    assert shown.code == 1
    assert "error: corp does not answer" in shown.err
    assert "no run: the last run was on 2026-01-05" in shown.out
    document = json.loads(settled.run("drift", "--json").out)
    assert (document["complete"], document["clean"]) == (False, False)
    assert 'executionSuccessful": false' in settled.run("drift", "--format", "sarif").out


def test_a_store_that_does_not_answer_is_an_error(settled: Project) -> None:
    def down(_operation: str) -> None:
        raise Unavailable("secrets does not answer")

    settled.store.before = down
    shown = settled.run("drift")
    assert (shown.code, "error: secrets does not answer" in shown.err) == (1, True)
    assert "unknown" not in shown.out


@pytest.mark.parametrize("refused", [("delivered",), ("delivered", "neighbours")])
def test_a_store_that_refuses_the_reader_is_an_error_and_not_clean(settled: Project, refused: tuple[str, ...]) -> None:
    def refuse(operation: str) -> None:
        if operation in refused:
            raise AccessDenied("secrets refuses the reader")

    settled.store.before = refuse
    shown = settled.run("drift")
    assert (shown.code, "error: secrets refuses the reader" in shown.err) == (1, True)


@pytest.mark.parametrize("document", ['{"format": 1, "generations": 7}', '{"format": 9}', "[]"])
def test_a_ledger_that_cannot_be_read_is_an_error_and_hides_nothing_else(settled: Project, document: str) -> None:
    stranger(settled, "quick-test")
    key = f"ledgers/acme/demo/{NAME}"
    settled.ledgers.documents[key] = (document, settled.ledgers.documents[key][1])
    shown = settled.run("drift")
    assert (shown.code, "error: ledger of " in shown.err) == (1, True)
    assert "quick-test: unmanaged" in shown.out
    assert "never issued" not in shown.out
    assert (settled.run("up", "--yes").code, settled.run("inventory").code) == (1, 1)


def test_a_reader_that_may_not_list_a_store_is_told_so_and_no_more(settled: Project) -> None:
    def refuse(operation: str) -> None:
        if operation == "neighbours":
            raise AccessDenied("secrets may not be listed")

    settled.store.before = refuse
    shown = settled.run("drift")
    assert shown.code == 0
    assert "was not looked at: secrets may not be listed" in shown.out


def test_an_owner_who_is_gone_is_found_and_stops_only_what_writes(settled: Project) -> None:
    settled.owners = Owners(teams={**OWNERS.teams, "team-billing": {"contact": "b@example.com", "state": "gone"}})
    settled.declare(*settled.stack.declarations)
    shown = settled.run("drift")
    assert shown.code == 2
    assert "owner gone: owner: 'team-billing' is gone, and nobody answers in their place" in shown.out
    assert "keysteward offboard team-billing --to OTHER" in shown.out
    assert settled.run("up", "--yes").code == 1


def test_findings_stand_beside_the_source(settled: Project, tmp_path: Path) -> None:
    (tmp_path / "stacks" / "demo.py").write_text(
        f'from project_in_memory import stack\n\n\ndef client():\n    return M2MClient("{NAME}", owner="x")\n'
    )
    settled.pass_time(days=120)
    where = tmp_path / "drift.sarif"
    shown = settled.run("drift", "--format", "sarif", "--output", str(where))
    assert shown.out == ""
    assert f"{where}: " in shown.err
    (run,) = json.loads(where.read_text(encoding="utf-8"))["runs"]
    found = {result["ruleId"]: result["locations"][0]["physicalLocation"] for result in run["results"]}
    assert found["overdue"]["artifactLocation"]["uri"] == "stacks/demo.py"
    assert found["overdue"]["region"]["startLine"] == 5


def test_markdown_is_for_one_issue(settled: Project) -> None:
    stranger(settled, "x](https://evil.example) @everyone <script>")
    text = settled.run("drift", "--format", "markdown").out
    assert text.startswith("<!-- keysteward drift -->\n")
    outside_of_code = re.sub(r"`[^`\n]*`", "", text)
    assert not [words for words in ("<script>", "](https:", "@everyone") if words in outside_of_code]


def test_drift_writes_nothing(settled: Project) -> None:
    before = (dict(settled.ledgers.documents), list(settled.target.calls))
    settled.run("drift")
    assert settled.ledgers.documents == before[0]
    assert settled.target.calls[len(before[1]) :] == ["observe"]


def test_last_use_is_kept_when_the_target_has_forgotten_it(settled: Project) -> None:
    (client,) = settled.target.objects.values()
    client.secrets[0].last_used = settled.clock.now + timedelta(days=60)
    settled.pass_time(days=60)
    settled.run("rotate", "--due", "--yes")
    client.secrets[0].last_used = None
    settled.pass_time(days=28)
    settled.run("hold", NAME, "--until", "2026-12-01", "--reason", "a freeze")
    settled.pass_time(days=10)
    assert ("unused", f"acme/demo/{NAME}") not in kinds(settled)
    settled.pass_time(days=60)
    assert ("unused", f"acme/demo/{NAME}") in kinds(settled)
    assert "last used 98 days ago" in settled.run("drift").out


def test_several_files_are_written_from_one_look(settled: Project, tmp_path: Path) -> None:
    before = len(settled.target.calls)
    files = [tmp_path / name for name in ("drift.md", "drift.sarif", "drift.json", "drift.txt")]
    shown = settled.run("drift", *(word for file in files for word in ("--output", str(file))))
    assert (shown.code, shown.out, settled.target.calls[before:]) == (0, "", ["observe"])
    markdown, sarif, document, text = (file.read_text(encoding="utf-8") for file in files)
    assert markdown.startswith("<!-- keysteward drift -->")
    assert json.loads(sarif)["version"] == "2.1.0"
    assert json.loads(document)["clean"] is True
    assert text.startswith("Drift of acme/demo")
    assert settled.run("drift", "--output", str(tmp_path / "nowhere" / "drift.md")).code == 1
