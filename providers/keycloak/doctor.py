"""What `keysteward doctor` asks of a realm: does it answer, with which clock, features and rights."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from keysteward.core.contract.ports import Check
from keysteward.core.errors import AccessDenied
from keysteward.providers.keycloak.admin import AdminApi
from keysteward.providers.keycloak.client import KeycloakClient
from keysteward.providers.kit.doctor import asked, clock_check, diagnosed, transport_check

_READER: Final = {"view-clients", "query-clients"}
_ADMIN: Final = {"manage-clients"}
_POLICIES: Final = {"view-realm", "manage-realm"}

FEATURE: Final = "CLIENT_SECRET_ROTATION"


@dataclass(frozen=True, slots=True)
class Declared:
    """What is asked about: the target as it is declared. `reading` says that the reader's credential is asked."""

    name: str
    url: str
    realm: str
    reading: bool
    secret_rotation: bool


def diagnose(client: KeycloakClient, target: Declared) -> Iterator[Check]:
    """Yield one line per question; the first failure that hides the rest ends the list."""
    subject = f"{target.name}: realm {target.realm}"
    answers = asked(subject, client.issuer, "the server answers and the realm exists")
    yield from transport_check(target.name, target.url)
    yield from diagnosed(
        subject,
        (answers, lambda: _rights(client, target), lambda: [clock_check(target.name, client.now())]),
    )


def _rights(client: KeycloakClient, target: Declared) -> Iterator[Check]:
    api = AdminApi(client)
    role = "reader" if target.reading else "admin"
    subject = f"{target.name}: {role}"
    manages = any(found.access.get("manage", False) for found in api.list_clients().entries)
    yield Check(
        subject, ok=True, detail="may list clients and scopes; Keycloak shows it client secrets, so keep it safe"
    )
    if role == "reader" and manages:
        yield Check(subject, ok=False, detail="can write; give it view-clients and not manage-clients", warning=True)
    elif role == "admin":
        detail = "may manage clients" if manages else "may not write; give it manage-clients of realm-management"
        yield Check(subject, ok=manages, detail=detail)
    yield from _too_many(client.admin_roles(), target, subject)
    yield from _rotation(api, client.admin_roles(), target, subject)


def _too_many(roles: frozenset[str] | None, target: Declared, subject: str) -> Iterator[Check]:
    """Name the rights that are not needed; they show only when the credential lives in the realm itself."""
    if roles is None:
        detail = "lives in realm master, whose rights may reach other realms; use a client of the realm itself"
        yield Check(subject, ok=target.realm == "master", detail=detail, warning=True)
        return
    needed = _READER if target.reading else _READER | _ADMIN | (_POLICIES if target.secret_rotation else set())
    spare = sorted(roles - needed)
    if spare:
        detail = f"has rights that keysteward never needs; take {', '.join(spare)} from it"
        if "realm-admin" in roles:
            detail = "is realm-admin, which may do everything in the realm; give it only what it needs"
        yield Check(subject, ok=False, detail=detail, warning=True)


def _rotation(api: AdminApi, roles: frozenset[str] | None, target: Declared, subject: str) -> Iterator[Check]:
    info = api.server_info()
    features = {feature.name: feature.enabled for feature in info.features or ()}
    there = features.get(FEATURE)
    if there is not None:
        detail = f"client-secret-rotation is {'on' if there else 'off'} at the server"
        if there != target.secret_rotation:
            detail += f", the target is declared with secret_rotation={target.secret_rotation}; make both agree"
        agrees = there == target.secret_rotation
        yield Check(f"{target.name}: feature", ok=agrees, detail=detail, warning=not agrees and bool(there))
    if target.secret_rotation and not target.reading:
        try:
            api.policy_document("policies")
            may = info.system is not None if roles is None else "manage-realm" in roles
        except AccessDenied:
            may = False
        detail = "may write client policies" if may else "may not write client policies; give it manage-realm"
        yield Check(subject, ok=may, detail=detail)
