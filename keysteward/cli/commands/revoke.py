"""`keysteward revoke`: ends secrets at once, whatever else is going on, with the stack, its card, or the mark alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from keysteward.cli.options import CardOption, JsonOption, StackOption, YesOption
from keysteward.cli.progress import Display
from keysteward.cli.requests import reason_of
from keysteward.cli.terminal import confirm_or_stop, say, show, show_json
from keysteward.core.contract.facets import key_capabilities
from keysteward.core.contract.observed import Observation
from keysteward.core.errors import DeclarationError, KeystewardError, OutcomeUnknown, VersionConflict
from keysteward.core.observe.snapshot import ledger_key
from keysteward.core.record import requests
from keysteward.core.record.ledger import Ledger, load_ledger
from keysteward.core.record.revocation import Recorded
from keysteward.core.run.reconciler import Result
from keysteward.operations.emergency import Scene, ledgers_needed, open_scene
from keysteward.operations.offline.revocations import Marked, delivered_keys, disable_marked, keep, named_keys
from keysteward.operations.project import unknown_name
from keysteward.operations.session import Session
from keysteward.operations.stack_run import finish
from keysteward.operations.what_is_left import what_is_left
from keysteward.report.run.emergency import (
    Disabled,
    KeyByHand,
    Revocation,
    generations_table,
    revocation_json,
    revocation_lines,
)

TRIES = 5
"""How often a word is written, or a run begun, that lost a race against another run."""


def command(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of a credential, declared or only in the ledgers.")],
    *,
    reason: Annotated[str, typer.Option("--reason", "-r", help="The reason: kept in the ledger and the audit log.")],
    generation: Annotated[
        list[int] | None, typer.Option("--generation", "-g", metavar="N", help="End this generation. Repeatable.")
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="End all of it; nothing new is issued until `lift`.")
    ] = False,
    target: Annotated[
        str | None,
        typer.Option(
            "--target",
            help="First disable its clients at this target, known by our mark alone; name its keys. Implies --all.",
        ),
    ] = None,
    stack: StackOption = None,
    card: CardOption = None,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Revoke secrets of a credential, now and for good, even while another run is at work. Safe to repeat.

    It is noted in the ledger first, which stops any other run on this credential; then it is ended at its target.
    When the stack does not load it goes on from the stack card. With the ledger store down, --target disables what
    carries our mark there and keeps a record that the next plan has as a step. It deletes nothing. Keys carry no mark:
    those that a person has to end are named.

    Exit code 0: ended; 1: an error, declined, or not everything is ended yet (it says what is left).
    """
    reason = reason_of(reason)
    if as_json and not yes:
        raise DeclarationError("--json asks nothing, so it needs --yes; nothing was changed")
    if generation and (everything or target is not None):
        raise DeclarationError("--generation ends some, --all and --target end everything; choose one of them")
    scene = open_scene(stack, card)
    identity, numbers = scene.identity(name), tuple(generation or ()) or None
    if target is None:
        _ask(scene, identity, numbers, everything=everything, yes=yes)
        with ledgers_needed(scene, identity):
            made = revoke_now(scene, identity, reason, numbers)
    else:
        made = _by_mark(scene, identity, target, reason, yes=yes)
    if as_json:
        show_json(revocation_json(made))
    else:
        show(revocation_lines(made))
    if not made.complete:
        raise typer.Exit(1)


def _ask(scene: Scene, identity: str, numbers: tuple[int, ...] | None, *, everything: bool, yes: bool) -> None:
    """Show the generations, and ask. Raises DeclarationError where it was not said which, or it makes no sense."""
    ledger = _ledger_of(scene, identity)
    show([generations_table(ledger)], stderr=True)
    if numbers is None and not everything:
        states = ", ".join(f"{g.number} ({g.state})" for g in ledger.generations) or "none"
        raise DeclarationError(f"which of it? --generation N for one of {states}, or --all; nothing was changed")
    if ledger.closed is not None:
        raise what_is_left(scene, ledger)
    with ledgers_needed(scene, identity):
        at = scene.ledgers.now()
    requests.revoke(ledger, at, "asked", numbers)
    confirm_or_stop(f"End {_what(numbers)} of {identity}, for good?", yes=yes)


def _by_mark(scene: Scene, identity: str, target: str, reason: str, *, yes: bool) -> Revocation:
    """Disable what a target has of it by our mark, then revoke; what the ledger cannot take now is kept in a record.

    A record is kept of whatever stops this once something is disabled, Ctrl-C too: no word is lost half way.
    """
    port = scene.target(target)
    confirm_or_stop(f"Disable what target {target} has of {identity}, and revoke it?", yes=yes)
    seen, marked = port.observe(None), list[Marked]()
    words = "not every client was disabled, run the same command again"
    try:
        for item in disable_marked(port, identity, seen):
            marked.append(item)  # each at once, so that none is forgotten when the next one fails
        words = ""
        made = revoke_now(scene, identity, reason, None, by_mark=True)
    except KeystewardError as error:
        if words and not marked:
            raise
        record, why = _keep(identity, reason, marked)
        said = "; ".join(filter(None, (words, str(error), why)))
        made = Revocation(scene.stack, identity, reason, record=record, error=said)
    except BaseException:
        if marked:
            record, why = _keep(identity, reason, marked)
            say(f"{record} keeps what was disabled; run the same command again" if record else f"error: {why}")
        raise
    keys, unseen = _keys(scene, identity, seen)
    return replace(made, disabled=_disabled(marked), keys=keys, unseen=unseen)


def _keys(scene: Scene, identity: str, seen: Observation) -> tuple[tuple[KeyByHand, ...], str]:
    """Return the keys that a person has to end where no ledger knows them, and why these may not be all.

    They carry no mark. Where they have names these tell, else what was delivered of a credential that is declared.
    """
    spec, silent = scene.specs.get(identity), list[str]()
    keys = named_keys(seen, identity)
    ours = spec is not None and spec.key and spec.target == seen.target
    can = key_capabilities(scene.targets[seen.target])
    if spec is not None and ours and can is not None and not can.tags_secrets:
        keys, silent = delivered_keys(spec, scene.stores)
    made = tuple(KeyByHand(key.target, key.holder, key.id, key.said_by) for key in keys)
    if spec is None and can is not None and not can.tags_secrets:
        return made, (
            f"keys of target {seen.target} carry neither mark nor name: if it is a key, what was delivered of it has "
            "its id; end that one in the console"
        )
    if spec is None or not ours or (keys and not silent):
        return made, ""
    untold = f", and {', '.join(silent)} does not tell which one it is" if silent else ""
    whose = f"end what {spec.client_id} has of this credential in the console of target {spec.target}"
    return made, f"a key carries no mark{untold}: {whose}"


def _keep(identity: str, reason: str, marked: list[Marked]) -> tuple[str | None, str]:
    """Keep the word in a record; returns its path, or why there is none."""
    try:
        return str(keep(Path.cwd(), identity, reason, marked).relative_to(Path.cwd())), ""
    except KeystewardError as error:
        return None, str(error)


def _disabled(marked: list[Marked]) -> tuple[Disabled, ...]:
    return tuple(Disabled(m.target, m.client_id, m.remote_id, m.was_enabled) for m in marked)


def _what(numbers: tuple[int, ...] | None) -> str:
    return "everything" if numbers is None else f"generation {', '.join(map(str, sorted(numbers)))}"


def _ledger_of(scene: Scene, identity: str) -> Ledger:
    """Read one ledger, and nothing else. Raises DeclarationError for a name that has none."""
    with ledgers_needed(scene, identity):
        stored = scene.ledgers.read(ledger_key(identity))
    if stored.document is None:
        if identity in scene.specs:
            raise DeclarationError(f"{identity} was never issued; there is nothing to revoke")
        raise unknown_name(identity, {*scene.specs, *scene.session("reader", "").snapshot.ledgers})
    return load_ledger(stored.document, stored.version)


def revoke_now(
    scene: Scene, identity: str, reason: str, numbers: tuple[int, ...] | None, *, by_mark: bool = False
) -> Revocation:
    """Note the word, then end at once what it names. Raises KeystewardError when it could not be noted.

    A closed ledger takes no word; what was done `by_mark` is noted in the audit log all the same.
    """
    with Display(1) as display:
        session = scene.session("runner", identity, display.tell)
        ledger = _note(session, identity, reason, numbers, by_mark=by_mark)
        made = Revocation(scene.stack, identity, reason, ledger, identity in scene.specs)
        code = 1
        try:
            result = _run(session, identity, scene)
            code = 0
        except KeystewardError as error:
            return replace(made, ledger=_known(session, identity) or ledger, error=str(error))
        finally:
            finish(session, "revoke", code)
    done = tuple(step.words for step in result.done if step.headline) or tuple(step.words for step in result.done)
    waits = f"waits until {result.wait.until:%H:%M:%S} UTC: {result.wait.why}" if result.wait is not None else ""
    return replace(made, ledger=result.ledger or ledger, done=done, error=waits)


def _note(session: Session, identity: str, reason: str, numbers: tuple[int, ...] | None, *, by_mark: bool) -> Ledger:
    lost: KeystewardError | None = None
    record = session.record(identity)
    for _ in range(TRIES):
        try:
            at = session.ledgers.now()
            change = partial(_revoked, record=record, at=at, reason=reason, numbers=numbers, by_mark=by_mark)
            ledger = session.credentials.edit(identity, change, command="revoke", words=reason)
        except (VersionConflict, OutcomeUnknown) as error:
            lost = error
            continue
        if ledger is None:
            raise DeclarationError(f"{identity} has no ledger; nothing was noted")
        return ledger
    raise lost or VersionConflict("its ledger keeps changing; run again", credential=identity)


def _revoked(
    ledger: Ledger,
    *,
    record: Recorded | None,
    at: datetime,
    reason: str,
    numbers: tuple[int, ...] | None,
    by_mark: bool,
) -> Ledger:
    """Return a ledger with the word in it; with all of it revoked, a record that waits has nothing more to say."""
    if by_mark and ledger.closed is not None:
        return ledger
    ledger = requests.revoke(ledger, at, reason, numbers)
    return ledger if record is None or numbers is not None else requests.note_record(ledger, record, at)


def _run(session: Session, identity: str, scene: Scene) -> Result:
    """Carry it out; a run that began a moment before and still writes loses the race, so that this one tries again."""
    for _ in range(TRIES):
        try:
            return session.credentials.run(identity, scene.specs.get(identity))
        except VersionConflict:
            continue
    return session.credentials.run(identity, scene.specs.get(identity))


def _known(session: Session, identity: str) -> Ledger | None:
    """Return the ledger as it is now, or None where it cannot be read any more."""
    try:
        stored = session.ledgers.read(ledger_key(identity))
    except KeystewardError:
        return None
    return None if stored.document is None else load_ledger(stored.document, stored.version)
