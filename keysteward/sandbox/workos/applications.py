"""``/connect``: applications and their client secrets."""

from __future__ import annotations

import secrets
from http import HTTPStatus
from typing import TYPE_CHECKING

from werkzeug.wrappers import Response

from keysteward.sandbox.server import json_response
from keysteward.sandbox.workos import errors, organizations
from keysteward.sandbox.workos.records import Application, Secret, new_id

if TYPE_CHECKING:
    from keysteward.sandbox.workos.calls import Body, Call

LARGEST_NUMBER_OF_SECRETS = 5
"""Client secrets that an application can have at once (WorkOS documentation, "M2M Applications")."""

SECRET_BYTES = 32
REGISTRATION_TYPES = frozenset({"authenticated", "dynamic"})


def _application(call: Call, name: str) -> Application:
    return organizations.known("Connect Application", name, call.environment.application_named(name))


def listing(call: Call) -> Response:
    """``GET /connect/applications``: pages of both types; filters ``organization_id`` and ``registration_types``."""
    organization_id = call.request.args.get("organization_id")
    wanted = set(call.request.args.get("registration_types", "authenticated").split(","))
    if wanted - REGISTRATION_TYPES:
        raise errors.invalid(("registration_types", "invalid"))
    return call.page(
        item
        for item in call.shown(call.environment.applications)
        if organization_id in {None, item.organization_id}
        and ("dynamic" if item.dynamic else "authenticated") in wanted
    )


def show(call: Call, name: str) -> Response:
    """``GET /connect/applications/{id}``, by id or client id."""
    return json_response(_application(call, name).representation())


def create(call: Call) -> Response:
    """``POST /connect/applications``; no secret comes with it."""
    body = call.body()
    kind = body.text("application_type")
    if kind and kind not in {"m2m", "oauth"}:
        body.refuse("application_type")
    if kind == "oauth" and "is_first_party" not in body:
        body.refuse("is_first_party", "required")
    owned = kind == "m2m" or not body.flag("is_first_party")
    organization_id = body.text("organization_id") if owned else None
    made = Application(
        id=new_id("conn_app", call.now),
        created_at=call.now,
        updated_at=call.now,
        client_id=new_id("client", call.now),
        kind=kind,
        name=body.text("name"),
        description=body.optional_text("description"),
        scopes=body.texts("scopes"),
        organization_id=organization_id,
        redirect_uris=_redirect_uris(body, kind),
        uses_pkce=body.flag("uses_pkce"),
    )
    body.check()
    if organization_id is not None:
        organizations.organization(call, organization_id)
    return json_response(call.environment.applications.put(made, call.now).representation(), HTTPStatus.CREATED)


def update(call: Call, name: str) -> Response:
    """``PUT /connect/applications/{id}``: name, description, scopes, redirect URIs; absent fields stay."""
    application = _application(call, name)
    body = call.body()
    new_name = body.text("name") if "name" in body else application.name
    description, scopes = body.optional_text("description"), body.texts("scopes")
    redirect_uris = _redirect_uris(body, application.kind)
    body.check()
    application.name = new_name
    if "description" in body:
        application.description = description
    if "scopes" in body:
        application.scopes = scopes
    if "redirect_uris" in body:
        application.redirect_uris = redirect_uris
    application.updated_at = call.now
    return json_response(call.environment.applications.put(application, call.now).representation())


def _redirect_uris(body: Body, kind: str) -> list[dict[str, object]]:
    given = body.objects("redirect_uris")
    if given and (kind != "oauth" or not all(isinstance(item.get("uri"), str) for item in given)):
        body.refuse("redirect_uris")
    return [{"uri": item.get("uri"), "default": bool(item.get("default"))} for item in given]


def delete(call: Call, name: str) -> Response:
    """``DELETE /connect/applications/{id}``, its secrets with it."""
    application = _application(call, name)
    for secret in call.environment.secrets_of(application):
        call.environment.secrets.drop(secret, call.now)
    call.environment.applications.drop(application, call.now)
    return Response(status=HTTPStatus.NO_CONTENT)


def secrets_of(call: Call, name: str) -> Response:
    """``GET /connect/applications/{id}/client_secrets``: a bare array, newest first, without pages."""
    application = _application(call, name)
    shown = [item for item in call.shown(call.environment.secrets) if item.application_id == application.id]
    return json_response([item.representation() for item in sorted(shown, key=lambda item: item.id, reverse=True)])


def create_secret(call: Call, name: str) -> Response:
    """``POST /connect/applications/{id}/client_secrets``; the plain value is in this answer only."""
    application = _application(call, name)
    call.body()
    if len(call.environment.secrets_of(application)) >= LARGEST_NUMBER_OF_SECRETS:
        text = f"An application can have at most {LARGEST_NUMBER_OF_SECRETS} client secrets."
        raise errors.message(HTTPStatus.UNPROCESSABLE_ENTITY, text)
    made = Secret(
        id=new_id("secret", call.now),
        created_at=call.now,
        updated_at=call.now,
        value=secrets.token_hex(SECRET_BYTES),
        application_id=application.id,
    )
    call.environment.secrets.put(made, call.now)
    return json_response(made.representation() | {"secret": made.value}, HTTPStatus.CREATED)


def delete_secret(call: Call, secret_id: str) -> Response:
    """``DELETE /connect/client_secrets/{id}``."""
    secret = organizations.known("Client Secret", secret_id, call.environment.secrets.get(secret_id))
    call.environment.secrets.drop(secret, call.now)
    return Response(status=HTTPStatus.NO_CONTENT)
