"""Which scopes are a wildcard or an administrator's: one table. Pure.

A scope is read without the address or audience before its name (`https://admin.example.com/invoices.read` is
`invoices.read`), in parts between `:`, `/` and `.`, and without regard to case. A part has to *be* the word: "all" in
`all-hands:read` and "admin" in `admin-reports:read` say nothing. What only reads (`...readonly`) is no administrator's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache


@dataclass(frozen=True, slots=True)
class Sweep:
    """Scopes that allow all of something. `scopes` are shell patterns of a whole name; `what` is what they allow."""

    vendor: str
    scopes: tuple[str, ...]
    what: str


TABLE = (
    Sweep("any", ("all", "everything", "root", "owner"), "all that the API offers"),
    Sweep("any", ("*-admin", "*_admin", "*-administrator", "*_administrator"), "an administrator's rights"),
    Sweep(
        "Keycloak",
        (
            "create-client",
            "create-realm",
            "impersonation",
            "manage-authorization",
            "manage-clients",
            "manage-identity-providers",
            "manage-realm",
            "manage-users",
        ),
        "administration of the realm",
    ),
    Sweep("Keycloak", ("offline_access",), "tokens that outlive every session"),
    Sweep("WorkOS", ("widgets:*:manage",), "administration of an organization"),
    Sweep(
        "Okta",
        (
            "okta.apitokens.manage",
            "okta.apps.manage",
            "okta.authorizationservers.manage",
            "okta.clients.manage",
            "okta.groups.manage",
            "okta.idps.manage",
            "okta.policies.manage",
            "okta.roles.manage",
            "okta.users.manage",
        ),
        "administration of the tenant",
    ),
    Sweep("Auth0", ("create:client_grants", "update:client_grants"), "the right to give itself any scope"),
    Sweep("AWS", ("administratoraccess", "poweruseraccess", "iamfullaccess"), "nearly all of an account"),
    Sweep("Microsoft", (".default", "*/.default"), "all that was ever consented to"),
    Sweep(
        "Microsoft",
        (
            "application.readwrite.all",
            "approleassignment.readwrite.all",
            "directory.accessasuser.all",
            "directory.readwrite.all",
            "rolemanagement.readwrite.*",
            "*.fullcontrol.all",
            "full_access_as_app",
        ),
        "administration of the directory, or of everybody's data",
    ),
    Sweep("Google", ("auth/cloud-platform",), "all that its roles allow in Google Cloud"),
    Sweep("Google", ("auth/drive",), "everybody's files"),
    Sweep(
        "GitHub",
        ("repo", "delete_repo", "administration:write", "organization_administration:write"),
        "full control of repositories or of the organization",
    ),
)
"""The scopes known to be sweeping, beside wildcards and parts that are one of ADMINISTRATORS."""

ADMINISTRATORS = frozenset({"admin", "administrator", "superuser", "sudo", "full_access", "full-access", "fullaccess"})
"""Parts of a name that stand for an administrator, wherever they stand: `admin:org`, `users:admin`."""

_ADDRESS = re.compile(r"^[a-z][a-z0-9+.-]*://[^/]*/")


def sweeping(scope: str, audiences: Iterable[str] = ()) -> str | None:
    """Return what makes a scope sweeping, in words; None when nothing does.

    `audiences` are those of its resource servers, which some targets write before the scope's name.
    """
    return _what(_name(scope.casefold(), audiences))


@lru_cache(maxsize=4096)
def _what(name: str) -> str | None:
    if "*" in name:
        return "a wildcard"
    parts = re.split(r"[:/.]", name)
    if parts[-1] == "readonly":
        return None
    if ADMINISTRATORS.intersection(parts):
        return "an administrator's rights"
    return next((row.what for row in TABLE if any(fnmatchcase(name, pattern) for pattern in row.scopes)), None)


def _name(scope: str, audiences: Iterable[str]) -> str:
    """Return a scope's own name, without the address or audience before it."""
    for audience in audiences:
        before = f"{audience.casefold().rstrip('/')}/"
        if scope.startswith(before) and scope != before:
            return scope.removeprefix(before)
    return _ADDRESS.sub("", scope) or scope
