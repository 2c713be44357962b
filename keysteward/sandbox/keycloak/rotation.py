"""The preview feature ``client-secret-rotation``: when a secret expires, and when the old one is kept beside it.

Source: Server Administration Guide, "Client secret rotation"; details as seen on Keycloak 26.7.5 with
``--features=client-secret-rotation``. Nothing happens in the background: only a write of the client acts.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from keysteward.sandbox.keycloak.models import CREATION_TIME, new_secret

if TYPE_CHECKING:
    from keysteward.sandbox.keycloak.models import Client, Realm

EXECUTOR = "secret-rotation"
CONDITIONS = frozenset({"any-client", "client-attributes"})
"""Conditions of a policy that the stand-in knows; others are answered as unknown."""

EXPIRATION_TIME = "client.secret.expiration.time"
ROTATED = "client.secret.rotated"
ROTATED_CREATION_TIME = "client.secret.rotated.creation.time"
ROTATED_EXPIRATION_TIME = "client.secret.rotated.expiration.time"

PERIODS = ("expiration-period", "rotated-expiration-period", "remaining-rotation-period")


def periods(configuration: dict[str, Any]) -> dict[str, int]:
    """Return the executor's three periods in seconds; `KeyError` when one is missing: there are no defaults."""
    return {name: int(configuration[name]) for name in PERIODS}


def valid(configuration: dict[str, Any]) -> bool:
    """Say whether the server takes this configuration: no period may be longer than ``expiration-period``."""
    if int(configuration.get("expiration-period", 1)) <= 0:
        return False
    wanted = periods(configuration)
    return max(wanted.values()) <= wanted["expiration-period"]


def policy_for(realm: Realm, client: Client) -> dict[str, int] | None:
    """Return the periods of the first enabled policy that selects this client; None when there is none."""
    executors = {profile["name"]: profile.get("executors") or [] for profile in realm.profiles}
    for policy in realm.policies:
        if not policy.get("enabled") or not all(_holds(item, client) for item in policy.get("conditions") or []):
            continue
        for name in policy.get("profiles") or []:
            for executor in executors.get(name, []):
                if executor["executor"] == EXECUTOR:
                    return periods(executor["configuration"])
    return None


def _holds(condition: dict[str, Any], client: Client) -> bool:
    if condition["condition"] == "any-client":
        return True
    wanted = json.loads((condition.get("configuration") or {}).get("attributes") or "[]")
    return all(client.attributes.get(pair["key"]) == pair["value"] for pair in wanted)


def stumbles(realm: Realm, client: Client, sent: dict[str, Any]) -> bool:
    """Say whether the executor fails at an update: it looks for an expiry in attributes that the body does not have."""
    unknown = client.confidential and EXPIRATION_TIME not in client.attributes and "attributes" not in sent
    return unknown and policy_for(realm, client) is not None


def after_write(realm: Realm, client: Client, now: int, *, enabled: bool) -> None:
    """Do what the executor does when a client was created or updated."""
    policy = policy_for(realm, client) if enabled else None
    if policy is None:
        clear(client, enabled=enabled)
    elif EXPIRATION_TIME not in client.attributes:
        client.attributes[EXPIRATION_TIME] = str(now + policy["expiration-period"])
    elif primary_expired(client, now):
        _rotate(client, policy, now)


def regenerate(realm: Realm, client: Client, now: int, *, enabled: bool) -> str:
    """Give the client a new secret; with a policy the present one lives on in the rotated slot."""
    policy = policy_for(realm, client) if enabled else None
    if policy is None:
        clear(client, enabled=enabled)
        client.secret = new_secret()
        client.attributes[CREATION_TIME] = str(now)
    else:
        _rotate(client, policy, now)
    return client.secret or ""


def clear(client: Client, *, enabled: bool) -> None:
    """Forget the rotated secret and every expiry; the creation time stays.

    With the feature on, a rotated secret that lacks one of its times is not seen and stays too.
    """
    client.attributes.pop(EXPIRATION_TIME, None)
    if has_rotated(client) or not enabled:
        clear_rotated(client)


def has_rotated(client: Client) -> bool:
    """Say whether there is a rotated secret: one without both of its times does not count."""
    return all(name in client.attributes for name in (ROTATED, ROTATED_CREATION_TIME, ROTATED_EXPIRATION_TIME))


def clear_rotated(client: Client) -> None:
    """Forget the rotated secret."""
    for name in (ROTATED, ROTATED_CREATION_TIME, ROTATED_EXPIRATION_TIME):
        client.attributes.pop(name, None)


def _rotate(client: Client, policy: dict[str, int], now: int) -> None:
    clear_rotated(client)
    if policy["rotated-expiration-period"] > 0 and client.secret:
        client.attributes[ROTATED] = client.secret
        client.attributes[ROTATED_CREATION_TIME] = str(now)
        client.attributes[ROTATED_EXPIRATION_TIME] = str(now + policy["rotated-expiration-period"])
    client.secret = new_secret()
    client.attributes[CREATION_TIME] = str(now)
    client.attributes[EXPIRATION_TIME] = str(now + policy["expiration-period"])


def primary_expired(client: Client, now: int) -> bool:
    """Say whether the client's own secret is past its time."""
    return _past(client.attributes.get(EXPIRATION_TIME), now)


def rotated_accepts(client: Client, secret: str, now: int) -> bool:
    """Say whether this is the rotated secret, still in its time."""
    if not has_rotated(client) or client.attributes[ROTATED] != secret:
        return False
    return not _past(client.attributes.get(ROTATED_EXPIRATION_TIME), now)


def _past(epoch: str | None, now: int) -> bool:
    return epoch is not None and int(epoch) < now
