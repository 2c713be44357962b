"""What breaks a mandatory rule stops a Pulumi program before it registers anything, and before any call."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pulumi
import pytest
import requests
from dynamic_server import Acme, Registered, registered

from keysteward import Stack, Waiver, deploy
from keysteward.core.declare.stack import Level
from keysteward.core.policy import RULES

ROOT = Path(__file__).parents[2]


@pytest.fixture
def calls(acme: Acme, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return what is called from now on; each call fails."""
    made: list[str] = []

    def send(_: object, request: requests.PreparedRequest, **__: object) -> requests.Response:
        made.append(f"{request.method} {request.url}")
        raise requests.ConnectionError

    assert acme.corp.url.startswith("http://127.0.0.1:")
    monkeypatch.setattr(requests.Session, "send", send)
    return made


def run(stack: Stack) -> tuple[dict[str, Registered], list[str]]:
    """Run a program with this stack; returns what it registered, and the sentences by which it ended."""
    errors: list[str] = []

    def program() -> None:
        try:
            deploy(stack)
        except pulumi.RunError as error:
            errors.extend(str(error).splitlines())

    return registered(program), errors


def waived(*rules: str, until: date) -> list[Waiver]:
    return [Waiver(rule, reason="A migration", approved_by="security", until=until) for rule in rules]


SOON = datetime.now(UTC).date() + timedelta(days=2)


def test_what_breaks_a_mandatory_rule_stops_the_program_with_a_sentence_for_each(acme: Acme, calls: list[str]) -> None:
    made, errors = run(acme.stack(acme.client(owner="nobody"), acme.client("mailer", owner="team-x")))
    assert errors == [
        f"M2MClient {name!r}: owner: {owner!r} is not in the owners file (it lists team-billing); {RULES['KS001'].mend}"
        for name, owner in (("exporter", "nobody"), ("mailer", "team-x"))
    ]
    assert made == {}
    assert calls == []


def test_a_raised_rule_stops_it_and_a_waiver_opens_it_again(acme: Acme, calls: list[str]) -> None:
    raised = {"KS006": "error"}
    made, errors = run(acme.stack(acme.client(), levels=raised))
    assert errors == ["M2MClient 'exporter': consumer: nobody is named who uses it; write consumer="]
    assert made == {}
    made, errors = run(acme.stack(acme.client(waivers=waived("KS006", until=SOON)), levels=raised))
    assert (sorted(made), errors) == (["billing-api", "exporter"], [])
    assert calls == []


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"levels": {"KS001": "off"}}, "Stack 'acme/test': levels: KS001 is mandatory and cannot be lowered to off"),
        ({"levels": {"KS099": "off"}}, "Stack 'acme/test': levels: 'KS099' is no rule"),
    ],
)
def test_a_level_that_cannot_be_meant_stops_it(
    acme: Acme, calls: list[str], fields: dict[str, Any], sentence: str
) -> None:
    made, errors = run(acme.stack(acme.client(), **fields))
    assert [error.startswith(sentence) for error in errors] == [True]
    assert (made, calls) == ({}, [])


def test_the_program_of_this_project_says_where_in_the_source_it_stands(
    acme: Acme, calls: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = ModuleType("acme_in_memory")
    monkeypatch.setitem(sys.modules, "acme_in_memory", held)
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    for name in [name for name in sys.modules if name.partition(".")[0] == "stacks"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "stacks").mkdir()
    (tmp_path / "stacks" / "__init__.py").touch()
    (tmp_path / "stacks" / "test.py").write_text(
        "from acme_in_memory import M2MClient, Stack\n\n"
        'exporter = M2MClient("exporter", owner="nobody")\n'
        'stack = Stack("acme/test", [exporter])\n',
        encoding="utf-8",
    )
    held.M2MClient = acme.client  # type: ignore[attr-defined]

    def told(levels: Mapping[str, Level]) -> list[str]:
        sys.modules.pop("stacks.test", None)
        held.Stack = lambda _, declared: acme.stack(*declared, levels=levels)  # type: ignore[attr-defined]
        errors: list[str] = []

        def program() -> None:
            with pytest.raises(pulumi.RunError) as caught:
                runpy.run_path(str(ROOT / "__main__.py"))
            errors.extend(str(caught.value).splitlines())

        assert registered(program) == {}
        return errors

    nobody = "M2MClient 'exporter': owner: 'nobody' is not in the owners file (it lists team-billing)"
    assert told({}) == [f"stacks/test.py, line 3: {nobody}; {RULES['KS001'].mend}"]
    assert told({"KS099": "off"}) == [
        "stacks/test.py, line 4: Stack 'acme/test': levels: 'KS099' is no rule; keysteward rules lists them"
    ]
    assert calls == []


def test_a_waiver_of_a_mandatory_rule_stops_it(acme: Acme, calls: list[str]) -> None:
    made, errors = run(acme.stack(acme.client(waivers=waived("KS001", until=SOON))))
    assert [error[:66] for error in errors] == ["M2MClient 'exporter': waivers: KS001 is mandatory and cannot be wa"]
    assert (made, calls) == ({}, [])


def test_a_warning_is_told_and_stops_nothing(acme: Acme, calls: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(pulumi, "warn", told.append)
    made, errors = run(acme.stack(acme.client(token_lifetime="1d")))
    assert (sorted(made), errors, calls) == (["billing-api", "exporter"], [], [])
    assert told == [
        "acme/test/exporter: token_lifetime: its tokens live 1d; the rule is 1h at most " + RULES["KS015"].mend
    ]
