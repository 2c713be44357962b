"""Saves a plan for approval, and reads an approved one back: the plan that was approved is the plan that runs."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from keysteward.cli.output_file import write_output
from keysteward.core.errors import Conflict, NotFound
from keysteward.core.plan.saved_plan import SavedPlan, digest_of, dump_plan, load_plan, refusals
from keysteward.host.files import file_errors, read_file
from keysteward.operations.audit.author import author_of
from keysteward.operations.project import Opened
from keysteward.operations.session import Session, describe
from keysteward.operations.stack_plan import preview
from keysteward.report.run.plan import Preview
from keysteward.report.run.saved import Approved, saved_plan


def save(opened: Opened, planned: Preview, names: Iterable[str], path: Path) -> SavedPlan:
    """Write a preview as a plan that can be approved: whole or not at all, readable for its owner only."""
    made = saved_plan(
        planned, map(opened.identity, names), _ports(opened), author_of("", "keysteward", Path.cwd()).actor
    )
    write_output("--save", path, dump_plan(made).encode())
    return made


def read_plan(opened: Opened, path: Path) -> SavedPlan:
    """Read a saved plan of this stack. Raises NotFound, AccessDenied, Damaged or Conflict, before any call."""
    with file_errors("--plan"):
        text = read_file(path)
    if text is None:
        raise NotFound(f"--plan: there is no file {path}; make one with `keysteward preview --save FILE`")
    return load_plan(text, opened.stack.identity, f"--plan: {path}")


def plan_again(opened: Opened, session: Session, plan: SavedPlan) -> tuple[Approved, Preview]:
    """Plan afresh what a saved plan speaks of; returns what of it is to be carried out.

    Raises Conflict with one sentence for each difference: nothing was changed then.
    """
    fresh = preview(opened, session, plan.names or (), prune=plan.prune)
    approved = Approved(plan, saved_plan(fresh, plan.names or (), _ports(opened), plan.by))
    refused = refusals(plan, approved.fresh)
    if refused:
        raise Conflict("\n".join([*refused, "nothing was changed: what is due is not what was approved"]))
    return approved, approved.narrow(fresh)


def _ports(opened: Opened) -> dict[str, str]:
    """Return a digest of how each target and store is reached, without any secret."""
    stack = opened.stack
    ports = {f"target {name}": target.descriptor for name, target in stack.targets.items()}
    ports |= {f"store {name}": store.descriptor for name, store in stack.stores.items()}
    ports["ledgers"] = stack.ledgers.descriptor
    return {name: digest_of(describe(descriptor)) for name, descriptor in ports.items()}
