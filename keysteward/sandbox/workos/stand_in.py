"""The WorkOS stand-in itself: the way from a call to its answer, and objects that strangers made."""

from __future__ import annotations

import secrets
import uuid
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from werkzeug.exceptions import MethodNotAllowed, NotFound

from keysteward.sandbox.server import StandIn
from keysteward.sandbox.workos import api_keys, errors, tokens
from keysteward.sandbox.workos.calls import Call
from keysteward.sandbox.workos.records import (
    SYSTEM_PERMISSIONS,
    ApiKey,
    Application,
    Environment,
    Membership,
    Organization,
    Permission,
    User,
    new_id,
)
from keysteward.sandbox.workos.urls import URLS

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from werkzeug.wrappers import Request, Response

    from keysteward.sandbox.clock import Clock
    from keysteward.sandbox.workos.records import Collection, R


class WorkOSStandIn(StandIn):
    """One environment of WorkOS as far as a manager of API keys and machine clients sees it.

    ``api_key`` is the environment's own key; ``client_id`` the environment's client id, which tokens have as audience.
    The API and the AuthKit domain are one address. The `add_...` methods make what others made; they call nothing.
    """

    def __init__(
        self,
        *,
        api_key: str = "sk_sandbox",
        client_id: str = "client_sandbox",
        clock: Clock | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        super().__init__(clock=clock, host=host, port=port, ssl_context=ssl_context)
        self.api_key = api_key
        self.client_id = client_id
        self.environment = Environment()
        for slug, name in SYSTEM_PERMISSIONS.items():
            self.add_permission(slug, name=name, system=True)

    def add_organization(
        self,
        name: str,
        *,
        id: str | None = None,  # noqa: A002  (the vendor's word)
        external_id: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> str:
        """Make an organization and return its id; one that a written stack names is given its ``id``."""
        stamps = self._stamps("org") | ({"id": id} if id else {})
        made = Organization(**stamps, name=name, external_id=external_id, metadata=dict(metadata or {}))
        return self._keep(self.environment.organizations, made)

    def add_user(self, email: str, *, organizations: Iterable[str] = ()) -> str:
        """Make a user, an active member of these organizations, and return its id."""
        user = User(**self._stamps("user"), email=email)
        with self.lock:
            for organization_id in organizations:
                home = self._organization(organization_id)
                membership = Membership(**self._stamps("om"), user=user, organization=home)
                self.environment.memberships.put(membership, self.clock.now())
        return self._keep(self.environment.users, user)

    def add_permission(self, slug: str, *, name: str | None = None, system: bool = False) -> str:
        """Make a permission and return its id."""
        made = Permission(**self._stamps("perm"), slug=slug, name=name or slug, system=system)
        return self._keep(self.environment.permissions, made)

    def add_api_key(
        self,
        name: str,
        *,
        organization: str,
        user: str | None = None,
        permissions: Iterable[str] = (),
        expires_at: datetime | None = None,
    ) -> tuple[str, str]:
        """Make a key of an organization, or of a ``user`` in it; returns id and value."""
        made = ApiKey(
            **self._stamps("api_key"),
            value=api_keys.new_value(),
            name=name,
            organization_id=self._organization(organization).id,
            user_id=user,
            permissions=list(permissions),
            expires_at=expires_at,
        )
        return self._keep(self.environment.api_keys, made), made.value

    def add_application(
        self,
        name: str,
        *,
        kind: str = "oauth",
        organization: str | None = None,
        dynamic: bool = False,
        scopes: Iterable[str] = (),
    ) -> str:
        """Make an application and return its id: ``m2m`` with an organization, or ``oauth`` with or without."""
        if kind == "m2m" and organization is None:
            raise ValueError("an m2m application belongs to an organization: name one")
        made = Application(
            **self._stamps("conn_app"),
            client_id=new_id("client", self.clock.now()),
            kind=kind,
            name=name,
            organization_id=self._organization(organization).id if organization else None,
            dynamic=dynamic,
            scopes=list(scopes),
        )
        return self._keep(self.environment.applications, made)

    def _stamps(self, prefix: str) -> dict[str, Any]:
        now = self.clock.now()
        return {"id": new_id(prefix, now), "created_at": now, "updated_at": now}

    def _keep(self, collection: Collection[R], made: R) -> str:
        with self.lock:
            return collection.put(made, self.clock.now()).id

    def _organization(self, organization_id: str) -> Organization:
        found = self.environment.organizations.get(organization_id)
        if found is None:
            raise ValueError(f"no organization {organization_id}: add it first")
        return found

    def respond(self, request: Request) -> Response | None:
        """Answer one call with a request id, as the vendor does whatever the outcome."""
        response = super().respond(request)
        if response is not None:
            response.headers["X-Request-ID"] = str(uuid.uuid4())
        return response

    def fault_document(self) -> dict[str, str]:
        """Return the vendor's shape of an error."""
        return {"message": "fault on request"}

    def answer(self, request: Request) -> Response:
        """Answer one call of the vendor's own."""
        try:
            (kind, view), arguments = URLS.bind_to_environ(request.environ).match()
        except (NotFound, MethodNotAllowed):
            raise errors.message(HTTPStatus.NOT_FOUND, "Not Found") from None
        call = Call(self.environment, request, self.clock.now())
        response: Response
        if kind == "token":
            response = tokens.issue(call, self.client_id)
        elif kind == "public":
            response = view(request)
        else:
            self._authenticate(request)
            response = view(call, **arguments)
        return response

    def _authenticate(self, request: Request) -> None:
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not secrets.compare_digest(given.strip().encode(), self.api_key.encode()):
            raise errors.unauthorized()

    def state(self) -> dict[str, Any]:
        """Return all objects, live secrets included."""
        kept = self.environment
        return {
            "organizations": [item.representation() for item in kept.organizations],
            "users": [item.representation() for item in kept.users],
            "memberships": [item.representation() for item in kept.memberships],
            "permissions": [item.representation() for item in kept.permissions],
            "api_keys": [item.representation() | {"value": item.value} for item in kept.api_keys],
            "applications": [item.representation() for item in kept.applications],
            "client_secrets": [
                item.representation() | {"secret": item.value, "application_id": item.application_id}
                for item in kept.secrets
            ],
        }
