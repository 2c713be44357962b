"""Ledgerly, a bookkeeping service that does not exist, as a target: clients with three secrets each, and API keys."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import KW_ONLY, dataclass, field
from datetime import datetime

from pydantic import BaseModel, SecretStr

from keysteward import contract as port
from keysteward.contract import MANY, Capabilities, Conflict, Mark, Material, Observation, Proof, Settings, Verification
from keysteward.providers.kit.adapter import Adapter
from keysteward.providers.kit.client import ApiClient, once
from keysteward.providers.kit.doctor import asked, clock_check, diagnosed
from keysteward.providers.kit.keys_only import HOLDER
from keysteward.providers.kit.login import basic
from keysteward.providers.kit.marks import read_mark, write_mark
from keysteward.providers.kit.pages import Listing


class Secret(BaseModel):
    """A client secret or an API key; its value is there once, in the answer to the call that makes it."""

    id: str
    kind: str
    name: str | None = None
    scopes: frozenset[str] = frozenset()
    created: datetime
    expires: datetime | None = None
    value: SecretStr = SecretStr("")


class Owner(BaseModel):
    """A client with its secrets, or an account with its keys: that one has no client_id."""

    id: str
    client_id: str | None = None
    description: str = ""
    mark: str = ""
    secrets: list[Secret]

    def observed(self) -> port.ObservedObject:
        """Return it in the port's words. Ledgerly shows no value again: there is nothing to take a fingerprint of."""
        secrets = tuple(
            port.ObservedSecret(s.id, "key", name=s.name, scopes=s.scopes, created_at=s.created, expires_at=s.expires)
            for s in self.secrets
        )
        if self.client_id is None:
            return port.ObservedObject(self.id, self.id, True, HOLDER, secrets, holder="account")
        settings = Settings("client_secret", description=self.description)
        return port.ObservedObject(self.id, self.client_id, True, settings, secrets, read_mark(self.mark))


class Client(ApiClient):
    def owners(self) -> Listing[Owner]:
        return self.entries("/owners", Owner, operation="list clients and accounts")


@once
def client_of(target: Ledgerly) -> Client:  # one for all equal targets
    reference, purpose = target.in_use(target.admin)
    return Client(target.name, url=f"{target.url}/v1", reference=reference, who=f"the {purpose} token ({reference})")


@dataclass(frozen=True)
class Ledgerly(Adapter):
    """One tenant. `admin` and `reader` are references to tokens."""

    KIND = "ledgerly:Ledgerly"
    carried = ("scopes", "expires")
    lacks = frozenset({"catalogue", "optional scopes", "token lifetime"})
    capabilities = Capabilities(("client_secret",), secrets=3, tags_objects=True, lacks=lacks)
    key_capabilities = Capabilities(("api_key",), secrets=MANY, named_keys=True, tags_secrets=True, immutable=carried)
    name: str
    _: KW_ONLY
    admin: str
    reader: str | None = None
    url: str = "https://api.ledgerly.example.com"
    reading: bool = field(default=False, repr=False)

    def __post_init__(self) -> None:
        port.check_address(self.url, field=f"Ledgerly {self.name!r}: url", shape="https://host")
        super().__post_init__()

    @property
    def token_url(self) -> str:
        return f"{self.url}/oauth/token"

    def observe(self, fingerprint: port.Fingerprint | None) -> Observation:
        found = client_of(self).owners()
        return Observation(self.name, found.started_at, found.clock, tuple(owner.observed() for owner in found.entries))

    def look(self, ref: port.ObjectRef, fingerprint: port.Fingerprint | None) -> port.ObservedObject | None:
        reply = client_of(self).call("GET", f"/owners/{ref.remote_id or ref.client_id}", operation="read", accept={404})
        return None if reply.gone else reply.read(Owner).observed()

    def create(self, client_id: str, want: Settings, mark: Mark, material: Material | None) -> port.Created:
        body = {"client_id": client_id, "description": want.description, "mark": write_mark(mark)}
        reply = client_of(self).call("POST", "/owners", operation="create", repeatable=False, json=body, accept={409})
        if reply.ok:
            return port.Created(reply.read(Owner).id, client_id)
        found = self.look(port.ObjectRef(client_id), None)
        if found is None or found.mark != mark:
            raise self._error(Conflict, "create", f"client {client_id!r} exists and is not ours; adopt it or rename")
        return port.Created(found.remote_id, client_id)

    def update(self, remote_id: str, want: Settings, mark: Mark | None) -> None:
        self._patch(remote_id, description=want.description, mark=write_mark(mark) if mark else None)

    def mark(self, remote_id: str, mark: Mark) -> None:
        self._patch(remote_id, mark=write_mark(mark))

    def release(self, remote_id: str) -> None:
        self._patch(remote_id, mark="")

    def _patch(self, remote_id: str, **fields: str | None) -> None:
        body = {name: text for name, text in fields.items() if text is not None}
        client_of(self).call("PATCH", f"/owners/{remote_id}", operation="write client", json=body)

    def delete(self, remote_id: str) -> None:
        client_of(self).call("DELETE", f"/owners/{remote_id}", operation="delete client", accept={404})

    def issue(self, remote_id: str, order: port.Order) -> port.Issued:
        body = {"name": order.name, "scopes": sorted(order.scopes), "expires": order.expires and str(order.expires)}
        path = f"/owners/{remote_id}/secrets"
        made = client_of(self).call("POST", path, operation="issue", repeatable=False, json=body).read(Secret)
        return port.Issued(made.id, Material(made.kind, made.value, made.value))

    def retire(self, remote_id: str, secret: port.ObservedSecret) -> None:
        client_of(self).call("DELETE", f"/secrets/{secret.id}", operation="end secret", accept={404})

    def verify(self, claim: port.Claim) -> Verification:
        value, client = claim.material.value, client_of(self)
        headers = {"Authorization": basic(claim.client_id, value)}
        if claim.material.method == "api_key":
            headers = {"X-Api-Key": value.get_secret_value()}
        reply = client.open("GET", f"{self.url}/v1/whoami", operation="prove", headers=headers)
        if reply.status == 401:
            return Verification(Proof.REFUSED, "Ledgerly refuses it")
        known = client.checked(reply).read(dict[str, list[str]])
        missing = sorted(claim.scopes - set(known["scopes"]))
        if missing or claim.client_id not in known["names"]:
            return Verification(Proof.WRONG, f"it is of {known['names']} and lacks {', '.join(missing) or 'no scope'}")
        return Verification(Proof.PROVEN, "real call")

    def diagnose(self) -> Iterable[port.Check]:
        lists = asked(self.name, client_of(self).owners, "may list clients and accounts")
        return diagnosed(self.name, (lists, lambda: [clock_check(self.name, client_of(self).now())]))
