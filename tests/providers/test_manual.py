"""A system without an API for keys: what its probe sends, where, and what its answers mean."""

from __future__ import annotations

import dataclasses
import json
import logging
import pickle
from collections.abc import Iterator
from typing import Any

import pytest
from saas import Saas, serving_saas

from keysteward.core.contract.facets import ManagesClients, ManagesScopes, PreparesOverlap, Suspends
from keysteward.core.contract.ports import Action, Claim, ObjectRef, Order, Proof, Target, Verification
from keysteward.core.errors import AccessDenied, DeclarationError, KeystewardError, NotFound, Rejected, Unavailable
from keysteward.host.http import Session
from keysteward.host.material import material_of
from keysteward.operations.descriptors import describe, revive
from keysteward.providers.manual import Manual, Probe
from keysteward.providers.manual import client as manual_client

VALUE = "sk_live_51NotReally~Secret"


@pytest.fixture
def saas(monkeypatch: pytest.MonkeyPatch) -> Iterator[Saas]:
    """Serve a SaaS; pauses before repeats cost no time."""
    monkeypatch.setattr(manual_client, "_session", lambda target, _ca: Session(target, sleep=lambda _seconds: None))
    with serving_saas() as served:
        served.keys.add(VALUE)
        yield served


def crm(saas: Saas, path: str = "/me", **fields: Any) -> Manual:  # noqa: ANN401 - fields of the probe
    return Manual("crm", probe=Probe(f"{saas.url}{path}", **fields))


def verify(target: Manual, value: str = VALUE) -> Verification:
    return target.verify(Claim("crm", material_of("api_key", value)))


# The port


def test_it_is_a_target_whose_keys_are_a_persons_work(saas: Saas) -> None:
    target = crm(saas)
    assert isinstance(target, Target)
    assert target.capabilities.methods == ()
    can = target.key_capabilities
    assert (can.methods, can.by_hand, can.suspends, can.last_use) == (("api_key",), True, False, None)
    assert target.token_url == ""
    assert target.as_reader() == target


def test_it_shows_one_account_with_keys_that_cannot_be_seen_and_makes_no_call(saas: Saas) -> None:
    target = crm(saas)
    [account] = target.observe(lambda text: text).objects
    assert (account.remote_id, account.client_id, account.holder, account.enabled) == ("crm", "crm", "system", True)
    [secret] = account.secrets
    assert (secret.slot, secret.fingerprint) == ("by hand", None)
    assert target.look(ObjectRef("crm", "crm"), None) == account
    assert target.look(ObjectRef("other"), None) is None
    assert target.issue("crm", Order(Action.ADD, material_of("api_key", VALUE))).id is None
    target.retire("crm", secret)
    assert saas.calls == []


@pytest.mark.parametrize("kind", [ManagesClients, ManagesScopes, PreparesOverlap, Suspends])
def test_nothing_but_keys_by_hand_is_ever_planned_for_it(saas: Saas, kind: type) -> None:
    assert not isinstance(crm(saas), kind)


def test_equal_settings_make_equal_targets_that_survive_json_and_pickling(saas: Saas) -> None:
    for target in (
        crm(saas),
        dataclasses.replace(crm(saas), environments=("test",), ca="/etc/ssl/acme.pem"),
        crm(saas, header="X-Api-Key: {value}", headers={"X-Version": "2"}, ok=[200], refused=[401]),
        crm(saas, basic="api:{value}", method="HEAD"),
        crm(saas, body='{"token":"{value}"}', method="POST"),
    ):
        again = revive(json.loads(json.dumps(describe(target.descriptor))))
        assert again == target
        assert hash(again) == hash(target)
        assert pickle.loads(pickle.dumps(target)) == target  # noqa: S301 - our own value


# What it sends


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/me", {}),
        ("/me", {"method": "HEAD"}),
        ("/header", {"header": "X-Api-Key: {value}"}),
        ("/basic", {"basic": "api:{value}"}),
        ("/json", {"method": "POST", "body": '{"token":"{value}"}'}),
        ("/form", {"method": "POST", "body": "token={value}", "content_type": "application/x-www-form-urlencoded"}),
    ],
)
def test_a_living_key_is_proven_and_any_other_is_refused(saas: Saas, path: str, fields: dict[str, Any]) -> None:
    saas.keys.add("plain-key")
    target = crm(saas, path, **fields)
    assert verify(target, "plain-key") == Verification(Proof.PROVEN, "accepted (status 200)")
    assert verify(target, "ended-key") == Verification(Proof.REFUSED, "crm refuses it (status 401)")
    assert [seen for seen, _, _ in saas.calls] == [path] * 4, "each costs one call, and one for a made-up value"


def test_a_value_is_escaped_as_its_body_needs_and_headers_are_added(saas: Saas) -> None:
    verify(crm(saas, "/json", method="POST", body='{"token":"{value}"}', headers={"X-Version": "2"}), 'a"b\\c')
    _, headers, body = saas.calls[-1]
    assert json.loads(body) == {"token": 'a"b\\c'}
    assert "x-version: 2" in headers
    form = crm(saas, "/form", method="POST", body="token={value}", content_type="application/x-www-form-urlencoded")
    verify(form, "a&b=c")
    assert saas.calls[-1][2] == "token=a%26b%3Dc"


def test_the_value_stands_in_its_one_place_and_the_made_up_one_says_nothing_about_it(saas: Saas) -> None:
    verify(crm(saas))
    verify(crm(saas))
    (_, first, _), (path, sent, body), (_, second, _), _ = saas.calls
    assert sent.count(VALUE) == 1
    assert VALUE not in path + body + first + second
    made_up = {next(line for line in text.splitlines() if line.startswith("authorization")) for text in (first, second)}
    assert len(made_up) == 2, "each is made up anew"


# What the answers mean


def test_a_probe_that_accepts_anything_proves_nothing_and_is_never_given_the_key(saas: Saas) -> None:
    saas.accepts_all = True
    target = crm(saas)
    answer = verify(target)
    assert answer.proof is Proof.WRONG
    assert answer.reason == (
        "the probe also accepts a made-up value, so it proves nothing; name a URL that needs the key"
    )
    assert len(saas.calls) == 1
    assert VALUE not in saas.calls[0][1]
    [line] = target.diagnose()
    assert (line.ok, line.detail) == (False, answer.reason)
    saas.accepts_all = False
    [line] = target.diagnose()
    assert (line.ok, line.detail) == (True, "the probe refuses a made-up value")


@pytest.mark.parametrize(
    ("status", "kind"), [(404, NotFound), (400, Rejected), (202, Rejected), (500, Unavailable), (429, Unavailable)]
)
def test_any_other_answer_says_nothing_about_the_key(saas: Saas, status: int, kind: type[KeystewardError]) -> None:
    saas.answers = status
    with pytest.raises(kind) as told:
        verify(crm(saas))
    assert told.value.message == (
        f"{saas.url.removeprefix('http://')} answers a made-up value with status {status}, which is neither ok "
        "(200, 204) nor refused (401, 403); correct the probe, or try again later"
    )
    assert told.value.operation == "probe"


def test_a_status_that_is_not_declared_as_a_refusal_ends_nothing(saas: Saas) -> None:
    target = crm(saas, refused=[401])
    saas.answers = 403
    with pytest.raises(AccessDenied, match="neither ok"):
        verify(target)
    assert len(saas.calls) == 1, "the key itself was not sent"


def test_redirects_are_not_followed(saas: Saas) -> None:
    saas.answers = 302
    with pytest.raises(NotFound, match="the server redirects to 127"):
        verify(crm(saas))
    assert len(saas.calls) == 1


@pytest.mark.usefixtures("saas")
def test_a_system_that_is_down_is_an_error_without_the_value(caplog: pytest.LogCaptureFixture) -> None:
    with serving_saas() as gone:
        target = crm(gone)
    with caplog.at_level(logging.DEBUG), pytest.raises(Unavailable, match="is down or cannot be reached") as told:
        verify(target)
    assert VALUE not in str(told.value) + repr(told.value.__cause__) + repr(told.value.__context__)


def test_no_log_and_no_repr_holds_a_value(saas: Saas, caplog: pytest.LogCaptureFixture) -> None:
    target = crm(saas)
    with caplog.at_level(logging.DEBUG), caplog.at_level(logging.DEBUG, "keysteward"):
        verify(target)
        saas.answers = 404
        with pytest.raises(NotFound):
            verify(target)
        with pytest.raises(Rejected, match="characters that a header cannot carry"):
            verify(dataclasses.replace(target, probe=Probe(target.probe.url, refused=[404])), f"{VALUE}\nx: y")
    assert "operation='probe'" in caplog.text
    assert "sk_live" not in caplog.text + repr(target) + str(target.descriptor)


# What is refused before any call


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"url": "api.example.com"}, "url must be an address that begins with https://"),
        (
            {"url": "https://api.example.com/me?key={value}"},
            "url must not hold the key, which would stand in the logs of every proxy; use header, basic or body",
        ),
        ({"header": "X-Api-Key: x"}, "header: write {value} once, where the key goes"),
        ({"header": "{value}"}, 'header: write it as "Name: {value}"'),
        ({"header": "X: {value}\r\nY: z"}, 'header: write it as "Name: {value}"'),
        (
            {"header": "X: {value}", "basic": "api:{value}"},
            "header and basic: give one of them, the one that carries the key",
        ),
        (
            {"body": "token={value}"},
            'body: needs method="POST" and a content_type of application/json or application/x-www-form-urlencoded',
        ),
        ({"headers": {"Authorization": "Bearer x"}}, "headers: must not set Authorization"),
        ({"headers": {"X": "a\r\nb"}}, "headers: X cannot be sent"),
        ({"ok": []}, "ok and refused: name at least one status each"),
        ({"ok": [200, 401]}, "ok and refused: 401 cannot be both"),
    ],
)
def test_a_probe_that_leaks_or_tells_nothing_is_one_sentence(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(DeclarationError) as told:
        Probe(**{"url": "https://api.example.com/me", **fields})
    assert told.value.message == f"Probe: {message}"


def test_a_target_without_a_probe_is_one_sentence() -> None:
    with pytest.raises(DeclarationError, match="Manual 'crm': probe: write Probe"):
        Manual("crm", probe="https://api.example.com/me")  # type: ignore[arg-type]
