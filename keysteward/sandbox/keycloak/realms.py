"""Admin API: realms themselves, their policies, events, roles and keys, and ``/admin/serverinfo``."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from keysteward.sandbox import signing
from keysteward.sandbox.keycloak import builtin, errors, rotation
from keysteward.sandbox.keycloak.admin import SEES_CLIENTS, SEES_EVENTS, SEES_REALM, created, no_content, resolve
from keysteward.sandbox.keycloak.models import Realm
from keysteward.sandbox.server import json_response

if TYPE_CHECKING:
    from werkzeug.wrappers import Response

    from keysteward.sandbox.keycloak.admin import AdminCall
    from keysteward.sandbox.keycloak.models import ServiceAccount

VERSION = "26.7.5"
ANY_ADMIN_ROLE = sorted(builtin.ADMIN_ROLES - {"impersonation"})
EVENTS_PAGE = 100
EVENT_SETTINGS = ("eventsEnabled", "eventsExpiration", "eventsListeners", "enabledEventTypes")
ADMIN_EVENT_SETTINGS = ("adminEventsEnabled", "adminEventsDetailsEnabled")
INVALID_EXECUTOR = (
    "proposed client profile contains the executor, which does not have valid provider, or has invalid configuration."
)


def listing(call: AdminCall) -> Response:
    """``GET /admin/realms``: those the caller has any right in."""
    call.require(*ANY_ADMIN_ROLE)
    everything = call.realm.name == "master"
    return json_response(
        [_shown(call, realm) for realm in (call.server.realms.values() if everything else [call.realm])]
    )


def create(call: AdminCall) -> Response:
    """``POST /admin/realms``: for administrators of ``master`` only."""
    if call.realm.name != "master" or not call.may("realm-admin"):
        raise errors.forbidden()
    sent = call.document("RealmRepresentation")
    name = sent.pop("realm")
    if name in call.server.realms:
        raise errors.message(HTTPStatus.CONFLICT, f"Realm {name} already exists")
    realm = call.server.realms[name] = Realm(name)
    realm.settings |= sent
    return created(call.request, name)


def show(call: AdminCall) -> Response:
    """``GET /admin/realms/{realm}``: all settings with ``view-realm``, next to nothing without."""
    call.require(*ANY_ADMIN_ROLE)
    return json_response(_shown(call, call.realm))


def _shown(call: AdminCall, realm: Realm) -> dict[str, Any]:
    if not call.may(*SEES_REALM):
        return {
            "realm": realm.name,
            "bruteForceProtected": False,
            "supportedLocales": [],
            "organizationsEnabled": False,
        }
    policies = {"clientProfiles": {"profiles": realm.profiles}, "clientPolicies": {"policies": realm.policies}}
    document = {"id": realm.id, "realm": realm.name, **realm.settings, "attributes": realm.attributes, **policies}
    return copy.deepcopy(document)


def update(call: AdminCall) -> Response:
    """``PUT /admin/realms/{realm}``: fields sent are written, the others stay; attributes are merged."""
    call.require("manage-realm")
    sent = call.document("RealmRepresentation")
    call.realm.attributes |= sent.pop("attributes", None) or {}
    for name in ("id", "realm", "clientProfiles", "clientPolicies"):
        sent.pop(name, None)
    call.realm.settings |= sent
    return no_content()


def delete(call: AdminCall) -> Response:
    """``DELETE /admin/realms/{realm}``."""
    call.require("manage-realm")
    del call.server.realms[call.realm.name]
    return no_content()


def profiles(call: AdminCall) -> Response:
    """``GET /client-policies/profiles``; the built-in global ones are not modelled."""
    call.require(*SEES_REALM)
    return json_response({"profiles": call.realm.profiles})


def put_profiles(call: AdminCall) -> Response:
    """``PUT /client-policies/profiles``: replaces them all; 400 on an executor that is unknown or misconfigured.

    A period left out is a 500: the server has no defaults for them.
    """
    call.require("manage-realm")
    sent = call.document("ClientProfilesRepresentation", {"profiles", "globalProfiles"}).get("profiles") or []
    known = {rotation.EXECUTOR} if call.server.secret_rotation else set()
    for executor in (executor for profile in sent for executor in profile.get("executors") or []):
        try:
            valid = executor["executor"] in known and rotation.valid(executor.get("configuration") or {})
        except KeyError:
            raise errors.unknown_error() from None
        if not valid:
            raise errors.message(HTTPStatus.BAD_REQUEST, INVALID_EXECUTOR)
    call.realm.profiles = sent
    return no_content()


def policies(call: AdminCall) -> Response:
    """``GET /client-policies/policies``."""
    call.require(*SEES_REALM)
    return json_response({"policies": call.realm.policies})


def put_policies(call: AdminCall) -> Response:
    """``PUT /client-policies/policies``: replaces them all; 400 on unknown conditions or profiles, or a name twice."""
    call.require("manage-realm")
    sent = call.document("ClientPoliciesRepresentation", {"policies", "globalPolicies"}).get("policies") or []
    known = {profile["name"] for profile in call.realm.profiles}
    if len({policy["name"] for policy in sent}) < len(sent):
        raise errors.message(HTTPStatus.BAD_REQUEST, "proposed client policy name duplicated")
    for policy in sent:
        for condition in policy.get("conditions") or []:
            if condition["condition"] not in rotation.CONDITIONS:
                text = f"Policy {policy['name']} contains invalid condition {condition['condition']}"
                raise errors.message(HTTPStatus.BAD_REQUEST, text)
        for profile in policy.get("profiles") or []:
            if profile not in known:
                text = f"Policy {policy['name']} contains invalid profile {profile}"
                raise errors.message(HTTPStatus.BAD_REQUEST, text)
    call.realm.policies = sent
    return no_content()


def events(call: AdminCall) -> Response:
    """``GET /events``: newest first, 100 unless ``max`` says otherwise; filters ``type``, ``client``, dates."""
    call.require(*SEES_EVENTS)
    args = call.request.args
    kinds, client = args.getlist("type"), args.get("client")
    since, until = _moment(args.get("dateFrom"), "dateFrom"), _moment(args.get("dateTo"), "dateTo")
    found = [
        event
        for event in call.realm.events
        if (not kinds or event["type"] in kinds)
        and client in {None, event["clientId"]}
        and (since is None or event["time"] >= since)
        and (until is None or event["time"] <= until)
    ]
    first = args.get("first", 0, int)
    return json_response(found[first : first + args.get("max", EVENTS_PAGE, int)])


def _moment(text: str | None, name: str) -> int | None:
    if text is None:
        return None
    try:
        day = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC) if "-" in text else None
        return int(day.timestamp() * 1000) if day else int(text)
    except ValueError:
        problem = f"Invalid value for '{name}', expected format is yyyy-MM-dd or an Epoch timestamp"
        raise errors.plain(HTTPStatus.BAD_REQUEST, problem) from None


def clear_events(call: AdminCall) -> Response:
    """``DELETE /events``."""
    call.require("manage-events")
    call.realm.events.clear()
    return no_content()


def events_config(call: AdminCall) -> Response:
    """``GET /events/config``."""
    call.require(*SEES_EVENTS)
    settings = call.realm.settings
    names = (*EVENT_SETTINGS, *ADMIN_EVENT_SETTINGS)
    return json_response({name: settings[name] for name in names if name in settings})


def put_events_config(call: AdminCall) -> Response:
    """``PUT /events/config``."""
    call.require("manage-events")
    call.realm.settings |= call.document("RealmEventsConfigRepresentation", {*EVENT_SETTINGS, *ADMIN_EVENT_SETTINGS})
    return no_content()


def realm_keys(call: AdminCall) -> Response:
    """``GET /keys``: of the active keys only the one that signs."""
    call.require(*SEES_REALM)
    key = {
        "kid": signing.key_id(),
        "status": "ACTIVE",
        "type": "RSA",
        "algorithm": "RS256",
        "use": "SIG",
        "publicKey": signing.public_der_base64(),
    }
    return json_response({"active": {"RS256": signing.key_id()}, "keys": [key]})


def server_info(call: AdminCall) -> Response:
    """``GET /admin/serverinfo``: version and the features that matter to machine clients."""
    call.require(*ANY_ADMIN_ROLE)
    features = {
        "CLIENT_SECRET_ROTATION": ("PREVIEW", call.server.secret_rotation),
        "CLIENT_AUTH_FEDERATED": ("DEFAULT", True),
        "SPIFFE": ("PREVIEW", False),
    }
    shown = [{"name": name, "type": kind, "enabled": on} for name, (kind, on) in features.items()]
    return json_response({"systemInfo": {"version": VERSION}, "features": shown})


def client_roles(call: AdminCall, client_uuid: str, role: str | None = None) -> Response:
    """``GET /clients/{id}/roles[/{name}]``: those of ``realm-management``; other clients have none."""
    client = call.client(client_uuid)
    call.require(*SEES_CLIENTS)
    roles = call.realm.role_ids if client.client_id == builtin.REALM_MANAGEMENT else {}
    if role is None:
        return json_response([_role(call, client.id, name) for name in roles])
    if role not in roles:
        raise errors.plain(HTTPStatus.NOT_FOUND, "Could not find role")
    return json_response(_role(call, client.id, role) | {"attributes": {}})


def _role(call: AdminCall, container: str, name: str) -> dict[str, Any]:
    return {
        "id": call.realm.role_ids[name],
        "name": name,
        "description": f"${{role_{name}}}",
        "composite": name == "realm-admin" or name in builtin.COMPOSITE_ROLES,
        "clientRole": True,
        "containerId": container,
    }


def mapped_roles(call: AdminCall, user_id: str, client_uuid: str) -> Response:
    """``GET /users/{id}/role-mappings/clients/{client}``."""
    account = _account(call, user_id)
    call.client(client_uuid)
    return json_response([_role(call, client_uuid, name) for name in sorted(account.roles)])


def map_roles(call: AdminCall, user_id: str, client_uuid: str) -> Response:
    """``POST`` and ``DELETE /users/{id}/role-mappings/clients/{client}``; nobody gives a role they have not."""
    account = _account(call, user_id)
    call.client(client_uuid)
    call.require("manage-users")
    names = {identifier: name for name, identifier in call.realm.role_ids.items()}
    sent = call.request.get_json(silent=True) or []
    if any(role.get("id") not in names for role in sent):
        raise errors.plain(HTTPStatus.NOT_FOUND, "Role not found")
    chosen = {names[role["id"]] for role in sent}
    if not all(_may_give(call, role) for role in resolve(chosen)):
        raise errors.forbidden()
    if call.request.method == "POST":
        account.roles |= chosen
    else:
        account.roles -= chosen
    return no_content()


def _may_give(call: AdminCall, role: str) -> bool:
    """Say whether the caller has this role, or the one that manages what it shows."""
    kind, _, what = role.partition("-")
    return call.may(role) or (kind in {"view", "query"} and call.may(f"manage-{what}"))


def _account(call: AdminCall, user_id: str) -> ServiceAccount:
    call.require("view-users", "manage-users")
    call.require(*SEES_CLIENTS)
    for client in call.realm.clients.values():
        if client.service_account and client.service_account.id == user_id:
            return client.service_account
    raise errors.plain(HTTPStatus.NOT_FOUND, "User not found")
