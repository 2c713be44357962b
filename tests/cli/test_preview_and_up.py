"""The ordinary year of a stack, as somebody at a terminal or a CI job sees it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from cli_project import Project

from keysteward.core.contract.ports import Claim
from keysteward.core.errors import Unavailable
from keysteward.core.record.evidence import Author, Entry
from keysteward.core.record.ledger import Lease, dump_ledger


def test_a_preview_shows_what_would_be_made_and_makes_nothing(project: Project) -> None:
    shown = project.run("preview")

    assert shown.code == 0
    assert "+ billing-api" in shown.out
    assert "create scope invoices:read" in shown.out
    assert "+ billing-exporter  create client billing-exporter; issue generation 1 (key pairs)" in shown.out
    assert "2 to create; next due 2026-" in shown.out
    assert project.target.objects == {}
    assert project.ledgers.writes == 0


def test_up_does_it_and_then_nothing_is_due(project: Project) -> None:
    done = project.run("up", "--yes")
    assert done.code == 0
    assert "✓ billing-exporter" in done.out
    assert "2 done; next due 2026-" in done.out
    assert project.store.reads("apps/billing-exporter") is not None

    again = project.run("preview", "--expect-no-changes")
    assert again.code == 0
    assert "Nothing is due: 2 unchanged; next due 2026-" in again.out
    writes = project.ledgers.writes
    assert project.run("up").code == 0, "where nothing is due, nobody needs to be asked"
    assert project.ledgers.writes == writes + 1, "the heartbeat and nothing else"


def leased(project: Project) -> None:
    """Let another run be half way through the credential, for three minutes."""
    ledger = project.ledger()
    held = replace(ledger, lease=Lease("ci-7", project.clock.now + timedelta(minutes=3)))
    project.ledgers.write(f"ledgers/{ledger.identity}", dump_ledger(held), ledger.version)


def test_the_gate_is_shut_while_another_run_works_on_something(project: Project) -> None:
    project.run("up", "--yes")
    leased(project)

    gate = project.run("preview", "--expect-no-changes")
    assert gate.code == 2
    assert "Nothing else is due: 1 waiting, 1 unchanged" in gate.out
    assert gate.err == "not settled: something may be due for billing-exporter; run this again when the wait is over\n"
    document = json.loads(project.run("preview", "--expect-no-changes", "--json").out)
    assert document["summary"]["wait"] == 1, "the line does not stand in the JSON"
    assert project.run("preview").code == 0, "who did not ask for the gate is told and no more"

    project.pass_time(minutes=4)
    assert project.run("preview", "--expect-no-changes").code == 0


def test_up_moves_what_a_dead_run_left_for_the_audit_log_also_when_nothing_is_due(project: Project) -> None:
    project.run("up", "--yes")
    died_before_the_log(project)

    assert "Nothing is due" in project.run("up").out
    assert project.ledger().outbox == ()
    steps = [step for step, _ in project.entries()]
    assert "take over" in steps
    assert project.run("audit", "verify").code == 0


def test_entries_of_a_run_at_work_are_left_to_it(project: Project) -> None:
    project.run("up", "--yes")
    died_before_the_log(project)
    leased(project)
    before = project.ledger()

    assert project.run("up", "--yes").code == 0
    assert project.ledger() == before, "a write in its ledger would have made the other run fail"

    project.pass_time(minutes=4)
    assert "Nothing is due" in project.run("up").out
    assert project.ledger().outbox == ()


def died_before_the_log(project: Project) -> None:
    """Let the ledger be as a run leaves it that was killed after its last record."""
    ledger, at = project.ledger(), project.clock.now
    entry = Entry("9@1.0/x", at, ledger.identity, "take over", "ci-7 did not finish", Author("ci-7"))
    waiting = replace(ledger, outbox=(entry,))
    project.ledgers.write(f"ledgers/{ledger.identity}", dump_ledger(waiting), ledger.version)


def test_a_due_rotation_shows_with_its_reason_and_keeps_the_old_key_for_the_overlap(project: Project) -> None:
    project.run("up", "--yes")
    first = project.store.reads("apps/billing-exporter")
    project.pass_time(days=90)

    due = project.run("preview", "--expect-no-changes")
    assert due.code == 2
    assert "~ billing-exporter  rotate to generation 2 (due 2026-04-" in due.out
    assert "1 to rotate, 1 unchanged" in due.out

    project.run("up", "--yes")
    assert project.states() == ["1 previous", "2 current"]
    assert first is not None
    assert project.target.works("billing-exporter", first)

    project.pass_time(days=8)
    assert "retire generation 1  (its overlap ended on" in project.run("preview").out
    project.run("up", "--yes")
    assert project.states() == ["1 retired", "2 current"]
    assert not project.target.works("billing-exporter", first)


def test_the_executed_words_are_those_that_were_shown(project: Project) -> None:
    project.run("up", "--yes")
    shown = json.loads(project.run("preview", "--json").out)
    assert shown["summary"]["unchanged"] == 2
    assert project.ledger().executed.words.startswith("#1 create client billing-exporter; issue generation 1")


def test_without_a_terminal_up_asks_for_yes_and_changes_nothing(project: Project) -> None:
    refused = project.run("up")

    assert refused.code == 1
    assert "error: nothing was changed: nobody can be asked here" in refused.err
    assert "--yes" in refused.err
    assert project.target.objects == {}


def test_at_a_terminal_up_asks_first(project: Project, at_a_terminal: Callable[[], None]) -> None:
    at_a_terminal()
    declined = project.run("up", say="n\n")
    assert declined.code == 1
    assert "Carry out this plan? [y/N]" in declined.err
    assert "Nothing was changed." in declined.err
    assert project.target.objects == {}

    assert project.run("up", say="y\n").code == 0
    assert project.states() == ["1 current"]


def test_only_the_names_asked_for_and_the_resource_servers_they_use(project: Project) -> None:
    project.declare(project.api, project.client(access={project.api: ["invoices:read"]}), project.client("mailer"))

    assert project.run("up", "--yes", "billing-exporter").code == 0
    assert project.states() == ["1 current"]
    assert "invoices:read" in project.target.scopes
    assert "1 to create" in project.run("preview", "acme/demo/mailer").out

    unknown = project.run("up", "--yes", "billing-exportr")
    assert unknown.code == 1
    assert "'billing-exportr' is neither declared nor in the ledgers of this stack" in unknown.err
    assert "did you mean billing-exporter" in unknown.err


def test_one_failing_credential_does_not_stop_the_others(project: Project) -> None:
    project.declare(*(project.client(name) for name in ("audit", "billing-exporter", "mailer")))

    def refuse(claim: Claim) -> str | None:
        return "the token has no audience" if claim.client_id == "billing-exporter" else None

    project.target.refuse = refuse
    done = project.run("up", "--yes", "--parallel", "1")
    assert done.code == 0, "a proof that fails blocks the credential: a finding, and no error"
    assert "blocked: " in done.out

    project.target.refuse = lambda _claim: None
    project.declare(*(project.client(name) for name in ("audit", "mailer", "new", "newer")))

    def down(operation: str) -> None:
        if operation == "create" and "create" not in project.target.calls[calls:-1]:
            raise Unavailable("the target is restarting", target="corp", operation="create")

    calls = len(project.target.calls)
    project.target.before = down
    done = project.run("up", "--yes", "--parallel", "1")
    assert done.code == 1
    assert "✗ new" in done.out
    assert "the target is restarting [target=corp operation=create]" in done.out
    assert "✓ newer" in done.out
    assert "1 done, 1 failed." in done.out

    project.target.before = lambda _operation: None
    assert project.run("up", "--yes").code == 0, "a failed run gave its lease back: the next goes on at once"
    assert project.states("new") == ["1 current"]


def test_a_client_is_not_begun_when_its_resource_server_failed(project: Project) -> None:
    def down(operation: str) -> None:
        if operation == "put_scope":
            raise Unavailable("the target is restarting")

    project.target.before = down
    done = project.run("up", "--yes")

    assert done.code == 1
    assert "✗ billing-api       the target is restarting" in done.out
    assert "✗ billing-exporter  not begun, since it needs billing-api, which failed" in done.out
    assert project.target.objects == {}


def test_a_target_that_is_down_is_one_sentence_and_exit_code_1(project: Project) -> None:
    def down(operation: str) -> None:
        if operation == "observe":
            raise Unavailable("corp does not answer; repair it, then run again")

    project.target.before = down
    shown = project.run("preview")

    assert shown.code == 1
    assert shown.out.count("corp does not answer") == 1
    assert "not planned: billing-api, billing-exporter" in shown.out
    assert "2 not planned" in shown.out
    assert project.run("up", "--yes").code == 1


def test_a_problem_is_shown_before_anything_is_written(project: Project) -> None:
    project.run("up", "--yes")
    other = project.client("second", client_id="billing-exporter")
    project.declare(project.api, other)

    shown = project.run("preview")
    assert shown.code == 1
    assert "! second  client_id: 'billing-exporter' exists at target corp and is owned by acme/demo" in shown.out
    assert "1 with a problem" in shown.out
    assert project.run("up", "--yes").code == 1
    assert project.states() == ["1 current"]


def test_json_is_one_document_and_nothing_else(project: Project) -> None:
    planned = json.loads(project.run("preview", "--json").out)
    assert planned["format"] == 1
    assert planned["stack"] == "acme/demo"
    (client,) = planned["credentials"]
    assert client["action"] == "create"
    assert client["declared"] is True
    assert client["steps"][0]["do"] == "begin"
    assert planned["summary"]["next_due"]["name"] == "billing-exporter"

    assert "needs --yes" in project.run("up", "--json").err
    done = json.loads(project.run("up", "--yes", "--json").out)
    assert done["plan"]["summary"]["create"] == 2
    assert done["summary"] == {"done": 2}
    (result,) = [r for r in done["results"] if r["kind"] == "credential"]
    assert (result["generation"], result["delivered_to"]) == (1, ["secrets:apps/billing-exporter"])
    assert json.loads(project.run("up", "--json").out)["results"] == []


def test_what_the_plan_did_not_show_is_not_done(project: Project, at_a_terminal: Callable[[], None]) -> None:
    project.run("up", "--yes")
    project.pass_time(days=90)
    project.run("up", "--yes")
    project.declare(project.api, project.client(access={project.api: ["invoices:read", "invoices:write"]}))
    at_a_terminal()
    ledgers = project.ledgers

    def overlap_ends_meanwhile(operation: str) -> None:
        if operation == "read" and "Carry out" in answers:
            project.pass_time(days=8)
            answers.clear()

    answers: list[str] = []
    original = ledgers.before
    ledgers.before = overlap_ends_meanwhile

    def asked(*_args: object, **_more: object) -> bool:
        answers.append("Carry out")
        return True

    import typer  # noqa: PLC0415 - only replaced here

    confirm, typer.confirm = typer.confirm, asked  # type: ignore[assignment]
    try:
        done = project.run("up")
    finally:
        typer.confirm, ledgers.before = confirm, original
    assert done.code == 1
    assert "the world changed since the preview: retire generation 1 was not in the plan; preview it again" in done.out
    assert project.states() == ["1 previous", "2 current"]
