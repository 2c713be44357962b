"""Writes catalog files as text that any reader of YAML, 1.1 or 1.2, reads as meant, whoever chose the names in it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Final

import yaml

from keysteward.host.strict_yaml import PLAIN_TAGS
from keysteward.modules.catalog_form import FORMS

WIDTH: Final = 120
SCHEMA_LINE: Final = "# yaml-language-server: $schema={}"
IN_ONE_LINE: Final = frozenset({"rotation", "classification", "access", "optional_access"})
DAYS: Final = frozenset({"expires", "reviewed", "review_by"})
SHARED: Final = ("rotation",)
"""Fields that become a default of their file where most entries say the same."""


class _OneLine(dict[str, Any]):
    """A mapping that is written in one line."""


class _Day(str):
    """A day, which is written without quotes: text for a reader of YAML 1.2, a date for one of YAML 1.1."""

    __slots__ = ()


class _Dumper(yaml.SafeDumper):
    """Quotes what YAML 1.1 or YAML 1.2 would not read as text, and indents lists below their key."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        """See PyYAML."""
        del indentless
        super().increase_indent(flow, indentless=False)

    def ignore_aliases(self, data: object) -> bool:
        """Write every value out: anchors are not taken."""
        del data
        return True


_Dumper.add_representer(
    _OneLine, lambda dumper, data: dumper.represent_mapping("tag:yaml.org,2002:map", data, flow_style=True)
)
_Dumper.add_representer(_Day, lambda dumper, data: dumper.represent_scalar("tag:yaml.org,2002:timestamp", str(data)))
for _name, _pattern, _first in PLAIN_TAGS:
    _Dumper.add_implicit_resolver(f"tag:yaml.org,2002:{_name}", re.compile(f"(?:{_pattern.pattern})\\Z"), _first)


def catalog_text(
    sections: Mapping[str, Mapping[str, Mapping[str, Any]]],
    defaults: Mapping[str, Any],
    *,
    schema: str,
    about: Iterable[str] = (),
) -> str:
    """Return the text of a file: the line for editors, words about it as comments, defaults, then its sections."""
    comments = [SCHEMA_LINE.format(schema), *(f"# {' '.join(line.split())}".rstrip() for line in about)]
    entries = {name: dict(fields) for name, fields in sections.items()}
    shared = {**defaults, **_shared(entries)}
    document: dict[str, Any] = {"defaults": _lines(shared)}
    for section in (name for name in ("resource_servers", *FORMS) if name in entries):
        document.setdefault(section, {})
        for name, fields in entries[section].items():
            said = {key: value for key, value in fields.items() if key not in shared or shared[key] != value}
            document[section][name] = _lines(said)
    parts = [_dump({key: value}) for key, value in document.items() if value]
    return "\n".join(["\n".join(comments) + "\n", *parts])


def _shared(entries: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> dict[str, Any]:
    """Return the fields that most entries say alike."""
    found = {}
    for field in SHARED:
        values = [fields[field] for section in entries.values() for fields in section.values() if field in fields]
        if values:
            most, _ = Counter(tuple(sorted(value.items())) for value in values).most_common(1)[0]
            found[field] = next(value for value in values if tuple(sorted(value.items())) == most)
    return found


def _lines(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _OneLine(_days(value)) if key in IN_ONE_LINE else value for key, value in _days(fields).items()}


def _days(value: Any) -> Any:  # noqa: ANN401 - plain values
    if isinstance(value, dict):
        return {key: _Day(item) if key in DAYS else _days(item) for key, item in value.items()}
    return value


def _dump(value: Mapping[str, Any]) -> str:
    text: str = yaml.dump(
        dict(value), Dumper=_Dumper, sort_keys=False, allow_unicode=True, default_flow_style=False, width=WIDTH
    )
    return text
