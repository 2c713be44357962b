"""`keysteward rebuild`: ledgers from marked objects, after the ledger store was lost or restored from a backup."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import typer

from keysteward.cli.loading import StackOption
from keysteward.cli.opening import Opened, open_stack, unknown_name
from keysteward.cli.running import finish
from keysteward.cli.terminal import confirm_or_stop, say, say_error, show
from keysteward.cli.up import YesOption
from keysteward.core.errors import KeystewardError, LeaseHeld
from keysteward.core.examine import copied
from keysteward.core.ledger import Ledger
from keysteward.core.rebuild import behind, rebuild, unrecorded, words_of
from keysteward.core.spec import Spec
from keysteward.core.world import World
from keysteward.providers.session import Session
from keysteward.report.findings import finding_lines
from keysteward.report.plain import line

PLANNED = "planned"


def command(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME]...", help="Only these credentials. All that are declared when none is named."),
    ] = None,
    *,
    stack: StackOption = None,
    yes: YesOption = False,
) -> None:
    """Enter into the ledgers what carries our mark and is in none, and what the stores deliver and no ledger knows.

    For a ledger store that was lost or restored from a backup. Nothing is ended, issued or delivered; a ledger that
    names everything is left alone. A mark that was copied to another client is reported and never entered. Shows what
    it would write, and asks.

    Exit code 0: written, or nothing to rebuild; 1: an error, or declined.
    """
    opened = open_stack(stack)
    specs = _chosen(opened, names or ())
    reader = opened.session("reader")
    worlds = [(_world(reader, spec), spec) for spec in specs]
    show(finding_lines([finding for world, _ in worlds for finding in copied(world)], opened.stack.identity))
    found = [(world, spec) for world, spec in worlds if _needs(world)]
    if not found:
        typer.echo("Nothing to rebuild: every client of ours and every delivered generation is in a ledger.")
        return
    for world, spec in found:
        show([line((spec.name, "bold"), f"  {behind(world) or 'a marked client is in no ledger'}")])
        show(line("    ", words) for words in words_of(world.ledger, rebuild(world, spec, PLANNED, {})))
    confirm_or_stop("Write these ledgers?", yes=yes)
    session = opened.session("runner")
    failed = False
    for _, spec in found:
        try:
            show([line((spec.name, "bold"), "  ", "; ".join(_write(session, spec)))])
        except KeystewardError as error:
            failed = True
            say_error(error)
    finish(session, "rebuild", int(failed))
    if failed:
        raise typer.Exit(1)
    say("\nLook at what comes next with `keysteward preview`; adopted generations end as docs/cli.md says.")


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
