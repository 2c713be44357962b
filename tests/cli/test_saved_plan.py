"""The plan that was approved is the plan that runs: saved in a pull request, carried out after the merge."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cli_project import Answer, Project

from keysteward import Limit
from keysteward.core.errors import Unavailable
from keysteward.core.record.ledger import dump_ledger
from keysteward.operations.approved_plan import digest_of


def save(project: Project, *words: str) -> dict[str, Any]:
    """Save a plan, and return what stands in the file."""
    assert project.run("preview", "--save", "plan.json", *words).code == 0
    document: dict[str, Any] = json.loads((project.root / "plan.json").read_bytes())
    return document


def write(project: Project, document: dict[str, Any]) -> None:
    """Put another plan in its place, with a digest that fits."""
    (project.root / "plan.json").write_text(json.dumps({**document, "digest": digest_of(document)}))


def apply(project: Project, *words: str) -> Answer:
    return project.run("up", "--plan", "plan.json", *words)


def test_a_saved_plan_is_carried_out_without_a_question(project: Project) -> None:
    shown = project.run("preview", "--save", "plan.json")
    digest = json.loads((project.root / "plan.json").read_bytes())["digest"]
    assert shown.code == 0
    assert f"Saved to plan.json, {digest}." in shown.out
    assert "Carry it out with: keysteward up --plan plan.json" in shown.out
    assert project.ledgers.writes == 0

    done = apply(project)
    assert done.code == 0, done.err
    assert f"Approved plan {digest}, saved by " in done.out
    assert "✓ billing-exporter" in done.out
    assert project.states() == ["1 current"]


def test_the_file_says_all_that_a_reviewer_needs_and_is_for_its_owner_only(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_ACTOR", "billing-lead")
    project.run("up", "--yes")
    project.pass_time(days=90)
    document = save(project)

    assert (document["format"], document["stack"], document["by"]) == (2, "acme/demo", "github:billing-lead")
    assert document["at"] == project.clock.now.isoformat().replace("+00:00", "Z")
    assert document["digest"] == digest_of(document)
    [server, client] = document["items"]
    assert server["steps"] == []
    assert client["identity"] == "acme/demo/billing-exporter"
    assert client["ledger"]["version"] == project.ledger().version
    assert client["words"].startswith("#2 rotate to generation 2 (due 2026-04-")
    assert [step["words"] for step in client["steps"]][-1] == "record generation 2 as current"
    assert stat.S_IMODE((project.root / "plan.json").stat().st_mode) == 0o600
    hidden = [path.name for path in project.root.iterdir() if path.name.startswith(".")]
    assert hidden == [".keysteward"], "no scratch file is left beside the stack card"


def test_equal_plans_have_equal_digests(project: Project) -> None:
    first = save(project)
    assert save(project) == first
    project.pass_time(seconds=1)
    assert save(project)["digest"] != first["digest"]


def test_a_step_that_became_due_is_refused_in_words(project: Project) -> None:
    project.run("up", "--yes")
    project.pass_time(days=90)
    project.run("up", "--yes")
    project.declare(project.api, project.client(access={project.api: ["invoices:read"]}), project.client("mailer"))
    save(project)
    project.pass_time(days=8)
    writes = project.ledgers.writes

    refused = apply(project)
    assert refused.code == 1
    assert (
        "error: billing-exporter: `+ retire generation 1`, `+ end generation 1` are due now and were not in the plan; "
        "preview it again"
    ) in refused.err
    assert "error: nothing was changed" in refused.err
    assert project.ledgers.writes == writes
    assert "mailer" not in {o.client_id for o in project.target.objects.values()}


def test_what_the_plan_does_not_speak_of_is_left_alone_and_told(project: Project) -> None:
    save(project)
    project.declare(project.api, project.client(access={project.api: ["invoices:read"]}), project.client("mailer"))

    done = apply(project)
    assert done.code == 0, done.err
    assert "not in the plan, and left alone: mailer" in done.out
    assert {o.client_id for o in project.target.objects.values()} == {"billing-exporter"}


def test_a_plan_for_some_names_speaks_of_no_others(project: Project) -> None:
    project.declare(project.client("audit"), project.client("mailer"))
    assert save(project, "mailer")["names"] == ["acme/demo/mailer"]
    assert apply(project).code == 0
    assert project.states("mailer") == ["1 current"]
    assert "1 to create" in project.run("preview").out, "audit still is"


def test_fewer_steps_than_approved_are_fine_and_told(project: Project) -> None:
    project.run("up", "--yes")
    [item] = project.target.objects.values()
    item.settings = replace(item.settings, description="edited in the console")
    save(project)
    item.settings = replace(item.settings, description=project.stack.specs["acme/demo/billing-exporter"].description)

    done = apply(project)
    assert done.code == 0, done.err
    assert "billing-exporter: in the plan, and not due any more: update client billing-exporter" in done.out
    assert "Nothing is due" in done.out


def test_a_ledger_that_changed_since_is_named(project: Project) -> None:
    project.run("up", "--yes")
    project.pass_time(days=90)
    save(project)
    before = project.ledger()
    project.ledgers.write(f"ledgers/{before.identity}", dump_ledger(before), before.version)

    refused = apply(project)
    assert refused.code == 1
    assert (
        f"error: billing-exporter: its ledger changed since the plan was made (version {before.version}, now version "
        f"{before.version + 1}); preview it again"
    ) in refused.err
    assert project.states() == ["1 current"]


def test_a_first_issue_elsewhere_is_a_change_too(project: Project) -> None:
    save(project)
    project.run("up", "--yes")
    project.pass_time(days=90)
    project.run("up", "--yes")
    refused = apply(project)
    assert refused.code == 1
    assert "billing-exporter: its ledger changed since the plan was made (there was none, now version " in refused.err


def test_a_plan_that_was_carried_out_approves_nothing_more(project: Project) -> None:
    save(project)
    assert apply(project).code == 0
    again = apply(project)
    assert again.code == 1
    assert (
        "billing-exporter: this plan was carried out already (#1 create client billing-exporter; issue generation 1"
        in again.err
    )
    assert "billing-api: this plan was carried out already (#1 create scope invoices:read" in again.err


def test_a_declaration_that_changed_under_equal_words_is_refused(project: Project) -> None:
    save(project)
    project.declare(project.api, project.client(access={project.api: ["invoices:read", "invoices:write"]}))
    refused = apply(project)
    assert refused.code == 1
    assert "billing-exporter: its declaration was changed since the plan was made; preview it again" in refused.err
    assert project.target.objects == {}


def test_a_target_that_is_reached_otherwise_is_refused(project: Project) -> None:
    document = save(project)
    document["ports"]["target corp"] = digest_of({"another": "address"})
    write(project, document)
    refused = apply(project)
    assert refused.code == 1
    assert "target corp is reached otherwise than when the plan was made: preview it again" in refused.err


def test_the_plan_says_whether_it_prunes_and_the_limits_hold(project: Project) -> None:
    project.run("up", "--yes")
    project.declare(project.api, limit=Limit(count=0, share=0.0))
    assert save(project, "--prune")["prune"] is True

    limited = apply(project)
    assert limited.code == 1
    assert "1 of 1 credentials would be left without a working secret" in limited.err

    project.declare(project.api)
    assert save(project, "--prune")["prune"] is True
    done = apply(project)
    assert done.code == 0, done.err
    assert project.ledger().closed is not None


def test_a_whole_resource_server_ends_under_one_plan(project: Project) -> None:
    project.run("up", "--yes")
    project.declare(project.client("mailer"))
    save(project, "--prune")
    done = apply(project)
    assert done.code == 0, done.err
    assert project.target.scopes == {}


def test_a_scope_that_a_plan_sets_free_waits_for_the_next_plan(project: Project) -> None:
    both = ["invoices:read", "invoices:write"]
    project.declare(project.api, project.client(access={project.api: both}))
    project.run("up", "--yes")
    fewer = replace(project.api, scopes={"invoices:read": "Read invoices"})
    project.declare(fewer, project.client(access={fewer: ["invoices:read"]}))
    save(project)
    assert apply(project).code == 0
    assert set(project.target.scopes) == set(both), "deleting it was in no plan"

    assert "delete scope invoices:write" in project.run("preview", "--save", "plan.json").out
    assert apply(project).code == 0
    assert set(project.target.scopes) == {"invoices:read"}


def test_what_is_recorded_of_each_step_names_the_plan(project: Project) -> None:
    digest = save(project)["digest"]
    assert apply(project).code == 0
    entries = json.loads(project.run("audit", "show", "--json").out)["entries"]
    assert {"create", "promote"} <= {entry["step"] for entry in entries}
    assert {entry["author"]["plan"] for entry in entries} == {digest}


def test_json_works_with_both(project: Project) -> None:
    shown = json.loads(project.run("preview", "--save", "plan.json", "--json").out)
    digest = json.loads((project.root / "plan.json").read_bytes())["digest"]
    assert shown["saved"] == {"path": "plan.json", "digest": digest}

    done = json.loads(apply(project, "--json").out)
    assert done["approved"]["digest"] == digest
    assert done["approved"]["not_due"] == {}
    assert done["summary"] == {"done": 2}


def test_a_target_that_is_down_keeps_the_plan_from_running_and_says_so(project: Project) -> None:
    save(project)

    def down(_operation: str) -> None:
        raise Unavailable("the target is restarting")

    project.target.before = down
    failed = apply(project)
    assert failed.code == 1
    assert "the target is restarting" in failed.out
    assert not [key for key in project.ledgers.documents if key.startswith("ledgers/")]


def _truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


def _edited(path: Path) -> None:
    path.write_text(path.read_text().replace("invoices:read", "invoices:evil"))


def _set(**fields: object) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        document = {**json.loads(path.read_bytes()), **fields}
        path.write_text(json.dumps({**document, "digest": digest_of(document)}))

    return change


def _text(text: str) -> Callable[[Path], None]:
    return lambda path: path.write_text(text) and None


def _gone(path: Path) -> None:
    path.unlink()


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


BAD_FILES: dict[str, tuple[Callable[[Path], None], str]] = {
    "truncated": (_truncated, "plan.json is cut short or is not JSON: save the plan again"),
    "empty": (_text(""), "plan.json is cut short or is not JSON"),
    "deeply nested": (_text("[" * 100_000), "plan.json is cut short or is not JSON"),
    "edited": (_edited, "plan.json was changed since it was saved, its digest does not fit: save and approve it again"),
    "the format before": (
        _set(format=1),
        "plan.json has format 1, this keysteward reads format 2: save and approve it again",
    ),
    "another format": (_set(format=3), "plan.json has format 3, this keysteward reads format 2"),
    "a format that is none": (_set(format="x" * 500), "plan.json has format 'xxxxx"),
    "another stack": (_set(stack="acme/prod"), "is a plan for stack 'acme/prod', not for acme/demo"),
    "a field that is wrong": (_set(items="all"), "plan.json cannot be read (1 fields are wrong): save it again"),
    "a field too many": (_set(skip_checks=True), "plan.json holds keys that this keysteward does not know"),
    "no plan": (_text('{"format": 1, "stack": "acme/demo"}'), "plan.json is not a saved plan: make one with"),
    "a list": (_text("[1]"), "plan.json is not a saved plan"),
    "not there": (_gone, "--plan: there is no file plan.json; make one with"),
    "a folder": (_folder, "--plan: plan.json cannot be used (Is a directory); fix it"),
}


@pytest.mark.parametrize("what", BAD_FILES)
def test_a_bad_file_is_one_sentence(project: Project, what: str) -> None:
    spoil, sentence = BAD_FILES[what]
    save(project)
    spoil(project.root / "plan.json")
    refused = apply(project)
    assert refused.code == 1
    assert refused.out == ""
    assert sentence in refused.err
    assert len(refused.err.splitlines()) == 1
    assert len(refused.err) < 400
    assert project.ledgers.writes == 0


def test_white_space_in_the_file_is_no_change(project: Project) -> None:
    document = save(project)
    (project.root / "plan.json").write_text(json.dumps(document, indent=4, sort_keys=True))
    assert apply(project).code == 0


def test_names_and_prune_are_the_files_business(project: Project) -> None:
    save(project)
    for words in (("--prune",), ("billing-exporter",)):
        refused = apply(project, *words)
        assert refused.code == 1
        assert "--plan: the file says what is run; give neither names nor --prune beside it" in refused.err


def test_a_plan_cannot_be_saved_where_there_is_no_folder(project: Project) -> None:
    refused = project.run("preview", "--save", "missing/plan.json")
    assert refused.code == 1
    assert "error: --save: there is no folder missing; make it, or name another file" in refused.err
    assert not (project.root / "missing").exists()
