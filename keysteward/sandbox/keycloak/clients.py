"""Admin API: ``/admin/realms/{realm}/clients`` and what lies below one client.

Source: Keycloak Admin REST API, "Clients"; every status and body as seen on Keycloak 26.7.5.
"""

from __future__ import annotations

import copy
from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from keysteward.sandbox.keycloak import builtin, errors, mappers, rotation
from keysteward.sandbox.keycloak.admin import (
    COLUMN_LENGTH,
    LISTS_CLIENTS,
    SEES_CLIENTS,
    created,
    merge_attributes,
    no_content,
)
from keysteward.sandbox.keycloak.models import CLIENT_DEFAULTS, CREATION_TIME, Client, ServiceAccount, new_secret
from keysteward.sandbox.server import STALE_SECONDS, json_response

if TYPE_CHECKING:
    from collections.abc import Callable

    from werkzeug.wrappers import Response

    from keysteward.sandbox.keycloak.admin import AdminCall
    from keysteward.sandbox.keycloak.models import Scope

OPTIONAL_SETTINGS = ("name", "description", "rootUrl", "adminUrl", "baseUrl", "type")
OTHER_FIELDS = (
    *("id", "clientId", "secret", "attributes", "protocolMappers", "defaultClientScopes", "optionalClientScopes"),
    *("access", "authorizationServicesEnabled", "authorizationSettings", "defaultRoles", "directGrantsOnly", "origin"),
    *("registeredNodes", "registrationAccessToken", "clientTemplate", "useTemplateConfig", "useTemplateScope"),
    "useTemplateMappers",
)
TWO_SOURCES = 'The "Use JWKS" switch and the switch "Use JWKS URL" cannot be ON at the same time.'
FIELDS = frozenset({*CLIENT_DEFAULTS, *OPTIONAL_SETTINGS, *OTHER_FIELDS})
"""Fields of ClientRepresentation; any other in a body is a 400."""


def listing(call: AdminCall) -> Response:
    """``GET /clients``: all of them, unless ``max`` says otherwise, in the order of their ``clientId``."""
    call.require(*LISTS_CLIENTS)
    args = call.request.args
    searched = [pair.partition(":")[0] for pair in args.get("q", "").split() if ":" in pair]
    if searched:
        text = f"Attributes [{', '.join(searched)}] not allowed for search"
        raise errors.described(HTTPStatus.BAD_REQUEST, "invalid_request", text)
    if not call.may(*SEES_CLIENTS):
        return json_response([])
    found = sorted(_all_clients(call), key=lambda named: named[0])
    wanted = args.get("clientId")
    if wanted and args.get("search") == "true":
        found = [named for named in found if wanted.lower() in named[0].lower()]
    elif wanted:
        found = [named for named in found if named[0] == wanted]
    found = found[max(args.get("first", 0, int), 0) :]
    limit = args.get("max", -1, int)
    page = [represent() for _, represent in (found[:limit] if limit >= 0 else found)]
    return json_response([client | _access(call, client) for client in page])


def _all_clients(call: AdminCall) -> list[tuple[str, Callable[[], dict[str, Any]]]]:
    """Return every client's id and the way to its representation, which is made only of those that are shown."""
    age = call.request.environ.get(STALE_SECONDS)
    if age is not None:
        then = call.realm.clients_as_of(call.server.clock.now() - timedelta(seconds=age))
        return [(shown["clientId"], shown.copy) for shown in then]
    return [(client.client_id, client.representation) for client in call.realm.clients.values()]


def _access(call: AdminCall, shown: dict[str, Any]) -> dict[str, Any]:
    manages = call.may("manage-clients") and shown["clientId"] != builtin.REALM_MANAGEMENT
    return {"access": {"view": True, "configure": manages, "manage": manages}}


def create(call: AdminCall) -> Response:
    """``POST /clients``: 201 with the new id in ``Location``; 409 when the ``clientId`` is taken."""
    call.require("manage-clients")
    sent = call.document("ClientRepresentation", FIELDS)
    client = Client(sent.get("clientId", ""))
    if "id" in sent:
        client.id = sent["id"]
    if "clientId" not in sent:
        client.client_id = client.id
    if not client.client_id.strip():
        raise errors.described(HTTPStatus.BAD_REQUEST, "invalid_input", "Client ID cannot be blank")
    if call.realm.client_named(client.client_id):
        raise errors.message(HTTPStatus.CONFLICT, f"Client {client.client_id} already exists")
    if client.id in call.realm.clients:
        raise errors.duplicate()
    client.attributes = {"realm_client": "false"}
    _apply(client, sent)
    client.default_scopes = _named_scopes(call, sent.get("defaultClientScopes"), call.realm.oidc_default_scopes())
    client.optional_scopes = _named_scopes(call, sent.get("optionalClientScopes"), call.realm.optional_scopes)
    client.optional_scopes = [scope for scope in client.optional_scopes if scope not in client.default_scopes]
    _service_account(call, client)
    _ensure_secret(call, client)
    if call.server.secret_rotation and rotation.policy_for(call.realm, client):
        rotation.after_write(call.realm, client, call.now, enabled=True)
    call.realm.clients[client.id] = client
    call.client_changed(client.id)
    return created(call.request, client.id)


def _named_scopes(call: AdminCall, names: list[str] | None, default: list[Scope]) -> list[Scope]:
    """Return the scopes named; unknown names are passed over in silence, as the real server does."""
    if names is None:
        return list(default)
    found = (call.realm.scope_named(name) for name in names)
    return [scope for scope in found if scope is not None]


def show(call: AdminCall, client_uuid: str) -> Response:
    """``GET /clients/{id}``, with the plaintext secret: whoever may view a client may read its secret."""
    client = call.client(client_uuid)
    call.require(*SEES_CLIENTS)
    shown = client.representation()
    return json_response(shown | _access(call, shown))


def update(call: AdminCall, client_uuid: str) -> Response:
    """``PUT /clients/{id}``: fields sent are written, fields left out stay; lists of scopes are not looked at."""
    client = _managed(call, client_uuid)
    sent = call.document("ClientRepresentation", FIELDS)
    other = call.realm.client_named(sent.get("clientId") or client.client_id)
    if other is not None and other is not client:
        raise errors.duplicate()
    if call.server.secret_rotation and rotation.stumbles(call.realm, client, sent):
        raise errors.unknown_error()
    _apply(client, sent)
    _service_account(call, client)
    _ensure_secret(call, client)
    rotation.after_write(call.realm, client, call.now, enabled=call.server.secret_rotation)
    call.client_changed(client.id)
    return no_content()


def _managed(call: AdminCall, client_uuid: str) -> Client:
    """Return a client that the caller may change; nobody may change the realm's own ``realm-management``."""
    client = call.client(client_uuid)
    call.require("manage-clients")
    if client.client_id == builtin.REALM_MANAGEMENT:
        raise errors.forbidden()
    return client


def _apply(client: Client, sent: dict[str, Any]) -> None:
    """Write the fields that create and update share. Nothing is changed when one of them is refused."""
    texts = [sent.get(name) or "" for name in (*OPTIONAL_SETTINGS, "clientId", "secret")]
    if any(len(text) > COLUMN_LENGTH for text in texts):
        raise errors.unknown_error()
    attributes = dict(client.attributes)
    merge_attributes(attributes, sent.get("attributes"))
    if attributes.get("use.jwks.string") == attributes.get("use.jwks.url") == "true":
        raise errors.described(HTTPStatus.BAD_REQUEST, "invalid_input", TWO_SOURCES)
    if sent.get("protocolMappers") is not None:
        client.mappers = [mappers.kept(mapper) for mapper in sent["protocolMappers"]]
    client.attributes = attributes
    client.client_id = sent.get("clientId") or client.client_id
    for name in (*CLIENT_DEFAULTS, *OPTIONAL_SETTINGS):
        if sent.get(name) is not None:
            client.settings[name] = copy.deepcopy(sent[name])
    if sent.get("secret") is not None:
        client.secret = sent["secret"]
    if client.service_account:
        client.service_account.username = f"service-account-{client.client_id}".lower()
    if client.settings["redirectUris"] and not client.settings["webOrigins"]:
        client.settings["webOrigins"] = sorted({_origin(uri) for uri in client.settings["redirectUris"]})


def _origin(uri: str) -> str:
    parts = urlsplit(uri)
    return f"{parts.scheme}://{parts.netloc}"


def _ensure_secret(call: AdminCall, client: Client) -> None:
    """Give a confidential client that has no secret one; a public client has none."""
    if not client.confidential:
        client.secret = None
    elif client.secret is None:
        client.secret = new_secret()
        client.attributes[CREATION_TIME] = str(call.now)


def _service_account(call: AdminCall, client: Client) -> None:
    """Make or remove the service account and its scope, as ``serviceAccountsEnabled`` says."""
    scope = call.realm.scope_named(builtin.SERVICE_ACCOUNT_SCOPE)
    if not client.settings["serviceAccountsEnabled"]:
        client.service_account = None
        client.default_scopes = [known for known in client.default_scopes if known is not scope]
        return
    if client.service_account is None:
        name = f"service-account-{client.client_id}".lower()
        client.service_account = ServiceAccount(name, int(call.server.clock.now().timestamp() * 1000))
    if scope is not None and scope not in client.default_scopes + client.optional_scopes:
        client.default_scopes.append(scope)


def delete(call: AdminCall, client_uuid: str) -> Response:
    """``DELETE /clients/{id}``: 204, and 404 from then on."""
    client = _managed(call, client_uuid)
    del call.realm.clients[client.id]
    call.client_changed(client.id)
    return no_content()


def secret(call: AdminCall, client_uuid: str) -> Response:
    """``GET /clients/{id}/client-secret``."""
    client = call.client(client_uuid)
    call.require(*SEES_CLIENTS)
    return json_response({"type": "secret", "value": client.secret})


def regenerate(call: AdminCall, client_uuid: str) -> Response:
    """``POST /clients/{id}/client-secret``: a new secret; the old one dies at once unless a policy keeps it."""
    client = call.client(client_uuid)
    call.require("manage-clients")
    value = rotation.regenerate(call.realm, client, call.now, enabled=call.server.secret_rotation)
    call.client_changed(client.id)
    return json_response({"type": "secret", "value": value})


def rotated(call: AdminCall, client_uuid: str) -> Response:
    """``GET /clients/{id}/client-secret/rotated``: the secret kept beside the present one, expired or not."""
    client = call.client(client_uuid)
    call.require(*SEES_CLIENTS)
    if not (call.server.secret_rotation and rotation.has_rotated(client)):
        raise errors.plain(HTTPStatus.NOT_FOUND, "Client does not have a rotated secret")
    return json_response({"type": "secret", "value": client.attributes[rotation.ROTATED]})


def drop_rotated(call: AdminCall, client_uuid: str) -> Response:
    """``DELETE /clients/{id}/client-secret/rotated``: 204 even when there is none; a lacking right is a 500."""
    client = call.client(client_uuid)
    if not call.may("manage-clients"):
        raise errors.unknown_error()
    rotation.clear_rotated(client)
    call.client_changed(client.id)
    return no_content()


def service_account_user(call: AdminCall, client_uuid: str) -> Response:
    """``GET /clients/{id}/service-account-user``."""
    client = call.client(client_uuid)
    call.require(*SEES_CLIENTS)
    if client.service_account is None:
        text = f"Service account not enabled for the client '{client.client_id}'"
        raise errors.plain(HTTPStatus.BAD_REQUEST, text)
    return json_response(client.service_account.representation())


def assigned_scopes(call: AdminCall, client_uuid: str, kind: str) -> Response:
    """``GET /clients/{id}/default-client-scopes`` and ``optional-client-scopes``."""
    client = call.client(client_uuid)
    call.require(*SEES_CLIENTS)
    scopes = client.default_scopes if kind == "default" else client.optional_scopes
    return json_response([{"id": scope.id, "name": scope.name} for scope in scopes])


def assign_scope(call: AdminCall, client_uuid: str, kind: str, scope_id: str) -> Response:
    """``PUT /clients/{id}/{kind}-client-scopes/{scope}``: 204, and nothing else if the client has the scope already.

    That includes the other kind: a default scope becomes optional only after it was removed.
    """
    client, scope = _client_and_scope(call, client_uuid, scope_id)
    if scope not in client.default_scopes + client.optional_scopes:
        (client.default_scopes if kind == "default" else client.optional_scopes).append(scope)
        call.client_changed(client.id)
    return no_content()


def remove_scope(call: AdminCall, client_uuid: str, kind: str, scope_id: str) -> Response:  # noqa: ARG001  (from the path)
    """``DELETE /clients/{id}/{kind}-client-scopes/{scope}``: 204; which kind it was does not matter."""
    client, scope = _client_and_scope(call, client_uuid, scope_id)
    for scopes in (client.default_scopes, client.optional_scopes):
        if scope in scopes:
            scopes.remove(scope)
    call.client_changed(client.id)
    return no_content()


def _client_and_scope(call: AdminCall, client_uuid: str, scope_id: str) -> tuple[Client, Scope]:
    client = call.client(client_uuid)
    call.require("manage-clients")
    if scope_id not in call.realm.scopes:
        raise errors.plain(HTTPStatus.NOT_FOUND, "Client scope not found")
    return client, call.realm.scopes[scope_id]
