"""Carries out a preview that was approved: resource servers, credentials, then what is not declared any more.

One failure does not stop the others. What the preview did not show is not done.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Literal, Protocol

from keysteward.core.errors import KeystewardError, LeaseHeld
from keysteward.core.findings import Finding
from keysteward.core.identity import name_of
from keysteward.core.observe.world import Extent
from keysteward.core.plan.steps import Wait
from keysteward.core.record.ledger import Ledger
from keysteward.core.record.steps import Also
from keysteward.core.run.reconciler import Result
from keysteward.operations.containment import contained
from keysteward.operations.endings import allow_ending
from keysteward.operations.exit_codes import INTERRUPTED
from keysteward.operations.notices import warn
from keysteward.operations.project import Opened
from keysteward.operations.session import Session
from keysteward.operations.stack_plan import CredentialPlan, Preview, ServerItem

STOPPED = "stopped by Ctrl-C; the next run goes on from there"


class Outcome(StrEnum):
    """How one run ended."""

    DONE = "done"
    WAITING = "waiting"
    LEASED = "leased"
    SKIPPED = "skipped"
    STOPPED = "stopped"
    FAILED = "failed"


BAD = frozenset({Outcome.FAILED, Outcome.SKIPPED})
"""Outcomes that make the whole run one that failed."""


@dataclass(frozen=True, slots=True)
class RunResult:
    """What became of one credential or resource server: words of the steps done, headlines first, and what is left."""

    identity: str
    kind: Literal["credential", "resource server"]
    outcome: Outcome
    done: tuple[str, ...] = ()
    headlines: tuple[str, ...] = ()
    error: str = ""
    wait: Wait | None = None
    ledger: Ledger | None = None
    findings: tuple[Finding, ...] = ()

    @property
    def name(self) -> str:
        """Return the name without the stack."""
        return name_of(self.identity)


def result_of(result: Result) -> RunResult:
    """Return what a run of one credential did, in words."""
    return RunResult(
        identity=result.identity,
        kind="credential",
        outcome=Outcome.DONE if result.wait is None else Outcome.WAITING,
        done=tuple(step.words for step in result.done),
        headlines=tuple(step.words for step in result.done if step.headline),
        wait=result.wait,
        ledger=result.ledger,
        findings=result.findings,
    )


class Stopped(KeystewardError):
    """A person stopped the run before its next step; the next run goes on from there."""


class Progress(Protocol):
    """What is told how a run goes, from several threads, and says whether it is to stop."""

    @property
    def stopping(self) -> bool:
        """Say whether no further step is to be begun."""

    def tell(self, identity: str, words: str) -> None:
        """Hear what is done now, just before it is."""

    def finished(self, identity: str) -> None:
        """Hear that one is over, however it ended."""


class Unwatched:
    """Progress that nobody looks at, of a run that nobody stops."""

    stopping = False

    def tell(self, identity: str, words: str) -> None:
        """Say nothing."""

    def finished(self, identity: str) -> None:
        """Say nothing."""


@dataclass
class Run:
    """One run over one approved preview. `extent` says how far it reaches, as in the preview's session.

    `digest` is that of the saved plan it came from, "" where there was none.
    """

    opened: Opened
    planned: Preview
    progress: Progress
    parallel: int = 4
    extent: Extent = Extent.ALL
    digest: str = ""
    results: list[RunResult] = field(default_factory=list)

    @cached_property
    def session(self) -> Session:
        """Return the runner's session of this run."""
        return self.opened.session("runner", self._tell, self.extent, approval=self.digest)

    def go(self) -> list[RunResult]:
        """Run everything that is due. Raises KeystewardError when the runner's session cannot be opened."""
        _read_ahead(self.session)
        for server in self.planned.servers:
            if server.spec is not None and server.due:
                self.results.append(self._server(server))
        credentials = [c for c in self.planned.credentials if c.spec is not None and c.due]
        with ThreadPoolExecutor(self.parallel) as pool:
            self.results += pool.map(self._credential, credentials)
        for credential in self.planned.credentials:
            if credential.spec is None:
                self.results.append(self._pruned(credential))
        if self.extent is Extent.ALL and not self.digest:
            self._sweep()
        for server in self.planned.servers:
            if server.spec is None:
                self.results.append(self._server(server))
        move_entries(self.session)
        return self.results

    def _tell(self, identity: str, words: str) -> None:
        """Hear of each step just before it is done: the moment to stop. A resource server is never left half way."""
        if self.progress.stopping and not any(s.identity == identity for s in self.planned.servers):
            raise Stopped(STOPPED, credential=identity)
        self.progress.tell(identity, words)

    def _server(self, item: ServerItem) -> RunResult:
        def act() -> RunResult:
            if item.plan.problem is not None:
                return RunResult(item.identity, "resource server", Outcome.FAILED, error=item.plan.problem.message)
            result = self.session.servers.run(
                item.identity, item.spec, approved=item.approval, words=item.numbered or None
            )
            words = tuple(step.words for step in result.done)
            return RunResult(item.identity, "resource server", Outcome.DONE, words, words)

        return self._guarded(RunResult(item.identity, "resource server", Outcome.DONE), act)

    def _credential(self, item: CredentialPlan) -> RunResult:
        def act() -> RunResult:
            missing = self._failed_servers(item)
            if missing:
                why = f"not begun, since it needs {', '.join(missing)}, which failed"
                return RunResult(item.identity, "credential", Outcome.SKIPPED, error=why)
            return self._run(item)

        return self._guarded(RunResult(item.identity, "credential", Outcome.DONE), act)

    def _pruned(self, item: CredentialPlan) -> RunResult:
        def act() -> RunResult:
            if not item.leased:
                allow_ending(self.session, item.identity)
            return self._run(item)

        return self._guarded(RunResult(item.identity, "credential", Outcome.DONE), act)

    def _run(self, item: CredentialPlan) -> RunResult:
        if item.plan.problem is not None and not item.plan.steps:
            return RunResult(item.identity, "credential", Outcome.FAILED, error=item.plan.problem.message)
        result = self.session.credentials.run(
            item.identity, item.spec, approved=item.approval, words=item.numbered or None
        )
        return result_of(result)

    def _failed_servers(self, item: CredentialPlan) -> list[str]:
        """Return the resource servers that this credential's steps need and that failed or were not planned."""
        if not any(Also.SCOPES in step.do.also for step in item.plan.steps):
            return []
        unplanned = {self.opened.identity(name) for failure in self.planned.failures for name in failure.names}
        failed = {result.identity for result in self.results if result.outcome in BAD} | unplanned
        return sorted(name_of(i) for i in self.opened.servers_used(item.identity) & failed)

    def _sweep(self) -> None:
        """Delete scopes noted as dropped which the updates just done have set free.

        Not under a saved plan, which speaks of none of them: the next preview shows them.
        """
        ledgers = self.session.snapshot.server_ledgers.values()
        for target in sorted({ledger.target for ledger in ledgers if ledger.dropped and ledger.closed is None}):
            swept = RunResult(f"{self.planned.stack}/{target}", "resource server", Outcome.DONE)

            def act(target: str = target, swept: RunResult = swept) -> RunResult:
                self.session.servers.sweep_dropped(target)
                return swept

            result = self._guarded(swept, act)
            if result is not swept:
                self.results.append(result)

    def _guarded(self, about: RunResult, act: Callable[[], RunResult]) -> RunResult:
        """Run one thing and turn what goes wrong into its outcome, so that the others go on."""

        def ended(outcome: Outcome, error: str) -> RunResult:
            return RunResult(about.identity, about.kind, outcome, error=error)

        if self.progress.stopping:
            return ended(Outcome.STOPPED, "not begun; the next run does it")
        try:
            with contained(name_of(about.identity)):
                return act()
        except LeaseHeld as error:
            return ended(Outcome.LEASED, error.message)
        except Stopped:
            return ended(Outcome.STOPPED, STOPPED)
        except KeystewardError as error:
            return ended(Outcome.FAILED, _about(error, about))
        finally:
            self.progress.finished(about.identity)


def _about(error: KeystewardError, about: RunResult) -> str:
    """Return what an error says, without what it is about, which stands before it."""
    return str(error).removeprefix(f"{about.identity}: ").removeprefix(f"{name_of(about.identity)}: ")


def move_entries(session: Session, only: Iterable[str] | None = None) -> None:
    """Move what waits (in ledgers of `only` these identities) into the audit log.

    When that fails, the run is no worse for it, and a person is told.
    """
    try:
        session.flush(only)
    except KeystewardError as error:
        warn(f"the audit log did not take this run's entries; they wait for the next run: {error}")


def worth_running(planned: Preview) -> bool:
    """Say whether a run would do anything of a preview."""
    return any(item.due and (item.plan.problem is None or item.plan.steps) for item in planned.items)


def carry_out(
    opened: Opened,
    reader: Session,
    planned: Preview,
    command: str,
    parallel: int,
    digest: str = "",
    progress: Progress | None = None,
) -> list[RunResult]:
    """Run what a preview of the reader's session shows; returns what became of it.

    What a run that died left for the audit log is moved there, and what was seen of last use and the heartbeat are
    written, also when nothing is due.
    """
    run = Run(opened, planned, progress or Unwatched(), parallel, reader.extent, digest)
    running = worth_running(planned)
    results = run.go() if running else []
    if not running and reader.waiting:
        move_entries(run.session)
    run.session.note_usage(reader.snapshot)
    heartbeat(run.session, command, exit_code(planned, results), results)
    return results


def heartbeat(session: Session, command: str, code: int, results: Sequence[RunResult] = ()) -> None:
    """Write down that this command ran and how it ended."""
    outcome = {0: "done", INTERRUPTED: "stopped"}.get(code, "failed")
    session.heartbeat(command, outcome, Counter(result.outcome.value for result in results))


def finish(session: Session, command: str, code: int) -> None:
    """End a command that works on single credentials: move its entries into the audit log, write the heartbeat."""
    move_entries(session)
    heartbeat(session, command, code)


def exit_code(planned: Preview, results: Sequence[RunResult]) -> int:
    """Return the exit code of a run: 130 after Ctrl-C, 1 when something failed or was stopped by a problem, else 0."""
    if any(result.outcome is Outcome.STOPPED for result in results):
        return INTERRUPTED
    return int(bool(planned.stopped) or any(result.outcome in BAD for result in results))


def _read_ahead(session: Session) -> None:
    """Make what all threads share before there are any, and fail before the first write."""
    _ = session.credentials, session.servers, session.snapshot.ledgers, session.snapshot.delivered
