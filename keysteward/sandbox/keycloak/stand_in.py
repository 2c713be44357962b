"""The Keycloak stand-in itself: realms, administrators, and the way from a call to its answer."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from werkzeug.exceptions import MethodNotAllowed, NotFound

from keysteward.sandbox.keycloak import builtin, errors, tokens
from keysteward.sandbox.keycloak.admin import Server, authenticate
from keysteward.sandbox.keycloak.models import Client, Realm, ServiceAccount
from keysteward.sandbox.keycloak.urls import URLS
from keysteward.sandbox.server import StandIn

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable

    from werkzeug.wrappers import Request, Response

    from keysteward.sandbox.clock import Clock


class KeycloakStandIn(StandIn):
    """A Keycloak 26.7.5 as far as a manager of machine clients sees it.

    ``realms`` exist from the start, beside ``master``, where the administrator ``admin_client_id`` has every right in
    every realm. ``secret_rotation`` stands for ``--features=client-secret-rotation``.
    """

    def __init__(
        self,
        realms: Iterable[str] = ("demo",),
        *,
        secret_rotation: bool = False,
        admin_client_id: str = "sandbox-admin",
        admin_client_secret: str = "sandbox-admin-secret",
        clock: Clock | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        super().__init__(clock=clock, host=host, port=port, ssl_context=ssl_context)
        self.realms = {name: Realm(name) for name in ("master", *realms)}
        self.secret_rotation = secret_rotation
        self.used_assertions: dict[str, int] = {}
        self.add_admin("master", admin_client_id, admin_client_secret, roles={"realm-admin"})

    def add_admin(self, realm: str, client_id: str, secret: str, *, roles: Iterable[str]) -> None:
        """Make a client whose service account has these roles of ``realm-management``.

        ``{"view-clients"}`` makes one that can read, secrets included; ``{"manage-clients"}`` one that can write.
        """
        wanted = set(roles)
        unknown = wanted - builtin.ADMIN_ROLES - {"realm-admin"}
        if unknown:
            raise ValueError(f"no such role of realm-management: {', '.join(sorted(unknown))}")
        with self.lock:
            home = self.realms[realm]
            client = Client(client_id, secret=secret, attributes={"realm_client": "false"})
            client.settings |= {"serviceAccountsEnabled": True, "standardFlowEnabled": False}
            created_ms = int(self.clock.now().timestamp() * 1000)
            client.service_account = ServiceAccount(f"service-account-{client_id}".lower(), created_ms, roles=wanted)
            client.default_scopes = home.oidc_default_scopes()
            client.optional_scopes = list(home.optional_scopes)
            home.clients[client.id] = client

    def answer(self, request: Request) -> Response:
        """Answer one call of Keycloak's own."""
        try:
            (kind, view), matched = URLS.bind_to_environ(request.environ).match()
        except NotFound:
            below_realm = request.path.startswith("/admin/realms/")
            text = "HTTP 404 Not Found" if below_realm else "Unable to find matching target resource method"
            raise errors.plain(HTTPStatus.NOT_FOUND, text) from None
        except MethodNotAllowed:
            raise errors.plain(HTTPStatus.METHOD_NOT_ALLOWED, "HTTP 405 Method Not Allowed") from None
        arguments = dict(matched)
        name: str | None = arguments.pop("realm_name", None)
        response: Response
        if kind == "admin":
            server = Server(self.realms, self.clock, self.secret_rotation)
            response = view(authenticate(server, request, name), **arguments)
            return response
        realm = self.realms.get(name or "")
        if realm is None:
            raise errors.plain(HTTPStatus.NOT_FOUND, "Realm does not exist")
        if kind == "token":
            rotates, used = self.secret_rotation, self.used_assertions
            return tokens.issue(tokens.TokenCall(request, realm, self.clock, rotates, used))
        response = view(request, realm)
        return response

    def state(self) -> dict[str, Any]:
        """Return every realm with its clients, scopes and policies, live secrets included."""
        return {"realms": {name: _realm_state(realm) for name, realm in self.realms.items()}}


def _realm_state(realm: Realm) -> dict[str, Any]:
    return {
        "clients": [client.representation() for client in realm.clients.values()],
        "scopes": [scope.representation() for scope in realm.scopes.values()],
        "profiles": realm.profiles,
        "policies": realm.policies,
        "events": realm.events,
        "settings": realm.settings,
    }
