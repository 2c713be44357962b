"""What a token must say before a secret counts as proven."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import jwt
import pytest
from keycloak_realms import MASTER
from pydantic import SecretStr

from keysteward.core.contract.observed import Mark, Settings
from keysteward.core.contract.ports import Claim, Proof
from keysteward.core.errors import Damaged
from keysteward.host.http import Reply
from keysteward.host.material import new_material
from keysteward.providers.keycloak import Keycloak
from keysteward.providers.keycloak.client import KeycloakClient
from keysteward.providers.keycloak.proof import _refusal
from keysteward.sandbox.keycloak import KeycloakStandIn


@pytest.fixture
def stand_in() -> Iterator[KeycloakStandIn]:
    with KeycloakStandIn() as running:
        yield running


@pytest.fixture
def target(stand_in: KeycloakStandIn, monkeypatch: pytest.MonkeyPatch) -> Keycloak:
    monkeypatch.setenv("KEYCLOAK_ADMIN", MASTER)
    return Keycloak("corp", url=stand_in.url, realm="demo", admin="env:KEYCLOAK_ADMIN")


def made(target: Keycloak, method: str = "client_secret") -> Claim:
    material = new_material(method)
    target.create("exporter", Settings(method), Mark("acme/prod/exporter", "n"), material)
    return Claim("exporter", material)


def test_a_token_signed_by_another_key_is_wrong(target: Keycloak, monkeypatch: pytest.MonkeyPatch) -> None:
    claim = made(target)
    stranger = jwt.PyJWK(dict(new_material("private_key_jwt").public_jwk or {}))
    for key, reason in ((None, "does not publish"), (stranger, "cannot be checked")):
        monkeypatch.setattr(KeycloakClient, "key", lambda *_, key=key: key)
        found = target.verify(claim)
        assert found.proof is Proof.WRONG
        assert reason in found.reason


def test_a_token_of_another_issuer_is_wrong(target: Keycloak, monkeypatch: pytest.MonkeyPatch) -> None:
    claim = made(target)
    monkeypatch.setattr(KeycloakClient, "issuer", lambda _: "https://elsewhere.example.com/realms/demo")
    assert "another issuer" in target.verify(claim).reason


def test_a_token_for_another_client_is_wrong(target: Keycloak, monkeypatch: pytest.MonkeyPatch) -> None:
    claim = made(target)
    material = new_material("client_secret")
    target.create("other", Settings("client_secret"), Mark("acme/prod/other", "n"), material)
    ask = KeycloakClient.token
    monkeypatch.setattr(
        KeycloakClient, "token", lambda self, form, **_: ask(self, form, basic_auth=("other", material.value))
    )
    assert target.verify(claim).reason == "the token is for another client"


def test_the_realms_keys_are_read_again_when_they_were_changed(target: Keycloak, stand_in: KeycloakStandIn) -> None:
    claim = made(target)
    assert target.verify(claim).good
    assert target.verify(claim).good
    assert [call.path for call in stand_in.calls].count("/realms/demo/protocol/openid-connect/certs") == 1


@pytest.mark.parametrize("year", [2020, 2040])
@pytest.mark.parametrize("method", ["client_secret", "private_key_jwt"])
def test_times_are_compared_by_the_servers_clock(
    target: Keycloak, stand_in: KeycloakStandIn, method: str, year: int
) -> None:
    stand_in.clock.set(datetime(year, 1, 1, tzinfo=UTC))
    assert target.verify(made(target, method)).proof is Proof.PROVEN


def test_a_stored_key_that_is_none_is_damaged(target: Keycloak) -> None:
    claim = made(target, "private_key_jwt")
    for value in ("no json", '{"kty": "EC"}', "[]"):
        with pytest.raises(Damaged, match="keysteward reissue") as caught:
            target.verify(replace(claim, material=replace(claim.material, value=SecretStr(value))))
        assert caught.value.__context__ is None


@pytest.mark.parametrize(
    ("status", "error", "text", "proof"),
    [
        (401, "unauthorized_client", "Invalid client or Invalid client credentials", Proof.REFUSED),
        (401, "invalid_client", "Invalid client or Invalid client credentials", Proof.REFUSED),
        (400, "invalid_client", "Unable to load public key", Proof.REFUSED),
        (400, "invalid_client", "Parameter client_assertion_type is missing", Proof.REFUSED),
        (400, "invalid_client", "Token was issued in the future", Proof.WRONG),
        (400, "invalid_client", "Token is not active", Proof.WRONG),
        (401, "unauthorized_client", "Client not enabled to retrieve service account", Proof.WRONG),
        (400, "invalid_scope", "Invalid scopes: x", Proof.WRONG),
        (400, "something_new", "", Proof.WRONG),
    ],
)
def test_a_refused_secret_is_told_from_a_wrong_set_up(status: int, error: str, text: str, proof: Proof) -> None:
    body = json.dumps({"error": error, "error_description": text}).encode()
    reply = Reply("corp", "ask for a token", status, 0.0, {}, body)
    assert _refusal(reply, Claim("exporter", new_material("client_secret"))).proof is proof
