"""One Keycloak realm as a target: what the port asks for, in Keycloak's words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from datetime import timedelta
from functools import cached_property
from typing import Any, ClassVar, Final
from urllib.parse import quote

from keysteward.core.contract.address import check_address
from keysteward.core.contract.capabilities import BroadScopes, Capabilities
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
from keysteward.host.material import new_material
from keysteward.host.once import once
from keysteward.host.references import resolve
from keysteward.host.token_proof import rights_in
from keysteward.providers.keycloak import doctor, models, proof, rotation
from keysteward.providers.keycloak.admin import PAGE_SIZE, AdminApi
from keysteward.providers.keycloak.client import TOKEN_PATH, KeycloakClient
from keysteward.providers.keycloak.jwks import with_key, without_key
from keysteward.providers.keycloak.scopes import drop_scope, put_scope
from keysteward.providers.kit.adapter import Adapter
from keysteward.providers.kit.templates import template

LONGEST_TEXT: Final = 255
"""Columns CLIENT_ID and DESCRIPTION hold 255 characters; a longer one is answered with status 500."""

MOST_KEYS: Final = 16
"""Keycloak has no cap on keys in `jwks.string`; ours keeps the key set readable."""

PATIENCE: Final = timedelta(seconds=3)
"""A write works at once on one server; in a cluster the other nodes' caches learn of it a moment later."""


REALM_ROLES: Final = (
    "create-client",
    "create-realm",
    "impersonation",
    "manage-authorization",
    "manage-clients",
    "manage-identity-providers",
    "manage-realm",
    "manage-users",
)
"""Roles of client `realm-management` by which a client administers the realm (Server Administration Guide)."""


@dataclass(frozen=True)
class Keycloak(Adapter):
    """One realm. `admin` and `reader` are references to `client_id:secret` of service accounts with rights in it.

    The credential is of a client in the realm itself, or, as `master/client_id:secret`, of one in realm master.
    `secret_rotation=True` says that the server runs with `--features=client-secret-rotation`. `environments` are the
    environments the realm serves (None: any); `ca` is the path of a certificate bundle. `allow_http=True` takes an
    http:// address of another machine, for a mesh or a sidecar that encrypts on the way.
    """

    KIND: ClassVar = "keysteward.providers.keycloak:Keycloak"

    name: str
    _: KW_ONLY
    url: str
    realm: str
    admin: str
    reader: str | None = None
    secret_rotation: bool = False
    environments: tuple[str, ...] | None = None
    ca: str | None = None
    allow_http: bool = False
    reading: bool = field(default=False, repr=False)

    def __post_init__(self) -> None:
        subject, shape = f"Keycloak {self.name!r}: url", "the server's address, https://host[/path]"
        parts = check_address(self.url, field=subject, shape=shape, allow_http=self.allow_http)
        if parts.query or parts.fragment:
            raise DeclarationError(f"{subject} must be {shape}")
        if not self.realm:
            raise DeclarationError(f"Keycloak {self.name!r}: realm must be the realm's name")
        object.__setattr__(self, "url", self.url.rstrip("/"))
        super().__post_init__()

    @classmethod
    def introduction(cls) -> Introduction:
        """How it is shown in the documentation, and what a new repository has of it."""
        declared = {
            "name": "corp",
            "url": "https://id.example.com",
            "realm": "production",
            "admin": "env:KEYCLOAK_ADMIN",
        }
        return Introduction(
            shown={
                "Keycloak, stock": declared,
                "Keycloak, `secret_rotation=True`": {**declared, "secret_rotation": True},
            },
            starter=Starter(
                declaration=template(__package__, "keycloak.py"),
                credentials=template(__package__, "keycloak.yaml"),
                classes=("Keycloak",),
                called="corp",
                reader=("KEYCLOAK_READER",),
                runner=("KEYCLOAK_ADMIN",),
            ),
        )

    @cached_property
    def capabilities(self) -> Capabilities:
        """What a realm can do, known without a call."""
        return Capabilities(
            methods=("client_secret", "private_key_jwt"),
            secrets=2 if self.secret_rotation else 1,
            keys=MOST_KEYS,
            native_slot=self.secret_rotation,
            chooses="caller",
            readable=True,
            suspends=True,
            one_method_per_client=True,
            tags_objects=True,
            scopes_global=True,
            propagation=PATIENCE,
            call_timeout=CALL_TIMEOUT,
            longest_overlap=rotation.LONGEST_OVERLAP if self.secret_rotation else None,
            page_size=PAGE_SIZE,
            environments=self.environments,
            safeguards=models.SAFEGUARDS,
            broad_scopes=(BroadScopes(REALM_ROLES, "administration of the realm"),),
        )

    @property
    def token_url(self) -> str:
        """Where consumers get their tokens."""
        return f"{self.url}/realms/{quote(self.realm, safe='')}/{TOKEN_PATH}"

    @property
    def logs_in_as(self) -> frozenset[str]:
        """The client_ids of this realm that `admin` and `reader` name: these are nothing to manage by themselves."""
        found = set()
        for reference in (self.admin, self.reader):
            try:
                value = resolve(reference, purpose=self.name).get_secret_value() if reference is not None else ""
            except KeystewardError:
                continue
            if not value.startswith("master/") or self.realm == "master":
                found.add(value.removeprefix("master/").partition(":")[0])
        return frozenset(found - {""})

    def observe(self, fingerprint: Fingerprint | None) -> Observation:
        """`GET /clients` by pages and `GET /client-scopes`; nothing per client.

        Secrets are shown to every administrator that may list clients (26.7.5), and leave here as fingerprints.
        """
        listing = self._api.list_clients()
        scopes = self._api.scopes()
        holders = [client for client in listing.entries if client.takes_secret]
        return Observation(
            target=self.name,
            started_at=listing.started_at,
            clock=listing.clock,
            objects=tuple(client.observed(fingerprint) for client in listing.entries),
            scopes=tuple(scope.observed() for scope in scopes),
            secrets_shown=not holders or any(client.secret is not None for client in holders),
        )

    def look(self, ref: ObjectRef, fingerprint: Fingerprint | None) -> ObservedObject | None:
        """`GET /clients/{uuid}`, or `GET /clients?clientId=`."""
        found = self._api.client(ref.remote_id) if ref.remote_id else self._api.client_named(ref.client_id)
        return None if found is None else found.observed(fingerprint)

    def create(self, client_id: str, want: Settings, mark: Mark, material: Material | None) -> Created:
        """`POST /clients` with everything in one call. Raises Conflict when the clientId is another's."""
        self._check(client_id, want)
        want = replace(want, safeguards={**models.SAFEGUARDS, **want.safeguards})
        body = models.settings_body(want)
        attributes = {**body["attributes"], **models.mark_attributes(mark)}
        if material is not None and material.public_jwk is not None:
            attributes |= {models.USE_JWKS: "true", models.JWKS: with_key("", material.public_jwk) or ""}
        elif material is not None:
            body["secret"] = material.value.get_secret_value()
        body |= {
            "clientId": client_id,
            "protocol": "openid-connect",
            "enabled": True,
            "clientAuthenticatorType": models.AUTHENTICATORS[want.method],
            "defaultClientScopes": sorted(want.scopes),
            "optionalClientScopes": sorted(want.optional_scopes),
            "attributes": {name: value for name, value in attributes.items() if value},
        }
        remote_id = self._api.post_client(body)
        return Created(remote_id, client_id) if remote_id else self._made_before(client_id, mark)

    def _made_before(self, client_id: str, mark: Mark) -> Created:
        found = self._api.client_named(client_id)
        if found is not None and found.mark == mark:
            return Created(found.id, client_id)
        holder = f"belongs to {found.mark.identity}" if found and found.mark else "carries no mark of keysteward"
        if found is not None and found.mark is not None and found.mark.identity == mark.identity:
            holder = f"was made for {mark.identity} by another attempt"
        raise self._error(
            Conflict, "create", f"client {client_id!r} exists in realm {self.realm} and {holder}; adopt it or rename"
        )

    def update(self, remote_id: str, want: Settings, mark: Mark | None) -> None:
        """`PUT /clients/{uuid}` with our own fields only, scopes by their sub-resources, and a read back.

        `secret` is never sent: a PUT without it leaves both secrets as they are (26.7.5, with and without the rotation
        feature), except that the feature replaces a primary that has expired. The method stays as it is, for changing
        it ends the present secret: `issue` does that.
        """
        client = self._need(remote_id, "update")
        self._check(client.client_id, want)
        body = models.settings_body(want)
        body["attributes"] |= {} if mark is None else models.mark_attributes(mark)
        self._api.put_client(remote_id, body)
        self._assign(client, want)
        kept = _differences(self._need(remote_id, "update").settings(), want)
        if kept:
            raise self._error(
                Rejected, "update", f"Keycloak kept its own {', '.join(kept)} of client {client.client_id!r}"
            )

    def _assign(self, client: models.Client, want: Settings) -> None:
        """Move scopes: Keycloak ignores both lists in a PUT (26.7.5). Taken away first: a scope is in one list."""
        has = client.settings()
        if (has.scopes, has.optional_scopes) == (want.scopes, want.optional_scopes):
            return
        ids = {scope.name: scope.id for scope in self._api.scopes()}
        missing = sorted((want.scopes | want.optional_scopes) - ids.keys())
        if missing:
            raise self._error(NotFound, "update", f"realm {self.realm} has no scope {', '.join(missing)}; declare it")
        kinds = (("default", has.scopes, want.scopes), ("optional", has.optional_scopes, want.optional_scopes))
        for kind, old, new in kinds:
            for name in sorted((old - new) & ids.keys()):
                self._api.assign_scope(client.id, kind, ids[name], on=False)
        for kind, old, new in kinds:
            for name in sorted(new - old):
                self._api.assign_scope(client.id, kind, ids[name], on=True)

    def mark(self, remote_id: str, mark: Mark) -> None:
        """`PUT /clients/{uuid}` with the two attributes of the mark."""
        self._api.put_client(remote_id, {"attributes": models.mark_attributes(mark)}, "mark")

    def release(self, remote_id: str) -> None:
        """`PUT /clients/{uuid}` that empties, and so removes, the two attributes of the mark."""
        self._api.put_client(remote_id, {"attributes": {models.IDENTITY: "", models.NONCE: ""}}, "release")

    def rename(self, remote_id: str, client_id: str) -> None:
        """`PUT /clients/{uuid}` with `clientId`; 409 when another client has it."""
        self._api.put_client(remote_id, {"clientId": client_id}, "rename")

    def prepare(self, remote_id: str, overlap: timedelta) -> None:
        """Write the rotation policy, then select this client by attribute. See `rotation.prepare`."""
        if not self.secret_rotation:
            raise self._error(Rejected, "prepare", f"target {self.name!r} is declared without {rotation.FEATURE}")
        client = self._need(remote_id, "prepare")
        rotation.prepare(self._api, client, overlap)

    def issue(self, remote_id: str, order: Order) -> Issued:
        """SET: `secret` by PUT; ADD: one more key in `jwks.string`; SHIFT: `POST client-secret`. All but SHIFT repeat.

        SET and ADD also switch the method where it differs.
        """
        if order.action is Action.SHIFT and self.secret_rotation:
            self._api.regenerate(remote_id)
            return Issued(models.PRIMARY)
        if order.action is Action.SET and order.material is not None:
            return self._set(remote_id, order.material)
        if order.action is Action.ADD and order.material is not None and order.material.public_jwk is not None:
            return self._add(remote_id, order, order.material)
        raise self._error(Rejected, "issue", f"a Keycloak realm without {rotation.FEATURE} cannot {order.action.value}")

    def _set(self, remote_id: str, material: Material) -> Issued:
        client = self._need(remote_id, "issue")
        body: dict[str, Any] = {"secret": material.value.get_secret_value()}
        if not client.takes_secret:
            body["clientAuthenticatorType"] = models.AUTHENTICATORS["client_secret"]
        self._api.put_client(remote_id, body, "set secret")
        after = self._need(remote_id, "issue")
        if not after.takes_secret or (after.secret is not None and after.secret != material.value):
            raise self._error(
                Conflict, "issue", f"client {client.client_id!r} shows another secret than the one just set; run again"
            )
        return Issued(models.PRIMARY)

    def _add(self, remote_id: str, order: Order, material: Material) -> Issued:
        client = self._need(remote_id, "issue")
        in_force = client.method == "private_key_jwt"
        elsewhere = _keys_elsewhere(client) if in_force else None
        if elsewhere is not None and elsewhere not in order.instead:
            raise self._error(
                Conflict,
                "issue",
                f"client {client.client_id!r} takes its keys from {elsewhere}; move them to jwks.string first",
            )
        # Keys left from an earlier method, or behind another source, are not in force and must not come back unseen.
        beside = in_force and elsewhere is None
        text = self._with(client, order) if beside else with_key("", material.public_jwk or {})
        if text is not None:
            self._api.put_client(
                remote_id,
                {
                    "clientAuthenticatorType": models.AUTHENTICATORS["private_key_jwt"],
                    "attributes": {models.USE_JWKS: "true", models.USE_JWKS_URL: "", models.JWKS: text},
                },
                "add key",
            )
            after = self._need(remote_id, "issue")
            if self._with(after, order) is not None:
                raise self._error(
                    Conflict,
                    "issue",
                    f"client {client.client_id!r} lost the key just added to another writer; run again",
                )
        return Issued(material.kid)

    def _with(self, client: models.Client, order: Order) -> str | None:
        """Return the client's key set with the key of an order, None when nothing would change."""
        public = order.material.public_jwk if order.material is not None else None
        return self._edited(client, lambda text: with_key(text, public or {}, order.instead))

    def _without(self, client: models.Client, key_id: str) -> str | None:
        """Return the client's key set without one key, None when nothing would change."""
        return self._edited(client, lambda text: without_key(text, key_id))

    def _edited(self, client: models.Client, edit: Callable[[str], str | None]) -> str | None:
        try:
            return edit(client.text(models.JWKS))
        except ValueError as problem:
            reason = str(problem)
        raise self._error(Conflict, "keys", f"jwks.string of client {client.client_id!r}: {reason}; repair it by hand")

    def retire(self, remote_id: str, secret: ObservedSecret) -> None:
        """End one secret: a key leaves `jwks.string`, the rotated slot is emptied, a primary gets a value of nobody."""
        client = self._api.client(remote_id)
        if client is None:
            return
        if secret.slot == models.ROTATED_SLOT:
            self._api.delete_rotated(remote_id)
        elif secret.slot == models.PRIMARY:
            value = new_material("client_secret").value.get_secret_value()
            self._api.put_client(remote_id, {"secret": value}, "end secret")
        elif secret.id in models.ELSEWHERE:
            raise self._error(
                Rejected, "retire", f"{secret.id} of client {client.client_id!r} is ended by hand, in Keycloak"
            )
        else:
            text = self._without(client, secret.id)
            if text is not None:
                self._api.put_client(remote_id, {"attributes": {models.JWKS: text}}, "end key")
            after = self._api.client(remote_id)
            if after is not None and self._without(after, secret.id) is not None:
                raise self._error(
                    Conflict, "retire", f"client {client.client_id!r} still has key {secret.id}; run again"
                )

    def suspend(self, remote_id: str, keys: Sequence[str] = ()) -> None:  # noqa: ARG002 - a realm has clients only
        """`PUT /clients/{uuid}` with `enabled: false`."""
        self._api.put_client(remote_id, {"enabled": False}, "suspend")

    def resume(self, remote_id: str, keys: Sequence[str] = ()) -> None:  # noqa: ARG002 - a realm has clients only
        """`PUT /clients/{uuid}` with `enabled: true`."""
        self._api.put_client(remote_id, {"enabled": True}, "resume")

    def delete(self, remote_id: str) -> None:
        """`DELETE /clients/{uuid}`; gone already is success."""
        self._api.delete_client(remote_id)

    def verify(self, claim: Claim) -> Verification:
        """Get a real token and check it against the realm's keys. Raises Unavailable when Keycloak does not answer."""
        return proof.verify(_connect(self), claim)

    def rights(self, remote_id: str) -> frozenset[str]:
        """Say what a client's token has beyond its scopes: by one asked for with the secret that Keycloak shows.

        Where it shows none, by the example token that it makes for the client's service account.
        """
        found = self._api.client(remote_id)
        if found is None or not found.enabled or not found.service_accounts:
            return frozenset()
        if found.method == "client_secret" and found.secret is not None:
            material = Material("client_secret", found.secret, found.secret)
            proven = self.verify(Claim(found.client_id, material))
            if proven.rights is not None:
                return proven.rights
        claims = self._api.example_token(remote_id)
        return proof.beyond_default(rights_in(claims, found.client_id), self.realm)

    def put_scope(self, want: ScopeWant, remote_id: str | None) -> str:
        """Write one client scope with an audience mapper. Raises Conflict when the name is another's."""
        return put_scope(self._api, want, remote_id)

    def drop_scope(self, remote_id: str) -> None:
        """`DELETE /client-scopes/{id}`; gone already is success."""
        drop_scope(self._api, remote_id)

    def diagnose(self) -> Iterable[Check]:
        """Say whether the realm answers, with which clock, features and rights: too few and too many."""
        declared = doctor.Declared(self.name, self.url, self.realm, self.reading, self.secret_rotation)
        return doctor.diagnose(_connect(self), declared)

    @property
    def _api(self) -> AdminApi:
        return AdminApi(_connect(self))

    def _need(self, remote_id: str, operation: str) -> models.Client:
        client = self._api.client(remote_id)
        if client is None:
            raise self._error(
                NotFound, operation, f"client {remote_id} is not in realm {self.realm} any more; run again"
            )
        return client

    def _check(self, client_id: str, want: Settings) -> None:
        grants = {*models.FLOWS.values(), *models.FLOW_ATTRIBUTES.values()}
        if want.grants - grants:
            raise self._error(
                Rejected, "write", f"Keycloak has no switch for {', '.join(sorted(want.grants - grants))}"
            )
        if want.method not in models.AUTHENTICATORS:
            raise self._error(Rejected, "write", f"Keycloak has no authentication method {want.method!r}")
        if max(len(client_id), len(want.description or "")) > LONGEST_TEXT:
            text = f"client_id and purpose of {client_id[:40]!r} may have {LONGEST_TEXT} characters each; shorten them"
            raise self._error(Rejected, "write", text)


@once
def _connect(target: Keycloak) -> KeycloakClient:
    """Return the one client of all equal values in this process."""
    reference, purpose = target.in_use(target.admin)
    return KeycloakClient(
        target.name,
        url=target.url,
        realm=target.realm,
        reference=reference,
        purpose=purpose,
        ca=target.ca,
    )


def _keys_elsewhere(client: models.Client) -> str | None:
    """Return from where a client takes its keys when that is not `jwks.string`; None for one without any."""
    return next((secret.id for secret in client.observed(None).secrets if secret.id in models.ELSEWHERE), None)


def _differences(has: Settings, want: Settings) -> list[str]:
    fields = ("scopes", "optional_scopes", "token_lifetime", "grants", "description")
    kept = [name for name in fields if getattr(has, name) != getattr(want, name)]
    return kept + [name for name, value in want.safeguards.items() if has.safeguards.get(name, value) != value]
