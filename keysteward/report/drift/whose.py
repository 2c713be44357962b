"""Whose the secrets are that were found in a text, as people and programs read it. Never a value. Pure.

JSON (`format: 1`): `format`, `stack`, `found[]`, `searched` (files), `left_out[]` and `problems[]` (sentences). One of
`found` has `name`, `identity`, `generation`, `state`, `works` (yes, no, unknown), `status` (words), `form` (secret,
private key, public key, key id), `fingerprint`, `declared`, `owner` (`name`, `contact`, `state`), `purpose`,
`environment`, `target`, `client_id`, `places[]` (`file`, `line` or null) and `next[]` (`command`, `does`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from rich.text import Text

from keysteward.core.audit.trace import Trace, Works, what_next
from keysteward.core.declare.owners import Owner
from keysteward.core.record.ledger import ObjectRecord
from keysteward.report.run.plan import JSON_FORMAT
from keysteward.report.text.plain import line, many

_STYLES = {Works.YES: "bold red", Works.UNKNOWN: "yellow", Works.NO: "green"}
_LABEL = 13


@dataclass(frozen=True, slots=True)
class Place:
    """Where something was found: a file and a line from 1, or None when it is on no one line."""

    file: str
    line: int | None

    def __str__(self) -> str:
        return self.file if self.line is None else f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class Found:
    """One known secret, in which form and where. `form` is secret, private key, public key or key id."""

    trace: Trace
    form: str
    owner: str
    contact: Owner | None
    declared: bool
    places: tuple[Place, ...]

    @property
    def secret(self) -> bool:
        """Say whether what was found gives access."""
        return self.form in {"secret", "private key"}

    @property
    def words(self) -> str:
        """Return what was found: "billing-exporter, generation 2 (current)"."""
        return f"{self.trace.name}, generation {self.trace.generation.number} ({self.trace.generation.state})"


@dataclass(frozen=True, slots=True)
class Search:
    """One search: what was found, in how many files, what was left out on purpose, and what could not be searched."""

    stack: str
    found: tuple[Found, ...]
    searched: int
    left_out: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


def whose_lines(search: Search) -> Iterable[Text]:
    """Write one line per place, as grep does; then who each secret belongs to, and what to do."""
    for found in search.found:
        for place in found.places:
            yield line(f"{place}: {found.words}, {found.form}")
    for found in search.found:
        yield Text()
        yield from _found(found)
    if search.found:
        yield Text()
    for sentence in search.left_out:
        yield line(f"not searched: {sentence}")
    files = many(search.searched, "text", "files")
    known = len({(f.trace.ledger.identity, f.trace.generation.number) for f in search.found})
    total = many(known, "known secret") if known else "nothing known"
    yield line(f"Searched {files} for the secrets of {search.stack}: {total}.")


def _found(found: Found) -> Iterable[Text]:
    trace = found.trace
    about = trace.ledger.about
    yield line((found.words, "bold"), ": ", (trace.words, _STYLES[trace.works]))
    if not found.secret:
        yield _field("found as", f"{found.form}: no secret is in it")
    contact = "" if found.contact is None else f" ({found.contact.contact})"
    gone = ", who is gone" if found.contact is not None and found.contact.state == "gone" else ""
    yield _field("owner", f"{found.owner or 'unknown'}{contact}{gone}")
    if about is not None:
        yield _field("purpose", about.purpose)
        yield _field("environment", about.environment)
    yield _field("target", f"{trace.generation.target}, {_noun(trace)}")
    commands = what_next(trace, secret=found.secret, declared=found.declared)
    for number, (command, does) in enumerate(commands):
        yield _field("next" if number == 0 else "or", f"{command}  ({does})")
    if found.secret and not commands:
        yield _field("next", "nothing has to be ended; find out how it came there")


def _field(label: str, text: str) -> Text:
    return line("  ", (label.ljust(_LABEL), "dim"), text)


def _object(trace: Trace) -> ObjectRecord | None:
    return next((o for o in trace.ledger.objects if o.key == trace.generation.object), None)


def _noun(trace: Trace) -> str:
    """Say what carries this generation at its target."""
    record, key = _object(trace), trace.generation.id
    if record is None:
        return "client unknown"
    return f"key {key} of {record.client_id}" if record.holder and key is not None else record.noun


def whose_json(search: Search) -> dict[str, Any]:
    """Return a search as JSON; see the module for the format."""
    return {
        "format": JSON_FORMAT,
        "stack": search.stack,
        "found": [_found_json(found) for found in search.found],
        "searched": search.searched,
        "left_out": list(search.left_out),
        "problems": list(search.problems),
    }


def _found_json(found: Found) -> dict[str, Any]:
    trace, about, contact = found.trace, found.trace.ledger.about, found.contact
    record = _object(trace)
    return {
        "name": trace.name,
        "identity": trace.ledger.identity,
        "generation": trace.generation.number,
        "state": trace.generation.state.value,
        "works": trace.works.value,
        "status": trace.words,
        "form": found.form,
        "fingerprint": trace.generation.fingerprint,
        "declared": found.declared,
        "owner": {
            "name": found.owner or None,
            "contact": contact.contact if contact is not None else None,
            "state": contact.state if contact is not None else None,
        },
        "purpose": about.purpose if about is not None else None,
        "environment": about.environment if about is not None else None,
        "target": trace.generation.target,
        "client_id": record.client_id if record is not None else "unknown",
        "places": [{"file": place.file, "line": place.line} for place in found.places],
        "next": [
            {"command": command, "does": does}
            for command, does in what_next(trace, secret=found.secret, declared=found.declared)
        ],
    }
