"""What breaks a mandatory rule stops a Pulumi program before it registers anything, and before any call."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pulumi
import pytest
import requests
from dynamic_server import Acme, Registered, registered

from keysteward import Stack, Waiver, deploy
from keysteward.core.policy import RULES
from keysteward.sandbox.keycloak import KeycloakStandIn


@pytest.fixture
def acme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Acme]:
    for name, value in Acme.environment.items():
        monkeypatch.setenv(name, value)
    with KeycloakStandIn() as keycloak:
        yield Acme(keycloak, tmp_path)


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
