"""Which scopes are a wildcard or an administrator's: one table. Pure.

A scope is read without the address or audience before its name (`https://admin.example.com/invoices.read` is
`invoices.read`), in parts between `:`, `/` and `.`, and without regard to case. A part has to *be* the word: "all" in
`all-hands:read` and "admin" in `admin-reports:read` say nothing. What only reads (`...readonly`) is no administrator's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from functools import lru_cache

from keysteward.core.contract.capabilities import BroadScopes

TABLE: Mapping[str, tuple[BroadScopes, ...]] = {
    "any": (
        BroadScopes(("all", "everything", "root", "owner"), "all that the API offers"),
        BroadScopes(("*-admin", "*_admin", "*-administrator", "*_administrator"), "an administrator's rights"),
        BroadScopes(("offline_access",), "tokens that outlive every session"),
    ),
    "Okta": (
        BroadScopes(
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
    ),
    "Auth0": (BroadScopes(("create:client_grants", "update:client_grants"), "the right to give itself any scope"),),
    "AWS": (BroadScopes(("administratoraccess", "poweruseraccess", "iamfullaccess"), "nearly all of an account"),),
    "Microsoft": (
        BroadScopes((".default", "*/.default"), "all that was ever consented to"),
        BroadScopes(
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
    ),
    "Google": (
        BroadScopes(("auth/cloud-platform",), "all that its roles allow in Google Cloud"),
        BroadScopes(("auth/drive",), "everybody's files"),
    ),
    "GitHub": (
        BroadScopes(
            ("repo", "delete_repo", "administration:write", "organization_administration:write"),
            "full control of repositories or of the organization",
        ),
    ),
}
"""The scopes known to be sweeping, beside wildcards and parts that are one of ADMINISTRATORS, and beside those that a
target says of itself (`Capabilities.broad_scopes`): those of vendors whose APIs people protect or call anywhere."""

_ROWS = tuple(row for rows in TABLE.values() for row in rows)

ADMINISTRATORS = frozenset({"admin", "administrator", "superuser", "sudo", "full_access", "full-access", "fullaccess"})
"""Parts of a name that stand for an administrator, wherever they stand: `admin:org`, `users:admin`."""

_ADDRESS = re.compile(r"^[a-z][a-z0-9+.-]*://[^/]*/")


def sweeping(scope: str, audiences: Iterable[str] = (), known: tuple[BroadScopes, ...] = ()) -> str | None:
    """Return what makes a scope sweeping, in words; None when nothing does.

    `audiences` are those of its resource servers, which some targets write before the scope's name; `known` are the
    scopes that its target says are sweeping there.
    """
    return _what(_name(scope.casefold(), audiences), known)


@lru_cache(maxsize=4096)
def _what(name: str, known: tuple[BroadScopes, ...]) -> str | None:
    if "*" in name:
        return "a wildcard"
    parts = re.split(r"[:/.]", name)
    if parts[-1] == "readonly":
        return None
    if ADMINISTRATORS.intersection(parts):
        return "an administrator's rights"
    return next(
        (row.what for row in (*_ROWS, *known) if any(fnmatchcase(name, pattern) for pattern in row.scopes)), None
    )


def _name(scope: str, audiences: Iterable[str]) -> str:
    """Return a scope's own name, without the address or audience before it."""
    for audience in audiences:
        before = f"{audience.casefold().rstrip('/')}/"
        if scope.startswith(before) and scope != before:
            return scope.removeprefix(before)
    return _ADDRESS.sub("", scope) or scope
