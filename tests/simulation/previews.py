"""What a preview tells of one credential: its plan, and what is to be known once that is done."""

from __future__ import annotations

from dataclasses import dataclass, fields

from keysteward.core.assess.examine import assess
from keysteward.core.declare.spec import Spec
from keysteward.core.findings import Finding
from keysteward.core.plan.steps import Plan
from keysteward.core.run.reconciler import Reconciler


@dataclass(frozen=True, slots=True)
class Previewed(Plan):
    """A plan with the findings beside it."""

    findings: tuple[Finding, ...] = ()


def previewed(reconciler: Reconciler, identity: str, spec: Spec | None) -> Previewed:
    """Plan one credential from the snapshot of its reconciler."""
    made = assess(reconciler.snapshot.world(identity, spec))
    return Previewed(**{f.name: getattr(made.plan, f.name) for f in fields(Plan)}, findings=made.findings)
