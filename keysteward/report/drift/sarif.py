"""Drift as SARIF 2.1.0, for the findings that have a place in the repository: code scanning shows them there.

One run. `results[]` are findings with a place; how many have none, and what could not be read, stands in
`invocations[0].toolExecutionNotifications[]`. An alert keeps its identity while lines move and numbers in its message
change: `partialFingerprints` depend on stack, rule and subject. `primaryLocationLineHash` is the one that GitHub reads.
What is waived is a note with an accepted suppression. Pure, but for the version of what is installed.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC
from pathlib import PurePosixPath
from typing import Any, Final
from urllib.parse import quote

from keysteward.core.drift.drift import Drift
from keysteward.core.findings import Finding, Severity
from keysteward.core.policy import RULES
from keysteward.report.text.kinds import WORDS
from keysteward.report.text.plain import many, plain

Places = Mapping[str, tuple[str, int]]
"""Where subjects are declared: the file, relative to the repository, and the line."""

NOWHERE: Final[Places] = {}
SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
ROOT = "%SRCROOT%"
"""The name that code scanning knows for the repository's root."""

_NUMBERS = re.compile(r"\d+")
_WORD_ENDS = re.compile(r"[^A-Za-z0-9.]+")


def drift_sarif(drift: Drift, places: Places = NOWHERE) -> str:
    """Return one SARIF document, with a line break at its end."""
    placed = [(finding, place) for finding in drift.findings if (place := _place(places, finding.subject))]
    rules = _rules(finding for finding, _ in placed)
    seen: Counter[str] = Counter()
    run = {
        "tool": {"driver": {"name": "keysteward", **_version(), "rules": list(rules.values())}},
        "automationDetails": {"id": f"keysteward-drift/{plain(drift.stack)}/"},
        "invocations": [
            {
                "executionSuccessful": not drift.failures,
                "endTimeUtc": drift.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
                "toolExecutionNotifications": list(_notifications(drift, len(drift.findings) - len(placed))),
            }
        ],
        "originalUriBaseIds": {ROOT: {"description": {"text": "The root of the repository."}}},
        "columnKind": "unicodeCodePoints",
        "results": [_result(drift.stack, list(rules), finding, place, seen) for finding, place in placed],
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def _version() -> dict[str, str]:
    try:
        return {"version": importlib.metadata.version("keysteward")}
    except importlib.metadata.PackageNotFoundError:
        return {}


def _place(places: Places, subject: str) -> tuple[str, int] | None:
    """Return where a subject is declared, as a URI within the repository; None for nowhere, and for outside of it."""
    file, line = places.get(subject, ("", 0))
    path = PurePosixPath(file)
    if not path.parts or path.is_absolute() or ".." in path.parts:
        return None
    try:
        return quote(str(path), safe="/", errors="surrogateescape"), max(line, 1)
    except UnicodeEncodeError:
        return None


def rule_id(finding: Finding) -> str:
    """Return the number of the rule that a finding breaks, or its kind as one word."""
    return _WORD_ENDS.sub("-", plain(finding.rule)).strip("-") or finding.kind.value.replace(" ", "-")


def _rules(findings: Iterator[Finding]) -> dict[str, dict[str, Any]]:
    return {rule_id(finding): _rule(finding) for finding in findings}


def _rule(finding: Finding) -> dict[str, Any]:
    """Describe the rule of a finding. These are words of ours, in which nothing from elsewhere stands."""
    rule = RULES.get(finding.rule)
    if rule is None:
        title, meaning = WORDS[finding.kind]
        text = f"{meaning} The message says what to do."
        level, tags = Severity.WARNING, ["credentials"]
    else:
        title, text = rule.title, f"{rule.reason} What to do: {rule.mend}."
        level = Severity.ERROR if Severity.ERROR in {rule.client, rule.key} else Severity.WARNING
        tags = ["credentials", *rule.owasp]
    return {
        "id": rule_id(finding),
        "name": "".join(word.capitalize() for word in _WORD_ENDS.split(title) if word),
        "shortDescription": {"text": _message(title)},
        "fullDescription": {"text": _message(text)},
        "help": {"text": _message(text)},
        "defaultConfiguration": {"level": level.value},
        "properties": {"tags": tags},
    }


def _result(
    stack: str, rules: list[str], finding: Finding, place: tuple[str, int], seen: Counter[str]
) -> dict[str, Any]:
    uri, line = place
    rule = rule_id(finding)
    mark = _fingerprint(stack, rule, finding, seen)
    name = finding.subject.removeprefix(f"{stack}/")
    text = f"{name}: {finding.message}" + (f" What to do: {finding.mend}" if finding.mend else "")
    waived = [{"kind": "inSource", "status": "accepted", "justification": plain(finding.message)}]
    return {
        "ruleId": rule,
        "ruleIndex": rules.index(rule),
        "level": Severity.NOTE.value if finding.waived else finding.severity.value,
        "message": {"text": _message(text)},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": uri, "uriBaseId": ROOT},
                    "region": {"startLine": line},
                },
                "logicalLocations": [{"fullyQualifiedName": plain(finding.subject) or "-"}],
            }
        ],
        "partialFingerprints": {"keysteward/v1": mark, "primaryLocationLineHash": f"{mark}:1"},
        **({"suppressions": waived} if finding.waived else {}),
        "properties": {"kind": finding.kind.value},
    }


def _fingerprint(stack: str, rule: str, finding: Finding, seen: Counter[str]) -> str:
    """Return what stays the same while days pass and waivers come and go; `seen` tells apart what is alike."""
    message = finding.message.partition(" (waived until ")[0] if finding.waived else finding.message
    alike = "\0".join((stack, rule, finding.subject, _NUMBERS.sub("0", message)))
    seen[alike] += 1
    value = f"{alike}\0{seen[alike]}"
    return hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _notifications(drift: Drift, without: int) -> Iterator[dict[str, Any]]:
    for failure in drift.failures:
        yield {"level": "error", "message": {"text": _message(f"Not read: {failure}")}}
    if without:
        words = many(without, "finding has", "findings have")
        text = f"{words} no place in this repository, and no result here; the other formats of drift show all."
        yield {"level": "note", "message": {"text": text}}


def _message(text: str) -> str:
    """Return a message in which nothing is a placeholder (section 3.11.5) or becomes a link (section 3.11.6)."""
    return plain(text).replace("{", "{{").replace("}", "}}").replace("](", "] (")
