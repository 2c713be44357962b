"""The saved plan: what a person approved, as a public file, and whether a fresh plan is still that one. Pure.

The file (`format: 2`) is one JSON object:

- `format`, `digest` ("sha256:" and the SHA-256 of the canonical text: all other keys, sorted, without white space,
  non-ASCII escaped), `stack`, `at` (ISO 8601, the ledger store's time), `by`, `prune`, `names` (null: the whole stack)
- `ports`: digest of how each target and store is reached, by "target NAME", "store NAME" and "ledgers"
- `items[]`: `identity`, `kind` (credential or resource server), `declaration` (its digest, or null when nothing
  declares it), `ledger` (`identity`, `incarnation`, `version`, `executed`, or null when there is none), `words` (under
  the run number), `steps[]` (`words`, `why`, `keys`, `needs_approval`), `wait` (`until`, `why`) or null, `problem`
  or null
- `findings[]` (`kind`, `severity`, `subject`, `message`, `mend`) and `failures[]` (`message`, `names`)

The digest finds damage and tells two plans apart. It is no signature: who may write the file may approve.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from keysteward.core.errors import Conflict, Damaged
from keysteward.core.findings import Finding
from keysteward.core.identity import name_of
from keysteward.core.plan.steps import Wait
from keysteward.core.record.ledger import Executed

PLAN_FORMAT = 2


@dataclass(frozen=True, slots=True)
class SavedStep:
    """One step as it was shown."""

    words: str
    why: str
    keys: tuple[str, ...]
    needs_approval: bool = False


@dataclass(frozen=True, slots=True)
class SavedLedger:
    """The state of a ledger on which a plan was made; `executed` is what had been carried out before."""

    identity: str
    incarnation: str
    version: int
    executed: Executed = field(default_factory=Executed)


@dataclass(frozen=True, slots=True)
class SavedItem:
    """The plan of one credential or resource server, and what it rests on."""

    identity: str
    kind: Literal["credential", "resource server"]
    declaration: str | None
    ledger: SavedLedger | None
    words: str = ""
    steps: tuple[SavedStep, ...] = ()
    wait: Wait | None = None
    problem: str | None = None

    @property
    def name(self) -> str:
        """Return the name without the stack."""
        return name_of(self.identity)


@dataclass(frozen=True, slots=True)
class SavedFailure:
    """What kept some names from being planned."""

    message: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SavedPlan:
    """A plan as it was approved. `names` None: the whole stack was planned."""

    stack: str
    at: datetime
    by: str
    prune: bool
    names: tuple[str, ...] | None
    ports: Mapping[str, str]
    items: tuple[SavedItem, ...]
    findings: tuple[Finding, ...] = ()
    failures: tuple[SavedFailure, ...] = ()
    format: int = PLAN_FORMAT

    @property
    def digest(self) -> str:
        """Return the digest that stands in the file, and with each step in the evidence."""
        return digest_of(_document(self))

    @property
    def identities(self) -> frozenset[str]:
        """Return what the plan speaks of."""
        return frozenset(item.identity for item in self.items)


_PLAN = TypeAdapter(SavedPlan)


def _document(plan: SavedPlan) -> dict[str, Any]:
    document: dict[str, Any] = _PLAN.dump_python(plan, mode="json")
    return document


def digest_of(document: Mapping[str, Any]) -> str:
    """Return the digest of a plan's document, whatever digest stands in it."""
    content = {name: value for name, value in document.items() if name != "digest"}
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return f"sha256:{hashlib.sha256(canonical.encode()).hexdigest()}"


def dump_plan(plan: SavedPlan) -> str:
    """Write a plan as the text of its file: the digest first, then the keys in order."""
    document = _document(plan)
    text = json.dumps({"digest": digest_of(document), **dict(sorted(document.items()))}, indent=1)
    return f"{text}\n"


def load_plan(text: bytes, stack: str, where: str) -> SavedPlan:
    """Read the text of a file. Raises Damaged or Conflict when it is no plan, or no plan of this stack as saved."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise Damaged(f"{where} is cut short or is not JSON: save the plan again") from None
    if not isinstance(document, dict) or not {"format", "digest", "items"} <= document.keys():
        raise Damaged(f"{where} is not a saved plan: make one with `keysteward preview --save FILE`")
    if document["format"] != PLAN_FORMAT:
        raise Damaged(
            f"{where} has format {_short(document['format'])}, this keysteward reads format {PLAN_FORMAT}: save "
            "and approve it again, or use the version of keysteward that wrote it"
        )
    if document["digest"] != digest_of(document):
        raise Damaged(f"{where} was changed since it was saved, its digest does not fit: save and approve it again")
    try:
        plan = _PLAN.validate_python(document)
    except ValidationError as error:
        raise Damaged(f"{where} cannot be read ({error.error_count()} fields are wrong): save it again") from None
    if plan.digest != document["digest"]:
        raise Damaged(f"{where} holds keys that this keysteward does not know: use the version that wrote it")
    if plan.stack != stack:
        raise Conflict(
            f"{where} is a plan for stack {_short(plan.stack)}, not for {stack}: choose the one or the other"
        )
    return plan


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:59]}…"  # noqa: PLR2004 - enough to recognise it


def refusals(saved: SavedPlan, fresh: SavedPlan) -> list[str]:
    """Say, one sentence each, why a fresh plan is not the approved one any more; empty when it may be carried out.

    Names that the saved plan does not speak of are not looked at, and fewer steps than approved are none.
    """
    sentences = [
        f"{name} is reached otherwise than when the plan was made: preview it again"
        for name, digest in sorted(fresh.ports.items())
        if saved.ports.get(name, digest) != digest
    ]
    approved = {item.identity: item for item in saved.items}
    for now in fresh.items:
        if now.identity in approved:
            sentences += _refusal(approved[now.identity], now)
    return sentences


def _refusal(approved: SavedItem, now: SavedItem) -> Iterable[str]:
    extra = _missing(now.steps, approved.steps)
    if approved.steps and not _same_state(approved.ledger, now.ledger):
        yield f"{now.name}: {_changed(approved, now)}; preview it again"
    elif approved.steps and now.steps and approved.declaration != now.declaration:
        yield f"{now.name}: its declaration was changed since the plan was made; preview it again"
    elif extra:
        gone = _missing(approved.steps, now.steps)
        less = f", and {_quoted('-', gone)} {_was(gone)} in it and {_are(gone)} not due now" if gone else ""
        yield (
            f"{now.name}: {_quoted('+', extra)} {_are(extra)} due now and {_was(extra)} not in the plan{less}; "
            "preview it again"
        )


def _changed(approved: SavedItem, now: SavedItem) -> str:
    """Say what became of a ledger since the plan was made."""
    before, after = approved.ledger, now.ledger
    if after is None:
        return "its ledger is gone since the plan was made"
    if after.executed.words and after.executed.words == approved.words:
        return f"this plan was carried out already ({after.executed.words}) and approves nothing more"
    versions = "there was none" if before is None else f"version {before.version}"
    return f"its ledger changed since the plan was made ({versions}, now version {after.version})"


def _same_state(before: SavedLedger | None, after: SavedLedger | None) -> bool:
    if before is None or after is None:
        return before is after
    return (before.identity, before.incarnation, before.version) == (after.identity, after.incarnation, after.version)


def _missing(steps: Iterable[SavedStep], known: Iterable[SavedStep]) -> list[str]:
    """Return the words of steps that are not among others, each once, in order. Steps are told apart by their keys."""
    keys = {key for step in known for key in step.keys}
    return list(dict.fromkeys(step.words for step in steps if not keys.issuperset(step.keys)))


def _quoted(sign: str, words: Iterable[str]) -> str:
    return ", ".join(f"`{sign} {text}`" for text in words)


def _are(words: list[str]) -> str:
    return "is" if len(words) == 1 else "are"


def _was(words: list[str]) -> str:
    return "was" if len(words) == 1 else "were"


def not_due(saved: SavedPlan, fresh: SavedPlan) -> dict[str, list[str]]:
    """Return, by name, the words of steps that were approved and are not due any more."""
    now = {item.identity: item.steps for item in fresh.items}
    fewer = {item.name: _missing(item.steps, now.get(item.identity, ())) for item in saved.items}
    return {name: words for name, words in fewer.items() if words}


def left_alone(saved: SavedPlan, fresh: SavedPlan) -> list[str]:
    """Return the names for which something is due and of which the saved plan does not speak."""
    return [item.name for item in fresh.items if item.steps and item.identity not in saved.identities]
