"""API keys of organizations and of users: made, listed, validated, expired, deleted."""

from __future__ import annotations

import secrets
import string
from http import HTTPStatus
from typing import TYPE_CHECKING

from werkzeug.wrappers import Response

from keysteward.sandbox.server import json_response
from keysteward.sandbox.workos import errors, organizations
from keysteward.sandbox.workos.records import ApiKey, new_id

if TYPE_CHECKING:
    from keysteward.sandbox.workos.calls import Body, Call

VALUE_ALPHABET = string.ascii_letters + string.digits
VALUE_LENGTH = 48


def new_value() -> str:
    """Return the value of a new key."""
    return "sk_" + "".join(secrets.choice(VALUE_ALPHABET) for _ in range(VALUE_LENGTH))


def of_organization(call: Call, organization_id: str) -> Response:
    """``GET /organizations/{organizationId}/api_keys``: pages of the keys the organization itself owns."""
    owner = organizations.organization(call, organization_id)
    shown = call.shown(call.environment.api_keys)
    return call.page(key for key in shown if key.organization_id == owner.id and key.user_id is None)


def of_user(call: Call, user_id: str) -> Response:
    """``GET /user_management/users/{userId}/api_keys``: pages; filter ``organization_id``."""
    owner = organizations.user(call, user_id)
    organization_id = call.request.args.get("organization_id")
    return call.page(
        key
        for key in call.shown(call.environment.api_keys)
        if key.user_id == owner.id and organization_id in {None, key.organization_id}
    )


def create_for_organization(call: Call, organization_id: str) -> Response:
    """``POST /organizations/{organizationId}/api_keys``; the value is in this answer only."""
    owner = organizations.organization(call, organization_id)
    body = call.body()
    key = _read(call, body, owner.id)
    if any(call.environment.permission_named(slug) is None for slug in key.permissions):
        body.refuse("permissions")
    body.check()
    return _made(call, key)


def create_for_user(call: Call, user_id: str) -> Response:
    """``POST /user_management/users/{userId}/api_keys``; needs an active membership in the organization."""
    owner = organizations.user(call, user_id)
    body = call.body(HTTPStatus.BAD_REQUEST)
    organization_id = body.text("organization_id")
    key = _read(call, body, organization_id)
    body.check()
    organizations.organization(call, organization_id)
    if not call.environment.is_member(owner.id, organization_id):
        text = f"User '{owner.id}' has no active membership in organization '{organization_id}'."
        raise errors.message(HTTPStatus.UNPROCESSABLE_ENTITY, text)
    for slug in key.permissions:
        if call.environment.permission_named(slug) is None:
            raise errors.message(HTTPStatus.UNPROCESSABLE_ENTITY, f"Permission not found: '{slug}'.")
    key.user_id = owner.id
    return _made(call, key)


def _read(call: Call, body: Body, organization_id: str) -> ApiKey:
    expires_at = body.moment("expires_at")
    if expires_at is not None and expires_at <= call.now:
        body.refuse("expires_at")
    return ApiKey(
        id=new_id("api_key", call.now),
        created_at=call.now,
        updated_at=call.now,
        value=new_value(),
        name=body.text("name"),
        organization_id=organization_id,
        permissions=body.texts("permissions"),
        expires_at=expires_at,
    )


def _made(call: Call, key: ApiKey) -> Response:
    call.environment.api_keys.put(key, call.now)
    return json_response(key.representation() | {"value": key.value}, HTTPStatus.CREATED)


def validate(call: Call) -> Response:
    """``POST /api_keys/validations``: null for a value that is unknown or expired; a valid one has been used now."""
    body = call.body()
    value = body.text("value")
    if not value:
        raise errors.message(HTTPStatus.UNPROCESSABLE_ENTITY, "Validation failed.")
    key = next(
        (item for item in call.environment.api_keys if secrets.compare_digest(item.value.encode(), value.encode())),
        None,
    )
    if key is None or key.expired(call.now):
        return json_response({"api_key": None})
    key.last_used_at = call.now
    call.environment.api_keys.put(key, call.now)
    return json_response({"api_key": key.representation()})


def expire(call: Call, key_id: str) -> Response:
    """``POST /api_keys/{id}/expire``: now, at a later time, or (null) no longer.

    Not in version 0.1.0 of the vendor's OpenAPI description; in the current one and in the vendor's SDK.
    """
    key = organizations.known("API Key", key_id, call.environment.api_keys.get(key_id))
    body = call.body()
    moment = body.moment("expires_at")
    body.check()
    if key.expired(call.now):
        raise errors.coded(HTTPStatus.CONFLICT, "api_key_already_expired", "API key is already expired")
    if moment is None and "expires_at" in body:
        key.expires_at = None
    else:
        key.expires_at = max(moment or call.now, call.now)
    key.updated_at = call.now
    call.environment.api_keys.put(key, call.now)
    return json_response(key.representation())


def delete(call: Call, key_id: str) -> Response:
    """``DELETE /api_keys/{id}``."""
    key = organizations.known("API Key", key_id, call.environment.api_keys.get(key_id))
    call.environment.api_keys.drop(key, call.now)
    return Response(status=HTTPStatus.NO_CONTENT)
