"""Saves a plan for approval, and reads an approved one back: the plan that was approved is the plan that runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from keysteward.core.errors import Conflict, NotFound
from keysteward.core.plan.scopes import ScopeStep
from keysteward.core.plan.steps import Step
from keysteward.core.record.ledger import Ledger
from keysteward.core.record.server_ledger import ServerLedger
from keysteward.host.files import file_errors, read_file
from keysteward.host.output_file import write_output
from keysteward.operations.approved_plan import (
    SavedFailure,
    SavedItem,
    SavedLedger,
    SavedPlan,
    SavedStep,
    digest_of,
    dump_plan,
    left_alone,
    load_plan,
    not_due,
    refusals,
)
from keysteward.operations.audit.author import author_of
from keysteward.operations.descriptors import describe
from keysteward.operations.project import Opened
from keysteward.operations.session import Session
from keysteward.operations.stack_plan import CredentialPlan, Preview, ServerItem, preview


@dataclass(frozen=True, slots=True)
class Approved:
    """A saved plan beside the fresh one that was found to be no more than it."""

    plan: SavedPlan
    fresh: SavedPlan

    @property
    def not_due(self) -> dict[str, list[str]]:
        """Return the steps that were approved and are not due any more, by name."""
        return not_due(self.plan, self.fresh)

    @property
    def left_alone(self) -> list[str]:
        """Return the names for which something is due and of which the saved plan does not speak."""
        return left_alone(self.plan, self.fresh)

    def narrow(self, preview: Preview) -> Preview:
        """Return the part of the fresh preview that is carried out: what was approved, and what is stopped now."""
        kept = [i.identity for i in preview.items if i.plan.steps or i.plan.problem is not None]
        known = self.plan.identities.intersection(kept)
        return replace(
            preview,
            servers=tuple(s for s in preview.servers if s.identity in known),
            credentials=tuple(c for c in preview.credentials if c.identity in known),
        )


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


def saved_plan(preview: Preview, names: Iterable[str], ports: Mapping[str, str], by: str) -> SavedPlan:
    """Return a preview as it is saved. `names` are those it was asked for, none for the whole stack."""
    return SavedPlan(
        stack=preview.stack,
        at=preview.at,
        by=by,
        prune=preview.prune,
        names=tuple(sorted(names)) or None,
        ports=dict(sorted(ports.items())),
        items=tuple(_server(i) if isinstance(i, ServerItem) else _credential(i) for i in preview.items),
        findings=preview.findings,
        failures=tuple(SavedFailure(f.message, f.names) for f in preview.failures),
    )


def _credential(item: CredentialPlan) -> SavedItem:
    return SavedItem(
        identity=item.identity,
        kind="credential",
        declaration=None if item.spec is None else item.spec.digest(),
        ledger=_ledger(item.ledger),
        words=item.numbered,
        steps=tuple(map(_step, item.plan.steps)),
        wait=item.plan.wait,
        problem=None if item.plan.problem is None else item.plan.problem.message,
    )


def _server(item: ServerItem) -> SavedItem:
    return SavedItem(
        identity=item.identity,
        kind="resource server",
        declaration=None if item.spec is None else item.spec.digest(),
        ledger=_ledger(item.ledger),
        words=item.numbered,
        steps=tuple(map(_step, item.steps)),
        problem=None if item.plan.problem is None else item.plan.problem.message,
    )


def _step(step: Step | ScopeStep) -> SavedStep:
    return SavedStep(step.words, step.why, tuple(sorted(step.keys)), step.needs_approval)


def _ledger(ledger: Ledger | ServerLedger | None) -> SavedLedger | None:
    if ledger is None:
        return None
    return SavedLedger(ledger.identity, ledger.incarnation, ledger.version, ledger.executed)
