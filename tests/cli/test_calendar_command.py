"""What comes by schedule: as text by month, as JSON, and as a file for calendar programs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import icalendar
import pytest
from cli_project import OWNERS, Project

from keysteward import ApiKey, PermanentException, RotationSchedule, Transitional
from keysteward.core.contract.capabilities import Capabilities
from keysteward.core.declare.credentials import Allowed, Waiver
from keysteward.core.errors import Unavailable
from keysteward.testing.memory import MemoryTarget

ACCESS = ["invoices:read"]
HOSTILE = 'evil\x1b[31m\u202eowner\u2028,;\\n"\r\nBEGIN:VALARM<script>'


def dates(project: Project, *arguments: str) -> list[str]:
    """Return the dates as "day occasion name: what"."""
    answer = project.run("calendar", "--json", *arguments)
    assert answer.code == 0, answer.err
    found = json.loads(answer.out)["dates"]
    return [f"{d['at'][:10]} {d['occasion']} {d['name']}: {d['what']}" for d in found]


def exporter(project: Project, **fields: object) -> None:
    project.declare(project.api, project.client(access={project.api: ACCESS}, **fields))


def key(project: Project, why: PermanentException | Transitional, **fields: object) -> ApiKey:
    can = Capabilities(("api_key",), secrets=100, named_keys=True, tags_secrets=True)
    saas = MemoryTarget("saas", Capabilities(methods=()), project.clock, can)
    saas.hold("org-1")
    given: dict[str, object] = {
        "target": saas,
        "holder": "org-1",
        "owner": "team-billing",
        "purpose": "What a partner calls us with",
        "expires": date(2026, 12, 1),
        "classification": why,
        "rotation": RotationSchedule(every="60d", overlap="7d"),
        "deliver_to": project.store.path("apps/partner"),
    }
    return ApiKey("partner", **{**given, **fields})  # type: ignore[arg-type]


def test_rotations_retirements_and_ends_by_month(project: Project) -> None:
    project.run("up", "--yes")
    project.pass_time(days=90)
    project.run("up", "--yes")
    project.target.calls.clear()

    answer = project.run("calendar")
    assert answer.code == 0
    assert project.target.calls == []
    assert "Calendar of acme/demo, 2026-04-05 to 2026-07-04" in answer.out
    april, july = answer.out.index("April 2026"), answer.out.index("July 2026")
    retirement = answer.out.index("2026-04-12 09:00 UTC  billing-exporter  retirement  retire generation 1")
    rotation = answer.out.index("billing-exporter  rotation  rotate to generation 3")
    assert april < retirement < july < rotation
    assert answer.out.rstrip().endswith("2 dates.")
    assert dates(project, "--days", "30") == ["2026-04-12 retirement billing-exporter: retire generation 1"]
    assert dates(project, "--from", "2026-07-01", "--to", "2026-07-31") == [
        "2026-07-01 rotation billing-exporter: rotate to generation 3"
    ]
    assert dates(project, "--from", "2026-04-12", "--to", "2026-04-12") == [
        "2026-04-12 retirement billing-exporter: retire generation 1"
    ]


def test_what_is_overdue_comes_first_unless_a_day_is_asked_for(project: Project) -> None:
    project.run("up", "--yes")
    project.pass_time(days=100)
    answer = project.run("calendar", "--days", "10")
    assert answer.out.index("Overdue") < answer.out.index("rotate to generation 2")
    assert answer.out.rstrip().endswith("1 date, 1 of them overdue.")
    [entry] = json.loads(project.run("calendar", "--json").out)["dates"]
    assert entry["overdue"] is True
    assert dates(project, "--from", "2026-04-15", "--days", "10") == []
    assert "Nothing comes." in project.run("calendar", "--from", "2026-04-15", "--days", "10").out


def test_what_will_not_rotate_any_more_says_its_end_alone(project: Project) -> None:
    project.run("up", "--yes")
    exporter(project, decommission=date(2026, 3, 1))
    assert dates(project) == ["2026-03-01 decommission billing-exporter: decommissioned"]
    exporter(project, expires=date(2026, 4, 5))
    assert dates(project, "--days", "120") == ["2026-04-05 expiry billing-exporter: expires"]
    assert "rotate" not in project.run("show", "billing-exporter").out.partition("due")[2].partition("Generations")[0]


def test_reviews_exceptions_migrations_and_waivers(project: Project) -> None:
    why = PermanentException(justification="no OAuth", risk_accepted_by="security", review_by=date(2026, 5, 1))
    waiver = Waiver("KS016", reason="being written", approved_by="security", until=date(2026, 3, 3))
    partner = key(project, why, reviewed=date(2026, 1, 1), waivers=[waiver])
    client = project.client(access={project.api: ACCESS}, reviewed=date(2025, 3, 1))
    project.declare(project.api, client, partner)
    assert dates(project, "--days", "365") == [
        "2026-03-01 review billing-exporter: review it and renew `reviewed`",
        "2026-03-03 waiver partner: KS016 counts again (being written)",
        "2026-05-01 exception partner: review its exception and renew `review_by`",
        "2026-06-30 review partner: review it and renew `reviewed`",
    ]
    moving = Transitional(migrate_to=client, by=date(2026, 4, 1))
    project.declare(project.api, client, key(project, moving))
    assert "2026-04-01 migration partner: its consumer is to have moved to client billing-exporter" in dates(project)


def test_owners_consumers_and_allowances_have_days_too(project: Project) -> None:
    given = OWNERS.model_dump()
    given["people"]["ada"] = {"contact": "ada@example.com"}
    given["teams"]["team-billing"] |= {"state": "leaving", "leaves": date(2026, 2, 1), "deputy": "ada"}
    given["consumers"] = {"etl": {"contact": "etl@example.com", "state": "retiring", "retires": date(2026, 2, 2)}}
    project.owners = type(OWNERS).model_validate(given)
    left = Allowed(["legacy-*"], target=project.target, owner="ada", reason="moves in spring", until=date(2026, 3, 1))
    project.declare(project.api, project.client(consumer="etl"), allowed=[left])
    assert dates(project) == [
        "2026-02-01 owner team-billing: leaves; ada answers then",
        "2026-02-02 consumer etl: is retired",
        "2026-03-01 allowance corp: legacy-*: is left alone no longer (moves in spring)",
    ]


def test_the_day_from_which_runs_stop_for_want_of_an_owner(project: Project) -> None:
    given = OWNERS.model_dump() | {"unassigned_until": date(2026, 2, 10)}
    project.owners = type(OWNERS).model_validate(given)
    imported = [project.client(name, owner="UNASSIGNED") for name in ("a", "b")]
    project.declare(project.api, *imported, project.client())
    assert dates(project) == [
        "2026-02-10 owner UNASSIGNED: every run stops for 2 credentials that have no owner by then"
    ]
    project.declare(project.api, project.client())
    assert dates(project) == []


def events_of(path: Path) -> Iterator[icalendar.Event]:
    read = icalendar.Calendar.from_ical(path.read_bytes())
    assert read["version"] == "2.0"
    yield from (component for component in read.walk("VEVENT"))


def test_a_file_for_calendar_programs_keeps_its_events_when_dates_move(project: Project, tmp_path: Path) -> None:
    project.run("up", "--yes")
    path = tmp_path / "keys.ics"
    answer = project.run("calendar", "--ics", str(path))
    assert (answer.code, answer.out) == (0, "")
    assert "1 date written to" in answer.err
    [event] = events_of(path)
    assert event["summary"] == "billing-exporter: rotate to generation 2"
    assert event["description"] == "rotation in acme/demo; owner: team-billing"
    assert event.decoded("dtstart").date() == date(2026, 4, 2)
    assert event.decoded("dtstamp") == datetime(2026, 1, 5, 9, 0, tzinfo=UTC)

    exporter(project, rotation=RotationSchedule(every="30d", overlap="7d"))
    project.run("calendar", "--ics", str(path))
    [moved] = events_of(path)
    assert moved["uid"] == event["uid"]
    assert moved.decoded("dtstart") < event.decoded("dtstart")


def test_text_from_elsewhere_stays_text(project: Project, tmp_path: Path) -> None:
    left = Allowed([HOSTILE], target=project.target, owner=HOSTILE, reason=HOSTILE, until=date(2026, 3, 1))
    project.declare(project.api, allowed=[left])
    path = tmp_path / "keys.ics"
    assert project.run("calendar", "--ics", str(path)).code == 0
    raw = path.read_bytes()
    for character in ("\x1b", "\u202e", "\u2028"):
        assert character.encode() not in raw
    assert [line for line in raw.split(b"\r\n") if line.startswith(b"BEGIN:")] == [b"BEGIN:VCALENDAR", b"BEGIN:VEVENT"]
    [event] = events_of(path)
    cleaned = 'evil[31mowner,;\\n" BEGIN:VALARM<script>'
    assert cleaned in str(event["summary"]).replace("  ", " ")
    shown = project.run("calendar").out
    assert "\x1b" not in shown
    assert "\u202e" not in shown


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (["--from", "2026-03-02", "--to", "2026-03-01"], "--to: the last day is before the first one"),
        (["--ics", "no/such/folder/keys.ics"], "--ics: there is no folder no/such/folder"),
        (["--from", "tomorrow"], "it must be a day, such as"),
    ],
)
def test_wrong_options_are_errors(project: Project, wrong: list[str], said: str) -> None:
    answer = project.run("calendar", *wrong)
    assert answer.code == 1
    assert said in answer.err


def test_it_works_while_targets_are_down_and_under_an_old_name(project: Project) -> None:
    project.run("up", "--yes")

    def down(_operation: str) -> None:
        raise Unavailable("corp does not answer")

    project.target.before = down
    project.declare(
        project.api, project.client("invoice-exporter", previously=["billing-exporter"], access={project.api: ACCESS})
    )
    assert dates(project) == ["2026-04-02 rotation invoice-exporter: rotate to generation 2"]
