"""Whatever is wrong gets one clear sentence that names it and what to do, and leaves everything as it was."""

from __future__ import annotations

import datetime as dt
import ssl
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import trustme
from company import Office, open_office

from keysteward import ClientSecret, M2MClient, Owners, RotationSchedule, Stack
from keysteward.core.errors import (
    AccessDenied,
    Conflict,
    Damaged,
    DeclarationError,
    KeystewardError,
    NotFound,
    Unavailable,
)
from keysteward.core.findings import Kind
from keysteward.providers.keycloak import Keycloak
from keysteward.providers.local import LocalStore
from keysteward.sandbox import Fault, KeycloakStandIn


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    with open_office(tmp_path) as made:
        yield made


WRONG: dict[str, tuple[Callable[[Office], object], str]] = {
    "owner unknown": (
        lambda o: o.up(o.stack(o.billing, o.client(owner="team-x"))),
        "M2MClient 'exporter': owner: 'team-x' is not in the owners file (it lists team-billing); add the team",
    ),
    "owner gone": (
        lambda o: o.up(
            o.stack(
                o.billing,
                o.client(),
                owners=Owners.model_validate({"teams": {"team-billing": {"contact": "a@b.c", "state": "gone"}}}),
            )
        ),
        "M2MClient 'exporter': owner: 'team-billing' is gone, and nobody answers in their place; name an active owner",
    ),
    "owner missing": (
        lambda o: M2MClient(
            "x",
            target=o.corp,
            purpose="p",
            rotation=RotationSchedule(every="9d"),
            deliver_to=o.vault.path("x"),
        ),  # type: ignore[call-arg]
        "M2MClient 'x': owner: is required",
    ),
    "purpose empty": (lambda o: o.client(purpose=" "), "M2MClient 'exporter': purpose: must not be empty"),
    "scope not offered": (
        lambda o: o.up(o.stack(o.billing, o.client(access={o.billing: ["invoices:delete"]}))),
        "M2MClient 'exporter': access: 'billing-api' does not offer invoices:delete; it offers invoices:read",
    ),
    "overlap too long": (
        lambda _o: RotationSchedule(every="7d", overlap="7d"),
        "RotationSchedule: overlap (7d) must be shorter than every (7d)",
    ),
    "duration unreadable": (
        lambda _o: RotationSchedule(every="ninety days"),
        'RotationSchedule: every: \'ninety days\' is not a duration; write for example "90d", "12h" or "1h30m"',
    ),
    "no strategy": (
        lambda o: o.up(o.stack(o.billing, o.client(auth_method="client_secret"))),
        (
            "M2MClient 'exporter': rotation: target corp holds one client secret at a time, so old and new cannot "
            'overlap; choose auth_method="private_key_jwt" (recommended) or alternate_clients=True or accept_gap=True'
        ),
    ),
    "duplicate name": (
        lambda o: o.up(o.stack(o.billing, o.client(), o.client())),
        "M2MClient 'exporter': name: M2MClient 'exporter' has the same name; rename one of them",
    ),
    "one place for two": (
        lambda o: o.up(o.stack(o.billing, o.client("a"), o.client("b", deliver_to=o.vault.path("apps/a")))),
        (
            "M2MClient 'b': deliver_to: vault:apps/a is already the place of 'a'; "
            "two credentials cannot be delivered to one place"
        ),
    ),
    "one client for two": (
        lambda o: o.up(o.stack(o.billing, o.client("a"), o.client("b", client_id="a"))),
        "M2MClient 'b': client_id: 'a' at target corp is already used by 'a'; give one of them another client_id",
    ),
    "environment not served": (
        lambda o: o.up(o.stack(o.client(target=o.keycloak(environments=("production",)), access={}))),
        (
            "M2MClient 'exporter': environment: target corp serves production, not 'test'; "
            "use another target or correct the environment"
        ),
    ),
    "credential pasted": (
        lambda o: o.keycloak(admin="runner:runner-secret"),
        'admin must be a reference such as "env:KEYCLOAK_ADMIN"',
    ),
    "path outside": (lambda o: o.vault.path("../x"), "deliver_to: '../x' is not a path"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_declaration_is_one_sentence_before_any_call(office: Office, case: str) -> None:
    act, sentence = WRONG[case]
    with pytest.raises(DeclarationError) as told:
        act(office)
    assert sentence in str(told.value)
    assert "runner-secret" not in str(told.value)
    assert list(office.sandbox.keycloak.calls) == []
    assert list(office.sandbox.vault.calls) == []


def fails(office: Office, stack: Stack, kind: type[KeystewardError], *words: str) -> str:
    """A run fails with one sentence that has these words; nothing of ours is at the target afterwards."""
    before = office.ours()
    with pytest.raises(kind) as told:
        office.up(stack)
    text = str(told.value)
    for word in words:
        assert word in text, text
    assert "\n" not in text
    for value in ("runner-secret", "reader-secret", "sandbox-root"):
        assert value not in text
    assert office.ours() == before
    return text


def test_a_place_that_holds_somebody_elses_document(office: Office) -> None:
    headers = {"X-Vault-Token": "sandbox-root"}
    import requests  # noqa: PLC0415 - somebody else's tool

    url = f"{office.sandbox.vault.url}/v1/secret/data/apps/exporter"
    requests.post(url, json={"data": {"API_KEY": "theirs"}}, headers=headers, timeout=10).raise_for_status()
    fails(office, office.stack(), Conflict, "vault:apps/exporter holds a document", "take_over=True")
    kept = requests.get(url, headers=headers, timeout=10).json()["data"]["data"]
    assert kept == {"API_KEY": "theirs"}


def test_a_client_id_taken_by_somebody_else(office: Office) -> None:
    office.sandbox.keycloak.add_admin("demo", "exporter", "x", roles=set())
    fails(office, office.stack(), Conflict, "client_id: 'exporter' exists at target corp", 'adopt="exporter"')


def test_a_realm_that_does_not_exist(office: Office) -> None:
    corp = office.keycloak(realm="nowhere")
    fails(office, office.stack(office.client(target=corp, access={})), NotFound, "realm nowhere")


def test_administrator_credentials_missing_or_wrong(office: Office) -> None:
    office.patch.delenv("KC_ADMIN")
    fails(office, office.stack(), AccessDenied, "environment variable KC_ADMIN is not set")
    office.patch.setenv("KC_ADMIN", "runner:not-it")
    text = fails(office, office.stack(), AccessDenied, "KC_ADMIN")
    assert "not-it" not in text


def test_an_administrator_without_a_needed_role(office: Office) -> None:
    office.patch.setenv("KC_ADMIN", "reader:reader-secret")
    fails(office, office.stack(office.client(access={})), AccessDenied, "manage-clients")


def test_a_sealed_store(office: Office) -> None:
    office.sandbox.vault.sealed = True
    fails(office, office.stack(), Unavailable, "is sealed", "unseal it")


def test_a_read_only_store(office: Office) -> None:
    import requests  # noqa: PLC0415 - the store's own administrator

    root = {"X-Vault-Token": "sandbox-root"}
    rules = 'path "secret/*" { capabilities = ["read", "list"] }'
    base = office.sandbox.vault.url
    requests.put(f"{base}/v1/sys/policies/acl/ro", json={"policy": rules}, headers=root, timeout=10).raise_for_status()
    made = requests.post(f"{base}/v1/auth/token/create", json={"policies": ["ro"]}, headers=root, timeout=10)
    office.patch.setenv("VAULT_RUNNER", made.json()["auth"]["client_token"])
    fails(office, office.stack(), AccessDenied, "secret/data/keysteward")


def test_an_expired_certificate(office: Office, tmp_path: Path) -> None:
    authority = trustme.CA()
    past = dt.datetime.now(dt.UTC) - timedelta(days=1)
    certificate = authority.issue_cert("127.0.0.1", not_before=past - timedelta(days=9), not_after=past)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with KeycloakStandIn(ssl_context=context) as server:
        corp = office.keycloak(url=server.url, ca=str(tmp_path / "ca.pem"))
        fails(office, office.stack(office.client(target=corp, access={})), Unavailable, "certificate", "expired")


@pytest.mark.usefixtures("no_waiting")
def test_a_target_that_is_down(office: Office) -> None:
    with KeycloakStandIn() as server:
        url = server.url
    corp = office.keycloak(url=url)
    fails(office, office.stack(office.client(target=corp, access={})), Unavailable, "down")


def test_a_target_whose_clock_is_off_retires_nothing(office: Office) -> None:
    with KeycloakStandIn() as server:
        server.add_admin("demo", "runner", "runner-secret", roles={"manage-clients"})
        corp = Keycloak("corp", url=server.url, realm="demo", admin="env:KC_ADMIN")
        stack = office.stack(office.client(target=corp, access={}))
        office.up(stack)
        office.pass_time(days=90)
        server.clock.advance(timedelta(days=90))
        office.up(stack)
        office.pass_time(days=8)
        server.clock.advance(timedelta(days=8, minutes=10))
        plan = office.preview(stack)["acme/test/exporter"]
        assert plan.steps == ()
        finding = next(f for f in plan.findings if f.kind is Kind.CLOCK_OFF)
        assert "10 minutes off, so generation 1 is not retired" in finding.message
        assert office.up(stack)["acme/test/exporter"].done == ()


def test_a_local_ledger_that_was_cut_short(office: Office) -> None:
    stack = office.stack(ledgers=office.local.ledgers())
    office.up(stack)
    file = next((office.folder / "store").glob("*.sqlite3"))
    office.session(stack)
    whole = file.read_bytes()
    for side in (office.folder / "store").glob("*.sqlite3-*"):
        side.unlink()
    file.write_bytes(whole[: len(whole) // 2])
    fails(office, office.stack(ledgers=LocalStore("local", root=office.folder / "store").ledgers()), Damaged, "restore")


def test_a_lost_key_file(office: Office) -> None:
    local = office.local
    stack = office.stack(office.billing, office.client(deliver_to=local.path("apps/exporter")))
    office.up(stack)
    (office.folder / "age.key").unlink()
    office.pass_time(days=90)
    again = LocalStore("local", root=office.folder / "store", key=office.folder / "age.key")
    stack = office.stack(office.billing, office.client(deliver_to=again.path("apps/exporter")))
    fails(office, stack, Damaged, "age.key", "restore")
    assert not (office.folder / "age.key").exists()


def test_throttling_and_server_errors_are_waited_for_or_told(office: Office) -> None:
    office.sandbox.keycloak.faults.add(Fault(kind="status", status=429, headers={"Retry-After": "0"}, times=2))
    office.up(office.stack())
    assert office.ours() == {"exporter"}
    office.pass_time(days=90)
    office.sandbox.keycloak.faults.add(Fault(kind="status", status=500, times=None, method="PUT"))
    with pytest.raises(KeystewardError) as told:
        office.up(office.stack())
    assert "500" in str(told.value)
    office.sandbox.keycloak.faults.clear()
    office.pass_time(minutes=6)
    office.up(office.stack())
    assert office.preview(office.stack())["acme/test/exporter"].words == ""


def test_a_client_secret_of_a_client_that_is_not_there(office: Office) -> None:
    declared = ClientSecret(
        "web",
        client="web-login",
        target=office.corp,
        owner="team-billing",
        purpose="Login",
        rotation=RotationSchedule(every="90d"),
        accept_gap=True,
        deliver_to=office.vault.path("apps/web"),
    )
    fails(office, office.stack(declared), Conflict, "target corp has no client 'web-login'")
