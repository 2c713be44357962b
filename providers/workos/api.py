"""WorkOS's API: one method for each call that is made, in the vendor's words.

Verbs and fields are those of the vendor's OpenAPI description (npm package `@workos/openapi-spec`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import quote

from pydantic import BaseModel, SecretStr, ValidationError

from keysteward.core.errors import OutcomeUnknown, Unavailable
from keysteward.providers.http import Reply
from keysteward.providers.workos.client import Listing, WorkOSClient
from keysteward.providers.workos.models import ApiKey, Application, ClientSecret, Organization, Permission, User

_Model = TypeVar("_Model", bound=BaseModel)

NOWHERE = "keysteward_doctor"
"""An id that no object has: ids of WorkOS begin with the name of their kind."""


@dataclass(frozen=True, slots=True)
class Organizations:
    """All organizations, and the target's time at the start of the list and at its first reply."""

    found: tuple[Organization, ...]
    started_at: datetime
    clock: datetime | None


class Api:
    """The calls of one key of an environment."""

    def __init__(self, client: WorkOSClient) -> None:
        self.client = client
        self.error = client.error

    def organizations(self) -> Organizations:
        """`GET /organizations` by pages."""
        listing = self._list("/organizations", "list organizations")
        return Organizations(self._all(Organization, listing.entries), listing.started_at, listing.clock)

    def organization(self, organization_id: str) -> Organization | None:
        """`GET /organizations/{id}`; None when there is none."""
        reply = self._get(f"/organizations/{_part(organization_id)}", "read organization")
        return None if reply is None else self._read(Organization, reply.json())

    def users(self) -> tuple[User, ...]:
        """`GET /user_management/users` by pages."""
        return self._all(User, self._list("/user_management/users", "list users").entries)

    def keys(self, organization_id: str) -> tuple[ApiKey, ...] | None:
        """`GET /organizations/{id}/api_keys` by pages; None when the organization does not exist."""
        return self._keys(f"/organizations/{_part(organization_id)}/api_keys")

    def keys_of_user(self, user_id: str) -> tuple[ApiKey, ...] | None:
        """`GET /user_management/users/{id}/api_keys` by pages; None when the user does not exist."""
        return self._keys(f"/user_management/users/{_part(user_id)}/api_keys")

    def _keys(self, path: str) -> tuple[ApiKey, ...] | None:
        listing = self.client.listing(path, operation="list API keys", gone_is_fine=True)
        return None if listing is None else self._all(ApiKey, listing.entries)

    def post_key(self, organization_id: str, body: Mapping[str, Any]) -> tuple[str, SecretStr]:
        """`POST /organizations/{id}/api_keys`: id and value, which is shown this once. Not repeatable."""
        path = f"/organizations/{_part(organization_id)}/api_keys"
        reply = self.client.call("POST", path, operation="create API key", repeatable=False, json=body)
        return self._shown_once(reply, "value")

    def delete_key(self, key_id: str) -> bool:
        """`DELETE /api_keys/{id}`; gone already is success. Returns whether it was there."""
        return self._delete(f"/api_keys/{_part(key_id)}", "delete API key")

    def validate(self, value: SecretStr) -> ApiKey | None:
        """`POST /api_keys/validations`: whose a value is; None for an unknown or expired one. It counts as a use."""
        body = {"value": value.get_secret_value()}
        reply = self.client.call("POST", "/api_keys/validations", operation="prove API key", changes=False, json=body)
        found = reply.json().get("api_key")
        return None if found is None else self._read(ApiKey, found)

    def applications(self) -> tuple[Application, ...]:
        """`GET /connect/applications` by pages: without those that registered themselves, which have no secret."""
        return self._all(Application, self._list("/connect/applications", "list applications").entries)

    def application(self, name: str) -> Application | None:
        """`GET /connect/applications/{id}`, by id or client id; None when there is none."""
        reply = self._get(f"/connect/applications/{_part(name)}", "read application")
        return None if reply is None else self._read(Application, reply.json())

    def post_application(self, body: Mapping[str, Any]) -> Application:
        """`POST /connect/applications`; no secret comes with it. Not repeatable."""
        reply = self.client.call(
            "POST", "/connect/applications", operation="create application", repeatable=False, json=body
        )
        return self._read(Application, reply.json())

    def put_application(self, application_id: str, body: Mapping[str, Any]) -> Application:
        """`PUT /connect/applications/{id}`: fields that the body leaves out stay. Returns it as it is then."""
        path = f"/connect/applications/{_part(application_id)}"
        return self._read(Application, self.client.call("PUT", path, operation="write application", json=body).json())

    def delete_application(self, application_id: str) -> None:
        """`DELETE /connect/applications/{id}`, its secrets with it; gone already is success."""
        self._delete(f"/connect/applications/{_part(application_id)}", "delete application")

    def secrets(self, application_id: str) -> tuple[ClientSecret, ...] | None:
        """`GET /connect/applications/{id}/client_secrets`: a bare array; None when there is no such application."""
        reply = self._get(f"/connect/applications/{_part(application_id)}/client_secrets", "list client secrets")
        return None if reply is None else self._all(ClientSecret, reply.json())

    def post_secret(self, application_id: str) -> tuple[str, SecretStr]:
        """`POST /connect/applications/{id}/client_secrets`: id and value, shown this once. Not repeatable."""
        path = f"/connect/applications/{_part(application_id)}/client_secrets"
        reply = self.client.call("POST", path, operation="create client secret", repeatable=False, json={})
        return self._shown_once(reply, "secret")

    def delete_secret(self, secret_id: str) -> None:
        """`DELETE /connect/client_secrets/{id}`; gone already is success."""
        self._delete(f"/connect/client_secrets/{_part(secret_id)}", "delete client secret")

    def permissions(self) -> tuple[Permission, ...]:
        """`GET /authorization/permissions` by pages, WorkOS's own among them."""
        return self._all(Permission, self._list("/authorization/permissions", "list permissions").entries)

    def permission(self, slug: str) -> Permission | None:
        """`GET /authorization/permissions/{slug}`; None when there is none."""
        reply = self._get(f"/authorization/permissions/{_part(slug)}", "read permission")
        return None if reply is None else self._read(Permission, reply.json())

    def post_permission(self, body: Mapping[str, Any]) -> Permission:
        """`POST /authorization/permissions`. Raises Conflict when the slug is taken. Not repeatable."""
        reply = self.client.call(
            "POST", "/authorization/permissions", operation="create permission", repeatable=False, json=body
        )
        return self._read(Permission, reply.json())

    def patch_permission(self, slug: str, body: Mapping[str, Any]) -> None:
        """`PATCH /authorization/permissions/{slug}`: fields that the body leaves out stay."""
        self.client.call("PATCH", f"/authorization/permissions/{_part(slug)}", operation="write permission", json=body)

    def delete_permission(self, slug: str) -> None:
        """`DELETE /authorization/permissions/{slug}`; keys that have it lose it. Gone already is success."""
        self._delete(f"/authorization/permissions/{_part(slug)}", "delete permission")

    def may_write(self) -> None:
        """Delete a key that does not exist. Raises AccessDenied when the right is missing."""
        self.delete_key(NOWHERE)

    def _list(self, path: str, operation: str) -> Listing:
        listing = self.client.listing(path, operation=operation)
        if listing is None:
            raise AssertionError("a list without owner is always there")
        return listing

    def _get(self, path: str, operation: str) -> Reply | None:
        reply = self.client.call("GET", path, operation=operation, gone_is_fine=True)
        return reply if reply.status != HTTPStatus.NOT_FOUND else None

    def _delete(self, path: str, operation: str) -> bool:
        return self.client.call("DELETE", path, operation=operation, gone_is_fine=True).ok

    def _shown_once(self, reply: Reply, field: str) -> tuple[str, SecretStr]:
        document = reply.json()
        try:
            return str(document["id"]), SecretStr(document[field])
        except (KeyError, TypeError):
            pass
        raise self.error(OutcomeUnknown, reply.operation, f"WorkOS answered without `{field}`; the next run finds it")

    def _all(self, model: type[_Model], entries: Iterable[object]) -> tuple[_Model, ...]:
        return tuple(self._read(model, entry) for entry in entries)

    def _read(self, model: type[_Model], entry: object) -> _Model:
        """Read one representation; what cannot be read is not shown in the error."""
        try:
            return model.model_validate(entry)
        except ValidationError as problem:
            fields = sorted({str(error["loc"][0]) for error in problem.errors() if error["loc"]})
        text = f"WorkOS answered with {model.__name__} of another shape ({', '.join(fields)}); update keysteward"
        raise self.error(Unavailable, "read", text)


def _part(text: str) -> str:
    return quote(text, safe="")
