"""Takes one look at everything of a stack with the reader's credentials: what drift and inventory are made from."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress

from keysteward.core.assess.examine import Assessed
from keysteward.core.assess.now import failed, findings_now
from keysteward.core.contract.facets import LogsIn
from keysteward.core.contract.observed import Delivered
from keysteward.core.contract.ports import Target
from keysteward.core.declare.spec import Spec
from keysteward.core.drift.governed import GovernedSet
from keysteward.core.drift.survey import Examined, Seen, TargetSight
from keysteward.core.errors import AccessDenied, KeystewardError
from keysteward.core.findings import Finding, Kind, Severity
from keysteward.core.identity import name_of
from keysteward.core.observe.world import World
from keysteward.core.policy import Life
from keysteward.core.record.heartbeat import heartbeat_key
from keysteward.core.record.last_use import Usage
from keysteward.core.record.ledger import Ledger
from keysteward.core.record.server_ledger import ServerLedger
from keysteward.operations.containment import contained
from keysteward.operations.project import Opened
from keysteward.operations.session import Session
from keysteward.operations.stack_plan import findings_of, judge_governed, plan_of, plan_server, undeclared, unrecorded

_WRITES = "keysteward up writes what is declared"
_NO_TARGET = (
    "nothing was looked at, for the stack has no target: declare something, or name what is to be looked at: "
    "Stack(watched=[...])"
)


def _untold(store: str, error: AccessDenied) -> Finding:
    """Say that what lies beside the places of a store was not looked at: the reader may do without that right."""
    message = f"what lies beside the delivered documents was not looked at: {error.message}"
    mend = "let the reader list it, if you want to know (Vault: keysteward policy vault reader; AWS: ListSecrets)"
    return Finding(Kind.STRAY_DELIVERY, Severity.NOTE, store, message, mend)


class _Look:
    """One look under way; what cannot be read is kept as a sentence and hides nothing else."""

    def __init__(self, opened: Opened, session: Session) -> None:
        self.opened = opened
        self.session = session
        self.snapshot = session.snapshot
        self.failures: dict[str, None] = {}
        self.untold: list[Finding] = []

    def targets(self) -> dict[str, TargetSight]:
        """List every target of the stack, and those that only ledgers name."""
        found = {}
        ledgers: list[Ledger | ServerLedger] = [*self.snapshot.ledgers.values(), *self.snapshot.server_ledgers.values()]
        for ledger in ledgers:
            try:
                if ledger.closed is None:
                    self.snapshot.sources.complete(ledger)
            except KeystewardError as error:
                self.failures[str(error)] = None
        if not self.session.targets:
            self.failures[_NO_TARGET] = None
        _ = self.snapshot.delivered  # read while the targets are still listing
        for name in sorted(self.session.targets):
            try:
                view = self.snapshot.target(name)
            except KeystewardError as error:
                self.failures[str(error)] = None
            else:
                found[name] = TargetSight(tuple(view.by_id.values()), tuple(view.scopes.values()))
        return found

    def credentials(self, usage: Usage) -> Iterator[Examined]:
        """Examine what is declared and what is only recorded, each once."""
        stack = self.opened.stack
        lost, _ = self.opened.undeclared(self.session)
        damaged = self.snapshot.damaged
        self.failures.update((str(error), None) for error in damaged.values())
        pairs: list[tuple[str, Spec | None]] = [*stack.specs.items(), *((identity, None) for identity in lost)]
        for identity, spec in pairs:
            if identity in damaged:
                yield Examined(identity, spec, None)
                continue
            try:
                with contained(name_of(identity)):
                    made = self._examined(self.snapshot.world(identity, spec), usage)
            except KeystewardError as error:
                self.failures[str(error)] = None
                made = Examined(identity, spec, self.snapshot.ledgers.get(identity))
            yield made

    def _examined(self, world: World, usage: Usage) -> Examined:
        item = plan_of(world)
        findings = (*findings_of(item), *failed(world, item.plan))
        if world.spec is not None:
            findings = findings_now(world, Assessed(item.plan, item.findings))
        words = item.plan.words if world.spec is not None else ""
        return Examined(world.identity, world.spec, world.ledger, findings, words, item.plan.due, life_of(world, usage))

    def governed(self) -> Iterator[GovernedSet]:
        """Count the governed sets."""
        for declared in self.opened.stack.governed:
            try:
                with contained(declared.name):
                    judged = judge_governed(self.session, declared)
            except KeystewardError as error:
                self.failures[str(error)] = None
            else:
                yield judged

    def findings(self) -> Iterable[Finding]:
        """Return what no single declared credential has: what nobody knows, and servers nobody declares."""
        return (*unrecorded(self.opened, self.session), *self._servers())

    def _servers(self) -> Iterator[Finding]:
        """Report resource servers with an open ledger that nobody declares, and those that differ or are stopped."""
        stack, (_, lost) = self.opened.stack, self.opened.undeclared(self.session)
        for identity in (i for i in (*stack.server_specs, *lost) if i not in self.snapshot.damaged):
            spec = stack.server_specs.get(identity)
            try:
                with contained(name_of(identity)):
                    item = plan_server(self.session, identity, spec)
            except KeystewardError as error:
                self.failures[str(error)] = None
                continue
            if spec is None:
                yield undeclared(item)
            elif item.plan.problem is not None:
                yield Finding(Kind.BLOCKED, Severity.ERROR, identity, item.plan.problem.message)
            elif item.plan.steps:
                message = f"its scopes differ from its declaration: {item.words}"
                yield Finding(Kind.CHANGED, Severity.WARNING, identity, message, _WRITES)

    def strays(self) -> dict[str, Delivered]:
        """Return what lies beside the places of the stack's stores and is no place of theirs.

        A store that did not tell what its places hold is a failure, whatever else it tells.
        """
        places = self.snapshot.delivered
        self.failures.update((str(error), None) for error in self.snapshot.unread.values())
        found: dict[str, Delivered] = {}
        for name, store in sorted(self.session.stores.items()):
            if name in self.snapshot.unread:
                continue
            known = [key.partition(":")[2] for key in places if key.partition(":")[0] == name]
            try:
                with contained(name):
                    beside = sorted(set(store.neighbours(known)) - set(known))
                    found.update({f"{name}:{path}": held for path, held in store.delivered(beside).items()})
            except AccessDenied as error:
                self.untold.append(_untold(name, error))
            except KeystewardError as error:
                self.failures[str(error)] = None
        return found


def _list_meanwhile(session: Session) -> None:
    """Begin to list every target, each in a thread: a look mostly waits for them, and can read the rest meanwhile.

    What goes wrong is kept by the snapshot, or met again by whoever asks it. The threads end nothing: Ctrl-C does not
    wait for them.
    """

    def listed(name: str) -> None:
        with suppress(KeystewardError):
            session.snapshot.target(name)

    for name in session.targets:
        threading.Thread(target=listed, args=(name,), name=f"look at {name}", daemon=True).start()


def look(opened: Opened, session: Session) -> Seen:
    """Observe all targets in bulk, and the ledgers and stores. Raises where the ledger store does not answer."""
    session.snapshot.lenient = True
    _list_meanwhile(session)
    taken, at = _Look(opened, session), session.snapshot.at
    usage = session.usage()
    targets = taken.targets()
    credentials = {item.identity: item for item in taken.credentials(usage)}
    governed = tuple(taken.governed())
    return Seen(
        stack=opened.stack,
        owners=opened.owners,
        at=at,
        targets=targets,
        credentials=credentials,
        servers=session.snapshot.server_ledgers,
        governed=governed,
        delivered=dict(session.snapshot.delivered),
        strays=taken.strays(),
        policy=opened.judged(at, {item.identity: item.life for item in credentials.values()}),
        findings=(*taken.findings(), *taken.untold),
        heartbeat=session.ledgers.read(heartbeat_key(opened.stack.identity)).document,
        usage=usage,
        failures=tuple(taken.failures),
        logins=logins_at(opened.stack.targets),
    )


def life_of(world: World, usage: Usage) -> Life:
    """Return since when the present secret is current, and when it or its client was last used."""
    ledger = world.ledger
    current = ledger.current if ledger is not None and ledger.closed is None else None
    if ledger is None or current is None:
        return Life()
    shows, times = False, []
    for record in ledger.objects:
        can, found = world.can(record), world.object(record)
        if can is None or can.last_use is None or record.deleted:
            continue
        shows = True
        ids = {g.id for g in ledger.generations if g.object == record.key}
        if found is not None:
            times += [found.last_used] if not record.holder else []
            times += [s.last_used for s in found.secrets if not record.holder or s.id in ids]
        times.append(usage.last(record.target, record.remote_id or record.client_id))
        times += [usage.last(record.target, i) for i in ids if i is not None]
    begun = min((g.current_since for g in ledger.generations if g.current_since is not None), default=None)
    return Life(current.current_since, max((t for t in times if t is not None), default=None), shows, begun)


def logins_at(targets: Mapping[str, Target]) -> dict[str, frozenset[str]]:
    """Return the client_ids of each target that its references to credentials name, where it can tell them."""
    return {name: target.logs_in_as if isinstance(target, LogsIn) else frozenset() for name, target in targets.items()}
