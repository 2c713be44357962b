"""`keysteward rules` and `explain`, and the embedded door, which a broken mandatory rule stops before any call."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta

import pytest
import yaml
from cli_project import Answer, Project

from keysteward import Waiver
from keysteward.core.policy import RULES

DIFFERS = 2
TODAY = datetime.now(UTC).date()
"""Of the checks before any call, which go by this machine's day."""


def waiver(rule: str, days: int = 30) -> Waiver:
    return Waiver(rule, reason="A migration", approved_by="security", until=TODAY + timedelta(days=days))


def shown(answer: Answer) -> str:
    assert (answer.code, answer.err) == (0, "")
    return answer.out


def refused(answer: Answer) -> list[str]:
    assert (answer.code, answer.out) == (1, "")
    return answer.err.splitlines()


def test_explain_tells_why_what_breaks_it_what_mends_it_and_how_to_waive_it(project: Project) -> None:
    out = shown(project.run("explain", "KS016"))
    rule = RULES["KS016"]
    assert out.startswith(f"KS016  {rule.title}\n")
    assert [
        words for words in (rule.reason, rule.mend, "NHI5:2025 Overprivileged NHI", "PR.AA-05") if words not in out
    ] == []
    until = TODAY + timedelta(days=90)
    day = f"date({until.year}, {until.month}, {until.day})"
    assert f'waivers=[Waiver("KS016", reason="...", approved_by="...", until={day})],' in out
    assert f'  - rule: KS016\n          reason: "..."\n          approved_by: "..."\n          until: {until}' in out
    assert "M2M client  ! warning" in out


def test_the_python_of_explain_declares_a_waiver_that_the_stack_takes(project: Project) -> None:
    waive = json.loads(shown(project.run("explain", "KS016", "--json")))["waiver"]["python"]
    given = eval(waive.removeprefix("waivers=").removesuffix(","), {"Waiver": Waiver, "date": date})  # noqa: S307
    project.declare(project.client(waivers=given))
    assert project.run("preview").code == 0


def test_the_yaml_of_explain_is_the_same_waiver(project: Project) -> None:
    waive = json.loads(shown(project.run("explain", "KS016", "--json")))["waiver"]
    (given,) = yaml.safe_load(waive["yaml"])["waivers"]
    python = eval(waive["python"].removeprefix("waivers=").removesuffix(","), {"Waiver": Waiver, "date": date})  # noqa: S307
    assert [Waiver(given.pop("rule"), **given)] == python


def test_explain_says_of_a_mandatory_rule_that_it_is_one(project: Project) -> None:
    out = shown(project.run("explain", "KS001"))
    assert "M2M client  ✗ error: stops a run before any call" in out
    assert "It is mandatory: it can be neither waived nor lowered by a level." in out
    assert "waivers=" not in out
    assert json.loads(shown(project.run("explain", "KS001", "--json")))["waiver"] is None


@pytest.mark.parametrize("number", RULES)
def test_every_rule_is_explained(project: Project, number: str) -> None:
    told = json.loads(shown(project.run("explain", number, "--json")))
    rule = RULES[number]
    assert (told["format"], told["number"], told["title"]) == (1, number, rule.title)
    assert told["severity"] == {"M2M client": rule.client, "API key": rule.key}
    assert told["owasp"]
    assert len(told["frameworks"]) > 1
    assert told["mandatory"] is not rule.waivable
    assert shown(project.run("explain", number)).count(rule.title) == 1


@pytest.mark.parametrize("asked", ["KS007", "ks007", "ks7", "7", "007"])
def test_a_number_may_be_written_shorter(project: Project, asked: str) -> None:
    assert shown(project.run("explain", asked)).startswith("KS007  ")


@pytest.mark.parametrize(
    ("asked", "near"),
    [
        ("KS032", "near to it: KS029 (A production key has a runbook), KS030 (It is used), KS031 ("),
        ("KS00", "near to it: KS001 (The owner is in the owners file), KS002 ("),
        ("runbook", "near to it: KS029 (A production key has a runbook); "),
        ("what?", "they are KS001 to KS031; "),
    ],
)
def test_an_unknown_rule_is_one_sentence_with_near_ones(project: Project, asked: str, near: str) -> None:
    (sentence,) = refused(project.run("explain", asked))
    assert sentence.startswith(f"error: there is no such rule; {near}")
    assert sentence.endswith("; keysteward explain lists all")


def test_what_was_typed_in_place_of_a_rule_is_not_repeated(project: Project) -> None:
    (sentence,) = refused(project.run("explain", "sk_live_s3cr3t"))
    assert "s3cr3t" not in sentence


def test_explain_without_a_number_lists_all(project: Project) -> None:
    out = shown(project.run("explain"))
    assert [number for number, rule in RULES.items() if f"{number}  " not in out or rule.title not in out] == []
    assert [rule["number"] for rule in json.loads(shown(project.run("explain", "--json")))["rules"]] == list(RULES)


def test_rules_lists_the_kinds_and_the_numbered_rules_without_loading_a_stack(project: Project) -> None:
    (project.root / "stacks" / "demo.py").write_text("raise RuntimeError('not loaded')\n", encoding="utf-8")
    out = shown(project.run("rules"))
    assert "rotation interval, at most  180d" in out
    assert "KS006  note         warning    It is said who uses it\n" in out
    assert "KS015  warning      -          Access tokens are short-lived\n" in out
    told = json.loads(shown(project.run("rules", "--json")))
    assert [rule["number"] for rule in told["rules"]] == list(RULES)
    assert told["rules"][14]["level"] == {"M2M client": "warning", "API key": None}
    assert "stack" not in told


def test_rules_of_a_stack_show_its_levels_and_waivers(project: Project) -> None:
    client = project.client(waivers=[waiver("KS016"), waiver("KS022", -1)])
    project.declare(client, levels={"KS006": "error", "KS015": "off"})
    out = shown(project.run("rules", "--stack", "demo"))
    assert "KS006  error        error      It is said who uses it (set by the stack)\n" in out
    assert "KS015  off          -          Access tokens are short-lived (set by the stack)\n" in out
    assert f"  billing-exporter: KS016 until {client.waivers[0].until}, approved by security: A migration\n" in out
    assert f"  billing-exporter: KS022 over since {client.waivers[1].until}, approved by security: A migration\n" in out
    told = json.loads(shown(project.run("rules", "--stack", "demo", "--json")))
    assert (told["stack"], told["levels"]) == ("acme/demo", {"KS006": "error", "KS015": "off"})
    assert [(w["rule"], w["stands"]) for w in told["waivers"]] == [("KS016", True), ("KS022", False)]
    assert told["rules"][5]["level"] == {"M2M client": "error", "API key": "error"}
    project.declare(project.client())
    assert "waivers: none" in shown(project.run("rules", "--stack", "demo"))


def test_a_waivers_words_cannot_write_to_the_terminal(project: Project) -> None:
    evil = Waiver("KS016", reason="\x1b[2Jfine\nKS001 off", approved_by="s\u202eec", until=TODAY + timedelta(days=9))
    project.declare(project.client(waivers=[evil]))
    out = shown(project.run("rules", "--stack", "demo"))
    assert "approved by sec: [2Jfine KS001 off\n" in out
    assert "\x1b" not in out


def test_rules_of_a_stack_with_a_level_that_cannot_be_meant_are_an_error(project: Project) -> None:
    project.declare(project.client(), levels={"KS001": "off"})
    (sentence,) = refused(project.run("rules", "--stack", "demo"))
    assert sentence.startswith("error: Stack 'acme/demo': levels: KS001 is mandatory and cannot be lowered to off")


@pytest.mark.parametrize("command", [("preview",), ("up", "--yes"), ("rotate", "--due", "--yes")])
def test_what_breaks_a_mandatory_rule_stops_the_embedded_door_before_any_call(
    project: Project, command: tuple[str, ...]
) -> None:
    project.declare(project.client(owner="nobody"), project.client("second", owner="billing-lead"))
    project.target.calls.clear()
    assert refused(project.run(*command)) == [
        "error: M2MClient 'billing-exporter': owner: 'nobody' is not in the owners file "
        "(it lists billing-lead, team-billing); " + RULES["KS001"].mend,
        "error: M2MClient 'second': owner: 'billing-lead' is gone, and nobody answers in their place; "
        + RULES["KS002"].mend.replace("OWNER", "billing-lead"),
    ]
    assert project.target.calls == []
    assert project.ledgers.read("ledgers/acme/demo/billing-exporter").document is None


def test_a_raised_rule_stops_the_door_and_a_waiver_opens_it_again(project: Project) -> None:
    project.declare(project.client(consumer=None), levels={"KS006": "error"})
    (sentence,) = refused(project.run("up", "--yes"))
    assert sentence == ("error: M2MClient 'billing-exporter': consumer: nobody is named who uses it; write consumer=")
    assert project.target.calls == []
    waived = waiver("KS006")
    project.declare(project.client(consumer=None, waivers=[waived]), levels={"KS006": "error"})
    assert project.run("up", "--yes").code == 0
    assert project.states() == ["1 current"]
    words = f"consumer: nobody is named who uses it (waived until {waived.until} by security: A migration)"
    assert words in project.run("show", "billing-exporter").out
    found = json.loads(project.run("drift", "--json").out)["findings"]
    assert [(f["rule"], f["severity"], f["message"]) for f in found if f["rule"] == "KS006"] == [
        ("KS006", "note", words)
    ]


def test_what_breaks_a_rule_stops_no_command_that_only_shows(project: Project) -> None:
    project.declare(project.client())
    project.run("up", "--yes")
    project.declare(project.client(owner="billing-lead"))
    assert project.run("preview").code == 1
    looked = project.run("show", "billing-exporter")
    assert looked.code == 0
    drift = project.run("drift")
    assert drift.code == DIFFERS
    gone = "owner: 'billing-lead' is gone, and nobody answers in their place"
    assert gone in looked.out
    assert gone in drift.out
