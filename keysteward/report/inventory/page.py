"""An inventory as one page for a browser: it needs no network and no other file. Pure, but for its own templates.

The page's policy lets no script run but the one whose hash it names, and nothing be loaded at all. The data stands in
it as JSON in which no character can end an element; the script writes them as text, never as markup. Sentences that
many credentials share stand there once, with the name taken out (`MARK`).
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from keysteward.core.drift.inventory import Inventory, InventoryEntry
from keysteward.core.policy import RULES
from keysteward.report.inventory.formats import coverage_json, entry_json, finding_json
from keysteward.report.text.kinds import WORDS
from keysteward.report.text.plain import plain

MARK: Final = "\x00"
"""Stands for a credential's own name in a shared sentence; no text that is shown has it."""

CALENDAR_DAYS: Final = 90

SCRIPTS: Final = ("rows", "columns", "list", "details", "charts", "start")
"""The parts of the script, in the order in which they run."""

_SENTENCES: Final = frozenset({"scopes", "optional_scopes", "reaches", "revoke", "delivered_to", "grants"})
_WITHOUT_USE: Final = frozenset({"age_days", "enabled"})
_ESCAPES: Final = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"}


def inventory_page(inventory: Inventory) -> str:
    """Return the page."""
    made = _environment()
    style, script = _source("page.css"), _script()
    return made.get_template("page.html").render(
        title=plain(_title(inventory)),
        at=f"{inventory.at:%Y-%m-%d %H:%M} UTC",
        failures=[plain(failure) for failure in inventory.failures],
        policy=_policy(style, script),
        style=Markup(style),  # noqa: S704 - ours
        script=Markup(script),  # noqa: S704 - ours
        data=Markup(_island(_document(inventory))),  # noqa: S704 - escaped by _island
    )


def _title(inventory: Inventory) -> str:
    if inventory.stack is not None:
        return f"Credentials of {inventory.stack}"
    targets = sorted({entry.target for entry in inventory.entries})
    return f"First look at {', '.join(targets)}" if targets else "First look"


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("keysteward.report", "templates/inventory"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _source(name: str) -> str:
    """Return one of the page's parts as it stands in its file."""
    loader = _environment().loader
    return loader.get_source(_environment(), name)[0] if loader is not None else ""


def _script() -> str:
    """Return the page's script: its parts, in a scope of their own."""
    parts = "\n".join(_source(f"{name}.js") for name in SCRIPTS)
    return f'"use strict";\n(() => {{\n{parts}}})();\n'


def _policy(style: str, script: str) -> str:
    """Return the page's Content-Security-Policy (CSP level 3): these two texts, and nothing from anywhere."""
    return "; ".join(
        (
            "default-src 'none'",
            f"style-src 'sha256-{_hash(style)}'",
            f"script-src 'sha256-{_hash(script)}'",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )


def _hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _island(document: Mapping[str, Any]) -> str:
    """Write JSON so that it can stand in an element: ASCII, and nothing that HTML reads."""
    text = json.dumps(document, separators=(",", ":"), ensure_ascii=True)
    for special, escape in _ESCAPES.items():
        text = text.replace(special, escape)
    return text


class _Texts:
    """Texts by number, each once."""

    def __init__(self) -> None:
        self.known: dict[str, int] = {}

    def number(self, text: str, name: str) -> int:
        """Return the number of a text in which a name may stand."""
        shown = plain(text)
        return self.known.setdefault(shown.replace(name, MARK) if name else shown, len(self.known))

    def numbers(self, texts: Iterable[str], name: str) -> list[int]:
        """Return the numbers of several."""
        return [self.number(text, name) for text in texts]


def _document(inventory: Inventory) -> dict[str, Any]:
    """Return what the page's script reads; what is empty is left out of a row."""
    texts = _Texts()
    rows = [_row(entry, inventory, texts) for entry in inventory.entries]
    return {
        "stack": plain(inventory.stack) if inventory.stack is not None else None,
        "at": inventory.at.isoformat(),
        "days": CALENDAR_DAYS,
        "rows": rows,
        "texts": list(texts.known),
        "coverage": [_plain(coverage_json(covered)) for covered in inventory.coverage],
        "findings": [_plain(finding_json(finding)) for finding in inventory.findings],
        "titles": dict(_titles(inventory)),
    }


def _titles(inventory: Inventory) -> Iterator[tuple[str, str]]:
    """Yield the title of each rule and kind of finding that is broken, by the word that stands in the list."""
    for finding in (f for entry in inventory.entries for f in entry.findings):
        rule = RULES.get(finding.rule)
        yield (finding.rule, rule.title) if rule is not None else (finding.kind.value, WORDS[finding.kind].title)


def _row(entry: InventoryEntry, inventory: Inventory, texts: _Texts) -> dict[str, Any]:
    given = entry_json(entry, inventory.at)
    name = plain(entry.name)
    row = {key: value for key, value in _plain(given).items() if key not in _WITHOUT_USE}
    row["name"] = name
    row["age"] = given["age_days"]
    row["off"] = not entry.enabled
    for field in _SENTENCES & set(row):
        row[field] = texts.numbers(given[field], name)
    if entry.purpose:
        row["purpose"] = texts.number(entry.purpose, name)
    row["findings"] = [
        {
            "kind": finding.kind.value,
            "severity": finding.severity.value,
            "rule": finding.rule,
            "says": texts.number(finding.message, name),
            "mend": texts.number(finding.mend, name) if finding.mend else -1,
        }
        for finding in entry.findings
    ]
    return {key: value for key, value in row.items() if key == "name" or not _empty(value)}


def _empty(value: object) -> bool:
    """Say whether a row does without it; 0 is no such value."""
    return value is None or value is False or value in ([], "")


def _plain(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return JSON whose texts are one line without control characters."""
    return {key: _plain_value(part) for key, part in value.items()}


def _plain_value(value: object) -> object:
    match value:
        case str():
            return plain(value)
        case list():
            return [_plain_value(part) for part in value]
        case dict():
            return _plain(value)
        case _:
            return value
