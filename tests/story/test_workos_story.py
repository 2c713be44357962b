"""A machine client and an API key side by side at WorkOS, from declaration to removal, as their consumers see it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import requests
from company import OWNERS
from previews import previewed
from werkzeug.wrappers import Request, Response

from keysteward import ApiKey, ClientSecret, M2MClient, PermanentException, ResourceServer, RotationSchedule, Stack
from keysteward.core.contract.ports import Action, Order
from keysteward.core.declare.credentials import Declaration
from keysteward.core.errors import Conflict, DeclarationError, OutcomeUnknown, Unavailable
from keysteward.core.policy.check import check
from keysteward.core.run.reconciler import Result
from keysteward.operations.owners import owners_of
from keysteward.operations.session import Access, Session
from keysteward.providers.vault import Vault
from keysteward.providers.workos import WorkOS
from keysteward.sandbox import Sandbox, WorkOSStandIn
from keysteward.sandbox.faults import Fault

CHECKED_ON = datetime(2026, 12, 1, tzinfo=UTC)

CUSTOMER = "org_01JD5J3QX0DEM0000000000000"
CLIENT, KEY = "acme/test/exporter", "acme/test/partner-key"


@dataclass
class Business:
    """One company whose customers' keys live at WorkOS, and whose secrets are delivered to Vault."""

    sandbox: Sandbox

    def __post_init__(self) -> None:
        stand_in = self.sandbox.workos
        self.target = WorkOS(
            "customers",
            url=stand_in.url,
            authkit_domain=stand_in.url,
            client_id=stand_in.client_id,
            admin="env:WORKOS_ADMIN",
            reader="env:WORKOS_READER",
            organization=CUSTOMER,
        )
        self.vault = Vault("vault", url=self.sandbox.vault.url, admin="env:VAULT_RUNNER")
        self.api = self.catalogue("invoices:read", "invoices:write")

    def catalogue(self, *scopes: str) -> ResourceServer:
        return ResourceServer(
            "billing-api",
            target=self.target,
            audience=self.sandbox.workos.client_id,
            scopes={scope: f"May {scope}" for scope in scopes},
        )

    def client(self, **fields: object) -> M2MClient:
        return M2MClient("exporter", **{**self._shared("exporter"), **fields})  # type: ignore[arg-type]

    def key(self, **fields: object) -> ApiKey:
        given: dict[str, object] = {
            "holder": CUSTOMER,
            "expires": date(2030, 1, 1),
            "classification": PermanentException(
                justification="the partner has no OAuth", risk_accepted_by="security", review_by=date(2029, 1, 1)
            ),
        }
        return ApiKey("partner-key", **{**self._shared("partner-key"), **given, **fields})  # type: ignore[arg-type]

    def _shared(self, name: str) -> dict[str, object]:
        return {
            "target": self.target,
            "owner": "team-billing",
            "purpose": "Invoices",
            "environment": "test",
            "access": {self.api: ["invoices:read"]},
            "rotation": RotationSchedule(every="90d", overlap="7d"),
            "deliver_to": self.vault.path(f"apps/{name}"),
        }

    def session(self, *declared: Declaration, access: Access = "runner") -> tuple[Stack, Session]:
        everything = declared or (self.api, self.client(), self.key())
        stack = Stack("acme/test", OWNERS, self.vault.ledgers("keysteward"), list(everything))
        check(stack, owners_of(stack), CHECKED_ON)
        session = Session(stack.identity, stack.ledgers, access=access, specs=stack.specs, limit=stack.limit)
        session.add_ports(stack.targets, stack.stores)
        return stack, session

    def words(self, *declared: Declaration) -> dict[str, str]:
        stack, session = self.session(*declared, access="reader")
        return {name: previewed(session.credentials, name, spec).words for name, spec in stack.specs.items()}

    def up(self, *declared: Declaration) -> dict[str, Result]:
        stack, session = self.session(*declared)
        for name, server in stack.server_specs.items():
            session.servers.run(name, server)
        return {name: session.credentials.run(name, spec) for name, spec in stack.specs.items()}

    def delivered(self, name: str) -> dict[str, Any]:
        answer = requests.get(
            f"{self.sandbox.vault.url}/v1/secret/data/apps/{name}",
            headers={"X-Vault-Token": "sandbox-root"},
            timeout=10,
        )
        document: dict[str, Any] = answer.json()["data"]["data"]
        return document

    def token(self, document: dict[str, Any]) -> int:
        """Ask for a token as the exporter would, with nothing but what was delivered."""
        form = {
            "grant_type": "client_credentials",
            "client_id": document["client_id"],
            "client_secret": document["client_secret"],
        }
        return requests.post(document["token_url"], data=form, timeout=10).status_code

    def accepted(self, value: str) -> bool:
        """Validate a key as the company's API would."""
        answer = requests.post(
            f"{self.sandbox.workos.url}/api_keys/validations",
            json={"value": value},
            headers={"Authorization": f"Bearer {self.sandbox.workos.api_key}"},
            timeout=10,
        )
        return answer.json()["api_key"] is not None

    def pass_time(self, **by: float) -> None:
        self.sandbox.clock.advance(timedelta(**by))


class Seconds:
    """The time of a run, moved by waiting alone: a run that waits moves the sandbox's clock."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox, self.start = sandbox, sandbox.clock.now()

    def monotonic(self) -> float:
        return (self.sandbox.clock.now() - self.start).total_seconds()

    def sleep(self, seconds: float) -> None:
        self.sandbox.clock.advance(timedelta(seconds=seconds))


@contextmanager
def opened(patch: pytest.MonkeyPatch) -> Iterator[Business]:
    with Sandbox() as sandbox:
        patch.setattr("keysteward.operations.session.time", Seconds(sandbox))
        patch.setenv("WORKOS_ADMIN", sandbox.workos.api_key)
        patch.setenv("WORKOS_READER", sandbox.workos.api_key)
        patch.setenv("VAULT_RUNNER", "sandbox-root")
        yield Business(sandbox)


@pytest.fixture
def business(monkeypatch: pytest.MonkeyPatch) -> Iterator[Business]:
    with opened(monkeypatch) as business:
        yield business


def key_of(document: dict[str, Any]) -> str:
    value: str = document["api_key"]
    return value


def test_a_client_and_a_key_from_declaration_to_removal(business: Business) -> None:
    assert business.words()[CLIENT].startswith("create client exporter; issue generation 1 (add, then retire)")
    assert business.words()[KEY].startswith("issue generation 1 (new key object, then retire)")
    business.up()
    assert business.words() == {CLIENT: "", KEY: ""}
    first, first_key = business.delivered("exporter"), business.delivered("partner-key")
    assert first["client_id"].startswith("client_01")
    assert business.token(first) == 200
    assert business.accepted(key_of(first_key))

    business.pass_time(days=91)
    assert "rotate to generation 2" in business.words()[CLIENT]
    business.up()
    second, second_key = business.delivered("exporter"), business.delivered("partner-key")
    assert second["client_id"] == first["client_id"]
    assert second["client_secret"] != first["client_secret"]
    assert (business.token(first), business.token(second)) == (200, 200), "both are valid during the overlap"
    assert business.accepted(key_of(first_key))
    assert business.accepted(key_of(second_key))

    business.pass_time(days=8)
    business.up()
    assert (business.token(first), business.token(second)) == (401, 200)
    assert not business.accepted(key_of(first_key))
    assert business.accepted(key_of(second_key))
    assert business.words() == {CLIENT: "", KEY: ""}


def test_a_look_at_one_holder_does_not_lose_its_name(business: Business) -> None:
    stack, session = business.session(business.api, business.key())
    for name, server in stack.server_specs.items():
        session.servers.run(name, server)
    session.credentials.run(KEY, stack.specs[KEY])
    holder = session.snapshot.target("customers").by_id[CUSTOMER]
    assert (holder.label, len(holder.secrets)) == ("Demo", 1)


def test_keys_that_the_customer_made_are_never_touched(business: Business) -> None:
    stand_in = business.sandbox.workos
    business.up()
    theirs, value = stand_in.add_api_key("acme/test/partner-key 1 looks-like-ours", organization=CUSTOMER)
    for _ in range(4):
        business.pass_time(days=50)
        business.up()
    assert business.accepted(value)
    kept = [key for key in stand_in.environment.api_keys if key.id == theirs]
    assert [key.name for key in kept] == ["acme/test/partner-key 1 looks-like-ours"]


def test_a_key_whose_answer_was_lost_is_found_by_its_name_and_ended(business: Business) -> None:
    stand_in = business.sandbox.workos
    stand_in.faults.add(Fault(kind="lost_reply", method="POST", path="/organizations/[^/]+/api_keys$"))
    business.up()
    posts = [c for c in stand_in.calls if c.method == "POST" and c.path.endswith("/api_keys")]
    assert len(posts) == 2, "the first is never sent again; it is looked for, and a second generation is made"
    (key,) = stand_in.environment.api_keys
    assert key.name.startswith("acme/test/partner-key 2 ")
    assert business.accepted(key_of(business.delivered("partner-key")))
    assert business.words() == {CLIENT: "", KEY: ""}


@pytest.mark.parametrize("path", ["/api_keys$", "/client_secrets$", "/connect/applications$"])
def test_throttling_while_something_is_made_is_told_and_loses_nothing(business: Business, path: str) -> None:
    stand_in = business.sandbox.workos
    stand_in.faults.add(Fault(kind="status", method="POST", path=path, status=429, headers={"Retry-After": "90"}))
    with pytest.raises(Unavailable, match=r"WorkOS limits the calls of the admin key .*; run again in 90 s"):
        business.up()
    business.pass_time(minutes=10)
    business.up()
    assert business.words() == {CLIENT: "", KEY: ""}
    kept = stand_in.environment
    assert [len(list(kind)) for kind in (kept.applications, kept.secrets, kept.api_keys)] == [1, 1, 1]
    assert business.token(business.delivered("exporter")) == 200
    assert business.accepted(key_of(business.delivered("partner-key")))


def test_an_application_whose_answer_was_lost_is_found_by_its_mark(business: Business) -> None:
    stand_in = business.sandbox.workos
    stand_in.faults.add(Fault(kind="lost_reply", method="POST", path="/connect/applications$"))
    with pytest.raises(OutcomeUnknown):
        business.up()
    business.pass_time(minutes=10)
    business.up()
    (application,) = stand_in.environment.applications
    assert business.delivered("exporter")["client_id"] == application.client_id
    assert business.token(business.delivered("exporter")) == 200


def test_a_client_made_by_hand_is_adopted_and_its_name_stays(business: Business) -> None:
    stand_in = business.sandbox.workos
    business.up(business.api)
    by_hand = stand_in.add_application("Ann's exporter", kind="m2m", organization=CUSTOMER, scopes=["invoices:read"])
    (application,) = stand_in.environment.applications
    adopted = (business.api, business.client(adopt=application.client_id))
    assert business.words(*adopted)[CLIENT].startswith(f"adopt client {application.client_id}")
    business.up(*adopted)
    business.up(*adopted)
    (application,) = stand_in.environment.applications
    assert (application.id, application.name) == (by_hand, "Ann's exporter")
    assert "[keysteward acme/test/exporter " in (application.description or "")


def test_narrowing_a_key_is_a_rotation_and_the_permission_goes_after_it(business: Business) -> None:
    wide = business.key(access={business.api: ["invoices:read", "invoices:write"]})
    business.up(business.api, wide)
    less = business.catalogue("invoices:read")
    narrow = business.key(access={less: ["invoices:read"]})
    assert "while the one that also allows invoices:write ends 7d later" in business.words(less, narrow)[KEY]
    business.up(less, narrow)
    slugs = {permission.slug for permission in business.sandbox.workos.environment.permissions}
    assert "invoices:write" in slugs, "a key of ours still has it"
    business.pass_time(days=8)
    business.up(less, narrow)
    business.up(less, narrow)
    slugs = {permission.slug for permission in business.sandbox.workos.environment.permissions}
    assert "invoices:write" not in slugs
    assert business.accepted(key_of(business.delivered("partner-key")))


def test_a_permission_that_a_customers_key_has_is_not_deleted(business: Business) -> None:
    business.up()
    business.sandbox.workos.add_api_key("theirs", organization=CUSTOMER, permissions=["invoices:write"])
    less = business.catalogue("invoices:read")
    key, client = business.key(access={less: ["invoices:read"]}), business.client(access={less: ["invoices:read"]})
    with pytest.raises(Conflict, match="scope 'invoices:write' is still used by key api_key_"):
        business.up(less, key, client)


def test_what_is_not_declared_any_more_is_ended(business: Business) -> None:
    business.up()
    first = business.delivered("exporter")
    value = key_of(business.delivered("partner-key"))
    _, session = business.session(business.api)
    for name in (CLIENT, KEY):
        session.credentials.run(name, None)
    assert business.token(first) == 401
    assert not business.accepted(value)
    assert list(business.sandbox.workos.environment.applications) == []
    assert [o.name for o in business.sandbox.workos.environment.organizations] == ["Demo"]


def test_an_old_key_ends_on_the_evidence_that_nobody_uses_it(business: Business) -> None:
    schedule = RotationSchedule(every="90d", overlap="7d", retire_when_unused_for="14d")
    declared = (business.api, business.key(rotation=schedule))
    business.up(*declared)
    old = key_of(business.delivered("partner-key"))
    business.pass_time(days=91)
    business.up(*declared)
    for _ in range(4):
        business.pass_time(days=7)
        assert business.accepted(old), "the partner has not moved yet, so it stays"
        business.up(*declared)
    business.pass_time(days=15)
    business.up(*declared)
    assert not business.accepted(old)
    assert business.accepted(key_of(business.delivered("partner-key")))


def test_the_secret_of_an_application_that_somebody_else_manages(business: Business) -> None:
    stand_in = business.sandbox.workos
    portal = stand_in.add_application("Portal")
    (application,) = stand_in.environment.applications
    declared = ClientSecret(
        "portal",
        client=application.client_id,
        target=business.target,
        owner="team-billing",
        purpose="Log-in of the portal",
        environment="test",
        rotation=RotationSchedule(every="90d", overlap="7d"),
        deliver_to=business.vault.path("apps/portal"),
    )
    for _ in range(2):
        business.up(declared)
    document = business.delivered("portal")
    assert document["client_id"] == application.client_id
    values = {secret.value for secret in stand_in.environment.secrets}
    assert document["client_secret"] in values
    business.pass_time(days=91)
    business.up(declared)
    business.pass_time(days=8)
    business.up(declared)
    (secret,) = stand_in.environment.secrets
    assert secret.value == business.delivered("portal")["client_secret"]
    (application,) = stand_in.environment.applications
    assert (application.id, application.name, application.description) == (portal, "Portal", None)


def test_a_key_made_by_hand_is_adopted_by_its_id_and_replaced_in_time(business: Business) -> None:
    stand_in = business.sandbox.workos
    business.up(business.api)
    by_hand, value = stand_in.add_api_key("Partner (do not delete)", organization=CUSTOMER)
    beside, _ = stand_in.add_api_key("Not ours", organization=CUSTOMER)
    declared = (business.api, business.key(adopt=by_hand, retire_adopted=True))
    business.up(*declared)
    assert business.accepted(value)
    business.pass_time(days=91)
    business.up(*declared)
    business.pass_time(days=8)
    business.up(*declared)
    assert not business.accepted(value)
    assert business.accepted(key_of(business.delivered("partner-key")))
    assert beside in {key.id for key in stand_in.environment.api_keys}


def test_a_holder_that_does_not_exist_is_one_sentence(business: Business) -> None:
    with pytest.raises(
        Conflict, match="holder: target customers has no 'org_gone'; correct the name, or make it there"
    ):
        business.up(business.api, business.key(holder="org_gone"))
    assert list(business.sandbox.workos.environment.api_keys) == []


def test_a_key_for_a_person_is_refused_before_any_call_and_one_that_is_there_may_be_adopted(business: Business) -> None:
    before = len(business.sandbox.workos.calls)
    with pytest.raises(DeclarationError) as refused:
        business.session(business.api, business.key(holder=f"user_01ANN@{CUSTOMER}"))
    assert refused.value.message == (
        f"ApiKey 'partner-key': holder: 'user_01ANN@{CUSTOMER}' is no organization (org_...), and only organizations "
        "get keys from here; keys of people are observed and governed"
    )
    business.session(business.api, business.key(holder=f"user_01ANN@{CUSTOMER}", adopt="api_key_01"))
    assert len(business.sandbox.workos.calls) == before


def test_the_sixth_secret_is_told_and_nothing_is_lost(business: Business) -> None:
    business.up()
    (application,) = business.sandbox.workos.environment.applications
    for _ in range(4):
        business.target.issue(application.id, Order(Action.MINT))
    business.pass_time(days=91)
    stack, session = business.session()
    plan = previewed(session.credentials, CLIENT, stack.specs[CLIENT])
    assert plan.words == ""
    assert f"all 5 secrets of {application.client_id} are taken" in " ".join(f.message for f in plan.findings)
    business.up()
    assert business.token(business.delivered("exporter")) == 200
    assert len(list(business.sandbox.workos.environment.secrets)) == 5


LIFE = (0, 91, 8)
"""Days before each run: the first issue, the rotation, the end of what was replaced."""

PROOFS = {"/api_keys/validations", "/oauth2/token"}


class Cut:
    """Counts writes, and cuts the connection at one of them: before the work is done, or after it."""

    def __init__(self, stand_in: WorkOSStandIn, at: int, *, after: bool) -> None:
        self.count, self.at, self.after = 0, at, after
        stand_in.around = self

    def __call__(self, request: Request, work: Callable[[], Response | None]) -> Response | None:
        if request.method == "GET" or request.path in PROOFS:
            return work()
        self.count += 1
        if self.count != self.at:
            return work()
        if self.after:
            work()
        return None


def live(business: Business) -> None:
    """Run as a scheduled job does, again when it failed; what is delivered works after every run that did not."""
    for days in LIFE:
        business.pass_time(days=days)
        for _ in range(4):
            try:
                business.up()
            except (OutcomeUnknown, Unavailable):
                business.pass_time(minutes=10)
                continue
            break
        assert business.words() == {CLIENT: "", KEY: ""}
        assert business.token(business.delivered("exporter")) == 200
        assert business.accepted(key_of(business.delivered("partner-key")))


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_any_write_may_be_cut_off(monkeypatch: pytest.MonkeyPatch, *, after: bool) -> None:
    with opened(monkeypatch) as business:
        counted = Cut(business.sandbox.workos, 0, after=after)
        live(business)
    assert counted.count > 8
    for at in range(1, counted.count + 1):
        with opened(monkeypatch) as business:
            stand_in = business.sandbox.workos
            Cut(stand_in, at, after=after)
            live(business)
            kept = stand_in.environment
            assert len(list(kept.applications)) == 1, at
            assert [key.value for key in kept.api_keys] == [key_of(business.delivered("partner-key"))], at
            current = business.delivered("exporter")["client_secret"]
            others = [secret for secret in kept.secrets if secret.value != current]
            assert len(others) <= after, at
            assert all(secret.last_used_at is None for secret in others), at
