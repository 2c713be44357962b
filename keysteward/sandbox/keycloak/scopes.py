"""Admin API: ``/admin/realms/{realm}/client-scopes`` and the realm's default and optional scopes."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from keysteward.sandbox.keycloak import errors, mappers
from keysteward.sandbox.keycloak.admin import LISTS_CLIENTS, SEES_CLIENTS, created, merge_attributes, no_content
from keysteward.sandbox.keycloak.models import Scope
from keysteward.sandbox.server import json_response

if TYPE_CHECKING:
    from werkzeug.wrappers import Response

    from keysteward.sandbox.keycloak.admin import AdminCall

FIELDS = frozenset({"id", "name", "description", "protocol", "attributes", "protocolMappers"})
PROTOCOLS = frozenset({"openid-connect", "saml"})
SCOPE_NAME = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")
"""``scope-token`` of RFC 6749, section 3.3."""


def listing(call: AdminCall) -> Response:
    """``GET /client-scopes``: the whole catalogue, mappers included."""
    call.require(*LISTS_CLIENTS)
    if not call.may(*SEES_CLIENTS):
        return json_response([])
    return json_response([scope.representation() for scope in call.realm.scopes.values()])


def create(call: AdminCall) -> Response:
    """``POST /client-scopes``: 201 with ``Location``; 409 when the name is taken."""
    call.require("manage-clients")
    sent = call.document("ClientScopeRepresentation")
    if sent.get("protocol") not in PROTOCOLS:
        raise errors.message(HTTPStatus.BAD_REQUEST, "Unexpected protocol")
    call.document("ClientScopeRepresentation", FIELDS)
    scope = Scope(_checked_name(call, sent, None), sent["protocol"], sent.get("description"))
    merge_attributes(scope.attributes, sent.get("attributes"), keep_empty=True)
    scope.mappers = [mappers.kept(mapper) for mapper in sent.get("protocolMappers") or []]
    call.realm.add_scope(scope)
    return created(call.request, scope.id)


def _checked_name(call: AdminCall, sent: dict[str, Any], present: Scope | None) -> str:
    name = sent.get("name")
    if not isinstance(name, str):
        raise errors.unknown_error()
    if not SCOPE_NAME.fullmatch(name):
        raise errors.message(HTTPStatus.BAD_REQUEST, f'Unexpected name "{name}" for ClientScope')
    if call.realm.scope_named(name) not in (None, present):
        raise errors.message(HTTPStatus.CONFLICT, f"Client Scope {name} already exists")
    return name


def show(call: AdminCall, scope_id: str) -> Response:
    """``GET /client-scopes/{id}``."""
    scope = call.scope(scope_id)
    call.require(*SEES_CLIENTS)
    return json_response(scope.representation())


def update(call: AdminCall, scope_id: str) -> Response:
    """``PUT /client-scopes/{id}``: needs the name; merges attributes; does not look at mappers."""
    scope = call.scope(scope_id)
    call.require("manage-clients")
    sent = call.document("ClientScopeRepresentation", FIELDS)
    scope.name = _checked_name(call, sent, scope)
    scope.protocol = sent.get("protocol") or scope.protocol
    if sent.get("description") is not None:
        scope.description = sent["description"]
    merge_attributes(scope.attributes, sent.get("attributes"), keep_empty=True)
    return no_content()


def delete(call: AdminCall, scope_id: str) -> Response:
    """``DELETE /client-scopes/{id}``: 204 even while clients have it; they lose it without a word."""
    scope = call.scope(scope_id)
    call.require("manage-clients")
    del call.realm.scopes[scope.id]
    holders = [call.realm.default_scopes, call.realm.optional_scopes]
    for client in call.realm.clients.values():
        if scope in client.default_scopes + client.optional_scopes:
            _remove(scope, [client.default_scopes, client.optional_scopes])
            call.client_changed(client.id)
    _remove(scope, holders)
    return no_content()


def _remove(scope: Scope, holders: list[list[Scope]]) -> None:
    for scopes in holders:
        if scope in scopes:
            scopes.remove(scope)


def realm_defaults(call: AdminCall, kind: str) -> Response:
    """``GET /default-default-client-scopes`` and ``/default-optional-client-scopes``: what new clients get."""
    call.require(*SEES_CLIENTS)
    scopes = call.realm.default_scopes if kind == "default" else call.realm.optional_scopes
    return json_response([{"id": scope.id, "name": scope.name, "protocol": scope.protocol} for scope in scopes])


def add_realm_default(call: AdminCall, kind: str, scope_id: str) -> Response:
    """``PUT /default-{kind}-client-scopes/{scope}``: 409 when it is one already."""
    scope = _scope_for_default(call, scope_id)
    if scope in call.realm.default_scopes + call.realm.optional_scopes:
        raise errors.duplicate()
    (call.realm.default_scopes if kind == "default" else call.realm.optional_scopes).append(scope)
    return no_content()


def remove_realm_default(call: AdminCall, kind: str, scope_id: str) -> Response:  # noqa: ARG001  (from the path)
    """``DELETE /default-{kind}-client-scopes/{scope}``: 204; which kind it was does not matter."""
    scope = _scope_for_default(call, scope_id)
    _remove(scope, [call.realm.default_scopes, call.realm.optional_scopes])
    return no_content()


def _scope_for_default(call: AdminCall, scope_id: str) -> Scope:
    call.require("manage-clients")
    if scope_id not in call.realm.scopes:
        raise errors.plain(HTTPStatus.NOT_FOUND, "Client scope not found")
    return call.realm.scopes[scope_id]
