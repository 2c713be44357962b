"""The set-up for two secrets at once: a client profile with executor `secret-rotation`, and a policy that selects.

Both documents hold everybody's entries: read, changed, written whole, read back.

Keycloak's own expiry is a backstop only: an expired primary refuses the rotated secret too. So it is ten years, and
the planner ends what is to end.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, Final

from keysteward.core.errors import Conflict, Rejected
from keysteward.providers.keycloak.admin import AdminApi
from keysteward.providers.keycloak.models import ROTATION, Client

FEATURE: Final = "`--features=client-secret-rotation` and secret_rotation=True"
NAME: Final = "keysteward-rotation"
EXECUTOR: Final = "secret-rotation"
NATIVE: Final = "native"

LONGEST_OVERLAP: Final = timedelta(days=365)
LIFE: Final = timedelta(days=3650)
ROTATED_LIFE: Final = 2 * LONGEST_OVERLAP
"""The rotated secret outlives the longest overlap by a year, so that a runner that stood still causes no outage."""

SHORTEST_LIFE: Final = timedelta(days=730)
"""A policy of somebody else that ends primaries earlier than this is tighter than a rotation schedule may need."""

CONFIGURATION: Final = {
    "expiration-period": int(LIFE.total_seconds()),
    "rotated-expiration-period": int(ROTATED_LIFE.total_seconds()),
    "remaining-rotation-period": 0,
}
PROFILE: Final[Mapping[str, Any]] = {
    "name": NAME,
    "description": "Native overlap for clients that keysteward rotates",
    "executors": [{"executor": EXECUTOR, "configuration": CONFIGURATION}],
}
POLICY: Final[Mapping[str, Any]] = {
    "name": NAME,
    "description": f"Clients with attribute {ROTATION}={NATIVE}",
    "enabled": True,
    "conditions": [
        {
            "condition": "client-attributes",
            "configuration": {"attributes": json.dumps([{"key": ROTATION, "value": NATIVE}])},
        }
    ],
    "profiles": [NAME],
}


def prepare(api: AdminApi, client: Client, overlap: timedelta) -> None:
    """Write profile and policy, then the attribute that selects this client. Repeatable.

    The attribute comes last: Keycloak applies the policy in the very call that sets it. Raises Conflict when another
    policy would end secrets of this client too early, Rejected when the server lacks the feature.
    """
    profiles = api.policy_document("profiles")
    policies = api.policy_document("policies")
    tight = next(_tighter(profiles, policies, client, overlap), None)
    if tight is not None:
        text = (
            f"client policy {tight!r} ends secrets of client {client.client_id!r} earlier than an overlap of "
            f"{overlap.days} days allows; exclude the client from it, or lengthen its periods"
        )
        raise api.error(Conflict, "prepare", text)
    _put(api, "profiles", profiles, PROFILE)
    _put(api, "policies", policies, POLICY)
    if client.text(ROTATION) != NATIVE:
        api.put_client(client.id, {"attributes": {ROTATION: NATIVE}}, "prepare")


def _put(api: AdminApi, kind: str, document: Mapping[str, Any], entry: Mapping[str, Any]) -> None:
    entries = document.get(kind) or []
    present = next((found for found in entries if found.get("name") == NAME), None)
    if present is not None and _holds(present, entry):
        return
    others = [found for found in entries if found.get("name") != NAME]
    written = {key: value for key, value in document.items() if not key.startswith("global")}
    try:
        api.put_policy_document(kind, {**written, kind: [*others, entry]})
    except Rejected as problem:
        refused = problem
    else:
        now = api.policy_document(kind).get(kind) or []
        kept = {found.get("name") for found in now}
        if not any(_holds(found, entry) for found in now) or not {found.get("name") for found in others} <= kept:
            raise api.error(Conflict, "prepare", f"client {kind} were written by somebody else meanwhile; run again")
        return
    text = f"Keycloak refuses the rotation profile; start the server with {FEATURE.split(' and ', maxsplit=1)[0]}"
    raise api.error(Rejected, "prepare", f"{text} ({refused.message})")


def _holds(found: Mapping[str, Any], entry: Mapping[str, Any]) -> bool:
    return all(found.get(key) == value for key, value in entry.items())


def _tighter(
    profiles: Mapping[str, Any], policies: Mapping[str, Any], client: Client, overlap: timedelta
) -> Iterator[str]:
    """Name the policies of others that may select this client and end its secrets too early."""
    periods = {profile.get("name"): list(_periods(profile)) for profile in profiles.get("profiles") or []}
    for policy in policies.get("policies") or []:
        if policy.get("name") == NAME or not policy.get("enabled", False) or not _may_select(policy, client):
            continue
        for name in policy.get("profiles") or []:
            if any(life < SHORTEST_LIFE or rotated < overlap for life, rotated in periods.get(name, [])):
                yield str(policy.get("name"))


def _periods(profile: Mapping[str, Any]) -> Iterator[tuple[timedelta, timedelta]]:
    for executor in profile.get("executors") or []:
        if executor.get("executor") == EXECUTOR:
            settings = executor.get("configuration") or {}
            yield _seconds(settings, "expiration-period"), _seconds(settings, "rotated-expiration-period")


def _seconds(settings: Mapping[str, Any], name: str) -> timedelta:
    """Read a period; an absent one is Keycloak's default, which is always tighter than ours."""
    try:
        return timedelta(seconds=int(settings.get(name, 0)))
    except (TypeError, ValueError, OverflowError):
        return timedelta()


def _may_select(policy: Mapping[str, Any], client: Client) -> bool:
    """Say whether all conditions may hold; only those on attributes are known here."""
    return all(_may_hold(condition, client) for condition in policy.get("conditions") or [])


def _may_hold(condition: Mapping[str, Any], client: Client) -> bool:
    if condition.get("condition") != "client-attributes":
        return True
    settings = condition.get("configuration") or {}
    try:
        wanted = json.loads(settings.get("attributes") or "[]")
        holds = all(client.text(pair["key"]) == pair["value"] for pair in wanted)
    except (ValueError, TypeError, KeyError, RecursionError):
        return True
    return not holds if str(settings.get("is-negative-logic", "")).lower() == "true" else holds
