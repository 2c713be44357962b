"""A ledger that somebody edited: no client of others is touched on its word, and `audit verify` finds the edit."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from audit_bench import STACK
from cli_project import Project

from keysteward.core.audit.chain import dump_segment, load_entry, load_segment, make_segment
from keysteward.core.record.ledger import Executed, Ledger, State, dump_ledger
from keysteward.testing.memory import MemoryObject

STRANGER = "payroll"
CHANGES = {"mark", "create", "update", "issue", "retire", "suspend", "delete", "release"}


@pytest.fixture
def project(project: Project) -> Project:
    """A credential of ours, issued and logged, beside a client of somebody else."""
    project.declare(project.api, project.client())
    assert project.run("up", "--yes").code == 0
    project.target.objects["obj-99"] = MemoryObject("obj-99", STRANGER, own_client(project).settings, None)
    project.target.calls.clear()
    return project


def own_client(project: Project) -> MemoryObject:
    return next(item for item in project.target.objects.values() if item.client_id == "billing-exporter")


def edit(project: Project, change: Callable[[Ledger], Ledger]) -> None:
    """Change the ledger as somebody with the ledger store's credential can."""
    ledger = project.ledger()
    project.ledgers.write(f"ledgers/{ledger.identity}", dump_ledger(change(ledger)), ledger.version)


def naming_the_stranger(ledger: Ledger, **also: Any) -> Ledger:  # noqa: ANN401 - fields of an object record
    return ledger.with_object(1, remote_id="obj-99", client_id=STRANGER, **also)


def drift_of(project: Project) -> list[tuple[str, str]]:
    found = json.loads(project.run("drift", "--json").out)["findings"]
    return [(finding["severity"], finding["message"]) for finding in found]


def verified(project: Project) -> tuple[int, list[str]]:
    answer = project.run("audit", "verify", "--json")
    return answer.code, [f"{d['what']}: {d['message']}" for d in json.loads(answer.out)["defects"]]


def forget_the_log(project: Project) -> None:
    """Take from the ledgers what they know of the log."""
    for name in ("billing-api", "billing-exporter"):
        held = project.ledgers.read(f"ledgers/{STACK}/{name}")
        project.ledgers.write(f"ledgers/{STACK}/{name}", {**(held.document or {}), "logged": None}, held.version)


def forget_what_was_recorded(project: Project) -> None:
    """Write the log anew as a version would have that recorded nothing of clients and generations."""
    forget_the_log(project)
    entries = []
    for key in sorted(key for key in project.ledgers.documents if key.startswith("audit")):
        text, _ = project.ledgers.documents.pop(key)
        if key.startswith("audit/"):
            lines = load_segment(json.loads(text)).lines
            entries += [replace(load_entry(line.entry), recorded=None) for line in lines]
    segment = make_segment(STACK, None, entries, None)
    project.ledgers.write(f"audit/{STACK}/00000001", dump_segment(segment), 0)


@pytest.mark.parametrize("also", [{}, {"nonce": "another"}, {"marked": False}, {"adopted": True, "marked": False}])
def test_a_client_of_others_gets_no_mark_because_a_ledger_names_it(project: Project, also: dict[str, Any]) -> None:
    edit(project, lambda ledger: naming_the_stranger(ledger, **also))
    answer = project.run("up", "--yes")
    assert answer.code == 1
    assert "may have been tampered with" in answer.out
    assert "the audit log knows" in answer.out
    project.pass_time(days=100)
    for words in (("up", "--yes", "--prune"), ("rotate", "--due", "--yes")):
        assert project.run(*words).code == 1
    assert project.target.objects["obj-99"].mark is None
    assert CHANGES.isdisjoint(project.target.calls)
    [(severity, message)] = [found for found in drift_of(project) if "tampered" in found[1]]
    assert severity == "error"
    assert "client 'payroll' at target corp carries no mark of acme/demo/billing-exporter" in message
    code, [defect] = verified(project)
    assert (code, "ledger differs: the ledger of acme/demo/billing-exporter has a client 1 whose" in defect) == (
        2,
        True,
    )


@pytest.mark.parametrize("adopted", [False, True])
def test_a_client_of_others_is_not_ended_because_a_ledger_names_it(project: Project, adopted: bool) -> None:
    edit(project, lambda ledger: naming_the_stranger(ledger, adopted=adopted))
    project.declare(project.api)
    assert project.run("up", "--yes", "--prune").code == 1
    assert CHANGES.isdisjoint(project.target.calls)


def test_our_own_mark_is_put_back_when_somebody_took_it_away(project: Project) -> None:
    own_client(project).mark = None
    assert ("warning", "client 'billing-exporter' at target corp has lost its mark") in drift_of(project)
    assert project.run("up", "--yes").code == 0
    assert own_client(project).mark is not None
    assert verified(project) == (0, [])


def test_a_log_of_an_older_version_attests_a_client_by_its_name(project: Project) -> None:
    forget_what_was_recorded(project)
    answer = json.loads(project.run("audit", "verify", "--json").out)
    assert {defect["what"] for defect in answer["defects"]} == {"unsigned"}
    assert answer["unattested"] == 2
    own_client(project).mark = None
    assert project.run("up", "--yes").code == 0
    assert own_client(project).mark is not None
    edit(project, naming_the_stranger)
    assert project.run("up", "--yes").code == 1
    assert project.target.objects["obj-99"].mark is None


def test_a_person_may_say_that_a_client_is_theirs(project: Project) -> None:
    edit(project, naming_the_stranger)
    assert "declare adopt='obj-99'" in project.run("up", "--yes").out.replace("\n", " ")
    project.declare(project.api, project.client(adopt="obj-99"))
    project.run("up", "--yes")
    assert project.target.objects["obj-99"].mark is not None


def test_what_a_killed_run_left_is_moved_into_the_log_before_a_mark_is_put_back(project: Project) -> None:
    """Its entries wait in the ledger, and what waits there attests nothing: whoever edits a ledger can add to them."""
    texts = [project.ledgers.documents.pop(key)[0] for key in list(project.ledgers.documents) if "audit" in key]
    lines = [line for text in texts for line in json.loads(text).get("entries", ())]
    mine = tuple(load_entry(line["entry"]) for line in lines if line["entry"]["identity"].endswith("exporter"))
    edit(project, lambda ledger: replace(ledger, outbox=mine, logged=None))
    own_client(project).mark = None
    assert "entries wait in the ledger, which may say so: run again" in project.run("up", "--yes").out.replace(
        "\n", " "
    )
    assert project.run("up", "--yes").code == 0
    assert own_client(project).mark is not None


YEAR = timedelta(days=365)


def test_dates_that_were_moved_are_found(project: Project) -> None:
    def a_year_ahead(ledger: Ledger) -> Ledger:
        current = ledger.current
        assert current is not None
        assert current.current_since is not None
        return ledger.with_generation(1, current_since=current.current_since + YEAR)

    assert verified(project) == (0, [])
    edit(project, a_year_ahead)
    code, [defect] = verified(project)
    assert code == 2
    assert "generation 1 whose current since is 2027-01-05" in defect
    assert "was 2026-01-05" in defect


@pytest.mark.parametrize(
    "change",
    [
        lambda ledger: ledger.with_generation(1, state=State.RETIRED),
        lambda ledger: ledger.with_generation(1, id="another-key"),
        lambda ledger: ledger.with_generation(1, fingerprint="another"),
        lambda ledger: ledger.with_generation(1, ends_at=ledger.generations[0].current_since + YEAR),
        lambda ledger: replace(ledger, generations=(*ledger.generations, replace(ledger.generations[0], number=2))),
        lambda ledger: ledger.with_object(1, target="other"),
    ],
)
def test_whatever_was_altered_in_a_client_or_generation_is_found(
    project: Project, change: Callable[[Ledger], Ledger]
) -> None:
    edit(project, change)
    code, [defect] = verified(project)
    assert (code, "ledger differs: the ledger of acme/demo/billing-exporter has a " in defect) == (2, True)


def test_a_life_with_every_command_leaves_ledgers_that_agree_with_the_log(project: Project) -> None:
    project.declare(project.api, project.client(), project.client("mailer"))
    for words in (
        ("up", "--yes"),
        ("reissue", "billing-exporter", "--reason", "a test", "--grace", "2d", "--yes"),
        ("rollback", "billing-exporter", "--reason", "a test", "--yes"),
        ("up", "--yes"),
        ("suspend", "mailer", "--reason", "a test", "--yes"),
        ("resume", "mailer", "--reason", "a test", "--yes"),
        ("hold", "mailer", "--until", "2027-01-01", "--reason", "a test"),
        ("revoke", "mailer", "--all", "--reason", "a test", "--yes"),
        ("lift", "mailer", "--reason", "a test", "--yes"),
        ("up", "--yes"),
    ):
        project.pass_time(days=1)
        assert project.run(*words).code == 0, words
        assert verified(project) == (0, []), words
    for _ in range(4):
        project.pass_time(days=45)
        assert project.run("rotate", "--due", "--yes").code == 0
    project.declare(project.api, project.client(), project.client("post", previously="mailer"))
    project.run("up", "--yes")
    assert verified(project) == (0, [])
    project.declare(project.api)
    project.pass_time(days=9)
    project.run("up", "--yes", "--prune")
    assert verified(project) == (0, [])


def test_a_log_that_was_wiped_together_with_what_ledgers_knew_of_it_is_missed(project: Project) -> None:
    for key in [key for key in project.ledgers.documents if key.startswith("audit")]:
        del project.ledgers.documents[key]
    forget_the_log(project)
    code, found = verified(project)
    assert code == 2
    assert sorted(found) == [
        f"removed: the ledger of acme/demo/{name} says that 1 plan was carried out, and the log has no entry of it: "
        "entries were removed, or the ledger was made up"
        for name in ("billing-api", "billing-exporter")
    ]
    assert "whole and in order" not in project.run("audit", "verify").out


def test_a_log_whose_end_was_cut_off_with_what_ledgers_knew_of_it_is_missed(project: Project) -> None:
    project.pass_time(days=90)
    assert project.run("up", "--yes").code == 0
    del project.ledgers.documents[f"audit/{STACK}/00000002"]
    del project.ledgers.documents[f"audit-heads/{STACK}"]
    edit(project, lambda ledger: replace(ledger, logged=None))
    code, found = verified(project)
    assert (code, len(found)) == (2, 2)
    edit(project, lambda ledger: replace(ledger, generations=(), objects=(), executed=Executed()))
    assert verified(project)[0] == 0, "what is in neither ledger nor log, only keys and anchors can tell"


def test_a_ledger_that_cannot_be_read_is_not_passed_over(project: Project) -> None:
    project.ledgers.write("ledgers/acme/demo/mailer", {"format": 1, "generations": 5}, 0)
    code, [defect] = verified(project)
    assert (code, "it was not compared with the log" in defect) == (2, True)
