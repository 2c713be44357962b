"""The one Pulumi bridge: a dynamic resource per declaration, answered by the same planner and runs as the command line.

Import paths, class names and the shape of inputs and outputs are a stored format (`format: 1`): existing state names
them. The provider classes have no attributes, so that state holds two names and no code. Inputs are the declaration,
how to reach targets, stores and ledgers (never a credential), and the derived `plan`; no secret passes through here.
`declaration` and `ports` are JSON texts: the engine shows them field by field, and handles a text several times faster
than the same values nested.
"""

from __future__ import annotations

import functools
import json
import logging
import os
import re
import secrets
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import pulumi
from pulumi.dynamic import (
    CheckFailure,
    CheckResult,
    CreateResult,
    DiffResult,
    ReadResult,
    Resource,
    ResourceProvider,
    UpdateResult,
)

from keysteward.core.assess.status import OUTPUT_NAMES, outputs
from keysteward.core.contract.ports import Target
from keysteward.core.declare.credentials import ResourceServer
from keysteward.core.declare.spec import (
    ServerSpec,
    Spec,
    capabilities_of,
    dump_server,
    dump_spec,
    load_server,
    load_spec,
)
from keysteward.core.declare.stack import Limit, Stack
from keysteward.core.errors import Damaged, DeclarationError, KeystewardError, LeaseHeld
from keysteward.core.findings import Severity
from keysteward.core.observe.diff import differences
from keysteward.core.observe.world import World
from keysteward.core.plain import plain, tame
from keysteward.core.plan.adopt import wanted
from keysteward.core.plan.approval import Approvable, Approval, keys_to_approve
from keysteward.core.plan.planner import plan
from keysteward.core.policy.check import check
from keysteward.core.record.ledger import Ledger, Revoked
from keysteward.core.record.steps import Do
from keysteward.host.foreign_json import read_json
from keysteward.host.stack_modules import refuse_stand_ins
from keysteward.operations.descriptors import describe, revive
from keysteward.operations.endings import allow_ending
from keysteward.operations.notices import NOTICES
from keysteward.operations.offline.revocations import of_stack
from keysteward.operations.owners import owners_of
from keysteward.operations.session import Access, Session
from keysteward.operations.stack_plan import plan_credential, plan_server
from keysteward.operations.stack_run import move_entries

FORMAT = 1
SERVER_OUTPUTS = ("status", "incarnation", "scope_ids")
DEBUG = "KEYSTEWARD_DEBUG"

Placed = Callable[[DeclarationError, Stack], DeclarationError]
"""What says of an error of a whole stack where it stands (`keysteward.cli.source.source_places.placing`)."""

_P = ParamSpec("_P")
_R = TypeVar("_R")


class BridgeError(Exception):
    """One readable sentence on its way to the person at the terminal."""

    __module__ = "keysteward"


def _readable(method: Callable[_P, _R]) -> Callable[_P, _R]:
    """Let exceptions reach the user as one message, without frames and without values."""

    @functools.wraps(method)
    def guarded(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        if not os.environ.get(DEBUG):
            sys.tracebacklimit = 0
        try:
            return method(*args, **kwargs)
        except KeystewardError as error:
            raise BridgeError("\n".join(tame(plain(line)) for line in str(error).splitlines())) from None
        except Exception as error:
            if os.environ.get(DEBUG):
                raise
            raise BridgeError(
                f"internal error ({type(error).__name__}); run again with {DEBUG}=1 and report it"
            ) from None

    return guarded


class _Process:
    """The sessions of this plugin process, one per stack and access. Built at the first question, under a lock."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sessions: dict[tuple[str, str, str], Session] = {}
        self._beaten: set[str] = set()

    def session(self, props: Mapping[str, Any], access: Access) -> Session:
        """Return the session for a resource's stack, made to know its targets and stores."""
        if props.get("format") != FORMAT:
            raise DeclarationError(f"the state of {props.get('identity')} {_other_format(props)}")
        with _from_state(props):
            stack, ports = str(props["stack"]), read_json(props["ports"], dict[str, Any])
            key = (stack, access, json.dumps(ports["ledgers"], sort_keys=True))
            _ = str(props["identity"])
        with self._lock:
            session = self._sessions.get(key)
            if session is None:
                with _from_state(props):
                    ledgers = revive(ports["ledgers"])
                logging.getLogger(NOTICES).handlers = [_Notices()]
                records = of_stack(Path.cwd(), stack)
                session = Session(stack, ledgers, access=access, door="pulumi", records=records)
                self._sessions[key] = session
            if session.limit is None and "limit" in ports:
                # Resource servers carry none; the program's, which comes before any deletion, beats the state's.
                with _from_state(props):
                    session.limit = _limit(ports["limit"])
            with _from_state(props):
                add_ports(session, ports)
            session.open()
            return session

    def move_entries(self, session: Session, identity: str) -> None:
        """Move one ledger's entries into the audit log, one thread at a time."""
        with self._lock:
            move_entries(session, [identity])

    @contextmanager
    def beating(self, session: Session, command: str) -> Iterator[None]:
        """Write the stack's heartbeat once per process, when the first thing that may write is done or has failed."""
        outcome = "failed"
        try:
            yield
            outcome = "done"
        finally:
            with self._lock:
                first = session.stack not in self._beaten
                self._beaten.add(session.stack)
            if first:
                session.note_usage()
                session.heartbeat(command, outcome, {outcome: 1}, door="pulumi")

    def sweep(self, session: Session, targets: Iterable[str]) -> None:
        """Delete the dropped scopes that nobody has any more; one thread at a time, for they share ledgers."""
        with self._lock:
            for target in targets:
                session.servers.sweep_dropped(target)


def add_ports(session: Session, ports: Mapping[str, Any]) -> None:
    """Make the targets and stores that a resource names known to its session."""
    session.add_ports(
        {name: revive(d) for name, d in ports.get("targets", {}).items() if name not in session.targets},
        {name: revive(d) for name, d in ports.get("stores", {}).items() if name not in session.stores},
    )


def _limit(given: Mapping[str, Any]) -> Limit:
    return Limit(int(given["count"]), float(given["share"]))


def _tell(identity: str, words: str) -> None:
    """Show progress as an info line of the run."""
    print(tame(plain(f"{identity}: {words}")), file=sys.stderr, flush=True)  # noqa: T201 - the engine forwards it as an info line


class _Notices(logging.Handler):
    """Shows what a person should know as an info line of the run."""

    def emit(self, record: logging.LogRecord) -> None:
        _tell("keysteward", f"warning: {record.getMessage()}")


_PROCESS = _Process()

_NUMBER = re.compile("[0-9]{1,9}")


def _common(props: Mapping[str, Any]) -> dict[str, Any]:
    names = ("format", "stack", "identity", "declaration", "ports", *PLANNED)
    return {name: props[name] for name in names if name in props}


def _text(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def write_declaration(spec: Spec, target: Target) -> str:
    """Write a credential's declaration as short JSON: without what its identity or its target says already."""
    document = dump_spec(spec)
    safeguards = dict(capabilities_of(target, spec.kind).safeguards)
    known: dict[str, object] = {"token_url": target.token_url, "safeguards": safeguards}
    known |= {"identity": spec.identity, "name": spec.name, "client_id_given": False}
    known |= {} if spec.client_id_given else {"client_id": spec.client_id}
    return _text({name: value for name, value in document.items() if name not in known or known[name] != value})


def read_declaration(props: Mapping[str, Any], session: Session) -> Spec:
    """Read a credential's declaration back; the inverse of `write_declaration`."""
    with _from_state(props):
        document = read_json(props["declaration"], dict[str, Any])
        target, identity = session.targets[document["target"]], str(props["identity"])
        name = identity.removeprefix(f"{props['stack']}/")
        said = {"identity": identity, "name": name, "client_id": name, "client_id_given": False}
        safeguards = dict(capabilities_of(target, str(document.get("kind"))).safeguards)
        said |= {"token_url": target.token_url, "safeguards": safeguards}
        return load_spec({**said, **document})


def read_server(props: Mapping[str, Any]) -> ServerSpec:
    """Read a resource server's declaration back."""
    with _from_state(props):
        return load_server(read_json(props["declaration"], dict[str, Any]))


@contextmanager
def _from_state(props: Mapping[str, Any]) -> Iterator[None]:
    """Say of what cannot be read that the state is damaged: what keysteward wrote there, it can read."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        kind = type(error).__name__
    else:
        return
    raise Damaged(
        f"Pulumi's state of {props.get('identity') or 'this resource'} is damaged ({kind}): take it out with "
        "`pulumi state delete`, which ends nothing, and run `pulumi up`, which takes over what the ledger knows"
    )


def _no_import(id_: str, props: Mapping[str, Any]) -> None:
    """Raise DeclarationError when the engine reads what it has no state of, as `pulumi import` lets it."""
    if props.get("format") is None and "declaration" not in props:
        raise DeclarationError(
            f"{id_} cannot be imported into Pulumi's state: import is not supported. Declare it in the stack, with "
            'adopt="<its client id>" when it exists at the target already, and run `pulumi up`, which makes the state'
        )


def _revoked(spec: Spec, revoked: Revoked) -> str:
    """Say in a preview what a revocation means for the run."""
    lift = f"keysteward lift {spec.name} --reason TEXT"
    if revoked.generations is None:
        return f"warning: revoked ({revoked.reason}): nothing new is issued until: {lift}"
    numbers = ", ".join(map(str, revoked.generations))
    return f"warning: generation {numbers} is revoked ({revoked.reason}); once the reason is dealt with: {lift}"


def _format_failure(props: Mapping[str, Any]) -> CheckFailure | None:
    if props.get("format") == FORMAT:
        return None
    return CheckFailure("format", _other_format(props))


def _other_format(props: Mapping[str, Any]) -> str:
    given = props.get("format")
    shown = f"{given:g}" if isinstance(given, (int, float)) else repr(given)
    return f"has format {shown}, and this keysteward knows format {FORMAT}; use the version of keysteward that wrote it"


PLANNED = ("plan", "approves")
"""The inputs that `check` derives: the plan in words for people, and the keys of its steps that need approval."""


def _planned(
    words: str, steps: Iterable[Approvable], executed: tuple[int, str], olds: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the derived inputs: what is due under its run number, else what was there, else what was executed.

    The number is above that of every plan announced before, also of one that found nothing left to do: the same
    words twice would be no change to the engine.
    """
    if words:
        count = max(executed[0], _run_number(executed[1]), _run_number(str(olds.get("plan"))))
        return {"plan": f"#{count + 1} {words}", "approves": sorted(keys_to_approve(steps))}
    if olds.get("plan") is not None:
        return {name: olds[name] for name in PLANNED if name in olds}
    return {"plan": executed[1], "approves": []}


def _approval(props: Mapping[str, Any]) -> Approval:
    """Return what was announced. A state that an earlier version wrote holds words alone, which approve nothing."""
    with _from_state(props):
        keys = frozenset(map(str, props.get("approves") or ()))
        return Approval(keys, _run_number(str(props.get("plan", ""))))


def _run_number(plan: str) -> int:
    number = plan.partition(" ")[0].removeprefix("#")
    return int(number) if _NUMBER.fullmatch(number) else 0


class CredentialProvider(ResourceProvider):
    """Check, diff, create, read, update and delete for credentials; one class per kind gives it its stored name."""

    serialize_as_secret_always = False

    @_readable
    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Derive `plan` from the snapshot. A problem is a failure of the resource, before anything is written.

        That it is revoked is said beside the plan, whose words are stored and change only with what is due.
        """
        failure = _format_failure(news)
        if failure is not None:
            return CheckResult(news, [failure])
        session = _PROCESS.session(news, "reader")
        spec = read_declaration(news, session)
        session.snapshot.add(spec)
        item = plan_credential(session, spec.identity, spec)
        shown, ledger = item.plan, item.ledger
        failures = []
        if shown.problem is not None and not shown.steps:
            failures.append(CheckFailure("declaration", shown.problem.message))
        executed = (ledger.executed.count, ledger.executed.words) if ledger else (0, "")
        if ledger is not None and ledger.revoked is not None:
            _tell(spec.identity, _revoked(spec, ledger.revoked))
        words = "" if item.leased else shown.words
        return CheckResult({**_common(news), **_planned(words, shown.steps, executed, _olds)}, failures)

    @_readable
    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """Leave the comparison of inputs to the engine; nothing ever replaces."""
        return DiffResult(changes=None)

    @_readable
    def create(self, props: dict[str, Any]) -> CreateResult:
        """Issue what is not there; over an open ledger nothing is, and the resource takes it over."""
        session = _PROCESS.session(props, "runner")
        spec = read_declaration(props, session)
        session.snapshot.add(spec)
        incarnation = secrets.token_hex(8)
        with _PROCESS.beating(session, "create"):
            ledger = self._run(session, spec, props, incarnation)
            if ledger is not None and ledger.incarnation != incarnation:
                session.credentials.edit(spec.identity, lambda known: replace(known, incarnation=incarnation))
        return CreateResult(spec.identity, self._outs(session, spec, props))

    @_readable
    def update(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        """Carry out the plan that `check` announced."""
        session = _PROCESS.session(news, "runner")
        with _from_state(_olds):
            add_ports(session, read_json(_olds["ports"], dict[str, Any]))
        spec = read_declaration(news, session)
        session.snapshot.add(spec)
        with _PROCESS.beating(session, "update"):
            self._run(session, spec, news)
        return UpdateResult(self._outs(session, spec, news))

    @staticmethod
    def _run(session: Session, spec: Spec, props: Mapping[str, Any], incarnation: str | None = None) -> Ledger | None:
        words = str(props.get("plan", ""))
        world = session.snapshot.world(spec.identity, spec)
        if world.recorded is not None and plan(world).by_record is not None:
            allow_ending(session, spec.identity, recorded=True)
        try:
            result = session.credentials.run(
                spec.identity, spec, approved=_approval(props), words=words, incarnation=incarnation
            )
        except LeaseHeld as error:
            raise LeaseHeld(f"{error.message}; run again then", credential=spec.identity) from None
        if any(step.do is Do.UPDATE for step in result.done):
            _PROCESS.sweep(session, [spec.target])
        if result.wait is not None:
            _tell(spec.identity, f"goes on at {result.wait.until:%H:%M:%S} UTC: {result.wait.why}; run again then")
        _PROCESS.move_entries(session, spec.identity)
        for finding in result.findings:
            _tell(spec.identity, f"{finding.severity}: {finding.message} {finding.mend}".rstrip())
        return result.ledger

    @staticmethod
    def _outs(session: Session, spec: Spec, props: Mapping[str, Any]) -> dict[str, Any]:
        return {**_common(props), **outputs(session.snapshot.world(spec.identity, spec))}

    @_readable
    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Return what is observed: drifted fields in inputs and outputs alike; gone only when the ledger is closed.

        What was revoked and is declared again over a closed ledger keeps its resource, which issues nothing.
        """
        _no_import(id_, props)
        session = _PROCESS.session(props, "reader")
        spec = read_declaration(props, session)
        session.snapshot.add(spec)
        world = session.snapshot.world(spec.identity, spec)
        if world.ledger is not None and world.ledger.closed is not None and world.ledger.revoked is None:
            return ReadResult(None, {})
        observed = write_declaration(observed_spec(world, spec), session.targets[spec.target])
        inputs = {**_common(props), "declaration": observed}
        shown = outputs(world) if world.ledger is not None else {name: props.get(name) for name in OUTPUT_NAMES}
        if "incarnation" in props:
            shown["incarnation"] = props["incarnation"]
        if _vanished(world):
            shown["status"] = "ended elsewhere"
        return ReadResult(id_, {**inputs, **shown}, inputs)

    @_readable
    def delete(self, _id: str, props: dict[str, Any]) -> None:
        """End the credential, unless another resource has taken its ledger over. Permission and limit are checked."""
        session, identity = _PROCESS.session(props, "runner"), str(props["identity"])
        world = session.snapshot.world(identity, None)
        if world.ledger is None or world.ledger.incarnation != props.get("incarnation"):
            return
        with _PROCESS.beating(session, "delete"):
            allow_ending(session, identity)
            session.credentials.run(identity, None)
            _PROCESS.move_entries(session, identity)
        _PROCESS.sweep(session, sorted({record.target for record in world.ledger.objects}))


class M2MClientProvider(CredentialProvider):
    """Provider of `M2MClient`; its import path is part of the stored format."""


class ClientSecretProvider(CredentialProvider):
    """Provider of `ClientSecret`; its import path is part of the stored format."""


class ApiKeyProvider(CredentialProvider):
    """Provider of `ApiKey`; its import path is part of the stored format."""


class ManualKeyProvider(CredentialProvider):
    """Provider of `ManualKey`; its import path is part of the stored format."""


def observed_spec(world: World, spec: Spec) -> Spec:
    """Return the declaration with every drifted field as observed."""
    ledger = world.ledger
    if ledger is None or ledger.current is None or spec.external:
        return spec
    record = ledger.object_of(ledger.current)
    found = world.object(record)
    if found is None:
        return spec
    changes: dict[str, Any] = {}
    want = wanted(world, spec, record)
    for difference in differences(want, found.settings):
        if difference.safeguard:
            observed = {**changes.get("safeguards", spec.safeguards), difference.field: difference.observed}
            changes["safeguards"] = observed
        elif difference.field == "scopes":
            changes["scopes"] = found.settings.scopes - (want.scopes - spec.scopes)
        elif difference.field == "optional_scopes":
            changes["optional_scopes"] = found.settings.optional_scopes - (want.optional_scopes - spec.optional_scopes)
        elif difference.field == "description":
            ours = (spec.settings(record.method).description or "").removeprefix(spec.purpose)
            changes["purpose"] = (found.settings.description or "").removesuffix(ours)
        else:
            changes[difference.field] = getattr(found.settings, difference.field)
    return replace(spec, **changes) if changes else spec


def _vanished(world: World) -> bool:
    ledger = world.ledger
    if ledger is None or ledger.current is None:
        return False
    record = ledger.object_of(ledger.current)
    return record.remote_id is not None and world.object(record) is None


class ResourceServerProvider(ResourceProvider):
    """Provider of `ResourceServer`; its import path is part of the stored format."""

    serialize_as_secret_always = False

    @_readable
    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Derive `plan` from the snapshot."""
        failure = _format_failure(news)
        if failure is not None:
            return CheckResult(news, [failure])
        session, spec = _PROCESS.session(news, "reader"), read_server(news)
        item = plan_server(session, spec.identity, spec)
        shown, ledger = item.plan, item.ledger
        failures = [CheckFailure("declaration", shown.problem.message)] if shown.problem else []
        executed = (ledger.executed.count, ledger.executed.words) if ledger else (0, "")
        return CheckResult({**_common(news), **_planned(shown.words, shown.steps, executed, _olds)}, failures)

    @_readable
    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """Leave the comparison of inputs to the engine; nothing ever replaces."""
        return DiffResult(changes=None)

    @_readable
    def create(self, props: dict[str, Any]) -> CreateResult:
        """Create the scopes that are not there."""
        session, spec = _PROCESS.session(props, "runner"), read_server(props)
        with _PROCESS.beating(session, "create"):
            self._run(session, spec, props)
            session.servers.claim(spec.identity, secrets.token_hex(8))
        return CreateResult(spec.identity, self._outs(session, spec.identity, props))

    @_readable
    def update(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        """Carry out the plan that `check` announced."""
        session, spec = _PROCESS.session(news, "runner"), read_server(news)
        with _PROCESS.beating(session, "update"):
            self._run(session, spec, news)
        return UpdateResult(self._outs(session, spec.identity, news))

    @staticmethod
    def _run(session: Session, spec: ServerSpec, props: Mapping[str, Any]) -> None:
        words = str(props.get("plan", ""))
        session.servers.run(spec.identity, spec, approved=_approval(props), words=words)
        _PROCESS.move_entries(session, spec.identity)

    @staticmethod
    def _outs(session: Session, identity: str, props: Mapping[str, Any]) -> dict[str, Any]:
        ledger = session.snapshot.server_ledgers.get(identity)
        shown: dict[str, Any] = {"status": "pending", "incarnation": props.get("incarnation"), "scope_ids": {}}
        if ledger is not None:
            status = "dropping" if ledger.dropped else "active"
            shown = {"status": status, "incarnation": ledger.incarnation, "scope_ids": dict(ledger.scopes)}
        return {**_common(props), **shown}

    @_readable
    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Return the observed descriptions and audience of the declared scopes."""
        _no_import(id_, props)
        session, spec = _PROCESS.session(props, "reader"), read_server(props)
        ledger = session.snapshot.server_ledgers.get(spec.identity)
        if ledger is not None and ledger.closed is not None:
            return ReadResult(None, {})
        catalogue = session.snapshot.target(spec.target).scopes
        observed = {name: catalogue[name].description for name in spec.scopes if name in catalogue}
        audiences = {catalogue[name].audience or "" for name in observed} - {spec.audience}
        seen = replace(spec, scopes=observed, audience=min(audiences) if audiences else spec.audience)
        inputs = {**_common(props), "declaration": _text(dump_server(seen))}
        shown = {name: props.get(name) for name in SERVER_OUTPUTS}
        return ReadResult(id_, {**inputs, **shown}, inputs)

    @_readable
    def delete(self, _id: str, props: dict[str, Any]) -> None:
        """Delete the scopes nobody has any more, unless another resource has taken the ledger over."""
        session, identity = _PROCESS.session(props, "runner"), str(props["identity"])
        ledger = session.snapshot.server_ledgers.get(identity)
        if ledger is None or ledger.incarnation != props.get("incarnation"):
            return
        with _PROCESS.beating(session, "delete"):
            session.servers.run(identity, None)
            _PROCESS.move_entries(session, identity)


class _M2MClient(Resource, module="keysteward", name="M2MClient"):
    """One `M2MClient` in Pulumi's state."""


class _ClientSecret(Resource, module="keysteward", name="ClientSecret"):
    """One `ClientSecret` in Pulumi's state."""


class _ApiKey(Resource, module="keysteward", name="ApiKey"):
    """One `ApiKey` in Pulumi's state."""


class _ManualKey(Resource, module="keysteward", name="ManualKey"):
    """One `ManualKey` in Pulumi's state."""


class _ResourceServer(Resource, module="keysteward", name="ResourceServer"):
    """One `ResourceServer` in Pulumi's state."""


_KINDS: dict[str, tuple[type[Resource], type[ResourceProvider]]] = {
    "M2MClient": (_M2MClient, M2MClientProvider),
    "ClientSecret": (_ClientSecret, ClientSecretProvider),
    "ApiKey": (_ApiKey, ApiKeyProvider),
    "ManualKey": (_ManualKey, ManualKeyProvider),
    "ResourceServer": (_ResourceServer, ResourceServerProvider),
}


def deploy(stack: Stack, *, root: Path | None = None, placed: Placed | None = None) -> dict[str, Resource]:
    """Check the whole stack, then register one resource per declaration; returns them by name.

    Makes no network call. Raises pulumi.RunError with one sentence per problem, before the first registration: pulumi
    prints it without a traceback. `placed` adds where in the source such an error stands. Each credential's resource
    has the outputs `client_id`, `client_ids`, `generation`, `fingerprint`, `delivered_to`, `rotated_at`, `next_due` and
    `status`.
    """
    try:
        refuse_stand_ins(root or Path.cwd())
        for finding in check(stack, owners_of(stack, root), datetime.now(UTC)):
            if finding.severity is not Severity.NOTE:
                pulumi.warn(f"{finding.subject}: {finding.message} {finding.mend}".rstrip())
    except DeclarationError as error:
        raise pulumi.RunError(str(error if placed is None else placed(error, stack))) from None
    made: dict[str, Resource] = {}
    for declared in (*stack.servers, *stack.credentials):
        kind = type(declared).__name__
        resource, provider = _KINDS[kind]
        options = pulumi.ResourceOptions(
            aliases=[pulumi.Alias(name=old) for old in declared.previously],
            depends_on=[made[name] for name in _servers_of(declared)],
        )
        names = SERVER_OUTPUTS if isinstance(declared, ResourceServer) else OUTPUT_NAMES
        props = {**_props(stack, declared.name, kind), **dict.fromkeys((*PLANNED, *names))}
        made[declared.name] = resource(provider(), declared.name, props, options)
        _leave_to_their_resource(made[declared.name])
    return made


def _leave_to_their_resource(resource: Resource) -> None:
    """Take a resource's outputs off the list on which the SDK waits at the end of a program, as `Output.apply` does.

    Each of them ends with its registration, which is waited for, so that nothing is lost. The SDK walks the whole list
    for every output that ends: sixteen outputs of 1,000 resources took it longer than the rest of a run.
    """
    for output in vars(resource).values():
        untrack = getattr(output, "_untrack", None)
        if untrack is not None:
            untrack()


def _servers_of(declared: Any) -> list[str]:  # noqa: ANN401 - any declaration
    access = {**getattr(declared, "access", {}), **getattr(declared, "optional_access", {})}
    return [server.name for server in access]


def _props(stack: Stack, name: str, kind: str) -> dict[str, Any]:
    """Return the inputs of one resource: plain JSON, without any credential."""
    identity = f"{stack.identity}/{name}"
    props: dict[str, Any] = {"format": FORMAT, "stack": stack.identity, "identity": identity}
    ports: dict[str, Any] = {"ledgers": describe(stack.ledgers.descriptor)}
    if kind == "ResourceServer":
        server = stack.server_specs[identity]
        ports["targets"] = {server.target: describe(stack.targets[server.target].descriptor)}
        return {**props, "declaration": _text(dump_server(server)), "ports": _text(ports)}
    spec = stack.specs[identity]
    names = {spec.target, *({spec.proven_by} if spec.proven_by is not None else ())}
    ports["targets"] = {name: describe(stack.targets[name].descriptor) for name in sorted(names)}
    ports["stores"] = {place.store: describe(stack.stores[place.store].descriptor) for place in spec.places}
    ports["limit"] = asdict(stack.limit)
    declaration = write_declaration(spec, stack.targets[spec.target])
    return {**props, "declaration": declaration, "ports": _text(ports)}
