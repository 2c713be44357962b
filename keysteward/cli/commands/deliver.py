"""`keysteward deliver`: a person hands over a key that was made by hand, or says that an old one has ended."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

import typer

from keysteward.cli.opening import open_stack
from keysteward.cli.options import JsonOption, StackOption, YesOption
from keysteward.cli.progress import Display
from keysteward.cli.requests import planned_alone, reason_of, refuse_recorded, undisturbed
from keysteward.cli.terminal import confirm_or_stop, read_secret, say, show, show_json
from keysteward.core.contract.ports import Material, Target
from keysteward.core.declare.spec import Spec
from keysteward.core.errors import Conflict, DeclarationError, KeystewardError, LeaseHeld
from keysteward.core.observe.world import World
from keysteward.core.plan.by_hand import holder_of, why_not
from keysteward.core.record import requests
from keysteward.core.record.ledger import Generation, Ledger, State
from keysteward.core.record.requests import may_be_ended
from keysteward.core.record.steps import Do
from keysteward.core.run.executor import TRY
from keysteward.core.run.reconciler import Result
from keysteward.host.material import material_of
from keysteward.operations.project import Opened, unknown_name
from keysteward.operations.session import Session
from keysteward.operations.stack_plan import CredentialPlan, Preview, plan_of
from keysteward.operations.stack_run import Outcome, finish, result_of
from keysteward.report.run.plan import preview_lines
from keysteward.report.run.results import result_lines, results_json

COMMAND = "deliver"


@dataclass(frozen=True, slots=True)
class _Way:
    """How the person wants to be asked and answered."""

    yes: bool
    as_json: bool


def command(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of a declared `ManualKey`.")],
    *,
    ended: Annotated[
        int | None,
        typer.Option(
            "--ended", metavar="N", min=1, help="Generation N was ended in its system: test it, and record its end."
        ),
    ] = None,
    confirmed_by: Annotated[
        str | None,
        typer.Option(
            "--confirmed-by",
            metavar="PERSON",
            help="Who, by the owners file, vouches that it has ended, if it cannot be tested. Needs --reason.",
        ),
    ] = None,
    reason: Annotated[str | None, typer.Option("--reason", "-r", help="How that person knows.")] = None,
    stack: StackOption = None,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Deliver the new value of a key that was made by hand, or record that an old one has ended.

    The value is read from standard input (a terminal asks, and shows nothing), never from an argument. It is staged,
    tried by the declared probe, and delivered when it works; else it is destroyed.

    With --ended the old value is tried: refused, its end is recorded and its copy destroyed; while it still works,
    nothing is.

    Exit code 0: delivered, or its end is recorded; 1: an error, declined, refused, or the old one still works.
    """
    way = _Way(yes, as_json)
    if ended is None and (confirmed_by is not None or reason is not None):
        raise DeclarationError("--confirmed-by and --reason say how the end of a generation is known; add --ended N")
    if (confirmed_by is None) != (reason is None):
        raise DeclarationError("--confirmed-by and --reason go together: who says that it has ended, and how they know")
    if as_json and not yes:
        raise KeystewardError("nothing was changed: --json asks nothing, so it needs --yes")
    opened = open_stack(stack)
    if ended is None:
        _hand_over(opened, name, way)
        return
    word = None if confirmed_by is None or reason is None else _word(opened, confirmed_by, reason_of(reason))
    _end(opened, name, ended, word, way)


def _word(opened: Opened, person: str, reason: str) -> str:
    owner = opened.owners.find(person)
    if owner is None or owner.state == "gone":
        why = "is not in the owners file" if owner is None else "is gone"
        raise DeclarationError(f"--confirmed-by: {person!r} {why}; name a team or person who answers for it")
    return f"confirmed by {person}: {reason}"


def _find(opened: Opened, session: Session, name: str) -> tuple[World, Spec]:
    """Return a declared credential. Raises DeclarationError for one that is not."""
    identity = opened.identity(name)
    spec = opened.stack.specs.get(identity)
    if spec is None:
        if identity in session.snapshot.ledgers:
            raise DeclarationError(f"{identity} is not declared any more; declare it again first")
        raise unknown_name(identity, opened.stack.specs)
    world = session.snapshot.world(identity, spec)
    if world.ledger is not None and world.ledger.identity != identity:
        raise DeclarationError(f"{name!r} is being renamed; run `keysteward up` first")
    return world, spec


def _hand_over(opened: Opened, name: str, way: _Way) -> None:
    session = opened.session("reader")
    world, spec = _find(opened, session, name)
    refusal = why_not(world, spec)
    if refusal is not None:
        raise DeclarationError(f"nothing was changed: {refusal}")
    _must_tell(session.targets[spec.target], spec)
    value = material_of(spec.method, read_secret(f"New value of {spec.name}").get_secret_value())
    fingerprint = session.credentials.fingerprint(value) or ""
    known = _must_be_new(world, spec, fingerprint)
    item = plan_of(world if known else replace(world, me=replace(world.me, given=fingerprint)))
    _must_begin(item, known=known)
    planned = planned_alone(opened, item, world.now)
    _ask(planned, "Try it, and deliver it when it works?", way)
    try:
        result, taken = _run(opened, item, given=None if known else value)
    except KeystewardError as error:
        if error.operation == TRY:
            say("nothing was delivered; the value is kept where no consumer reads, and the next run tries it again")
        raise
    _answer(result, planned, _not_taken(result.ledger, taken or fingerprint), way)


def _must_tell(target: Target, spec: Spec) -> None:
    """Refuse a probe that tells nothing, before anything is asked for or written."""
    for check in target.diagnose():
        if not check.ok:
            raise DeclarationError(f"nothing was changed: {spec.name!r}: {check.detail}")


def _must_be_new(world: World, spec: Spec, fingerprint: str) -> bool:
    """Refuse a value that consumers have or had; returns whether an earlier run took it in and did not prove it."""
    holder = holder_of(world, fingerprint)
    if holder is None or holder.state in {State.INTENT, State.ISSUED, State.VERIFIED}:
        return holder is not None
    what = f"nothing was changed: this is the value of generation {holder.number}"
    if holder.state is State.CURRENT:
        raise DeclarationError(f"{what}, which {spec.name!r} has already; make a new one at {spec.target}")
    raise DeclarationError(f"{what}, which was replaced; to go back to it run: keysteward rollback {spec.name}")


def _must_begin(item: CredentialPlan, *, known: bool) -> None:
    """Refuse where the plan takes no value in, with what stands in its way."""
    if any(step.do is Do.BEGIN for step in item.plan.steps) or (known and item.plan.steps):
        return
    if item.plan.problem is not None:
        raise Conflict(item.plan.problem.message, credential=item.identity)
    why = "; ".join(finding.message for finding in item.findings) or "another step comes first"
    raise KeystewardError(f"nothing was changed: no value can be taken in now ({why})", credential=item.identity)


def _not_taken(ledger: Ledger | None, fingerprint: str) -> str:
    """Say why a value was not delivered; "" when it was."""
    current = ledger.current if ledger is not None else None
    if ledger is None or (current is not None and current.fingerprint == fingerprint):
        return ""
    tried = next((g for g in reversed(ledger.generations) if g.fingerprint == fingerprint), None)
    if tried is None:
        return "the value was not taken in; look at the plan with `keysteward preview`, then deliver it again"
    return (
        f"nothing was delivered: the value was {tried.evidence or tried.state}, and its copy is destroyed; copy the "
        "whole key, see that it is enabled, and deliver it again"
    )


def _end(opened: Opened, name: str, number: int, word: str | None, way: _Way) -> None:
    session = opened.session("reader")
    world, spec = _find(opened, session, name)
    if world.ledger is None:
        raise DeclarationError(f"{spec.name!r} was never delivered, so nothing of it can have ended")
    system = may_be_ended(world.ledger, number).target
    item = plan_of(replace(world, me=replace(world.me, asked=frozenset({number}))))
    if item.leased:
        raise LeaseHeld(next(f.message for f in item.findings), credential=world.identity)
    planned = planned_alone(opened, item, world.now)
    _ask(planned, f"Try generation {number} at {system}, and record its end when it is refused?", way)
    try:
        result, _ = _run(opened, item, asked=number)
    except KeystewardError as error:
        if error.operation != TRY:
            raise
        if word is None:
            how = f"nothing was changed; who ended it at {system} says so with --confirmed-by PERSON --reason TEXT"
            raise type(error)(f"{error.message}; {how}", credential=world.identity) from None
        result, _ = _run(opened, item, asked=number, word=word)
    _answer(result, planned, _still_works(result.ledger, number), way)


def _still_works(ledger: Ledger | None, number: int) -> str:
    """Say that a generation was not refused; "" when its end is recorded."""
    generation: Generation | None = ledger.generation(number) if ledger is not None else None
    if generation is None or generation.confirmed is not None:
        return ""
    return f"generation {number} still works at {generation.target}; end it there, then run this again"


def _ask(planned: Preview, question: str, way: _Way) -> None:
    for item in planned.credentials:
        refuse_recorded(item)
    if not way.as_json:
        show(preview_lines(planned))
    confirm_or_stop(question, yes=way.yes)


def _run(
    opened: Opened,
    item: CredentialPlan,
    *,
    given: Material | None = None,
    asked: int | None = None,
    word: str | None = None,
) -> tuple[Result, str | None]:
    """Carry the plan out; returns the fingerprint of what was `given`, too, whose key the first run of a stack makes.

    With a person's `word` on the generation `asked` about, that is noted, and what follows is done.
    """
    numbers = frozenset() if asked is None or word is not None else frozenset({asked})
    with Display(1) as display:
        session = opened.session("runner", display.tell)
        code = 1
        try:
            if asked is not None and word is not None:
                _note(session, item.identity, asked, word)
            result = session.credentials.run(
                item.identity,
                item.spec,
                approved=item.approval,
                words=item.numbered or None,
                given=given,
                asked=numbers,
            )
            code = 0
        finally:
            finish(session, COMMAND, code)
    return result, session.credentials.fingerprint(given)


def _note(session: Session, identity: str, number: int, word: str) -> None:
    at = session.snapshot.at
    change = undisturbed(lambda ledger, _runner, _at: requests.confirm_ended(ledger, number, word))
    session.credentials.edit(
        identity,
        lambda ledger: change(ledger, session.runner, at),
        command=COMMAND,
        words=f"generation {number} has ended, {word}",
    )


def _answer(result: Result, planned: Preview, wrong: str, way: _Way) -> None:
    """Tell what was done. Ends the command with 1 when that is not what was wanted."""
    told = result_of(result)
    if wrong:
        told = replace(told, outcome=Outcome.FAILED, error=wrong)
    if way.as_json:
        show_json(results_json([told], planned))
    else:
        show(result_lines([told], planned))
    if wrong:
        raise typer.Exit(1)
