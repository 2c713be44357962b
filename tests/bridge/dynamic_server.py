"""The SDK's own plugin, `python -m pulumi.dynamic`, spoken to over gRPC as the engine does; no `pulumi` CLI needed."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar, Self

import grpc
from google.protobuf import json_format, struct_pb2
from plugin_forks import forked
from pulumi.runtime import mocks
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc
from pulumi.runtime.stack import run_pulumi_func

from keysteward import M2MClient, Owners, ResourceServer, RotationSchedule, Stack, deploy
from keysteward.core.observe.snapshot import ledger_key
from keysteward.core.record.ledger import Ledger, load_ledger
from keysteward.core.record.server_ledger import ServerLedger, load_server_ledger
from keysteward.operations.endings import allow_ending
from keysteward.operations.session import Access, Session
from keysteward.providers.keycloak import Keycloak
from keysteward.providers.local import LocalStore
from keysteward.sandbox.keycloak import KeycloakStandIn
from keysteward.sandbox.keycloak.models import Client
from keysteward.testing.aging import age_ledgers

CALL_SECONDS = 60
STOP_SECONDS = 30
PARALLEL = 4
IDENTITY = "acme/test"
RUNNER_ROLES = {"manage-clients", "view-clients", "query-clients"}

Props = dict[str, Any]


@dataclass(frozen=True)
class Registered:
    """One resource as a program registers it."""

    type: str
    name: str
    inputs: Props


class _Recorder(mocks.Mocks):
    def __init__(self) -> None:
        self.seen: list[Registered] = []

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str, Props]:
        self.seen.append(Registered(args.typ, args.name, dict(args.inputs)))
        return args.name, dict(args.inputs)

    def call(self, args: mocks.MockCallArgs) -> tuple[Props, None]:
        raise AssertionError(f"deploy makes no call, and made {args.token}")


class _Monitor(mocks.MockMonitor):
    """The SDK's mock monitor; it runs in pool threads, whose event loops nobody else closes."""

    def RegisterResource(self, request: Any) -> Any:  # noqa: ANN401, N802 - the base class's signature
        with _event_loop():
            return super().RegisterResource(request)


@contextmanager
def _event_loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        yield loop
    finally:
        asyncio.set_event_loop(None)
        loop.close()


def registered(program: Callable[[], object]) -> dict[str, Registered]:
    """Run a program under the SDK's mocks; returns what it registers, resource servers first."""
    recorder = _Recorder()

    def run() -> None:
        with _event_loop() as loop:
            mocks.set_mocks(recorder, project="acme", stack="test", preview=False, monitor=_Monitor(recorder))
            loop.run_until_complete(run_pulumi_func(program))

    with ThreadPoolExecutor(1) as thread:
        thread.submit(run).result()
    return {r.name: r for r in sorted(recorder.seen, key=lambda r: not r.type.endswith("ResourceServer"))}


class PluginError(Exception):
    """A call that failed, with the text the engine would show."""


class Plugin:
    """One plugin process: one run, one snapshot."""

    def __init__(self, environment: Mapping[str, str], folder: Path) -> None:
        self._environment = environment
        self._folder = folder
        self.output = b""
        self.answers: list[str] = []

    def __enter__(self) -> Self:
        self._stderr = tempfile.TemporaryFile()
        reading, writing = os.pipe()
        self._pid = self._start(writing)
        os.close(writing)
        self._printed = os.fdopen(reading, "rb")
        port = self._printed.readline().decode().strip()
        self._channel = grpc.insecure_channel(f"127.0.0.1:{port}", options=[("grpc.enable_http_proxy", 0)])
        grpc.channel_ready_future(self._channel).result(CALL_SECONDS)
        self._stub = provider_pb2_grpc.ResourceProviderStub(self._channel)  # type: ignore[no-untyped-call]
        self._call("Configure", provider_pb2.ConfigureRequest(args=struct_pb2.Struct()))
        return self

    def _start(self, output: int) -> int:
        """Start the process: forked, or as the engine does where its environment changes Python itself."""
        environment = {**os.environ, "PULUMI_PROJECT": "acme", **self._environment}
        self._process = None
        if "PYTHONPATH" not in self._environment:
            return forked(self._folder, environment, output, self._stderr.fileno())
        self._process = subprocess.Popen(
            [sys.executable, "-u", "-m", "pulumi.dynamic"],
            cwd=self._folder,
            env=environment,
            stdout=output,
            stderr=self._stderr,
        )
        return self._process.pid

    def __exit__(self, *_error: object) -> None:
        self._channel.close()
        ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
        os.kill(self._pid, signal.SIGTERM if ignored else signal.SIGINT)
        end = threading.Timer(STOP_SECONDS, os.kill, (self._pid, signal.SIGKILL))
        end.start()
        with self._printed as printed, self._stderr as stderr:
            told = printed.read()
            end.cancel()
            if self._process is not None:
                self._process.wait()
            stderr.seek(0)
            self.output = told + stderr.read()

    def check(self, olds: Props, news: Props) -> tuple[Props, list[str]]:
        request = provider_pb2.CheckRequest(olds=_struct(olds), news=_struct(news))
        answer = self._call("Check", request)
        return _props(answer.inputs), [f"{f.property}: {f.reason}" for f in answer.failures]

    def diff(self, id_: str, olds: Props, news: Props) -> Any:  # noqa: ANN401 - a message of protobuf
        return self._call("Diff", provider_pb2.DiffRequest(id=id_, olds=_struct(olds), news=_struct(news)))

    def create(self, props: Props) -> tuple[str, Props]:
        answer = self._call("Create", provider_pb2.CreateRequest(properties=_struct(props)))
        return answer.id, _props(answer.properties)

    def update(self, id_: str, olds: Props, news: Props) -> Props:
        request = provider_pb2.UpdateRequest(id=id_, olds=_struct(olds), news=_struct(news))
        return _props(self._call("Update", request).properties)

    def read(self, id_: str, props: Props) -> tuple[str, Props, Props]:
        answer = self._call("Read", provider_pb2.ReadRequest(id=id_, properties=_struct(props)))
        return answer.id, _props(answer.properties), _props(answer.inputs)

    def delete(self, id_: str, props: Props) -> None:
        self._call("Delete", provider_pb2.DeleteRequest(id=id_, properties=_struct(props)))

    def _call(self, method: str, request: Any) -> Any:  # noqa: ANN401 - messages of protobuf
        try:
            answer = getattr(self._stub, method)(request, timeout=CALL_SECONDS)
        except grpc.RpcError as error:
            self.answers.append(str(error.details()))
            raise PluginError(error.details()) from None
        self.answers.append(str(answer))
        return answer


def _struct(props: Props) -> struct_pb2.Struct:
    made = struct_pb2.Struct()
    made.update(props)
    return made


def _props(message: struct_pb2.Struct) -> Props:
    return json_format.MessageToDict(message)


@dataclass
class Resource:
    """One resource as the state keeps it."""

    type: str
    id: str
    inputs: Props
    outputs: Props


@dataclass(frozen=True)
class Change:
    """What the engine would do to one resource, with its checked inputs and the check's failures."""

    operation: str
    inputs: Props = field(default_factory=dict)
    failures: tuple[str, ...] = ()

    @property
    def plan(self) -> str:
        return str(self.inputs.get("plan"))


class Engine:
    """The engine's calls in the engine's order, over a state in memory. Each operation is a process of its own."""

    def __init__(self, environment: Mapping[str, str], folder: Path) -> None:
        self.environment = dict(environment)
        self.folder = folder
        self.state: dict[str, Resource] = {}
        self.transcript: list[str] = []

    @contextmanager
    def plugin(self, **environment: str) -> Iterator[Plugin]:
        """Start a plugin; what it answered and printed is kept in the transcript."""
        plugin = Plugin({**self.environment, **environment}, self.folder)
        try:
            with plugin:
                yield plugin
        finally:
            self.transcript += [*plugin.answers, plugin.output.decode()]

    def preview(self, stack: Stack, **environment: str) -> dict[str, Change]:
        with self.plugin(**environment) as plugin:
            return self._changes(plugin, registered(lambda: deploy(stack)))

    def operations(self, stack: Stack) -> dict[str, str]:
        return {name: change.operation for name, change in self.preview(stack).items()}

    def gates(self, stack: Stack) -> tuple[bool, bool]:
        """Say whether both gates are clean: nothing would change, nothing has drifted."""
        with self.plugin() as plugin:
            changes = self._changes(plugin, registered(lambda: deploy(stack)))
            return {c.operation for c in changes.values()} <= {"same"}, self._read(plugin, keep=False) == set()

    def up(self, stack: Stack, **environment: str) -> dict[str, Change]:
        """Servers first, credentials four at a time, deletions last; what was done before an error stays in the state.

        Raises PluginError with the first failure.
        """
        program = registered(lambda: deploy(stack))
        changes: dict[str, Change] = {}
        with self.plugin(**environment) as plugin:
            for servers in (True, False):
                part = {n: r for n, r in program.items() if r.type.endswith("ResourceServer") is servers}
                found = self._changes(plugin, part, deletions=False)
                changes |= found
                failures = [failure for change in found.values() for failure in change.failures]
                if failures:
                    raise PluginError("; ".join(failures))
                self._apply(plugin, part, found)
            gone = [name for name in self.state if name not in program]
            self.destroy(gone, plugin=plugin)
        return changes | dict.fromkeys(gone, Change("delete"))

    def apply(self, stack: Stack, announced: Mapping[str, Change], **environment: str) -> None:
        """Carry out changes that were announced earlier, without another check: the world may have moved on."""
        with self.plugin(**environment) as plugin:
            self._apply(plugin, registered(lambda: deploy(stack)), announced)

    def refresh(self) -> set[str]:
        """Read everything; returns the names of what drifted or is gone."""
        with self.plugin() as plugin:
            return self._read(plugin, keep=True)

    def _read(self, plugin: Plugin, *, keep: bool) -> set[str]:
        changed = set()
        for name, resource in list(self.state.items()):
            id_, outputs, inputs = plugin.read(resource.id, resource.outputs)
            if id_:
                plugin.diff(id_, outputs, resource.inputs)
            if not id_ or (inputs, outputs) != (resource.inputs, resource.outputs):
                changed.add(name)
            if keep and id_:
                self.state[name] = Resource(resource.type, id_, inputs, outputs)
            elif keep:
                del self.state[name]
        return changed

    def destroy(self, names: list[str] | None = None, *, plugin: Plugin | None = None, **environment: str) -> None:
        """Delete, credentials before servers; raises PluginError at the first failure, earlier ones stay deleted."""
        if plugin is None:
            with self.plugin(**environment) as started:
                self.destroy(names, plugin=started)
            return
        chosen = [n for n in self.state if names is None or n in names]
        for name in sorted(chosen, key=lambda n: (self.state[n].type.endswith("ResourceServer"), n)):
            plugin.delete(self.state[name].id, self.state[name].outputs)
            del self.state[name]

    def _changes(
        self, plugin: Plugin, program: Mapping[str, Registered], *, deletions: bool = True
    ) -> dict[str, Change]:
        changes = {}
        for name, resource in program.items():
            old = self.state.get(name)
            inputs, failures = plugin.check(old.inputs if old else {}, resource.inputs)
            operation = "create"
            if old is not None:
                answer = plugin.diff(old.id, old.outputs, inputs)
                assert answer.changes == provider_pb2.DiffResponse.DIFF_UNKNOWN
                assert not answer.replaces
                operation = "same" if inputs == old.inputs else "update"
            changes[name] = Change(operation, inputs, tuple(failures))
        gone = [name for name in self.state if name not in program] if deletions else []
        return changes | dict.fromkeys(gone, Change("delete"))

    def _apply(self, plugin: Plugin, program: Mapping[str, Registered], changes: Mapping[str, Change]) -> None:
        def one(name: str) -> None:
            change, old = changes[name], self.state.get(name)
            if change.operation == "create":
                id_, outputs = plugin.create(change.inputs)
            elif change.operation == "update" and old is not None:
                id_, outputs = old.id, plugin.update(old.id, old.outputs, change.inputs)
            else:
                return
            self.state[name] = Resource(program[name].type, id_, change.inputs, outputs)

        with ThreadPoolExecutor(PARALLEL) as threads:
            for done in [threads.submit(one, name) for name in program]:
                done.result()


class Acme:
    """One realm of the stand-in, a local store that also keeps the ledgers, and what may be declared there."""

    environment: ClassVar = {"TEST_READER": "reader:reader-secret", "TEST_ADMIN": "runner:runner-secret"}

    def __init__(self, keycloak: KeycloakStandIn, folder: Path) -> None:
        self.keycloak = keycloak
        for variable, roles in (("TEST_READER", {"view-clients"}), ("TEST_ADMIN", RUNNER_ROLES)):
            client_id, _, secret = self.environment[variable].partition(":")
            keycloak.add_admin("demo", client_id, secret, roles=roles)
        self.corp = Keycloak("corp", url=keycloak.url, realm="demo", reader="env:TEST_READER", admin="env:TEST_ADMIN")
        self.store = LocalStore("local", root=folder / "store", key=folder / "age.key")
        self.billing = self.server()
        self.engine = Engine(self.environment, folder)

    def server(self, **fields: Any) -> ResourceServer:  # noqa: ANN401 - fields of the declaration
        scopes = {"invoices:read": "Read invoices", "invoices:write": "Create invoices"}
        given = {"target": self.corp, "audience": "https://billing.example.com", "scopes": scopes}
        return ResourceServer("billing-api", **{**given, **fields})

    def client(self, name: str = "exporter", **fields: Any) -> M2MClient:  # noqa: ANN401 - fields of the declaration
        given = {
            "target": self.corp,
            "owner": "team-billing",
            "environment": "test",
            "purpose": "Invoices",
            "rotation": RotationSchedule(every="90d", overlap="7d"),  # type: ignore[arg-type]
            "access": {self.billing: ["invoices:read"]},
            "auth_method": "private_key_jwt",
            "deliver_to": self.store.path(f"apps/{name}"),
        }
        return M2MClient(name, **{**given, **fields})

    def stack(self, *declared: Any, **fields: Any) -> Stack:  # noqa: ANN401 - declarations and fields of the stack
        """Return a stack of these, with the server in front unless another one is among them."""
        own = any(isinstance(d, ResourceServer) for d in declared)
        owners = Owners.model_validate({"teams": {"team-billing": {"contact": "billing@example.com"}}})
        declarations = declared if own else (self.billing, *declared)
        return Stack(IDENTITY, owners, self.store.ledgers(), declarations, **fields)

    def session(self, stack: Stack, access: Access) -> Session:
        """Open a session as the embedded door does; its environment must be set."""
        session = Session(stack.identity, stack.ledgers, access=access, specs=stack.specs, limit=stack.limit)
        session.add_ports(stack.targets, stack.stores)
        return session

    def embedded_up(self, stack: Stack, *, prune: bool = False) -> None:
        """Do what `keysteward up` does: servers, credentials, and with `prune` what is not declared any more."""
        session = self.session(stack, "runner")
        for identity, server in stack.server_specs.items():
            session.servers.run(identity, server)
        for identity, spec in stack.specs.items():
            session.credentials.run(identity, spec)
        for identity in self.undeclared(stack, session) if prune else ():
            allow_ending(session, identity)
            session.credentials.run(identity, None)
        session.servers.sweep_dropped("corp")

    def undeclared(self, stack: Stack, session: Session) -> list[str]:
        open_ones = [i for i, ledger in session.snapshot.ledgers.items() if ledger.closed is None]
        return sorted(set(open_ones) - set(stack.specs))

    def pass_time(self, **by: float) -> None:
        age_ledgers(self.store.ledgers(), IDENTITY, timedelta(**by))

    def ledger(self, name: str = "exporter") -> Ledger:
        stored = self.store.ledgers().read(ledger_key(f"{IDENTITY}/{name}"))
        assert stored.document is not None
        return load_ledger(stored.document, stored.version)

    def server_ledger(self, name: str = "billing-api") -> ServerLedger:
        stored = self.store.ledgers().read(ledger_key(f"{IDENTITY}/{name}"))
        assert stored.document is not None
        return load_server_ledger(stored.document, stored.version)

    def remote(self, client_id: str = "exporter") -> Client:
        found = self.keycloak.realms["demo"].client_named(client_id)
        assert found is not None
        return found

    def clients(self) -> set[str]:
        """Return the client_ids at the target that carry our mark."""
        found = self.keycloak.realms["demo"].clients.values()
        return {client.client_id for client in found if "keysteward.identity" in client.attributes}

    def scopes(self) -> set[str]:
        found = self.keycloak.realms["demo"].scopes.values()
        return {scope.name for scope in found if scope.name.startswith("invoices:")}

    def states(self, name: str = "exporter") -> list[str]:
        return [f"{g.number} {g.state.value}" for g in self.ledger(name).generations]
