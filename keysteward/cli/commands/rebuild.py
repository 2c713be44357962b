"""`keysteward rebuild`: ledgers from marked objects, after the ledger store was lost or restored from a backup."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Annotated, Any

import typer

from keysteward.cli.opening import open_stack
from keysteward.cli.options import JsonOption, StackOption, YesOption
from keysteward.cli.terminal import confirm_or_stop, say, say_error, show, show_json
from keysteward.core.assess.examine import copied
from keysteward.core.declare.spec import Spec
from keysteward.core.errors import KeystewardError, LeaseHeld
from keysteward.core.findings import Finding
from keysteward.core.observe.unrecorded import behind, unrecorded
from keysteward.core.observe.world import World
from keysteward.core.record.ledger import Ledger
from keysteward.core.run.rebuild import rebuild, words_of
from keysteward.operations.containment import contained
from keysteward.operations.project import Opened, unknown_name
from keysteward.operations.session import Session
from keysteward.operations.stack_run import finish
from keysteward.report.run.plan import JSON_FORMAT
from keysteward.report.text.findings import finding_lines
from keysteward.report.text.plain import line

PLANNED = "planned"


def command(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME]...", help="Only these credentials; all declared ones if none is named."),
    ] = None,
    *,
    stack: StackOption = None,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Rebuild missing ledgers from ownership marks at the targets and from documents in the stores.

    For a ledger store that was lost or restored from a backup. Nothing is ended, issued or delivered; a ledger that
    names everything is left alone. A mark that was copied to another client is reported and never entered. Shows what
    it would write, and asks.

    Exit code 0: written, or nothing to rebuild; 1: an error, or declined.
    """
    if as_json and not yes:
        raise KeystewardError("nothing was changed: --json asks nothing, so it needs --yes")
    opened = open_stack(stack)
    reader = opened.session("reader")
    worlds = [(_world(reader, spec), spec) for spec in _chosen(opened, names or ())]
    found = [(world, spec) for world, spec in worlds if _needs(world)]
    copies = [finding for world, _ in worlds for finding in copied(world)]
    if not as_json:
        _show(opened, found, copies)
    made: list[Rebuilt] = []
    if found:
        confirm_or_stop("Write these ledgers?", yes=yes)
        made = _rebuild(opened, found, as_json=as_json)
    if as_json:
        show_json(_json(opened, made, copies))
    if any(item.error for item in made):
        raise typer.Exit(1)
    if made:
        say("\nLook at what comes next with `keysteward preview`; adopted generations end as docs/cli.md says.")


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """One ledger: why it was rebuilt, and what was entered or what went wrong."""

    spec: Spec
    why: str
    entered: tuple[str, ...] = ()
    error: KeystewardError | None = None


def _why(world: World) -> str:
    return behind(world) or "a marked client is in no ledger"


def _show(opened: Opened, found: list[tuple[World, Spec]], copies: list[Finding]) -> None:
    """Show what would be written, and what is not ours in spite of its mark."""
    show(finding_lines(copies, opened.stack.identity))
    if not found:
        typer.echo("Nothing to rebuild: every client of ours and every delivered generation is in a ledger.")
    for world, spec in found:
        show([line((spec.name, "bold"), f"  {_why(world)}")])
        show(line("    ", words) for words in words_of(world.ledger, rebuild(world, spec, PLANNED, {})))


def _rebuild(opened: Opened, found: list[tuple[World, Spec]], *, as_json: bool) -> list[Rebuilt]:
    """Write each ledger, telling a person of each; one that fails stops no other."""
    session = opened.session("runner")
    made = []
    for world, spec in found:
        try:
            with contained(spec.name):
                item = Rebuilt(spec, _why(world), _write(session, spec))
        except KeystewardError as error:
            item = Rebuilt(spec, _why(world), error=error)
            say_error(error)
        made.append(item)
        if item.entered and not as_json:
            show([line((spec.name, "bold"), "  ", "; ".join(item.entered))])
    finish(session, "rebuild", int(any(item.error for item in made)))
    return made


def _json(opened: Opened, made: list[Rebuilt], copies: list[Finding]) -> dict[str, Any]:
    rebuilt = [
        {
            "name": item.spec.name,
            "identity": item.spec.identity,
            "why": item.why,
            "entered": list(item.entered),
            "error": None if item.error is None else str(item.error),
        }
        for item in made
    ]
    findings = [asdict(finding) for finding in copies]
    return {"format": JSON_FORMAT, "stack": opened.stack.identity, "rebuilt": rebuilt, "findings": findings}


def _chosen(opened: Opened, names: Iterable[str]) -> list[Spec]:
    specs = opened.stack.specs
    wanted = [opened.identity(name) for name in names] or sorted(specs)
    for identity in wanted:
        if identity not in specs:
            raise unknown_name(identity, specs)
    return [specs[identity] for identity in wanted]


def _world(session: Session, spec: Spec) -> World:
    return session.snapshot.everywhere(session.snapshot.world(spec.identity, spec))


def _needs(world: World) -> bool:
    return behind(world) is not None or bool(unrecorded(world))


def _write(session: Session, spec: Spec) -> tuple[str, ...]:
    """Rebuild one ledger with the runner's eyes, which may read what the stores hold; returns what was entered."""
    world = _world(session, spec)
    ledger = world.ledger
    if ledger is not None and ledger.lease is not None and ledger.lease.until > world.now:
        raise LeaseHeld(
            f"another run ({ledger.lease.runner}) works on it until {ledger.lease.until:%H:%M:%S} UTC; run again then",
            credential=spec.identity,
        )
    after = rebuild(world, spec, session.credentials.tools.nonce(), _read(session, world, ledger))
    words = words_of(ledger, after)
    if after != ledger:
        session.credentials.enter(after, command="rebuild", words="; ".join(words))
    return words


def _read(session: Session, world: World, ledger: Ledger | None) -> dict[int, str]:
    """Return fingerprints, under the present key, of the values that the stores hold; the values go no further."""
    places = {p.key: p for p in (*(world.spec.places if world.spec else ()), *(ledger.places if ledger else ()))}
    found: dict[int, str] = {}
    for key, held in world.delivered.items():
        for entry in (held.current, held.previous, *held.staged):
            if entry is None or entry.generation in found or session.fingerprint is None:
                continue
            material = session.stores[places[key].store].read(places[key].path, entry.generation)
            if material is not None:
                found[entry.generation] = session.fingerprint(material.canonical.get_secret_value())
    return found
