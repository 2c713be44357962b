"""Real servers for the tests, and the list of real parts that a run used or skipped.

What whoever writes a test must know:

- Tests run on several workers (`make test`), each a process of its own: one worker may run a test and another the next
  one of the same file. So a test depends on no other, and a fixture of wider scope is set up once in each worker.
- `@pytest.mark.real("keycloak")`: the test needs the real server of this name (keycloak, keycloak-rotation, vault,
  workos, ...). All tests of one name go to one worker, so that one server is started; that is all there is to do.
  For another fixture that only one worker should set up, add its name to `SET_UP_ONCE`.
- `@pytest.mark.proof`: the test, or the case of it, is long, and a shorter one shows the same. `make test` leaves it
  out and `make proofs` runs it; `samples.py` marks the cases of a parameter. Plain `pytest` is `make test` on one
  worker, and `pytest -m ""` runs both.
- `real_parts.used(...)` and `real_parts.skip(...)` enter a real part into the summary, in whatever worker.
- Time is set, not slept, and a limit in seconds only guards against a hang: the machine may be busy.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
import uuid
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import keycloak_realms
import npm_packages
import pytest
import requests
import servers
import tally
import workos_description
import workos_emulator as emulator
from aws_account import CREDENTIALS, Account, account_behind
from aws_server import AwsServer, serving

from keysteward.host import http
from keysteward.sandbox import WorkOSStandIn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytest_plugins = ["real_servers"]

REAL_PARTS: dict[str, str] = {}
"""What real parts this run used, with their version, or skipped, with the reason. Printed at the end."""

WORKOS_DESCRIPTION = "WorkOS OpenAPI description"
WORKOS_EMULATOR = "WorkOS emulator"

SET_UP_ONCE = {"_workos_recorder": "workos", "chromium": "chromium"}
"""Fixtures that are set up in one worker only, with the name that their tests go by."""

LONG_FIRST = ("kills", "story", "simulation", "security", "bridge")
"""Folders whose tests take long: they begin first, so that no worker is left with one of them at the end."""

PROOFS_ONLY = {servers.KEYCLOAK_OLDER.name}
"""Real parts that only `make proofs` uses."""

WHOLE_RUNS = ("not proof", "proof")
"""What `make test` and `make proofs` select."""


class RealParts:
    """The way for tests to enter a real part into the summary."""

    def used(self, part: str, version: str) -> None:
        REAL_PARTS[part] = version

    def skip(self, part: str, reason: str) -> None:
        REAL_PARTS[part] = f"skipped: {reason}"
        pytest.skip(f"{part}: {reason}")


@pytest.fixture(scope="session", autouse=True)
def _own_data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep what is kept for a user, such as the key that signs the audit log, out of the real user's folders."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_DATA_HOME", str(tmp_path_factory.mktemp("data")))
        yield


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the patience of proofs and the pauses between attempts cost no time: stand-ins show at once what was done."""

    def pass_at_once(_seconds: float) -> None:
        pass

    no_pause = SimpleNamespace(monotonic=time.monotonic, sleep=pass_at_once)
    monkeypatch.setattr("keysteward.operations.session.time", no_pause)
    monkeypatch.setitem(http.Session.__init__.__kwdefaults__, "sleep", pass_at_once)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "real(server): needs this real server; -m 'not real' is a quick run")
    config.addinivalue_line("markers", "proof: long, and a sample of it is in `make test`; run by `make proofs`")
    if not is_worker(config):
        REAL_PARTS["pulumi CLI with its language host"] = _pulumi_cli()


def is_worker(config: pytest.Config) -> bool:
    """Say whether this process runs tests for another, which prints."""
    return hasattr(config, "workerinput")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests of one server, and of what is set up once, together on one worker; begin with what takes long."""
    for item in items:
        real = item.get_closest_marker("real")
        if real is not None and not real.args:
            message = f"{item.nodeid}: the mark `real` names the server, for example real('keycloak')"
            raise pytest.UsageError(message)
        fixtures: list[str] = getattr(item, "fixturenames", [])
        names = [real.args[0]] if real else [name for fixture, name in SET_UP_ONCE.items() if fixture in fixtures]
        if names:
            item.add_marker(pytest.mark.xdist_group(names[0]))
    items.sort(key=lambda item: item.path.parent.name not in LONG_FIRST)


def _pulumi_cli() -> str:
    """Say which full CLI is there: no package registry has its language host, so that nothing brings it."""
    if shutil.which("pulumi") is None or shutil.which("pulumi-language-python") is None:
        return "skipped: not on PATH, and no package brings it; the Pulumi engine runs the same stories"
    done = subprocess.run(["pulumi", "version"], capture_output=True, text=True, check=False, timeout=60)
    return done.stdout.strip() or f"skipped: {done.stderr.strip()}"


def pytest_sessionfinish(session: pytest.Session) -> None:
    """In CI a whole run that could have used a real part and did not has failed."""
    if is_worker(session.config):
        session.config.workeroutput["told"] = (REAL_PARTS, tally.handed_over())  # type: ignore[attr-defined]
        return
    options = session.config.option
    whole = not options.keyword and session.config.args == session.config.getini("testpaths")
    if os.environ.get("CI") != "true" or not whole or options.markexpr not in WHOLE_RUNS:
        return
    needed = {server.name: servers.COMMAND for server in servers.SERVERS if not server.missing()}
    if not emulator.missing_for_emulator():
        needed |= dict.fromkeys((WORKOS_DESCRIPTION, WORKOS_EMULATOR), "npm")
    if any(map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))):
        needed["Chromium"] = "the browser on PATH"
    for part, brings in needed.items():
        due = (part in PROOFS_ONLY) is (options.markexpr == "proof")
        state = REAL_PARTS.get(part, "skipped: never asked for" if due else "")
        if state.startswith("skipped"):
            reason = state.removeprefix("skipped: ")
            REAL_PARTS[part] = f"NOT TESTED, though {brings} brings it: {reason}"
            session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:  # noqa: ANN401 - the end of a worker, of pytest-xdist
    """Take over what a worker had to tell; of a part that one used and another skipped, it was used."""
    if "told" not in getattr(node, "workeroutput", {}):  # it crashed, which is told elsewhere
        return
    parts, noted = node.workeroutput["told"]
    tally.take_over(noted)
    for part, state in parts.items():
        if not state.startswith("skipped") or part not in REAL_PARTS:
            REAL_PARTS[part] = state


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    told = {**tally.sections(), "real parts": [f"{part}: {state}" for part, state in sorted(REAL_PARTS.items())]}
    for title, lines in told.items():
        terminalreporter.section(title)
        for line in lines:
            terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def real_parts() -> RealParts:
    return RealParts()


@pytest.fixture(scope="module")
def fresh_realm() -> Iterator[Callable[..., str]]:
    """Make a realm of its own on a Keycloak, stand-in or real; it is deleted after the module."""
    made: list[tuple[str, str, str, str]] = []

    def make(url: str, client_id: str = "sandbox-admin", client_secret: str = "sandbox-admin-secret") -> str:
        name = f"test-{uuid.uuid4().hex[:8]}"
        answer = _as_admin(
            "POST", f"{url}/admin/realms", url, client_id, client_secret, {"realm": name, "enabled": True}
        )
        assert answer.status_code == 201, answer.text
        made.append((name, url, client_id, client_secret))
        return name

    yield make
    for name, url, client_id, client_secret in made:
        _as_admin("DELETE", f"{url}/admin/realms/{name}", url, client_id, client_secret)


@pytest.fixture(scope="module")
def empty_realm(fresh_realm: Callable[..., str]) -> Callable[[str], str]:
    """Give each test a realm without clients of its own: per server the same one again, since making one is slow."""
    made: dict[str, tuple[str, set[str]]] = {}

    def give(url: str) -> str:
        if url in made:
            keycloak_realms.empty(url, *made[url])
        else:
            name = fresh_realm(url)
            made[url] = name, keycloak_realms.scopes_of(url, name)
        return made[url][0]

    return give


def _as_admin(
    method: str, address: str, url: str, client_id: str, client_secret: str, document: object = None
) -> requests.Response:
    form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": client_secret}
    login = requests.post(f"{url}/realms/master/protocol/openid-connect/token", data=form, timeout=60)
    headers = {"Authorization": f"Bearer {login.json()['access_token']}"}
    return requests.request(method, address, json=document, headers=headers, timeout=60)


@pytest.fixture(scope="session")
def _aws_server() -> Iterator[AwsServer]:
    with serving() as server:
        yield server


@pytest.fixture
def aws(_aws_server: AwsServer) -> AwsServer:
    """AWS on loopback, empty, with every right for every key."""
    _aws_server.reset()
    return _aws_server


@pytest.fixture(scope="session")
def _aws_account(_aws_server: AwsServer) -> Iterator[Account]:
    with account_behind(_aws_server) as account:
        yield account


@pytest.fixture
def aws_account(aws: AwsServer, _aws_account: Account, monkeypatch: pytest.MonkeyPatch) -> Account:
    """An AWS account for targets, empty: moto's server with the stand-in in front."""
    assert aws.calls == []
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    _aws_account.reset()
    return _aws_account


@pytest.fixture(scope="session")
def _workos_recorder(real_parts: RealParts) -> Iterator[workos_description.Recorder | None]:
    """Hold calls with the WorkOS stand-in against the vendor's description, where it can be had.

    WORKOS_OPENAPI may name the file of another version of it.
    """
    named = os.environ.get("WORKOS_OPENAPI")
    version = named or workos_description.VERSION
    try:
        package = Path() if named else npm_packages.installed(workos_description.PACKAGE, version)
    except npm_packages.NpmUnavailable as reason:
        REAL_PARTS[WORKOS_DESCRIPTION] = f"skipped: {reason}"
        yield None
        return
    recorder = workos_description.Recorder(Path(named) if named else package / workos_description.FILE)
    real_parts.used(WORKOS_DESCRIPTION, version)
    yield recorder
    real_parts.used(WORKOS_DESCRIPTION, f"{version}; {recorder.summary()}")


@pytest.fixture
def workos_spec(
    _workos_recorder: workos_description.Recorder | None, real_parts: RealParts
) -> Iterator[workos_description.Recorder]:
    """Return the recorder; `watch` makes it hold a stand-in's calls. The test fails when one was not as described."""
    if _workos_recorder is None:
        real_parts.skip(WORKOS_DESCRIPTION, REAL_PARTS[WORKOS_DESCRIPTION].removeprefix("skipped: "))
        return
    yield _workos_recorder
    assert _workos_recorder.take_wrong() == []


@pytest.fixture
def workos_stand_in(_workos_recorder: workos_description.Recorder | None) -> Iterator[WorkOSStandIn]:
    """Start a WorkOS stand-in; every call with it is held against the vendor's description where that can be had."""
    with WorkOSStandIn() as stand_in:
        if _workos_recorder is not None:
            _workos_recorder.watch(stand_in)
        yield stand_in
    assert _workos_recorder is None or _workos_recorder.take_wrong() == []


@pytest.fixture(scope="module")
def workos_emulator(
    real_parts: RealParts, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[emulator.WorkOSEmulator]:
    """Start the vendor's own emulator of WorkOS; `workos_emulator.py` says which of our calls it covers.

    It cannot list the secrets of an application, nor delete one: where one was made no list is whole any more.
    """
    missing = emulator.missing_for_emulator()
    if missing:
        real_parts.skip(WORKOS_EMULATOR, "; ".join(missing))
    try:
        package = npm_packages.installed(emulator.PACKAGE, emulator.VERSION)
    except npm_packages.NpmUnavailable as reason:
        real_parts.skip(WORKOS_EMULATOR, str(reason))
        return
    with emulator.running(package, tmp_path_factory.mktemp("workos-emulator")) as started:
        real_parts.used(WORKOS_EMULATOR, emulator.VERSION)
        yield started
