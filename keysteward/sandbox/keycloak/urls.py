"""Every call the Keycloak stand-in answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from werkzeug.routing import Map, Rule

from keysteward.sandbox.keycloak import clients, mappers, public, realms, scopes

if TYPE_CHECKING:
    from collections.abc import Callable

    from werkzeug.wrappers import Response

PUBLIC: dict[str, Callable[..., Response]] = {
    "/realms/<realm_name>": public.realm_page,
    "/realms/<realm_name>/.well-known/openid-configuration": public.discovery,
    "/realms/<realm_name>/protocol/openid-connect/certs": public.certs,
}
TOKEN = "/realms/<realm_name>/protocol/openid-connect/token"

SERVER: list[tuple[str, str, Callable[..., Response]]] = [
    ("GET", "/admin/serverinfo", realms.server_info),
    ("GET", "/admin/realms", realms.listing),
    ("POST", "/admin/realms", realms.create),
]

MAPPERS = "/<any('clients', 'client-scopes'):kind>/<owner_id>/protocol-mappers/models"
CLIENT_SCOPES = "/clients/<client_uuid>/<any('default', 'optional'):kind>-client-scopes"
REALM_SCOPES = "/default-<any('default', 'optional'):kind>-client-scopes"
ROLE_MAPPINGS = "/users/<user_id>/role-mappings/clients/<client_uuid>"

REALM: list[tuple[str, str, Callable[..., Response]]] = [
    ("GET", "", realms.show),
    ("PUT", "", realms.update),
    ("DELETE", "", realms.delete),
    ("GET", "/clients", clients.listing),
    ("POST", "/clients", clients.create),
    ("GET", "/clients/<client_uuid>", clients.show),
    ("PUT", "/clients/<client_uuid>", clients.update),
    ("DELETE", "/clients/<client_uuid>", clients.delete),
    ("GET", "/clients/<client_uuid>/client-secret", clients.secret),
    ("POST", "/clients/<client_uuid>/client-secret", clients.regenerate),
    ("GET", "/clients/<client_uuid>/client-secret/rotated", clients.rotated),
    ("DELETE", "/clients/<client_uuid>/client-secret/rotated", clients.drop_rotated),
    ("GET", "/clients/<client_uuid>/service-account-user", clients.service_account_user),
    ("GET", "/clients/<client_uuid>/roles", realms.client_roles),
    ("GET", "/clients/<client_uuid>/roles/<role>", realms.client_roles),
    ("GET", CLIENT_SCOPES, clients.assigned_scopes),
    ("PUT", f"{CLIENT_SCOPES}/<scope_id>", clients.assign_scope),
    ("DELETE", f"{CLIENT_SCOPES}/<scope_id>", clients.remove_scope),
    ("GET", "/client-scopes", scopes.listing),
    ("POST", "/client-scopes", scopes.create),
    ("GET", "/client-scopes/<scope_id>", scopes.show),
    ("PUT", "/client-scopes/<scope_id>", scopes.update),
    ("DELETE", "/client-scopes/<scope_id>", scopes.delete),
    ("GET", MAPPERS, mappers.listing),
    ("POST", MAPPERS, mappers.create),
    ("GET", f"{MAPPERS}/<mapper_id>", mappers.show),
    ("PUT", f"{MAPPERS}/<mapper_id>", mappers.update),
    ("DELETE", f"{MAPPERS}/<mapper_id>", mappers.delete),
    ("GET", REALM_SCOPES, scopes.realm_defaults),
    ("PUT", f"{REALM_SCOPES}/<scope_id>", scopes.add_realm_default),
    ("DELETE", f"{REALM_SCOPES}/<scope_id>", scopes.remove_realm_default),
    ("GET", ROLE_MAPPINGS, realms.mapped_roles),
    ("POST", ROLE_MAPPINGS, realms.map_roles),
    ("DELETE", ROLE_MAPPINGS, realms.map_roles),
    ("GET", "/client-policies/profiles", realms.profiles),
    ("PUT", "/client-policies/profiles", realms.put_profiles),
    ("GET", "/client-policies/policies", realms.policies),
    ("PUT", "/client-policies/policies", realms.put_policies),
    ("GET", "/events", realms.events),
    ("DELETE", "/events", realms.clear_events),
    ("GET", "/events/config", realms.events_config),
    ("PUT", "/events/config", realms.put_events_config),
    ("GET", "/keys", realms.realm_keys),
]

URLS = Map(
    [
        Rule(TOKEN, methods=["POST"], endpoint=("token", None)),
        *(Rule(path, methods=["GET"], endpoint=("public", view)) for path, view in PUBLIC.items()),
        *(Rule(path, methods=[method], endpoint=("admin", view)) for method, path, view in SERVER),
        *(
            Rule(f"/admin/realms/<realm_name>{path}", methods=[verb], endpoint=("admin", view))
            for verb, path, view in REALM
        ),
    ],
    strict_slashes=False,
    merge_slashes=False,
)
