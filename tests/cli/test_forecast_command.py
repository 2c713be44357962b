"""What will runs do, and when: the planner run ahead at the command line, with what-ifs."""

from __future__ import annotations

import json
from datetime import date

import pytest
from cli_project import OWNERS, Project
from saas import serving_saas

from keysteward import ApiKey, Limit, PermanentException, RotationSchedule
from keysteward.core.contract.capabilities import Capabilities
from keysteward.core.errors import Unavailable
from keysteward.testing.memory import MemoryTarget


def shown(project: Project, *arguments: str) -> str:
    answer = project.run("forecast", *arguments)
    assert answer.code == 0, answer.err
    return answer.out


def told(project: Project, *arguments: str) -> dict[str, list[str]]:
    """Return what happens by kind, each as "day name: words"."""
    document = json.loads(shown(project, "--json", *arguments))
    found: dict[str, list[str]] = {}
    for event in document["events"]:
        found.setdefault(event["what"], []).append(f"{event['at'][:10]} {event['name']}: {event['words']}")
    return found


def test_a_year_ahead_by_month_changes_nothing(project: Project) -> None:
    project.run("up", "--yes")
    project.target.calls.clear()
    written = project.ledgers.writes

    out = shown(project)
    assert project.target.calls == ["observe"]
    assert project.ledgers.writes == written
    assert "Forecast for acme/demo, 2026-01-05 to 2027-01-05" in out
    assert "`keysteward up` runs every 1d, the first time 2026-01-05 09:00 UTC." in out
    assert "2026-04       1        1       2  2026-04-03 (1)" in out
    assert "2026-04-11 09:00 UTC  billing-exporter  retired  end generation 1 (its overlap ended on 2026-04-10)" in out
    assert "corp         8              8           1  2026-04-03" in out
    assert out.rstrip().endswith("Issued 4, retired 4; 8 writes, most on 2026-04-03 (1).")


def test_the_runs_then_do_what_was_forecast(project: Project) -> None:
    project.run("up", "--yes")
    forecast = told(project, "--days", "100")
    project.pass_time(days=87)
    assert project.run("preview", "--expect-no-changes").code == 0
    project.pass_time(days=1)
    assert forecast["issued"] == ["2026-04-03 billing-exporter: rotate to generation 2 (due 2026-04-02)"]
    assert "rotate to generation 2 (due 2026-04-02)" in project.run("up", "--yes").out
    project.pass_time(days=7)
    assert project.run("preview", "--expect-no-changes").code == 0
    project.pass_time(days=1)
    assert forecast["retired"] == ["2026-04-11 billing-exporter: end generation 1 (its overlap ended on 2026-04-10)"]
    project.run("up", "--yes")
    assert project.states() == ["1 retired", "2 current"]


def test_by_week_and_day_with_names_and_only_for_some(project: Project) -> None:
    project.declare(project.api, project.client(), project.client("mailer", auth_method="private_key_jwt"))
    weekly = shown(project, "--by", "week", "--days", "30", "--names", "--events", "1")
    assert "2026-W02       2" in weekly
    assert "issued: billing-exporter, mailer" in weekly
    assert "and 1 more; --events N shows more, --json all" in weekly
    daily = json.loads(shown(project, "mailer", "--by", "day", "--days", "30", "--json"))
    assert [p["period"] for p in daily["periods"]] == ["2026-01-05"]
    assert {e["name"] for e in daily["events"]} == {"mailer"}
    assert daily["targets"] == [
        {
            "name": "corp",
            "writes": 1,
            "busiest": {"day": "2026-01-05", "writes": 1},
            "days": [{"day": "2026-01-05", "writes": 1}],
        }
    ]
    unknown = project.run("forecast", "mailr")
    assert unknown.code == 1
    assert "did you mean mailer" in unknown.err


def test_without_runs_it_says_what_is_missed_and_what_gets_late(project: Project) -> None:
    project.run("up", "--yes")
    project.pass_time(days=80)
    assert "missed" not in told(project)

    ahead = told(project, "--no-runs", "30d", "--days", "60")
    assert ahead["missed"] == ["2026-04-02 billing-exporter: rotate to generation 2 (due 2026-04-02)"]
    assert ahead["late"] == ["2026-04-11 billing-exporter: rotation was due on 2026-04-02"]
    assert ahead["issued"] == ["2026-04-25 billing-exporter: rotate to generation 2 (due 2026-04-02)"]
    assert "no run happens for 30d; then `keysteward up` runs every 1d, first 2026-04-25 09:00 UTC" in shown(
        project, "--no-runs", "30d"
    )


def test_a_key_that_its_target_ends_without_a_run(project: Project) -> None:
    keys = Capabilities(("api_key",), secrets=100, named_keys=True, tags_secrets=True, immutable=("scopes", "expires"))
    saas = MemoryTarget("saas", Capabilities(methods=()), project.clock, keys)
    saas.hold("org-1")
    why = PermanentException(justification="no OAuth", risk_accepted_by="security", review_by=date(2026, 6, 1))
    project.declare(
        ApiKey(
            "partner",
            target=saas,
            holder="org-1",
            owner="team-billing",
            purpose="What a partner calls us with",
            expires=date(2026, 2, 1),
            classification=why,
            rotation=RotationSchedule(every="60d", overlap="7d"),
            deliver_to=project.store.path("apps/partner"),
        )
    )
    project.run("up", "--yes")
    ahead = told(project, "--no-runs", "60d")
    assert ahead["expired"] == [
        "2026-02-01 partner: generation 1 ends at saas by a day of its own",
        "2026-02-01 partner: expired on 2026-02-01",
    ]
    assert "issued" not in ahead
    assert told(project)["retired"] == ["2026-02-01 partner: end generation 1 (expired on 2026-02-01)"]


def test_a_key_made_by_hand_needs_a_person(project: Project) -> None:
    with serving_saas() as saas:
        saas.keys.add("key-one")
        project.declare(project.key_by_hand(saas.url, rotation=RotationSchedule(every="60d", overlap="7d")))
        assert told(project)["person needed"] == ["2026-01-05 crm: no value was handed over yet"]
        assert project.run("deliver", "crm", "--yes", say="key-one\n").code == 0
        ahead = told(project, "--days", "70")
    assert "issued" not in ahead
    assert [event.partition(": ")[2][:27] for event in ahead["person needed"]] == [
        "a new value is due on 2026-",
        "a new value was due on 2026",
    ]


def test_too_many_endings_at_once_are_stopped_by_the_limit(project: Project) -> None:
    services = [project.client(f"service-{n}") for n in range(5)]
    project.declare(project.api, *(project.client(f"job-{n}") for n in range(5)), *services)
    project.run("up", "--yes")
    ending = [project.client(f"job-{n}", decommission=date(2026, 3, 1)) for n in range(5)]
    project.declare(project.api, *ending, *services)
    out = shown(project, "--days", "90")
    assert "the run of 2026-03-01 09:00 UTC is stopped by the limit of 3 or 30%: it would leave 5 of" in out

    wide = json.loads(shown(project, "--days", "90", "--limit", "0.5", "--json"))
    assert wide["limit"] == {"count": 3, "share": 0.5}
    assert wide["stops"] == []
    project.pass_time(days=55)
    stopped = project.run("up", "--yes")
    assert stopped.code == 1
    assert "5 of" in stopped.err


def test_an_owner_who_is_gone_stops_every_run_unless_somebody_stands_in(project: Project) -> None:
    project.run("up", "--yes")
    out = shown(project, "--owner-gone", "team-billing")
    assert "If team-billing were gone, nobody would answer for: billing-exporter" in out
    assert "keysteward offboard team-billing --revoke" in out
    assert "from 2026-01-05 09:00 UTC on every run stops before its first call:" in out
    assert "'team-billing' is gone" in out
    ahead = told(project, "--owner-gone", "team-billing")
    assert "issued" not in ahead
    assert ahead["missed"] == ["2026-04-02 billing-exporter: rotate to generation 2 (due 2026-04-02)"]
    assert ahead["late"]

    deputised = OWNERS.model_dump()
    deputised["teams"]["team-mail"] = {"contact": "mail@example.com"}
    deputised["teams"]["team-billing"]["deputy"] = "team-mail"
    project.owners = type(OWNERS).model_validate(deputised)
    project.declare(project.api, project.client())
    out = shown(project, "--owner-gone", "team-billing")
    assert "If team-billing were gone, team-mail would answer for: billing-exporter" in out
    assert "keysteward offboard team-billing --to team-mail" in out
    assert "every run stops" not in out
    document = json.loads(shown(project, "--owner-gone", "team-billing", "--json"))
    assert document["owner_gone"] == {
        "owner": "team-billing",
        "deputy": "team-mail",
        "credentials": ["billing-exporter"],
    }
    assert document["halt"] is None
    assert document["summary"]["issued"] == 4

    nobody = project.run("forecast", "--owner-gone", "team-x")
    assert nobody.code == 1
    assert "'team-x' is not in the owners file" in nobody.err


def test_the_day_on_which_an_owner_leaves_is_ahead(project: Project) -> None:
    project.run("up", "--yes")
    leaving = OWNERS.model_dump()
    leaving["teams"]["team-billing"] |= {"state": "leaving", "leaves": date(2026, 7, 1)}
    project.owners = type(OWNERS).model_validate(leaving)
    project.declare(project.api, project.client(access={project.api: ["invoices:read"]}))
    assert json.loads(shown(project, "--days", "100", "--json"))["halt"] is None
    document = json.loads(shown(project, "--days", "365", "--json"))
    assert document["halt"]["at"] == "2026-07-01T00:00:00+00:00"
    assert "'team-billing' is gone" in document["halt"]["sentences"][0]
    done = [(e["at"][:10], e["what"]) for e in document["events"]]
    assert done == [
        ("2026-04-03", "issued"),
        ("2026-04-11", "retired"),
        ("2026-06-30", "issued"),
        ("2026-07-07", "missed"),
        ("2026-09-25", "missed"),
        ("2026-10-04", "late"),
    ]
    assert "from 2026-07-01 00:00 UTC on every run stops before its first call:" in shown(project)


def test_a_target_that_does_not_answer_hides_nothing_else(project: Project) -> None:
    other = MemoryTarget("other", project.target.capabilities, project.clock)
    project.declare(project.api, project.client(), project.client("mailer", target=other))
    project.run("up", "--yes")

    def down(_operation: str) -> None:
        raise Unavailable("other does not answer")

    other.before = down
    answer = project.run("forecast", "--json")
    assert answer.code == 1
    document = json.loads(answer.out)
    assert document["failures"] == [{"message": "other does not answer", "names": ["mailer"]}]
    assert {e["name"] for e in document["events"]} == {"billing-exporter"}
    answer = project.run("forecast")
    assert "no forecast for: mailer" in answer.out
    assert "Issued 4, retired 4; 8 writes, most on 2026-04-03 (1); no forecast for 1." in answer.out


def test_what_is_not_declared_is_left_alone(project: Project) -> None:
    project.run("up", "--yes")
    project.declare(project.api)
    out = shown(project)
    assert "Not declared, so that no run touches them: billing-exporter" in out
    assert "Nothing happens." in out


@pytest.mark.parametrize("wrong", [["--every", "1s"], ["--every", "x"], ["--no-runs", "-1d"], ["--days", "0"]])
def test_wrong_options_are_errors(project: Project, wrong: list[str]) -> None:
    answer = project.run("forecast", *wrong)
    assert answer.code == 1
    assert "Error" in answer.err or "error: " in answer.err


def test_a_limit_is_a_value_of_the_stack(project: Project) -> None:
    project.declare(project.api, project.client(), limit=Limit(count=7, share=0.1))
    document = json.loads(shown(project, "--json", "--days", "1"))
    assert document["limit"] == {"count": 7, "share": 0.1}
