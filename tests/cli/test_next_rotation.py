"""What comes next of a credential: inventory, calendar and `show` say the same day, and none that will not come."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from cli_project import Project
from saas import serving_saas

from keysteward import ApiKey, RotationSchedule, Transitional
from keysteward.core.contract.capabilities import Capabilities
from keysteward.core.record.ledger import Blocked, Revoked, dump_ledger
from keysteward.testing.memory import MemoryTarget

NAME = "billing-exporter"
DUE = "2026-04-02"


def told(project: Project, name: str = NAME) -> str | None:
    """Return the day of the next rotation, which all three commands say alike; None when none comes."""
    entries = json.loads(project.run("inventory", "--json").out)["entries"]
    listed = next(entry["next_rotation"] for entry in entries if entry["name"] == name)
    ahead = json.loads(project.run("calendar", "--json", "--days", "1000").out)["dates"]
    planned = [d["at"] for d in ahead if (d["name"], d["occasion"]) == (name, "rotation")]
    shown = [d["at"] for d in json.loads(project.run("show", name, "--json").out)["next"] if "rotate" in d["what"]]
    assert planned == shown == ([listed] if listed is not None else [])
    return None if listed is None else str(listed)[:10]


@pytest.fixture
def running(project: Project) -> Project:
    assert project.run("up", "--yes").code == 0
    assert told(project) == DUE
    return project


def retired_on(project: Project) -> str | None:
    """Return the day on which the previous generation is to end, which `show` and `calendar` say alike."""
    ahead = json.loads(project.run("calendar", "--json", "--days", "1000").out)["dates"]
    planned = [d["at"] for d in ahead if (d["name"], d["occasion"]) == (NAME, "retirement")]
    shown = [d["at"] for d in json.loads(project.run("show", NAME, "--json").out)["next"] if "retire" in d["what"]]
    assert planned == shown
    return str(shown[0])[:10] if shown else None


@pytest.fixture
def overlapping(running: Project) -> Project:
    """Two generations live; the first is to end after its overlap of seven days, on the 12th of April."""
    running.pass_time(days=90)
    assert running.run("up", "--yes").code == 0
    assert running.states() == ["1 previous", "2 current"]
    return running


def declared(project: Project, **fields: object) -> None:
    project.declare(project.api, project.client(access={project.api: ["invoices:read"]}, **fields))


def noted(project: Project, **changes: Any) -> None:  # noqa: ANN401 - fields of the ledger
    """Write into the ledger what an earlier run noted there."""
    ledger = replace(project.ledger(), **changes)
    project.ledgers.write(f"ledgers/{ledger.identity}", dump_ledger(ledger), ledger.version)


def test_what_is_overdue_keeps_its_day(running: Project) -> None:
    running.pass_time(days=95)
    assert told(running) == DUE


def test_of_what_was_revoked_none_comes(running: Project) -> None:
    assert running.run("revoke", NAME, "--all", "--reason", "leaked", "--yes").code == 0
    assert told(running) is None


def test_of_what_was_revoked_and_still_lives_none_comes(running: Project) -> None:
    """A revocation that could not end anything yet bars the next generation all the same."""
    noted(running, revoked=Revoked(running.clock.now, "leaked"))
    assert running.states() == ["1 current"]
    assert told(running) is None


def test_one_generation_revoked_bars_no_other(running: Project) -> None:
    running.pass_time(days=90)
    running.run("up", "--yes")
    assert running.run("revoke", NAME, "--generation", "1", "--reason", "leaked", "--yes").code == 0
    assert told(running) == "2026-07-01"


def test_of_what_is_decommissioned_none_comes(running: Project) -> None:
    declared(running, decommission=date(2027, 1, 1))
    assert told(running) is None


def test_none_comes_whose_overlap_would_reach_past_the_expiry(running: Project) -> None:
    declared(running, expires=date(2026, 4, 15))
    assert told(running) == DUE
    declared(running, expires=date(2026, 4, 8))
    assert told(running) is None


def test_what_is_overdue_comes_no_more_once_the_expiry_is_near(running: Project) -> None:
    declared(running, expires=date(2026, 4, 15))
    running.pass_time(days=94)
    assert told(running) is None


def test_a_key_whose_classification_lapses_before_gets_none(project: Project) -> None:
    can = Capabilities(("api_key",), secrets=100, named_keys=True, tags_secrets=True)
    saas = MemoryTarget("saas", Capabilities(methods=()), project.clock, can)
    saas.hold("org-1")
    client = project.client(access={project.api: ["invoices:read"]})

    def until(by: date) -> None:
        key = ApiKey(
            "partner",
            target=saas,
            holder="org-1",
            owner="team-billing",
            purpose="What a partner calls us with",
            expires=date(2026, 12, 1),
            classification=Transitional(migrate_to=client, by=by),
            rotation=RotationSchedule(every="60d", overlap="7d"),
            deliver_to=project.store.path("apps/partner"),
        )
        project.declare(project.api, client, key)

    until(date(2026, 6, 1))
    project.run("up", "--yes")
    due = told(project, "partner")
    assert due is not None
    assert due < "2026-03-07"
    until(date(2026, 3, 1))
    assert told(project, "partner") is None
    until(date(2026, 3, 20))
    assert told(project, "partner") == due
    project.pass_time(days=80)
    assert told(project, "partner") is None, "it was due, and that day is past on which it may still be renewed"


def test_a_hold_moves_it(running: Project) -> None:
    running.run("hold", NAME, "--until", "2026-02-01", "--reason", "trade fair")
    assert told(running) == DUE, "the hold is over by then"
    running.run("hold", NAME, "--until", "2026-05-05", "--reason", "trade fair")
    assert told(running) == "2026-05-05"
    declared(running, expires=date(2026, 5, 10))
    assert told(running) is None, "by then its overlap would reach past the expiry"


def test_a_hold_moves_it_to_a_maintenance_window(running: Project) -> None:
    windows = ["Sun 02:00-04:00 UTC"]
    declared(running, rotation=RotationSchedule(every="90d", overlap="7d", windows=windows))
    running.run("hold", NAME, "--until", "2026-04-01", "--reason", "trade fair")
    held = told(running)
    assert held == "2026-04-05", "the first Sunday after the hold"


def test_while_suspended_none_comes(running: Project) -> None:
    running.run("suspend", NAME, "--reason", "odd traffic", "--yes")
    assert told(running) is None
    running.run("resume", NAME, "--yes")
    assert told(running) == DUE


def test_a_hold_moves_the_retirement_too(overlapping: Project) -> None:
    assert retired_on(overlapping) == "2026-04-12"
    overlapping.run("hold", NAME, "--until", "2026-04-04", "--reason", "trade fair")
    assert retired_on(overlapping) == "2026-04-12", "the hold is over by then"
    overlapping.run("hold", NAME, "--until", "2026-05-05", "--reason", "trade fair")
    assert retired_on(overlapping) == "2026-05-05"
    windows = ["Sun 02:00-04:00 UTC"]
    declared(overlapping, rotation=RotationSchedule(every="90d", overlap="7d", windows=windows))
    assert retired_on(overlapping) == "2026-05-05", "so late that no window is waited for"
    overlapping.run("hold", NAME, "--until", "2026-04-14", "--reason", "trade fair")
    assert retired_on(overlapping) == "2026-04-19", "the first Sunday after the hold"


def test_while_suspended_nothing_is_retired(overlapping: Project) -> None:
    overlapping.run("suspend", NAME, "--reason", "odd traffic", "--yes")
    assert retired_on(overlapping) is None
    overlapping.pass_time(days=20)
    assert overlapping.run("up", "--yes").code == 0
    assert overlapping.states() == ["1 previous", "2 current"]
    overlapping.run("resume", NAME, "--yes")
    assert overlapping.states() == ["1 retired", "2 current"]


def test_what_is_revoked_is_retired_on_no_day(overlapping: Project) -> None:
    noted(overlapping, revoked=Revoked(overlapping.clock.now, "leaked"))
    assert retired_on(overlapping) is None


def test_while_blocked_none_comes_until_the_declaration_changes(running: Project) -> None:
    digest = running.stack.specs[f"acme/demo/{NAME}"].digest()
    noted(running, blocked=Blocked("refused twice", digest, running.clock.now))
    assert told(running) is None
    declared(running, rotation=RotationSchedule(every="80d", overlap="7d"))
    assert told(running) is not None


def test_of_a_key_made_by_hand_it_is_the_day_for_a_person(project: Project) -> None:
    with serving_saas() as saas:
        saas.keys.add("key-one")
        project.declare(project.key_by_hand(saas.url, rotation=RotationSchedule(every="60d", overlap="7d")))
        assert told(project, "crm") is None, "there is nothing to replace yet"
        assert project.run("deliver", "crm", "--yes", say="key-one\n").code == 0
        due = told(project, "crm")
        assert due is not None
        assert "rotate to generation 2, by hand" in project.run("show", "crm").out
        project.run("revoke", "crm", "--all", "--reason", "leaked", "--yes")
        assert told(project, "crm") is None
