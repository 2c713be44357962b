"""``/authorization/permissions``: the catalogue from which keys and roles take their permissions."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING

from werkzeug.wrappers import Response

from keysteward.sandbox.server import json_response
from keysteward.sandbox.workos import errors
from keysteward.sandbox.workos.organizations import known
from keysteward.sandbox.workos.records import Permission, new_id

if TYPE_CHECKING:
    from keysteward.sandbox.workos.calls import Call

SLUG = re.compile(r"[a-z0-9\-_:.*]+")
LONGEST_SLUG, LONGEST_NAME, LONGEST_DESCRIPTION = 48, 48, 150
RESOURCE_TYPES = frozenset({"organization"})


def _permission(call: Call, slug: str) -> Permission:
    return known("Permission", slug, call.environment.permission_named(slug))


def listing(call: Call) -> Response:
    """``GET /authorization/permissions``: pages, the vendor's own permissions among them."""
    shown = call.shown(call.environment.permissions)
    return call.page(shown)


def show(call: Call, slug: str) -> Response:
    """``GET /authorization/permissions/{slug}``."""
    return json_response(_permission(call, slug).representation())


def create(call: Call) -> Response:
    """``POST /authorization/permissions``."""
    body = call.body()
    slug = body.text("slug", longest=LONGEST_SLUG)
    if slug and not SLUG.fullmatch(slug):
        body.refuse("slug")
    name = body.text("name", longest=LONGEST_NAME)
    description = body.optional_text("description", longest=LONGEST_DESCRIPTION)
    resource_type = body.optional_text("resource_type_slug", longest=LONGEST_SLUG) or "organization"
    body.check()
    if resource_type not in RESOURCE_TYPES:
        raise errors.not_found("Resource type", resource_type)
    if call.environment.permission_named(slug) is not None:
        text = f"A permission with slug '{slug}' exists."
        raise errors.coded(HTTPStatus.CONFLICT, "permission_slug_conflict", text)
    made = Permission(
        id=new_id("perm", call.now),
        created_at=call.now,
        updated_at=call.now,
        slug=slug,
        name=name,
        description=description,
        resource_type=resource_type,
    )
    return json_response(call.environment.permissions.put(made, call.now).representation(), HTTPStatus.CREATED)


def update(call: Call, slug: str) -> Response:
    """``PATCH /authorization/permissions/{slug}``: name and description; absent fields stay."""
    permission = _permission(call, slug)
    _refuse_system(permission)
    body = call.body()
    name = body.text("name", longest=LONGEST_NAME) if "name" in body else permission.name
    description = body.optional_text("description", longest=LONGEST_DESCRIPTION)
    body.check()
    permission.name = name
    if "description" in body:
        permission.description = description
    permission.updated_at = call.now
    return json_response(call.environment.permissions.put(permission, call.now).representation())


def delete(call: Call, slug: str) -> Response:
    """``DELETE /authorization/permissions/{slug}``; keys that had it have it no longer."""
    permission = _permission(call, slug)
    _refuse_system(permission)
    call.environment.permissions.drop(permission, call.now)
    for key in call.environment.api_keys:
        if slug in key.permissions:
            key.permissions = [item for item in key.permissions if item != slug]
            call.environment.api_keys.put(key, call.now)
    return Response(status=HTTPStatus.NO_CONTENT)


def _refuse_system(permission: Permission) -> None:
    if permission.system:
        raise errors.message(HTTPStatus.FORBIDDEN, "System permissions cannot be changed or deleted.")
