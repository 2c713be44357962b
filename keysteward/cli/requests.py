"""What a person asks of one credential: noted in its ledger, and where something is to be done, done at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from keysteward.cli.progress import Display
from keysteward.cli.terminal import confirm_or_stop, show, show_json
from keysteward.core.errors import DeclarationError, KeystewardError, LeaseHeld
from keysteward.core.observe.world import Extent, World
from keysteward.core.record import requests
from keysteward.core.record.ledger import Ledger
from keysteward.core.run.reconciler import Result
from keysteward.host.json_text import escaped
from keysteward.operations.emergency import ledgers_needed, scene_of
from keysteward.operations.project import Opened, unknown_name
from keysteward.operations.runner import is_dead
from keysteward.operations.session import Session
from keysteward.operations.stack_plan import CredentialPlan, Preview, plan_of
from keysteward.operations.stack_run import finish, result_of
from keysteward.report.run.plan import preview_lines
from keysteward.report.run.results import result_lines, results_json

Change = Callable[[Ledger, str, datetime], Ledger]
"""A handle: from a ledger, the runner's id and the ledger store's time to the ledger with a person's word in it."""


@dataclass(frozen=True, slots=True)
class Request:
    """A command's name, its reason, the handle that it turns, and what is asked before it is done."""

    command: str
    reason: str
    change: Change
    question: str = ""


def reason_of(text: str) -> str:
    """Return a reason that says something. Raises DeclarationError for an empty one."""
    if not text.strip():
        raise DeclarationError("--reason: must not be empty; say why, for those who read the ledger later")
    return written(text)


def written(text: str) -> str:
    """Return what was typed as it is kept everywhere: bytes that are not UTF-8 stand in it as escapes."""
    return escaped(text.strip())


def find(opened: Opened, session: Session, name: str) -> World:
    """Return the world of a credential that has a ledger. Raises DeclarationError for one that has none."""
    identity = opened.identity(name)
    with ledgers_needed(scene_of(opened.stack, opened.records), identity):
        spec, ledgers = opened.stack.specs.get(identity), session.snapshot.ledgers
    if spec is None and identity not in ledgers:
        raise unknown_name(identity, {*opened.stack.specs, *ledgers})
    world = session.snapshot.world(identity, spec)
    if world.ledger is None:
        raise DeclarationError(f"{name!r} was never issued; `keysteward up` issues its first secret")
    return world


def note(opened: Opened, name: str, request: Request) -> Ledger:
    """Write a person's word into the ledger, and nothing else; returns the ledger.

    Raises DeclarationError while another run works on it: no word that can wait stops that half way.
    """
    session = opened.session("runner", extent=Extent.LIFECYCLE)
    world = find(opened, session, name)
    patient = replace(request, change=undisturbed(request.change))
    ledger = _edit(session, world.ledger.identity if world.ledger else world.identity, patient)
    finish(session, request.command, 0)
    return ledger


def undisturbed(change: Change) -> Change:
    """Return a handle that is not turned while another run, which still lives, works on the credential."""

    def patient(ledger: Ledger, runner: str, at: datetime) -> Ledger:
        if ledger.lease is not None and not is_dead(ledger.lease.runner):
            requests.must_be_free(ledger, runner, at)
        return change(ledger, runner, at)

    return patient


def _edit(session: Session, identity: str, request: Request) -> Ledger:
    at = session.snapshot.at
    ledger = session.credentials.edit(
        identity,
        lambda known: request.change(known, session.runner, at),
        command=request.command,
        words=request.reason,
    )
    if ledger is None:
        raise DeclarationError(f"{identity} has no ledger any more; nothing was changed")
    return ledger


def note_and_do(
    opened: Opened,
    name: str,
    request: Request,
    check: Callable[[World], None],
    *,
    yes: bool,
    as_json: bool,
) -> Ledger:
    """Show what a person's word brings about, ask, note it and carry it out; returns the ledger afterwards.

    Only lifecycle steps are done: what is new or changed in the declaration waits for `up`. `check` may refuse.
    """
    reader = opened.session("reader", extent=Extent.LIFECYCLE)
    world = find(opened, reader, name)
    if world.ledger is None or world.ledger.identity != world.identity:
        raise DeclarationError(f"{name!r} is being renamed; run `keysteward up` first")
    check(world)
    asked = request.change(world.ledger, reader.runner, world.now)
    item = plan_of(replace(world, ledger=asked))
    planned = planned_alone(opened, item, world.now)
    result = ask_and_do(opened, request, planned, Extent.LIFECYCLE, yes=yes, as_json=as_json)
    return result.ledger or asked


def refuse_recorded(item: CredentialPlan) -> None:
    """Refuse to do anything else to what was revoked without the ledger store, as long as that is not carried out."""
    step = item.plan.by_record
    if step is not None:
        raise DeclarationError(
            f"{item.identity} was revoked {step.why}; nothing was changed: `keysteward up` carries that out, at once "
            f"keysteward revoke {item.name} --all --reason TEXT; keysteward lift {item.name} --reason TEXT drops it"
        )


def planned_alone(opened: Opened, item: CredentialPlan, at: datetime) -> Preview:
    """Return a preview of one credential and nothing else."""
    return Preview(opened.stack.identity, at, (), (item,), item.findings)


def ask_and_do(
    opened: Opened,
    request: Request,
    planned: Preview,
    extent: Extent = Extent.ALL,
    *,
    yes: bool,
    as_json: bool = False,
) -> Result:
    """Show a preview of one credential, ask, note a person's word and carry it out; returns what was done.

    Raises LeaseHeld when the word is noted and left to the next run, since another one works on the credential.
    """
    if as_json and not yes:
        raise KeystewardError("nothing was changed: --json asks nothing, so it needs --yes")
    refuse_recorded(planned.credentials[0])
    if not as_json:
        show(preview_lines(planned))
    confirm_or_stop(request.question, yes=yes)
    result = _do(opened, request, planned.credentials[0], extent)
    if as_json:
        show_json(results_json([result_of(result)], planned))
    else:
        show(result_lines([result_of(result)], planned))
    return result


def _do(opened: Opened, request: Request, item: CredentialPlan, extent: Extent) -> Result:
    with Display(1) as display:
        session = opened.session("runner", display.tell, extent)
        code = 1
        try:
            _edit(session, item.identity, request)
            try:
                result = session.credentials.run(
                    item.identity, item.spec, approved=item.approval, words=item.numbered or None
                )
            except LeaseHeld as error:
                raise LeaseHeld(f"it is noted, and the next run does it: {error.message}") from None
            code = 0
        finally:
            finish(session, request.command, code)
    return result
