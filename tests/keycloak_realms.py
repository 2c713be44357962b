"""Administrators for tests on a Keycloak, stand-in or real: made over its own API."""

from __future__ import annotations

import uuid
from collections.abc import Iterable

import requests

MASTER_ID, MASTER_SECRET = "sandbox-admin", "sandbox-admin-secret"
DAY = 86400
MASTER = f"master/{MASTER_ID}:{MASTER_SECRET}"


def as_master(url: str, method: str, path: str, document: object = None, **params: str) -> requests.Response:
    """Call the admin API with every right; `path` is below /admin/realms."""
    form = {"grant_type": "client_credentials", "client_id": MASTER_ID, "client_secret": MASTER_SECRET}
    login = requests.post(f"{url}/realms/master/protocol/openid-connect/token", data=form, timeout=60)
    headers = {"Authorization": f"Bearer {login.json()['access_token']}"}
    address = f"{url}/admin/realms/{path}"
    answer = requests.request(method, address, json=document, params=params, headers=headers, timeout=60)
    assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text}"
    return answer


def administrator(url: str, realm: str, roles: Iterable[str], *, full_scope: bool = True) -> str:
    """Make a service account with roles of realm-management; returns what a reference to it must hold."""
    client_id, secret = f"admin-{uuid.uuid4().hex[:6]}", "s:ecret%+/"
    body = {
        "clientId": client_id,
        "secret": secret,
        "publicClient": False,
        "serviceAccountsEnabled": True,
        "standardFlowEnabled": False,
        "fullScopeAllowed": full_scope,
    }
    made = as_master(url, "POST", f"{realm}/clients", body).headers["Location"].rpartition("/")[2]
    user = as_master(url, "GET", f"{realm}/clients/{made}/service-account-user").json()["id"]
    management = as_master(url, "GET", f"{realm}/clients", clientId="realm-management").json()[0]["id"]
    known = as_master(url, "GET", f"{realm}/clients/{management}/roles").json()
    chosen = [role for role in known if role["name"] in set(roles)]
    assert {role["name"] for role in chosen} == set(roles)
    as_master(url, "POST", f"{realm}/users/{user}/role-mappings/clients/{management}", chosen)
    return f"{client_id}:{secret}"


KEPT_CLIENTS = {"account", "account-console", "admin-cli", "broker", "realm-management", "security-admin-console"}
"""The clients that every realm has from its beginning."""


def scopes_of(url: str, realm: str) -> set[str]:
    """Return the ids of a realm's client scopes."""
    return {scope["id"] for scope in as_master(url, "GET", f"{realm}/client-scopes").json()}


def empty(url: str, realm: str, scopes: set[str]) -> None:
    """Delete what a test made in a realm: clients, and the scopes and policies that it did not have before."""
    for client in as_master(url, "GET", f"{realm}/clients", max="1000").json():
        if client["clientId"] not in KEPT_CLIENTS:
            as_master(url, "DELETE", f"{realm}/clients/{client['id']}")
    for scope in scopes_of(url, realm) - scopes:
        as_master(url, "DELETE", f"{realm}/client-scopes/{scope}")
    as_master(url, "PUT", f"{realm}/client-policies/policies", {"policies": []})
    as_master(url, "PUT", f"{realm}/client-policies/profiles", {"profiles": []})


def rotate_any_client(url: str, realm: str) -> None:
    """Give a realm the policy that rotates the secret of every client, with periods that leave room for overlaps."""
    days = {"expiration-period": 800, "rotated-expiration-period": 30, "remaining-rotation-period": 10}
    periods = {name: number * DAY for name, number in days.items()}
    executors = [{"executor": "secret-rotation", "configuration": periods}]
    profiles = [{"name": "everybody", "executors": executors}]
    conditions = [{"condition": "any-client", "configuration": {}}]
    policies = [{"name": "everybody", "enabled": True, "conditions": conditions, "profiles": ["everybody"]}]
    as_master(url, "PUT", f"{realm}/client-policies/profiles", {"profiles": profiles})
    as_master(url, "PUT", f"{realm}/client-policies/policies", {"policies": policies})
