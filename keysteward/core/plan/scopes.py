"""Planning for resource servers: which scopes to create, change, note as dropped, and delete. Pure.

A scope that is no longer declared is first noted as dropped; it is deleted as soon as no observed client has it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from keysteward.core.contract.observed import Mark, ObservedScope
from keysteward.core.contract.ports import ScopeWant
from keysteward.core.declare.spec import ServerSpec
from keysteward.core.identity import in_stack, name_of
from keysteward.core.plan.steps import Problem
from keysteward.core.record.server_ledger import ServerLedger


class DoScope(StrEnum):
    """What is done to one scope."""

    PUT = "put"
    NOTE = "note"
    DROP = "drop"
    CLOSE = "close"


@dataclass(frozen=True, slots=True)
class ScopeStep:
    """One step for one scope, in words. `want` for PUT, `remote_id` where the scope exists."""

    do: DoScope
    words: str
    scope: str = ""
    want: ScopeWant | None = None
    remote_id: str | None = None
    widens: bool = False
    why: str = ""

    @property
    def keys(self) -> frozenset[str]:
        """Return what this step is, whatever its words."""
        itself = f"{self.do} scope {self.scope}"
        return frozenset({itself, f"{itself}: audience"} if self.widens else {itself})

    @property
    def needs_approval(self) -> bool:
        """Say whether a run must not do this unless its plan announced it."""
        return self.widens or self.do is DoScope.DROP


@dataclass(frozen=True, slots=True)
class ServerPlan:
    """What a run would do to one resource server."""

    identity: str
    steps: tuple[ScopeStep, ...] = ()
    problem: Problem | None = None

    @property
    def words(self) -> str:
        """Return the plan as one sentence; empty when nothing is due."""
        return "; ".join(step.words for step in self.steps if step.do is not DoScope.CLOSE or len(self.steps) == 1)


@dataclass(frozen=True, slots=True)
class ServerWorld:
    """What the planner may know about one resource server.

    `users` are, per scope, the clients that have it: client_id and the identity in their mark (None: unmarked).
    `rival` is a declared earlier name whose open ledger is another server's.
    """

    identity: str
    stack: str
    spec: ServerSpec | None
    ledger: ServerLedger | None
    scopes: Mapping[str, ObservedScope]
    users: Mapping[str, tuple[tuple[str, str | None], ...]]
    names: frozenset[str] = frozenset()
    rival: str | None = None


def plan_server(w: ServerWorld) -> ServerPlan:
    """Plan one resource server."""
    ledger = w.ledger
    if w.spec is None and (ledger is None or ledger.closed is not None):
        return ServerPlan(w.identity)
    if w.rival is not None:
        name = name_of(w.rival)
        return ServerPlan(
            w.identity,
            problem=Problem(
                f"previously: {name!r} is no earlier name of {name_of(w.identity)!r}, both have scopes of their own; "
                f"remove it from `previously`, then declare {name!r} again or let the next `up` end it"
            ),
        )
    steps: list[ScopeStep] = []
    declared = w.spec.scopes if w.spec is not None else {}
    if w.spec is not None:
        for name, description in sorted(w.spec.scopes.items()):
            step = _put(w, w.spec, name, description)
            if isinstance(step, Problem):
                return ServerPlan(w.identity, problem=step)
            if step is not None:
                steps.append(step)
    recorded = ledger.scopes if ledger is not None and ledger.closed is None else {}
    dropped = [name for name in sorted(recorded) if name not in declared]
    for name in dropped:
        outside = [client for client, owner in w.users.get(name, ()) if not _of_stack(owner, w.stack)]
        if outside:
            return ServerPlan(
                w.identity,
                problem=Problem(
                    f"scope {name!r} is still used by {', '.join(sorted(outside))}, which this stack does not "
                    "declare; take it from them first, or declare the scope again"
                ),
            )
        if not w.users.get(name):
            steps.append(ScopeStep(DoScope.DROP, f"delete scope {name}", name, remote_id=recorded[name]))
        elif ledger is not None and name not in ledger.dropped:
            steps.append(ScopeStep(DoScope.NOTE, f"note scope {name} as dropped, while clients still have it", name))
    waiting = any(w.users.get(name) for name in dropped)
    if w.spec is None and not waiting:
        steps.append(ScopeStep(DoScope.CLOSE, "close the ledger"))
    return ServerPlan(w.identity, tuple(steps))


def _of_stack(owner: str | None, stack: str) -> bool:
    return owner is not None and in_stack(stack, owner)


def _put(w: ServerWorld, spec: ServerSpec, name: str, description: str) -> ScopeStep | Problem | None:
    found = w.scopes.get(name)
    nonce = w.ledger.nonce if w.ledger is not None and w.ledger.closed is None else ""
    want = ScopeWant(name, description, spec.audience, Mark(spec.identity, nonce))
    if found is None:
        return ScopeStep(DoScope.PUT, f"create scope {name}", name, want)
    ours = found.mark is not None and found.mark.identity in {spec.identity, *w.names}
    if not ours and found.mark is not None:
        return Problem(
            f"scopes: {name!r} at target {spec.target} belongs to {found.mark.identity}; choose another name"
        )
    if not ours and not spec.adopt:
        return Problem(
            f"scopes: {name!r} exists at target {spec.target} and was not made by keysteward; "
            "write adopt=True to take it over, or choose another name"
        )
    if not ours or found.mark != want.mark:
        return ScopeStep(
            DoScope.PUT, f"adopt scope {name}" if not ours else f"mark scope {name}", name, want, found.remote_id
        )
    if w.ledger is not None and w.ledger.closed is None and name not in w.ledger.scopes:
        return ScopeStep(DoScope.PUT, f"record scope {name}", name, want, found.remote_id)
    if found.description != description or found.audience != spec.audience:
        what = "audience" if found.audience != spec.audience else "description"
        return ScopeStep(
            DoScope.PUT, f"update scope {name} ({what})", name, want, found.remote_id, widens=what == "audience"
        )
    return None


def after_scope(ledger: ServerLedger, step: ScopeStep, *, remote_id: str | None, at: datetime) -> ServerLedger:
    """Return the ledger after one step."""
    scopes = dict(ledger.scopes)
    dropped = tuple(name for name in ledger.dropped if name != step.scope)
    if step.do is DoScope.PUT and remote_id is not None:
        scopes[step.scope] = remote_id
    elif step.do is DoScope.NOTE:
        dropped = (*dropped, step.scope)
    elif step.do is DoScope.DROP:
        scopes.pop(step.scope, None)
    elif step.do is DoScope.CLOSE:
        return replace(ledger, closed=at, executed=replace(ledger.executed, words=""))
    return replace(ledger, scopes=scopes, dropped=dropped, closed=None)
