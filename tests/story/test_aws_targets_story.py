"""One stack over three kinds of AWS credential: a machine client, a user's access key, a partner's API key."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
import requests
from aws_account import Account
from aws_server import REGION
from botocore.exceptions import ClientError
from company import OWNERS
from previews import previewed

from keysteward import ApiKey, M2MClient, PermanentException, ResourceServer, RotationSchedule, Stack, Transitional
from keysteward.core.assess.examine import assess
from keysteward.core.assess.now import findings_now
from keysteward.core.errors import Conflict, DeclarationError, OutcomeUnknown
from keysteward.core.findings import Finding, Severity
from keysteward.core.policy.check import check
from keysteward.core.record import requests as asked
from keysteward.core.record.ledger import Ledger
from keysteward.core.run.reconciler import Result
from keysteward.operations.owners import owners_of
from keysteward.operations.session import Access, Session
from keysteward.providers.aws import SecretsManager
from keysteward.providers.local import LocalStore
from keysteward.testing.aging import age_ledgers

CHECKED_ON = datetime(2026, 12, 1, tzinfo=UTC)

AUDIENCE = "https://billing.example.com"
SCOPE = f"{AUDIENCE}/invoices:read"
NAMES = ("exporter", "legacy-upload", "partner")


class Company:
    """The account with its targets, a local store, and runs over one stack."""

    def __init__(self, account: Account, folder: Path) -> None:
        self.account = account
        self.user = account.user("svc-upload")
        self.plan = account.plan("partners")
        self.pool = account.cognito(account.pool())
        self.iam = account.iam(users=("svc-*",))
        self.gateway = account.api_gateway()
        self.ledgers = LocalStore("local", root=folder / "store", key=folder / "age.key").ledgers()
        address = {"region": REGION, "endpoint_url": account.stand_in.url, "admin": "env:AWS_TARGETS_ADMIN"}
        self.store = SecretsManager("secrets", **address)
        self.stack = self._stack()

    def _stack(self) -> Stack:
        until = datetime.now(UTC).date() + timedelta(days=365)
        common = {
            "owner": "team-billing",
            "environment": "test",
            "purpose": "Invoices",
            "rotation": RotationSchedule(every="90d", overlap="7d"),
        }
        billing = ResourceServer("billing-api", target=self.pool, audience=AUDIENCE, scopes={SCOPE: "Read invoices"})
        exporter = M2MClient(
            "exporter",
            target=self.pool,
            access={billing: [SCOPE]},
            token_lifetime="10m",
            deliver_to=self.store.path("apps/exporter"),
            **common,
        )
        upload = ApiKey(
            "legacy-upload",
            target=self.iam,
            holder=self.user,
            expires=until,
            classification=Transitional(migrate_to="exporter", by=until),
            deliver_to=self.store.path("apps/legacy-upload"),
            **common,
        )
        partner = ApiKey(
            "partner",
            target=self.gateway,
            holder=self.plan,
            expires=until,
            classification=PermanentException(
                justification="The plan's keys only meter", risk_accepted_by="team-billing", review_by=_in(180)
            ),
            deliver_to=self.store.path("apps/partner"),
            **common,
        )
        declared = [billing, exporter, upload, partner]
        return Stack("acme/test", owners=OWNERS, ledgers=self.ledgers, declarations=declared)

    def bound(self, **fields: Any) -> None:  # noqa: ANN401 - forwarded
        """Declare the users of the account with other bounds."""
        self.iam = self.account.iam(**fields)
        self.stack = self._stack()

    def session(self, access: Access) -> Session:
        stack = self.stack
        check(stack, owners_of(stack), CHECKED_ON)
        session = Session(stack.identity, stack.ledgers, access=access, specs=stack.specs, limit=stack.limit)
        session.add_ports(stack.targets, stack.stores)
        return session

    def due(self) -> dict[str, bool]:
        session = self.session("reader")
        return {name: bool(previewed(session.credentials, name, spec).steps) for name, spec in self.stack.specs.items()}

    def up(self) -> dict[str, Result]:
        session = self.session("runner")
        for name, server in self.stack.server_specs.items():
            session.servers.run(name, server)
        return {name: session.credentials.run(name, spec) for name, spec in self.stack.specs.items()}

    def told(self, name: str) -> list[Finding]:
        """Return what a look tells of one credential, notes apart."""
        world = self.session("reader").credentials.snapshot.world(
            f"acme/test/{name}", self.stack.specs[f"acme/test/{name}"]
        )
        return [f for f in findings_now(world, assess(world)) if f.severity is not Severity.NOTE]

    def note(self, name: str, change: Callable[[Ledger, datetime], Ledger]) -> None:
        """Write a person's word into a ledger, as commands do."""
        now = self.ledgers.now()
        assert self.session("runner").credentials.edit(f"acme/test/{name}", lambda ledger: change(ledger, now))

    def document(self, name: str) -> dict[str, Any]:
        """Read what a consumer reads."""
        found = self.account.client("secretsmanager").get_secret_value(SecretId=f"apps/{name}")
        document: dict[str, Any] = json.loads(found["SecretString"])
        return document

    def token(self, document: Mapping[str, Any]) -> requests.Response:
        """Get a token as the exporter would."""
        pair = (document["client_id"], document["client_secret"])
        return requests.post(document["token_url"], data={"grant_type": "client_credentials"}, auth=pair, timeout=10)

    def caller(self, document: Mapping[str, Any]) -> str:
        """Ask AWS who the holder of an access key is."""
        keys = {"aws_access_key_id": document["key_id"], "aws_secret_access_key": document["api_key"]}
        sts = boto3.client("sts", region_name=REGION, endpoint_url=self.account.stand_in.url, **keys)
        return str(sts.get_caller_identity()["Arn"])

    def gateway_keys(self) -> dict[str, str]:
        """Return the values of keys that are enabled, by id."""
        found = self.account.client("apigateway").get_api_keys(includeValues=True)["items"]
        return {key["id"]: key["value"] for key in found if key["enabled"]}


def _in(days: int) -> date:
    return datetime.now(UTC).date() + timedelta(days=days)


@pytest.fixture
def company(aws_account: Account, tmp_path: Path) -> Company:
    return Company(aws_account, tmp_path)


def test_a_user_outside_of_the_declared_patterns_is_refused_before_any_call(company: Company) -> None:
    company.bound(users=("app-*", "batch"))
    before = len(company.account.stand_in.calls)
    with pytest.raises(DeclarationError) as refused:
        company.up()
    assert refused.value.message == (
        "ApiKey 'legacy-upload': holder: 'svc-upload' is outside users=('app-*', 'batch') of target accounts; correct "
        "it, or widen users"
    )
    assert len(company.account.stand_in.calls) == before


def test_a_user_outside_of_the_declared_path_is_told_with_the_path(company: Company) -> None:
    company.bound(users=("svc-*",), path_prefix="/services/")
    with pytest.raises(Conflict) as refused:
        company.up()
    assert refused.value.message == (
        "holder: target accounts has no 'svc-upload' within users=('svc-*',), path_prefix='/services/'; correct the "
        "name, or make it there first"
    )


def test_three_kinds_live_through_one_rotation(company: Company) -> None:
    stages = []
    for days in (0, 90, 8):
        age_ledgers(company.stack.ledgers, company.stack.identity, timedelta(days=days))
        assert all(company.due().values()), "something is due for each"
        results = company.up()
        assert [result.findings for result in results.values()] == [(), (), ()]
        assert not any(company.due().values()), "a preview right behind a run is empty"
        stages.append({name: company.document(name) for name in NAMES})
    first, overlapping, last = stages
    for name in NAMES:
        assert [stage[name]["generation"] for stage in stages] == [1, 2, 2]
        assert "previous" in overlapping[name]
        assert "previous" not in last[name]
    assert company.token(last["exporter"]).json()["expires_in"] == 600
    assert company.token(first["exporter"]).json() == {"error": "invalid_client"}
    assert last["exporter"]["client_id"] == first["exporter"]["client_id"] != "exporter", "Cognito chose it"
    assert last["exporter"]["scopes"] == [SCOPE], "what a consumer asks a token for"
    assert company.caller(last["legacy-upload"]).endswith(":user/svc-upload")
    with pytest.raises(ClientError, match="InvalidClientTokenId"):
        company.caller(first["legacy-upload"])
    assert company.gateway_keys() == {last["partner"]["key_id"]: last["partner"]["api_key"]}


def test_during_the_overlap_both_work(company: Company) -> None:
    company.up()
    first = {name: company.document(name) for name in NAMES}
    age_ledgers(company.stack.ledgers, company.stack.identity, timedelta(days=90))
    company.up()
    for documents in (first, {name: company.document(name) for name in NAMES}):
        assert company.token(documents["exporter"]).ok
        assert company.caller(documents["legacy-upload"])
        assert documents["partner"]["api_key"] in company.gateway_keys().values()


@pytest.mark.parametrize(
    ("name", "action", "after"),
    [
        ("exporter", "cognito-idp:CreateUserPoolClient", 0),
        ("partner", "apigateway:POST", 0),
        ("partner", "apigateway:POST", 1),
    ],
)
def test_a_lost_reply_loses_nothing_where_the_value_is_ours(
    company: Company, name: str, action: str, after: int
) -> None:
    with company.account.losing(action, after=after), pytest.raises(OutcomeUnknown):
        company.up()
    age_ledgers(company.stack.ledgers, company.stack.identity, timedelta(minutes=10))
    results = company.up()
    assert results[f"acme/test/{name}"].findings == ()
    assert not any(company.due().values())
    assert company.document(name)["generation"] == 1
    clients = company.account.client("cognito-idp").list_user_pool_clients(UserPoolId=company.pool.user_pool)
    assert len(clients["UserPoolClients"]) == 1
    assert len(company.gateway_keys()) == 1


def test_a_minted_key_whose_reply_was_lost_is_replaced_and_ended_by_nobody(company: Company) -> None:
    def held() -> set[str]:
        keys = company.account.client("iam").list_access_keys(UserName=company.user)["AccessKeyMetadata"]
        return {key["AccessKeyId"] for key in keys}

    with company.account.losing("iam:CreateAccessKey"):
        company.up()
    (orphan,) = held()
    age_ledgers(company.stack.ledgers, company.stack.identity, timedelta(minutes=10))
    company.up()
    current = company.document("legacy-upload")
    assert held() == {orphan, current["key_id"]}, "IAM keys carry no mark: nobody can say whose the other one is"
    age_ledgers(company.stack.ledgers, company.stack.identity, timedelta(days=90))
    result = company.up()["acme/test/legacy-upload"]
    assert orphan in " ".join(finding.message for finding in result.findings), "and it stands in the way of a rotation"
    assert held() == {orphan, current["key_id"]}
    assert company.caller(company.document("legacy-upload"))


@pytest.mark.usefixtures("no_waiting")
def test_a_renamed_user_is_told_and_its_new_name_brings_another_key_and_ends_the_old_one(company: Company) -> None:
    company.up()
    old = company.document("legacy-upload")
    company.account.rename("svc-upload", "svc-invoices")
    (finding,) = company.told("legacy-upload")
    assert f"its key {old['key_id']} is at IAM user 'svc-invoices' now, and has not ended" in finding.message
    assert not company.due()["acme/test/legacy-upload"]
    company.user = "svc-invoices"
    company.stack = company._stack()
    company.up()
    new = company.document("legacy-upload")
    assert company.caller(new) == company.caller(old), "both are the user's, by its new name"
    age_ledgers(company.stack.ledgers, company.stack.identity, timedelta(days=8))
    company.up()
    assert company.told("legacy-upload") == []
    with pytest.raises(ClientError, match="InvalidClientTokenId"):
        company.caller(old)


@pytest.mark.parametrize("again", [True, False], ids=["added again", "issued anew"])
def test_a_key_taken_out_of_its_plan_is_told_and_either_advice_mends_it(company: Company, *, again: bool) -> None:
    company.up()
    old = company.document("partner")["key_id"]
    gateway = company.account.client("apigateway")
    gateway.delete_usage_plan_key(usagePlanId=company.plan, keyId=old)
    (finding,) = company.told("partner")
    assert finding.message == (
        f"key {old} of usage plan '{company.plan}' (partners) at target {company.gateway.name} was taken out of it; it "
        "is at no usage plan now, and has not ended, but its callers are refused"
    )
    assert not company.due()["acme/test/partner"]
    if again:
        gateway.create_usage_plan_key(usagePlanId=company.plan, keyId=old, keyType="API_KEY")
    else:
        company.note("partner", lambda ledger, now: asked.reissue(ledger, "lost", at=now))
        company.up()
        age_ledgers(company.stack.ledgers, company.stack.identity, timedelta(days=8))
        company.up()
        assert list(company.gateway_keys()) == [company.document("partner")["key_id"]] != [old]
    assert company.told("partner") == []


def test_a_revocation_ends_all_three_at_once_and_for_good(company: Company) -> None:
    company.up()
    leaked = {name: company.document(name) for name in NAMES}

    def refused() -> list[bool]:
        with pytest.raises(ClientError, match="InvalidClientTokenId"):
            company.caller(leaked["legacy-upload"])
        token = company.token(leaked["exporter"]).json()
        return [
            token == {"error": "invalid_client"},
            leaked["partner"]["api_key"] not in company.gateway_keys().values(),
        ]

    for name in NAMES:
        company.note(name, lambda ledger, now: asked.revoke(ledger, now, "leaked", None))
    results = company.up()
    assert [[f.message for f in result.findings] for result in results.values()] == [["revoked: leaked"]] * 3
    assert refused() == [True, True], "the last secret of a Cognito client too"
    for name in NAMES:
        company.note(name, asked.lift)
    company.up()
    assert refused() == [True, True]
    assert [company.document(name)["generation"] for name in NAMES] == [2, 2, 2]
    assert company.token(company.document("exporter")).ok
    assert company.caller(company.document("legacy-upload"))
    assert not any(company.due().values())
