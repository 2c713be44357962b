"""One WorkOS environment as a target: what the port asks for, in WorkOS's words.

Keys belong to organizations, which somebody else makes: they are holders. M2M applications are clients of ours.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import KW_ONLY, dataclass, field
from datetime import UTC, timedelta
from typing import Any, ClassVar, Final

from keysteward.core.contract.address import check_address
from keysteward.core.contract.capabilities import MANY, BroadScopes, Capabilities
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
from keysteward.core.errors import Conflict, DeclarationError, KeystewardError, NotFound, Rejected
from keysteward.host.http import CALL_TIMEOUT
from keysteward.host.material import material_of
from keysteward.host.once import once
from keysteward.providers.kit.adapter import Adapter
from keysteward.providers.kit.templates import template
from keysteward.providers.workos import doctor, inventory, models, permissions, proof
from keysteward.providers.workos.api import Api
from keysteward.providers.workos.client import PAGE_SIZE, WorkOSClient

URL: Final = "https://api.workos.com"

MOST_SECRETS: Final = 5
"""Client secrets of one application (WorkOS documentation, "M2M Applications")."""

PATIENCE: Final = timedelta(seconds=3)
"""WorkOS does not say how soon a write works everywhere; ours."""

LIST_LAG: Final = timedelta(seconds=5)
"""WorkOS does not say how soon a write shows in lists; ours."""

ORGANIZATIONS_ALONE: Final = (
    "is no organization (org_...), and only organizations get keys from here; keys of people are observed and governed"
)
"""WorkOS lets people have keys too, while they are active members: a person's standing secret is not ours to make."""


WIDGETS: Final = (BroadScopes(("widgets:*:manage",), "administration of an organization"),)


@dataclass(frozen=True)
class WorkOS(Adapter):
    """One environment. `admin` and `reader` are references to API keys of it (`sk_...`).

    `authkit_domain` is where its applications get tokens ("acme.authkit.app"), `client_id` the environment's client ID:
    the audience of every token. `organization` ("org_...") is whose the applications are that keysteward makes.
    `user_keys=True` observes keys of people too, at one call per user. `environments` are the environments it serves
    (None: any); `ca` is the path of a certificate bundle.
    """

    KIND: ClassVar = "keysteward.providers.workos:WorkOS"

    name: str
    _: KW_ONLY
    authkit_domain: str
    client_id: str
    admin: str
    reader: str | None = None
    organization: str | None = None
    user_keys: bool = False
    url: str = URL
    environments: tuple[str, ...] | None = None
    ca: str | None = None
    reading: bool = field(default=False, repr=False)

    def __post_init__(self) -> None:
        subject = f"WorkOS {self.name!r}"
        object.__setattr__(self, "url", _origin(self.url, f"{subject}: url", "the API's address, https://host"))
        domain = self.authkit_domain if "://" in self.authkit_domain else f"https://{self.authkit_domain}"
        shape = "the AuthKit domain, such as acme.authkit.app"
        object.__setattr__(self, "authkit_domain", _origin(domain, f"{subject}: authkit_domain", shape))
        if not self.client_id:
            raise DeclarationError(
                f"{subject}: client_id must be the environment's client ID, as the dashboard shows it"
            )
        if self.organization is not None and not inventory.is_holder(self.organization):
            raise DeclarationError(f"{subject}: organization must be the id of an organization, org_...")
        super().__post_init__()

    @classmethod
    def introduction(cls) -> Introduction:
        """How it is shown in the documentation, and what a new repository has of it."""
        return Introduction(
            shown={
                "WorkOS": {
                    "name": "customers",
                    "authkit_domain": "acme.authkit.app",
                    "client_id": "client_01",
                    "admin": "env:WORKOS_ADMIN",
                }
            },
            starter=Starter(
                declaration=template(__package__, "workos.py"),
                credentials=template(__package__, "workos.yaml"),
                classes=("WorkOS",),
                called="customers",
                reader=("WORKOS_READER",),
                runner=("WORKOS_ADMIN",),
            ),
        )

    @property
    def capabilities(self) -> Capabilities:
        """What applications can do, known without a call."""
        return Capabilities(
            methods=(models.METHOD,),
            secrets=MOST_SECRETS,
            lacks=frozenset({"optional scopes", "token lifetime"}),
            last_use="secret",
            tags_objects=True,
            assigns_client_id=True,
            audience=self.client_id,
            scopes_global=True,
            broad_scopes=WIDGETS,
            list_lag=LIST_LAG,
            propagation=PATIENCE,
            call_timeout=CALL_TIMEOUT,
            page_size=PAGE_SIZE,
            calls_per_object=1,
            environments=self.environments,
        )

    @property
    def key_capabilities(self) -> Capabilities | None:
        """What keys of organizations can do, known without a call."""
        return Capabilities(
            methods=("api_key",),
            secrets=MANY,
            named_keys=True,
            last_use="secret",
            tags_secrets=True,
            scopes_global=True,
            broad_scopes=WIDGETS,
            audience=self.client_id,
            immutable=("scopes", "expires"),
            list_lag=LIST_LAG,
            propagation=PATIENCE,
            call_timeout=CALL_TIMEOUT,
            page_size=PAGE_SIZE,
            calls_per_object=1,
            environments=self.environments,
            holders=(f"{inventory.ORGANIZATION_PREFIX}*",),
            other_holders=ORGANIZATIONS_ALONE,
        )

    @property
    def token_url(self) -> str:
        """Where consumers get their tokens."""
        return f"{self.authkit_domain}/oauth2/token"

    def observe(self, fingerprint: Fingerprint | None) -> Observation:  # noqa: ARG002 - WorkOS shows no value again
        """List by pages, then ask once for the keys of each organization and the secrets of each application.

        WorkOS lists neither across an environment. With `user_keys` one more call for each user.
        """
        return inventory.observe(self._api, self.name, self.client_id, user_keys=self.user_keys)

    def look(self, ref: ObjectRef, fingerprint: Fingerprint | None) -> ObservedObject | None:  # noqa: ARG002
        """Read an organization's keys, a user's keys in one organization, or an application with its secrets."""
        return inventory.look(self._api, ref.remote_id or ref.client_id)

    def create(self, client_id: str, want: Settings, mark: Mark, material: Material | None) -> Created:  # noqa: ARG002
        """`POST /connect/applications` under this name; WorkOS assigns the client_id and shows no secret yet.

        Names are not unique, so all applications are listed first for one with the very same mark.
        """
        if self.organization is None:
            text = f'an M2M application belongs to an organization; write organization="org_..." on target {self.name}'
            raise self._error(Rejected, "create", text)
        self._check(want)
        api = self._api
        made = next((found for found in api.applications() if found.mark == mark), None)
        if made is None:
            body = {
                "name": client_id,
                "application_type": models.M2M,
                "organization_id": self.organization,
                "description": models.with_mark(want.description, mark),
                "scopes": sorted(want.scopes),
            }
            made = self._post(api, body)
        return Created(made.id, made.client_id)

    def _post(self, api: Api, body: dict[str, Any]) -> models.Application:
        try:
            return api.post_application(body)
        except NotFound:
            pass
        text = f"organization {self.organization} does not exist in this environment; correct `organization`"
        raise self._error(NotFound, "create", text)

    def update(self, remote_id: str, want: Settings, mark: Mark | None) -> None:
        """`PUT /connect/applications/{id}` with description and scopes alone; its reply is the read back."""
        self._check(want)
        found = self._need(remote_id, "update")
        if found.kind != models.M2M:
            text = f"application {found.client_id} logs people in; declare a ClientSecret for its secret alone"
            raise self._error(Rejected, "update", text)
        description = models.with_mark(want.description, mark or found.mark)
        after = self._api.put_application(remote_id, {"description": description, "scopes": sorted(want.scopes)})
        kept = [name for name in ("scopes", "description") if getattr(after.settings, name) != getattr(want, name)]
        if kept:
            text = f"WorkOS kept its own {', '.join(kept)} of application {found.client_id}"
            raise self._error(Rejected, "update", text)

    def mark(self, remote_id: str, mark: Mark) -> None:
        """`PUT /connect/applications/{id}`: the description as it is, with the mark at its end."""
        found = self._need(remote_id, "mark")
        self._api.put_application(remote_id, {"description": models.with_mark(found.description, mark)})

    def release(self, remote_id: str) -> None:
        """`PUT /connect/applications/{id}`: the description without the mark."""
        found = self._need(remote_id, "release")
        if found.mark is not None:
            self._api.put_application(remote_id, {"description": models.without_mark(found.description)})

    def issue(self, remote_id: str, order: Order) -> Issued:
        """MINT: one more key of an organization, or one more client secret of an application. Never repeated."""
        if order.action is not Action.MINT:
            raise self._error(Rejected, "issue", f"WorkOS makes values itself and cannot {order.action.value} one")
        if inventory.is_person(remote_id):
            raise self._error(Rejected, "issue", f"{remote_id} {ORGANIZATIONS_ALONE}")
        if not inventory.is_holder(remote_id):
            return self._issue_secret(remote_id)
        body: dict[str, Any] = {"name": order.name or "keysteward", "permissions": sorted(order.scopes)}
        if order.expires is not None:
            body["expires_at"] = order.expires.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
        problem: KeystewardError
        try:
            key_id, value = self._api.post_key(remote_id, body)
        except Rejected as refused:
            problem = refused
        else:
            return Issued(key_id, material_of("api_key", value.get_secret_value()))
        unknown = sorted(order.scopes - {permission.slug for permission in self._api.permissions()})
        if unknown:
            text = f"this environment has no permission {', '.join(unknown)}; declare it in a ResourceServer"
            raise self._error(Rejected, "issue", text)
        raise problem

    def _issue_secret(self, application_id: str) -> Issued:
        problem: KeystewardError
        try:
            secret_id, value = self._api.post_secret(application_id)
        except (Rejected, Conflict) as refused:
            problem = refused
        else:
            return Issued(secret_id, material_of(models.METHOD, value.get_secret_value()))
        if len(self._api.secrets(application_id) or ()) >= MOST_SECRETS:
            text = f"application {application_id} has all its {MOST_SECRETS} client secrets; end one of them first"
            raise self._error(Rejected, "issue", text)
        raise problem

    def retire(self, remote_id: str, secret: ObservedSecret) -> None:
        """`DELETE /api_keys/{id}` or `DELETE /connect/client_secrets/{id}`, by the kind of id; gone already is success.

        Whose it is does not matter: a key of a person, or of an organization that is not shown any more, ends as well.
        """
        if secret.id.startswith(inventory.KEY_PREFIX):
            self._api.delete_key(secret.id)
        elif secret.id.startswith(inventory.SECRET_PREFIX):
            self._api.delete_secret(secret.id)
        else:
            text = f"{secret.id!r} of {remote_id} is neither an API key (api_key_...) nor a client secret (secret_...)"
            raise self._error(Rejected, "retire", f"{text}; end it in the WorkOS dashboard")

    def delete(self, remote_id: str) -> None:
        """`DELETE /connect/applications/{id}`; gone already is success. A holder of keys is never deleted."""
        if inventory.is_holder(remote_id) or inventory.is_person(remote_id):
            raise self._error(Rejected, "delete", f"{remote_id} holds keys, and is nobody's to delete here")
        self._api.delete_application(remote_id)

    def verify(self, claim: Claim) -> Verification:
        """Ask WorkOS whose a key is, or get a real token with a client secret. Either counts as a use."""
        if claim.material.method == "api_key":
            return proof.verify_key(self._api, claim)
        return proof.verify_secret(_connect(self), claim)

    def put_scope(self, want: ScopeWant, remote_id: str | None) -> str:
        """Write one permission. Raises Conflict when its slug is another's or WorkOS's own."""
        return permissions.put(self._api, want, remote_id, self.client_id)

    def drop_scope(self, remote_id: str) -> None:
        """Delete the permission with this id; gone already is success."""
        permissions.drop(self._api, remote_id)

    def diagnose(self) -> Iterable[Check]:
        """Say whether the API and the AuthKit domain answer, with which clock and rights."""
        declared = doctor.Declared(
            self.name, self.authkit_domain, self.organization, self.reading, self.reader, self.user_keys
        )
        return doctor.diagnose(self._api, declared)

    @property
    def _api(self) -> Api:
        return Api(_connect(self))

    def _need(self, remote_id: str, operation: str) -> models.Application:
        found = self._api.application(remote_id)
        if found is None:
            raise self._error(NotFound, operation, f"application {remote_id} does not exist any more; run again")
        return found

    def _check(self, want: Settings) -> None:
        if want.method != models.METHOD:
            raise self._error(Rejected, "write", f"WorkOS has no authentication method {want.method!r}")
        if want.grants != models.GRANTS[models.M2M]:
            text = f"an M2M application has the grant client_credentials alone, not {', '.join(sorted(want.grants))}"
            raise self._error(Rejected, "write", text)
        if want.optional_scopes or want.token_lifetime is not None:
            raise self._error(Rejected, "write", "WorkOS has neither scopes on request nor a lifetime of tokens to set")


def _origin(text: str, subject: str, shape: str) -> str:
    """Return scheme and host of an address. Raises DeclarationError when it is anything else."""
    alone = f"{shape}, without a path"
    parts = check_address(text, field=subject, shape=alone)
    if parts.query or parts.fragment or parts.path.strip("/"):
        raise DeclarationError(f"{subject} must be {alone}")
    return f"{parts.scheme}://{parts.netloc}"


@once
def _connect(target: WorkOS) -> WorkOSClient:
    """Return the one client of all equal values in this process."""
    reference, purpose = target.in_use(target.admin)
    return WorkOSClient(
        target.name,
        url=target.url,
        authkit=target.authkit_domain,
        reference=reference,
        purpose=purpose,
        ca=target.ca,
    )
