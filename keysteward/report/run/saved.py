"""A preview as the plan that is saved for approval, and what a run under such a plan tells beside it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from rich.text import Text

from keysteward.core.plan.saved_plan import (
    SavedFailure,
    SavedItem,
    SavedLedger,
    SavedPlan,
    SavedStep,
    left_alone,
    not_due,
)
from keysteward.core.plan.scopes import DoScope, ScopeStep
from keysteward.core.record.ledger import Ledger
from keysteward.core.record.server_ledger import ServerLedger
from keysteward.report.run.plan import CredentialPlan, Preview, ServerItem, when
from keysteward.report.text.plain import line


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
        steps=tuple(SavedStep(s.words, s.why, s.needs_approval) for s in item.plan.steps),
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
        steps=tuple(_scope_step(step, ends=item.spec is None) for step in item.plan.steps),
        problem=None if item.plan.problem is None else item.plan.problem.message,
    )


def _scope_step(step: ScopeStep, *, ends: bool) -> SavedStep:
    """Return one step; when all of a resource server goes, a scope noted as dropped is deleted in the same run."""
    if ends and step.do is DoScope.NOTE:
        return SavedStep(f"delete scope {step.scope}", "as soon as no client has it", needs_approval=True)
    return SavedStep(step.words, needs_approval=step.needs_approval)


def _ledger(ledger: Ledger | ServerLedger | None) -> SavedLedger | None:
    if ledger is None:
        return None
    return SavedLedger(ledger.identity, ledger.incarnation, ledger.version, ledger.executed)


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


def saved_lines(plan: SavedPlan, path: object) -> Iterable[Text]:
    """Say where a plan was saved, and how it is carried out."""
    yield line(f"Saved to {path}, {plan.digest}.")
    yield line(f"Carry it out with: keysteward up --plan {path}")


def saved_json(plan: SavedPlan, path: object) -> dict[str, Any]:
    """Return the same as JSON: the key `saved` of a preview."""
    return {"path": str(path), "digest": plan.digest}


def approved_lines(approved: Approved) -> Iterable[Text]:
    """Say which plan was approved, what of it is not due any more, and what it leaves alone."""
    plan = approved.plan
    yield line(f"Approved plan {plan.digest}, saved by {plan.by} at {when(plan.at)}")
    for name, words in approved.not_due.items():
        yield line(f"  {name}: in the plan, and not due any more: {'; '.join(words)}")
    if approved.left_alone:
        yield line(f"  not in the plan, and left alone: {', '.join(approved.left_alone)}")
    yield Text()


def approved_json(approved: Approved) -> dict[str, Any]:
    """Return the same as JSON: the key `approved` of a run's results."""
    return {
        "digest": approved.plan.digest,
        "by": approved.plan.by,
        "at": approved.plan.at.isoformat(),
        "not_due": approved.not_due,
        "left_alone": approved.left_alone,
    }
