"""The JSON Schemas of catalog files and of the owners file, with the words of these pages."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Final

from words import (
    ALLOWED,
    API_KEY,
    BOOTSTRAP,
    CLIENT,
    CREDENTIAL,
    DELIVERY,
    GOVERNED,
    MANUAL,
    PERMANENT,
    SCHEDULE,
    SECRET,
    SERVER,
    TRANSITIONAL,
    WAIVER,
    WEBHOOK,
    Words,
)

from keysteward.modules.catalog_schema import catalog_schema, owners_schema

IN_YAML: Final[Mapping[str, str]] = {
    "target": "the name of a target that the stack gives to the catalog",
    "deliver_to": "one or several places: store:path, or a mapping of store and path; {name} stands for the name",
    "access": "resource server, by name, to scopes that every token or key has",
    "optional_access": "resource server, by name, to scopes that a token has when it asks for them",
    "ceiling": "resource server, by name, to permissions: all that any of them may be allowed",
    "classification": "why it is no M2M client: transitional, permanent_exception or bootstrap, exactly one",
    "waivers": "the numbered rules that it may break, each with a reason, who approved it, and a last day",
    "migrate_to": "the name of the M2M client that takes over",
    "proven_by": "the name of a manual target whose probe proves each key, where its target can prove none",
}
"""What is said of a field that is written in another way in a catalog file than in Python."""

FORMS: Final[Mapping[str, Mapping[str, Words]]] = {
    "ResourceServer": SERVER,
    "M2MClient": {**CREDENTIAL, **CLIENT},
    "ClientSecret": {**CREDENTIAL, **SECRET},
    "ApiKey": {**CREDENTIAL, **API_KEY},
    "ManualKey": {**CREDENTIAL, **MANUAL},
    "Governed": GOVERNED,
    "Allowed": ALLOWED,
    "RotationSchedule": SCHEDULE,
    "Waiver": WAIVER,
    "Transitional": TRANSITIONAL,
    "PermanentException": PERMANENT,
    "Bootstrap": BOOTSTRAP,
    "DeliveryForm": DELIVERY,
    "WebhookForm": WEBHOOK,
    "Defaults": {**API_KEY, **CLIENT, **CREDENTIAL},
}


def catalog() -> str:
    """Return the JSON Schema of a catalog file, with the words of these pages."""
    words = {
        form: {name: IN_YAML.get(name, _for_an_editor(said)) for name, said in fields.items()}
        for form, fields in FORMS.items()
    }
    return json.dumps(catalog_schema(words), indent=2) + "\n"


def _for_an_editor(said: Words) -> str:
    """Return the words of a field as plain text, with the values of YAML."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", said.meaning)
    return text.replace("`True`", "true").replace("`", "")


def owners() -> str:
    """Return the JSON Schema of the owners file."""
    return json.dumps(owners_schema(), indent=2) + "\n"
