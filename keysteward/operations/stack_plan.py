"""Plans what a command is asked for: resource servers, credentials, and what is not declared any more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import TypeVar

from keysteward.core.assess.blast_radius import ending_needs, ends, word_for
from keysteward.core.assess.examine import left_after
from keysteward.core.contract.observed import ObservedObject
from keysteward.core.declare.credentials import Governed
from keysteward.core.declare.spec import ServerSpec, Spec
from keysteward.core.drift.governed import GovernedSet, judge_set
from keysteward.core.errors import DeclarationError, KeystewardError
from keysteward.core.findings import Finding, Kind, Severity
from keysteward.core.identity import in_stack, name_of
from keysteward.core.observe.keys import expired, read_name
from keysteward.core.observe.world import Extent, View, World
from keysteward.core.plan.approval import Approval, keys_to_approve
from keysteward.core.plan.planner import plan, plan_from, play
from keysteward.core.plan.scopes import DoScope, ScopeStep, ServerPlan
from keysteward.core.plan.steps import Plan
from keysteward.core.policy import outranked
from keysteward.core.record.ledger import RELEASED, Ledger
from keysteward.core.record.server_ledger import ServerLedger
from keysteward.core.record.steps import Do
from keysteward.operations.containment import contained
from keysteward.operations.project import Opened
from keysteward.operations.session import Session

_Spec = TypeVar("_Spec", Spec, ServerSpec)
_Asked = TypeVar("_Asked")
_Item = TypeVar("_Item")


class Action(StrEnum):
    """What a plan comes to, in one word."""

    CREATE = "create"
    ADOPT = "adopt"
    ROTATE = "rotate"
    UPDATE = "update"
    RETIRE = "retire"
    REVOKE = "revoke"
    END = "end"
    WAIT = "wait"
    PROBLEM = "problem"
    UNCHANGED = "unchanged"


_PASSIVE = {Action.WAIT: "waiting", Action.PROBLEM: "with a problem", Action.UNCHANGED: "unchanged"}


@dataclass(frozen=True, slots=True)
class CredentialPlan:
    """The plan of one credential; `spec` is None for what is not declared any more.

    `findings` are what a person should know once it is done. `ends` says that no secret of it would work afterwards;
    `word` why that needs a person's word (None: it does not).
    """

    identity: str
    plan: Plan
    spec: Spec | None
    ledger: Ledger | None
    findings: tuple[Finding, ...] = ()
    ends: bool = False
    word: str | None = None

    @property
    def name(self) -> str:
        """Return the name without the stack."""
        return name_of(self.identity)

    @property
    def due(self) -> bool:
        """Say whether a run has something to do or to say about it."""
        return bool(self.plan.steps) or self.plan.problem is not None or self.plan.wait is not None or self.leased

    @property
    def leased(self) -> bool:
        """Say whether another run works on it."""
        return self.plan.leased is not None

    @property
    def numbered(self) -> str:
        """Return the plan's words under the run number that they will have in the ledger; empty when nothing is due."""
        count = self.ledger.executed.count if self.ledger is not None else 0
        return f"#{count + 1} {self.plan.words}" if self.plan.words else ""

    @property
    def approval(self) -> Approval:
        """Return what whoever approves this plan approves: its steps, in the run that is next."""
        count = self.ledger.executed.count if self.ledger is not None else 0
        return Approval(keys_to_approve(self.plan.steps), count + 1)

    @property
    def action(self) -> Action:
        """Return what the plan comes to."""
        steps = {step.do for step in self.plan.steps}
        new = self.ledger is None or self.ledger.closed is not None or not self.ledger.generations
        cases = (
            (self.plan.problem is not None, Action.PROBLEM),
            (Do.REVOKE in steps, Action.REVOKE),
            (Do.ADOPT in steps, Action.ADOPT),
            (self.ends or (self.spec is None and bool(steps)), Action.END),
            (Do.BEGIN in steps, Action.CREATE if new else Action.ROTATE),
            (bool(steps) and steps <= {Do.RETIRE, Do.END, Do.SUSPEND}, Action.RETIRE),
            (bool(steps), Action.UPDATE),
            (self.plan.wait is not None or self.leased, Action.WAIT),
        )
        return next((action for holds, action in cases if holds), Action.UNCHANGED)


@dataclass(frozen=True, slots=True)
class ServerItem:
    """The plan of one resource server; `spec` is None for what is not declared any more."""

    identity: str
    plan: ServerPlan
    spec: ServerSpec | None
    ledger: ServerLedger | None

    @property
    def name(self) -> str:
        """Return the name without the stack."""
        return name_of(self.identity)

    @property
    def due(self) -> bool:
        """Say whether a run has something to do or to say about it."""
        return bool(self.plan.steps) or self.plan.problem is not None

    @property
    def words(self) -> str:
        """Return the plan in words; when all of it goes, its scopes go as soon as no client has them."""
        if self.spec is not None:
            return self.plan.words
        later = [f"delete scope {s.scope}" for s in self.plan.steps if s.do is DoScope.NOTE]
        rest = [s.words for s in self.plan.steps if s.do is not DoScope.NOTE]
        return "; ".join([*later, *rest])

    @property
    def numbered(self) -> str:
        """Return the words under the run number that they will have in the ledger."""
        count = self.ledger.executed.count if self.ledger is not None else 0
        return f"#{count + 1} {self.words}" if self.words else ""

    @property
    def approval(self) -> Approval:
        """Return what whoever approves this plan approves. When all of it goes, so do the scopes that clients have."""
        count = self.ledger.executed.count if self.ledger is not None else 0
        return Approval(keys_to_approve(self.steps), count + 1)

    @property
    def steps(self) -> tuple[ScopeStep, ...]:
        """Return the steps as they are approved: when all of it goes, a scope noted as dropped goes in the same run."""
        if self.spec is not None:
            return self.plan.steps
        why = "as soon as no client has it"
        return tuple(
            replace(s, do=DoScope.DROP, words=f"delete scope {s.scope}", why=why) if s.do is DoScope.NOTE else s
            for s in self.plan.steps
        )

    @property
    def action(self) -> Action:
        """Return what the plan comes to."""
        new = self.ledger is None or self.ledger.closed is not None
        cases = (
            (self.plan.problem is not None, Action.PROBLEM),
            (not self.plan.steps, Action.UNCHANGED),
            (self.spec is None, Action.END),
            (new and all(step.remote_id is not None for step in self.plan.steps), Action.ADOPT),
            (new, Action.CREATE),
        )
        return next((action for holds, action in cases if holds), Action.UPDATE)


@dataclass(frozen=True, slots=True)
class Failure:
    """One error that kept some credentials or resource servers from being planned."""

    message: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Preview:
    """What a run would do to a whole stack, or to the names asked for. `prune`: undeclared things would end.

    `unapplied` counts the declarations with changes that this run leaves alone, since it does lifecycle steps only.
    """

    stack: str
    at: datetime
    servers: tuple[ServerItem, ...]
    credentials: tuple[CredentialPlan, ...]
    findings: tuple[Finding, ...] = ()
    failures: tuple[Failure, ...] = ()
    prune: bool = False
    unapplied: int = 0
    governed: tuple[GovernedSet, ...] = ()

    @property
    def items(self) -> tuple[ServerItem | CredentialPlan, ...]:
        """Return all plans, in the order of a run."""
        return (*self.servers, *self.credentials)

    @property
    def due(self) -> bool:
        """Say whether a run would change something."""
        return any(item.plan.steps for item in self.items)

    @property
    def open(self) -> tuple[str, ...]:
        """Return the credentials of which nobody can say yet whether anything is due: others work on them, or we wait.

        What is waited for is the answer to what a run did that lost its reply: about a minute at most.
        """
        return tuple(c.name for c in self.credentials if c.action is Action.WAIT)

    @property
    def stopped(self) -> bool:
        """Say whether something stops one of the plans, or kept it from being made."""
        return bool(self.failures) or any(item.plan.problem is not None for item in self.items)

    @property
    def counts(self) -> Counter[Action]:
        """Count the actions."""
        return Counter(item.action for item in self.items)

    @property
    def next_due(self) -> tuple[datetime, str] | None:
        """Return when something is next due by schedule, after this plan, and for which credential."""
        dates = [(c.plan.due, c.name) for c in self.credentials if c.plan.due is not None]
        return min(dates, default=None)


@dataclass
class Failures:
    """Errors by message, with the names that met them: one target down is one sentence."""

    names: dict[str, list[str]] = field(default_factory=dict)

    def try_each(self, specs: Iterable[tuple[str, _Asked]], make: Callable[[str, _Asked], _Item]) -> list[_Item]:
        """Plan each, keeping errors; a failure of one does not hide the others."""
        made = []
        for identity, spec in specs:
            try:
                with contained(name_of(identity)):
                    made.append(make(identity, spec))
            except KeystewardError as error:
                self.names.setdefault(str(error), []).append(name_of(identity))
        return made

    @property
    def told(self) -> tuple[Failure, ...]:
        """Return each error once, with the names that met it."""
        return tuple(Failure(message, tuple(who)) for message, who in self.names.items())


def preview(opened: Opened, session: Session, names: Iterable[str] = (), *, prune: bool = False) -> Preview:
    """Plan a stack, or the names given and the resource servers they use. With `prune`, undeclared things end.

    A target that does not answer fails only what needs it; a ledger store that does not, fails the preview.
    """
    wanted = opened.asked(session, names)
    needed = None if wanted is None else wanted.union(*(opened.servers_used(i) for i in wanted))
    lost, lost_servers = opened.undeclared(session)
    failures = Failures()
    servers = failures.try_each(
        chosen(opened.stack.server_specs, lost_servers, needed), lambda i, spec: plan_server(session, i, spec)
    )
    credentials = failures.try_each(
        chosen(opened.stack.specs, lost, wanted), lambda i, spec: plan_credential(session, i, spec)
    )
    governed = failures.try_each(
        ((f"{opened.stack.identity}/{g.name}", g) for g in opened.stack.governed if wanted is None),
        lambda _i, declared: judge_governed(session, declared),
    )
    planned = [finding for item in credentials for finding in findings_of(item, prune=prune)]
    judged = (f for f in opened.judged(session.snapshot.at) if f.severity is not Severity.NOTE)
    findings = [f for f in outranked(judged, planned) if wanted is None or f.subject in wanted]
    findings += [finding for item in governed for finding in item.findings]
    findings += planned
    findings += [undeclared(item) for item in servers if item.spec is None and not prune]
    findings += unrecorded(opened, session) if wanted is None else []
    return Preview(
        stack=opened.stack.identity,
        at=session.snapshot.at,
        servers=tuple(s for s in servers if prune or s.spec is not None),
        credentials=tuple(c for c in credentials if prune or c.spec is not None),
        findings=tuple(findings),
        failures=failures.told,
        prune=prune,
        governed=tuple(governed),
    )


def judge_governed(session: Session, declared: Governed) -> GovernedSet:
    """Count one governed set from the snapshot of its target. A key that was released is a stranger's again."""
    snapshot, target = session.snapshot, declared.target.name
    known = (g for ledger in snapshot.ledgers.values() if ledger.closed is None for g in ledger.generations)
    ours = {g.id for g in known if g.target == target and g.id is not None and g.evidence != RELEASED}
    return judge_set(declared, session.stack, list(snapshot.target(target).by_id.values()), ours, snapshot.at)


def preview_lifecycle(opened: Opened, session: Session, names: Iterable[str] = ()) -> Preview:
    """Plan what time and faults bring, for the declared credentials or the names given, and nothing else of the stack.

    `session` has Extent.LIFECYCLE. What is new or changed in declarations is counted and left alone.
    """
    wanted = opened.asked(session, names)
    servers = opened.stack.server_specs
    for identity in sorted(wanted or ()):
        if identity not in opened.stack.specs:
            what = "a resource server" if identity in servers else "not declared any more"
            raise DeclarationError(f"{name_of(identity)!r} is {what}; only declared credentials are rotated")
    failures = Failures()
    credentials = failures.try_each(
        chosen(opened.stack.specs, (), wanted), lambda i, spec: plan_credential(session, i, spec)
    )
    planned = {item.identity: item for item in credentials}
    changed = sum(1 for item in planned.values() if _unapplied(session, item))
    if wanted is None:
        unheard = Failures()
        made = unheard.try_each(chosen(servers, (), None), lambda i, spec: plan_server(session, i, spec))
        changed += sum(1 for item in made if item.due)
    return Preview(
        stack=opened.stack.identity,
        at=session.snapshot.at,
        servers=(),
        credentials=tuple(credentials),
        findings=tuple(finding for item in credentials for finding in findings_of(item)),
        failures=failures.told,
        unapplied=changed,
    )


def _unapplied(session: Session, item: CredentialPlan) -> bool:
    """Say whether a plan of everything has steps that one of the lifecycle leaves out."""
    world = session.snapshot.world(item.identity, item.spec)
    everything = plan(replace(world, me=replace(world.me, extent=Extent.ALL)))
    return not {step.words for step in everything.steps} <= {step.words for step in item.plan.steps}


def unrecorded(opened: Opened, session: Session) -> Iterable[Finding]:
    """Yield a finding for each object, and each key, that is this stack's and is neither declared nor in a ledger.

    An object is by its mark, a key by its name, which gives nobody a right. A closed ledger knows nothing that lives: a
    target that came back from a backup has again what was ended.
    """
    ledgers = session.snapshot.ledgers
    living = {identity: ledger for identity, ledger in ledgers.items() if ledger.closed is None}
    renamed = {*opened.renamed, *(name for ledger in living.values() for name in ledger.names)}
    known = {*opened.stack.specs, *living, *session.snapshot.damaged}
    for name in sorted(session.targets):
        try:
            view = session.snapshot.target(name)
        except KeystewardError:
            continue
        ours = {i for led in living.values() for g in led.generations if g.target == name for i in (g.id, *g.suspects)}
        for identity in sorted({*view.by_mark, *view.by_key} - known):
            if not in_stack(opened.stack.identity, identity) or _just_closed(ledgers.get(identity), view.view):
                continue
            for found in view.relevant([identity], ()):
                closed = identity in ledgers
                if identity not in renamed:  # a mark with an old name is told with what has the name now
                    yield from _marked(found, identity, name, closed=closed)
                yield from _named(found, identity, name, view.view.taken_at, ours, closed=closed)


def _just_closed(ledger: Ledger | None, view: View) -> bool:
    """Say whether a list may still show what was ended before its ledger was closed."""
    if ledger is None or ledger.closed is None:
        return False
    every = [can for can in (view.capabilities, view.key_capabilities) if can is not None]
    return view.taken_at < ledger.closed + max(can.list_lag + can.call_timeout for can in every)


def _mend_unknown(identity: str) -> str:
    return f"declare it again, then run: keysteward rebuild {name_of(identity)}"


def _marked(found: ObservedObject, identity: str, target: str, *, closed: bool) -> Iterable[Finding]:
    """Say that an object carries the mark of a credential that nobody knows, or that was ended."""
    if found.mark is not None and found.mark.identity == identity:
        where = "its ledger is closed" if closed else "is in no ledger"
        message = f"{found.named} at target {target} carries its mark, and {where}"
        mend = _mend_unknown(identity) + ("; or end it at the target" if closed else "")
        yield Finding(Kind.UNRECORDED, Severity.WARNING, identity, message, mend)


def _named(
    found: ObservedObject, identity: str, target: str, at: datetime, ours: Collection[str | None], *, closed: bool
) -> Iterable[Finding]:
    """Say which keys of a holder are named as a credential that nobody knows, or that was ended."""
    mend = _mend_unknown(identity)
    for secret in found.secrets if found.holder else ():
        named = read_name(secret)
        if named is None or named.identity != identity or secret.id in ours or expired(secret, at):
            continue
        message = f"key {secret.id} of {found.named} at target {target} is named as {identity}"
        message += ", whose ledger is closed" if closed else ", which is neither declared nor in a ledger"
        by_hand = f"{mend}; or, since anybody can write a name, end it in the console of {target}"
        yield Finding(Kind.UNRECORDED, Severity.WARNING, identity, message, by_hand)


def chosen(
    declared: dict[str, _Spec], lost: Iterable[str], wanted: frozenset[str] | None
) -> list[tuple[str, _Spec | None]]:
    """Return what is declared and what no longer is, by name, of the names asked for."""
    pairs: list[tuple[str, _Spec | None]] = [(identity, declared[identity]) for identity in sorted(declared)]
    pairs += [(identity, None) for identity in lost]
    return [(identity, spec) for identity, spec in pairs if wanted is None or identity in wanted]


def plan_server(session: Session, identity: str, spec: ServerSpec | None) -> ServerItem:
    """Plan one resource server; None for one that is to end."""
    ledgers = session.snapshot.server_ledgers
    names = [identity, *(f"{session.stack}/{old}" for old in (spec.previously if spec else ()))]
    ledger = next((ledgers[name] for name in names if name in ledgers), None)
    return ServerItem(identity, session.servers.preview(identity, spec), spec, ledger)


def plan_credential(session: Session, identity: str, spec: Spec | None) -> CredentialPlan:
    """Plan one credential; None for one that is to end."""
    return plan_of(session.snapshot.world(identity, spec))


def plan_of(world: World) -> CredentialPlan:
    """Plan one world, and say whether the plan ends the credential."""
    played = play(world)
    made = plan_from(world, played)
    word = word_for(world, played.steps, world.now)
    ended = ends(world, played.steps, played.after)
    findings = left_after(world, played)
    return CredentialPlan(world.identity, made, world.spec, world.ledger, findings, ended, word)


def findings_of(item: CredentialPlan, *, prune: bool = False) -> tuple[Finding, ...]:
    """Return the findings of one credential; that nobody declares it any more is one unless it is to end."""
    told = tuple(finding for finding in item.findings if finding.kind is not Kind.UNDECLARED)
    if prune or item.spec is not None or item.ledger is None or item.ledger.closed is not None:
        return told
    return (*told, undeclared(item))


def undeclared(item: CredentialPlan | ServerItem) -> Finding:
    """Return the finding about something that nobody declares any more, with what `--prune` would do."""
    words = item.words if isinstance(item, ServerItem) else item.plan.words
    mend = "declare it again, or end it with: keysteward up --prune"
    if item.plan.problem is not None:
        mend += f" (which is stopped now: {item.plan.problem.message})"
    elif words:
        mend += f" ({words})"
    if isinstance(item, CredentialPlan):
        mend += ending_needs(item.word)
    return Finding(Kind.UNDECLARED, Severity.WARNING, item.identity, "has an open ledger and no declaration", mend)
