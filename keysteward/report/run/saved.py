"""A preview as the plan that is saved for approval, and what a run under such a plan tells beside it. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.text import Text

from keysteward.operations.approved_plan import (
    SavedPlan,
)
from keysteward.operations.saved_plan import Approved
from keysteward.report.run.plan import when
from keysteward.report.text.plain import line


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
