"""`keysteward offboard`: a person or team leaves; what they answer for is handed over, or revoked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from keysteward.cli.commands.revoke import revoke_now
from keysteward.cli.options import JsonOption, StackOption, YesOption
from keysteward.cli.source.declarations import Owned, change_owners, find_owners, project_files
from keysteward.cli.source.places import relative
from keysteward.cli.terminal import confirm_or_stop, show, show_json
from keysteward.core.assess.blast_radius import ALLOW_ENDING, must_be_allowed
from keysteward.core.declare.owners import Owners
from keysteward.core.declare.stack import Stack
from keysteward.core.errors import DeclarationError, KeystewardError, LimitExceeded
from keysteward.core.record import requests
from keysteward.operations.containment import contained
from keysteward.operations.emergency import Scene, scene_of
from keysteward.operations.endings import allow_ending, allowance
from keysteward.operations.loading import load_stack, module_name
from keysteward.operations.owners import owners_of
from keysteward.operations.session import Session
from keysteward.operations.stack_run import finish
from keysteward.report.run.offboarding import (
    Edit,
    Holding,
    Offboarding,
    choice_line,
    done_lines,
    holding_lines,
    offboarding_json,
)


def command(
    owner: Annotated[str, typer.Argument(metavar="OWNER", help="Person or team that leaves.")],
    *,
    to: Annotated[str | None, typer.Option("--to", metavar="OWNER", help="Hand everything over to this owner.")] = None,
    revoke: Annotated[bool, typer.Option("--revoke", help="End everything, for good.", show_default=False)] = False,
    keep_secrets: Annotated[
        bool,
        typer.Option("--keep-secrets", help="With --to: do not request new secrets."),
    ] = False,
    stack: StackOption = None,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Show what an owner is responsible for; hand it over with --to, or revoke it with --revoke.

    --to changes the owner in the stack's source files, that text and no other byte, for a commit that gets reviewed;
    and asks for a new secret of each, since who leaves may know the old ones: the next run issues it, and the old ones
    keep their overlap. --revoke ends all of it at once, within the stack's limit. With neither, nothing is changed.

    Exit code 0: shown, or done; 1: an error, declined, or something is left to a person (it says what).
    """
    if to is not None and revoke:
        raise DeclarationError("--to hands over and --revoke ends; choose one of them")
    loaded = load_stack(stack)
    owners = owners_of(loaded)
    scene = scene_of(loaded)
    plan = _plan(loaded, owners, owner, scene)
    if not as_json:
        show(holding_lines(plan))
    if to is None and not revoke:
        show_json(offboarding_json(plan)) if as_json else show([choice_line(plan)])
        return
    if as_json and not yes:
        raise KeystewardError("nothing was changed: --json asks nothing, so it needs --yes")
    if revoke:
        _check_limit(plan, loaded, scene)
        confirm_or_stop(f"Revoke all {len(plan.holdings)}, for good?", yes=yes)
        done = _revoke_all(plan, scene)
    else:
        done = _hand_over(plan, loaded, owners, to or "", module_name(stack, Path.cwd()), (yes, keep_secrets))
    if as_json:
        show_json(offboarding_json(done))
    else:
        show(done_lines(done))
    if not done.complete:
        raise typer.Exit(1)


def _plan(stack: Stack, owners: Owners, owner: str, scene: Scene) -> Offboarding:
    """Find what names this owner: declarations, and the ledgers of what is not declared any more."""
    mine = {i: spec for i, spec in stack.specs.items() if spec.owner == owner}
    try:
        ledgers = scene.session("reader", "").snapshot.ledgers
    except KeystewardError as error:
        told = [f"nothing was changed: the ledger store does not answer ({error}); as declared, {owner} answers for:"]
        told += [f"{s.name}: keysteward revoke {s.name} --target {s.target} --reason TEXT" for s in mine.values()]
        raise type(error)("\n".join(told if mine else [str(error)])) from None
    lost = {
        i
        for i, ledger in ledgers.items()
        if i not in stack.specs and ledger.closed is None and ledger.about is not None and ledger.about.owner == owner
    }
    known = owners.find(owner)
    if known is None and not mine and not lost:
        raise DeclarationError(f"{owner!r} is neither in the owners file nor the owner of anything; correct the name")
    holdings = tuple(Holding(i, mine.get(i), ledgers.get(i)) for i in sorted({*mine, *lost}))
    state = known.state if known is not None else None
    return Offboarding(stack.identity, owner, state, _deputy(owners, owner), holdings)


def _deputy(owners: Owners, owner: str) -> str | None:
    """Return who stands in for an owner, where the owners file says so and they are active."""
    known = owners.find(owner)
    deputy = known.deputy if known is not None else None
    return deputy if deputy is not None and _is_active(owners, deputy) else None


def _check_limit(plan: Offboarding, stack: Stack, scene: Scene) -> None:
    """Raise LimitExceeded when so many, or one of these, must not end without a person's explicit word."""
    session, allowed = scene.session("reader", ""), allowance()
    snapshot = session.snapshot
    words = {h.name: must_be_allowed(snapshot.world(h.identity, None), snapshot.at) for h in plan.holdings if h.ledger}
    needing = {name: why for name, why in words.items() if why is not None}
    end = f"hand them over with --to, or allow it with {ALLOW_ENDING}"
    if len(needing) > allowed:
        name, why = next(iter(needing.items()))
        others = f" (and {len(needing) - 1} more like it)" if len(needing) > 1 else ""
        raise LimitExceeded(f"{why}{others}; nothing was changed: {end}={len(needing)}", credential=name)
    working = [h for h in plan.holdings if h.ledger is not None and any(g.live for g in h.ledger.generations)]
    count = sum(1 for ledger in snapshot.ledgers.values() if ledger.closed is None)
    if stack.limit.exceeded(len(working), count) and len(working) > allowed:
        raise LimitExceeded(
            f"{len(working)} of {count} credentials would be left without a working secret, and the limit is "
            f"{stack.limit.count} or {stack.limit.share:.0%}; nothing was changed: {end}={len(working)}"
        )


def _revoke_all(plan: Offboarding, scene: Scene) -> Offboarding:
    """Revoke one after the other; what fails does not stop the others."""
    revoked, left = [], {}
    session = scene.session("runner", "")
    for holding in plan.holdings:
        if holding.ledger is None:
            left[holding.name] = "was never issued; remove its declaration"
            continue
        try:
            allow_ending(session, holding.identity)
            with contained(holding.name):
                revoked.append(revoke_now(scene, holding.identity, f"owner {plan.owner} left", None))
        except KeystewardError as error:
            left[holding.name] = str(error)
    return replace(plan, revoked=tuple(revoked), left=left)


def _hand_over(
    plan: Offboarding, stack: Stack, owners: Owners, to: str, module: str, choices: tuple[bool, bool]
) -> Offboarding:
    """Change the source files, then ask for new secrets. Raises DeclarationError for an owner that cannot take over."""
    yes, keep_secrets = choices
    taker = owners.find(to)
    if taker is None or taker.state != "active" or to == plan.owner:
        active = ", ".join(n for n in owners.names if n != plan.owner and _is_active(owners, n)) or "nobody"
        raise DeclarationError(f"--to: {to!r} cannot take over; active in the owners file: {active}")
    declared = [h for h in plan.holdings if h.spec is not None]
    places = find_owners(project_files(Path.cwd(), module), [h.name for h in declared], plan.owner)
    found = [place for place in places if place.span is not None]
    asks = "" if keep_secrets else " and ask for new secrets"
    confirm_or_stop(f"Make {to} the owner in {len(found)} of {len(declared)} declarations{asks}?", yes=yes)
    change_owners(found, to)
    words = f"not declared any more; end it with `keysteward up --prune`, which may need {ALLOW_ENDING}"
    left = {h.name: words for h in plan.holdings if not h.spec}
    done = replace(
        plan,
        changed=tuple(_edit(place) for place in found),
        by_hand=tuple(_edit(place) for place in places if place.span is None),
        left=left,
    )
    return done if keep_secrets else _ask_for_new(done, stack, declared)


def _is_active(owners: Owners, name: str) -> bool:
    known = owners.find(name)
    return known is not None and known.state == "active"


def _edit(place: Owned) -> Edit:
    return Edit(place.name, relative(place.file, Path.cwd()), place.line, place.why)


def _ask_for_new(done: Offboarding, stack: Stack, declared: list[Holding]) -> Offboarding:
    """Note in each ledger that a new secret is wanted; the old ones keep their overlap."""
    session = Session(stack.identity, stack.ledgers, access="runner", specs=stack.specs, limit=stack.limit)
    reason, at = f"owner {done.owner} left", session.ledgers.now()
    asked, left = [], dict(done.left)
    for holding in declared:
        if holding.ledger is None or holding.ledger.wholly_revoked:
            continue
        try:
            session.credentials.edit(
                holding.identity,
                lambda ledger: requests.reissue(ledger, reason, at=at, grace=None),
                command="reissue",
                words=reason,
            )
        except KeystewardError as error:
            left[holding.name] = str(error)
            continue
        asked.append(holding.name)
    finish(session, "offboard", int(any(holding.name in left for holding in declared)))
    return replace(done, reissue=tuple(asked), left=left)
