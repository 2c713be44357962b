"""``/organizations`` and ``/user_management``: who can own a key. Made here only so that keys have owners."""

from __future__ import annotations

import secrets
from http import HTTPStatus
from typing import TYPE_CHECKING, TypeVar

from keysteward.sandbox.server import json_response
from keysteward.sandbox.workos import errors
from keysteward.sandbox.workos.records import Membership, Organization, Stamped, User, new_id, timestamp

if TYPE_CHECKING:
    from werkzeug.wrappers import Response

    from keysteward.sandbox.workos.calls import Body, Call

LONGEST_METADATA_VALUE, LARGEST_METADATA, LONGEST_METADATA_KEY = 600, 50, 40
LONGEST_EXTERNAL_ID = 128
STATUSES = frozenset({"active", "inactive", "pending"})

Found = TypeVar("Found", bound=Stamped)


def known(kind: str, name: str, found: Found | None) -> Found:
    """Return what was found, or refuse the call with 404."""
    if found is None:
        raise errors.not_found(kind, name)
    return found


def organization(call: Call, organization_id: str) -> Organization:
    """Return an organization, or refuse the call with 404."""
    return known("Organization", organization_id, call.environment.organizations.get(organization_id))


def user(call: Call, user_id: str) -> User:
    """Return a user, or refuse the call with 404."""
    return known("User", user_id, call.environment.users.get(user_id))


def listing(call: Call) -> Response:
    """``GET /organizations``: pages; filters ``domains`` and ``search``."""
    found = call.shown(call.environment.organizations)
    wanted = {domain for domain in call.request.args.get("domains", "").split(",") if domain}
    if wanted:
        found = [item for item in found if wanted & {str(domain["domain"]) for domain in item.domains}]
    text = call.request.args.get("search", "").casefold()
    return call.page(item for item in found if text in item.name.casefold())


def show(call: Call, organization_id: str) -> Response:
    """``GET /organizations/{id}``."""
    return json_response(organization(call, organization_id).representation())


def show_external(call: Call, external_id: str) -> Response:
    """``GET /organizations/external_id/{external_id}``."""
    found = [item for item in call.environment.organizations if item.external_id == external_id]
    return json_response(known("Organization", external_id, found[0] if found else None).representation())


def create(call: Call) -> Response:
    """``POST /organizations``."""
    body = call.body()
    name = body.text("name")
    external_id = body.optional_text("external_id", longest=LONGEST_EXTERNAL_ID)
    metadata = _metadata(body)
    domains = body.objects("domain_data")
    if not all(
        isinstance(item.get("domain"), str) and item.get("state") in {"pending", "verified"} for item in domains
    ):
        body.refuse("domain_data")
    body.check()
    others = {item.external_id for item in call.environment.organizations}
    if external_id is not None and external_id in others:
        text = "The external_id is used by another organization."
        raise errors.coded(HTTPStatus.BAD_REQUEST, "external_id_already_used", text)
    id_ = new_id("org", call.now)
    made = Organization(
        id=id_,
        created_at=call.now,
        updated_at=call.now,
        name=name,
        external_id=external_id,
        metadata=metadata,
        domains=[_domain(call, id_, item["domain"], item["state"]) for item in domains],
    )
    return json_response(call.environment.organizations.put(made, call.now).representation(), HTTPStatus.CREATED)


def _domain(call: Call, organization_id: str, name: str, state: str) -> dict[str, object]:
    return {
        "object": "organization_domain",
        "id": new_id("org_domain", call.now),
        "organization_id": organization_id,
        "domain": name,
        "state": state,
        "verification_strategy": "manual",
        "verification_token": secrets.token_urlsafe(18),
        "created_at": timestamp(call.now),
        "updated_at": timestamp(call.now),
    }


def _metadata(body: Body) -> dict[str, str]:
    metadata = body.pairs("metadata")
    too_long = any(
        len(key) > LONGEST_METADATA_KEY or len(value) > LONGEST_METADATA_VALUE for key, value in metadata.items()
    )
    if too_long or len(metadata) > LARGEST_METADATA:
        raise errors.coded(HTTPStatus.BAD_REQUEST, "invalid_metadata", "The metadata is larger than allowed.")
    return metadata


def users(call: Call) -> Response:
    """``GET /user_management/users``: pages; filters ``organization_id`` and ``email``."""
    query = call.request.args
    found = call.shown(call.environment.users)
    organization_id = query.get("organization_id") or query.get("organization")
    if organization_id is not None:
        shown = call.shown(call.environment.memberships)
        members = {item.user.id for item in shown if item.organization.id == organization_id}
        found = [item for item in found if item.id in members]
    email = query.get("email")
    return call.page(item for item in found if email is None or item.email.casefold() == email.casefold())


def show_user(call: Call, user_id: str) -> Response:
    """``GET /user_management/users/{id}``."""
    return json_response(user(call, user_id).representation())


def create_user(call: Call) -> Response:
    """``POST /user_management/users``, without passwords."""
    body = call.body()
    made = User(
        id=new_id("user", call.now),
        created_at=call.now,
        updated_at=call.now,
        email=body.text("email"),
        first_name=body.optional_text("first_name"),
        last_name=body.optional_text("last_name"),
        external_id=body.optional_text("external_id", longest=LONGEST_EXTERNAL_ID),
        metadata=_metadata(body),
    )
    body.check()
    return json_response(call.environment.users.put(made, call.now).representation(), HTTPStatus.CREATED)


def memberships(call: Call) -> Response:
    """``GET /user_management/organization_memberships``: of one user or one organization; active ones by default."""
    query = call.request.args
    user_id, organization_id = query.get("user_id"), query.get("organization_id")
    if user_id is None and organization_id is None:
        text = "Either user_id or organization_id must be provided."
        raise errors.coded(HTTPStatus.BAD_REQUEST, "missing_user_id_or_organization_id", text)
    statuses = set(query.get("statuses", "active").split(","))
    if statuses - STATUSES:
        raise errors.coded(HTTPStatus.BAD_REQUEST, "invalid_request_parameters", "Validation failed.")
    return call.page(
        item
        for item in call.shown(call.environment.memberships)
        if user_id in {None, item.user.id}
        and organization_id in {None, item.organization.id}
        and item.status in statuses
    )


def create_membership(call: Call) -> Response:
    """``POST /user_management/organization_memberships``."""
    body = call.body()
    user_id, organization_id = body.text("user_id"), body.text("organization_id")
    role = body.optional_text("role_slug") or "member"
    if not (user_id and organization_id):
        text = "Validation failed."
        raise errors.coded(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid_request_parameters", text)
    made = Membership(
        id=new_id("om", call.now),
        created_at=call.now,
        updated_at=call.now,
        user=user(call, user_id),
        organization=organization(call, organization_id),
        role=role,
    )
    return json_response(call.environment.memberships.put(made, call.now).representation(), HTTPStatus.CREATED)
