"""API Gateway's API keys, held by usage plans, as a target.

An API key here meters and throttles its caller; AWS says not to authenticate or authorise by it alone: a key works for
every API of its usage plan, and API Gateway compares it as plain text. It is declared and rotated like any other
because it is a standing secret all the same.

The value is ours and stays readable, so a key is proven by reading it back. GetUsage counts requests of each key by
day and plan; it names no time of last use and costs a call for each plan and page, so it is not asked.

`observe` costs the pages of GetUsagePlans and GetApiKeys (500 each) and those of GetUsagePlanKeys for each plan. Keys
in no plan are shown under a holder of that name, which takes none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, ClassVar, Final

from pydantic import SecretStr

from keysteward.core.contract.capabilities import Capabilities
from keysteward.core.contract.introduction import Introduction, Starter
from keysteward.core.contract.observed import Observation, ObservedObject, ObservedSecret
from keysteward.core.contract.ports import (
    Action,
    Check,
    Claim,
    Fingerprint,
    Issued,
    ObjectRef,
    Order,
    Proof,
    Verification,
)
from keysteward.core.errors import Conflict, NotFound, Rejected
from keysteward.host.pool import in_pool
from keysteward.providers.aws import rights
from keysteward.providers.aws.connection import CALL_TIMEOUT
from keysteward.providers.aws.listing import listed
from keysteward.providers.aws.target import AwsTarget
from keysteward.providers.kit.keys_only import HOLDER, KeysOnly
from keysteward.providers.kit.pages import Listing
from keysteward.providers.kit.templates import template

SERVICE: Final = "apigateway"
MOST_KEYS: Final = 10_000
"""API keys of an account and region (API Gateway Developer Guide, "Quotas")."""

PAGE_SIZE: Final = 500
"""Largest `limit` (API Gateway API Reference, GetApiKeys)."""

NO_PLAN: Final = "no usage plan"


@dataclass(frozen=True)
class ApiGateway(AwsTarget, KeysOnly):
    """The usage plans of one account and region; a holder is a plan's id.

    `admin` and `reader` are references as `keysteward.providers.aws.connection.AwsClient` takes them; without `admin`
    boto3 finds credentials by itself. The reader asks for no values.
    """

    KIND: ClassVar = "keysteward.providers.aws:ApiGateway"

    name: str
    _: KW_ONLY
    region: str
    admin: str | None = None
    reader: str | None = None
    environments: tuple[str, ...] | None = None
    endpoint_url: str | None = None
    reading: bool = field(default=False, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()

    @classmethod
    def introduction(cls) -> Introduction:
        """How it is shown in the documentation, and what a new repository has of it."""
        return Introduction(
            shown={"AWS API Gateway": {"name": "gateway", "region": "eu-central-1"}},
            starter=Starter(
                declaration=template("keysteward.providers.aws", "api-gateway.py"),
                credentials=template("keysteward.providers.aws", "api-gateway.yaml"),
                classes=("ApiGateway",),
                called="gateway",
                login="aws",
                extras=("aws",),
            ),
        )

    @property
    def key_capabilities(self) -> Capabilities:
        """What API Gateway can do with API keys, known without a call."""
        return Capabilities(
            methods=("api_key",),
            secrets=MOST_KEYS,
            chooses="caller",
            readable=True,
            suspends=True,
            tags_secrets=True,
            lacks=frozenset({"catalogue"}),
            call_timeout=CALL_TIMEOUT,
            page_size=PAGE_SIZE,
            calls_per_object=1,
            environments=self.environments,
        )

    def observe(self, fingerprint: Fingerprint | None) -> Observation:
        """`GetUsagePlans` and `GetApiKeys` by pages, `GetUsagePlanKeys` for each plan."""
        listing = listed(self._client, SERVICE, "GetUsagePlans", "usage plans", {"limit": PAGE_SIZE}, entries="items")
        keys = self._keys(fingerprint)
        members = in_pool(self._members, [str(plan["id"]) for plan in listing.entries])
        held = {key_id for ids in members for key_id in ids}
        plans = [self._holder(plan, ids, keys) for plan, ids in zip(listing.entries, members, strict=True)]
        loose = self._holder({"id": NO_PLAN}, [key_id for key_id in keys if key_id not in held], keys)
        found = (*plans, loose) if loose.secrets else tuple(plans)
        return Observation(self.name, listing.started_at, listing.clock, found)

    def look(self, ref: ObjectRef, fingerprint: Fingerprint | None) -> ObservedObject | None:
        """`GetUsagePlan`, and its keys."""
        plan_id = ref.remote_id or ref.client_id
        try:
            plan = self._plan(plan_id)
        except NotFound:
            return None
        return self._holder(plan, self._members(plan_id), self._keys(fingerprint))

    def issue(self, remote_id: str, order: Order) -> Issued:
        """`CreateApiKey` with our value and name, `CreateUsagePlanKey`; both find what an earlier attempt made."""
        if order.action is not Action.ADD or order.material is None:
            text = f"API Gateway takes values of ours and cannot {order.action.value}"
            raise Rejected(text, target=self.name, operation="issue")
        self._plan(remote_id)
        value = order.material.value.get_secret_value()
        told = {"ConflictException": _Taken(f"{self.name}: an API key has this value already")}
        given = {"name": order.name, "value": value, "enabled": True}
        try:
            key_id = str(self._client.write(SERVICE, "CreateApiKey", "an API key", given, told=told)["id"])
        except _Taken:
            key_id = self._made_before(value, order.name)
        member = {"usagePlanId": remote_id, "keyId": key_id, "keyType": "API_KEY"}
        told = {"ConflictException": _Taken(f"{self.name}: API key {key_id} is in usage plan {remote_id}")}
        try:
            self._client.write(SERVICE, "CreateUsagePlanKey", f"usage plan {remote_id}", member, told=told)
        except _Taken:
            return Issued(key_id)
        return Issued(key_id)

    def retire(self, remote_id: str, secret: ObservedSecret) -> None:
        """`DeleteApiKey`, from every plan; gone already is success."""
        del remote_id
        try:
            self._client.write(SERVICE, "DeleteApiKey", f"API key {secret.id}", {"apiKey": secret.id})
        except NotFound:
            return

    def suspend(self, remote_id: str, keys: Sequence[str] = ()) -> None:
        """`UpdateApiKey` to disabled, for these keys alone."""
        del remote_id
        self._switch(keys, "false")

    def resume(self, remote_id: str, keys: Sequence[str] = ()) -> None:
        """`UpdateApiKey` to enabled, for these keys alone."""
        del remote_id
        self._switch(keys, "true")

    def verify(self, claim: Claim) -> Verification:
        """Read the key back: it has this value, is enabled and in its usage plan."""
        on, plan_id = f"API key {claim.secret_id}", claim.client_id
        try:
            key = self._client.read(SERVICE, "GetApiKey", on, {"apiKey": claim.secret_id, "includeValue": True})
        except NotFound:
            return Verification(Proof.REFUSED, "there is no such API key any more")
        if SecretStr(str(key.get("value", ""))) != claim.material.value:
            return Verification(Proof.REFUSED, "the API key has another value")
        if not key.get("enabled"):
            return Verification(Proof.REFUSED, "the API key is disabled")
        if claim.secret_id not in self._members(plan_id):
            return Verification(Proof.WRONG, f"the API key is not in usage plan {plan_id}")
        return Verification(Proof.READ_BACK, "the key has this value, is enabled and in its usage plan")

    def diagnose(self) -> Iterable[Check]:
        """Say whether API Gateway answers, for whom, and with which rights: too few and too many."""
        key = {"apiKey": rights.NOBODY}
        patch = [{"op": "replace", "path": "/enabled", "value": "false"}]
        member = {"usagePlanId": rights.NOBODY, "keyId": rights.NOBODY, "keyType": "API_KEY"}
        reads = [rights.Probe(SERVICE, operation, {"limit": 1}) for operation in ("GetUsagePlans", "GetApiKeys")]
        writes = [
            rights.Probe(SERVICE, "CreateUsagePlanKey", member),
            rights.Probe(SERVICE, "UpdateApiKey", {**key, "patchOperations": patch}),
            rights.Probe(SERVICE, "DeleteApiKey", key),
        ]
        return rights.diagnose(self._client, "API Gateway", reads, writes, reading=self.reading)

    def _plan(self, plan_id: str) -> Mapping[str, Any]:
        gone = f"{self.name}: there is no usage plan {plan_id} in {self.region}: create it, or correct `holder`"
        told = {"NotFoundException": NotFound(gone)}
        return self._client.read(SERVICE, "GetUsagePlan", f"usage plan {plan_id}", {"usagePlanId": plan_id}, told=told)

    def _members(self, plan_id: str) -> list[str]:
        given = {"usagePlanId": plan_id, "limit": PAGE_SIZE}
        try:
            found = listed(
                self._client, SERVICE, "GetUsagePlanKeys", f"usage plan {plan_id}", given, entries="items"
            ).entries
        except NotFound:
            return []
        return [str(key["id"]) for key in found]

    def _keys(self, fingerprint: Fingerprint | None) -> dict[str, ObservedSecret]:
        """Return all keys by id; their values leave here as fingerprints, and the reader asks for none."""
        shown = None if self.reading else fingerprint
        found = self._listed_keys({"includeValues": shown is not None}).entries
        return {str(key["id"]): _secret(key, shown) for key in found}

    def _listed_keys(self, given: Mapping[str, Any]) -> Listing[Mapping[str, Any]]:
        return listed(self._client, SERVICE, "GetApiKeys", "API keys", {"limit": PAGE_SIZE, **given}, entries="items")

    def _holder(
        self, plan: Mapping[str, Any], ids: Iterable[str], keys: Mapping[str, ObservedSecret]
    ) -> ObservedObject:
        plan_id = str(plan["id"])
        secrets = tuple(keys[key_id] for key_id in ids if key_id in keys)
        return ObservedObject(
            plan_id,
            plan_id,
            enabled=True,
            settings=HOLDER,
            secrets=secrets,
            holder="usage plan",
            label=str(plan.get("name", "")),
            loose=plan_id == NO_PLAN,
        )

    def _made_before(self, value: str, name: str | None) -> str:
        for key in self._listed_keys({"includeValues": True}).entries:
            if SecretStr(str(key.get("value", ""))) == SecretStr(value) and key.get("name") == name:
                return str(key["id"])
        text = f"{self.name}: another API key has this value already: run `keysteward reissue` for a new one"
        raise Conflict(text, operation="issue")

    def _switch(self, keys: Sequence[str], on: str) -> None:
        patch = [{"op": "replace", "path": "/enabled", "value": on}]
        for key_id in keys:
            given = {"apiKey": key_id, "patchOperations": patch}
            self._client.write(SERVICE, "UpdateApiKey", f"API key {key_id}", given, repeat=True)


def _secret(key: Mapping[str, Any], fingerprint: Fingerprint | None) -> ObservedSecret:
    value = key.get("value")
    return ObservedSecret(
        str(key["id"]),
        "key",
        fingerprint(str(value)) if fingerprint is not None and value else None,
        created_at=key.get("createdDate"),
        name=key.get("name"),
        enabled=bool(key.get("enabled")),
    )


class _Taken(Conflict):
    """What is to be made is there already."""
