"""JSON Schemas (draft 2020-12) of the files that people write: catalog files and the owners file.

They are made from the models that read these files, shipped as `keysteward/schemas/*.schema.json`, and written anew by
`make docs`, which knows the words for each field.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import resources
from typing import Any, Final, Literal

from pydantic import create_model

from keysteward.core.declare.owners import Owners
from keysteward.modules.catalog_form import DAY_PATTERN, FORMS, DefaultsForm, Form, Named

Kind = Literal["catalog", "owners"]
KINDS: Final[tuple[Kind, ...]] = ("catalog", "owners")
DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
Words = Mapping[str, Mapping[str, str]]

_SECTIONS: Final[Mapping[str, Any]] = {
    "defaults": (DefaultsForm, None),
    **{section: (dict[Named, form], None) for section, form in FORMS.items()},  # type: ignore[valid-type]
}

FileForm: Final[type[Form]] = create_model(
    "Catalog",
    __base__=Form,
    __doc__="Declarations of one file; see docs/catalog.md.",
    **_SECTIONS,
)


def shipped(kind: Kind) -> str:
    """Return the text of a schema as it is shipped."""
    return (resources.files("keysteward") / "schemas" / f"{kind}.schema.json").read_text(encoding="utf-8")


def catalog_schema(words: Words) -> dict[str, Any]:
    """Return the schema of a catalog file. `words` says what each field of each class means.

    A field that is required may stand in `defaults` in place of every entry, so what is required depends on them.
    """
    schema = _plain(FileForm.model_json_schema())
    forms = {section: schema["$defs"][form.__name__] for section, form in FORMS.items()}
    for name, definition in schema["$defs"].items():
        for field, value in definition["properties"].items():
            meaning = words.get(name, {}).get(field)
            if meaning is not None:
                value["description"] = meaning
    schema["allOf"] = list(_required(forms))
    return {"$schema": DIALECT, "title": "A catalog file of keysteward", **schema}


def _required(forms: Mapping[str, dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Take the fields that may be defaults out of what entries require, and yield when they do require them."""
    needing: dict[str, list[str]] = {}
    for section, form in forms.items():
        for field in [name for name in form["required"] if name in DefaultsForm.model_fields]:
            form["required"].remove(field)
            needing.setdefault(field, []).append(section)
    for field, sections in needing.items():
        entries = {section: {"additionalProperties": {"required": [field]}} for section in sections}
        given = {"required": ["defaults"], "properties": {"defaults": {"required": [field]}}}
        yield {"if": {"not": given}, "then": {"properties": entries}}


def owners_schema() -> dict[str, Any]:
    """Return the schema of the owners file."""
    schema = _plain(Owners.model_json_schema())
    for name, state, day in (("Owner", "leaving", "leaves"), ("Consumer", "retiring", "retires")):
        schema["$defs"][name] |= {
            "if": {"required": ["state"], "properties": {"state": {"const": state}}},
            "then": {"required": [day], "properties": {day: {"type": "string"}}},
            "else": {"properties": {day: {"type": "null"}}},
        }
    return {"$schema": DIALECT, "title": "The owners file of keysteward", **schema}


def _plain(value: Any) -> Any:  # noqa: ANN401 - JSON
    """Leave out what only repeats names of fields, and say of days how they are written."""
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if not isinstance(value, dict):
        return value
    kept = {key: _plain(item) for key, item in value.items() if not (key == "title" and isinstance(item, str))}
    if "patternProperties" in kept:
        kept.setdefault("additionalProperties", False)
    if kept.get("format") == "date":
        kept["pattern"] = DAY_PATTERN
    if "default" in kept and kept["default"] is None:
        del kept["default"]
    if isinstance(kept.get("description"), str):
        kept["description"] = " ".join(kept["description"].split("\n\n")[0].split())
    return kept
