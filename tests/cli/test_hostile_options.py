"""Whatever stands behind an option, a command ends with one of its exit codes and a sentence, never with a defect.

The options are read from the commands themselves, so that a new one is tried without a word here.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

import pytest
import typer
from cli_project import Project

from keysteward import RotationSchedule, Waiver
from keysteward.cli.main import app
from keysteward.core.contract.observed import Observation
from keysteward.core.contract.ports import Fingerprint
from keysteward.core.declare.spec import Spec
from keysteward.core.errors import DeclarationError
from keysteward.core.observe.snapshot import Snapshot
from keysteward.core.observe.world import World

Command = Parameter = Any
"""Of typer's own click, which has no types."""

DURATIONS = ("3650000d", "99999999d", "36500d", "9" * 30 + "w", "\u00b2d", "-1d", "0s", "1" * 5000 + "d")
DAYS = ("9999-12-31", "0001-01-01", "2999-12-31", "2026-02-30", "2026-13-01", "\u0662\u0660\u0662\u0666-01-01")
NUMBERS = ("-1", "0", "1", "3650", "9" * 30, "1" * 5000, "1e400", "nan", "-inf", "\u00b2", "0x10")
TEXTS = ("", " ", "[[[[", "a" * 5000, "../..", "\u2603", "\x1b[2J", "\udcff")

WORDS = {
    "name": "billing-exporter",
    "names": "billing-exporter",
    "reason": "why",
    "until": "14d",
    "first": "2026-01-01",
    "last": "2026-01-31",
    "base": "HEAD",
    "old": "billing-exporter",
    "new": "billing-importer",
    "owner": "team-billing",
    "rule": "KS001",
}
"""What stands for the other words that a command cannot do without."""

SERVES = {"sandbox"}
"""Commands that go on until they are ended; only what they refuse is tried."""

CODES = {0, 1, 2}

OUT_OF_REACH = "9999-12-31 is too far away to be reckoned with; name a day from 1970-01-01 to 2999-12-31\n"


def commands() -> Iterator[tuple[tuple[str, ...], Any]]:
    def below(words: tuple[str, ...], command: Command) -> Iterator[tuple[tuple[str, ...], Any]]:
        inner = getattr(command, "commands", None)
        if inner is None:
            yield words, command
            return
        for name in inner:
            yield from below((*words, name), inner[name])

    return below((), typer.main.get_command(app))


def cases() -> Iterator[tuple[tuple[str, ...], Any, Any]]:
    for words, command in commands():
        for parameter in command.params:
            if parameter.name != "help" and not getattr(parameter, "is_flag", False):
                yield words, command, parameter


def line(words: tuple[str, ...], command: Command, tried: Parameter, value: str) -> list[str]:
    """Return a command line with this value for one parameter, and what else it cannot do without."""
    arguments, options = [], []
    for parameter in command.params:
        given = value if parameter is tried else WORDS.get(parameter.name, "x")
        if parameter is not tried and not parameter.required:
            continue
        if parameter.param_type_name == "argument":
            arguments.append(given)
        else:
            options.append(f"{parameter.opts[0]}={given}" if parameter.opts[0].startswith("--") else "")
    return [*words, *options, "--", *arguments]


def values(parameter: Parameter) -> tuple[str, ...]:
    """Return what is tried: more where the option takes a time, a number or free words."""
    kind = parameter.type_descriptor.annotation
    if kind in {int, float}:
        return NUMBERS
    if kind is datetime:
        return DAYS
    if kind is not str or parameter.name == "stack":
        return TEXTS
    said = f"{parameter.opts} {parameter.help}".lower()
    timed = any(word in said for word in ("until", "every", "grace", "how long", "how often", "date", "day"))
    return (*DURATIONS, *DAYS, *TEXTS) if timed else (DURATIONS[0], DAYS[0], NUMBERS[4], *TEXTS)


@pytest.mark.parametrize(
    ("words", "command", "parameter"),
    [pytest.param(*case, id=f"{' '.join(case[0])} {case[2].opts[0]}") for case in cases()],
)
def test_no_value_of_an_option_trips_a_command(
    project: Project, words: tuple[str, ...], command: Command, parameter: Parameter
) -> None:
    project.run("up", "--yes")
    for value in values(parameter):
        if words[0] in SERVES and value.isascii() and value.isdigit() and int(value[:9]) < 65536:
            continue
        answer = project.run(*line(words, command, parameter, value))
        assert "internal error" not in answer.err + answer.out, (value[:50], answer.err)
        assert answer.code in CODES, (value[:50], answer.code)


@pytest.mark.parametrize("option", [("forecast", "--every"), ("forecast", "--no-runs"), ("reissue", "--grace")])
def test_a_duration_that_nobody_means_is_one_sentence(project: Project, option: tuple[str, str]) -> None:
    project.run("up", "--yes")
    command, name = option
    more = ("billing-exporter", "--reason", "why", "--yes") if command == "reissue" else ()
    answer = project.run(command, name, "99999999d", *more)
    told = f"error: {name}: '99999999d' is longer than a duration can be; 36500d are the most\n"
    assert (answer.code, answer.err) == (1, told)
    assert project.run("preview").code == 0


@pytest.mark.parametrize(
    "words",
    [
        ("calendar", "--to", "9999-12-31"),
        ("audit", "export", "--from", "2026-01-01", "--to", "9999-12-31"),
        ("hold", "billing-exporter", "--reason", "why", "--until", "9999-12-31"),
    ],
)
def test_a_day_out_of_reach_is_one_sentence(project: Project, words: tuple[str, ...]) -> None:
    project.run("up", "--yes")
    answer = project.run(*words)
    assert answer.code == 1
    assert answer.err.endswith(
        "9999-12-31 is too far away to be reckoned with; name a day from 1970-01-01 to 2999-12-31\n"
    )


# Declarations


@pytest.mark.parametrize("every", ["3650000d", timedelta(days=3_650_000), timedelta.max, "9" * 5000 + "d"])
def test_a_declared_duration_that_nobody_means_is_refused_before_it_is_merged(
    project: Project, every: timedelta | str
) -> None:
    with pytest.raises(DeclarationError, match="longer than a duration can be"):
        RotationSchedule(every=every, overlap="7d")
    with pytest.raises(DeclarationError, match="longer than a duration can be"):
        project.client(token_lifetime=every)


@pytest.mark.parametrize("day", [date.max, date.min, date(3000, 1, 1)])
def test_a_declared_day_out_of_reach_is_refused(project: Project, day: date) -> None:
    for name in ("expires", "decommission", "reviewed"):
        with pytest.raises(DeclarationError, match="too far away"):
            project.client(**{name: day})
    with pytest.raises(DeclarationError, match="too far away"):
        Waiver("KS001", reason="because", approved_by="billing-lead", until=day)


def test_what_lies_at_the_ends_of_what_can_be_declared_can_be_planned(project: Project) -> None:
    """The longest durations and the last days together lead to no day that there is not."""
    far = RotationSchedule(every="36500d", overlap="3650d", report_after="36500d")
    project.declare(project.api, project.client(rotation=far, expires=date(2999, 12, 31)))
    assert project.run("up", "--yes").code == 0
    for command in ("preview", "up", "rotate", "drift", "calendar", "inventory", "forecast", "show billing-exporter"):
        answer = project.run(*command.split())
        assert "internal error" not in answer.err + answer.out, command


# One credential alone


def test_a_defect_that_meets_one_credential_stops_no_other(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.declare(project.api, project.client(), project.client("mailer"), project.client("exporter"))
    project.run("up", "--yes")

    made = Snapshot.world

    def world(snapshot: Snapshot, identity: str, spec: Spec | None) -> World:
        if identity.endswith("/mailer"):
            raise OverflowError("date value out of range")
        return made(snapshot, identity, spec)

    monkeypatch.setattr(Snapshot, "world", world)
    project.pass_time(days=90)
    told = "mailer: internal error (OverflowError)"
    for words in ("preview", "forecast", "drift", "inventory"):
        answer = project.run(*words.split())
        assert answer.code in {1, 2}, words
        assert told in answer.err + answer.out, words
        assert "billing-exporter" in answer.out, words
        assert "Traceback" not in answer.err + answer.out
    ran = project.run("up", "--yes")
    assert ran.code == 1
    assert told in ran.err + ran.out
    assert project.states() == ["1 previous", "2 current"]
    assert project.states("exporter") == ["1 previous", "2 current"]


def test_a_defect_of_an_adapter_is_met_once_and_told_once(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.declare(project.api, project.client(), project.client("mailer"))
    project.run("up", "--yes")
    asked = []

    def observe(_fingerprint: Fingerprint | None) -> Observation:
        asked.append(1)
        raise TypeError("'int' object is not iterable")

    monkeypatch.setattr(project.target, "observe", observe)
    monkeypatch.setattr(project.target, "as_reader", lambda: project.target)
    answer = project.run("preview")
    assert answer.code == 1
    assert "internal error (TypeError)" in answer.err + answer.out
    assert len(asked) == 1
