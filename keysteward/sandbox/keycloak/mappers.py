"""Protocol mappers: ``.../protocol-mappers/models`` below a client scope or a client."""

from __future__ import annotations

import copy
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from keysteward.sandbox.keycloak import builtin, errors
from keysteward.sandbox.keycloak.admin import SEES_CLIENTS, created, no_content
from keysteward.sandbox.keycloak.models import new_id
from keysteward.sandbox.server import json_response

if TYPE_CHECKING:
    from werkzeug.wrappers import Response

    from keysteward.sandbox.keycloak.admin import AdminCall
    from keysteward.sandbox.keycloak.models import Client, Scope

FIELDS = frozenset({"id", "name", "protocol", "protocolMapper", "consentRequired", "consentText", "config"})


def kept(sent: dict[str, Any]) -> dict[str, Any]:
    """Return a mapper as it is kept, with an id of its own. Inside a client or scope its kind is not checked."""
    return {
        "id": sent.get("id") or new_id(),
        "name": sent.get("name"),
        "protocol": sent.get("protocol", "openid-connect"),
        "protocolMapper": sent.get("protocolMapper"),
        "consentRequired": False,
        "config": dict(sent.get("config") or {}),
    }


def listing(call: AdminCall, kind: str, owner_id: str) -> Response:
    """``GET .../protocol-mappers/models``."""
    owner = _owner(call, kind, owner_id, write=False)
    return json_response([_shown(mapper) for mapper in owner.mappers])


def create(call: AdminCall, kind: str, owner_id: str) -> Response:
    """``POST .../protocol-mappers/models``: 201 with ``Location``; 409 when the name is taken."""
    owner = _owner(call, kind, owner_id, write=True)
    mapper = kept(call.document("ProtocolMapperRepresentation", FIELDS))
    if mapper["protocolMapper"] not in builtin.MAPPER_KINDS:
        raise errors.plain(HTTPStatus.NOT_FOUND, "ProtocolMapper provider not found")
    if any(known["name"] == mapper["name"] for known in owner.mappers):
        raise errors.message(HTTPStatus.CONFLICT, "Protocol mapper exists with same name")
    owner.mappers.append(mapper)
    return created(call.request, mapper["id"])


def show(call: AdminCall, kind: str, owner_id: str, mapper_id: str) -> Response:
    """``GET .../protocol-mappers/models/{id}``."""
    return json_response(_shown(_found(_owner(call, kind, owner_id, write=False), mapper_id)))


def update(call: AdminCall, kind: str, owner_id: str, mapper_id: str) -> Response:
    """``PUT .../protocol-mappers/models/{id}``: replaces ``config``; the name stays. A body without ``id`` is a 500."""
    mapper = _found(_owner(call, kind, owner_id, write=True), mapper_id)
    sent = call.document("ProtocolMapperRepresentation", FIELDS)
    if sent.get("id") != mapper_id:
        raise errors.unknown_error()
    mapper["config"] = dict(sent.get("config") or {})
    return no_content()


def delete(call: AdminCall, kind: str, owner_id: str, mapper_id: str) -> Response:
    """``DELETE .../protocol-mappers/models/{id}``: 204, and 404 from then on."""
    owner = _owner(call, kind, owner_id, write=True)
    owner.mappers.remove(_found(owner, mapper_id))
    return no_content()


def _owner(call: AdminCall, kind: str, owner_id: str, *, write: bool) -> Client | Scope:
    owner = call.client(owner_id) if kind == "clients" else call.scope(owner_id)
    call.require(*(("manage-clients",) if write else SEES_CLIENTS))
    return owner


def _found(owner: Client | Scope, mapper_id: str) -> dict[str, Any]:
    for mapper in owner.mappers:
        if mapper["id"] == mapper_id:
            return mapper
    raise errors.plain(HTTPStatus.NOT_FOUND, "Model not found")


def _shown(mapper: dict[str, Any]) -> dict[str, Any]:
    """Return the mapper as this endpoint shows it: introspection follows the access token where nothing is said."""
    shown = copy.deepcopy(mapper)
    if "access.token.claim" in shown["config"]:
        shown["config"].setdefault("introspection.token.claim", shown["config"]["access.token.claim"])
    return shown
