"""Executes plans for resource servers: scopes are created, changed, noted as dropped and deleted, one by one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from keysteward.core.contract.facets import ManagesScopes, facet
from keysteward.core.contract.observed import ObservedScope
from keysteward.core.contract.ports import Stored
from keysteward.core.declare.spec import ServerSpec
from keysteward.core.errors import Conflict, VersionConflict
from keysteward.core.observe.snapshot import Snapshot, ledger_key, old_identities
from keysteward.core.plan.approval import Approval, unapproved
from keysteward.core.plan.scopes import DoScope, ScopeStep, ServerPlan, ServerWorld, after_scope, plan_server
from keysteward.core.record.evidence import Entry
from keysteward.core.record.ledger import Executed
from keysteward.core.record.server_ledger import ServerLedger, dump_server_ledger, load_server_ledger
from keysteward.core.run.change import change
from keysteward.core.run.executor import Tools
from keysteward.core.run.outbox import numbered


@dataclass(frozen=True, slots=True)
class ServerResult:
    """What a run did to one resource server."""

    identity: str
    ledger: ServerLedger | None
    done: tuple[ScopeStep, ...] = ()


def _living(own: ServerLedger | None, renamed: ServerLedger | None) -> ServerLedger | None:
    """Return the ledger that a server goes on with: its own, or where that is not open the one of its old name."""
    return renamed if renamed is not None and (own is None or own.closed is not None) else own


class ServerReconciler:
    """Carries out the plans of a stack's resource servers."""

    def __init__(self, tools: Tools, snapshot: Snapshot) -> None:
        self.tools = tools
        self.snapshot = snapshot

    def preview(self, identity: str, spec: ServerSpec | None) -> ServerPlan:
        """Plan one resource server from the snapshot."""
        ledgers = self.snapshot.server_ledgers
        ledger = ledgers.get(identity)
        renamed, rival = self._old(spec, ledger, ledgers.get)
        return plan_server(self._world(identity, spec, _living(ledger, renamed), rival))

    def run(
        self, identity: str, spec: ServerSpec | None, *, approved: Approval | None = None, words: str | None = None
    ) -> ServerResult:
        """Bring one resource server to where nothing is due. Raises Conflict for a problem its plan names."""
        ledger = self._read(identity)
        renamed, rival = self._old(spec, ledger, self._read)
        shown = plan_server(self._world(identity, spec, _living(ledger, renamed), rival))
        if shown.problem is not None:
            raise Conflict(shown.problem.message, credential=identity)
        extra = unapproved(shown.steps, approved, ledger.executed.count if ledger is not None else 0)
        if extra:
            raise Conflict(
                f"the world changed since the preview: {'; '.join(extra)} was not in the plan; preview it again",
                credential=identity,
            )
        if not shown.steps and renamed is None:
            return ServerResult(identity, ledger)
        ledger = self._open(identity, spec, ledger, renamed)
        return self._carry_out(identity, spec, ledger, words)

    def _carry_out(
        self, identity: str, spec: ServerSpec | None, ledger: ServerLedger, words: str | None
    ) -> ServerResult:
        """Plan again under the opened ledger, whose nonce is in the marks, and do each step."""
        plan = plan_server(self._world(identity, spec, ledger))
        done = []
        for step in plan.steps:
            self.tools.tell(identity, step.words)
            remote_id = self._act(ledger, step)
            ledger = self._after(ledger, step, remote_id)
            done.append(step)
            if len(done) == len(plan.steps) and ledger.closed is None:
                count = ledger.executed.count + 1
                ledger = replace(ledger, executed=Executed(count, words or f"#{count} {plan.words}"))
            ledger = self._write(ledger)
        return ServerResult(identity, ledger, tuple(done))

    def _after(self, ledger: ServerLedger, step: ScopeStep, remote_id: str | None) -> ServerLedger:
        """Return the ledger after one step, with its entry for the audit log."""
        now, author = self.tools.ledgers.now(), self.tools.author
        changed = after_scope(ledger, step, remote_id=remote_id, at=now)
        if author is None:
            return changed
        entry = Entry("", now, ledger.identity, f"{step.do} scope", step.words, author)
        return replace(changed, outbox=(*changed.outbox, *numbered([entry], changed.version)))

    def _act(self, ledger: ServerLedger, step: ScopeStep) -> str | None:
        view, target = self.snapshot.target(ledger.target), self.tools.targets[ledger.target]
        if step.do is DoScope.PUT and step.want is not None:
            remote_id = facet(target, ManagesScopes).put_scope(step.want, step.remote_id)
            want = step.want
            view.scopes[want.name] = ObservedScope(remote_id, want.name, want.description, want.audience, want.mark)
            return remote_id
        if step.do is DoScope.DROP and step.remote_id is not None:
            facet(target, ManagesScopes).drop_scope(step.remote_id)
            view.scopes.pop(step.scope, None)
        return None

    def sweep_dropped(self, target: str) -> None:
        """Delete scopes noted as dropped that no client has any more: after the last of them gave one up."""
        for identity, known in list(self.snapshot.server_ledgers.items()):
            if known.target != target or not known.dropped or known.closed is not None:
                continue
            ledger = self._read(identity) or known
            view = self.snapshot.target(target)
            free = [name for name in ledger.dropped if name in ledger.scopes and not view.users_of(name)]
            for name in free:
                step = ScopeStep(DoScope.DROP, f"delete scope {name}", name, remote_id=ledger.scopes[name])
                self.tools.tell(identity, step.words)
                self._act(ledger, step)
                ledger = self._after(ledger, step, None)
            if free and not ledger.scopes:
                ledger = self._after(ledger, ScopeStep(DoScope.CLOSE, "close the ledger"), None)
            if free:
                self._write(ledger)

    def _old(
        self, spec: ServerSpec | None, own: ServerLedger | None, read: Callable[[str], ServerLedger | None]
    ) -> tuple[ServerLedger | None, str | None]:
        """Return the open ledger of an earlier name that is this server's, and an earlier name that is another's.

        Where both are open, one nonce says that a rename died half way.
        """
        renamed: ServerLedger | None = None
        rival: str | None = None
        for name in old_identities(self.snapshot.stack, spec) if spec is not None else ():
            old = read(name)
            if old is None or old.closed is not None:
                continue
            living = _living(own, renamed)
            if living is None or living.closed is not None or living.nonce == old.nonce:
                renamed = old
            else:
                rival = name
        return renamed, rival

    def _world(
        self, identity: str, spec: ServerSpec | None, ledger: ServerLedger | None, rival: str | None = None
    ) -> ServerWorld:
        target = spec.target if spec is not None else ledger.target if ledger is not None else ""
        if ledger is not None:
            self.snapshot.sources.complete(ledger)
        view = self.snapshot.target(target) if target else None
        dropped = set(ledger.scopes if ledger else ()) - set(spec.scopes if spec else ())
        users = {name: self.snapshot.users_of(target, name) for name in dropped if view is not None}
        names = frozenset(old_identities(self.snapshot.stack, spec)) - {rival} if spec else frozenset()
        scopes = view.scopes if view is not None else {}
        return ServerWorld(identity, self.snapshot.stack, spec, ledger, scopes, users, names, rival)

    def _read(self, identity: str) -> ServerLedger | None:
        return _loaded(self.tools.ledgers.read(ledger_key(identity)))

    def _open(
        self, identity: str, spec: ServerSpec | None, ledger: ServerLedger | None, renamed: ServerLedger | None
    ) -> ServerLedger:
        """Write the ledger before the first call, so that marks carry a nonce that it knows."""
        if ledger is not None and (ledger.closed is None or spec is None):
            self._close_renamed(renamed)
            return ledger
        if spec is None:
            raise AssertionError("what is neither declared nor recorded has no steps")
        descriptor = self.tools.targets[spec.target].descriptor
        targets = {spec.target: {"kind": descriptor.kind, "settings": dict(descriptor.settings)}}
        opened = ServerLedger(identity, self.tools.nonce(), spec.target, self.tools.nonce(), targets=targets)
        if ledger is not None:
            opened = replace(opened, version=ledger.version, executed=ledger.executed)
        if renamed is not None:
            opened = replace(renamed, identity=identity, version=opened.version)
        opened = self._write(opened)
        self._close_renamed(renamed)
        return opened

    def _close_renamed(self, renamed: ServerLedger | None) -> None:
        """Close the ledger of the old name: its server goes on under the new one."""
        if renamed is not None:
            self._write(replace(renamed, closed=self.tools.ledgers.now(), scopes={}, dropped=()))

    def _write(self, ledger: ServerLedger) -> ServerLedger:
        version = self.tools.ledgers.write(ledger_key(ledger.identity), dump_server_ledger(ledger), ledger.version)
        written = replace(ledger, version=version)
        self.snapshot.server_ledgers[ledger.identity] = written
        return written

    def claim(self, identity: str, incarnation: str) -> ServerLedger | None:
        """Give an open ledger a new incarnation: a resource that was created anew owns it from now on."""

        def claimed(stored: Stored) -> dict[str, Any] | None:
            ledger = _loaded(stored)
            if ledger is None or ledger.closed is not None:
                return None
            return dump_server_ledger(replace(ledger, incarnation=incarnation))

        conflict = VersionConflict("its ledger keeps changing; run again", credential=identity)
        ledger = _loaded(change(self.tools.ledgers, ledger_key(identity), claimed, conflict))
        if ledger is not None and ledger.closed is None:
            self.snapshot.server_ledgers[identity] = ledger
        return ledger


def _loaded(stored: Stored) -> ServerLedger | None:
    return None if stored.document is None else load_server_ledger(stored.document, stored.version)
