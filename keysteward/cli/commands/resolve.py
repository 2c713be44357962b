"""`keysteward resolve`: a person decides whether a secret that may be an orphan of ours is."""

from __future__ import annotations

from typing import Annotated

import typer

from keysteward.cli.opening import open_stack
from keysteward.cli.options import JsonOption, StackOption
from keysteward.cli.requests import undisturbed
from keysteward.cli.terminal import show, show_json
from keysteward.core.record import requests
from keysteward.operations.project import unknown_name
from keysteward.operations.stack_run import finish
from keysteward.report.run.plan import JSON_FORMAT
from keysteward.report.text.plain import line


def command(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the credential with the finding.")],
    suspect: Annotated[str, typer.Argument(metavar="ID", help="Id of the secret, as the finding names it.")],
    *,
    ours: Annotated[
        bool, typer.Option("--ours/--theirs", help="Ours: the next run ends it. Theirs: it is left alone.")
    ],
    stack: StackOption = None,
    as_json: JsonOption = False,
) -> None:
    """Decide whose a suspect secret is: left behind by one of our own calls, or somebody else's.

    Nothing is ended by this command itself; `keysteward preview` shows what the next run does.

    Exit code 0: noted; 1: an error.
    """
    opened = open_stack(stack)
    identity = opened.identity(name)
    session = opened.session("runner")
    ledgers = session.snapshot.ledgers
    if identity not in ledgers:
        raise unknown_name(identity, {*opened.stack.specs, *ledgers})
    what = "is ours; the next run ends it" if ours else "is not ours; it is left alone"
    change = undisturbed(lambda known, _runner, _at: requests.resolve(known, suspect, ours=ours))
    ledger = session.credentials.edit(
        identity,
        lambda known: change(known, session.runner, session.snapshot.at),
        command="resolve",
        words=f"secret {suspect} {what}",
    )
    finish(session, "resolve", 0)
    if as_json:
        left = [s for g in ledger.generations for s in g.suspects] if ledger is not None else []
        answer = {"identity": identity, "suspect": suspect, "ours": ours, "suspects_left": left}
        show_json({"format": JSON_FORMAT, **answer})
    else:
        show([line(f"{name}: secret {suspect} {what}")])
