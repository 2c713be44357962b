"""Keycloak's admin REST API: one method for each call that is made, in the vendor's words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final
from urllib.parse import quote

from keysteward.core.errors import AccessDenied, OutcomeUnknown
from keysteward.host.http import Reply
from keysteward.providers.keycloak.client import GONE, KeycloakClient
from keysteward.providers.keycloak.models import Account, Client, PolicyDocument, Scope, ServerInfo
from keysteward.providers.kit.pages import Listing, by_offset

PAGE_SIZE: Final = 250
"""Keycloak has no cap on `max`; 100 clients are about 150 kB and 20 ms, so that no reply nears a proxy's time-out."""

CONFLICT: Final = 409


class AdminApi:
    """The calls of one administrator to one realm."""

    def __init__(self, client: KeycloakClient) -> None:
        self._client = client
        self.error = client.error

    def list_clients(self) -> Listing[Client]:
        """`GET /clients` by pages. Raises AccessDenied when the list is not the whole one."""
        found = by_offset(
            self._client.target,
            "list clients",
            lambda query: self._client.call("GET", "/clients", operation="list clients", params=query),
            lambda reply: reply.read(list[Client]),
            key=lambda client: client.id,
            first="first",
            size=("max", PAGE_SIZE),
            now=self._client.now,
        )
        self._check_whole(found.entries)
        return found

    def _check_whole(self, clients: Iterable[Client]) -> None:
        """Refuse a list cut by rights: `query-clients` alone gets an empty one with status 200."""
        if not {"realm-management", f"{self._client.realm}-realm"} & {client.client_id for client in clients}:
            seen = f"{self._client.who} sees only some clients of realm {self._client.realm}"
            raise self.error(AccessDenied, "list clients", f"{seen}: {self._client.grant('view-clients')}")

    def example_token(self, remote_id: str) -> dict[str, Any]:
        """`GET /clients/{uuid}/evaluate-scopes/generate-example-access-token`: what its service account would get."""
        where, operation = f"/clients/{quote(remote_id, safe='')}", "see what a client may do"
        account = self._client.call("GET", f"{where}/service-account-user", operation=operation).read(Account)
        path = f"{where}/evaluate-scopes/generate-example-access-token"
        return self._client.call("GET", path, operation=operation, params={"userId": account.id}).read(dict[str, Any])

    def client(self, remote_id: str) -> Client | None:
        """`GET /clients/{uuid}`; None when there is none."""
        reply = self._client.call(
            "GET", f"/clients/{quote(remote_id, safe='')}", operation="read client", accept={GONE}
        )
        return None if reply.gone else reply.read(Client)

    def client_named(self, client_id: str) -> Client | None:
        """`GET /clients?clientId=`, which is exact; None when there is none."""
        reply = self._client.call("GET", "/clients", operation="read client", params={"clientId": client_id})
        return next((client for client in reply.read(list[Client]) if client.client_id == client_id), None)

    def post_client(self, body: Mapping[str, Any]) -> str | None:
        """`POST /clients`: the uuid from Location, None when the clientId is taken. Not repeatable."""
        reply = self._client.call(
            "POST", "/clients", operation="create client", repeatable=False, json=body, accept={CONFLICT}
        )
        return None if reply.status == CONFLICT else _created(reply)

    def put_client(self, remote_id: str, body: Mapping[str, Any], operation: str = "write client") -> None:
        """`PUT /clients/{uuid}`: fields and attributes that the body leaves out stay as they are (26.7.5).

        `attributes` are always there, if empty: where a policy selects the client, executor `secret-rotation` answers a
        body without them with status 500 (26.7.5).
        """
        path = f"/clients/{quote(remote_id, safe='')}"
        self._client.call("PUT", path, operation=operation, json={"attributes": {}, **body})

    def delete_client(self, remote_id: str) -> None:
        """`DELETE /clients/{uuid}`; gone already is success."""
        self._client.call("DELETE", f"/clients/{quote(remote_id, safe='')}", operation="delete client", accept={GONE})

    def regenerate(self, remote_id: str) -> None:
        """`POST /clients/{uuid}/client-secret`; the new value is not read. Not repeatable."""
        path = f"/clients/{quote(remote_id, safe='')}/client-secret"
        self._client.call("POST", path, operation="regenerate secret", repeatable=False)

    def delete_rotated(self, remote_id: str) -> None:
        """`DELETE /clients/{uuid}/client-secret/rotated`: 204 even when there is none."""
        path = f"/clients/{quote(remote_id, safe='')}/client-secret/rotated"
        self._client.call("DELETE", path, operation="delete rotated secret", accept={GONE})

    def assign_scope(self, remote_id: str, kind: str, scope_id: str, *, on: bool) -> None:
        """`PUT` or `DELETE /clients/{uuid}/{default,optional}-client-scopes/{scope}`."""
        path = f"/clients/{quote(remote_id, safe='')}/{kind}-client-scopes/{quote(scope_id, safe='')}"
        self._client.call("PUT" if on else "DELETE", path, operation="assign client scope")

    def scopes(self) -> tuple[Scope, ...]:
        """`GET /client-scopes`: all at once, the endpoint has no pages; those of OpenID Connect."""
        reply = self._client.call("GET", "/client-scopes", operation="list client scopes")
        return tuple(scope for scope in reply.read(list[Scope]) if scope.protocol == "openid-connect")

    def scope(self, remote_id: str) -> Scope | None:
        """`GET /client-scopes/{id}`; None when there is none."""
        path = f"/client-scopes/{quote(remote_id, safe='')}"
        reply = self._client.call("GET", path, operation="list client scopes", accept={GONE})
        return None if reply.gone else reply.read(Scope)

    def post_scope(self, body: Mapping[str, Any]) -> str | None:
        """`POST /client-scopes`: the id from Location, None when the name is taken. Not repeatable."""
        reply = self._client.call(
            "POST", "/client-scopes", operation="create client scope", repeatable=False, json=body, accept={CONFLICT}
        )
        return None if reply.status == CONFLICT else _created(reply)

    def put_scope(self, remote_id: str, body: Mapping[str, Any]) -> None:
        """`PUT /client-scopes/{id}`: needs name and protocol; attributes left out stay; mappers are not touched."""
        self._client.call(
            "PUT", f"/client-scopes/{quote(remote_id, safe='')}", operation="write client scope", json=body
        )

    def put_mapper(self, scope_id: str, mapper_id: str, body: Mapping[str, Any]) -> None:
        """`POST` (no id yet) or `PUT /client-scopes/{id}/protocol-mappers/models[/{mapper}]`."""
        path = f"/client-scopes/{quote(scope_id, safe='')}/protocol-mappers/models"
        if mapper_id:
            self._client.call("PUT", f"{path}/{quote(mapper_id, safe='')}", operation="write client scope", json=body)
        else:
            self._client.call(
                "POST", path, operation="write client scope", json=body, repeatable=False, accept={CONFLICT}
            )

    def delete_scope(self, remote_id: str) -> None:
        """`DELETE /client-scopes/{id}`; it leaves every client that has it. Gone already is success."""
        path = f"/client-scopes/{quote(remote_id, safe='')}"
        self._client.call("DELETE", path, operation="delete client scope", accept={GONE})

    def policy_document(self, name: str) -> dict[str, Any]:
        """`GET /client-policies/{profiles,policies}`: the whole document, whose entries are objects."""
        reply = self._client.call("GET", f"/client-policies/{name}", operation="read client policies")
        reply.read(PolicyDocument)
        return reply.read(dict[str, Any])

    def put_policy_document(self, name: str, document: Mapping[str, Any]) -> None:
        """`PUT /client-policies/{profiles,policies}`: replaces the whole document."""
        self._client.call("PUT", f"/client-policies/{name}", operation="write client policies", json=document)

    def server_info(self) -> ServerInfo:
        """`GET /admin/serverinfo`: features for every administrator, `systemInfo` only with `manage-realm`."""
        reply = self._client.call("GET", "/serverinfo", operation="read server info", base=self._client.server)
        return reply.read(ServerInfo)


def _created(reply: Reply) -> str:
    """Return the id of what was made. Raises OutcomeUnknown when the answer names none: the next run finds it."""
    made = reply.headers.get("location", "").rstrip("/").rpartition("/")[2]
    if not made:
        raise OutcomeUnknown(
            f"{reply.operation}: the answer does not say what was made; the next run finds it",
            target=reply.target,
            operation=reply.operation,
        )
    return made
