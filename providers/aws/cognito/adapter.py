"""One Cognito user pool as a target: machine clients with up to two secrets, resource servers with their scopes.

Cognito chooses a client's id; `client_id` of a declaration is its name. Secrets are values of ours, so that nothing is
lost with a reply. No list shows a client whole: `observe` costs the pages of ListUserPoolClients (60 each) and
ListResourceServers (50 each), and DescribeUserPoolClient and ListUserPoolClientSecrets for each client.
DescribeUserPoolClient shows a secret in clear to who may call it, readers too; it is dropped on arrival.

A client is suspended by AllowedOAuthFlowsUserPoolClient: without it the token endpoint answers `invalid_grant`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from datetime import timedelta
from typing import Any, ClassVar, Final

from keysteward.core.contract.address import check_address
from keysteward.core.contract.capabilities import Capabilities
from keysteward.core.contract.introduction import Introduction, Starter
from keysteward.core.contract.observed import Mark, Observation, ObservedObject, ObservedSecret, Settings
from keysteward.core.contract.ports import (
    Action,
    Check,
    Claim,
    Created,
    Fingerprint,
    Issued,
    Material,
    ObjectRef,
    Order,
    ScopeWant,
    Verification,
)
from keysteward.core.errors import Conflict, DeclarationError, NotFound, Rejected
from keysteward.host.once import once
from keysteward.host.pool import in_pool
from keysteward.providers.aws import rights
from keysteward.providers.aws.cognito import models, proof
from keysteward.providers.aws.cognito.api import CLIENTS_PER_PAGE, SECRETS_PER_CLIENT, SERVICE, PoolApi
from keysteward.providers.aws.cognito.client import TokenClient
from keysteward.providers.aws.cognito.names import ClientName, vacant_note
from keysteward.providers.aws.cognito.scopes import drop_scope, put_scope
from keysteward.providers.aws.connection import CALL_TIMEOUT, Connection
from keysteward.providers.aws.target import AwsTarget
from keysteward.providers.kit.templates import template

SETTLED: Final = timedelta(seconds=10)
"""The token endpoint learns of a change a moment after the API; how long is not published."""

_POOL: Final = re.compile(r"([a-z]{2,4}(?:-[a-z]+)+-\d)_[0-9A-Za-z]+")
_ID: Final = re.compile(r"[\w+]{1,128}", re.ASCII)
_NAME: Final = re.compile(r"[\w+=,.@-]{1,128}", re.ASCII)


@dataclass(frozen=True)
class Cognito(AwsTarget):
    """One user pool, whose id names its region ("eu-central-1_Ab12Cd34E").

    `domain` is where the pool's token endpoint is: the prefix of an Amazon Cognito domain ("acme"), a domain of your
    own ("auth.example.com"), or a whole address. `admin` and `reader` are references as
    `keysteward.providers.aws.connection.AwsClient` takes them; without `admin` boto3 finds credentials by itself.
    """

    KIND: ClassVar = "keysteward.providers.aws:Cognito"

    name: str
    _: KW_ONLY
    user_pool: str
    domain: str
    admin: str | None = None
    reader: str | None = None
    environments: tuple[str, ...] | None = None
    endpoint_url: str | None = None
    reading: bool = field(default=False, repr=False)

    def __post_init__(self) -> None:
        if not _POOL.fullmatch(self.user_pool):
            text = f'{self.name}: user_pool is {self.user_pool!r}; write the pool\'s id, as "eu-central-1_Ab12Cd34E"'
            raise DeclarationError(text)
        if not self.domain or "@" in self.domain:
            text = f'{self.name}: domain is where the pool gives tokens, as "acme" or "auth.example.com"'
            raise DeclarationError(text)
        check_address(self.token_url, field=f"{self.name}: domain")
        super().__post_init__()

    @classmethod
    def introduction(cls) -> Introduction:
        """How it is shown in the documentation, and what a new repository has of it."""
        return Introduction(
            shown={"AWS Cognito": {"name": "machines", "user_pool": "eu-central-1_Ab12Cd34E", "domain": "acme"}},
            starter=Starter(
                declaration=template("keysteward.providers.aws", "cognito.py"),
                credentials=template("keysteward.providers.aws", "cognito.yaml"),
                classes=("Cognito",),
                called="machines",
                login="aws",
                extras=("aws",),
            ),
        )

    @property
    def capabilities(self) -> Capabilities:
        """What a user pool can do, known without a call."""
        return Capabilities(
            methods=("client_secret",),
            secrets=SECRETS_PER_CLIENT,
            chooses="caller",
            suspends=True,
            lacks=frozenset({"optional scopes", "description"}),
            tags_objects=True,
            assigns_client_id=True,
            scopes_global=True,
            qualified_scopes=True,
            propagation=SETTLED,
            call_timeout=CALL_TIMEOUT,
            page_size=CLIENTS_PER_PAGE,
            calls_per_object=2,
            environments=self.environments,
        )

    @property
    def token_url(self) -> str:
        """Where consumers get their tokens."""
        host = self.domain.rstrip("/")
        if "." not in host and ":" not in host:
            host = f"{host}.auth.{self._connection.region}.amazoncognito.com"
        return f"{host if '://' in host else f'https://{host}'}/oauth2/token"

    def observe(self, fingerprint: Fingerprint | None) -> Observation:
        """`ListUserPoolClients` and `ListResourceServers` by pages, two calls for each client."""
        del fingerprint  # lists of secrets show no values
        listing = self._api.clients()
        found = in_pool(self._observed, [str(entry["ClientId"]) for entry in listing.entries])
        return Observation(
            target=self.name,
            started_at=listing.started_at,
            clock=listing.clock,
            objects=tuple(item for item in found if item is not None),
            scopes=models.observed_scopes(self._api.servers()),
        )

    def look(self, ref: ObjectRef, fingerprint: Fingerprint | None) -> ObservedObject | None:
        """`DescribeUserPoolClient` and its secrets. Names are not looked for: they may repeat."""
        del fingerprint
        client_id = ref.remote_id or ref.client_id
        return self._observed(client_id) if _ID.fullmatch(client_id) else None

    def create(self, client_id: str, want: Settings, mark: Mark, material: Material | None) -> Created:
        """`CreateUserPoolClient` under this name, with a secret of ours; Cognito chooses the id.

        A client with the same mark is the one that an earlier attempt made. Names may repeat.
        """
        models.checked(want)
        for entry in self._api.clients().entries:
            if ClientName.read(entry.get("ClientName")).mark == mark:
                return self._created(str(entry["ClientId"]))
        if material is None or not _NAME.fullmatch(client_id):
            text = f"a Cognito client has a secret from the start and a name of letters, digits and +=,.@-: {client_id}"
            raise self._error(Rejected, "create", text)
        body = {
            **models.changed({}, want),
            "ClientName": str(ClientName(client_id, mark).checked()),
            "ClientSecret": material.value.get_secret_value(),
            "AllowedOAuthFlowsUserPoolClient": True,
        }
        sent = {name: value for name, value in body.items() if value is not None}
        return self._created(self._api.create_client(sent, client_id))

    def _created(self, assigned: str) -> Created:
        secrets = self._api.secrets(assigned)
        return Created(assigned, assigned, str(secrets[0]["ClientSecretId"]) if len(secrets) == 1 else None)

    def update(self, remote_id: str, want: Settings, mark: Mark | None) -> None:
        """`UpdateUserPoolClient` with all that was read and our own fields in it, and a read back."""
        models.checked(want)
        client = models.changed(self._need(remote_id, "update"), want)
        self._write(remote_id, client if mark is None else models.named(client, mark), "update")
        kept = models.settings(self._need(remote_id, "update"))
        if (kept.scopes, kept.token_lifetime, kept.grants) != (want.scopes, want.token_lifetime, want.grants):
            raise self._error(Rejected, "update", f"Cognito kept its own settings of client {remote_id}; run again")

    def mark(self, remote_id: str, mark: Mark) -> None:
        """Write the mark behind the client's name."""
        self._write(remote_id, models.named(self._need(remote_id, "mark"), mark), "mark")

    def release(self, remote_id: str) -> None:
        """Remove the mark behind the client's name."""
        self._write(remote_id, models.named(self._need(remote_id, "release"), None), "release")

    def issue(self, remote_id: str, order: Order) -> Issued:
        """`AddUserPoolClientSecret` with a value of ours, unless an earlier attempt did.

        Lists show no values: when one secret is there that was not known, a token request says whether it is ours.
        """
        if order.action is not Action.ADD or order.material is None:
            raise self._error(Rejected, "issue", f"Cognito adds values of ours and cannot {order.action.value}")
        ids, vacant = self._secrets(remote_id)
        if vacant is not None and ids:
            self._fill(remote_id, vacant)
        fresh = [secret_id for secret_id in ids if secret_id not in order.known]
        if fresh and proof.authenticates(_tokens(self), remote_id, order.material):
            if len(fresh) == 1:
                return Issued(fresh[0])
            text = (
                f"client {remote_id} has two secrets that were not there before; end the one that is not ours by hand"
            )
            raise self._error(Conflict, "issue", text)
        issued = Issued(self._api.add_secret(remote_id, order.material.value.get_secret_value()))
        if vacant is not None and not ids:
            self._fill(remote_id, vacant)
        return issued

    def retire(self, remote_id: str, secret: ObservedSecret) -> None:
        """`DeleteUserPoolClientSecret`; gone already is success.

        Cognito never deletes the last one: on a client of ours one that nobody has takes its place. Raises Rejected for
        the last secret of any other.
        """
        client = self._api.client(remote_id)
        ids = [str(found["ClientSecretId"]) for found in self._api.secrets(remote_id)] if client is not None else []
        if client is None or secret.id not in ids:
            return
        name = ClientName.read(client.get("ClientName"))
        if ids == [secret.id] and name.mark is not None:
            vacant = vacant_note(self._api.add_secret(remote_id, None))
            self._write(remote_id, {**client, "ClientName": str(replace(name, vacant=vacant))}, "retire")
        self._api.delete_secret(remote_id, secret.id)

    def _secrets(self, remote_id: str) -> tuple[list[str], str | None]:
        """Return the ids of a client's secrets, and the one that nobody has."""
        name = ClientName.read(self._need(remote_id, "issue").get("ClientName"))
        ids = [str(secret["ClientSecretId"]) for secret in self._api.secrets(remote_id)]
        vacant = next((secret_id for secret_id in ids if name.is_vacant(secret_id)), None)
        return [secret_id for secret_id in ids if secret_id != vacant], vacant

    def _fill(self, remote_id: str, vacant: str) -> None:
        """Delete the secret that nobody has, since another is there."""
        self._api.delete_secret(remote_id, vacant)
        client = self._need(remote_id, "issue")
        name = replace(ClientName.read(client.get("ClientName")), vacant=None)
        self._write(remote_id, {**client, "ClientName": str(name)}, "issue")

    def suspend(self, remote_id: str, keys: Sequence[str] = ()) -> None:  # noqa: ARG002 - a pool has clients only
        """Take the OAuth 2.0 features from the client; what it is set up for stays."""
        client = {**self._need(remote_id, "suspend"), "AllowedOAuthFlowsUserPoolClient": False}
        self._write(remote_id, client, "suspend")

    def resume(self, remote_id: str, keys: Sequence[str] = ()) -> None:  # noqa: ARG002 - a pool has clients only
        """Give the client its OAuth 2.0 features back."""
        client = {**self._need(remote_id, "resume"), "AllowedOAuthFlowsUserPoolClient": True}
        self._write(remote_id, client, "resume")

    def delete(self, remote_id: str) -> None:
        """`DeleteUserPoolClient`; gone already is success."""
        self._api.delete_client(remote_id)

    def verify(self, claim: Claim) -> Verification:
        """Get a real token and check it against the pool's keys. Raises Unavailable when Cognito does not answer."""
        return proof.verify(_tokens(self), claim)

    def put_scope(self, want: ScopeWant, remote_id: str | None) -> str:
        """Write one scope of the resource server that is its audience. Raises Conflict when it is another's."""
        return put_scope(self._api, want, remote_id)

    def drop_scope(self, remote_id: str) -> None:
        """Take one scope from its resource server; gone already is success."""
        drop_scope(self._api, remote_id)

    def diagnose(self) -> Iterable[Check]:
        """Say whether the pool answers, for whom, and with which rights: too few and too many."""
        pool = {"UserPoolId": self.user_pool}
        client, server = {**pool, "ClientId": "keystewarddoctor"}, {**pool, "Identifier": rights.NOBODY}
        reads = [
            rights.Probe(SERVICE, "ListUserPoolClients", {**pool, "MaxResults": 1}),
            rights.Probe(SERVICE, "ListResourceServers", {**pool, "MaxResults": 1}),
        ]
        writes = [
            rights.Probe(SERVICE, "UpdateUserPoolClient", client),
            rights.Probe(SERVICE, "DeleteUserPoolClient", client),
            rights.Probe(SERVICE, "AddUserPoolClientSecret", client),
            rights.Probe(SERVICE, "DeleteUserPoolClientSecret", {**client, "ClientSecretId": rights.NOBODY}),
            rights.Probe(SERVICE, "DeleteResourceServer", server),
        ]
        return rights.diagnose(self._client, f"user pool {self.user_pool}", reads, writes, reading=self.reading)

    @property
    def issuer(self) -> str:
        """Who signs the pool's tokens."""
        return f"{self.endpoint_url or f'https://{SERVICE}.{self._connection.region}.amazonaws.com'}/{self.user_pool}"

    @property
    def _connection(self) -> Connection:
        return Connection(self.name, self.user_pool.partition("_")[0], self.endpoint_url)

    @property
    def _api(self) -> PoolApi:
        return PoolApi(self._client, self.user_pool)

    def _observed(self, client_id: str) -> ObservedObject | None:
        client = self._api.client(client_id)
        if client is None:
            return None
        try:
            secrets = self._api.secrets(client_id) if models.has_secret(client) else ()
        except NotFound:
            return None
        return models.observed(client, secrets)

    def _need(self, remote_id: str, operation: str) -> Mapping[str, Any]:
        client = self._api.client(remote_id)
        if client is None:
            text = f"client {remote_id} is not in user pool {self.user_pool} any more; run again"
            raise self._error(NotFound, operation, text)
        return client

    def _write(self, remote_id: str, client: Mapping[str, Any], operation: str) -> None:
        self._api.update_client(remote_id, client, operation)


@once
def _tokens(target: Cognito) -> TokenClient:
    """Return the one way to a pool's tokens of all equal values in this process."""
    return TokenClient(target.name, token_url=target.token_url, issuer=target.issuer)
