"""Which clients and keys a Terraform or OpenTofu state file says are managed there; of the rest nothing is kept.

State files (JSON, version 4) hold secrets in plain text: only the attributes that name a thing are taken out of one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from keysteward.core.errors import DeclarationError

STATE_VERSION: Final = 4
LARGEST_STATE: Final = 200_000_000
"""Bytes of a state file."""

IDS: Final[Mapping[str, tuple[str, ...]]] = {
    "keycloak_openid_client": ("client_id", "id"),
    "keycloak_saml_client": ("client_id", "id"),
    "auth0_client": ("client_id", "id"),
    "okta_app_oauth": ("client_id", "id"),
    "azuread_application": ("client_id", "application_id", "object_id"),
    "azuread_application_registration": ("client_id", "object_id"),
    "aws_iam_access_key": ("id",),
    "aws_api_gateway_api_key": ("id",),
    "aws_cognito_user_pool_client": ("id",),
}
"""Types of resources of the providers, and the attributes that hold what a target calls such a thing."""

WITHIN: Final[Mapping[str, tuple[str, str]]] = {
    "keycloak_openid_client": ("realm_id", "realm"),
    "keycloak_saml_client": ("realm_id", "realm"),
    "aws_cognito_user_pool_client": ("user_pool_id", "user_pool"),
}
"""The attribute that says in which realm or pool it is, and the setting of our target that says the same."""


@dataclass(frozen=True, slots=True)
class Managed:
    """One thing that is managed by a state: its address there, its ids, and in what it lies ("" where not said)."""

    address: str
    kind: str
    ids: tuple[str, ...]
    within: str = ""

    def lies_in(self, settings: Mapping[str, Any]) -> bool:
        """Say whether it may be of a target with these settings."""
        setting = WITHIN.get(self.kind, ("", ""))[1]
        return not self.within or setting not in settings or settings[setting] == self.within


def read_state(path: Path) -> list[Managed]:
    """Return the clients and keys of one state file. Raises DeclarationError for what is no state file."""
    try:
        if path.stat().st_size > LARGEST_STATE:
            raise DeclarationError(f"{path}: it is larger than {LARGEST_STATE // 1_000_000} MB; that is no state file")
        document = json.loads(path.read_bytes())
    except OSError as error:
        raise DeclarationError(f"{path}: it cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError):
        raise DeclarationError(f"{path}: it is not JSON; pull the state into a file: terraform state pull") from None
    if isinstance(document, dict) and "encrypted_data" in document:
        raise DeclarationError(f"{path}: the state is encrypted; pull it into a file: tofu state pull")
    if not isinstance(document, dict) or document.get("version") != STATE_VERSION:
        raise DeclarationError(f"{path}: it is no state of version {STATE_VERSION}; pull it: terraform state pull")
    resources = document.get("resources")
    return [managed for resource in _mappings(resources) for managed in _managed(resource)]


def _managed(resource: Mapping[str, Any]) -> Iterator[Managed]:
    kind = resource.get("type")
    if resource.get("mode") != "managed" or not isinstance(kind, str) or kind not in IDS:
        return
    parts = (_text(resource, "module"), kind, _text(resource, "name"))
    address = ".".join(part for part in parts if part)
    for instance in _mappings(resource.get("instances")):
        attributes = instance.get("attributes")
        if not isinstance(attributes, dict):
            continue
        ids = tuple(dict.fromkeys(text for name in IDS[kind] if (text := _text(attributes, name))))
        key = instance.get("index_key")
        index = f"[{json.dumps(key)}]" if isinstance(key, (str, int)) else ""
        within = _text(attributes, WITHIN[kind][0]) if kind in WITHIN else ""
        yield Managed(address + index, kind, ids, within)


def _mappings(value: object) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _text(value: Mapping[str, Any], name: str) -> str:
    found = value.get(name)
    return found if isinstance(found, str) else ""
