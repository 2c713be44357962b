"""`keysteward mv`: a credential gets another name in its mark, its ledger and its documents; its secrets stay."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from keysteward.cli.opening import open_stack
from keysteward.cli.options import JsonOption, StackOption, YesOption
from keysteward.cli.progress import Display
from keysteward.cli.terminal import confirm_or_stop, show, show_json
from keysteward.core.declare.spec import Spec
from keysteward.core.errors import Conflict, DeclarationError, KeystewardError
from keysteward.core.observe.world import Extent
from keysteward.operations.project import Opened, unknown_name
from keysteward.operations.session import Access, Session
from keysteward.operations.stack_plan import Preview, plan_of
from keysteward.operations.stack_run import finish, result_of
from keysteward.report.run.plan import preview_lines
from keysteward.report.run.results import result_lines, results_json


def command(
    old: Annotated[str, typer.Argument(metavar="OLD", help="The name in the ledgers, which is not declared any more.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="The name of the declaration that goes on with it.")],
    *,
    stack: StackOption = None,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Rename a credential: the declaration NEW takes over the marks, ledger and documents of OLD.

    No secret is issued, changed or ended. The same as `previously="OLD"` in the declaration, without writing it there.

    Exit code 0: moved; 1: an error, or declined.
    """
    if as_json and not yes:
        raise KeystewardError("nothing was changed: --json asks nothing, so it needs --yes")
    opened = open_stack(stack)
    spec = _renamed(opened, old, new)
    session = _session(opened, spec, "reader")
    _check(session, opened.identity(old), spec)
    item = plan_of(session.snapshot.world(spec.identity, spec))
    if item.plan.problem is not None:
        raise Conflict(item.plan.problem.message, credential=spec.identity)
    planned = Preview(opened.stack.identity, session.snapshot.at, (), (item,))
    if not as_json:
        show(preview_lines(planned))
    confirm_or_stop(f"Move {old} to {new}?", yes=yes)
    with Display(1) as display:
        runner = _session(opened, spec, "runner", display)
        code = 1
        try:
            result = runner.credentials.run(spec.identity, spec, approved=item.approval, words=item.numbered or None)
            runner.credentials.edit(
                spec.identity, lambda ledger: ledger, command="mv", words=f"{opened.identity(old)} to {spec.identity}"
            )
            code = 0
        finally:
            finish(runner, "mv", code)
    if as_json:
        show_json(results_json([result_of(result)], planned))
    else:
        show(result_lines([result_of(result)], planned))


def _renamed(opened: Opened, old: str, new: str) -> Spec:
    """Return the declaration of NEW that also names OLD. Raises DeclarationError where that makes no sense."""
    before, after = opened.identity(old), opened.identity(new)
    spec = opened.stack.specs.get(after)
    if after in opened.stack.server_specs or before in opened.stack.server_specs:
        raise DeclarationError('mv moves credentials; for a resource server write previously="OLD" and run `up`')
    if spec is None:
        raise DeclarationError(f"{new!r} is not declared; declare it, then move {old!r} to it")
    if before in opened.stack.specs:
        raise DeclarationError(f"{old!r} is still declared; remove its declaration, then move it to {new!r}")
    for other in opened.stack.specs.values():
        if other.identity != after and before.removeprefix(f"{opened.stack.identity}/") in other.previously:
            raise DeclarationError(f"{old!r} becomes {other.name!r} by its `previously`; remove that first")
    name = before.removeprefix(f"{opened.stack.identity}/")
    return replace(spec, previously=tuple(dict.fromkeys((*spec.previously, name))))


def _session(opened: Opened, spec: Spec, access: Access, display: Display | None = None) -> Session:
    session = opened.session(access, display.tell if display is not None else None, Extent.RENAME)
    session.snapshot.add(spec)
    return session


def _check(session: Session, before: str, spec: Spec) -> None:
    """Refuse what cannot be moved; a move that died half way is gone on with."""
    ledgers = session.snapshot.ledgers
    old, new = ledgers.get(before), ledgers.get(spec.identity)
    begun = new is not None and new.closed is None and before in new.names
    if begun:
        return
    if old is None:
        raise unknown_name(before, ledgers)
    if old.closed is not None:
        raise DeclarationError(f"{before} is closed since {old.closed:%Y-%m-%d}; there is nothing to move")
    if new is not None and new.closed is not None and new.revoked is not None and spec.identity not in old.names:
        raise DeclarationError(
            f"{spec.identity} was revoked before it was closed ({new.revoked.reason}), and moving {before} there would "
            "lift that; choose another name"
        )
    if new is not None and new.closed is None:
        raise DeclarationError(f"{spec.identity} has secrets of its own; end one of the two first")
