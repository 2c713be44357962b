"""Every call the WorkOS stand-in answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from werkzeug.routing import Map, Rule

from keysteward.sandbox.workos import api_keys, applications, organizations, permissions, tokens

if TYPE_CHECKING:
    from collections.abc import Callable

    from werkzeug.wrappers import Response

TOKEN = "/oauth2/token"

PUBLIC: dict[str, Callable[..., Response]] = {
    "/oauth2/jwks": tokens.jwks,
    "/.well-known/oauth-authorization-server": tokens.metadata,
}

API: list[tuple[str, str, Callable[..., Response]]] = [
    ("GET", "/organizations", organizations.listing),
    ("POST", "/organizations", organizations.create),
    ("GET", "/organizations/external_id/<external_id>", organizations.show_external),
    ("GET", "/organizations/<organization_id>", organizations.show),
    ("GET", "/organizations/<organization_id>/api_keys", api_keys.of_organization),
    ("POST", "/organizations/<organization_id>/api_keys", api_keys.create_for_organization),
    ("POST", "/api_keys/validations", api_keys.validate),
    ("DELETE", "/api_keys/<key_id>", api_keys.delete),
    ("POST", "/api_keys/<key_id>/expire", api_keys.expire),
    ("GET", "/user_management/users", organizations.users),
    ("POST", "/user_management/users", organizations.create_user),
    ("GET", "/user_management/users/<user_id>", organizations.show_user),
    ("GET", "/user_management/users/<user_id>/api_keys", api_keys.of_user),
    ("POST", "/user_management/users/<user_id>/api_keys", api_keys.create_for_user),
    ("GET", "/user_management/organization_memberships", organizations.memberships),
    ("POST", "/user_management/organization_memberships", organizations.create_membership),
    ("GET", "/authorization/permissions", permissions.listing),
    ("POST", "/authorization/permissions", permissions.create),
    ("GET", "/authorization/permissions/<slug>", permissions.show),
    ("PATCH", "/authorization/permissions/<slug>", permissions.update),
    ("DELETE", "/authorization/permissions/<slug>", permissions.delete),
    ("GET", "/connect/applications", applications.listing),
    ("POST", "/connect/applications", applications.create),
    ("GET", "/connect/applications/<name>", applications.show),
    ("PUT", "/connect/applications/<name>", applications.update),
    ("DELETE", "/connect/applications/<name>", applications.delete),
    ("GET", "/connect/applications/<name>/client_secrets", applications.secrets_of),
    ("POST", "/connect/applications/<name>/client_secrets", applications.create_secret),
    ("DELETE", "/connect/client_secrets/<secret_id>", applications.delete_secret),
]

URLS = Map(
    [
        Rule(TOKEN, methods=["POST"], endpoint=("token", None)),
        *(Rule(path, methods=["GET"], endpoint=("public", view)) for path, view in PUBLIC.items()),
        *(Rule(path, methods=[method], endpoint=("api", view)) for method, path, view in API),
    ],
    strict_slashes=False,
    merge_slashes=False,
)
