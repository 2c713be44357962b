"""`keysteward doctor`: what is installed, and which targets and stores answer, with which rights."""

from __future__ import annotations

import importlib.metadata
import platform
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import typer

import keysteward
from keysteward.cli.opening import open_stack
from keysteward.cli.options import JsonOption, StackOption
from keysteward.cli.terminal import show, show_json
from keysteward.core.contract.observed import TOLERATED_SKEW
from keysteward.core.contract.ports import Check, LedgerStore, Store, Target
from keysteward.core.declare.schedule import show_duration
from keysteward.core.errors import KeystewardError
from keysteward.core.record.ledger import Ledger
from keysteward.core.record.server_ledger import ServerLedger
from keysteward.core.run.outbox import HOW_TO_MOVE, late_words, oldest_late
from keysteward.host import children
from keysteward.operations.loading import stack_names
from keysteward.operations.project import Opened
from keysteward.operations.session import Access, Session
from keysteward.report.checks import Section, check_lines, checks_json, failed

OLDEST_PULUMI = (3, 220)
"""The bridge is tried with the Pulumi CLI from this version on."""

PULUMI_INSTALL = "https://www.pulumi.com/docs/install/"
ANSWER_SECONDS = 20

_REQUIREMENT = re.compile(r"^[A-Za-z0-9_.-]+")
_EXTRA = re.compile(r"""extra == ["'](\w+)["']""")


def command(*, stack: StackOption = None, as_json: JsonOption = False) -> None:
    """Check the machine and the stack: what is installed, what answers, and with which rights.

    Each target and store is asked with the reader's and with the runner's credentials, for too few rights and for
    too many. Nothing is changed.

    Exit code 0: all is well, warnings aside; 1: something failed.
    """
    sections = [Section("This machine", tuple(_machine())), *_stack(stack)]
    if as_json:
        show_json(checks_json(sections))
    else:
        show(check_lines(sections))
    if failed(sections):
        raise typer.Exit(1)


def _machine() -> Iterator[Check]:
    yield Check("keysteward", ok=True, detail=f"{keysteward.__version__}, Python {platform.python_version()}")
    yield _pulumi()
    yield from _modules()


def _pulumi() -> Check:
    program = shutil.which("pulumi")
    wanted = ".".join(str(part) for part in OLDEST_PULUMI)
    if program is None:
        detail = f"not on PATH; `keysteward up` works without it. Install {wanted} or newer: {PULUMI_INSTALL}"
        return Check("pulumi CLI", ok=True, warning=True, detail=detail)
    try:
        answer = subprocess.run(  # noqa: S603 - the program found on PATH, without input
            [program, "version"],
            capture_output=True,
            text=True,
            timeout=ANSWER_SECONDS,
            check=True,
            env=children.environment(),
        )
    except (OSError, subprocess.SubprocessError) as error:
        return Check("pulumi CLI", ok=False, detail=f"{program} does not answer ({type(error).__name__})")
    version = answer.stdout.strip().removeprefix("v")
    numbers = tuple(int(part) for part in re.findall(r"\d+", version)[:2])
    if numbers < OLDEST_PULUMI:
        detail = f"{version} is too old; install {wanted} or newer: {PULUMI_INSTALL}"
        return Check("pulumi CLI", ok=True, warning=True, detail=detail)
    return Check("pulumi CLI", ok=True, detail=f"{version} at {program}")


def _modules() -> Iterator[Check]:
    """Name the installed version of each dependency; one missing from an extra is only a warning."""
    present, lacking = [], []
    for requirement in importlib.metadata.requires("keysteward") or ():
        match = _REQUIREMENT.match(requirement)
        name = match.group() if match else requirement
        try:
            present.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            found = _EXTRA.search(requirement)
            lacking.append((name, found.group(1) if found else None))
    yield Check("python modules", ok=True, detail=", ".join(present))
    for name, extra in lacking:
        wanted = f"if you need it: pip install 'keysteward[{extra}]'" if extra else "pip install it"
        optional = extra is not None
        yield Check(f"python module {name}", ok=optional, warning=optional, detail=f"not installed; {wanted}")


def _stack(name: str | None) -> Iterator[Section]:
    if name is None and not stack_names(Path.cwd()):
        detail = "none in this folder; go to the project's folder, or name one with --stack"
        yield Section("Stack", (Check("stack", ok=True, warning=True, detail=detail),))
        return
    try:
        opened = open_stack(name)
    except KeystewardError as error:
        checks = (Check("stack", ok=False, detail=sentence) for sentence in str(error).splitlines())
        yield Section("Stack", tuple(checks))
        return
    stack = opened.stack
    detail = f"credentials: {len(stack.credentials)}, resource servers: {len(stack.servers)}; all checks hold"
    yield Section("Stack", (Check(stack.identity, ok=True, detail=detail),))
    yield from _ports(opened)


def _ports(opened: Opened) -> Iterator[Section]:
    """Ask every port as reader and as runner. A failing one does not hide the others."""
    stack, session = opened.stack, opened.session("reader")
    for name, target in stack.targets.items():
        answers = (_target(target, "reader"), _target(target, "runner"), _listing(session, name))
        yield Section(f"Target {name}", _asked(name, answers))
    for name, store in stack.stores.items():
        paths = [place.path for spec in stack.specs.values() for place in spec.places if place.store == name]
        yield Section(f"Store {name}", _asked(name, (_store(store, paths, "reader"), _store(store, paths, "runner"))))
    name = stack.ledgers.name
    told = (_ledgers(stack.ledgers, "reader"), _ledgers(stack.ledgers, "runner"), _clock(session), _entries(session))
    yield Section(f"Ledger store {name}", _asked(name, told))


def _asked(subject: str, answers: Iterable[Iterator[Check]]) -> tuple[Check, ...]:
    """Collect the lines of one port, each once; what it cannot say is a line too."""
    checks: list[Check] = []
    for answer in answers:
        try:
            checks += (check for check in answer if check not in checks)
        except KeystewardError as error:
            checks.append(Check(subject, ok=False, detail=str(error).removeprefix(f"{subject}: ")))
        except Exception as error:  # noqa: BLE001 - a target kept elsewhere must not hide the others
            checks.append(Check(subject, ok=False, detail=f"internal error ({type(error).__name__}); report it"))
    return tuple(dict.fromkeys(checks))


def _target(target: Target, access: Access) -> Iterator[Check]:
    yield from (target.as_reader() if access == "reader" else target).diagnose()


def _store(store: Store, paths: list[str], access: Access) -> Iterator[Check]:
    yield from (store.as_reader() if access == "reader" else store).diagnose(paths)


def _ledgers(ledgers: LedgerStore, access: Access) -> Iterator[Check]:
    yield from (ledgers.as_reader() if access == "reader" else ledgers).diagnose()


def _listing(session: Session, name: str) -> Iterator[Check]:
    """List the target as a preview does, and compare its clock with the ledger store's, which all due dates follow."""
    seen = session.snapshot.target(name)
    holders = sum(1 for item in seen.by_id.values() if item.holder)
    whose = f", {holders} holders of keys" if seen.view.key_capabilities is not None else ""
    counted = f"{len(seen.by_id) - holders} clients{whose} and {len(seen.scopes)} scopes"
    yield Check(name, ok=True, detail=f"lists {counted}")
    if seen.view.skew > TOLERATED_SKEW:
        detail = f"differs from the ledger store's by {show_duration(seen.view.skew)}, so nothing is retired there"
        yield Check(f"{name} clock", ok=False, detail=f"{detail}; correct it")


def _clock(session: Session) -> Iterator[Check]:
    """Compare the ledger store's clock with this machine's, which dates what it signs."""
    skew = abs(session.ledgers.now() - datetime.now(UTC))
    subject = f"{session.ledgers.name} clock"
    if skew > TOLERATED_SKEW:
        detail = f"differs from this machine's by {show_duration(skew)}; correct the one that is off"
        yield Check(subject, ok=True, warning=True, detail=detail)
    else:
        yield Check(subject, ok=True, detail="agrees with this machine's")


def _entries(session: Session) -> Iterator[Check]:
    """Ask how many entries wait for the audit log, and whether for too long."""
    ledgers: list[Ledger | ServerLedger] = [*session.snapshot.ledgers.values()]
    ledgers += session.snapshot.server_ledgers.values()
    waiting, since = sum(len(ledger.outbox) for ledger in ledgers), oldest_late(ledgers, session.snapshot.at)
    if since is not None:
        yield Check("audit log", ok=False, detail=f"{late_words(waiting, since)}; {HOW_TO_MOVE}")
    else:
        detail = f"{waiting} entries wait for it; the next run moves them" if waiting else "no entry waits for it"
        yield Check("audit log", ok=True, detail=detail)
