"""WorkOS's API: one method for each call that is made, in the vendor's words.

Verbs and fields are those of the vendor's OpenAPI description (npm package `@workos/openapi-spec`).
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final, TypeVar
from urllib.parse import quote

from pydantic import BaseModel, SecretStr

from keysteward.host.http import Reply
from keysteward.providers.kit.pages import Listing
from keysteward.providers.workos.client import Page, WorkOSClient
from keysteward.providers.workos.models import (
    ApiKey,
    Application,
    ClientSecret,
    NewKey,
    NewSecret,
    Organization,
    Permission,
    User,
    Validation,
)

_Model = TypeVar("_Model", bound=BaseModel)

GONE: Final = frozenset({HTTPStatus.NOT_FOUND})

NOWHERE: Final = "keysteward_doctor"
"""An id that no object has: ids of WorkOS begin with the name of their kind."""


class Api:
    """The calls of one key of an environment."""

    def __init__(self, client: WorkOSClient) -> None:
        self.client = client
        self.error = client.error

    def organizations(self) -> Listing[Organization]:
        """`GET /organizations` by pages."""
        return self._list(Page[Organization], "/organizations", "list organizations")

    def organization(self, organization_id: str) -> Organization | None:
        """`GET /organizations/{id}`; None when there is none."""
        reply = self._get(f"/organizations/{_part(organization_id)}", "read organization")
        return None if reply is None else reply.read(Organization)

    def users(self) -> tuple[User, ...]:
        """`GET /user_management/users` by pages."""
        return self._list(Page[User], "/user_management/users", "list users").entries

    def keys(self, organization_id: str) -> tuple[ApiKey, ...] | None:
        """`GET /organizations/{id}/api_keys` by pages; None when the organization does not exist."""
        return self._keys(f"/organizations/{_part(organization_id)}/api_keys")

    def keys_of_user(self, user_id: str) -> tuple[ApiKey, ...] | None:
        """`GET /user_management/users/{id}/api_keys` by pages; None when the user does not exist."""
        return self._keys(f"/user_management/users/{_part(user_id)}/api_keys")

    def _keys(self, path: str) -> tuple[ApiKey, ...] | None:
        listing = self.client.pages(Page[ApiKey], path, operation="list API keys", gone_is_fine=True)
        return None if listing is None else listing.entries

    def post_key(self, organization_id: str, body: Mapping[str, Any]) -> tuple[str, SecretStr]:
        """`POST /organizations/{id}/api_keys`: id and value, which is shown this once. Not repeatable."""
        path = f"/organizations/{_part(organization_id)}/api_keys"
        reply = self.client.call("POST", path, operation="create API key", repeatable=False, json=body)
        made = reply.read(NewKey)
        return made.id, made.value

    def delete_key(self, key_id: str) -> bool:
        """`DELETE /api_keys/{id}`; gone already is success. Returns whether it was there."""
        return self._delete(f"/api_keys/{_part(key_id)}", "delete API key")

    def validate(self, value: SecretStr) -> ApiKey | None:
        """`POST /api_keys/validations`: whose a value is; None for an unknown or expired one. It counts as a use."""
        body = {"value": value.get_secret_value()}
        reply = self.client.call("POST", "/api_keys/validations", operation="prove API key", changes=False, json=body)
        return reply.read(Validation).api_key

    def applications(self) -> tuple[Application, ...]:
        """`GET /connect/applications` by pages: without those that registered themselves, which have no secret."""
        return self._list(Page[Application], "/connect/applications", "list applications").entries

    def application(self, name: str) -> Application | None:
        """`GET /connect/applications/{id}`, by id or client id; None when there is none."""
        reply = self._get(f"/connect/applications/{_part(name)}", "read application")
        return None if reply is None else reply.read(Application)

    def post_application(self, body: Mapping[str, Any]) -> Application:
        """`POST /connect/applications`; no secret comes with it. Not repeatable."""
        reply = self.client.call(
            "POST", "/connect/applications", operation="create application", repeatable=False, json=body
        )
        return reply.read(Application)

    def put_application(self, application_id: str, body: Mapping[str, Any]) -> Application:
        """`PUT /connect/applications/{id}`: fields that the body leaves out stay. Returns it as it is then."""
        path = f"/connect/applications/{_part(application_id)}"
        return self.client.call("PUT", path, operation="write application", json=body).read(Application)

    def delete_application(self, application_id: str) -> None:
        """`DELETE /connect/applications/{id}`, its secrets with it; gone already is success."""
        self._delete(f"/connect/applications/{_part(application_id)}", "delete application")

    def secrets(self, application_id: str) -> tuple[ClientSecret, ...] | None:
        """`GET /connect/applications/{id}/client_secrets`: a bare array; None when there is no such application."""
        reply = self._get(f"/connect/applications/{_part(application_id)}/client_secrets", "list client secrets")
        return None if reply is None else tuple(reply.read(list[ClientSecret]))

    def post_secret(self, application_id: str) -> tuple[str, SecretStr]:
        """`POST /connect/applications/{id}/client_secrets`: id and value, shown this once. Not repeatable."""
        path = f"/connect/applications/{_part(application_id)}/client_secrets"
        reply = self.client.call("POST", path, operation="create client secret", repeatable=False, json={})
        made = reply.read(NewSecret)
        return made.id, made.secret

    def delete_secret(self, secret_id: str) -> None:
        """`DELETE /connect/client_secrets/{id}`; gone already is success."""
        self._delete(f"/connect/client_secrets/{_part(secret_id)}", "delete client secret")

    def permissions(self) -> tuple[Permission, ...]:
        """`GET /authorization/permissions` by pages, WorkOS's own among them."""
        return self._list(Page[Permission], "/authorization/permissions", "list permissions").entries

    def permission(self, slug: str) -> Permission | None:
        """`GET /authorization/permissions/{slug}`; None when there is none."""
        reply = self._get(f"/authorization/permissions/{_part(slug)}", "read permission")
        return None if reply is None else reply.read(Permission)

    def post_permission(self, body: Mapping[str, Any]) -> Permission:
        """`POST /authorization/permissions`. Raises Conflict when the slug is taken. Not repeatable."""
        reply = self.client.call(
            "POST", "/authorization/permissions", operation="create permission", repeatable=False, json=body
        )
        return reply.read(Permission)

    def patch_permission(self, slug: str, body: Mapping[str, Any]) -> None:
        """`PATCH /authorization/permissions/{slug}`: fields that the body leaves out stay."""
        self.client.call("PATCH", f"/authorization/permissions/{_part(slug)}", operation="write permission", json=body)

    def delete_permission(self, slug: str) -> None:
        """`DELETE /authorization/permissions/{slug}`; keys that have it lose it. Gone already is success."""
        self._delete(f"/authorization/permissions/{_part(slug)}", "delete permission")

    def may_write(self) -> None:
        """Delete a key that does not exist. Raises AccessDenied when the right is missing."""
        self.delete_key(NOWHERE)

    def _list(self, shape: type[Page[_Model]], path: str, operation: str) -> Listing[_Model]:
        listing = self.client.pages(shape, path, operation=operation)
        if listing is None:
            raise AssertionError("a list without owner is always there")
        return listing

    def _get(self, path: str, operation: str) -> Reply | None:
        reply = self.client.call("GET", path, operation=operation, accept=GONE)
        return reply if reply.status != HTTPStatus.NOT_FOUND else None

    def _delete(self, path: str, operation: str) -> bool:
        return self.client.call("DELETE", path, operation=operation, accept=GONE).ok


def _part(text: str) -> str:
    return quote(text, safe="")
