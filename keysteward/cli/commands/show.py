"""`keysteward show`: who owns a credential, how is it scoped, how is it revoked, and its generations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import typer
from rich.text import Text

from keysteward.cli.opening import open_stack
from keysteward.cli.options import JsonOption, StackOption
from keysteward.cli.terminal import say, show, show_json
from keysteward.core.declare.spec import capabilities_of
from keysteward.core.errors import KeystewardError
from keysteward.core.findings import Finding
from keysteward.core.policy import outranked
from keysteward.operations.emergency import ledgers_needed, scene_of
from keysteward.operations.project import Opened, unknown_name
from keysteward.operations.session import Session
from keysteward.operations.stack_plan import findings_of, plan_credential
from keysteward.report.credential.record import Record, record_json, record_lines
from keysteward.report.credential.server import server_json, server_lines
from keysteward.report.text.plain import line

Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of a credential, declared or only in the ledgers.")]


def command(name: Name, *, stack: StackOption = None, as_json: JsonOption = False) -> None:
    """Show one credential: who owns it, how it is scoped, how it is revoked, and its generations.

    Works from the ledger alone when it is not declared any more, and without the target when that does not answer.

    Exit code 0: shown; 1: an error.
    """
    opened = open_stack(stack, strict=False)
    session = opened.session("reader")
    identity = opened.identity(name)
    try:
        with ledgers_needed(scene_of(opened.stack, opened.records), identity):
            _ = session.snapshot.ledgers
    except KeystewardError:
        show(_declared(opened, identity), stderr=as_json)
        raise
    if identity in opened.stack.specs or identity in session.snapshot.ledgers:
        record = _record(opened, session, identity)
        if as_json:
            show_json(record_json(record))
        else:
            show(record_lines(record))
        return
    document = _server(opened, session, identity)
    if as_json:
        show_json(document)
    else:
        show(server_lines(document))


def _declared(opened: Opened, identity: str) -> Iterator[Text]:
    """Write what the declaration says of a credential, for a night on which its ledger cannot be read."""
    spec = opened.stack.specs.get(identity)
    if spec is None:
        return
    yield line((identity, "bold"), "  as it is declared; its ledger cannot be read")
    about = (
        ("owner", spec.owner),
        ("purpose", spec.purpose),
        ("consumer", spec.consumer or ""),
        ("environment", spec.environment),
        ("runbook", spec.runbook or ""),
        ("at target", f"{spec.target}, {'of ' if spec.key else 'client '}{spec.client_id}"),
        ("delivered to", ", ".join(place.key for place in spec.places)),
    )
    yield from (line(f"  {title}: ", value) for title, value in about if value)


def _record(opened: Opened, session: Session, identity: str) -> Record:
    """Put together what is declared, recorded and observed; without the last when a target does not answer."""
    spec, ledger = opened.stack.specs.get(identity), session.snapshot.ledgers.get(identity)
    declared = next((d for d in opened.stack.credentials if opened.identity(d.name) == identity), None)
    words, findings = "", tuple[Finding, ...]()
    try:
        item = plan_credential(session, identity, spec)
    except KeystewardError as error:
        say(f"warning: shown from declaration and ledger alone: {error}")
    else:
        ledger, findings = item.ledger, findings_of(item)
        words = item.plan.words if spec is not None else ""
    judged = [finding for finding in opened.judged(session.snapshot.at) if finding.subject == identity]
    findings = (*findings, *outranked(judged, findings))
    owner = spec.owner if spec is not None else ledger.about.owner if ledger and ledger.about else ""
    return Record(
        stack=opened.stack.identity,
        identity=identity,
        at=session.snapshot.at,
        spec=spec,
        ledger=ledger,
        owner=opened.owners.find(owner),
        reviewed=declared.reviewed if declared is not None else None,
        due_now=words,
        findings=findings,
        suspends=declared is None or capabilities_of(declared.target, type(declared).__name__).suspends,
    )


def _server(opened: Opened, session: Session, identity: str) -> dict[str, Any]:
    """Return what is known of a resource server. Raises DeclarationError for a name nobody knows."""
    specs, ledgers = opened.stack.server_specs, session.snapshot.server_ledgers
    if identity not in specs and identity not in ledgers:
        raise unknown_name(identity, {*opened.stack.specs, *specs, *session.snapshot.ledgers, *ledgers})
    users = [d.name for d in opened.stack.credentials if identity in opened.servers_used(opened.identity(d.name))]
    return server_json(identity, specs.get(identity), ledgers.get(identity), users)
