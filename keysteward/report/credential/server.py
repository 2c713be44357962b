"""A resource server as people and programs read it: its audience, its scopes, who uses it. Pure.

The JSON is described with the other records, in `keysteward.report.credential.record`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from rich.text import Text

from keysteward.core.declare.spec import ServerSpec
from keysteward.core.identity import name_of
from keysteward.core.record.server_ledger import ServerLedger
from keysteward.report.run.plan import JSON_FORMAT
from keysteward.report.text.plain import line


def server_json(
    identity: str, spec: ServerSpec | None, ledger: ServerLedger | None, used_by: Sequence[str]
) -> dict[str, Any]:
    """Return a resource server as JSON."""
    declared = dict(spec.scopes) if spec is not None else {}
    recorded = dict(ledger.scopes) if ledger is not None else {}
    dropped = ledger.dropped if ledger is not None else ()
    return {
        "format": JSON_FORMAT,
        "name": name_of(identity),
        "identity": identity,
        "kind": "ResourceServer",
        "declared": spec is not None,
        "status": _status(ledger),
        "target": spec.target if spec is not None else ledger.target if ledger is not None else None,
        "audience": spec.audience if spec is not None else None,
        "scopes": [
            {
                "name": name,
                "description": declared.get(name),
                "remote_id": recorded.get(name),
                "dropped": name in dropped or name not in declared,
            }
            for name in sorted({*declared, *recorded})
        ],
        "used_by": list(used_by),
    }


def _status(ledger: ServerLedger | None) -> str:
    if ledger is None:
        return "pending"
    return "closed" if ledger.closed is not None else "active"


def server_lines(document: dict[str, Any]) -> Iterable[Text]:
    """Write a resource server for a terminal, from its JSON."""
    gone = "" if document["declared"] else ", not declared any more"
    yield line((document["identity"], "bold"), f"  ({document['status']}{gone})")
    yield Text()
    for label, value in (
        ("target", document["target"]),
        ("audience", document["audience"]),
        ("used by", ", ".join(document["used_by"]) or "no declared client"),
    ):
        if value:
            yield line("  ", (label.ljust(13), "dim"), value)
    yield Text()
    yield line(("Scopes", "bold"))
    for scope in document["scopes"]:
        state = "dropped" if scope["dropped"] else "" if scope["remote_id"] else "pending"
        yield line("  ", scope["name"], (f"  {scope['description'] or ''}", "dim"), f"  ({state})" if state else "")
